"""Which data a study runs on: the real files where they can be had, otherwise a simulated twin and a stand-in photograph."""

from __future__ import annotations

from replicate.data import beps, toy, twin
from replicate.data.fetch import DataUnavailable, fetch
from replicate.data.manifest import read_manifest

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
    wanted = {"scan": (SCAN_FILES, "measured", "simulated twin"), "picture": (("painting",), "painting", "sample photograph")}
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
        print(f"{error}\nGoing on with the {stand_in} in its place; every figure and number will say so.\n")
        return stand_in
    return real


def data_hashes(provenance):
    """Return the sha256 of every file behind a provenance, as verified on each read; empty for simulated data, which are code."""
    keys = {"measured": SCAN_FILES, "painting": ("painting",)}.get(provenance, ())
    files = read_manifest() if keys else {}
    return {key: files[key].sha256 for key in keys}


def load_scan(provenance):
    """Return the `Scan`, measured or simulated."""
    if provenance == "measured":
        files = read_manifest()
        return beps.read_prepared(*(fetch(files[key]) for key in SCAN_FILES))
    return twin.simulate()


def load_picture(provenance):
    """Return the `Painting`, the real one or the sample photograph."""
    if provenance == "painting":
        return toy.read_painting(fetch(read_manifest()["painting"]))
    return toy.sample_photograph()
