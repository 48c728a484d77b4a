"""Evidence for one step, a skewed step or two resolved steps in a loop: Laplace's approximation for a map, nested sampling for a few.

Pathway 1 of the abstract: prior knowledge is stated, and what is believed changes with the data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp, ndtri

from replicate.causal import library
from replicate.causal.loop_models import MODELS, PARAMETERS, Prior
from replicate.causal.marginal import draw, integrate

STEP = 3e-4
"""Of the finite differences, in prior standard deviations."""

STEPS_AT_MOST, GAIN = 60, 1e-3
"""Newton steps, and the gain, nats, at which they stop."""

CHUNK = 120
"""Loops that are worked on together."""

N_LIVE = 150
"""Live points of nested sampling."""

NARROW = -0.7
"""Where the width of a resolved step is first looked for, from that of the one step, prior standard deviations."""


@dataclass(frozen=True)
class Fit:
    """Laplace's approximation of one model's posterior for each loop.

    Attributes
    ----------
    u : ndarray, shape (n, n_parameters)
        Where the posterior is greatest.
    log_evidence : ndarray, shape (n,)
        Nats.
    covariance : ndarray, shape (n, n_parameters, n_parameters)
        Of u.
    """

    u: np.ndarray
    log_evidence: np.ndarray
    covariance: np.ndarray


def log_posterior(model, u, loops, quarters, prior):
    """Return log likelihood plus log prior of `u` up to its constant, nats; the shapes are those of `integrate`."""
    return integrate(model, u, loops, quarters, prior).log_likelihood - (u**2).sum(axis=-1) / 2


def derivatives(function, u):
    """Return value, gradient and Hessian of a function of (..., n, d) at `u`, (n, d), by finite differences."""
    n, d = u.shape
    eye = STEP * np.eye(d)
    pairs = np.array([(i, j) for i in range(d) for j in range(i)])
    moves = np.concatenate([np.zeros((1, d)), eye, -eye, eye[pairs[:, 0]] + eye[pairs[:, 1]]])
    values = function(u + moves[:, np.newaxis])
    middle, up, down, both = (
        values[0],
        values[1 : d + 1],
        values[d + 1 : 2 * d + 1],
        values[2 * d + 1 :],
    )
    hessian = np.empty((n, d, d))
    hessian[:, range(d), range(d)] = ((up - 2 * middle + down) / STEP**2).T
    # Central in both directions but for the third derivative, which the small step makes negligible.
    mixed = ((both - up[pairs[:, 0]] - up[pairs[:, 1]] + middle) / STEP**2).T
    hessian[:, pairs[:, 0], pairs[:, 1]] = hessian[:, pairs[:, 1], pairs[:, 0]] = mixed
    return middle, ((up - down) / (2 * STEP)).T, hessian


def climb(model, u, loops, quarters, prior):
    """Climb from `u`, (n, d), to a maximum of the posterior by damped Newton steps; loops that have arrived are left alone."""
    u, damping, active = u.copy(), np.ones(len(u)), np.arange(len(u))
    for _ in range(STEPS_AT_MOST):
        own = loops[active]
        value, gradient, hessian = derivatives(
            lambda each, own=own: log_posterior(model, each, own, quarters, prior), u[active]
        )
        curvature, axes = np.linalg.eigh(-hessian)
        # Downhill curvature is taken as uphill: away from saddle points.
        along = np.einsum("nji,nj->ni", axes, gradient) / (
            np.maximum(np.abs(curvature), 1e-2) + damping[active, np.newaxis]
        )
        move = np.einsum("nij,nj->ni", axes, along)
        move /= np.maximum(1, np.linalg.norm(move, axis=1, keepdims=True))
        gain = log_posterior(model, u[active] + move, own, quarters, prior) - value
        better = gain > 0
        u[active[better]] += move[better]
        damping[active] *= np.where(better, 0.1, 10)
        active = active[(better & (gain > GAIN)) | (~better & (damping[active] < 1e9))]
        if not len(active):
            break
    return u


def at_maximum(model, u, loops, quarters, prior):
    """Return the `Fit` that Laplace's approximation gives at a maximum; an eigenvalue below 1, the prior's own, is not believed."""
    value, _, hessian = derivatives(
        lambda each: log_posterior(model, each, loops, quarters, prior), u
    )
    curvature, axes = np.linalg.eigh(-hessian)
    curvature = np.maximum(curvature, 0.3)
    covariance = np.einsum("nij,nj,nkj->nik", axes, 1 / curvature, axes)
    return Fit(u, value - np.log(curvature).sum(axis=1) / 2, covariance)


def starts(model, one):
    """Return where to climb from, a list of (n, d): the prior mean, and for the larger models the one step found."""
    n, d = len(one), len(PARAMETERS[model])
    extended = np.zeros((n, d))
    extended[:, :5] = one[:, :5]
    if model != "two":
        return [extended]
    narrow = extended.copy()
    narrow[:, 3:5] += NARROW
    # Two steps differ from one most where one width is that of neither.
    return [
        narrow,
        np.concatenate([narrow[:, :3], np.full((n, 2), -1.0), np.zeros((n, d - 5))], axis=1),
    ]


def laplace(loops, quarters, prior=None, progress=None):
    """Approximate the evidence of every model.

    Parameters
    ----------
    loops : ndarray, shape (n, n_points)
        Response in the switching quarters, z-scores.
    quarters : Quarters
    prior : Prior, optional
    progress : callable, optional
        Called with the number of loops done.

    Returns
    -------
    dict of str to Fit
        By model.
    """
    prior = prior or Prior()
    loops = np.asarray(loops, dtype=np.float64)
    parts = []
    for chunk in np.array_split(loops, -(-len(loops) // CHUNK)):
        parts.append(_laplace(chunk, quarters, prior))
        if progress:
            progress(len(chunk))
    return {
        model: Fit(
            *(
                np.concatenate([getattr(part[model], name) for part in parts])
                for name in vars(parts[0][model])
            )
        )
        for model in MODELS
    }


def _laplace(loops, quarters, prior):
    fits, one = {}, np.zeros((len(loops), 5))
    for model in MODELS:
        tops = np.stack(
            [climb(model, start, loops, quarters, prior) for start in starts(model, one)]
        )
        best = np.argmax(log_posterior(model, tops, loops, quarters, prior), axis=0)
        u = tops[best, np.arange(len(loops))]
        fits[model] = at_maximum(model, u, loops, quarters, prior)
        one = u if model == "one" else one
    return fits


def log_bayes_factor(fits):
    """Return the log evidence of two steps over that of the better of one step and a skewed step, (n,), nats."""
    return fits["two"].log_evidence - np.maximum(
        fits["one"].log_evidence, fits["skewed"].log_evidence
    )


def probability(fits):
    """Return the posterior probability of three states, (n,): two steps against one, skewed or not, at even odds."""
    odds = (
        fits["two"].log_evidence
        - logsumexp([fits[model].log_evidence for model in ("one", "skewed")], axis=0)
        + np.log(2)
    )
    return 1 / (1 + np.exp(-odds))


def nested(model, loop, quarters, prior=None, n_live=N_LIVE, seed=0):
    """Sample one model's posterior for one loop, (n_points,), by nested sampling; return the log evidence and its error, nats."""
    dynesty, prior = library("dynesty"), prior or Prior()
    sampler = dynesty.NestedSampler(
        lambda u: float(integrate(model, u, loop, quarters, prior).log_likelihood),
        lambda cube: ndtri(np.clip(cube, 1e-12, 1 - 1e-12)),
        len(PARAMETERS[model]),
        nlive=n_live,
        sample="rwalk",
        rstate=np.random.default_rng(seed),
    )
    sampler.run_nested(print_progress=False, dlogz=0.1)
    return float(sampler.results.logz[-1]), float(sampler.results.logzerr[-1])


