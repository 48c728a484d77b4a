"""Find values that cannot be measurements: fill values, and results of a fit that failed."""

from __future__ import annotations

import numpy as np

from replicate.errors import ReplicationError

#: A number of this size is a fill value: no quantity of a scan has such a number in any unit.
SMALLEST_FILL_VALUE = 1e18

#: Numbers that stand for a missing value, where they lie far from the others.
FILL_VALUES = (-999, 999, -9999, 9999, -99999, 99999, -32768, 32767, 65535)

#: A value that lies farther from the median than so many interquartile ranges is suspicious.
SUSPICIOUS_DISTANCE = 100

#: A value that lies farther than so many is no measurement. Measured films have values, from fits
#: that went wrong, as far as a thousand.
LARGEST_DISTANCE = 10_000

#: At most so many pixels are named in a message.
NAMED = 3


def find(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which values cannot be measurements, and which are suspicious.

    Parameters
    ----------
    values : ndarray of shape (n_pixels, n_steps)
        One channel in any unit.

    Returns
    -------
    impossible, suspicious : ndarray of bool, of the same shape
        NaN and infinity are not among them. Impossible values are suspicious, too.
    """
    is_finite = np.isfinite(values)
    magnitude = np.abs(np.where(is_finite, values, 0))
    impossible = magnitude >= SMALLEST_FILL_VALUE
    credible = values[is_finite & ~impossible]
    if credible.size == 0:
        return impossible, impossible
    low, middle, high = np.percentile(credible, [25, 50, 75])
    if high == low:
        return impossible, impossible
    distance = np.abs(np.where(is_finite & ~impossible, values, middle) - middle) / (high - low)
    is_far = distance > SUSPICIOUS_DISTANCE
    impossible |= (distance > LARGEST_DISTANCE) | (is_far & np.isin(values, FILL_VALUES))
    return impossible, impossible | is_far


def blank(
    name: str, values: np.ndarray, shape: tuple[int, int], may_blank: bool
) -> tuple[np.ndarray, list[str]]:
    """Blank the pixels of a channel that have an outlier, or refuse them.

    Parameters
    ----------
    name : str
        Name of the channel.
    values : ndarray of shape (n_pixels, n_steps)
    shape : tuple of int
        Rows and columns of the grid.
    may_blank : bool
        Whether the user has asked for it.

    Returns
    -------
    values : ndarray of shape (n_pixels, n_steps)
        Pixels with outliers are NaN at all steps.
    notes : list of str
        What was blanked, or how many suspicious values stay.

    Raises
    ------
    ReplicationError
        If there are values that cannot be measurements, and they may not be blanked.
    """
    impossible, suspicious = find(values)
    if may_blank:
        pixels = np.flatnonzero(suspicious.any(axis=1))
        if pixels.size == 0:
            return values, []
        listed = [_outlier(values, suspicious, pixel, shape) for pixel in pixels]
        values = values.copy()
        values[pixels] = np.nan
        return values, [f"{name}: blanked for outliers: {', '.join(listed)}"]
    if impossible.any():
        raise ReplicationError(
            f"{name}: values that cannot be measurements: {_first(values, impossible, shape)}. "
            "Add --blank-outliers to leave such pixels out, or correct them."
        )
    if suspicious.any():
        count = np.count_nonzero(suspicious)
        return values, [
            f"{name}: {count} outliers, {_first(values, suspicious, shape)}, are kept; "
            "--blank-outliers leaves such pixels out"
        ]
    return values, []


def _first(values, outliers, shape):
    """Return the outliers of the first few pixels that have some."""
    pixels = np.flatnonzero(outliers.any(axis=1))
    listed = ", ".join(_outlier(values, outliers, pixel, shape) for pixel in pixels[:NAMED])
    if len(pixels) > NAMED:
        listed += f", and in {len(pixels) - NAMED} more pixels"
    return listed


def _outlier(values, outliers, pixel, shape):
    """Return the first outlier of a pixel and its place."""
    step = int(np.argmax(outliers[pixel]))
    row, column = divmod(int(pixel), shape[1])
    return f"{values[pixel, step]:.6g} at row {row}, column {column}, step {step}"
