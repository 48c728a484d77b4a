"""Read arrays whose axes are labelled, in HDF5: NSID (sidpy) and hyperspy.

Their axes say which are of space and which one is the voltage, so that they may be in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from replicate.data.user_scan.contents import text, values_of, walk
from replicate.data.user_scan.usid import volts
from replicate.errors import ReplicationError

#: The size in um of each unit of length.
MICROMETRES = {"m": 1e6, "mm": 1e3, "um": 1.0, "µm": 1.0, "μm": 1.0, "nm": 1e-3}


class Axis(NamedTuple):
    """An axis of an array: its name, its unit and its values."""

    name: str
    unit: str
    values: np.ndarray


def read_nsid(file: Any, dataset: str | None) -> dict[str, np.ndarray] | None:
    """Return the arrays of an NSID file by name, as `scan_file` describes them.

    Parameters
    ----------
    file : h5py.File
    dataset : str or None
        The path of the dataset that is meant, or of its group.

    Returns
    -------
    dict of str to ndarray or None
        None where no dataset has axes with values.
    """
    labelled = {
        name: item
        for name, item in walk(file)
        if hasattr(item, "dims") and item.ndim == 3 and "DIMENSION_LIST" in item.attrs
    }
    return _read_one(labelled, dataset, _nsid_axes)


def _nsid_axes(item):
    axes = []
    for dimension in item.dims:
        if len(dimension) == 0:
            axes.append(Axis("", "", np.array([])))
            continue
        scale = dimension[0]
        name = text(scale.attrs.get("name", scale.name.rpartition("/")[2]))
        axes.append(Axis(name, text(scale.attrs.get("units", "")), values_of(scale)))
    return axes


def read_hyperspy(file: Any, dataset: str | None) -> dict[str, np.ndarray] | None:
    """Return the arrays of a hyperspy file by name, as `scan_file` describes them.

    Parameters and result are those of `read_nsid`.
    """
    labelled = {
        name: item
        for name, item in walk(file)
        if name.startswith("Experiments/")
        and name.endswith("/data")
        and item.ndim == 3
        and all(_is_inside(item.parent, f"axis-{i}") for i in range(3))
    }
    return _read_one(labelled, dataset, _hyperspy_axes)


def _hyperspy_axes(item):
    axes = []
    for i, size in enumerate(item.shape):
        stored = item.parent[f"axis-{i}"]
        if _is_inside(stored, "axis"):
            values = values_of(stored["axis"])
        else:
            scale, offset = (float(stored.attrs.get(key, value)) for key, value in _UNIFORM)
            values = offset + scale * np.arange(size)
        axes.append(Axis(text(stored.attrs.get("name", "")), _hyperspy_unit(stored), values))
    return axes


def _is_inside(group, name):
    """Return whether a group has a member of a name, which is not a link to another place."""
    import h5py

    return name in group and isinstance(group.get(name, getlink=True), h5py.HardLink)


#: Attributes of a uniform axis of hyperspy, and what they are if they are not there.
_UNIFORM = (("scale", 1.0), ("offset", 0.0))


def _hyperspy_unit(stored):
    unit = text(stored.attrs.get("units", ""))
    return "" if unit in ("_None_", "<undefined>") else unit


def _read_one(labelled, dataset, axes_of):
    """Return the arrays of the one dataset that is meant; None where there is none."""
    if dataset is not None:
        wanted = dataset.strip("/")
        labelled = {
            name: item
            for name, item in labelled.items()
            if name == wanted or name.startswith(f"{wanted}/")
        }
    labelled = {name: item for name, item in labelled.items() if is_with_voltage(axes_of(item))}
    if not labelled:
        return None
    if len(labelled) > 1:
        listed = " or ".join(f"--dataset {name}" for name in labelled)
        raise ReplicationError(f"{len(labelled)} datasets are loops. Choose one: {listed}.")
    item = next(iter(labelled.values()))
    unit = np.array([text(item.attrs.get("units", ""))])
    return arranged(np.asarray(values_of(item)), axes_of(item)) | {"units": unit}


def is_with_voltage(axes: Sequence[Axis]) -> bool:
    """Return whether just one axis is of volts."""
    return sum(volts(axis.unit) is not None for axis in axes) == 1


def arranged(values: np.ndarray, axes: Sequence[Axis]) -> dict[str, np.ndarray]:
    """Return the arrays of loops with labelled axes, with rows along Y, or else along the first.

    Parameters
    ----------
    values : ndarray with three axes
    axes : sequence of Axis
        One of them is of volts.

    Returns
    -------
    dict of str to ndarray
        ``piezoresponse``, ``voltages`` and, where both other axes have a unit of length,
        ``size_um``.
    """
    step = next(i for i, axis in enumerate(axes) if volts(axis.unit) is not None)
    space = [i for i in range(3) if i != step]
    if axes[space[1]].name.lower().startswith("y"):
        space.reverse()
    arrays = {
        "piezoresponse": values.transpose(*space, step),
        "voltages": axes[step].values.astype(np.float64) * volts(axes[step].unit),
    }
    size = [_size_um(axes[i]) for i in space]
    if all(size):
        arrays["size_um"] = np.array(size)
    return arrays


def _size_um(axis):
    """Return the length of an axis of space in um; None where its unit is not one of length."""
    factor = MICROMETRES.get(axis.unit)
    if factor is None or len(axis.values) < 2:
        return None
    spacing = np.ptp(axis.values) / (len(axis.values) - 1)
    return float(spacing * len(axis.values) * factor)
