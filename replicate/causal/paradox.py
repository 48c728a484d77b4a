"""Simpson's paradox among the descriptors: correlations that change sign when band and scan row are held."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from scipy.stats import norm

from replicate.causal.confounding import normal_scores, one_hot

N_BOOT = 300
"""Times that the blocks are drawn again."""


def correlations(scores, weights):
    """Return the correlation matrix of columns of (n, k) under each row of weights, (m, n): (m, k, k)."""
    total = weights.sum(axis=1)
    mean = weights @ scores / total[:, np.newaxis]
    square = np.einsum("mn,ni,nj->mij", weights, scores, scores, optimize=True) / total[:, np.newaxis, np.newaxis]
    covariance = square - mean[:, :, np.newaxis] * mean[:, np.newaxis]
    sd = np.sqrt(np.einsum("mii->mi", covariance))
    return covariance / (sd[:, :, np.newaxis] * sd[:, np.newaxis])


def strata(rows, bands):
    """Return what is held, by name: the columns, (n, ...), of the band, of the scan row and of both."""
    return {"band": one_hot(bands), "row": one_hot(rows), "band and row": np.hstack([one_hot(bands), one_hot(rows)])}


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
    drawn = np.random.default_rng(seed).multinomial(len(np.unique(blocks)), one_hot(blocks).mean(axis=0), size=N_BOOT)
    weights = np.vstack([np.ones(len(rows)), drawn @ one_hot(blocks).T])
    pooled = correlations(scores, weights)
    pairs, found = list(combinations(range(len(names)), 2)), []
    given = strata(rows, bands)
    strict = norm.isf(0.025 / (len(pairs) * len(given)))
    for stratum, columns in given.items():
        within = correlations(held(scores, columns), weights)
        for i, j in pairs:
            both = [_interval(each[:, i, j]) for each in (pooled, within)]
            if both[0]["value"] * both[1]["value"] < 0 and all(each["low"] * each["high"] > 0 for each in both):
                survives = all(abs(each["z"]) > strict for each in both)
                found.append({"pair": [names[i], names[j]], "held": stratum, "pooled": both[0], "within": both[1], "survives": survives})
    return {"looks": len(pairs) * len(given), "strict_z": float(strict), "found": found}


def _interval(values):
    low, high = np.percentile(values[1:], [2.5, 97.5])
    return {"value": float(values[0]), "low": float(low), "high": float(high), "z": float(values[0] / values[1:].std())}
