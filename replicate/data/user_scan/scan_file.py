"""Read a scan of the user's own from a NumPy, HDF5 or MATLAB file.

Such a file (.npz, .h5, .hdf5 or .mat) has these arrays, by name:

- ``piezoresponse`` and, of the same shape, any other channels: real numbers in any unit, of shape
  (rows, cols, n_steps). The shape may also be (n_pixels, n_steps), with pixels in C order, beside
  an array ``shape`` of rows and columns. A pixel without a measurement is NaN at all steps.
- ``voltages``: one cycle in the order of acquisition, V, of shape (n_steps,) for all channels. It
  may start anywhere. The shape may also be (n_channels, n_steps), in the order of an array
  ``channels`` of their names.
- optionally ``size_um``: height and width of the scan, um.

An HDF5 file may have main datasets of the USID model instead; see
`replicate.data.user_scan.usid`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from replicate.data.scan import Scan
from replicate.data.user_scan import usid
from replicate.data.user_scan.scan_arrays import PIEZORESPONSE, assemble
from replicate.errors import ReplicationError
from replicate.files import file_hash
from replicate.provenance import OWN_SCAN


def read_scan(path: str | Path) -> Scan:
    """Read a scan of the user's own.

    Parameters
    ----------
    path : path-like
        A file as this module describes it.

    Returns
    -------
    Scan
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
    path = Path(path)
    if not path.is_file():
        raise ReplicationError(f"{path}: no such file.")
    if path.suffix.lower() not in READERS:
        raise ReplicationError(
            f"{path}: a scan is read from {', '.join(READERS)}. Save it as one of these."
        )
    try:
        arrays = READERS[path.suffix.lower()](path)
    except ReplicationError:
        raise
    except Exception as error:  # a damaged file makes zlib, SciPy and HDF5 raise almost anything
        raise ReplicationError(
            f"{path}: cannot be read ({error}). Copy or export the file again."
        ) from error
    sha256 = file_hash(path)
    try:
        return assemble(arrays, provenance=f"{OWN_SCAN} {sha256[:12]}", hashes={"scan": sha256})
    except ReplicationError as error:
        raise ReplicationError(f"{path}: {error}") from error


def summary(scan: Scan) -> str:
    """Return one line on a scan: its channels, its grid, and its voltage cycle."""
    rows, columns = scan.shape
    pixels = f"{rows} x {columns} pixels"
    n_blank = rows * columns - len(scan.spectra)
    if n_blank:
        pixels += f", {n_blank} of them blank"
    low, high = scan.voltages.min(), scan.voltages.max()
    steps = f"{scan.n_steps} steps from {low:g} to {high:g} V"
    return f"{', '.join(scan.channels)}; {pixels}; {steps}"


def _read_npz(path):
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def _read_hdf5(path):
    import h5py

    with h5py.File(path, "r") as file:
        if PIEZORESPONSE not in file and usid.is_usid(file):
            return usid.read_arrays(path)
        return {name: item[()] for name, item in file.items() if isinstance(item, h5py.Dataset)}


def _read_matlab(path):
    import h5py
    from scipy.io import loadmat

    if not h5py.is_hdf5(path):
        return {name: values for name, values in loadmat(path).items() if not name.startswith("__")}
    # Version 7.3. MATLAB stores the first index fastest.
    return {
        name: np.transpose(values)
        for name, values in _read_hdf5(path).items()
        if np.asarray(values).dtype.kind in "fiu"
    }


#: The function that reads the arrays of a file by name, for each kind of file.
READERS = {
    ".npz": _read_npz,
    ".h5": _read_hdf5,
    ".hdf5": _read_hdf5,
    ".mat": _read_matlab,
}
