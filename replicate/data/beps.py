"""The band-excitation scan of Section 2: reading and aligning it.

In the prepared arrays the two channels are a quarter cycle apart: the piezoresponse follows the voltage file, the resonance is in
acquisition order. They stay as stored, because the paper's models were trained on them so; each channel carries its own voltage axis,
and `Scan.align` is the one place that brings them together.
"""

from __future__ import annotations

import numpy as np

from replicate.data.scan import SHAPE, Scan, check_cycle
from replicate.errors import ReplicationError
from replicate.files import file_hash, read_npy


def stored_voltages(voltage):
    """Return the voltage axes of the prepared channels, (2, n_steps) in V, from the piezoresponse's, (n_steps,).

    The resonance runs 0 -> max -> 0 -> min -> 0 where the voltage file runs max -> min -> max: a quarter cycle on.
    """
    return np.stack([voltage, np.roll(voltage, len(voltage) // 4)])


def read_prepared(piezoresponse, resonance, voltage, shape=SHAPE):
    """Read the prepared arrays of the paper, as stored.

    Parameters
    ----------
    piezoresponse, resonance, voltage : path-like
        `.npy` files of shape (n_pixels, n_steps), (n_pixels, n_steps) and (n_steps,); a trailing axis of length one is dropped.
    shape : tuple of int
        Rows and columns of the grid.

    Returns
    -------
    Scan

    Raises
    ------
    ReplicationError
        If a file cannot be read, a shape is wrong, a value is not finite, or the voltage is not one bipolar cycle.
    """
    n_pixels = int(np.prod(shape))
    steps = _read(voltage, ndim=1)
    check_cycle(voltage, steps)
    channels = [_read(path, ndim=2) for path in (piezoresponse, resonance)]
    for path, values in zip((piezoresponse, resonance), channels):
        if values.shape != (n_pixels, len(steps)):
            raise ReplicationError(
                f"{path}: shape {values.shape}, expected {(n_pixels, len(steps))}: pixels by steps of {voltage}."
            )
    files = {"piezoresponse": piezoresponse, "resonance": resonance, "voltage": voltage}
    return Scan(
        spectra=np.concatenate(channels, axis=1).astype(np.float32),
        shape=tuple(shape),
        voltages=stored_voltages(steps),
        provenance="measured",
        hashes={name: file_hash(path) for name, path in files.items()},
    )


def _read(path, ndim):
    values = read_npy(path)
    if values.ndim == ndim + 1 and values.shape[-1] == 1:
        values = values[..., 0]
    if values.ndim != ndim or values.dtype.kind != "f":
        raise ReplicationError(
            f"{path}: shape {values.shape} of {values.dtype}, expected {ndim} dimensions of floating-point numbers."
        )
    return values
