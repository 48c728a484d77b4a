"""The falling and the rising branch of a loop, and what is read off curves over a voltage."""

from __future__ import annotations

import numpy as np
from scipy.signal import savgol_filter
from scipy.special import logit

from replicate.errors import ReplicationError

WINDOW, ORDER = 5, 2
"""Of the Savitzky-Golay filter, steps and degree: narrower than the authors' cleaning, for a dip of the resonance is four steps wide."""


def branches(voltage, loops):
    """Take loops apart at the extremes of the voltage.

    Parameters
    ----------
    voltage : ndarray, shape (n_steps,)
    loops : ndarray, shape (n, n_steps)

    Returns
    -------
    voltage : ndarray, shape (n_levels,)
        Even and rising from one extreme to the other, V; loops in uneven steps are interpolated.
    branches : ndarray, shape (n, 2, n_levels)
        The falling and the rising branch, both in the order of rising voltage.
    """
    voltage = np.asarray(voltage, dtype=np.float64)
    start = int(np.argmax(voltage))
    # The last step leads to the first: both extremes belong to both branches.
    order = (start + np.arange(len(voltage) + 1)) % len(voltage)
    turn = int(np.argmin(voltage[order]))
    falling, rising = order[turn::-1], order[turn:]
    one_cycle = all(
        (np.diff(voltage[part]) > 0).all() and len(part) > 2 * WINDOW for part in (falling, rising)
    )
    closed = np.abs(np.diff(voltage[order])).max() < np.ptp(voltage) / 4
    if not (one_cycle and closed and voltage.min() < 0 < voltage.max()):
        raise ReplicationError(
            "voltage: not one cycle between a negative and a positive extreme, falling once and rising once without repetition or gap, "
            f"in at least {2 * WINDOW} steps each way."
        )
    even = np.linspace(voltage.min(), voltage.max(), max(len(falling), len(rising)))
    return even, np.stack(
        [interpolate(voltage[part], loops[:, part], even) for part in (falling, rising)], axis=1
    )


def checked(name, loops, n_steps):
    """Return loops as an array of float, (n, n_steps).

    Raises
    ------
    ReplicationError
        If they have another shape, or a value is not finite; the error says `name`.
    """
    loops = np.asarray(loops, dtype=np.float64)
    if loops.ndim != 2 or loops.shape[1] != n_steps:
        raise ReplicationError(
            f"{name}: shape {loops.shape}, expected (n, {n_steps}): one value a voltage step."
        )
    if not np.isfinite(loops).all():
        raise ReplicationError(
            f"{name}: {np.count_nonzero(~np.isfinite(loops))} values are NaN or infinite; clean the loops first."
        )
    return loops


def smooth(branch):
    """Return branches, shape (..., n_points), through the Savitzky-Golay filter."""
    return savgol_filter(branch, WINDOW, ORDER, axis=-1)


def slope(x, y):
    """Return the least-squares slopes of `y`, shape (n, n_points), over `x`."""
    centred = x - x.mean()
    return y @ centred / (centred @ centred)


def interpolate(x, y, at):
    """Interpolate `y`, shape (n, n_points), given over rising `x`, linearly."""
    right = np.clip(np.searchsorted(x, at), 1, len(x) - 1)
    share = (at - x[right - 1]) / (x[right] - x[right - 1])
    return y[:, right - 1] * (1 - share) + y[:, right] * share


def crossings(x, curves, levels):
    """Return where monotone `curves`, shape (n, 2, n_points), first reach each level, shape (n, 2, n_levels); all between 0 and 1.

    The logit is interpolated, so that it makes no difference to a logistic step between which points of it a level is.
    """
    curves, levels = (logit(np.clip(fractions, 1e-3, 1 - 1e-3)) for fractions in (curves, levels))
    found = np.empty(curves.shape[:2] + (len(levels),))
    for column, level in enumerate(levels):
        right = np.maximum((curves >= level).argmax(axis=2), 1)[:, :, None]
        before, after = (np.take_along_axis(curves, index, axis=2) for index in (right - 1, right))
        share = np.divide(
            level - before, after - before, out=np.zeros_like(before), where=after > before
        )
        found[:, :, column] = (x[right - 1] + share * (x[right] - x[right - 1]))[:, :, 0]
    return found
