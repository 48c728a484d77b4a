"""The lag between two channels of a switching cycle, found from the data alone.

The resonance softens while the piezoresponse switches, so at the right lag the resonance is lowest
where the piezoresponse changes fastest.
"""

from __future__ import annotations

import numpy as np

from replicate.causal.regression import partial_correlation
from replicate.errors import ReplicationError

#: Share of the pixels that are averaged: those with the largest loops. The others hardly switch.
SHARE = 0.4


def lag_profile(
    voltage: np.ndarray, piezoresponse: np.ndarray, resonance: np.ndarray
) -> np.ndarray:
    """Correlate the resonance with the rate of switching at every lag.

    The size of the voltage is held.

    Parameters
    ----------
    voltage : ndarray, shape (n_steps,)
        One closed cycle, V, in the order of the piezoresponse.
    piezoresponse, resonance : ndarray, shape (n_pixels, n_steps)
        As stored: each may start at another step of the same cycle.

    Returns
    -------
    ndarray, shape (n_steps,)
        Partial correlation of the mean resonance, moved back by 0, 1, ... steps, with the absolute
        rate of the mean piezoresponse.

    Raises
    ------
    ReplicationError
        If the shapes differ or a value is not finite.
    """
    piezoresponse = np.asarray(piezoresponse, dtype=np.float64)
    resonance = np.asarray(resonance, dtype=np.float64)
    _check(piezoresponse, resonance, len(voltage))
    n_large = max(1, int(SHARE * len(piezoresponse)))
    large = np.argsort(piezoresponse.std(axis=1))[-n_large:]
    mean_loop = piezoresponse[large].mean(axis=0)
    mean_resonance = resonance[large].mean(axis=0)
    rate = np.abs(np.roll(mean_loop, -1) - np.roll(mean_loop, 1))
    size = np.abs(voltage)
    return np.array(
        [
            partial_correlation(np.roll(mean_resonance, -lag), rate, size)
            for lag in range(len(voltage))
        ]
    )


def _check(piezoresponse, resonance, n_steps):
    """Raise an error unless both channels are finite and have the shape (n_pixels, n_steps)."""
    expected = (len(piezoresponse), n_steps)
    if piezoresponse.shape != expected or resonance.shape != expected:
        raise ReplicationError(
            f"channels: shapes {piezoresponse.shape} and {resonance.shape}, "
            f"expected two of (n_pixels, {n_steps})."
        )
    if not (np.isfinite(piezoresponse).all() and np.isfinite(resonance).all()):
        raise ReplicationError("channels: some values are NaN or infinite; clean the loops first.")


def find_lag(voltage: np.ndarray, piezoresponse: np.ndarray, resonance: np.ndarray) -> int:
    """Return by how many steps the resonance is stored behind the piezoresponse.

    Parameters
    ----------
    voltage : ndarray, shape (n_steps,)
        One closed cycle, V, in the order of the piezoresponse.
    piezoresponse, resonance : ndarray, shape (n_pixels, n_steps)
        As stored.

    Returns
    -------
    int
        The lag at which the resonance softens most as the loop switches.

    Raises
    ------
    ReplicationError
        If the shapes differ or a value is not finite.
    """
    return int(np.argmin(lag_profile(voltage, piezoresponse, resonance)))
