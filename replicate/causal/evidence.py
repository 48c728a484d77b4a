"""Evidence for one step, a skewed step or two resolved steps in a loop.

Laplace's approximation serves for a map, nested sampling for a few loops. This is pathway 1 of the
abstract: prior knowledge is stated, and what is believed changes with the data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp, ndtri

from replicate.causal import library
from replicate.causal.loop_models import MODELS, PARAMETERS, Prior, Quarters
from replicate.causal.marginal import draw, integrate

#: Step of the finite differences, in prior standard deviations.
STEP = 3e-4

#: Greatest number of Newton steps.
STEPS_AT_MOST = 60

#: Gain in the log posterior below which Newton's method stops, nats.
GAIN = 1e-3

#: Number of loops that are worked on together.
CHUNK = 120

#: Number of live points of nested sampling.
N_LIVE = 150

#: Where the climb of the two-step model starts: its widths, less those of the fitted one step, in
#: prior standard deviations.
NARROW = -0.7

#: Where the second climb of the two-step model starts: its widths, in prior standard deviations
#: from the prior mean.
NARROW_ANYWHERE = -1.0

#: Least curvature of the log posterior that is believed; the prior alone has 1.
LEAST_CURVATURE = 0.3

#: Number of parameters that all models share: those of one step.
N_SHARED = len(PARAMETERS["one"])


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
        Posterior covariance of `u`.
    """

    u: np.ndarray
    log_evidence: np.ndarray
    covariance: np.ndarray

    def of_loops(self, loops: slice | np.ndarray) -> Fit:
        """Return the fits of some of the loops.

        Parameters
        ----------
        loops : slice or ndarray of int, shape (n_chosen,)

        Returns
        -------
        Fit
        """
        return Fit(self.u[loops], self.log_evidence[loops], self.covariance[loops])


def log_posterior(
    model: str, u: np.ndarray, loops: np.ndarray, quarters: Quarters, prior: Prior
) -> np.ndarray:
    """Return log likelihood plus log prior up to its constant.

    Parameters
    ----------
    model : {"one", "skewed", "two"}
    u : ndarray, shape (..., n_parameters)
    loops : ndarray, shape (..., n_points)
        z-scores.
    quarters : Quarters
    prior : Prior

    Returns
    -------
    ndarray, shape (...)
        Nats.
    """
    likelihood = integrate(model, u, loops, quarters, prior).log_likelihood
    return likelihood - (u**2).sum(axis=-1) / 2


