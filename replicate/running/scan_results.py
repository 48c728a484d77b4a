"""The results folder of a user's own scan, and the command that makes runs in a results folder.

The results of `MY.npz` are in ``results/MY``. Where the results of another file are there already,
such as an older version or a file of the same name, the folder is ``results/MY-1a2b3c4d``, with the
first digits of the provenance of the scan: nothing is replaced. A file ``scan.json`` in that folder
says which file was run, and how it was read.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from replicate.files import read_json, write_json
from replicate.provenance import is_own_scan
from replicate.study.job import PROFILES
from replicate.study.studies import provenance_in

#: The file that names the scan of a results folder.
NAME = "scan.json"

#: What stands in it.
SCHEMA = {
    "type": "object",
    "properties": {
        "file": {"type": "string"},
        "provenance": {"type": "string"},
        "options": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["file", "provenance", "options"],
    "additionalProperties": False,
}

#: How many digits of the provenance tell two scans of one name apart.
DIGITS = 8


def folder_of(results: Path, path: Path, provenance: str) -> Path:
    """Return the folder for the results of a scan.

    Parameters
    ----------
    results : Path
        The folder of all results.
    path : Path
        The file of the scan.
    provenance : str
        The provenance of the scan.
    """
    plain = Path(results) / path.stem
    is_free = path.stem not in PROFILES and _provenance_in(plain) in (None, provenance)
    if is_free:
        return plain
    return plain.with_name(f"{path.stem}-{_digits(provenance)[:DIGITS]}")


def _digits(provenance):
    """Return the digits of the hash in the provenance of a scan of the user's own."""
    return provenance.rpartition(" ")[2]


def _provenance_in(folder):
    """Return the provenance of the scan whose results are in a folder, or None for no results."""
    if (folder / NAME).exists():
        return read_json(folder / NAME, SCHEMA)["provenance"]
    configuration = next(folder.glob("*/beps*/*/seed*/config.json"), None)
    if configuration is None:
        return None
    return provenance_in(configuration)


def remember(folder: Path, path: Path, provenance: str, options: Sequence[str] = ()) -> None:
    """Write which file the results in a folder are made from.

    Parameters
    ----------
    folder : Path
    path : Path
        The file of the scan.
    provenance : str
        The provenance of the scan.
    options : sequence of str
        The options of the command line by which the file was read.
    """
    record = {
        "file": str(Path(path).absolute()),
        "provenance": provenance,
        "options": list(options),
    }
    write_json(folder / NAME, record)


def command(
    results: Path,
    profile: str,
    only: Sequence[str] = (),
    seed: int | None = None,
) -> str:
    """Return the command that makes runs in a results folder, as it is typed.

    Parameters
    ----------
    results : Path
        The results folder: that of a scan of the user's own, or of the study.
    profile : str
    only : sequence of str
        Data sets and models; none for all.
    seed : int, optional
    """
    results = Path(results)
    arguments = ["--profile", profile]
    if only:
        arguments += ["--only", *only]
    if seed is not None:
        arguments += ["--seed", str(seed)]
    if (results / NAME).exists():
        scan = read_json(results / NAME, SCHEMA)
        arguments += ["--scan", scan["file"], *scan["options"]]
        results = results.parent
    if results != Path("results"):
        arguments += ["--results", str(results)]
    return f"nox -s replicate -- {shlex.join(arguments)}"


def advice(
    results: Path,
    profile: str,
    only: Sequence[str] = (),
    seed: int | None = None,
) -> str:
    """Return what to do about runs that are missing from a results folder, as a sentence.

    A scan of the user's own has no toy spectra. Nothing can make them in its folder. Where there
    are scans of the user's own beside the study, theirs may be the folder that was meant.
    """
    if only and only[0].startswith(("toy", "twin")) and is_of_own_scan(Path(results)):
        return (
            f"It has the results of a scan of your own, which are never of {only[0]} spectra: "
            "draw it with the --results of the paper's study."
        )
    named = " or ".join(f"--results {folder}" for folder in folders_of_scans(Path(results)))
    meant = f" For a scan of your own, name its folder: {named}." if named else ""
    return f"Make it with `{command(results, profile, only, seed)}`.{meant}"


def folders_of_scans(results: Path) -> list[Path]:
    """Return the folders within a results folder that have results of scans of the user's own."""
    return sorted(path.parent for path in results.glob(f"*/{NAME}"))


def is_of_own_scan(results: Path) -> bool:
    """Return whether a results folder is that of a scan of the user's own."""
    return is_own_scan(_provenance_in(Path(results)) or "")
