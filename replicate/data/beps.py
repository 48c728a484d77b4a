"""Read the scan of Section 2, measured by band-excitation piezoresponse spectroscopy (BEPS).

In the prepared arrays the two channels are a quarter of a cycle apart: the piezoresponse is in the
order of the voltage file, the resonance in the order of acquisition. They stay as they are stored,
because the paper's models were trained on them in that form. Each channel carries a voltage axis
of its own, and `Scan.align` is the one place that brings the channels together.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from replicate.data.scan import SHAPE, Scan, check_cycle
from replicate.errors import ReplicationError
from replicate.files import file_hash, read_npy


def stored_voltages(voltage: np.ndarray) -> np.ndarray:
    """Return the voltage axis of each prepared channel.

    The piezoresponse runs from the highest voltage to the lowest and back, as the voltage file
    does. The resonance is a quarter of a cycle further on: it runs from 0 V to the highest
    voltage, to the lowest, and back to 0 V.

    Parameters
    ----------
    voltage : ndarray of shape (n_steps,)
        The voltage file, V.

    Returns
    -------
    ndarray of shape (2, n_steps)
        The axis of the piezoresponse and that of the resonance, V.
    """
    return np.stack([voltage, np.roll(voltage, len(voltage) // 4)])


def read_prepared(
    piezoresponse: str | Path,
    resonance: str | Path,
    voltage: str | Path,
    shape: tuple[int, int] = SHAPE,
) -> Scan:
    """Read the prepared arrays of the paper, as stored.

    Parameters
    ----------
    piezoresponse, resonance : path-like
        `.npy` files of shape (n_pixels, n_steps), z-scores.
    voltage : path-like
        `.npy` file of shape (n_steps,), V. In all three files a trailing axis of length one is
        dropped.
    shape : tuple of int
        Rows and columns of the grid.

    Returns
    -------
    Scan
        Its provenance is ``"measured"``.

    Raises
    ------
    ReplicationError
        If a file cannot be read, a shape is wrong, a value is not finite, or the voltage is not
        one bipolar cycle.
    """
    n_pixels = int(np.prod(shape))
    steps = _read(voltage, ndim=1)
    check_cycle(voltage, steps)
    channels = [_read(path, ndim=2) for path in (piezoresponse, resonance)]
    for path, values in zip((piezoresponse, resonance), channels):
        if values.shape != (n_pixels, len(steps)):
            raise ReplicationError(
                f"{path}: shape {values.shape}, expected {(n_pixels, len(steps))}: "
                f"pixels by steps of {voltage}."
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
    """Read an array of `ndim` dimensions, without the trailing axis that it may have."""
    values = read_npy(path)
    if values.ndim == ndim + 1 and values.shape[-1] == 1:
        values = values[..., 0]
    if values.ndim != ndim or values.dtype.kind != "f":
        raise ReplicationError(
            f"{path}: shape {values.shape} of {values.dtype}, "
            f"expected {ndim} dimensions of floating-point numbers."
        )
    return values
