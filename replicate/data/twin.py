"""A simulated twin of the scan: what to run when the measured arrays cannot be had, and where the truth is known.

A film of c/a/c/a stripes and a1/a2 bands (Section 2) is laid out on the grid, material parameters are drawn over it, and `twin_physics`
turns them into loops. Geometry, levels and spreads were measured on the prepared arrays; no measured value is copied.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from replicate.data import twin_physics as physics
from replicate.data.beps import stored_voltages
from replicate.data.scan import SHAPE, Scan
from replicate.data.twin_physics import PIXEL_UM
from replicate.errors import ReplicationError

# Maps in the units of each channel; the first of each carries the channel's zero.
LEVELS = {
    "piezoresponse": ("offset", "amplitude", "tilt"),
    "resonance": ("stiffness", "drift", "softening", "hardening", "jerk", "roof", "slope", "creep"),
}


@dataclass(frozen=True)
class TwinParameters:
    """Everything the twin is made from; piezoresponse and resonance are in z-scores.

    A triple is (value in c domains, value in a1/a2 bands, relative standard deviation from place to place).

    Attributes
    ----------
    band_angle : float
        Direction of the normal of the bands, degrees from the column axis towards larger rows. Structure tensor of the measured loop
        standard deviation: 31.3 (coherence 0.93); variance within lines, minimised: 31.0.
    band_period, band_width, band_edge : float
        um; from the profile of the same map across the bands: minima 16.7 pixels apart, logistic edges.
    band_wander : float
        Standard deviation of the bands' position, um.
    needle_period : float
        Fine a domains across the c/a/c/a stripes, um; peak of the spectrum of the measured field response of the resonance,
        at 90 degrees to the bands.
    smooth, rough : float
        Correlation length of the material parameters, um, and the share of disorder from pixel to pixel.
    amplitude, offset : tuple of float
        Half height and vertical shift of the loop.
    tilt : tuple of float
        Slope of the saturated branches, 1/V.
    coercive, imprint : tuple of float
        Half the distance between the coercive voltages, and their mean, V.
    width_negative, width_positive : tuple of float
        Width of a logistic step on the falling and the rising branch, V.
    separation_negative, separation_positive : tuple of float
        Distance between the two steps of a three-state loop on the falling and the rising branch, V.
    softening, hardening : tuple of float
        Resonance lost to moving walls and won by the in-plane state.
    jerk : tuple of float
        Irregular part of the resonance while walls move, its spread that of the logarithm.
    roof, slope, creep : tuple of float
        Resonance change from 0 V to 16 V even and odd in voltage, and over one cycle of acquisition.
    tooth : float
        Height of the saw tooth of the resonance across the stripes: soft at one edge of a band, stiff at the other.
    stiffness : tuple of float
        Resonance beside it.
    drift, drift_rows : float
        Resonance gained from the first scan row to the last, and the rows it takes.
    side : float
        Imprint added at one edge of a band and taken at the other, V: the same charged walls that make one edge soft.
    tip : float
        Relative standard deviation of the field at the tip from scan line to scan line.
    needle : float
        Modulation of softening, and of the roof, by the needles.
    noise : tuple of float
        Standard deviation of the measurement noise of (piezoresponse, resonance); mean square 0.0003 and 0.001.
    """

    band_angle: float = 31.0
    band_period: float = 16.7 * PIXEL_UM
    band_width: float = 5.6 * PIXEL_UM
    band_edge: float = 0.7 * PIXEL_UM
    band_wander: float = 0.5 * PIXEL_UM
    needle_period: float = 2.9 * PIXEL_UM
    smooth: float = 4.0 * PIXEL_UM
    rough: float = 0.2
    amplitude: tuple[float, float, float] = (1.22, 0.50, 0.08)
    offset: tuple[float, float, float] = (0.04, 0.20, 0.6)
    tilt: tuple[float, float, float] = (0.012, 0.022, 0.25)
    coercive: tuple[float, float, float] = (8.15, 7.0, 0.09)
    imprint: tuple[float, float, float] = (0.85, 1.2, 0.6)
    width_negative: tuple[float, float, float] = (1.4, 1.2, 0.2)
    width_positive: tuple[float, float, float] = (1.8, 1.4, 0.15)
    separation_negative: tuple[float, float, float] = (5.5, 5.5, 0.15)
    separation_positive: tuple[float, float, float] = (7.0, 7.0, 0.15)
    softening: tuple[float, float, float] = (0.45, 0.30, 0.3)
    hardening: tuple[float, float, float] = (0.0, 0.6, 0.5)
    jerk: tuple[float, float, float] = (0.10, 0.22, 0.6)
    roof: tuple[float, float, float] = (-0.24, -0.45, 0.3)
    slope: tuple[float, float, float] = (0.02, -0.15, 1.0)
    creep: tuple[float, float, float] = (0.06, 0.20, 0.7)
    tooth: float = 2.1
    stiffness: tuple[float, float, float] = (0.3, 0.2, 1.0)
    drift: float = 2.8
    drift_rows: float = 9.0
    side: float = 0.7
    tip: float = 0.05
    needle: float = 0.4
    noise: tuple[float, float] = (0.017, 0.032)


def simulate(seed=0, shape=SHAPE, noise=True, parameters=None):
    """Simulate a scan.

    Parameters
    ----------
    seed : int
        The same seed gives the same bits.
    shape : tuple of int
        Rows and columns; a pixel is 33 nm.
    noise : bool
        False gives the same scan without measurement noise, in the same z-scores.
    parameters : TwinParameters, optional

    Returns
    -------
    Scan
        Provenance ``"simulated twin"``, the resonance stored a quarter cycle on as in the prepared arrays, and in `truth` the maps
        the scan was made from, in V, um and the z-scores of the scan.

    Raises
    ------
    ReplicationError
        If the grid has fewer than two rows or columns.
    """
    if len(shape) != 2 or min(shape) < 2:
        raise ReplicationError(
            f"shape: {tuple(shape)}, expected at least two rows and two columns."
        )
    parameters = parameters or TwinParameters()
    rng = np.random.default_rng(seed)
    domains = physics.lay_out(parameters, shape, rng)
    truth = {**domains, **physics.draw_materials(parameters, domains, rng)}
    flat = {name: values.ravel() for name, values in truth.items()}
    voltage = physics.voltage_cycle()
    clean = {
        "piezoresponse": physics.piezoresponse(flat, voltage),
        "resonance": np.roll(physics.resonance(flat, voltage, rng), len(voltage) // 4, axis=1),
    }
    spectra = []
    for (channel, values), level in zip(clean.items(), parameters.noise):
        noisy = values + level * values.std() * rng.standard_normal(values.shape)
        mean, std = noisy.mean(), noisy.std()
        spectra.append(((noisy if noise else values) - mean) / std)
        truth.update({name: truth[name] / std for name in LEVELS[channel]})
        truth[LEVELS[channel][0]] -= mean / std
    return Scan(
        spectra=np.concatenate(spectra, axis=1).astype(np.float32),
        shape=tuple(shape),
        voltages=stored_voltages(voltage),
        provenance="simulated twin",
        size_um=(shape[0] * PIXEL_UM, shape[1] * PIXEL_UM),
        truth=truth,
    )
