"""The evidence at every pixel, kept on disk; how prevalent three states are; nested sampling.

Both the map and the nested samples are read from their files where they were made before with the
same data and priors.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from replicate.causal import evidence, loop_models, marginal
from replicate.causal.evidence import Fit
from replicate.causal.loop_models import Prior, Quarters
from replicate.files import read_json, read_npz, write_json, write_npz

#: Prevalences that are weighed.
GRID = np.linspace(0, 1, 201)

#: Least log likelihood of a pixel. It stands for minus infinity, which no sum over blocks may hold.
LEAST_LOG_LIKELIHOOD = -1e4


def key(loops: np.ndarray, quarters: Quarters, prior: Prior) -> str:
    """Return the hash of everything that the evidence depends on: data, priors and models.

    Parameters
    ----------
    loops : ndarray, shape (n_pixels, n_points) or (n_points,)
    quarters : Quarters
    prior : Prior

    Returns
    -------
    str
        sha256, hexadecimal.
    """
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


def evidence_map(
    loops: np.ndarray,
    quarters: Quarters,
    path: Path,
    prior: Prior | None = None,
    progress: Callable[[int], object] | None = None,
) -> np.ndarray:
    """Approximate the evidence of every model at every pixel, or read it from a file.

    Parameters
    ----------
    loops : ndarray, shape (n_pixels, n_points)
        Response in the switching quarters, z-scores.
    quarters : Quarters
    path : path-like
        The `.npz` that the map is kept in. It is read if it was made with the same data and priors.
    prior : Prior, optional
    progress : callable, optional
        Called with the number of pixels of each part that is done.

    Returns
    -------
    ndarray, shape (n_models, n_pixels)
        Log evidence, nats, in the order of `MODELS`.
    """
    prior = prior or Prior()
    map_key = key(loops, quarters, prior)
    if path.exists():
        stored = read_npz(path)
        if str(stored.get("key")) == map_key:
            return stored["log_evidence"]
    log_evidence = evidence.stacked(evidence.laplace(loops, quarters, prior, progress))
    write_npz(path, log_evidence=log_evidence, key=np.array(map_key))
    return log_evidence


def log_likelihood(odds: np.ndarray) -> np.ndarray:
    """Return the log likelihood of each prevalence of `GRID` for each pixel.

    Parameters
    ----------
    odds : ndarray, shape (n_pixels,)
        Log odds of three states, as `evidence.log_odds` returns them.

    Returns
    -------
    ndarray, shape (n_grid, n_pixels)
        Up to a constant of each pixel, nats.
    """
    with np.errstate(divide="ignore"):
        three_states = np.log(GRID)[:, np.newaxis] + odds
        two_states = np.log1p(-GRID)[:, np.newaxis]
    return np.logaddexp(three_states, two_states)


def posterior_moments(log_likelihoods: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of the prevalence for a uniform prior.

    Parameters
    ----------
    log_likelihoods : ndarray, shape (n_grid, ...)

    Returns
    -------
    mean, sd : ndarray, shape (...)
        Between 0 and 1.
    """
    weights = np.exp(log_likelihoods - log_likelihoods.max(axis=0))
    weights /= weights.sum(axis=0)
    mean = np.tensordot(GRID, weights, axes=1)
    variance = np.tensordot(GRID**2, weights, axes=1) - mean**2
    return mean, np.sqrt(np.maximum(variance, 0))


def prevalence(
    odds: np.ndarray, blocks: np.ndarray, n_boot: int = 1000, seed: int = 0
) -> dict[str, float | int]:
    """Estimate which share of the pixels has three states, and how well that is known.

    Neighbours are alike, so that the pixels know less than as many independent ones would.

    Parameters
    ----------
    odds : ndarray, shape (n,)
        Log odds of three states, as `evidence.log_odds` returns them.
    blocks : ndarray of int, shape (n,)
        The spatial block of each pixel; blocks, not pixels, are drawn again.
    n_boot : int
        Number of times that the blocks are drawn again.
    seed : int

    Returns
    -------
    dict
        ``mean``; ``sd`` as if pixels were exchangeable; ``low`` and ``high``, the 95 % interval of
        the block bootstrap; ``pixels`` and ``blocks``, their numbers.
    """
    _, member = np.unique(blocks, return_inverse=True)
    n_blocks = member.max() + 1
    finite = np.maximum(log_likelihood(odds), LEAST_LOG_LIKELIHOOD)
    by_block = np.stack([np.bincount(member, weights=row, minlength=n_blocks) for row in finite])
    drawn = np.random.default_rng(seed).multinomial(
        n_blocks, np.full(n_blocks, 1 / n_blocks), size=n_boot
    )
    mean, sd = posterior_moments(by_block.sum(axis=1))
    resampled_means, _ = posterior_moments(by_block @ drawn.T)
    low, high = np.percentile(resampled_means, [2.5, 97.5])
    return {
        "mean": float(mean),
        "sd": float(sd),
        "low": float(low),
        "high": float(high),
        "pixels": len(odds),
        "blocks": int(n_blocks),
    }


def updated(odds: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Follow the mean of the prevalence as scan rows arrive.

    Parameters
    ----------
    odds : ndarray, shape (n,)
        Log odds of three states, as `evidence.log_odds` returns them.
    rows : ndarray of int, shape (n,)
        Scan row of each pixel.

    Returns
    -------
    ndarray, shape (n_rows,)
        The mean after each row.
    """
    by_row = [log_likelihood(odds[rows == row]).sum(axis=1) for row in np.unique(rows)]
    means, _ = posterior_moments(np.cumsum(by_row, axis=0).T)
    return means


def nested_table(
    loops: np.ndarray,
    fits: dict[str, Fit],
    quarters: Quarters,
    path: Path,
    seed: int = 0,
    progress: Callable[[int], object] | None = None,
) -> list[dict[str, float | str]]:
    """Compare the two-step model with the better one-step model of each loop by nested sampling.

    Parameters
    ----------
    loops : ndarray, shape (n, n_points)
        Response in the switching quarters, z-scores.
    fits : dict of str to Fit
        Laplace's approximation for the same loops, by which the better one-step model is chosen.
    quarters : Quarters
    path : path-like
        The JSON file that every sampling is kept in as soon as it is done.
    seed : int
    progress : callable, optional
        Called with 1 after each sampling.

    Returns
    -------
    list of dict
        One a loop: ``nested``, the log evidence of two steps over that of the other model, nats;
        ``error``, its standard error; ``laplace``, the same quantity by Laplace's approximation;
        ``against``, the other model.

    Raises
    ------
    ReplicationError
        If dynesty is not installed.
    """
    samplings = read_json(path) if path.exists() else {}

    def sample(model, loop):
        loop_key = key(loop, quarters, Prior())
        name = f"{model} {evidence.N_LIVE} {seed} {loop_key}"
        if name not in samplings:
            samplings[name] = evidence.nested(model, loop, quarters, seed=seed)
            write_json(path, samplings)
        if progress:
            progress(1)
        return samplings[name]

    table = []
    for i, loop in enumerate(loops):
        is_skewed = fits["skewed"].log_evidence[i] > fits["one"].log_evidence[i]
        simpler = "skewed" if is_skewed else "one"
        one, one_error = sample(simpler, loop)
        two, two_error = sample("two", loop)
        table.append(
            {
                "nested": two - one,
                "error": float(np.hypot(one_error, two_error)),
                "laplace": fits["two"].log_evidence[i] - fits[simpler].log_evidence[i],
                "against": simpler,
            }
        )
    return table
