"""The data a study runs on: the real files where they can be had, otherwise their stand-ins.

A scan of the user's own takes the place of the measured one; a copy of its file is kept in the
cache, so that runs, figures and the report load it as they load any scan.
"""

from __future__ import annotations

import errno
import os
import shutil
from functools import lru_cache
from pathlib import Path

from replicate.cache import CACHE_VARIABLE, cache_folder
from replicate.data import beps, toy, twin
from replicate.data.remote.fetch import DataUnavailable, fetch
from replicate.data.remote.manifest import read_manifest
from replicate.data.scan import Scan
from replicate.data.user_scan.inspection import refusal
from replicate.data.user_scan.reading import SCHEMA, Reading
from replicate.data.user_scan.scan_file import read_scan
from replicate.errors import ReplicationError
from replicate.files import atomic_path, read_json, write_json
from replicate.provenance import Sources, is_own_scan

#: Keys in the manifest of the files that the measured scan is read from.
SCAN_FILES = ("piezoresponse", "resonance", "voltage")

#: Module that makes the spectra of each provenance; of a user's own scan it is `OWN_READER`.
READERS = {
    "measured": "replicate.data.beps",
    "simulated twin": "replicate.data.twin",
    "formula": "replicate.data.toy",
}
OWN_READER = "replicate.data.user_scan.scan_file"


def resolve(choice: str) -> Sources:
    """Settle where scan and picture come from, fetching the real files where `choice` allows.

    Parameters
    ----------
    choice : {"auto", "measured", "simulated"}
        ``auto`` falls back on simulated data when no source of the real files can be reached;
        ``measured`` does not.

    Raises
    ------
    HashMismatch
        If a file is not the one in the manifest; simulated data never take its place.
    DataUnavailable
        If `choice` is ``measured`` and a file cannot be had.
    """
    return Sources(
        scan=_available(choice, SCAN_FILES, "measured", "simulated twin"),
        picture=_available(choice, ("painting",), "painting", "sample photograph"),
    )


def _available(choice, keys, real, stand_in):
    """Return the provenance `real` if its files can be had, otherwise that of its stand-in."""
    if choice == "simulated":
        return stand_in
    try:
        files = read_manifest()
        for key in keys:
            fetch(files[key])
    except DataUnavailable as error:
        if choice == "measured":
            raise
        note = f"Going on with the {stand_in} in its place; every figure and number will say so."
        print(f"{error}\n{note}\n")
        return stand_in
    return real


def bring(path: Path, reading: Reading | None = None) -> Sources:
    """Read and check a scan of the user's own, and keep a copy in the cache for runs and figures.

    Parameters
    ----------
    path : path-like
        See `replicate.data.user_scan.scan_file`.
    reading : Reading, optional
        What the file leaves open.

    Returns
    -------
    Sources
        The provenance of its scan names the copy.

    Raises
    ------
    ReplicationError
        If the file cannot be used, with a table of what is in it, or if the copy cannot be kept.
    """
    path, reading = Path(path), reading or Reading()
    try:
        provenance = read_scan(path, reading).provenance
    except ReplicationError as error:
        raise refusal(path, reading, error) from error
    copy = _scan_folder() / f"{provenance}{path.suffix.lower()}"
    try:
        _refuse_unwritable(copy.parent)
        with atomic_path(copy) as temporary:
            shutil.copyfile(path, temporary)
        write_json(_choices_of(provenance), reading.chosen())
    except (OSError, ReplicationError) as error:
        reason = getattr(error.__cause__ or error, "strerror", None) or error
        raise ReplicationError(
            f"{copy.parent}: a copy of the scan cannot be kept here ({reason}). "
            f"Set {CACHE_VARIABLE} to a folder that can be written to."
        ) from error
    return Sources(scan=provenance, picture="sample photograph")


def _refuse_unwritable(folder):
    """Refuse a folder that is there and cannot be written to."""
    if folder.exists() and not os.access(folder, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _scan_folder() -> Path:
    return cache_folder() / "scans"


def _choices_of(provenance):
    """Return the path of the choices by which the copy of a scan is read."""
    return _scan_folder() / f"{provenance}.reading.json"


@lru_cache(maxsize=1)
def _load_own(provenance):
    copies = [path for path in _scan_folder().glob(f"{provenance}.*") if path.suffix != ".json"]
    choices = _choices_of(provenance)
    reading = Reading.of(read_json(choices, SCHEMA)) if choices.exists() else Reading()
    scan = read_scan(copies[0], reading) if copies else None
    if scan is None or scan.provenance != provenance:
        raise ReplicationError(
            f"{_scan_folder()}: no copy of {provenance} any more. "
            "Run with --scan and its file again."
        )
    return scan


def reader(provenance: str) -> str:
    """Return the name of the module that makes the spectra of a provenance."""
    return OWN_READER if is_own_scan(provenance) else READERS[provenance]


def data_hashes(provenance: str) -> dict[str, str]:
    """Return the sha256 of every file behind a provenance, as verified on each read.

    Simulated data are code, and have none.
    """
    if is_own_scan(provenance):
        return _load_own(provenance).hashes
    keys = {"measured": SCAN_FILES, "painting": ("painting",)}.get(provenance, ())
    files = read_manifest() if keys else {}
    return {key: files[key].sha256 for key in keys}


def load_scan(provenance: str) -> Scan:
    """Return the scan of a provenance: measured, simulated or the user's own."""
    if is_own_scan(provenance):
        return _load_own(provenance)
    if provenance == "measured":
        files = read_manifest()
        return beps.read_prepared(*(fetch(files[key]) for key in SCAN_FILES))
    return twin.simulate()


def load_picture(provenance: str) -> toy.Painting:
    """Return the picture of a provenance: the paper's painting or the sample photograph."""
    if provenance == "painting":
        return toy.read_painting(fetch(read_manifest()["painting"]))
    return toy.sample_photograph()
