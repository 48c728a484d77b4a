"""The physics of the simulated twin (Section 2, Figures 4 and 5).

The film has c/a/c/a stripes and a1/a2 bands, and a tip measures its loops. Polarisation switches
by the growth of domains, a logistic in voltage: c domains switch in one step between two states,
a1/a2 bands in two steps through a shared in-plane state. Moving domain walls soften the contact
resonance; the in-plane state hardens it.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from scipy.special import expit

from replicate.data.twin_parameters import PIXEL_UM, TwinParameters

#: Voltage steps in a cycle.
N_STEPS = 96

#: Highest voltage of the cycle, V.
V_MAX = 16.0

#: The parameters of `TwinParameters` that vary from place to place as `vary` says.
VARYING = (
    "amplitude",
    "offset",
    "tilt",
    "coercive",
    "imprint",
    "width_negative",
    "width_positive",
    "separation_negative",
    "separation_positive",
    "softening",
    "hardening",
    "roof",
    "slope",
    "creep",
    "stiffness",
)


def smooth_field(
    rng: np.random.Generator, shape: tuple[int, ...], length: float | tuple[float, ...]
) -> np.ndarray:
    """Draw a Gaussian random field of mean 0 and variance 1 over a grid.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
        Shape of the grid.
    length : float or tuple of float
        Correlation length along each axis, pixels.

    Returns
    -------
    ndarray of the shape of the grid
    """
    field = gaussian_filter(rng.standard_normal(shape), length, mode="wrap")
    return (field - field.mean()) / field.std()


def lay_out(
    parameters: TwinParameters, shape: tuple[int, int], rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Lay the domains of the film out on the grid.

    Parameters
    ----------
    parameters : TwinParameters
    shape : tuple of int
        Rows and columns of the grid.
    rng : numpy.random.Generator

    Returns
    -------
    dict of ndarray of shape (rows, cols)
        ``distance`` is the signed distance from the middle of the nearest band, um. ``mechanism``
        is the fraction of three-state response, 0 to 1. ``band`` is true where that fraction is
        above a half. ``needles`` is the pattern of needles within the c/a/c/a stripes, -1 to 1.
    """
    period = parameters.band_period
    y, x = np.indices(shape) * PIXEL_UM
    angle = np.radians(parameters.band_angle)
    across = x * np.cos(angle) + y * np.sin(angle)
    along = y * np.cos(angle) - x * np.sin(angle)
    across = across + rng.uniform(0, period) + parameters.band_wander * smooth_field(rng, shape, 12)
    distance = (across + period / 2) % period - period / 2
    mechanism = expit((parameters.band_width / 2 - np.abs(distance)) / parameters.band_edge)
    presence = expit(2 * smooth_field(rng, shape, 5)) * (1 - mechanism)
    phase = 2 * np.pi * along / parameters.needle_period + smooth_field(rng, shape, 8)
    return {
        "distance": distance,
        "mechanism": mechanism,
        "band": mechanism > 0.5,
        "needles": np.cos(phase) * presence,
    }


