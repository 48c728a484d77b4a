"""Scan row against domain structure: what confounds the descriptors of the loops, and which of the two the latents of a model follow.

Row by row the instrument drifts, which has nothing to do with the film; the bands of domains lie across the rows.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import PredefinedSplit, cross_val_predict

from replicate.causal.alignment import partial_correlation
from replicate.data.heldout import spatial_folds
from replicate.data.twin import TwinParameters

ACROSS, ALONG, OWN = 0.7, 8.0, 2
"""Of the neighbourhood that tells a pixel's domain: its widths across and along the bands, pixels, and rows left out on either side."""

SIDE = 3
"""Pixels to either side of a place whose difference tells at which edge of a band it is."""

BINS = 10
LEAST = 0.05
"""Share of the variance that row or domain must add for a latent to be said to follow it."""


def rows_of(shape):
    """Return the scan row of each pixel, (n_pixels,)."""
    return np.repeat(np.arange(shape[0]), shape[1])


def band_score(values, shape, move=0.0, angle=TwinParameters.band_angle):
    """Average values along the bands, over other rows than a pixel's own, so that neither its noise nor its row's drift comes in.

    Parameters
    ----------
    values : ndarray, shape (n_pixels,)
    shape : tuple of int
    move : float
        By how much the place is moved across the bands, pixels.
    angle : float
        Direction of the normal of the bands, degrees from the column axis towards larger rows.

    Returns
    -------
    ndarray, shape (n_pixels,)
    """
    rows, cols = (axis.ravel() for axis in np.indices(shape))
    turn = np.radians(angle)
    across, along = cols * np.cos(turn) + rows * np.sin(turn), rows * np.cos(turn) - cols * np.sin(turn)
    score = np.empty(len(values))
    for row in range(shape[0]):
        here, there = rows == row, np.abs(rows - row) >= OWN
        apart = (across[here, np.newaxis] + move - across[there]) / ACROSS, (along[here, np.newaxis] - along[there]) / ALONG
        weights = np.exp(-(apart[0] ** 2 + apart[1] ** 2) / 2) + 1e-12
        score[here] = weights @ values[there] / weights.sum(axis=1)
    return score


def one_hot(groups):
    """Return indicator columns, (n, n_groups)."""
    return (np.asarray(groups)[:, np.newaxis] == np.unique(groups)).astype(float)


def quantiles(values, n=BINS):
    """Return which of `n` groups of equal size each value is in."""
    return (rankdata(values, method="ordinal") - 1) * n // len(values)


def normal_scores(values):
    """Return values, (n, k), with each column replaced by the normal quantiles of its ranks."""
    return ndtri((rankdata(values, axis=0) - 0.5) / len(values))


def domain_basis(saturation, shape):
    """Return what is known of the domain at each pixel, (n_pixels, 2 * BINS): how much of a band it is in, and at which side."""
    side = band_score(saturation, shape, SIDE) - band_score(saturation, shape, -SIDE)
    return np.hstack([one_hot(quantiles(band_score(saturation, shape))), one_hot(quantiles(side))])


def shares(values, row, domain, folds):
    """Split the variance of values, (n,), between scan row and domain, on blocks of pixels not fitted to.

    Returns
    -------
    dict of float
        R2 of each alone, and what each adds to the other.
    """

    def explained(columns):
        return r2_score(values, cross_val_predict(Ridge(1.0), columns, values, cv=PredefinedSplit(folds)))

    row_alone, domain_alone, both = explained(row), explained(domain), explained(np.hstack([row, domain]))
    return {"row": row_alone, "domain": domain_alone, "row_beyond_domain": both - domain_alone, "domain_beyond_row": both - row_alone}


def follow(latents, saturation, resonance_mean, shape):
    """Tell what each latent, a column of (n_pixels, n_latents), follows.

    Returns
    -------
    list of dict
        `shares`; ``follows``, which of the two adds more, if any does; the correlation with the mean resonance, and what is left of it
        when the row is held.
    """
    rows = rows_of(shape)
    row, domain, folds = one_hot(rows), domain_basis(saturation, shape), spatial_folds(shape)
    found = []
    for latent in np.asarray(latents, dtype=np.float64).T:
        own = shares(latent, row, domain, folds)
        added = {"row": own["row_beyond_domain"], "domain": own["domain_beyond_row"]}
        own["follows"] = max(added, key=added.get) if max(added.values()) >= LEAST else "neither"
        own["resonance"] = float(np.corrcoef(latent, resonance_mean)[0, 1])
        own["resonance_given_row"] = partial_correlation(latent, resonance_mean, row[:, 1:])
        found.append(own)
    return found
