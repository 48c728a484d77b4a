"""From raw loops to prepared arrays: the cleaning recipe of the paper's data.

For each loop, points that are not finite, or outside given limits, are interpolated; a
Savitzky-Golay curve is fitted; the three points farthest from it are removed and interpolated. The
curve only chooses the points; it replaces none. Then the channel is standardised as a whole.

Where the recipe leaves room, these readings are taken. Those marked (data) can be checked on the
authors' prepared arrays, whose last bits keep a trace of how they were made; the tests do so.

- Arithmetic is float64 throughout, whatever the file holds; nothing is rounded to float32 (data).
- The axis of the interpolation is ``linspace(0, 1, n_steps)``, neither the step number nor the
  voltage: the last bits differ. A point is ``slope * (x - x_left) + y_left`` between its nearest
  neighbours that are not missing, as `numpy.interp` has it (data).
- A missing first point takes the second point's value; where that is missing too, the first value
  that is there (data: one loop). The same holds mirrored at the end of a loop. The order is: fill,
  fit, choose three, remove all three at once, fill. A removed point is never an end of an
  interpolation.
- Distance is the absolute difference to the fit; where distances tie, the later step is removed.
- Exactly three points are removed, also from a loop without outliers, and an interpolated point may
  be chosen.
- Limits are inclusive: a value that equals one is left as it is.
- Standardisation is ``c = x - mean(x)``, then ``c / std(c)``: the population standard deviation
  (ddof 0) of the centred values, summed as NumPy 1 does over pixels and steps in C order (data).
  Later NumPy sums in another order, so the sums are written out here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike
from scipy.signal import savgol_filter

from replicate.errors import ReplicationError

#: Number of steps in the window of the Savitzky-Golay fit.
WINDOW = 7

#: Degree of the polynomial of the Savitzky-Golay fit.
ORDER = 3

#: Number of points that are removed from each loop.
OUTLIERS = 3

#: Lowest and highest resonance that the authors accept, kHz.
RESONANCE_LIMITS_KHZ = (1300.0, 1340.0)

#: Why a point was replaced, in words; the constants below are the indices.
REASONS = ("kept", "not finite", "out of limits", "far from the fit")
KEPT, NOT_FINITE, OUT_OF_LIMITS, FAR = range(4)

#: NumPy 1 sums as many values at once, the size of its buffer. The last bits of mean and standard
#: deviation depend on it.
BLOCK = 8192


def clean(
    loops: ArrayLike,
    limits: tuple[float, float] | None = None,
    name_loop: Callable[[int], str] = "loop {}".format,
) -> tuple[np.ndarray, np.ndarray]:
    """Clean loops by the recipe of the paper's data.

    Parameters
    ----------
    loops : array-like of shape (n_loops, n_steps)
        Real numbers in any unit.
    limits : tuple of float, optional
        Lowest and highest credible value, in the unit of the loops. Values outside are missing.
    name_loop : callable
        Gives the name of a loop in an error, from its index.

    Returns
    -------
    cleaned : ndarray of shape (n_loops, n_steps), float64
    reasons : ndarray of shape (n_loops, n_steps), uint8
        Why each point was replaced, an index into `REASONS`. A point that was missing at first and
        chosen again later has the first reason.

    Raises
    ------
    ReplicationError
        If the loops are shorter than the window of the fit, or if all points of a loop are missing.
    """
    loops = np.array(loops, dtype=np.float64)
    if loops.ndim != 2 or loops.shape[1] < WINDOW:
        raise ReplicationError(
            f"loops: shape {loops.shape}, expected (n_loops, n_steps) with at least {WINDOW} steps."
        )
    reasons = np.zeros(loops.shape, dtype=np.uint8)
    if limits is not None:
        reasons[(loops < limits[0]) | (loops > limits[1])] = OUT_OF_LIMITS
    reasons[~np.isfinite(loops)] = NOT_FINITE
    _refuse_empty(reasons, limits, name_loop)
    filled = interpolate(loops, reasons != KEPT)
    far = farthest(filled)
    reasons[far & (reasons == KEPT)] = FAR
    return interpolate(filled, far), reasons


def _refuse_empty(reasons, limits, name_loop):
    """Refuse loops all of whose points are missing."""
    empty = np.flatnonzero((reasons != KEPT).all(axis=1))
    if not empty.size:
        return
    names = ", ".join(name_loop(loop) for loop in empty[:5])
    if empty.size > 5:
        names += ", ..."
    wanted = "finite value" if limits is None else f"value from {limits[0]:g} to {limits[1]:g}"
    raise ReplicationError(
        f"{empty.size} loops have no {wanted}: {names}. "
        "Crop the scan, or repair these pixels first."
    )


def interpolate(loops: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Fill missing points on the straight line between their nearest neighbours.

    A point before the first neighbour, or after the last one, takes its value.

    Parameters
    ----------
    loops : ndarray of shape (n_loops, n_steps), float64
    missing : ndarray of shape (n_loops, n_steps), bool
        Points to fill. At least one point of each loop must not be missing.

    Returns
    -------
    ndarray of shape (n_loops, n_steps)
        A new array; bit for bit what `numpy.interp` gives loop by loop over
        ``linspace(0, 1, n_steps)``.
    """
    n_steps = loops.shape[1]
    steps = np.arange(n_steps)
    loop, step = np.nonzero(missing)
    last_present = np.maximum.accumulate(np.where(missing, -1, steps), axis=1)
    backwards = np.where(missing, n_steps, steps)[:, ::-1]
    next_present = np.minimum.accumulate(backwards, axis=1)[:, ::-1]
    left = last_present[loop, step]
    right = next_present[loop, step]
    left = np.where(left < 0, right, left)
    right = np.where(right == n_steps, left, right)
    axis = np.linspace(0, 1, n_steps)
    start = loops[loop, left]
    width = axis[right] - axis[left]
    slope = np.divide(loops[loop, right] - start, width, out=np.zeros_like(start), where=width > 0)
    filled = loops.copy()
    filled[loop, step] = slope * (axis[step] - axis[left]) + start
    return filled


