"""The sha256 of every stored file, in ``benchmarks/stored/SHA256SUMS``.

``sha256sum --check SHA256SUMS`` in that folder checks the files without any code of this
repository. `nox -s verify` checks them too, and finds files that have no line.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from replicate import temporary
from replicate.errors import ReplicationError
from replicate.files import file_hash, write_text

#: Where the files lie, and the name of their list there.
FOLDER = Path(__file__).resolve().parent / "stored"
NAME = "SHA256SUMS"

#: A file that is listed too, though its statements and bounds are written by hand.
LEDGER = "../claims.json"


def files(folder: Path = FOLDER) -> dict[str, Path]:
    """Return every stored file by its name in the list, which is its path from the folder."""
    paths = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != NAME and not temporary.NAME.fullmatch(path.name)
    ]
    listed = {path.relative_to(folder).as_posix(): path for path in paths}
    if (folder / LEDGER).exists():
        listed[LEDGER] = folder / LEDGER
    return listed


def write(folder: Path = FOLDER) -> None:
    """Write the list anew, from the files as they are."""
    lines = [f"{file_hash(path)}  {name}\n" for name, path in files(folder).items()]
    write_text(folder / NAME, "".join(lines))


def read(folder: Path = FOLDER) -> dict[str, str]:
    """Return the sha256 that each stored file must have, by its name in the list.

    Raises
    ------
    ReplicationError
        If there is no list, or a line of it is damaged.
    """
    path = folder / NAME
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise ReplicationError(f"{path}: not readable ({error}). Restore it with git.") from error
    pairs = [line.partition("  ") for line in lines]
    for number, (digits, _, name) in enumerate(pairs, start=1):
        if len(digits) != 64 or not name:
            raise ReplicationError(
                f"{path}: line {number} is not a sha256, two blanks and a name. "
                "Restore it with git."
            )
    return {name: digits for digits, _, name in pairs}


def checks(folder: Path = FOLDER) -> Iterator[tuple[str, bool, str]]:
    """Yield a check of every file that is listed or is there: its name, whether it holds, why."""
    expected, present = read(folder), files(folder)
    for name in sorted(expected.keys() | present.keys()):
        if name not in present:
            yield f"stored {name}", False, "is missing"
        elif name not in expected:
            yield f"stored {name}", False, f"has no line in {NAME}"
        else:
            holds = file_hash(present[name]) == expected[name]
            yield f"stored {name}", holds, f"sha256 {expected[name]}"
