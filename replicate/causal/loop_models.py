"""Three models of how a loop switches, with priors: one step, one skewed step, two resolved steps through a shared middle state.

The response lies between two saturation lines, at the fraction g(V) that has switched. Only the two quarter cycles on which switching
happens are modelled. Levels and slopes of the lines and the size of the noise are integrated out in closed form (Gaussian and inverse
gamma); the residuals are an AR(1) process on each quarter. What is left, a few parameters of the step and the AR coefficient, is u.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy.special import expit, gammaln

RESOLVED = 2 * np.log(2 + np.sqrt(3))
"""Separation of two equal logistic steps over their width beyond which the slope has two peaks."""

LINES = np.array([-1.0, 0.2, 1.0, 0.2])
"""Prior mean of the lower line's level at 0 V and rise to the greatest voltage, and of the upper line's, in z-scores."""

LINES_SD = 50.0
"""Their prior standard deviation, in units of that of the noise."""

PRECISION = np.eye(4) / LINES_SD**2

NOISE = (1.0, 0.02**2)
"""Shape and scale of the inverse gamma prior of the variance of the noise, z-scores squared."""


@dataclass(frozen=True)
class Prior:
    """Priors of u, each Gaussian: (mean, standard deviation).

    Attributes
    ----------
    negative, positive : tuple of float
        Coercive voltage on the falling and on the rising quarter, V.
    width : tuple of float
        Logarithm of the width of a step, in V.
    correlation : tuple of float
        Inverse hyperbolic tangent of the AR coefficient.
    skew : tuple of float
        Logarithm of the exponent of a skewed step.
    separation : tuple of float
        Logarithm of how far two steps are apart beyond being just resolved, over that distance.
    middle : tuple of float
        Logit of the fraction that has switched in the middle state.
    """

    negative: tuple[float, float] = (-7.0, 2.0)
    positive: tuple[float, float] = (8.0, 2.0)
    width: tuple[float, float] = (0.4, 0.5)
    correlation: tuple[float, float] = (0.3, 0.5)
    skew: tuple[float, float] = (0.0, 0.7)
    separation: tuple[float, float] = (-1.2, 0.8)
    middle: tuple[float, float] = (0.0, 0.5)

    def scaled(self, factor):
        """Return these priors with every standard deviation multiplied by `factor`."""
        return Prior(**{name: (mean, factor * sd) for name, (mean, sd) in vars(self).items()})


PARAMETERS = {
    "one": ("correlation", "negative", "positive", "width", "width"),
    "skewed": ("correlation", "negative", "positive", "width", "width", "skew", "skew"),
    "two": ("correlation", "negative", "positive", "width", "width", "separation", "separation", "middle"),
}
MODELS = tuple(PARAMETERS)


@dataclass(frozen=True)
class Quarters:
    """The switching quarter cycles of a loop, in the order they are run through.

    Attributes
    ----------
    voltage : ndarray, shape (n_points,)
        0 V to the negative extreme, then 0 V to the positive one, V.
    rising : ndarray of bool, shape (n_points,)
    """

    voltage: np.ndarray
    rising: np.ndarray

    @classmethod
    def of(cls, voltage):
        """Return the quarters of a cycle that starts at its positive extreme, and which of its steps they are."""
        steps = np.arange(len(voltage))
        half = len(voltage) // 2
        chosen = np.where(steps <= half, voltage <= 0, voltage >= 0)
        return cls(np.asarray(voltage, dtype=np.float64)[chosen], (steps > half)[chosen]), np.flatnonzero(chosen)

    @cached_property
    def inner(self):
        """Whether a point has the one before it on its own quarter, bool, shape (n_points - 1,)."""
        return self.rising[1:] == self.rising[:-1]

    def first(self, n):
        """Return the first `n` points: what was known then."""
        return Quarters(self.voltage[:n], self.rising[:n])


def natural(model, u, prior):
    """Return the parameters of standard normal `u`, shape (..., n_parameters), by their order in `PARAMETERS`."""
    mean, sd = moments(model, prior)
    return mean + sd * u


@lru_cache
def moments(model, prior):
    """Return prior means and standard deviations, each (n_parameters,), by their order in `PARAMETERS`."""
    return tuple(np.array([getattr(prior, name) for name in PARAMETERS[model]]).T)


def switched(model, parameters, quarters):
    """Return the fraction that has switched up, (..., n_points), for natural `parameters`, (..., n_parameters)."""
    rising = quarters.rising.astype(int)
    centre, width = parameters[..., 1 + rising], np.exp(parameters[..., 3 + rising])
    if model == "two":
        half = RESOLVED * width * (1 + np.exp(parameters[..., 5 + rising])) / 2
        middle = expit(parameters[..., 7:8])
        lower, upper = (expit((quarters.voltage - centre + shift) / width) for shift in (half, -half))
        return middle * lower + (1 - middle) * upper
    up = expit((quarters.voltage - centre) / width)
    return up ** np.exp(parameters[..., 5 + rising]) if model == "skewed" else up


def design(model, parameters, quarters):
    """Return the mean's columns, (..., n_points, 4): level and rise of the lower and of the upper line, weighted by what is there."""
    up = switched(model, parameters, quarters)
    field = quarters.voltage / 16.0
    return np.stack([1 - up, (1 - up) * field, up, up * field], axis=-1)


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
    both = np.concatenate([columns, np.broadcast_to(loops, columns.shape[:-1])[..., np.newaxis]], axis=-1)
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
    constant = gammaln(shape) - gammaln(NOISE[0]) + NOISE[0] * np.log(NOISE[1]) - n / 2 * np.log(2 * np.pi)
    likelihood = constant - shape * np.log(scale) - log_determinant / 2 - pairs / 2 * np.log1p(-(rho**2))
    return Conjugate(likelihood, lines, precision, shape, scale)


def draw(model, u, conjugate, quarters, prior, rng):
    """Draw one loop, (..., n_points), for each `u` and what is known of its lines and noise."""
    parameters = natural(model, u, prior)
    noise = np.sqrt(conjugate.scale / rng.gamma(conjugate.shape, size=conjugate.scale.shape))
    root = np.linalg.cholesky(np.linalg.inv(conjugate.precision))
    deviation = (root @ rng.standard_normal(conjugate.lines.shape)[..., np.newaxis])[..., 0]
    lines = conjugate.lines + noise[..., np.newaxis] * deviation
    mean = (design(model, parameters, quarters) @ lines[..., np.newaxis])[..., 0]
    return mean + noise[..., np.newaxis] * autoregressive(np.tanh(parameters[..., 0]), quarters, rng)


def autoregressive(rho, quarters, rng):
    """Draw AR(1) noise of variance 1, (..., n_points), starting afresh on each quarter."""
    noise = rng.standard_normal(rho.shape + quarters.voltage.shape)
    for i in np.flatnonzero(quarters.inner) + 1:
        noise[..., i] = rho * noise[..., i - 1] + np.sqrt(1 - rho**2) * noise[..., i]
    return noise