def arrival(loop, quarters, counts, prior=None):
    """Follow what is believed of one loop, (n_points,), as its voltage steps arrive.

    Returns
    -------
    probability : ndarray, shape (n_counts,)
        Of three states, after each of `counts` steps.
    coercive : ndarray, shape (n_counts, 2)
        Mean and standard deviation of the coercive voltage on the rising quarter by the two-step model, V.
    """
    prior = prior or Prior()
    believed, coercive = [], []
    for n in counts:
        fits = laplace(np.asarray(loop)[np.newaxis, :n], quarters.first(n), prior)
        believed.append(probability(fits)[0])
        mean, sd = prior.positive
        coercive.append(
            (mean + sd * fits["two"].u[0, 2], sd * np.sqrt(fits["two"].covariance[0, 2, 2]))
        )
    return np.array(believed), np.array(coercive)


def replicate_loops(model, fit, index, loop, quarters, rng, n=400, prior=None):
    """Draw `n` loops, (n, n_points), as the posterior of one fitted loop predicts them."""
    prior = prior or Prior()
    u = rng.multivariate_normal(fit.u[index], fit.covariance[index], size=n)
    return draw(
        model,
        u,
        integrate(model, u, np.broadcast_to(loop, (n, len(loop))), quarters, prior),
        quarters,
        prior,
        rng,
    )
