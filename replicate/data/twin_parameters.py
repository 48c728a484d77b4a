"""What the simulated twin is made from: geometry of the film, materials, instrument and noise."""

from __future__ import annotations

from dataclasses import dataclass

#: Side of a pixel, um: the paper's scan is 2 um wide and has 60 columns.
PIXEL_UM = 2.0 / 60


@dataclass(frozen=True)
class TwinParameters:
    """Everything that the twin is made from; piezoresponse and resonance are in z-scores.

    A triple is the value in c domains, the value in a1/a2 bands, and the relative standard
    deviation from place to place.

    Attributes
    ----------
    band_angle : float
        Direction of the normal of the bands, degrees from the column axis towards larger rows.
        The structure tensor of the map of the standard deviation of each measured loop gives 31.3
        (coherence 0.93); the direction with the least variance within lines is 31.0.
    band_period, band_width, band_edge : float
        Period and width of the bands and width of their logistic edges, um, from the profile of
        the same map across the bands: its minima are 16.7 pixels apart.
    band_wander : float
        Standard deviation of the position of the bands, um.
    needle_period : float
        Period of the fine a domains across the c/a/c/a stripes, um: the peak of the spectrum of the
        measured field response of the resonance, at 90 degrees to the bands.
    smooth, rough : float
        Correlation length of the material parameters, um, and the share of their disorder that
        changes from pixel to pixel.
    amplitude, offset : tuple of float
        Half the height of the loop, and its vertical shift.
    tilt : tuple of float
        Slope of the saturated branches, 1/V.
    coercive, imprint : tuple of float
        Half the distance between the coercive voltages, and their mean, V.
    width_negative, width_positive : tuple of float
        Width of a logistic step on the falling and on the rising branch, V.
    separation_negative, separation_positive : tuple of float
        Distance between the two steps of a three-state loop on the falling and on the rising
        branch, V.
    softening, hardening : tuple of float
        Resonance that moving walls take, and resonance that the in-plane state adds.
    jerk : tuple of float
        Irregular part of the resonance while walls move. The third value is the standard deviation
        of its logarithm.
    roof, slope : tuple of float
        Change of the resonance from 0 V to 16 V that is even, and that is odd, in voltage.
    creep : tuple of float
        Change of the resonance over one cycle of acquisition.
    tooth : float
        Height of the saw tooth of the resonance across the stripes, which is soft at one edge of a
        band and stiff at the other.
    stiffness : tuple of float
        Resonance of a place apart from the saw tooth.
    drift, drift_rows : float
        Resonance gained from the first scan row to the last, and the number of rows it takes.
    side : float
        Imprint added at one edge of a band and taken away at the other, V. The charged walls that
        make one edge soft are its cause.
    tip : float
        Relative standard deviation of the field at the tip from scan line to scan line.
    needle : float
        Modulation of the softening, and of the roof, by the needles.
    noise : tuple of float
        Standard deviation of the measurement noise of piezoresponse and resonance, whose mean
        squares are 0.0003 and 0.001.
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
