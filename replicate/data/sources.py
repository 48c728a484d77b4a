"""Which data a study runs on: the real files where they can be had, otherwise stand-ins; or a scan of the user's own."""

from __future__ import annotations

import shutil
from functools import lru_cache
from pathlib import Path

from replicate.data import beps, toy, twin
from replicate.data.remote.fetch import DataUnavailable, cache_folder, fetch
from replicate.data.remote.manifest import read_manifest
from replicate.data.user_scan.scan_file import read_scan
from replicate.errors import ReplicationError
from replicate.files import atomic_path, read_json
from replicate.provenance import is_own

SCAN_FILES = ("piezoresponse", "resonance", "voltage")


def resolve(choice):
    """Settle where the scan and the picture come from, fetching the real files where `choice` allows.

    Parameters
    ----------
    choice : {"auto", "measured", "simulated"}
        ``auto`` falls back on simulated data when no source of the real files can be reached; ``measured`` does not.

    Returns
    -------
    dict of str to str
        Provenance of ``"scan"`` and of ``"picture"``.

    Raises
    ------
    HashMismatch
        If a file is not the one in the manifest; simulated data never take its place.
    DataUnavailable
        If `choice` is ``measured`` and a file cannot be had.
    """
    wanted = {
        "scan": (SCAN_FILES, "measured", "simulated twin"),
        "picture": (("painting",), "painting", "sample photograph"),
    }
    return {role: _available(choice, *files_and_names) for role, files_and_names in wanted.items()}


def _available(choice, keys, real, stand_in):
    if choice == "simulated":
        return stand_in
    try:
        files = read_manifest()
        for key in keys:
            fetch(files[key])
    except DataUnavailable as error:
        if choice == "measured":
            raise
        print(
            f"{error}\nGoing on with the {stand_in} in its place; every figure and number will say so.\n"
        )
        return stand_in
    return real


def bring(path):
    """Take in a scan of the user's own: read and check the file, and keep a copy in the cache for runs and figures.

    Parameters
    ----------
    path : path-like
        See `replicate.data.user_scan.scan_file`.

    Returns
    -------
    dict of str to str
        Provenance as `resolve` returns it; that of the scan names the copy.

    Raises
    ------
    ReplicationError
        If the file cannot be used, or the copy not be kept.
    """
    provenance = read_scan(path).provenance
    with atomic_path(
        cache_folder() / "scans" / f"{provenance}{Path(path).suffix.lower()}"
    ) as temporary:
        shutil.copyfile(path, temporary)
    return {"scan": provenance, "picture": "sample photograph"}


def own_scan(provenance):
    """Return the `Scan` of this provenance if it is the user's own, otherwise None."""
    return load_scan(provenance) if is_own(provenance) else None


def has_own(folder):
    """Tell whether the runs in the results folder of a profile are on a scan of the user's own."""
    config = next(Path(folder).glob("beps*/*/seed*/config.json"), None)
    return config is not None and is_own(read_json(config)["provenance"]["spectra"])


@lru_cache(maxsize=1)
def _kept(provenance):
    copy = next((cache_folder() / "scans").glob(f"{provenance}.*"), None)
    if copy is None or (scan := read_scan(copy)).provenance != provenance:
        raise ReplicationError(
            f"{cache_folder() / 'scans'}: no copy of {provenance} any more. Run with --scan and its file again."
        )
    return scan


def data_hashes(provenance):
    """Return the sha256 of every file behind a provenance, as verified on each read; empty for simulated data, which are code."""
    if is_own(provenance):
        return load_scan(provenance).hashes
    keys = {"measured": SCAN_FILES, "painting": ("painting",)}.get(provenance, ())
    files = read_manifest() if keys else {}
    return {key: files[key].sha256 for key in keys}


def load_scan(provenance):
    """Return the `Scan`, measured, simulated or the user's own."""
    if is_own(provenance):
        return _kept(provenance)
    if provenance == "measured":
        files = read_manifest()
        return beps.read_prepared(*(fetch(files[key]) for key in SCAN_FILES))
    return twin.simulate()


def load_picture(provenance):
    """Return the `Painting`, the real one or the sample photograph."""
    if provenance == "painting":
        return toy.read_painting(fetch(read_manifest()["painting"]))
    return toy.sample_photograph()
