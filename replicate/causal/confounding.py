"""What scan row and domain structure do to descriptors and latents, in two halves.

The first half asks which of the two a latent or a descriptor follows. Row by row the instrument
drifts, which has nothing to do with the film; the bands of domains lie across the rows.

The second half looks for Simpson's paradox: pairs of descriptors whose correlation changes its sign
when scan row or band is held.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from scipy.special import ndtri
from scipy.stats import norm, rankdata
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import PredefinedSplit, cross_val_predict

from replicate.causal.regression import partial_correlation, residual
from replicate.data.heldout import spatial_folds
from replicate.data.twin import TwinParameters

#: Width, across the bands, of the neighbourhood from which a pixel's domain is known, pixels.
ACROSS = 0.7

#: Width, along the bands, of the neighbourhood from which a pixel's domain is known, pixels.
ALONG = 8.0

#: Least distance, in rows, between a pixel and the neighbourhood from which its domain is known.
ROWS_APART = 2

#: Distance to either side of a pixel, in pixels, at which the band score is compared. The
#: difference tells at which edge of a band the pixel is.
SIDE = 3

#: Number of groups of equal size into which the band score and its difference are divided.
BINS = 10

#: Share of the variance that row or domain must add for a latent to be said to follow it.
LEAST = 0.05

#: Number of times that the blocks of pixels are drawn again for the interval of a correlation.
N_BOOT = 1000


# Which of the two a latent or a descriptor follows


def rows_of(shape: tuple[int, int]) -> np.ndarray:
    """Return the scan row of each pixel of a grid.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the grid.

    Returns
    -------
    ndarray of int, shape (n_pixels,)
    """
    return np.repeat(np.arange(shape[0]), shape[1])


def band_score(
    values: np.ndarray,
    shape: tuple[int, int],
    move: float = 0.0,
    angle: float = TwinParameters.band_angle,
) -> np.ndarray:
    """Average values along the bands, over other rows than the one of the pixel.

    So neither the noise of the pixel nor the drift of its row comes into its score.

    Parameters
    ----------
    values : ndarray, shape (n_pixels,)
    shape : tuple of int
        Rows and columns of the grid.
    move : float
        Distance by which the neighbourhood is moved across the bands, pixels.
    angle : float
        Direction of the normal of the bands, degrees from the column axis towards larger rows.

    Returns
    -------
    ndarray, shape (n_pixels,)
        In the unit of the values.
    """
    rows, cols = (axis.ravel() for axis in np.indices(shape))
    turn = np.radians(angle)
    across = cols * np.cos(turn) + rows * np.sin(turn)
    along = rows * np.cos(turn) - cols * np.sin(turn)
    score = np.empty(len(values))
    for row in range(shape[0]):
        here = rows == row
        there = np.abs(rows - row) >= ROWS_APART
        apart_across = (across[here, np.newaxis] + move - across[there]) / ACROSS
        apart_along = (along[here, np.newaxis] - along[there]) / ALONG
        weights = np.exp(-(apart_across**2 + apart_along**2) / 2) + 1e-12
        score[here] = weights @ values[there] / weights.sum(axis=1)
    return score


def one_hot(groups: np.ndarray) -> np.ndarray:
    """Return the indicator columns of groups.

    Parameters
    ----------
    groups : ndarray, shape (n,)

    Returns
    -------
    ndarray of float, shape (n, n_groups)
    """
    return (np.asarray(groups)[:, np.newaxis] == np.unique(groups)).astype(float)


def quantiles(values: np.ndarray, n: int = BINS) -> np.ndarray:
    """Divide values into groups of equal size by their ranks.

    Parameters
    ----------
    values : ndarray, shape (n_values,)
    n : int
        Number of groups.

    Returns
    -------
    ndarray of int, shape (n_values,)
        The group of each value, from 0 for the least to `n` - 1.
    """
    return (rankdata(values, method="ordinal") - 1) * n // len(values)


def normal_scores(values: np.ndarray) -> np.ndarray:
    """Replace each column by the normal quantiles of its ranks.

    Parameters
    ----------
    values : ndarray, shape (n, k)

    Returns
    -------
    ndarray, shape (n, k)
    """
    return ndtri((rankdata(values, axis=0) - 0.5) / len(values))


def domain_basis(saturation: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return indicators of the domain at each pixel: how much in a band it is, and at which side.

    Parameters
    ----------
    saturation : ndarray, shape (n_pixels,)
        Loops are low in the bands.
    shape : tuple of int
        Rows and columns of the grid.

    Returns
    -------
    ndarray of float, shape (n_pixels, 2 * BINS)
    """
    inside = band_score(saturation, shape)
    side = band_score(saturation, shape, SIDE) - band_score(saturation, shape, -SIDE)
    return np.hstack([one_hot(quantiles(inside)), one_hot(quantiles(side))])


