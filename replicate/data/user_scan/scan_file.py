"""Read a scan of the user's own from a NumPy, HDF5 or MATLAB file.

Such a file (.npz, .h5, .hdf5 or .mat) has these arrays, by name:

- ``piezoresponse`` and, of the same shape, any other channels: real numbers in any unit, of shape
  (rows, cols, n_steps). The shape may also be (n_pixels, n_steps), with pixels in C order, beside
  an array ``shape`` of rows and columns. A pixel without a measurement is NaN at all steps.
- ``voltages``: one cycle, or several, in the order of acquisition, V, of shape (n_steps,) for all
  channels. It may start anywhere. The shape may also be (n_channels, n_steps), in the order of an
  array ``channels`` of their names.
- optionally ``size_um``: height and width of the scan, um; ``units``: the unit of each channel,
  the piezoresponse first.

The arrays may lie in a group of HDF5 or in a struct of MATLAB. An HDF5 file may have main datasets
of the USID model instead (`replicate.data.user_scan.usid`), or be a file of NSID or hyperspy
(`replicate.data.user_scan.labelled`). A `.npy` file has the piezoresponse alone.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from replicate.data.raw import matlab
from replicate.data.scan import Scan
from replicate.data.user_scan import labelled, usid
from replicate.data.user_scan.contents import Item, list_items, refuse_large, unreadable
from replicate.data.user_scan.reading import VOLTAGE_UNITS, Reading
from replicate.data.user_scan.scan_arrays import (
    NOT_CHANNELS,
    PIEZORESPONSE,
    UserScan,
    assemble,
    channels_of,
)
from replicate.errors import ReplicationError
from replicate.files import file_hash
from replicate.provenance import OWN_SCAN

#: Kinds of file that are HDF5.
HDF5 = (".h5", ".hdf5", ".hspy")


def read_scan(path: str | Path, reading: Reading | None = None) -> UserScan:
    """Read a scan of the user's own.

    Parameters
    ----------
    path : path-like
        A file as this module describes it.
    reading : Reading, optional
        What the file leaves open.

    Returns
    -------
    UserScan
        In z-scores: each channel is standardised by its mean and standard deviation over all pixels
        and steps, as the paper's arrays are. A pixel that lacks a channel is left out. Steps beside
        each other at one voltage are averaged into one.

    Raises
    ------
    ReplicationError
        If the file is unreadable, an array is missing or of a wrong shape, loops are constant or
        have gaps, or the voltage is not one bipolar cycle. The message names the file, the fault
        and the fix.
    """
    path, reading = Path(path), reading or Reading()
    items = list_items(path)
    try:
        arrays, notes, left = _arrays(path, items, reading)
    except ReplicationError as error:
        raise _named(path, error) from error
    except Exception as error:  # a damaged file makes zlib, SciPy and HDF5 raise almost anything
        raise unreadable(path, error) from error
    sha256 = file_hash(path)
    try:
        return assemble(
            arrays,
            provenance=f"{OWN_SCAN} {reading.digits(sha256)}",
            hashes={"scan": sha256},
            reading=left,
            notes=tuple(notes),
        )
    except ReplicationError as error:
        raise _named(path, error) from error


def _named(path, error):
    """Return an error whose message begins with the file."""
    message = str(error)
    return error if message.startswith(f"{path}:") else ReplicationError(f"{path}: {message}")


def summary(scan: Scan) -> str:
    """Return one line on a scan: its channels, its grid, its voltage cycle, and what was chosen."""
    return "; ".join(facts(scan))


def facts(scan: Scan) -> list[str]:
    """Return what `summary` says of a scan, one text a fact."""
    rows, columns = scan.shape
    pixels = f"{rows} x {columns} pixels"
    n_blank = rows * columns - len(scan.spectra)
    if n_blank:
        pixels += f", {n_blank} of them blank"
    low, high = scan.voltages.min(), scan.voltages.max()
    steps = f"{scan.n_steps} steps from {low:g} to {high:g} V"
    notes = getattr(scan, "notes", ())
    return [", ".join(scan.channels), pixels, steps, *notes]


def _arrays(path, items, reading):
    """Return the arrays of a file by name, notes on what was chosen, and what is left to choose."""
    if path.suffix.lower() in HDF5 and not _has_named_arrays(items):
        described = _self_described(path, reading)
        if described is not None:
            return described
    if reading.field is not None:
        raise ReplicationError("--field: only a USID file has it. Leave it out.")
    chosen, notes = choose(items, reading, path)
    for item in chosen.values():
        reason = _why_not(item, chosen[PIEZORESPONSE])
        if reason:
            notes.append(f"{item.name}: not taken ({reason})")
    wanted = _wanted(chosen)
    for item in wanted.values():
        if item.problem:
            raise ReplicationError(f"{item.name}: cannot be read ({item.problem}). Save an array.")
    refuse_large(", ".join(wanted), sum(item.n_bytes for item in wanted.values()))
    arrays = {name: item.load() for name, item in wanted.items()}
    _set_voltages(arrays, chosen, items, reading)
    if "units" not in arrays and any(item.unit for item in wanted.values()):
        arrays["units"] = np.array([wanted[name].unit for name in channels_of(arrays)])
    return arrays, notes, reading


def _has_named_arrays(items):
    """Return whether a group has the piezoresponse and its voltages under these names."""
    names = {item.name for item in items}
    return any(
        item.base == PIEZORESPONSE and item.name[: -len(PIEZORESPONSE)] + "voltages" in names
        for item in items
    )


def _self_described(path, reading):
    """Return what `_arrays` returns, of a file that describes its axes; None for another file."""
    import h5py

    left = reading
    with h5py.File(path, "r") as file:
        if usid.is_usid(file):
            arrays, notes = usid.read_arrays(path, reading)
            left = replace(reading, field=None, cycle=None)
        else:
            arrays = labelled.read_nsid(file, reading.dataset)
            if arrays is None:
                arrays = labelled.read_hyperspy(file, reading.dataset)
            notes = []
    if arrays is not None and (reading.voltage_unit or reading.voltages):
        raise ReplicationError(
            "the file itself has voltages with their unit. Leave --voltages and --voltage-unit out."
        )
    return None if arrays is None else (arrays, notes, left)


def choose(
    items: Sequence[Item], reading: Reading, path: Path
) -> tuple[dict[str, Item], list[str]]:
    """Return the arrays of a file that are meant, by the names that `assemble` knows, and notes.

    Raises
    ------
    ReplicationError
        If there is no piezoresponse, or more than one.
    """
    by_name = {item.name: item for item in items}
    notes = []
    if reading.dataset is not None:
        wanted = reading.dataset.strip("/")
        if wanted in by_name:
            return _around(by_name[wanted], items), notes
        group = wanted
        if not any(item.group == group for item in items):
            raise ReplicationError(
                f"--dataset {reading.dataset}: no such array or group. {contents_of(items)}"
            )
    elif _is_single_array(items):
        return {PIEZORESPONSE: items[0]}, notes
    else:
        groups = sorted({item.group for item in items if item.base == PIEZORESPONSE})
        if len(groups) > 1 and "" not in groups:
            listed = " or ".join(f"--dataset {group}" for group in groups)
            raise ReplicationError(f"{len(groups)} groups have loops. Choose one: {listed}.")
        group = "" if not groups or "" in groups else groups[0]
        if group:
            notes.append(f"arrays of {group}")
    chosen = {item.base: item for item in items if item.group == group}
    if PIEZORESPONSE not in chosen:
        raise ReplicationError(
            f"no array {PIEZORESPONSE!r}. {contents_of(items)} {_hint_of_raw(items, path)}"
            f"Call the response that switches {PIEZORESPONSE!r}, or name it with --dataset; "
            "of amplitude and phase it is A cos(phi)."
        )
    return chosen, notes


def _is_single_array(items):
    """Return whether a file has one array, which can only be the piezoresponse."""
    return len(items) == 1 and len(items[0].shape) in (2, 3) and not items[0].group


def _hint_of_raw(items, path):
    """Return what to do with raw loops, or ""."""
    if not any(item.base in (matlab.LOOPS, matlab.AMPLITUDE) for item in items):
        return ""
    return (
        f"These are raw loops: prepare them with `{clean_command(path)}`, and run "
        f"`python -m replicate run --scan {shlex.quote(f'{path.stem}.npz')}`. "
    )


def clean_command(path: Path) -> str:
    """Return the command that prepares the raw loops of a file."""
    return f"python -m replicate clean {shlex.join([str(path), f'{path.stem}.npz'])}"


def _around(item, items):
    """Return an array that the user names as the piezoresponse, and what belongs to it."""
    beside = {other.base: other for other in items if other.group == item.group}
    if item.base == matlab.LOOPS and matlab.VOLTAGE in beside:
        beside["voltages"] = beside[matlab.VOLTAGE]
    return {
        PIEZORESPONSE: item,
        **{name: beside[name] for name in NOT_CHANNELS if name in beside and name != "channels"},
    }


def contents_of(items: Sequence[Item]) -> str:
    """Return a sentence on the arrays of a file, for an error."""
    listed = ", ".join(f"{item.name} {item.shape}" for item in items)
    return f"The file has {listed or 'no arrays'}."


def _why_not(item, piezoresponse):
    """Return why an array is not taken that may be thought to be a channel; "" for others."""
    if item.problem:
        return item.problem
    is_like_a_channel = item.shape == piezoresponse.shape and item.dtype is not None
    if is_like_a_channel and item.dtype.kind not in "fiuc":
        return not_numbers(item)
    return ""


def not_numbers(item: Item) -> str:
    """Return why an array is not taken that does not have numbers."""
    if item.dtype is not None and item.dtype.kind == "b":
        return "true or false, not measurements; make pixels to be left out NaN"
    return "not numbers"


def _wanted(chosen):
    """Return those of the arrays that may be needed: no others are read."""
    shape = chosen[PIEZORESPONSE].shape
    return {
        name: item
        for name, item in chosen.items()
        if name in (PIEZORESPONSE, *NOT_CHANNELS)
        or (item.shape == shape and not item.problem)
        or ("channels" in chosen and item.dtype is not None and item.dtype.kind in "fiuc")
    }


def _set_voltages(arrays, chosen, items, reading):
    """Put the voltages that the user gives into the arrays, and bring those of the file to V."""
    unit = reading.voltage_unit
    if reading.voltages is not None:
        arrays["voltages"] = np.array(reading.voltages)
    elif "voltages" not in arrays:
        raise ReplicationError(
            "no array 'voltages', the voltage of each step in V. Save it beside the loops, or add "
            f"--voltages FILE.npy. {contents_of(items)}"
        )
    else:
        unit = unit or chosen["voltages"].unit
    factor = VOLTAGE_UNITS.get(unit) or usid.volts(unit or "") or 1.0
    if factor != 1.0 and arrays["voltages"].dtype.kind in "fiu":
        arrays["voltages"] = arrays["voltages"] * factor