def draw_materials(
    parameters: TwinParameters, domains: dict[str, np.ndarray], rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draw the material parameters over the domains.

    Each parameter goes over from its value in c domains to its value in bands, and varies smoothly
    from place to place.

    Parameters
    ----------
    parameters : TwinParameters
    domains : dict of ndarray of shape (rows, cols)
        The maps of `lay_out`.
    rng : numpy.random.Generator

    Returns
    -------
    dict of ndarray of shape (rows, cols)
        Every map that the loops need, in the units of `TwinParameters`.
    """
    share, needles = domains["mechanism"], domains["needles"]
    n_rows, n_columns = share.shape
    maps = {}
    for name in VARYING:
        maps[name] = vary(getattr(parameters, name), share, disorder(parameters, share.shape, rng))
    # Neither a moving wall nor the in-plane state changes the sign of its effect.
    maps["softening"] = np.maximum(maps["softening"], 0) * (1 + parameters.needle * needles)
    maps["hardening"] = np.maximum(maps["hardening"], 0)
    jerk_spread = np.exp(parameters.jerk[2] * rng.standard_normal(share.shape))
    maps["jerk"] = between(parameters.jerk, share) * jerk_spread
    maps["roof"] = maps["roof"] + parameters.needle / 2 * needles
    # The edges of a band differ: one is charged and soft, one is stiff. The saw tooth is continuous
    # half-way to the next band.
    edges = np.tanh(domains["distance"] / (0.4 * parameters.band_width))
    saw_tooth = edges - 2 * domains["distance"] / parameters.band_period
    maps["stiffness"] = maps["stiffness"] + parameters.tooth * saw_tooth
    drift_of_row = -parameters.drift * np.exp(-np.arange(n_rows) / parameters.drift_rows)
    maps["drift"] = np.repeat(drift_of_row, n_columns).reshape(share.shape)
    # A blunter tip spreads the field: all voltages of a line stretch together.
    stretch = 1 + parameters.tip * smooth_field(rng, share.shape, (0.5, 8))
    half_distance = maps.pop("coercive") * stretch
    maps["imprint"] = (maps["imprint"] - parameters.side * edges * share) * stretch
    maps["coercive_negative"] = maps["imprint"] - half_distance
    maps["coercive_positive"] = maps["imprint"] + half_distance
    return maps


def between(levels: tuple[float, ...], share: np.ndarray) -> np.ndarray:
    """Go from the first of `levels` to the second as `share` goes from 0 to 1."""
    return levels[0] + (levels[1] - levels[0]) * share


def vary(triple: tuple[float, float, float], share: np.ndarray, field: np.ndarray) -> np.ndarray:
    """Lay a parameter over a map.

    Parameters
    ----------
    triple : tuple of float
        Value in c domains, value in bands, and relative standard deviation from place to place.
    share : ndarray of shape (rows, cols)
        Share of bands, 0 to 1.
    field : ndarray of shape (rows, cols)
        Disorder of mean 0 and variance 1.
    """
    return between(triple, share) * (1 + triple[2] * field)


def disorder(
    parameters: TwinParameters, shape: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """Draw a field of variance 1: a smooth part, and a share that changes from pixel to pixel."""
    smooth = smooth_field(rng, shape, parameters.smooth / PIXEL_UM)
    rough = smooth_field(rng, shape, 0.5)
    return np.sqrt(1 - parameters.rough) * smooth + np.sqrt(parameters.rough) * rough


def voltage_cycle() -> np.ndarray:
    """Return the voltage of the 96 steps, V: 16 to -16 and back, as the piezoresponse is stored."""
    return V_MAX * (4 * np.abs(np.arange(N_STEPS) / N_STEPS - 0.5) - 1)


def switched(voltage: np.ndarray, centre: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Return the fraction of the probed volume that points up after one step of switching.

    It is a logistic in voltage, stretched so that the loop closes at both ends of the cycle.

    Parameters
    ----------
    voltage : ndarray of shape (n_steps,)
        V.
    centre, width : ndarray of shape (n, n_steps)
        Where the step is and how wide it is, V, on the branch that each voltage step belongs to.

    Returns
    -------
    ndarray of shape (n, n_steps)
        From 0 at -16 V to 1 at 16 V.
    """
    low = expit((-V_MAX - centre) / width)
    high = expit((V_MAX - centre) / width)
    return (expit((voltage - centre) / width) - low) / (high - low)


def populations(
    maps: dict[str, np.ndarray], voltage: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how much of each pixel is switched by one step, and by each of two, along the cycle.

    Parameters
    ----------
    maps : dict of ndarray of shape (n,)
        The truth maps, flattened.
    voltage : ndarray of shape (n_steps,)
        V.

    Returns
    -------
    single, first, second : ndarray of shape (n, n_steps)
        The fraction that is switched by the only step of two-state switching, and by the first
        and the second step of three-state switching, in order of rising voltage.
    """
    falling = np.arange(N_STEPS) <= N_STEPS // 2

    def on_each_branch(name):
        negative = maps[f"{name}_negative"][:, np.newaxis]
        positive = maps[f"{name}_positive"][:, np.newaxis]
        return np.where(falling, negative, positive)

    centre = on_each_branch("coercive")
    width = on_each_branch("width")
    half_separation = on_each_branch("separation") / 2
    shifts = (0.0, -half_separation, half_separation)
    return tuple(switched(voltage, centre + shift, width) for shift in shifts)


def mixed(
    maps: dict[str, np.ndarray], two_state: np.ndarray, three_state: np.ndarray
) -> np.ndarray:
    """Weigh two-state and three-state responses by the fraction of each.

    Parameters
    ----------
    maps : dict of ndarray of shape (n,)
        The truth maps, flattened; ``mechanism`` is the fraction of three-state response.
    two_state, three_state : ndarray of shape (n, n_steps)
        The two responses.

    Returns
    -------
    ndarray of shape (n, n_steps)
    """
    share = maps["mechanism"][:, np.newaxis]
    return (1 - share) * two_state + share * three_state


def piezoresponse(maps: dict[str, np.ndarray], voltage: np.ndarray) -> np.ndarray:
    """Return piezoresponse loops: saturation lines joined by switching in one and two steps.

    Parameters
    ----------
    maps : dict of ndarray of shape (n,)
        The truth maps, flattened.
    voltage : ndarray of shape (n_steps,)
        V.

    Returns
    -------
    ndarray of shape (n, n_steps)
    """
    single, first, second = populations(maps, voltage)
    up = mixed(maps, single, (first + second) / 2)
    column = {name: values[:, np.newaxis] for name, values in maps.items()}
    return column["offset"] + column["amplitude"] * (2 * up - 1) + column["tilt"] * voltage


def resonance(
    maps: dict[str, np.ndarray], voltage: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return the contact resonance along the cycle.

    Its terms are the stiffness of the place and the drift of the instrument; a roof and a slope
    from the field; creep in the order of acquisition; softening where walls move, with jerks as
    they are pinned and break free; and hardening where the in-plane state is populated.

    Parameters
    ----------
    maps : dict of ndarray of shape (n,)
        The truth maps, flattened.
    voltage : ndarray of shape (n_steps,)
        V.
    rng : numpy.random.Generator
        Draws the jerks.

    Returns
    -------
    ndarray of shape (n, n_steps)
        Every step belongs to the same step of `voltage`.
    """
    column = {name: values[:, np.newaxis] for name, values in maps.items()}
    single, first, second = populations(maps, voltage)
    up = mixed(maps, single, (first + second) / 2)
    walls_of_two = (first * (1 - first) + second * (1 - second)) / 2
    walls = 4 * mixed(maps, single * (1 - single), walls_of_two)
    acquired = np.roll(np.linspace(-0.5, 0.5, N_STEPS), -N_STEPS // 4)
    field = column["roof"] * np.abs(voltage) / V_MAX + column["slope"] * voltage / V_MAX
    background = column["stiffness"] + column["drift"] + field + column["creep"] * acquired
    jerks = column["jerk"] * 4 * up * (1 - up) * correlated_noise(rng, up.shape)
    return background - column["softening"] * walls + column["hardening"] * (first - second) + jerks


def correlated_noise(
    rng: np.random.Generator, shape: tuple[int, ...], length: float = 1.2
) -> np.ndarray:
    """Draw Gaussian noise of variance 1 that is correlated along a cycle.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
        Shape of the noise; the cycle is along the last axis.
    length : float
        Correlation length, steps.

    Returns
    -------
    ndarray of `shape`
    """
    noise = gaussian_filter1d(rng.standard_normal(shape), length, axis=-1, mode="wrap")
    return noise / noise.std()