def shares(
    values: np.ndarray, row: np.ndarray, domain: np.ndarray, folds: np.ndarray
) -> dict[str, float]:
    """Split the variance of values between scan row and domain.

    Each pixel is predicted from blocks of pixels that it is not in.

    Parameters
    ----------
    values : ndarray, shape (n,)
    row : ndarray, shape (n, n_rows)
        Indicators of the scan row.
    domain : ndarray, shape (n, 2 * BINS)
        As `domain_basis` returns them.
    folds : ndarray of int, shape (n,)
        As `heldout.spatial_folds` returns them.

    Returns
    -------
    dict of str to float
        ``row`` and ``domain``, the R2 of each alone; ``row_beyond_domain`` and
        ``domain_beyond_row``, what each adds to the other.
    """
    row_alone = _explained(values, row, folds)
    domain_alone = _explained(values, domain, folds)
    both = _explained(values, np.hstack([row, domain]), folds)
    return {
        "row": row_alone,
        "domain": domain_alone,
        "row_beyond_domain": both - domain_alone,
        "domain_beyond_row": both - row_alone,
    }


def _explained(values, columns, folds):
    """Return the R2 of a ridge regression on the folds that it was not fitted to."""
    predicted = cross_val_predict(Ridge(1.0), columns, values, cv=PredefinedSplit(folds))
    return r2_score(values, predicted)


def follow(
    latents: np.ndarray,
    saturation: np.ndarray,
    resonance_mean: np.ndarray,
    shape: tuple[int, int],
) -> list[dict[str, float | str]]:
    """Measure whether each latent follows the scan row or the domains.

    Parameters
    ----------
    latents : ndarray, shape (n_pixels, n_latents)
    saturation, resonance_mean : ndarray, shape (n_pixels,)
        Descriptors of the loops.
    shape : tuple of int
        Rows and columns of the grid.

    Returns
    -------
    list of dict
        One a latent: its `shares`; ``follows``, which of ``row`` and ``domain`` adds more, or
        ``neither`` where both add less than `LEAST`; ``resonance``, the correlation with the mean
        resonance; ``resonance_given_row``, what is left of it when the row is held.
    """
    row = one_hot(rows_of(shape))
    domain = domain_basis(saturation, shape)
    folds = spatial_folds(shape)
    followed = []
    for latent in np.asarray(latents, dtype=np.float64).T:
        split = shares(latent, row, domain, folds)
        correlation = float(np.corrcoef(latent, resonance_mean)[0, 1])
        given_row = partial_correlation(latent, resonance_mean, row[:, 1:])
        followed.append(
            {
                **split,
                "follows": _which_adds_more(split),
                "resonance": correlation,
                "resonance_given_row": given_row,
            }
        )
    return followed


def _which_adds_more(split):
    """Return which of row and domain adds more to the other, or "neither" if both add little."""
    added = {"row": split["row_beyond_domain"], "domain": split["domain_beyond_row"]}
    most = max(added, key=added.get)
    return most if added[most] >= LEAST else "neither"


# Simpson's paradox