def derivatives(
    function: Callable[[np.ndarray], np.ndarray], u: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return value, gradient and Hessian of a function by finite differences.

    Parameters
    ----------
    function : callable
        Turns an array of shape (..., n, d) into one of shape (..., n).
    u : ndarray, shape (n, d)

    Returns
    -------
    value : ndarray, shape (n,)
    gradient : ndarray, shape (n, d)
    hessian : ndarray, shape (n, d, d)
    """
    n, d = u.shape
    eye = STEP * np.eye(d)
    pairs = np.array([(i, j) for i in range(d) for j in range(i)])
    i, j = pairs.T
    moves = np.concatenate([np.zeros((1, d)), eye, -eye, eye[i] + eye[j]])
    values = function(u + moves[:, np.newaxis])
    middle = values[0]
    up = values[1 : d + 1]
    down = values[d + 1 : 2 * d + 1]
    both = values[2 * d + 1 :]
    gradient = ((up - down) / (2 * STEP)).T
    hessian = np.empty((n, d, d))
    hessian[:, range(d), range(d)] = ((up - 2 * middle + down) / STEP**2).T
    # Forward in both directions: the error is the third derivative times the step, which is small.
    mixed = ((both - up[i] - up[j] + middle) / STEP**2).T
    hessian[:, i, j] = mixed
    hessian[:, j, i] = mixed
    return middle, gradient, hessian


def climb(
    model: str, u: np.ndarray, loops: np.ndarray, quarters: Quarters, prior: Prior
) -> np.ndarray:
    """Climb to a maximum of the posterior of each loop by damped Newton steps.

    Loops that have arrived are left alone.

    Parameters
    ----------
    model : {"one", "skewed", "two"}
    u : ndarray, shape (n, n_parameters)
        Where to start.
    loops : ndarray, shape (n, n_points)
        z-scores.
    quarters : Quarters
    prior : Prior

    Returns
    -------
    ndarray, shape (n, n_parameters)
        The maxima.
    """
    u = u.copy()
    damping = np.ones(len(u))
    active = np.arange(len(u))
    for _ in range(STEPS_AT_MOST):
        posterior = _posterior_of(model, loops[active], quarters, prior)
        value, gradient, hessian = derivatives(posterior, u[active])
        move = _newton_step(gradient, hessian, damping[active])
        gain = posterior(u[active] + move) - value
        better = gain > 0
        u[active[better]] += move[better]
        damping[active] *= np.where(better, 0.1, 10)
        still_gaining = better & (gain > GAIN)
        may_still_gain = ~better & (damping[active] < 1e9)
        active = active[still_gaining | may_still_gain]
        if not len(active):
            break
    return u


def _posterior_of(model, loops, quarters, prior):
    """Return the log posterior of loops as a function of `u` alone."""

    def posterior(u):
        return log_posterior(model, u, loops, quarters, prior)

    return posterior


def _newton_step(gradient, hessian, damping):
    """Return a damped Newton step uphill, not longer than 1, for each loop, shape (n, d)."""
    curvature, axes = np.linalg.eigh(-hessian)
    # Downhill curvature is taken as uphill: away from saddle points.
    along = np.einsum("nji,nj->ni", axes, gradient) / (
        np.maximum(np.abs(curvature), 1e-2) + damping[:, np.newaxis]
    )
    move = np.einsum("nij,nj->ni", axes, along)
    move /= np.maximum(1, np.linalg.norm(move, axis=1, keepdims=True))
    return move


def at_maximum(
    model: str, u: np.ndarray, loops: np.ndarray, quarters: Quarters, prior: Prior
) -> Fit:
    """Apply Laplace's approximation at a maximum of the posterior.

    A curvature below `LEAST_CURVATURE` is raised to it.

    Parameters
    ----------
    model : {"one", "skewed", "two"}
    u : ndarray, shape (n, n_parameters)
        The maximum of each loop.
    loops : ndarray, shape (n, n_points)
        z-scores.
    quarters : Quarters
    prior : Prior

    Returns
    -------
    Fit
    """
    value, _, hessian = derivatives(_posterior_of(model, loops, quarters, prior), u)
    curvature, axes = np.linalg.eigh(-hessian)
    curvature = np.maximum(curvature, LEAST_CURVATURE)
    covariance = np.einsum("nij,nj,nkj->nik", axes, 1 / curvature, axes)
    return Fit(u, value - np.log(curvature).sum(axis=1) / 2, covariance)


def starts(model: str, one_step: np.ndarray) -> list[np.ndarray]:
    """Return where to climb from.

    Parameters
    ----------
    model : {"one", "skewed", "two"}
    one_step : ndarray, shape (n, N_SHARED)
        The maximum of the one-step model; zeros, the prior mean, before it is known.

    Returns
    -------
    list of ndarray, each of shape (n, n_parameters)
        One start; for two steps, two.
    """
    n = len(one_step)
    d = len(PARAMETERS[model])
    extended = np.zeros((n, d))
    extended[:, :N_SHARED] = one_step[:, :N_SHARED]
    if model != "two":
        return [extended]
    widths = [i for i, name in enumerate(PARAMETERS[model]) if name == "width"]
    narrow = extended.copy()
    narrow[:, widths] += NARROW
    # Two steps differ from one most where one width is that of neither.
    narrow_anywhere = extended.copy()
    narrow_anywhere[:, widths] = NARROW_ANYWHERE
    return [narrow, narrow_anywhere]


def laplace(
    loops: np.ndarray,
    quarters: Quarters,
    prior: Prior | None = None,
    progress: Callable[[int], object] | None = None,
) -> dict[str, Fit]:
    """Approximate the evidence of every model for each loop.

    Parameters
    ----------
    loops : ndarray, shape (n, n_points)
        Response in the switching quarters, z-scores.
    quarters : Quarters
    prior : Prior, optional
    progress : callable, optional
        Called with the number of loops of each part that is done.

    Returns
    -------
    dict of str to Fit
        By model.
    """
    prior = prior or Prior()
    loops = np.asarray(loops, dtype=np.float64)
    n_chunks = -(-len(loops) // CHUNK)
    parts = []
    for chunk in np.array_split(loops, n_chunks):
        parts.append(_laplace(chunk, quarters, prior))
        if progress:
            progress(len(chunk))
    return {model: _joined([part[model] for part in parts]) for model in MODELS}


def _laplace(loops, quarters, prior):
    """Approximate the evidence of every model for loops that are worked on together."""
    fits = {}
    one_step = np.zeros((len(loops), N_SHARED))
    every = np.arange(len(loops))
    for model in MODELS:
        maxima = np.stack(
            [climb(model, start, loops, quarters, prior) for start in starts(model, one_step)]
        )
        best = np.argmax(log_posterior(model, maxima, loops, quarters, prior), axis=0)
        fits[model] = at_maximum(model, maxima[best, every], loops, quarters, prior)
        if model == "one":
            one_step = fits[model].u
    return fits


def _joined(fits):
    """Join the fits of several parts of the loops."""
    return Fit(
        u=np.concatenate([fit.u for fit in fits]),
        log_evidence=np.concatenate([fit.log_evidence for fit in fits]),
        covariance=np.concatenate([fit.covariance for fit in fits]),
    )


def stacked(fits: dict[str, Fit]) -> np.ndarray:
    """Return the log evidence of every model for each loop.

    Parameters
    ----------
    fits : dict of str to Fit
        By model.

    Returns
    -------
    ndarray, shape (n_models, n)
        Nats, in the order of `MODELS`.
    """
    return np.stack([fits[model].log_evidence for model in MODELS])


def log_bayes_factor(log_evidence: np.ndarray) -> np.ndarray:
    """Return the log evidence of two steps over that of the better one-step model.

    Parameters
    ----------
    log_evidence : ndarray, shape (n_models, n)
        Nats, in the order of `MODELS`.

    Returns
    -------
    ndarray, shape (n,)
        Nats.
    """
    one, skewed, two = log_evidence
    return two - np.maximum(one, skewed)


def log_odds(log_evidence: np.ndarray) -> np.ndarray:
    """Return the posterior log odds of three states against two, at even prior odds.

    Three states are the two-step model. Two states are the one-step models, skewed or not, with
    even chances.

    Parameters
    ----------
    log_evidence : ndarray, shape (n_models, n)
        Nats, in the order of `MODELS`.

    Returns
    -------
    ndarray, shape (n,)
    """
    one, skewed, two = log_evidence
    return two - logsumexp([one, skewed], axis=0) + np.log(2)


def probability(log_evidence: np.ndarray) -> np.ndarray:
    """Return the posterior probability of three states, at even prior odds.

    Parameters
    ----------
    log_evidence : ndarray, shape (n_models, n)
        Nats, in the order of `MODELS`.

    Returns
    -------
    ndarray, shape (n,)
    """
    return 1 / (1 + np.exp(-log_odds(log_evidence)))


def nested(
    model: str,
    loop: np.ndarray,
    quarters: Quarters,
    prior: Prior | None = None,
    n_live: int = N_LIVE,
    seed: int = 0,
) -> tuple[float, float]:
    """Sample one model's posterior for one loop by nested sampling.

    Parameters
    ----------
    model : {"one", "skewed", "two"}
    loop : ndarray, shape (n_points,)
        z-scores.
    quarters : Quarters
    prior : Prior, optional
    n_live : int
        Number of live points.
    seed : int

    Returns
    -------
    log_evidence, error : float
        Nats.

    Raises
    ------
    ReplicationError
        If dynesty is not installed.
    """
    dynesty = library("dynesty")
    prior = prior or Prior()

    def log_likelihood(u):
        return float(integrate(model, u, loop, quarters, prior).log_likelihood)

    def standard_normal(cube):
        return ndtri(np.clip(cube, 1e-12, 1 - 1e-12))

    sampler = dynesty.NestedSampler(
        log_likelihood,
        standard_normal,
        len(PARAMETERS[model]),
        nlive=n_live,
        sample="rwalk",
        rstate=np.random.default_rng(seed),
    )
    sampler.run_nested(print_progress=False, dlogz=0.1)
    return float(sampler.results.logz[-1]), float(sampler.results.logzerr[-1])


def arrival(
    loop: np.ndarray, quarters: Quarters, counts: Sequence[int], prior: Prior | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Follow what is believed of one loop as its voltage steps arrive.

    Parameters
    ----------
    loop : ndarray, shape (n_points,)
        z-scores.
    quarters : Quarters
    counts : sequence of int, length n_counts
        Numbers of steps that have arrived.
    prior : Prior, optional

    Returns
    -------
    probability : ndarray, shape (n_counts,)
        Posterior probability of three states.
    coercive : ndarray, shape (n_counts, 2)
        Mean and standard deviation of the coercive voltage on the rising quarter by the two-step
        model, V.
    """
    prior = prior or Prior()
    prior_mean, prior_sd = prior.positive
    positive = PARAMETERS["two"].index("positive")
    probabilities = []
    coercive = []
    for n in counts:
        fits = laplace(np.asarray(loop)[np.newaxis, :n], quarters.first(n), prior)
        probabilities.append(probability(stacked(fits))[0])
        mean = prior_mean + prior_sd * fits["two"].u[0, positive]
        sd = prior_sd * np.sqrt(fits["two"].covariance[0, positive, positive])
        coercive.append((mean, sd))
    return np.array(probabilities), np.array(coercive)


def replicate_loops(
    model: str,
    fit: Fit,
    index: int,
    loop: np.ndarray,
    quarters: Quarters,
    rng: np.random.Generator,
    n: int = 400,
    prior: Prior | None = None,
) -> np.ndarray:
    """Draw loops from the posterior predictive distribution of one fitted loop.

    Parameters
    ----------
    model : {"one", "skewed", "two"}
    fit : Fit
    index : int
        Number of the loop in the fit.
    loop : ndarray, shape (n_points,)
        The loop that was fitted, z-scores.
    quarters : Quarters
    rng : Generator
    n : int
        Number of loops to draw.
    prior : Prior, optional

    Returns
    -------
    ndarray, shape (n, n_points)
        z-scores.
    """
    prior = prior or Prior()
    u = rng.multivariate_normal(fit.u[index], fit.covariance[index], size=n)
    repeated = np.broadcast_to(loop, (n, len(loop)))
    conjugate = integrate(model, u, repeated, quarters, prior)
    return draw(model, u, conjugate, quarters, prior, rng)
