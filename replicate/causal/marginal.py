"""The likelihood of a loop with its saturation lines and its noise integrated out, and loops drawn from what is known of them.

Levels and slopes of the lines are Gaussian, the variance of the noise inverse gamma; the residuals are an AR(1) process on each quarter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from replicate.causal.loop_models import design, natural

LINES = np.array([-1.0, 0.2, 1.0, 0.2])
"""Prior mean of the lower line's level at 0 V and rise to the greatest voltage, and of the upper line's, in z-scores."""

LINES_SD = 50.0
"""Their prior standard deviation, in units of that of the noise."""

PRECISION = np.eye(4) / LINES_SD**2

NOISE = (1.0, 0.02**2)
"""Shape and scale of the inverse gamma prior of the variance of the noise, z-scores squared."""


def whiten(values, correlation, quarters):
    """Take the AR(1) correlation, shape (...), out of `values`, shape (..., n_points, k), quarter by quarter."""
    rho = correlation[..., np.newaxis, np.newaxis]
    white = values.copy()
    later = (values[..., 1:, :] - rho * values[..., :-1, :]) / np.sqrt(1 - rho**2)
    np.copyto(white[..., 1:, :], later, where=quarters.inner[:, np.newaxis])
    return white


@dataclass(frozen=True)
class Conjugate:
    """What is left when lines and noise are integrated out.

    Attributes
    ----------
    log_likelihood : ndarray, shape (...)
        Marginal likelihood, nats.
    lines : ndarray, shape (..., 4)
        Posterior mean of the lines.
    precision : ndarray, shape (..., 4, 4)
        Their posterior precision, times the variance of the noise.
    shape : float
    scale : ndarray, shape (...)
        Posterior inverse gamma of the variance of the noise.
    """

    log_likelihood: np.ndarray
    lines: np.ndarray
    precision: np.ndarray
    shape: float
    scale: np.ndarray


def integrate(model, u, loops, quarters, prior):
    """Integrate lines and noise out.

    Parameters
    ----------
    model : {"one", "skewed", "two"}
    u : ndarray, shape (..., n_parameters)
    loops : ndarray, shape (..., n_points)
        Measured response in the quarters.
    quarters : Quarters
    prior : Prior

    Returns
    -------
    Conjugate
    """
    parameters = natural(model, u, prior)
    rho = np.tanh(parameters[..., 0])
    columns = design(model, parameters, quarters)
    both = np.concatenate(
        [columns, np.broadcast_to(loops, columns.shape[:-1])[..., np.newaxis]], axis=-1
    )
    white = whiten(both, rho, quarters)
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


def draw(model, u, conjugate, quarters, prior, rng):
    """Draw one loop, (..., n_points), for each `u` and what is known of its lines and noise."""
    parameters = natural(model, u, prior)
    noise = np.sqrt(conjugate.scale / rng.gamma(conjugate.shape, size=conjugate.scale.shape))
    root = np.linalg.cholesky(np.linalg.inv(conjugate.precision))
    deviation = (root @ rng.standard_normal(conjugate.lines.shape)[..., np.newaxis])[..., 0]
    lines = conjugate.lines + noise[..., np.newaxis] * deviation
    mean = (design(model, parameters, quarters) @ lines[..., np.newaxis])[..., 0]
    return mean + noise[..., np.newaxis] * autoregressive(
        np.tanh(parameters[..., 0]), quarters, rng
    )


def autoregressive(rho, quarters, rng):
    """Draw AR(1) noise of variance 1, (..., n_points), starting afresh on each quarter."""
    noise = rng.standard_normal(rho.shape + quarters.voltage.shape)
    for i in np.flatnonzero(quarters.inner) + 1:
        noise[..., i] = rho * noise[..., i - 1] + np.sqrt(1 - rho**2) * noise[..., i]
    return noise
