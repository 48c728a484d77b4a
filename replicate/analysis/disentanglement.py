"""How well latents keep known factors apart: MIG, SAP, DCI and a nonlinear R2.

Every measure takes latents, shape (n, n_latents), and the true factors, shape (n, n_factors). Both
are continuous. A measure is 0 for latents that say nothing about the factors. Each measure raises
ValueError if the lengths differ, a value is not finite, or a factor does not vary.

Pass the posterior means of active channels only. What is left in a channel that has been switched
off is tiny, but some of these measures do not look at size.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.stats import entropy, rankdata
from sklearn.base import RegressorMixin
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.utils import check_X_y

#: Number of bins of the histograms of the mutual information, as in Locatello et al., ICML 2019.
N_BINS = 20

#: Number of random rotations that the gap of chance is averaged over.
N_ROTATIONS = 20

#: Number of trees in the random forest of each factor.
N_TREES = 20


def disentangled(latents: np.ndarray, factors: np.ndarray) -> dict[str, float]:
    """Compute all measures of this module.

    Parameters
    ----------
    latents : ndarray, shape (n, n_latents)
    factors : ndarray, shape (n, n_factors)

    Returns
    -------
    dict of str to float
        The measures by the name of their metric: ``mig``, ``mig_rotated``, ``sap``,
        ``factors_r2``, ``dci_disentanglement``, ``dci_completeness`` and ``dci_informativeness``.
    """
    measures = {
        "mig": mutual_information_gap(latents, factors),
        "mig_rotated": rotated_gap(latents, factors),
        "sap": sap(latents, factors),
        "factors_r2": nonlinear_r2(latents, factors),
    }
    for name, value in dci(latents, factors).items():
        measures[f"dci_{name}"] = value
    return measures


def mutual_information_gap(latents: np.ndarray, factors: np.ndarray) -> float:
    """Return the mutual information gap (MIG): Chen et al., NeurIPS 2018, Eq. 6.

    The gap of a factor is its mutual information with the best latent less that with the second
    best, divided by the entropy of the factor. The gaps are averaged over the factors.

    The mutual information is that of histograms of 20 bins of equal counts, so a monotone function
    of a latent does not change it. It is biased upwards by about 19^2 / (2 n) nats, which the gap
    mostly cancels.

    Parameters
    ----------
    latents : ndarray, shape (n, n_latents)
    factors : ndarray, shape (n, n_factors)

    Returns
    -------
    float
        1 where each factor has one latent to itself, 0 where two latents share as much
        information with it.
    """
    latents, factors = _check(latents, factors)
    return _information_gap(_bins(latents), _bins(factors))


def _information_gap(binned_latents, binned_factors):
    """Return the mutual information gap of latents and factors that are sorted into bins."""
    information = np.array(
        [
            [_mutual_information(latent, factor) for factor in binned_factors.T]
            for latent in binned_latents.T
        ]
    )
    entropies = [_mutual_information(factor, factor) for factor in binned_factors.T]
    return _mean_gap(information / entropies)


def _mutual_information(a, b):
    """Return the mutual information of two arrays of bins, nats."""
    joint = np.bincount(a * N_BINS + b, minlength=N_BINS**2).reshape(N_BINS, N_BINS)
    independent = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0)
    occurs = joint > 0
    surplus = len(a) * joint[occurs] / independent[occurs]
    return joint[occurs] @ np.log(surplus) / len(a)


def rotated_gap(latents: np.ndarray, factors: np.ndarray) -> float:
    """Return the mutual information gap that latents have by chance: after random rotations.

    A rotation keeps what latents say together and mixes who says it, so that a gap that is no
    larger shows no disentanglement.

    Parameters
    ----------
    latents : ndarray, shape (n, n_latents)
    factors : ndarray, shape (n, n_factors)

    Returns
    -------
    float
        Mean over `N_ROTATIONS` rotations of the standardised latents. That of a single latent,
        which cannot be rotated, is its own.
    """
    latents, factors = _check(latents, factors)
    if latents.shape[1] == 1:
        return mutual_information_gap(latents, factors)
    rotations = random_rotations(latents.shape[1], N_ROTATIONS)
    standardised, binned_factors = _standardised(latents), _bins(factors)
    gaps = [
        _information_gap(_bins(standardised @ rotation), binned_factors) for rotation in rotations
    ]
    return float(np.mean(gaps))


def random_rotations(n_dimensions: int, n_rotations: int) -> np.ndarray:
    """Return random rotations, each as likely as any other, the same ones with every SciPy.

    Products of random reflections: Stewart, SIAM J. Numer. Anal. 17, 403 (1980). SciPy 1.15 draws
    the same ones as `special_ortho_group`; SciPy 1.17 draws others from the same seed.

    Returns
    -------
    ndarray, shape (n_rotations, n_dimensions, n_dimensions)
    """
    draw = np.random.RandomState(0)  # its stream never changes
    rotations = np.tile(np.eye(n_dimensions), (n_rotations, 1, 1))
    signs = np.ones((n_rotations, n_dimensions))
    for axis in range(n_dimensions - 1):
        mirror = draw.normal(size=(n_rotations, n_dimensions - axis))
        length = np.sqrt((mirror**2).sum(axis=1))
        signs[:, axis] = np.where(mirror[:, 0] < 0, -1, 1)
        mirror[:, 0] += signs[:, axis] * length
        mirror /= np.sqrt((mirror**2).sum(axis=1, keepdims=True) / 2)
        turned = rotations[:, :, axis:]
        along = (turned * mirror[:, np.newaxis]).sum(axis=2)
        turned -= along[:, :, np.newaxis] * mirror[:, np.newaxis]
    signs[:, -1] = (-1) ** (n_dimensions - 1) * signs[:, :-1].prod(axis=1)
    return rotations * signs[:, :, np.newaxis]


def sap(latents: np.ndarray, factors: np.ndarray) -> float:
    """Return the separated attribute predictability (SAP): Kumar et al., ICLR 2018, Section 3.

    The gap of a factor is the score of the latent that predicts it best less that of the second
    best. The gaps are averaged over the factors. The score of a latent is the R2 of a straight line
    through the values as they are, not through their ranks: any shift, scale or sign of a latent
    leaves it alone, a curved function of the latent does not.

    Parameters
    ----------
    latents : ndarray, shape (n, n_latents)
    factors : ndarray, shape (n, n_factors)

    Returns
    -------
    float
        1 where each factor is a straight function of one latent and of no other, 0 where two
        latents predict it equally well.
    """
    latents, factors = _check(latents, factors)
    correlation = _standardised(latents).T @ _standardised(factors) / len(latents)
    return _mean_gap(correlation**2)


def dci(latents: np.ndarray, factors: np.ndarray) -> dict[str, float]:
    """Return disentanglement, completeness and informativeness: Eastwood and Williams, ICLR 2018.

    The measures are defined in Section 2 there. The importance of a latent for a factor is that of
    a random forest, fitted to one half of the points, drawn at random.

    Parameters
    ----------
    latents : ndarray, shape (n, n_latents)
    factors : ndarray, shape (n, n_factors)

    Returns
    -------
    dict of str to float
        ``disentanglement``: 1 where each latent matters to one factor only; latents are weighted by
        how much they matter. ``completeness``: 1 where each factor needs one latent only.
        ``informativeness``: R2 of the forests on the other half of the points, not below 0,
        averaged over the factors (in the paper it is an error).
    """
    latents, factors = _check(latents, factors)
    forest = RandomForestRegressor(N_TREES, random_state=0)
    scores = []
    importances = []
    for score, fitted in _predict(forest, latents, factors):
        scores.append(score)
        importances.append(fitted.feature_importances_)
    importances = np.array(importances).T
    weights = importances.sum(axis=1) / max(importances.sum(), 1)
    return {
        "disentanglement": float(weights @ _concentration(importances)),
        "completeness": float(_concentration(importances.T).mean()),
        "informativeness": float(np.mean(scores)),
    }


def nonlinear_r2(latents: np.ndarray, factors: np.ndarray) -> float:
    """Return how well all latents together predict the factors, whichever way they are mixed.

    Parameters
    ----------
    latents : ndarray, shape (n, n_latents)
    factors : ndarray, shape (n, n_factors)

    Returns
    -------
    float
        R2 of gradient-boosted trees, fitted to one half of the points, drawn at random, and scored
        on the other half; not below 0, averaged over the factors.
    """
    latents, factors = _check(latents, factors)
    booster = HistGradientBoostingRegressor(random_state=0)
    scores = [score for score, _ in _predict(booster, latents, factors)]
    return float(np.mean(scores))


def _check(latents, factors):
    """Return both in double precision, or raise ValueError if they cannot be measured."""
    latents, factors = check_X_y(
        latents, factors, dtype=np.float64, multi_output=True, y_numeric=True
    )
    if (np.ptp(factors, axis=0) == 0).any():
        raise ValueError("a factor does not vary: there is nothing to tell of it; leave it out")
    return latents, factors


def _bins(values):
    """Sort each column into bins of equal counts; equal values share a bin."""
    return ((rankdata(values, axis=0) - 0.5) * N_BINS / len(values)).astype(int)


def _standardised(values):
    """Centre and scale each column; a constant one becomes 0."""
    # The standard deviation of a constant is not 0 to the last bit; its range is.
    varies = np.ptp(values, axis=0) > 0
    return np.divide(
        values - values.mean(axis=0), values.std(axis=0), out=np.zeros_like(values), where=varies
    )


def _mean_gap(scores):
    """Average the gap between the best and the second best latent over the factors.

    `scores` has the shape (n_latents, n_factors). Where there is one latent only, the second best
    score is 0.
    """
    with_zero = np.vstack([np.zeros_like(scores[:1]), scores])
    *_, second, best = np.sort(with_zero, axis=0)
    return float(np.mean(best - second))


def _predict(
    regressor: RegressorMixin, latents: np.ndarray, factors: np.ndarray
) -> Iterator[tuple[float, RegressorMixin]]:
    """Fit each factor on one half of the points and score it on the other.

    Yield the R2 of each factor, not below 0, and the regressor fitted to it.
    """
    fitted_latents, scored_latents, fitted_factors, scored_factors = train_test_split(
        latents, factors, test_size=0.5, random_state=0
    )
    for fitted_factor, scored_factor in zip(fitted_factors.T, scored_factors.T):
        model = regressor.fit(fitted_latents, fitted_factor)
        score = r2_score(scored_factor, model.predict(scored_latents))
        yield max(score, 0.0), model


def _concentration(importances):
    """Return 1 less the relative entropy of each row; 0 for a row that is 0 throughout.

    The entropy is relative to the greatest that a row of this length can have.
    """
    matters = importances.any(axis=1)
    greatest = np.log(max(importances.shape[1], 2))
    concentration = np.zeros(len(importances))
    concentration[matters] = 1 - entropy(importances[matters], axis=1) / greatest
    return concentration
