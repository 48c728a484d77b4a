"""The likelihood of a loop with its saturation lines and its noise integrated out, and loop draws.

Levels and slopes of the lines are Gaussian, the variance of the noise inverse gamma; the residuals
are an AR(1) process on each quarter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from replicate.causal.loop_models import Prior, Quarters, design, natural

#: Prior mean of the saturation lines, z-scores: level at 0 V and rise to the greatest voltage of
#: the lower line, then of the upper line.
LINES = np.array([-1.0, 0.2, 1.0, 0.2])

#: Prior standard deviation of the saturation lines, in units of that of the noise.
LINES_SD = 50.0

#: Prior precision of the saturation lines, times the variance of the noise.
PRECISION = np.eye(4) / LINES_SD**2

#: Shape and scale of the inverse gamma prior of the variance of the noise, z-scores squared.
NOISE = (1.0, 0.02**2)


def whiten(values: np.ndarray, correlation: np.ndarray, quarters: Quarters) -> np.ndarray:
    """Take the AR(1) correlation out of values, quarter by quarter.

    Parameters
    ----------
    values : ndarray, shape (..., n_points, k)
    correlation : ndarray, shape (...)
        AR coefficient.
    quarters : Quarters

    Returns
    -------
    ndarray, shape (..., n_points, k)
    """
    rho = correlation[..., np.newaxis, np.newaxis]
    white = values.copy()
    later = (values[..., 1:, :] - rho * values[..., :-1, :]) / np.sqrt(1 - rho**2)
    np.copyto(white[..., 1:, :], later, where=quarters.inner[:, np.newaxis])
    return white


@dataclass(frozen=True)
class Conjugate:
    """The posterior of lines and noise, and the likelihood with both integrated out.

    Attributes
    ----------
    log_likelihood : ndarray, shape (...)
        Marginal likelihood, nats.
    lines : ndarray, shape (..., 4)
        Posterior mean of the lines, z-scores.
    precision : ndarray, shape (..., 4, 4)
        Posterior precision of the lines, times the variance of the noise.
    shape : float
        Shape of the posterior inverse gamma of the variance of the noise.
    scale : ndarray, shape (...)
        Scale of that inverse gamma, z-scores squared.
    """

    log_likelihood: np.ndarray
    lines: np.ndarray
    precision: np.ndarray
    shape: float
    scale: np.ndarray


def integrate(
    model: str, u: np.ndarray, loops: np.ndarray, quarters: Quarters, prior: Prior
) -> Conjugate:
    """Integrate lines and noise out.

    Parameters
    ----------
    model : {"one", "skewed", "two"}
    u : ndarray, shape (..., n_parameters)
    loops : ndarray, shape (..., n_points)
        Measured response in the quarters, z-scores.
    quarters : Quarters
    prior : Prior

    Returns
    -------
    Conjugate
    """
    parameters = natural(model, u, prior)
    rho = np.tanh(parameters[..., 0])
    columns = design(model, parameters, quarters)
    measured = np.broadcast_to(loops, columns.shape[:-1])[..., np.newaxis]
    white = whiten(np.concatenate([columns, measured], axis=-1), rho, quarters)
    gram = np.swapaxes(white, -1, -2) @ white
    precision = gram[..., :4, :4] + PRECISION
    target = gram[..., :4, 4] + LINES / LINES_SD**2
    lines = np.linalg.solve(precision, target[..., np.newaxis])[..., 0]
    n = len(quarters.voltage)
    shape = NOISE[0] + n / 2
    squares = gram[..., 4, 4] + LINES @ LINES / LINES_SD**2 - (lines * target).sum(axis=-1)
    scale = NOISE[1] + np.maximum(squares, 0) / 2
    pairs = np.count_nonzero(quarters.inner)
    log_determinant = np.linalg.slogdet(precision)[1] + 8 * np.log(LINES_SD)
    constant = (
        gammaln(shape) - gammaln(NOISE[0]) + NOISE[0] * np.log(NOISE[1]) - n / 2 * np.log(2 * np.pi)
    )
    likelihood = (
        constant - shape * np.log(scale) - log_determinant / 2 - pairs / 2 * np.log1p(-(rho**2))
    )
    return Conjugate(likelihood, lines, precision, shape, scale)


def draw(
    model: str,
    u: np.ndarray,
    conjugate: Conjugate,
    quarters: Quarters,
    prior: Prior,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw one loop for each `u` from the posterior of its lines and noise.

    Parameters
    ----------
    model : {"one", "skewed", "two"}
    u : ndarray, shape (..., n_parameters)
    conjugate : Conjugate
        As `integrate` returns it for the same `u`.
    quarters : Quarters
    prior : Prior
    rng : Generator

    Returns
    -------
    ndarray, shape (..., n_points)
        z-scores.
    """
    parameters = natural(model, u, prior)
    sd = np.sqrt(conjugate.scale / rng.gamma(conjugate.shape, size=conjugate.scale.shape))
    root = np.linalg.cholesky(np.linalg.inv(conjugate.precision))
    deviation = (root @ rng.standard_normal(conjugate.lines.shape)[..., np.newaxis])[..., 0]
    lines = conjugate.lines + sd[..., np.newaxis] * deviation
    mean = (design(model, parameters, quarters) @ lines[..., np.newaxis])[..., 0]
    noise = autoregressive(np.tanh(parameters[..., 0]), quarters, rng)
    return mean + sd[..., np.newaxis] * noise


def autoregressive(rho: np.ndarray, quarters: Quarters, rng: np.random.Generator) -> np.ndarray:
    """Draw AR(1) noise of variance 1 that starts afresh on each quarter.

    Parameters
    ----------
    rho : ndarray, shape (...)
        AR coefficient.
    quarters : Quarters
    rng : Generator

    Returns
    -------
    ndarray, shape (..., n_points)
    """
    noise = rng.standard_normal(rho.shape + quarters.voltage.shape)
    for i in np.flatnonzero(quarters.inner) + 1:
        noise[..., i] = rho * noise[..., i - 1] + np.sqrt(1 - rho**2) * noise[..., i]
    return noise
