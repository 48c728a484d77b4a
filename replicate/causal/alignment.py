"""The lag between two channels of a switching cycle, found from the data alone: resonance softens while piezoresponse switches."""

from __future__ import annotations

import numpy as np

from replicate.errors import ReplicationError

SHARE = 0.4
"""Of the pixels, those with the largest loops are averaged: the others hardly switch."""


def partial_correlation(x, y, given):
    """Correlate `x` with `y`, each of shape (n,), when what is linear in `given`, shape (n, ...), is taken out of both."""
    design = np.column_stack([np.ones(len(given)), given])
    left = [values - design @ np.linalg.lstsq(design, values, rcond=None)[0] for values in (x, y)]
    return float(np.corrcoef(*left)[0, 1])


def lag_profile(voltage, piezoresponse, resonance):
    """Correlate the resonance with the rate of switching at every lag, the size of the voltage held.

    Parameters
    ----------
    voltage : ndarray, shape (n_steps,)
        One closed cycle, V, in the order of the piezoresponse.
    piezoresponse, resonance : ndarray, shape (n_pixels, n_steps)
        As stored, each in an order of its own round the same cycle.

    Returns
    -------
    ndarray, shape (n_steps,)
        Partial correlation of the mean resonance, moved back by 0, 1, ... steps, with the size of the mean piezoresponse's rate.

    Raises
    ------
    ReplicationError
        If the shapes differ or a value is not finite.
    """
    channels = [np.asarray(values, dtype=np.float64) for values in (piezoresponse, resonance)]
    if any(
        values.ndim != 2 or values.shape != (len(channels[0]), len(voltage)) for values in channels
    ):
        raise ReplicationError(
            f"channels: shapes {channels[0].shape} and {channels[1].shape}, expected two of (n_pixels, {len(voltage)})."
        )
    if not np.isfinite(channels).all():
        raise ReplicationError("channels: some values are NaN or infinite; clean the loops first.")
    large = np.argsort(channels[0].std(axis=1))[-max(1, int(SHARE * len(channels[0]))) :]
    loop, dips = (values[large].mean(axis=0) for values in channels)
    rate = np.abs(np.roll(loop, -1) - np.roll(loop, 1))
    return np.array(
        [
            partial_correlation(np.roll(dips, -lag), rate, np.abs(voltage))
            for lag in range(len(voltage))
        ]
    )


def find_lag(voltage, piezoresponse, resonance):
    """Return by how many steps the resonance is stored behind the piezoresponse: where it softens most as the loop switches.

    Parameters and errors are those of `lag_profile`.
    """
    return int(np.argmin(lag_profile(voltage, piezoresponse, resonance)))
