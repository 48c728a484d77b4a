"""Variables held by least squares: residuals, and the correlation that is left."""

from __future__ import annotations

import numpy as np


def residual(values: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Take out of values what is linear in some columns, by least squares.

    Parameters
    ----------
    values : ndarray, shape (n,) or (n, k)
    columns : ndarray, shape (n, n_columns)
        With a column of ones, or indicators of groups, if the mean is to be taken out too.

    Returns
    -------
    ndarray, shape of `values`
    """
    return values - columns @ np.linalg.lstsq(columns, values, rcond=None)[0]


def partial_correlation(x: np.ndarray, y: np.ndarray, given: np.ndarray) -> float:
    """Return the correlation of two variables while others are held.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
    given : ndarray, shape (n,) or (n, k)
        The variables that are held: what is linear in them is taken out of `x` and `y`.

    Returns
    -------
    float
    """
    columns = np.column_stack([np.ones(len(given)), given])
    return float(np.corrcoef(residual(x, columns), residual(y, columns))[0, 1])
