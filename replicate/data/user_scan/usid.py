"""Read main datasets of the Universal Spectroscopy and Imaging Data model (USID) in HDF5.

USID is the format of pycroscopy; pyUSID reads it.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from replicate.errors import ReplicationError

#: The attributes that make a dataset a main dataset.
ANCILLARY = ("Position_Indices", "Position_Values", "Spectroscopic_Indices", "Spectroscopic_Values")

#: What to do with a file that cannot be read, for the end of an error message.
EXPORT = (
    "Export the loops instead, in Python: "
    "np.savez('MY.npz', piezoresponse=loops, voltages=volts), with loops of shape "
    "(rows, cols, steps) and volts of shape (steps,); where there is an oscillator fit, "
    "loops are A cos(phi + theta)."
)


def is_usid(file: Any) -> bool:
    """Return whether an open HDF5 file (`h5py.File`) has a main dataset."""
    main_datasets = []

    def collect(name, item):
        if all(key in item.attrs for key in ANCILLARY):
            main_datasets.append(name)

    file.visititems(collect)
    return bool(main_datasets)


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Return the loops of a file as arrays by name, as `scan_file` describes them.

    Main datasets are read that hold real numbers over a grid of two position dimensions and one
    spectroscopic dimension in V. If there is only one, it is the piezoresponse. If there are more,
    each is named by its quantity.

    Raises
    ------
    ReplicationError
        If pyUSID is not installed, if no main dataset has that form, or if more than one of a
        quantity has it.
    """
    if importlib.util.find_spec("pyUSID") is None:
        raise ReplicationError(
            f"{path}: a USID file, which pyUSID reads. Install it (`pip install pyUSID`). {EXPORT}"
        )
    import h5py
    from pyUSID import USIDataset
    from pyUSID.io.hdf_utils import get_all_main

    with h5py.File(path, "r") as file:
        datasets = [USIDataset(dataset) for dataset in get_all_main(file)]
        loops = [dataset for dataset in datasets if _is_loops(dataset)]
        names = _channel_names(loops)
        if not loops or len(set(names)) < len(names):
            raise ReplicationError(
                f"{path}: {len(loops)} of its main datasets are loops "
                "(real numbers, two position dimensions, one voltage); "
                f"it has {', '.join(map(_description, datasets))}. {EXPORT}"
            )
        grids, voltages = zip(*map(_read, loops))
        arrays = dict(zip(names, grids))
        arrays["voltages"] = np.stack(voltages)
        arrays["channels"] = np.array(names)
        return arrays


def _channel_names(loops):
    """Return the name of the channel that each main dataset of loops becomes."""
    if len(loops) > 1:
        return [dataset.attrs["quantity"].lower() for dataset in loops]
    return ["piezoresponse"] * len(loops)


def _description(dataset):
    """Return the name, the quantity, the type and the dimensions of a main dataset."""
    sizes = " x ".join(
        f"{label} {size}" for label, size in zip(dataset.n_dim_labels, dataset.n_dim_sizes)
    )
    return f"{dataset.name} ({dataset.data_descriptor}, {dataset.dtype}, {sizes})"


def _varied(labels, sizes):
    """Return the names of the dimensions that have more than one value."""
    return [label for label, size in zip(labels, sizes) if size > 1]


def _is_loops(dataset):
    """Return whether a main dataset has real loops over a grid and one voltage."""
    position = _varied(dataset.pos_dim_labels, dataset.pos_dim_sizes)
    spectroscopic = _varied(dataset.spec_dim_labels, dataset.spec_dim_sizes)
    return (
        dataset.dtype.kind == "f"
        and len(position) == 2
        and len(spectroscopic) == 1
        and "(V)" in _descriptor(dataset, spectroscopic[0])
    )


def _descriptor(dataset, label):
    """Return name and unit of a spectroscopic dimension, such as ``DC Offset (V)``."""
    return next(text for text in dataset.spec_dim_descriptors if text.startswith(label))


def _read(dataset):
    """Return the loops, (rows, cols, n_steps), of a main dataset, and their voltages, (n_steps,).

    Rows are along the position dimension called Y, or else along the slower one.
    """
    position = _varied(dataset.pos_dim_labels, dataset.pos_dim_sizes)
    voltage = _varied(dataset.spec_dim_labels, dataset.spec_dim_sizes)[0]
    rows = next((label for label in position if label.lower().startswith("y")), position[-1])
    cols = next(label for label in position if label != rows)
    labels = list(dataset.n_dim_labels)
    values = np.asarray(dataset.get_n_dim_form())
    axes = [labels.index(label) for label in (rows, cols, voltage)]
    axes_of_length_one = [axis for axis in range(values.ndim) if axis not in axes]
    shape = [values.shape[axis] for axis in axes]
    loops = values.transpose(*axes, *axes_of_length_one).reshape(shape)
    voltages = dataset.get_spec_values(voltage)
    return loops.astype(np.float64), np.asarray(voltages, dtype=np.float64)