def farthest(loops: np.ndarray) -> np.ndarray:
    """Mark the three points of each loop that lie farthest from its Savitzky-Golay fit.

    Parameters
    ----------
    loops : ndarray of shape (n_loops, n_steps)

    Returns
    -------
    ndarray of shape (n_loops, n_steps), bool
    """
    distance = np.abs(savgol_filter(loops, WINDOW, ORDER, axis=1) - loops)
    steps = np.argsort(distance, axis=1, kind="stable")[:, -OUTLIERS:]
    chosen = np.zeros(loops.shape, dtype=bool)
    np.put_along_axis(chosen, steps, True, axis=1)
    return chosen


def standardise(values: np.ndarray) -> tuple[float, float]:
    """Bring a channel to mean 0 and standard deviation 1 over all pixels and steps, in place.

    Parameters
    ----------
    values : ndarray of shape (n_loops, n_steps), float64, C order
        The channel, in memory or mapped from a file; `BLOCK` values are worked on at once.

    Returns
    -------
    mean, std : float
        In the unit of the channel.

    Raises
    ------
    ReplicationError
        If a value is not finite or too large to be squared, or if all values are the same to
        rounding.
    TypeError
        If the array is not float64 in C order.
    """
    flat = values.reshape(-1)
    if not np.shares_memory(flat, values) or values.dtype != np.float64:
        raise TypeError("values: expected float64 in C order")
    with np.errstate(over="ignore", invalid="ignore"):
        mean = _mean(flat)
        for block in _blocks(flat):
            block -= mean
        std = standard_deviation(flat)
    if not np.isfinite(std):
        raise ReplicationError("values are not finite, or too large to be standardised.")
    if std == 0 or std <= 1e-12 * abs(mean):
        raise ReplicationError("all values are the same, so there is nothing to standardise.")
    for block in _blocks(flat):
        block /= std
    return float(mean), float(std)


def standard_deviation(flat: np.ndarray) -> float:
    """Return the population standard deviation of values, shape (n_values,).

    It is computed block by block and has the bits of the ``std`` of NumPy 1.
    """
    mean = _mean(flat)
    return np.sqrt(_mean(flat, lambda block: np.square(block - mean)))


def _mean(flat: np.ndarray, term: Callable[[np.ndarray], np.ndarray] = np.asarray) -> float:
    """Return the mean of ``term(flat)`` as NumPy 1 sums it.

    Sums are pairwise within a block, and one block is added after the other.
    """
    total = 0.0
    for block in _blocks(flat):
        total += np.add.reduce(term(block))
    return total / flat.size


def _blocks(flat: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, flat.size, BLOCK):
        yield flat[start : start + BLOCK]
