"""Three models of how a loop switches, with priors: one step, one skewed step, two resolved steps.

The two steps share a middle state. The response lies between two saturation lines, at the fraction
g(V) that has switched. Only the two quarter cycles on which switching happens are modelled.

`marginal` integrates lines and noise out. What is left, the AR coefficient of the noise and a few
parameters of the step, is `u`, standard normal a priori.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy.special import expit

#: Separation of two equal logistic steps, over their width, beyond which the slope has two peaks.
RESOLVED = 2 * np.log(2 + np.sqrt(3))

#: Voltage in units of which the slope of a saturation line is given, V: the extreme of the cycle.
EXTREME = 16.0


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

    def scaled(self, factor: float) -> Prior:
        """Return these priors with every standard deviation multiplied by a factor.

        Parameters
        ----------
        factor : float

        Returns
        -------
        Prior
        """
        return Prior(**{name: (mean, factor * sd) for name, (mean, sd) in vars(self).items()})


#: The prior of every parameter of each model, in the order of `u`. Where a name stands twice, the
#: first parameter is that of the falling and the second that of the rising quarter.
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

#: Names of the models: one step, one skewed step, two steps.
MODELS = tuple(PARAMETERS)


@dataclass(frozen=True)
class Quarters:
    """The switching quarter cycles of a loop, in the order in which they are run through.

    Attributes
    ----------
    voltage : ndarray, shape (n_points,)
        0 V to the negative extreme, then 0 V to the positive one, V.
    rising : ndarray of bool, shape (n_points,)
        Whether a point is on the rising quarter.
    """

    voltage: np.ndarray
    rising: np.ndarray

    @classmethod
    def of(cls, voltage: np.ndarray) -> tuple[Quarters, np.ndarray]:
        """Cut the quarters out of a cycle.

        Parameters
        ----------
        voltage : ndarray, shape (n_steps,)
            A cycle that starts at its positive extreme, V.

        Returns
        -------
        quarters : Quarters
        steps : ndarray of int, shape (n_points,)
            Which steps of the cycle they are.
        """
        steps = np.arange(len(voltage))
        half = len(voltage) // 2
        switching = np.where(steps <= half, voltage <= 0, voltage >= 0)
        voltage = np.asarray(voltage, dtype=np.float64)
        rising = steps > half
        return cls(voltage[switching], rising[switching]), np.flatnonzero(switching)

    @cached_property
    def inner(self) -> np.ndarray:
        """Which points are on the quarter of the point before them, bool, shape (n_points - 1,)."""
        return self.rising[1:] == self.rising[:-1]

    def first(self, n: int) -> Quarters:
        """Return the first `n` points: those that were measured by then.

        Parameters
        ----------
        n : int

        Returns
        -------
        Quarters
        """
        return Quarters(self.voltage[:n], self.rising[:n])


def natural(model: str, u: np.ndarray, prior: Prior) -> np.ndarray:
    """Turn standard normal parameters into those of the model.

    Parameters
    ----------
    model : {"one", "skewed", "two"}
    u : ndarray, shape (..., n_parameters)
    prior : Prior

    Returns
    -------
    ndarray, shape (..., n_parameters)
        In the order of `PARAMETERS`, in the units of `Prior`.
    """
    mean, sd = moments(model, prior)
    return mean + sd * u


@lru_cache
def moments(model: str, prior: Prior) -> tuple[np.ndarray, np.ndarray]:
    """Return the prior means and standard deviations of a model's parameters.

    Parameters
    ----------
    model : {"one", "skewed", "two"}
    prior : Prior

    Returns
    -------
    mean, sd : ndarray, shape (n_parameters,)
        In the order of `PARAMETERS`, in the units of `Prior`.
    """
    mean, sd = np.array([getattr(prior, name) for name in PARAMETERS[model]]).T
    return mean, sd


def switched(model: str, parameters: np.ndarray, quarters: Quarters) -> np.ndarray:
    """Return the fraction that has switched up.

    Parameters
    ----------
    model : {"one", "skewed", "two"}
    parameters : ndarray, shape (..., n_parameters)
        As `natural` returns them.
    quarters : Quarters

    Returns
    -------
    ndarray, shape (..., n_points)
        Between 0 and 1.
    """
    rising = quarters.rising.astype(int)
    centre = parameters[..., 1 + rising]
    width = np.exp(parameters[..., 3 + rising])
    if model == "two":
        half = RESOLVED * width * (1 + np.exp(parameters[..., 5 + rising])) / 2
        middle = expit(parameters[..., 7:8])
        lower = expit((quarters.voltage - centre + half) / width)
        upper = expit((quarters.voltage - centre - half) / width)
        return middle * lower + (1 - middle) * upper
    up = expit((quarters.voltage - centre) / width)
    if model == "skewed":
        return up ** np.exp(parameters[..., 5 + rising])
    return up


def design(model: str, parameters: np.ndarray, quarters: Quarters) -> np.ndarray:
    """Return the columns whose linear combination is the mean response.

    Parameters
    ----------
    model : {"one", "skewed", "two"}
    parameters : ndarray, shape (..., n_parameters)
        As `natural` returns them.
    quarters : Quarters

    Returns
    -------
    ndarray, shape (..., n_points, 4)
        Level and rise of the lower line, then of the upper line, each weighted by the fraction that
        is in that state.
    """
    up = switched(model, parameters, quarters)
    field = quarters.voltage / EXTREME
    return np.stack([1 - up, (1 - up) * field, up, up * field], axis=-1)
