"""Three models of how a loop switches, with priors: one step, one skewed step, two resolved steps through a shared middle state.

The response lies between two saturation lines, at the fraction g(V) that has switched. Only the two quarter cycles on which switching
happens are modelled. `marginal` integrates lines and noise out; what is left, the AR coefficient of the noise and a few parameters of the
step, is u, standard normal a priori.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy.special import expit

RESOLVED = 2 * np.log(2 + np.sqrt(3))
"""Separation of two equal logistic steps over their width beyond which the slope has two peaks."""


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
    "two": (
        "correlation",
        "negative",
        "positive",
        "width",
        "width",
        "separation",
        "separation",
        "middle",
    ),
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
        return cls(
            np.asarray(voltage, dtype=np.float64)[chosen], (steps > half)[chosen]
        ), np.flatnonzero(chosen)

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
        lower, upper = (
            expit((quarters.voltage - centre + shift) / width) for shift in (half, -half)
        )
        return middle * lower + (1 - middle) * upper
    up = expit((quarters.voltage - centre) / width)
    return up ** np.exp(parameters[..., 5 + rising]) if model == "skewed" else up


def design(model, parameters, quarters):
    """Return the mean's columns, (..., n_points, 4): level and rise of the lower and of the upper line, weighted by what is there."""
    up = switched(model, parameters, quarters)
    field = quarters.voltage / 16.0
    return np.stack([1 - up, (1 - up) * field, up, up * field], axis=-1)
