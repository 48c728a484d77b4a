"""The evidence at every pixel, kept on disk, and how prevalent the three-state mechanism is."""

from __future__ import annotations

import hashlib

import numpy as np
from scipy.special import logsumexp

from replicate.causal import evidence, loop_models, marginal
from replicate.files import read_json, read_npz, write_json, write_npz

GRID = np.linspace(0, 1, 201)
"""Prevalences that are weighed."""


def key(loops, quarters, prior):
    """Return the hash of everything that the map of the evidence depends on: data, priors, models."""
    constants = [
        vars(prior),
        loop_models.PARAMETERS,
        marginal.LINES.tolist(),
        marginal.LINES_SD,
        marginal.NOISE,
        evidence.NARROW,
    ]
    digest = hashlib.sha256(repr(constants).encode())
    digest.update(np.ascontiguousarray(loops, dtype=np.float64))
    digest.update(np.ascontiguousarray(quarters.voltage))
    return digest.hexdigest()


def evidence_map(loops, quarters, path, prior=None, progress=None):
    """Approximate the evidence of every model at every pixel, or read it where it was done before with just these data and priors.

    Parameters
    ----------
    loops : ndarray, shape (n_pixels, n_points)
    quarters : Quarters
    path : path-like
        The `.npz` it is kept in.
    prior : Prior, optional
    progress : callable, optional
        Called with the number of pixels done.

    Returns
    -------
    ndarray, shape (n_models, n_pixels)
        Log evidence, nats, in the order of `MODELS`.
    """
    prior = prior or loop_models.Prior()
    own = key(loops, quarters, prior)
    if path.exists():
        stored = read_npz(path)
        if str(stored.get("key")) == own:
            return stored["log_evidence"]
    fits = evidence.laplace(loops, quarters, prior, progress)
    log_evidence = np.stack([fits[model].log_evidence for model in loop_models.MODELS])
    write_npz(path, log_evidence=log_evidence, key=np.array(own))
    return log_evidence


def log_odds(log_evidence):
    """Return the log odds of three states, (n_pixels,): two steps against one, skewed or not with even chances."""
    one, skewed, two = log_evidence
    return two - logsumexp([one, skewed], axis=0) + np.log(2)


def log_bayes(log_evidence):
    """Return the log evidence of two steps over that of the better one-step model, (n_pixels,), nats."""
    one, skewed, two = log_evidence
    return two - np.maximum(one, skewed)


def log_likelihood(odds):
    """Return the log likelihood of each prevalence of `GRID` for each pixel's log odds, (n_pixels,): (n_grid, n_pixels)."""
    with np.errstate(divide="ignore"):
        return np.logaddexp(np.log(GRID)[:, np.newaxis] + odds, np.log1p(-GRID)[:, np.newaxis])


def posterior_moments(log_likelihoods):
    """Return mean and standard deviation of the prevalence, each (...), for log likelihoods (n_grid, ...) and a uniform prior."""
    weights = np.exp(log_likelihoods - log_likelihoods.max(axis=0))
    weights /= weights.sum(axis=0)
    mean = np.tensordot(GRID, weights, axes=1)
    return mean, np.sqrt(np.maximum(np.tensordot(GRID**2, weights, axes=1) - mean**2, 0))


def prevalence(odds, blocks, n_boot=1000, seed=0):
    """Estimate how many pixels have three states, and how well that is known where neighbours are alike.

    Parameters
    ----------
    odds : ndarray, shape (n,)
        Log odds of three states.
    blocks : ndarray of int, shape (n,)
        The spatial block of each pixel; blocks, not pixels, are drawn again.
    n_boot, seed : int

    Returns
    -------
    dict
        ``mean``; ``sd`` as if pixels were exchangeable; ``low`` and ``high``, the 95 % interval of the block bootstrap.
    """
    _, member = np.unique(blocks, return_inverse=True)
    n_blocks = member.max() + 1
    pixels = log_likelihood(odds)
    by_block = np.stack(
        [np.bincount(member, weights=row, minlength=n_blocks) for row in np.maximum(pixels, -1e4)]
    )
    drawn = np.random.default_rng(seed).multinomial(
        n_blocks, np.full(n_blocks, 1 / n_blocks), size=n_boot
    )
    mean, sd = posterior_moments(by_block.sum(axis=1))
    low, high = np.percentile(posterior_moments(by_block @ drawn.T)[0], [2.5, 97.5])
    return {
        "mean": float(mean),
        "sd": float(sd),
        "low": float(low),
        "high": float(high),
        "pixels": len(odds),
        "blocks": int(n_blocks),
    }


def updated(odds, rows):
    """Follow the prevalence as scan rows arrive: mean after each row, (n_rows,), of log odds (n,) in `rows`, (n,)."""
    totals = np.cumsum(
        [log_likelihood(odds[rows == row]).sum(axis=1) for row in np.unique(rows)], axis=0
    )
    return posterior_moments(totals.T)[0]


def nested_table(loops, fits, quarters, path, seed=0, progress=None):
    """Sample by nested sampling, for each loop, the better one-step model and two steps; results are kept in a file and used again.

    Parameters
    ----------
    loops : ndarray, shape (n, n_points)
    fits : dict of str to Fit
        Of the same loops, from which the better one-step model is known.
    quarters : Quarters
    path : path-like
        The JSON file.
    seed : int
    progress : callable, optional
        Called with 1 after each.

    Returns
    -------
    list of dict
        ``nested``, ``error`` and ``laplace``: the log evidence of two steps over that of the other, nats.
    """
    kept, found = read_json(path) if path.exists() else {}, []
    simpler = np.where(fits["skewed"].log_evidence > fits["one"].log_evidence, "skewed", "one")
    for i, loop in enumerate(loops):
        sampled = []
        for model in (str(simpler[i]), "two"):
            name = f"{model} {evidence.N_LIVE} {seed} {key(loop, quarters, loop_models.Prior())}"
            if name not in kept:
                kept[name] = evidence.nested(model, loop, quarters, seed=seed)
                write_json(path, kept)
            sampled.append(kept[name])
            if progress:
                progress(1)
        (one, one_error), (two, two_error) = sampled
        laplace = fits["two"].log_evidence[i] - fits[simpler[i]].log_evidence[i]
        found.append(
            {
                "nested": two - one,
                "error": float(np.hypot(one_error, two_error)),
                "laplace": laplace,
                "against": str(simpler[i]),
            }
        )
    return found
