"""Main datasets of the Universal Spectroscopy and Imaging Data model (USID, of pycroscopy) in HDF5, read through pyUSID."""

from __future__ import annotations

import importlib.util

import numpy as np

from replicate.errors import ReplicationError

ANCILLARY = ("Position_Indices", "Position_Values", "Spectroscopic_Indices", "Spectroscopic_Values")
"""Attributes that make a dataset a main dataset."""

EXPORT = (
    "Export the loops instead, in Python: np.savez('MY.npz', piezoresponse=loops, voltages=volts), with loops of shape (rows, cols, steps) "
    "and volts of shape (steps,); where there is an oscillator fit, loops are A cos(phi + theta)."
)


def is_usid(file):
    """Tell whether an open HDF5 file has a main dataset."""
    found = []
    file.visititems(
        lambda name, item: (
            found.append(name) if all(key in item.attrs for key in ANCILLARY) else None
        )
    )
    return bool(found)


def read_arrays(path):
    """Return the loops of a file as arrays by name, as `scan_file` takes them.

    Taken are main datasets of real numbers over a grid of two position dimensions and one spectroscopic dimension, in V. One alone is the
    piezoresponse; of more, each is called by its quantity.

    Raises
    ------
    ReplicationError
        If pyUSID is not installed, or no main dataset, or more than one of a quantity, has that form.
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
        names = (
            [dataset.attrs["quantity"].lower() for dataset in loops]
            if len(loops) > 1
            else ["piezoresponse"] * len(loops)
        )
        if not loops or len(set(names)) < len(names):
            there = ", ".join(
                f"{dataset.name} ({dataset.data_descriptor}, {dataset.dtype}, {_sizes(dataset)})"
                for dataset in datasets
            )
            found = f"{len(loops)} of its main datasets are loops (real numbers, two position dimensions, one voltage)"
            raise ReplicationError(f"{path}: {found}; it has {there}. {EXPORT}")
        grids, voltages = zip(*map(_read, loops))
        return dict(zip(names, grids)) | {
            "voltages": np.stack(voltages),
            "channels": np.array(names),
        }


def _sizes(dataset):
    labels, sizes = dataset.n_dim_labels, dataset.n_dim_sizes
    return " x ".join(f"{label} {size}" for label, size in zip(labels, sizes))


def _varied(labels, sizes):
    """Return the dimensions of more than one value."""
    return [label for label, size in zip(labels, sizes) if size > 1]


def _is_loops(dataset):
    position = _varied(dataset.pos_dim_labels, dataset.pos_dim_sizes)
    spectroscopic = _varied(dataset.spec_dim_labels, dataset.spec_dim_sizes)
    return (
        dataset.dtype.kind == "f"
        and len(position) == 2
        and len(spectroscopic) == 1
        and "(V)" in _descriptor(dataset, spectroscopic[0])
    )


def _descriptor(dataset, label):
    """Return name and unit of a spectroscopic dimension, as ``DC Offset (V)``."""
    return next(text for text in dataset.spec_dim_descriptors if text.startswith(label))


def _read(dataset):
    """Return loops, (rows, cols, n_steps), and their voltages, (n_steps,); rows are the position dimension called Y, or the slower one."""
    position = _varied(dataset.pos_dim_labels, dataset.pos_dim_sizes)
    voltage = _varied(dataset.spec_dim_labels, dataset.spec_dim_sizes)[0]
    rows = next((label for label in position if label.lower().startswith("y")), position[-1])
    cols = next(label for label in position if label != rows)
    labels = list(dataset.n_dim_labels)
    values = np.asarray(dataset.get_n_dim_form())
    kept = [labels.index(label) for label in (rows, cols, voltage)]
    dropped = [axis for axis in range(values.ndim) if axis not in kept]
    values = values.transpose(*kept, *dropped).reshape([values.shape[axis] for axis in kept])
    return values.astype(np.float64), np.asarray(dataset.get_spec_values(voltage), dtype=np.float64)