def correlations(scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the correlation matrix of some columns under each set of weights.

    Parameters
    ----------
    scores : ndarray, shape (n, k)
    weights : ndarray, shape (m, n)
        One set of weights a row.

    Returns
    -------
    ndarray, shape (m, k, k)
    """
    total = weights.sum(axis=1)
    mean = weights @ scores / total[:, np.newaxis]
    square = np.einsum("mn,ni,nj->mij", weights, scores, scores, optimize=True)
    square = square / total[:, np.newaxis, np.newaxis]
    covariance = square - mean[:, :, np.newaxis] * mean[:, np.newaxis]
    sd = np.sqrt(np.einsum("mii->mi", covariance))
    return covariance / (sd[:, :, np.newaxis] * sd[:, np.newaxis])


def strata(rows: np.ndarray, bands: np.ndarray) -> dict[str, np.ndarray]:
    """Return the indicator columns of each stratum that is held.

    Parameters
    ----------
    rows, bands : ndarray of int, shape (n,)
        Scan row and quantile of the band score.

    Returns
    -------
    dict of str to ndarray, each of shape (n, n_columns)
        The strata are ``band``, ``row``, and ``band and row`` together.
    """
    row = one_hot(rows)
    band = one_hot(bands)
    return {"band": band, "row": row, "band and row": np.hstack([band, row])}


def reversals(
    values: dict[str, np.ndarray],
    rows: np.ndarray,
    bands: np.ndarray,
    blocks: np.ndarray,
    seed: int = 0,
) -> dict[str, object]:
    """Look for Simpson's paradox in every pair of descriptors.

    Parameters
    ----------
    values : dict of str to ndarray, each of shape (n,)
        The descriptors.
    rows, bands : ndarray of int, shape (n,)
        Scan row and quantile of the band score.
    blocks : ndarray of int, shape (n,)
        The spatial block of each pixel; blocks, not pixels, are drawn again.
    seed : int

    Returns
    -------
    dict
        ``looks``, the number of comparisons; ``strict_z``, the threshold of Bonferroni's correction
        at 5 % over all looks; ``found``, a list of the pairs whose two 95 % intervals of the block
        bootstrap exclude 0 with opposite signs. Each has ``pair``, ``held``, the correlations
        ``pooled`` and ``within`` with their intervals, and ``survives``, whether both pass the
        strict threshold.
    """
    names = list(values)
    scores = normal_scores(np.column_stack(list(values.values())))
    weights = _block_weights(blocks, seed)
    held_columns = strata(rows, bands)
    pairs = list(combinations(range(len(names)), 2))
    looks = len(pairs) * len(held_columns)
    strict_z = norm.isf(0.025 / looks)
    pooled = correlations(scores, weights)
    paradoxes = []
    for stratum, columns in held_columns.items():
        within = correlations(residual(scores, columns), weights)
        for i, j in pairs:
            outside = _interval(pooled[:, i, j])
            inside = _interval(within[:, i, j])
            if not _is_reversed(outside, inside):
                continue
            survives = all(abs(interval["z"]) > strict_z for interval in (outside, inside))
            paradoxes.append(
                {
                    "pair": [names[i], names[j]],
                    "held": stratum,
                    "pooled": outside,
                    "within": inside,
                    "survives": survives,
                }
            )
    return {"looks": looks, "strict_z": float(strict_z), "found": paradoxes}


def _block_weights(blocks, seed):
    """Return weights of the pixels, (1 + N_BOOT, n): all once, then with blocks drawn again."""
    of_blocks = one_hot(blocks)
    drawn = np.random.default_rng(seed).multinomial(
        of_blocks.shape[1], of_blocks.mean(axis=0), size=N_BOOT
    )
    return np.vstack([np.ones(len(blocks)), drawn @ of_blocks.T])


def _interval(values):
    """Describe a statistic by its first value and the bootstrap values that follow it."""
    low, high = np.percentile(values[1:], [2.5, 97.5])
    return {
        "value": float(values[0]),
        "low": float(low),
        "high": float(high),
        "z": float(values[0] / values[1:].std()),
    }


def _is_reversed(pooled, within):
    """Return whether two correlations have opposite signs and intervals that exclude 0."""
    opposite = pooled["value"] * within["value"] < 0
    return opposite and all(interval["low"] * interval["high"] > 0 for interval in (pooled, within))
