"""The falling and the rising branch of a loop, and what is read off curves over a voltage."""

from __future__ import annotations

import numpy as np
from scipy.signal import savgol_filter
from scipy.special import logit

from replicate.errors import ReplicationError

#: Length of the Savitzky-Golay filter of the branches, in voltage steps. It is narrower than the
#: filter of the authors' cleaning, because a dip of the resonance is only four steps wide.
WINDOW = 5

#: Degree of the polynomials of the Savitzky-Golay filter of the branches.
ORDER = 2


def branches(voltage: np.ndarray, loops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split loops into two branches at the extremes of the voltage.

    Parameters
    ----------
    voltage : ndarray, shape (n_steps,)
        One cycle, V.
    loops : ndarray, shape (n, n_steps)
        One value a voltage step, any unit.

    Returns
    -------
    voltage : ndarray, shape (n_levels,)
        Even levels from the lowest to the highest voltage, V. Loops with uneven voltage steps are
        interpolated to them.
    branches : ndarray, shape (n, 2, n_levels)
        The falling and the rising branch, both in the order of rising voltage.

    Raises
    ------
    ReplicationError
        If the voltage is not one closed cycle between a negative and a positive extreme.
    """
    voltage = np.asarray(voltage, dtype=np.float64)
    falling, rising = _steps_of_branches(voltage)
    if not _is_one_cycle(voltage, falling, rising):
        raise ReplicationError(
            "voltage: not one cycle between a negative and a positive extreme, falling once and "
            "rising once without repetition or gap, "
            f"in at least {2 * WINDOW} steps each way."
        )
    even = np.linspace(voltage.min(), voltage.max(), max(len(falling), len(rising)))
    both = [interpolate(voltage[steps], loops[:, steps], even) for steps in (falling, rising)]
    return even, np.stack(both, axis=1)


def _steps_of_branches(voltage):
    """Return the steps of the falling and of the rising branch, both by rising voltage."""
    start = int(np.argmax(voltage))
    # The last step leads to the first: both extremes belong to both branches.
    order = (start + np.arange(len(voltage) + 1)) % len(voltage)
    turn = int(np.argmin(voltage[order]))
    return order[turn::-1], order[turn:]


def _is_one_cycle(voltage, falling, rising):
    """Return whether the voltage falls once and rises once, across 0 V, and then closes."""
    for steps in (falling, rising):
        long_enough = len(steps) > 2 * WINDOW
        if not (long_enough and (np.diff(voltage[steps]) > 0).all()):
            return False
    whole_cycle = np.concatenate([falling[::-1], rising[1:]])
    is_closed = np.abs(np.diff(voltage[whole_cycle])).max() < np.ptp(voltage) / 4
    return is_closed and voltage.min() < 0 < voltage.max()


def check_loops(name: str, loops: np.ndarray, n_steps: int) -> np.ndarray:
    """Return loops in double precision after checking them.

    Parameters
    ----------
    name : str
        What an error calls the loops.
    loops : ndarray, shape (n, n_steps)
    n_steps : int
        Number of voltage steps that the loops must have.

    Returns
    -------
    ndarray of float64, shape (n, n_steps)

    Raises
    ------
    ReplicationError
        If the loops have another shape, or a value is not finite.
    """
    loops = np.asarray(loops, dtype=np.float64)
    if loops.ndim != 2 or loops.shape[1] != n_steps:
        raise ReplicationError(
            f"{name}: shape {loops.shape}, expected (n, {n_steps}): one value a voltage step."
        )
    n_bad = np.count_nonzero(~np.isfinite(loops))
    if n_bad:
        raise ReplicationError(
            f"{name}: {n_bad} values are NaN or infinite; clean the loops first."
        )
    return loops


def smooth(branch: np.ndarray) -> np.ndarray:
    """Filter branches with the Savitzky-Golay filter.

    Parameters
    ----------
    branch : ndarray, shape (..., n_points)

    Returns
    -------
    ndarray, shape (..., n_points)
    """
    return savgol_filter(branch, WINDOW, ORDER, axis=-1)


def slope(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Fit a straight line to each curve by least squares and return the slopes.

    Parameters
    ----------
    x : ndarray, shape (n_points,)
    y : ndarray, shape (n, n_points)

    Returns
    -------
    ndarray, shape (n,)
        In units of `y` per unit of `x`.
    """
    centred = x - x.mean()
    return y @ centred / (centred @ centred)


def interpolate(x: np.ndarray, y: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Interpolate curves linearly.

    Parameters
    ----------
    x : ndarray, shape (n_points,)
        Rising values at which the curves are given.
    y : ndarray, shape (n, n_points)
    at : ndarray, shape (n_at,)
        Values of `x` at which the curves are wanted.

    Returns
    -------
    ndarray, shape (n, n_at)
    """
    right = np.clip(np.searchsorted(x, at), 1, len(x) - 1)
    share = (at - x[right - 1]) / (x[right] - x[right - 1])
    return y[:, right - 1] * (1 - share) + y[:, right] * share


def crossings(x: np.ndarray, curves: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return where monotone curves first reach each level.

    The logit of the curves is interpolated, not the curves themselves. A logistic step is a
    straight line in the logit, so its crossings do not depend on where the points lie.

    Parameters
    ----------
    x : ndarray, shape (n_points,)
    curves : ndarray, shape (n, 2, n_points)
        Both branches of each loop, between 0 and 1.
    levels : ndarray, shape (n_levels,)
        Between 0 and 1.

    Returns
    -------
    ndarray, shape (n, 2, n_levels)
        In the unit of `x`.
    """
    curves = logit(np.clip(curves, 1e-3, 1 - 1e-3))
    levels = logit(np.clip(levels, 1e-3, 1 - 1e-3))
    places = np.empty(curves.shape[:2] + (len(levels),))
    for column, level in enumerate(levels):
        right = np.maximum((curves >= level).argmax(axis=2), 1)[:, :, None]
        before = np.take_along_axis(curves, right - 1, axis=2)
        after = np.take_along_axis(curves, right, axis=2)
        share = np.divide(
            level - before, after - before, out=np.zeros_like(before), where=after > before
        )
        places[:, :, column] = (x[right - 1] + share * (x[right] - x[right - 1]))[:, :, 0]
    return places
