"""Show what is in a file, what of it would be taken as a scan, and why the rest is not."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from replicate.data.raw import matlab
from replicate.data.user_scan import usid
from replicate.data.user_scan.contents import list_items, walk
from replicate.data.user_scan.reading import Reading
from replicate.data.user_scan.scan_arrays import NOT_CHANNELS, PIEZORESPONSE
from replicate.data.user_scan.scan_file import (
    HDF5,
    choose,
    clean_command,
    not_numbers,
    read_scan,
    summary,
)
from replicate.errors import ReplicationError

#: Variables of raw loops, which `clean` prepares.
RAW = (matlab.LOOPS, matlab.AMPLITUDE)

#: The titles of the columns of the table.
TITLES = ("array", "type", "shape", "unit", "taken as, or why not")


def table(path: Path, reading: Reading) -> str:
    """Return a table of the arrays of a file, as lines.

    Raises
    ------
    ReplicationError
        If the file cannot be listed.
    """
    items = list_items(path)
    if not items:
        return "The file has no arrays."
    uses = _uses(path, items, reading)
    rows = [TITLES]
    for item in items:
        kind = "?" if item.dtype is None else _type(item)
        shape = " x ".join(map(str, item.shape)) or "one value"
        rows.append((item.name, kind, shape, item.unit or "-", uses[item.name]))
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def _type(item):
    if item.dtype.names:
        return f"compound ({', '.join(item.dtype.names)})"
    return {"U": "text", "S": "text", "O": "text or objects"}.get(item.dtype.kind, str(item.dtype))


def _uses(path, items, reading):
    """Return, by the name of each array, what it is taken as, or why it is not taken."""
    described = _uses_in_usid(path) if path.suffix.lower() in HDF5 else {}
    try:
        chosen = choose(items, reading, path)[0]
    except ReplicationError:
        chosen = {}
    names = {item.name: name for name, item in chosen.items()}
    return {
        item.name: described.get(item.name)
        or item.problem
        or _use(path, item, names.get(item.name), chosen)
        for item in items
    }


def _uses_in_usid(path):
    """Return what main datasets of USID, and arrays with labelled axes, are taken as."""
    import h5py

    uses = {}
    with h5py.File(path, "r") as file:
        for name, item in walk(file):
            if usid.is_main(item):
                fault = usid.fault(item)
                kind = "an oscillator fit" if item.dtype.names else "loops"
                if fault is None and usid.is_raw(item):
                    kind = "raw band-excitation spectra, to be fitted"
                uses[name] = fault or f"{kind}: --dataset {name}"
            elif name.rpartition("/")[2] in usid.ANCILLARY:
                uses[name] = "describes the positions or steps of main datasets"
            elif hasattr(item, "attrs") and "DIMENSION_LIST" in item.attrs:
                uses[name] = f"loops, if one of its axes is in V: --dataset {name}"
            elif hasattr(item, "attrs") and "REFERENCE_LIST" in item.attrs:
                uses[name] = "an axis"
    return uses


def _use(path, item, name, chosen):
    """Return what an array is taken as under a name of `assemble`, or why it is not."""
    if item.base in RAW:
        return f"raw loops: prepare them with `{clean_command(path)}`"
    if name == PIEZORESPONSE:
        return "the piezoresponse"
    if name in NOT_CHANNELS:
        return name
    if item.dtype is None or item.dtype.kind not in "fiuc":
        return not_numbers(item)
    if not chosen:
        if len(item.shape) < 2 or min(item.shape) < 2:
            return "not loops"
        return f"loops, if you say so: --dataset {item.name} --voltages VOLTS.npy"
    if item.dtype.kind == "c":
        return "complex: save real parts or amplitudes"
    if item.shape == chosen[PIEZORESPONSE].shape and name:
        return "a channel"
    return "of another shape or group than the piezoresponse"


def inspect(path: Path, reading: Reading) -> tuple[str, bool]:
    """Return what is in a file and what comes of it, and whether it can be run.

    Raises
    ------
    ReplicationError
        If the file cannot be listed.
    """
    lines = [table(path, reading), ""]
    try:
        fit = usid.to_be_fitted(path, reading) if path.suffix.lower() in HDF5 else None
        if fit is not None:
            return "\n".join([*lines, fit, command(path, reading.arguments())]), True
        scan = read_scan(path, reading)
    except ReplicationError as error:
        return "\n".join([*lines, str(error)]), False
    return "\n".join([*lines, summary(scan), command(path, reading.arguments())]), True


def command(path: Path, arguments: Sequence[str] = ()) -> str:
    """Return the command that runs a file."""
    return f"python -m replicate run {shlex.join(['--scan', str(path), *arguments])}"


def refusal(path: Path, reading: Reading, error: ReplicationError) -> ReplicationError:
    """Return the error for a file that was refused, with the table of what is in it."""
    try:
        listed = table(path, reading)
    except ReplicationError:  # there is nothing to list: the error says why
        return error
    return ReplicationError(f"{error}\n\n{listed}")
