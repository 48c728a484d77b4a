"""The physics of the simulated twin: a film of c/a/c/a stripes and a1/a2 bands, and what a tip measures over it (Section 2, Figures 4, 5).

Polarisation switches by the growth of domains: a logistic in voltage, one step between two states in c domains, two steps through a
shared in-plane state in the a1/a2 bands. Moving domain walls soften the contact resonance; the in-plane state hardens it.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from scipy.special import expit

PIXEL_UM = 2.0 / 60
N_STEPS = 96
V_MAX = 16.0
VARYING = (
    *("amplitude", "offset", "tilt", "coercive", "imprint", "width_negative", "width_positive"),
    *(
        "separation_negative",
        "separation_positive",
        "softening",
        "hardening",
        "roof",
        "slope",
        "creep",
        "stiffness",
    ),
)


def smooth_field(rng, shape, length):
    """Draw a Gaussian random field of mean 0 and variance 1 over a grid.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
    length : float or tuple of float
        Correlation length along each axis, pixels.

    Returns
    -------
    ndarray of `shape`
    """
    field = gaussian_filter(rng.standard_normal(shape), length, mode="wrap")
    return (field - field.mean()) / field.std()


def lay_out(parameters, shape, rng):
    """Lay domains out on the grid.

    Returns
    -------
    dict of ndarray of shape (rows, cols)
        ``distance`` from the middle of the nearest band, um, signed; ``mechanism``, the fraction of three-state response;
        ``band``; ``needles``, their pattern within the c/a/c/a stripes, -1 to 1.
    """
    p = parameters
    y, x = np.indices(shape) * PIXEL_UM
    angle = np.radians(p.band_angle)
    across, along = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    across = across + rng.uniform(0, p.band_period) + p.band_wander * smooth_field(rng, shape, 12)
    distance = (across + p.band_period / 2) % p.band_period - p.band_period / 2
    mechanism = expit((p.band_width / 2 - np.abs(distance)) / p.band_edge)
    present = expit(2 * smooth_field(rng, shape, 5)) * (1 - mechanism)
    needles = np.cos(2 * np.pi * along / p.needle_period + smooth_field(rng, shape, 8)) * present
    return {
        "distance": distance,
        "mechanism": mechanism,
        "band": mechanism > 0.5,
        "needles": needles,
    }


def draw_materials(parameters, domains, rng):
    """Draw the material parameters over the domains: each goes over from its c to its band value, and varies smoothly from place to place.

    Returns
    -------
    dict of ndarray of shape (rows, cols)
        Every map that the loops need, in the units of `TwinParameters`.
    """
    p, share, needles = parameters, domains["mechanism"], domains["needles"]
    maps = {name: vary(getattr(p, name), share, disorder(p, share.shape, rng)) for name in VARYING}
    # Neither a moving wall nor the in-plane state changes the sign of what it does.
    maps["softening"] = np.maximum(maps["softening"], 0) * (1 + p.needle * needles)
    maps["hardening"] = np.maximum(maps["hardening"], 0)
    maps["jerk"] = between(p.jerk, share) * np.exp(p.jerk[2] * rng.standard_normal(share.shape))
    maps["roof"] = maps["roof"] + p.needle / 2 * needles
    # The edges of a band differ, one charged and soft, one stiff; the saw tooth is continuous half-way to the next band.
    edges = np.tanh(domains["distance"] / (0.4 * p.band_width))
    maps["stiffness"] = maps["stiffness"] + p.tooth * (
        edges - 2 * domains["distance"] / p.band_period
    )
    maps["drift"] = np.repeat(
        -p.drift * np.exp(-np.arange(share.shape[0]) / p.drift_rows), share.shape[1]
    ).reshape(share.shape)
    # A blunter tip spreads the field: all voltages of a line stretch together.
    stretch = 1 + p.tip * smooth_field(rng, share.shape, (0.5, 8))
    half = maps.pop("coercive") * stretch
    maps["imprint"] = (maps["imprint"] - p.side * edges * share) * stretch
    return {
        **maps,
        "coercive_negative": maps["imprint"] - half,
        "coercive_positive": maps["imprint"] + half,
    }


def between(levels, share):
    """Go from the first of `levels` to the second as `share` goes from 0 to 1."""
    return levels[0] + (levels[1] - levels[0]) * share


def vary(triple, share, field):
    """Lay a parameter, (in c, in bands, relative spread), over a map of the share of bands, disordered by a field of variance 1."""
    return between(triple, share) * (1 + triple[2] * field)


def disorder(parameters, shape, rng):
    """Draw a field of variance 1 that is smooth but for the share of variance which changes from pixel to pixel."""
    smooth = smooth_field(rng, shape, parameters.smooth / PIXEL_UM)
    return np.sqrt(1 - parameters.rough) * smooth + np.sqrt(parameters.rough) * smooth_field(
        rng, shape, 0.5
    )


def voltage_cycle():
    """Return the voltage of the 96 steps, V: 16 to -16 and back, as the piezoresponse is stored."""
    return V_MAX * (4 * np.abs(np.arange(N_STEPS) / N_STEPS - 0.5) - 1)


def switched(voltage, centre, width):
    """Fraction of the probed volume pointing up after one step of switching.

    A logistic in voltage, stretched so that the loop closes at both ends of the cycle.

    Parameters
    ----------
    voltage : ndarray of shape (n_steps,)
        V.
    centre, width : ndarray of shape (n, n_steps)
        Where the step is and how wide, V, on the branch that each voltage step belongs to.

    Returns
    -------
    ndarray of shape (n, n_steps)
        From 0 at -16 V to 1 at 16 V.
    """
    low, high = expit((-V_MAX - centre) / width), expit((V_MAX - centre) / width)
    return (expit((voltage - centre) / width) - low) / (high - low)


def populations(maps, voltage):
    """Return how much of each pixel is switched by one step, and by each of two, along the cycle.

    Parameters
    ----------
    maps : dict of ndarray of shape (n,)
        The truth maps, flattened.
    voltage : ndarray of shape (n_steps,)
        V.

    Returns
    -------
    tuple of three ndarray of shape (n, n_steps)
        The single step; the first and the second of two, in order of rising voltage.
    """
    falling = np.arange(N_STEPS) <= N_STEPS // 2

    def branch(name):
        return np.where(
            falling,
            maps[f"{name}_negative"][:, np.newaxis],
            maps[f"{name}_positive"][:, np.newaxis],
        )

    centre, width, half = branch("coercive"), branch("width"), branch("separation") / 2
    return tuple(switched(voltage, centre + shift, width) for shift in (0.0, -half, half))


def mixed(maps, one, two):
    """Weigh a one-step and a two-step response, (n, n_steps), by the fraction of three-state response, (n,)."""
    share = maps["mechanism"][:, np.newaxis]
    return (1 - share) * one + share * two


def piezoresponse(maps, voltage):
    """Return piezoresponse loops, (n, n_steps), from `maps` of shape (n,): saturation lines joined by one- and two-step switching."""
    one, first, second = populations(maps, voltage)
    up = mixed(maps, one, (first + second) / 2)
    column = {name: values[:, np.newaxis] for name, values in maps.items()}
    return column["offset"] + column["amplitude"] * (2 * up - 1) + column["tilt"] * voltage


def resonance(maps, voltage, rng):
    """Return contact resonance, (n, n_steps) against `voltage`, from `maps` of shape (n,); `rng` draws the jerks.

    The terms: stiffness of the place and drift of the instrument; a roof and a slope from the field; creep in the order of acquisition;
    softening where walls move, jerks as they are pinned and break free; hardening where the in-plane state is populated.
    """
    column = {name: values[:, np.newaxis] for name, values in maps.items()}
    one, first, second = populations(maps, voltage)
    up = mixed(maps, one, (first + second) / 2)
    walls = 4 * mixed(maps, one * (1 - one), (first * (1 - first) + second * (1 - second)) / 2)
    acquired = np.roll(np.linspace(-0.5, 0.5, N_STEPS), -N_STEPS // 4)
    field = column["roof"] * np.abs(voltage) / V_MAX + column["slope"] * voltage / V_MAX
    background = column["stiffness"] + column["drift"] + field + column["creep"] * acquired
    jerks = column["jerk"] * 4 * up * (1 - up) * correlated_noise(rng, up.shape)
    return background - column["softening"] * walls + column["hardening"] * (first - second) + jerks


def correlated_noise(rng, shape, length=1.2):
    """Draw Gaussian noise of variance 1 along the last axis of `shape`, a cycle; `length` is its correlation length in steps."""
    noise = gaussian_filter1d(rng.standard_normal(shape), length, axis=-1, mode="wrap")
    return noise / noise.std()
