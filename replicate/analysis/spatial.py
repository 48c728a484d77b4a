"""How much of a map is domain structure: Moran's I, and the variance that descriptors explain.

The paper compares the maps of the error by eye (Figure 4t, u).
"""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import r2_score
from sklearn.model_selection import PredefinedSplit, cross_val_predict

from replicate.errors import ReplicationError

#: Steps in rows and columns from a pixel to its neighbours, one of each pair of opposite ones.
#: Rooks are the four pixels beside a pixel, queens the eight around it.
NEIGHBOURS = {
    "rook": ((0, 1), (1, 0)),
    "queen": ((0, 1), (1, 0), (1, 1), (1, -1)),
}


def morans_i(values: np.ndarray, neighbours: str = "rook") -> float | np.ndarray:
    """Return Moran's I of maps: Moran, Biometrika 37, 17 (1950).

    It is the mean product of the deviations of neighbours over the variance, with weights 1 for
    neighbours and 0 for others.

    Parameters
    ----------
    values : ndarray, shape (..., rows, cols)
    neighbours : {"rook", "queen"}

    Returns
    -------
    float or ndarray, shape (...)
        1 for a map that is smooth on the scale of a pixel, -1 / (n_pixels - 1) on average for one
        without any order, -1 for a chequered one between rooks.

    Raises
    ------
    ReplicationError
        If a map has fewer than two rows or columns, a value is not finite, or a map is constant.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim < 2 or min(values.shape[-2:]) < 2:
        raise ReplicationError(
            f"map: shape {values.shape}, expected at least two rows and two columns."
        )
    n_bad = np.count_nonzero(~np.isfinite(values))
    if n_bad:
        raise ReplicationError(f"map: {n_bad} values are NaN or infinite.")
    if (np.ptp(values, axis=(-2, -1)) == 0).any():
        raise ReplicationError("map: constant, so that nothing in it can be alike or unlike.")
    deviations = values - values.mean(axis=(-2, -1), keepdims=True)
    total = 0
    n_pairs = 0
    for step in NEIGHBOURS[neighbours]:
        here, there = _pairs(deviations, step)
        total = total + (here * there).sum(axis=(-2, -1))
        n_pairs += np.prod(here.shape[-2:])
    return total / n_pairs / (deviations**2).mean(axis=(-2, -1))


def _pairs(maps, step):
    """Return the maps cut so that the same place in both is a pixel and its neighbour at `step`."""
    down, right = step
    rows, cols = maps.shape[-2:]
    here = maps[..., : rows - down, max(-right, 0) : cols - max(right, 0)]
    there = maps[..., down:, max(right, 0) : cols + min(right, 0)]
    return here, there


def variance_explained(
    values: np.ndarray, descriptors: dict[str, np.ndarray], folds: np.ndarray
) -> float:
    """Return how much of the variance of values per pixel the descriptors of the loops explain.

    Each pixel is predicted from blocks of pixels that it is not in. Neighbours are alike: pixels
    held out one by one would be as good as fitted to.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Errors of a model, or a map of the truth.
    descriptors : dict of str to ndarray, each of shape (n,)
        As `loops.describe` returns them. Those of the data explain an error; those of a
        reconstruction show whether the truth is still in it.
    folds : ndarray of int, shape (n,)
        As `heldout.spatial_folds` returns them.

    Returns
    -------
    float
        R2 of boosted trees; 0 or below where the descriptors explain nothing.

    Raises
    ------
    ReplicationError
        If the lengths differ, or the values are not finite or constant.
    """
    values = np.asarray(values, dtype=np.float64)
    lengths = {len(folds)}
    lengths |= {len(descriptor) for descriptor in descriptors.values()}
    if lengths != {len(values)}:
        raise ReplicationError(
            f"values: {len(values)} pixels, but descriptors and folds are of {sorted(lengths)}."
        )
    if not np.isfinite(values).all() or np.ptp(values) == 0:
        raise ReplicationError(
            "values: constant, NaN or infinite, so that there is no variance to explain."
        )
    predicted = cross_val_predict(
        HistGradientBoostingRegressor(random_state=0),
        np.column_stack(list(descriptors.values())),
        values,
        cv=PredefinedSplit(folds),
    )
    return float(r2_score(values, predicted))
