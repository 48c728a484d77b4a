"""Scan row against domain structure: what confounds the descriptors of the loops, and which of the two the latents of a model follow.

Row by row the instrument drifts, which has nothing to do with the film; the bands of domains lie across the rows.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from scipy.special import ndtri
from scipy.stats import norm, rankdata
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
    across, along = (
        cols * np.cos(turn) + rows * np.sin(turn),
        rows * np.cos(turn) - cols * np.sin(turn),
    )
    score = np.empty(len(values))
    for row in range(shape[0]):
        here, there = rows == row, np.abs(rows - row) >= OWN
        apart = (
            (across[here, np.newaxis] + move - across[there]) / ACROSS,
            (along[here, np.newaxis] - along[there]) / ALONG,
        )
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
        return r2_score(
            values, cross_val_predict(Ridge(1.0), columns, values, cv=PredefinedSplit(folds))
        )

    row_alone, domain_alone, both = (
        explained(row),
        explained(domain),
        explained(np.hstack([row, domain])),
    )
    return {
        "row": row_alone,
        "domain": domain_alone,
        "row_beyond_domain": both - domain_alone,
        "domain_beyond_row": both - row_alone,
    }


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


N_BOOT = 300
"""Times that the blocks are drawn again."""


def correlations(scores, weights):
    """Return the correlation matrix of columns of (n, k) under each row of weights, (m, n): (m, k, k)."""
    total = weights.sum(axis=1)
    mean = weights @ scores / total[:, np.newaxis]
    square = (
        np.einsum("mn,ni,nj->mij", weights, scores, scores, optimize=True)
        / total[:, np.newaxis, np.newaxis]
    )
    covariance = square - mean[:, :, np.newaxis] * mean[:, np.newaxis]
    sd = np.sqrt(np.einsum("mii->mi", covariance))
    return covariance / (sd[:, :, np.newaxis] * sd[:, np.newaxis])


def strata(rows, bands):
    """Return what is held, by name: the columns, (n, ...), of the band, of the scan row and of both."""
    return {
        "band": one_hot(bands),
        "row": one_hot(rows),
        "band and row": np.hstack([one_hot(bands), one_hot(rows)]),
    }


def held(scores, columns):
    """Return what is left of scores, (n, k), when what is linear in `columns`, (n, ...), is taken out."""
    return scores - columns @ np.linalg.lstsq(columns, scores, rcond=None)[0]


def reversals(values, rows, bands, blocks, seed=0):
    """Look for Simpson's paradox in every pair of descriptors.

    Parameters
    ----------
    values : dict of str to ndarray, each of shape (n,)
    rows, bands, blocks : ndarray of int, shape (n,)
        Scan row, quantile of the band score, and the blocks that are drawn again.

    Returns
    -------
    dict
        ``looks``, how many comparisons were made; ``found``, those whose two 95 % intervals of the block bootstrap exclude 0 with opposite
        signs, each with pair, stratum, correlations, intervals, and whether both pass at 5 % over all looks (Bonferroni).
    """
    names = list(values)
    scores = normal_scores(np.column_stack(list(values.values())))
    drawn = np.random.default_rng(seed).multinomial(
        len(np.unique(blocks)), one_hot(blocks).mean(axis=0), size=N_BOOT
    )
    weights = np.vstack([np.ones(len(rows)), drawn @ one_hot(blocks).T])
    pooled = correlations(scores, weights)
    pairs, found = list(combinations(range(len(names)), 2)), []
    given = strata(rows, bands)
    strict = norm.isf(0.025 / (len(pairs) * len(given)))
    for stratum, columns in given.items():
        within = correlations(held(scores, columns), weights)
        for i, j in pairs:
            both = [_interval(each[:, i, j]) for each in (pooled, within)]
            if both[0]["value"] * both[1]["value"] < 0 and all(
                each["low"] * each["high"] > 0 for each in both
            ):
                survives = all(abs(each["z"]) > strict for each in both)
                found.append(
                    {
                        "pair": [names[i], names[j]],
                        "held": stratum,
                        "pooled": both[0],
                        "within": both[1],
                        "survives": survives,
                    }
                )
    return {"looks": len(pairs) * len(given), "strict_z": float(strict), "found": found}


def _interval(values):
    low, high = np.percentile(values[1:], [2.5, 97.5])
    return {
        "value": float(values[0]),
        "low": float(low),
        "high": float(high),
        "z": float(values[0] / values[1:].std()),
    }
