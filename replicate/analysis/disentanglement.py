"""How well latents keep known factors apart: mutual information gap, separated attribute predictability, DCI, and nonlinear R2.

Every measure takes latents, shape (n, n_latents), and the true factors, shape (n, n_factors), both continuous, and is 0 for latents
that say nothing. Pass posterior means of active channels only: what is left in a channel that has been switched off is tiny, but some of
these measures do not look at size. Each raises ValueError if the lengths differ, a value is not finite, or a factor does not vary.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import entropy, rankdata
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.metrics import mutual_info_score, r2_score
from sklearn.model_selection import train_test_split
from sklearn.utils import check_X_y

N_BINS = 20
"""Bins of the mutual information, as in Locatello et al., ICML 2019."""

N_TREES = 20
"""Trees in the forest of each factor."""


def disentangled(latents, factors):
    """Return all of the measures below by the name of their metric."""
    parts = dci(latents, factors)
    measured = {
        "mig": mutual_information_gap(latents, factors),
        "sap": sap(latents, factors),
        "factors_r2": nonlinear_r2(latents, factors),
    }
    return measured | {f"dci_{name}": value for name, value in parts.items()}


def mutual_information_gap(latents, factors):
    """Return how much more the best latent of a factor tells of it than the second best, in parts of the entropy of the factor.

    Chen et al., NeurIPS 2018, Eq. 6, averaged over the factors. The mutual information is that of histograms of 20 bins of equal counts,
    so a monotone function of a latent does not change it. It is biased upwards by about 19^2 / (2 n) nats, which the gap mostly cancels.

    Returns
    -------
    float
        1 where each factor has a latent of its own, 0 where two latents tell of it alike.
    """
    latents, factors = (_bins(values) for values in _checked(latents, factors))
    information = np.array(
        [[mutual_info_score(factor, latent) for factor in factors.T] for latent in latents.T]
    )
    entropies = [mutual_info_score(factor, factor) for factor in factors.T]
    return _mean_gap(information / entropies)


def sap(latents, factors):
    """Return the separated attribute predictability: how much better the best latent predicts a factor than the second best.

    Kumar et al., ICLR 2018, Section 3, averaged over the factors. The score of a latent is the R2 of a straight line through the values as
    they are, not their ranks: any shift, scale or sign of a latent leaves it alone, a curved function of it does not.

    Returns
    -------
    float
        1 where each factor is a straight function of one latent and of no other, 0 where two latents predict it alike.
    """
    latents, factors = (_standardised(values) for values in _checked(latents, factors))
    return _mean_gap((latents.T @ factors / len(latents)) ** 2)


def dci(latents, factors):
    """Return disentanglement, completeness and informativeness.

    Eastwood and Williams, ICLR 2018, Section 2. The importance of a latent for a factor is that of a random forest, fitted to one half of
    the points, drawn at random.

    Returns
    -------
    dict of str to float
        ``disentanglement``: 1 where each latent matters to one factor only, weighted by how much it matters; ``completeness``: 1 where each
        factor needs one latent only; ``informativeness``: R2 of the forests on the other half, not below 0, averaged over the factors
        (in the paper it is an error).
    """
    latents, factors = _checked(latents, factors)
    forest = RandomForestRegressor(N_TREES, random_state=0)
    scores, importances = zip(
        *(
            (score, model.feature_importances_)
            for score, model in _predict(forest, latents, factors)
        )
    )
    importances = np.array(importances).T
    weights = importances.sum(axis=1) / max(importances.sum(), 1)
    return {
        "disentanglement": float(weights @ _concentration(importances)),
        "completeness": float(_concentration(importances.T).mean()),
        "informativeness": float(np.mean(scores)),
    }


def nonlinear_r2(latents, factors):
    """Return how well all latents together predict the factors, whichever way they are mixed.

    R2 of gradient-boosted trees, fitted to one half of the points, drawn at random, and scored on the other; not below 0, averaged over
    the factors.
    """
    booster = HistGradientBoostingRegressor(random_state=0)
    return float(np.mean([score for score, _ in _predict(booster, *_checked(latents, factors))]))


def _checked(latents, factors):
    """Return both in double precision, if they can be measured."""
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
    """Return the best less the second best score of each factor, averaged over these, for scores (n_latents, n_factors)."""
    *_, second, best = np.sort(np.vstack([np.zeros_like(scores[:1]), scores]), axis=0)
    return float(np.mean(best - second))


def _predict(regressor, latents, factors):
    """Fit each factor on one half of the points, and yield its R2 on the other, not below 0, and the fitted regressor."""
    fitted, scored, factors_fitted, factors_scored = train_test_split(
        latents, factors, test_size=0.5, random_state=0
    )
    for known, wanted in zip(factors_fitted.T, factors_scored.T):
        model = regressor.fit(fitted, known)
        yield max(r2_score(wanted, model.predict(scored)), 0.0), model


def _concentration(importances):
    """Return 1 less the entropy of each row, relative to the greatest there can be; 0 for a row that is 0."""
    matters = importances.any(axis=1)
    concentration = np.zeros(len(importances))
    concentration[matters] = 1 - entropy(importances[matters], axis=1) / np.log(
        max(importances.shape[1], 2)
    )
    return concentration
