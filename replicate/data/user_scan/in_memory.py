"""A scan of the user's own that is in memory already, as a notebook has it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from replicate.data.user_scan.labelled import Axis, arranged, is_with_voltage
from replicate.data.user_scan.reading import VOLTAGE_UNITS, Reading
from replicate.data.user_scan.scan_arrays import PIEZORESPONSE, UserScan, assemble
from replicate.data.user_scan.scan_file import read_scan
from replicate.errors import ReplicationError
from replicate.provenance import OWN_SCAN


def read(
    source: Any,
    voltages: ArrayLike | str | Path | None = None,
    *,
    channels: Mapping[str, ArrayLike] | None = None,
    size_um: tuple[float, float] | None = None,
    **choices: Any,
) -> UserScan:
    """Read a scan of one's own, from a file or from arrays in memory.

    Parameters
    ----------
    source : path-like, array-like, xarray.DataArray or sidpy.Dataset
        A file as `replicate.data.user_scan.scan_file` describes it; or loops of shape (rows, cols,
        n_steps); or loops whose axes have names and units, of which one is of volts.
    voltages : array-like of shape (n_steps,), or path-like, optional
        The voltage of each step, V, or a `.npy` file of them. It is needed for arrays without
        labelled axes.
    channels : mapping of str to array-like, optional
        Further channels of the same shape as loops in memory, by name.
    size_um : tuple of float, optional
        Height and width of loops in memory, um.
    **choices
        Attributes of `Reading`: ``dataset``, ``field``, ``cycle``, ``repeat``, ``voltage_unit`` and
        ``blank_outliers``.

    Returns
    -------
    UserScan
        What ``python -m replicate run --scan`` reads: spectra in z-scores, voltages, grid and mask.

    Raises
    ------
    ReplicationError
        If the scan cannot be used; the message names the array, the place and the remedy.
    """
    if isinstance(source, (str, Path)):
        if channels or size_um is not None:
            raise ReplicationError(
                f"{source}: channels and size_um are of loops in memory. Put them into the file."
            )
        return read_scan(source, _reading(voltages, choices))
    reading = _reading(None, choices)
    arrays = _arrays(source, channels or {})
    if voltages is not None:
        arrays["voltages"] = _loaded(voltages) * VOLTAGE_UNITS[reading.voltage_unit or "V"]
    if "voltages" not in arrays:
        raise ReplicationError(
            "voltages: none given, and the loops have no axis in volts. "
            "Give the voltage of each step: replicate.read(loops, voltages)."
        )
    if size_um is not None:
        arrays["size_um"] = np.asarray(size_um, dtype=np.float64)
    sha256 = _hash(arrays)
    provenance = f"{OWN_SCAN} {reading.digits(sha256)}"
    return assemble(arrays, provenance=provenance, hashes={"scan": sha256}, reading=reading)


def _reading(voltages, choices):
    """Return the choices of a user, with voltages from memory or from a file."""
    try:
        if voltages is None:
            return Reading(**choices)
        return Reading(voltages=tuple(_loaded(voltages).tolist()), **choices)
    except TypeError as error:
        raise ReplicationError(f"read: {error}. See help(replicate.read).") from error


def _loaded(voltages):
    """Return voltages as an array of floating-point numbers."""
    if isinstance(voltages, (str, Path)):
        voltages = np.load(voltages, allow_pickle=False)
    return np.asarray(voltages, dtype=np.float64)


def _arrays(source, channels):
    """Return loops and further channels by name, with voltages if the axes say them."""
    axes = _axes(source)
    if axes is not None and len(axes) == 3 and is_with_voltage(axes):
        arrays = arranged(np.asarray(source), axes)
    else:
        arrays = {PIEZORESPONSE: np.asarray(source)}
    return arrays | {name: np.asarray(values) for name, values in channels.items()}


def _axes(source):
    """Return the axes of an array that has them, as xarray or sidpy does; None of another."""
    if hasattr(source, "dims") and hasattr(source, "coords"):
        return [_xarray_axis(source, name) for name in source.dims]
    if hasattr(source, "_axes") and hasattr(source, "data_type"):
        return [
            Axis(str(axis.name), str(axis.units), np.asarray(axis.values))
            for _, axis in sorted(source._axes.items())
        ]
    return None


def _xarray_axis(source, name):
    """Return the axis of a dimension of an xarray.DataArray."""
    if name not in source.coords:
        return Axis(str(name), "", np.array([]))
    coordinate = source.coords[name]
    return Axis(str(name), str(coordinate.attrs.get("units", "")), np.asarray(coordinate))


def _hash(arrays):
    """Return the SHA-256 of arrays, by name."""
    digest = hashlib.sha256()
    for name, values in sorted(arrays.items()):
        digest.update(f"{name} {values.dtype.str} {values.shape}".encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
