"""How much of a map is domain structure: its spatial autocorrelation, and how much of it the descriptors of the loops explain.

The paper compares the maps of the error by eye (Figure 4t, u).
"""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import r2_score
from sklearn.model_selection import PredefinedSplit, cross_val_predict

from replicate.errors import ReplicationError

NEIGHBOURS = {"rook": ((0, 1), (1, 0)), "queen": ((0, 1), (1, 0), (1, 1), (1, -1))}
"""Steps in rows and columns to one neighbour of each pair: of the four pixels beside a pixel, or of the eight around it."""


def morans_i(values, neighbours="rook"):
    """Return Moran's I of maps: the mean product of the deviations of neighbours, over the variance.

    Moran, Biometrika 37, 17 (1950), with weights 1 for neighbours and 0 for others. 1 for a map that is smooth on the scale of a pixel,
    -1 / (n_pixels - 1) on average for one without any order, -1 for a chequered one between rooks.

    Parameters
    ----------
    values : ndarray, shape (..., rows, cols)
    neighbours : {"rook", "queen"}

    Returns
    -------
    float or ndarray, shape (...)

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
    if not np.isfinite(values).all():
        raise ReplicationError(
            f"map: {np.count_nonzero(~np.isfinite(values))} values are NaN or infinite."
        )
    if (np.ptp(values, axis=(-2, -1)) == 0).any():
        raise ReplicationError("map: constant, so that nothing in it can be alike or unlike.")
    deviations = values - values.mean(axis=(-2, -1), keepdims=True)
    products = [
        here * there
        for here, there in (_pairs(deviations, step) for step in NEIGHBOURS[neighbours])
    ]
    mean = sum(each.sum(axis=(-2, -1)) for each in products) / sum(
        np.prod(each.shape[-2:]) for each in products
    )
    return mean / (deviations**2).mean(axis=(-2, -1))


def _pairs(maps, step):
    """Return the maps cut so that the same place in both is a pixel and its neighbour at `step`."""
    down, right = step
    rows, cols = maps.shape[-2:]
    here = maps[..., : rows - down, max(-right, 0) : cols - max(right, 0)]
    return here, maps[..., down:, max(right, 0) : cols + min(right, 0)]


def morans_test(values, neighbours="rook", n_permutations=999, seed=0):
    """Test a map for spatial autocorrelation against permutations of its pixels.

    Parameters
    ----------
    values : ndarray, shape (rows, cols)
    neighbours : {"rook", "queen"}
    n_permutations, seed : int

    Returns
    -------
    moran : float
        Moran's I.
    p_value : float
        Of no or negative autocorrelation: the share of the maps, the given one among them, whose I is as great. It is
        1 / (n_permutations + 1) at the least.

    Raises
    ------
    ReplicationError
        As for `morans_i`.
    """
    moran = morans_i(values, neighbours)
    shuffled = np.random.default_rng(seed).permuted(
        np.tile(np.ravel(values), (n_permutations, 1)), axis=1
    )
    as_great = morans_i(shuffled.reshape(n_permutations, *np.shape(values)), neighbours) >= moran
    return float(moran), float((1 + np.count_nonzero(as_great)) / (1 + n_permutations))


def variance_explained(values, descriptors, folds):
    """Return how much of the variance of values per pixel descriptors of the loops explain, on blocks of pixels not fitted to.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Errors of a model, or a map of the truth.
    descriptors : dict of str to ndarray, each of shape (n,)
        As `loops.describe` returns them: of the data, to explain an error; of a reconstruction, to see whether the truth is still in it.
    folds : ndarray of int, shape (n,)
        As `heldout.spatial_folds` returns them. Neighbours are alike: pixels held out one by one would be as good as fitted to.

    Returns
    -------
    float
        R2 of boosted trees, each pixel predicted from the other folds; 0 or below where the descriptors explain nothing.

    Raises
    ------
    ReplicationError
        If the lengths differ, or the values are not finite or constant.
    """
    values = np.asarray(values, dtype=np.float64)
    lengths = {len(folds), *map(len, descriptors.values())}
    if lengths != {len(values)}:
        raise ReplicationError(
            f"values: {len(values)} pixels, but descriptors and folds are of {sorted(lengths)}."
        )
    if not np.isfinite(values).all() or np.ptp(values) == 0:
        raise ReplicationError(
            "values: constant, NaN or infinite, so that there is no variance to explain."
        )
    trees = HistGradientBoostingRegressor(random_state=0)
    predicted = cross_val_predict(
        trees, np.column_stack(list(descriptors.values())), values, cv=PredefinedSplit(folds)
    )
    return float(r2_score(values, predicted))
