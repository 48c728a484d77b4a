"""Loops taken apart: where each branch switches, in how many steps, and what the resonance does meanwhile.

Coercive and remanent values, imprint and area are those of Jesse, Lee and Kalinin, Rev. Sci. Instrum. 77, 073702 (2006), Section II; the
shoulder stands for the intermediate concavities of two-step, three-state switching (paper Figures 4 and 5). A standardised loop has lost
its zero, so voltages are read off halfway between the two saturated states, not at zero response: no voltage changes if the response is
shifted or scaled.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.signal import savgol_coeffs
from scipy.special import logit

from replicate.analysis.branches import (
    ORDER,
    WINDOW,
    branches,
    checked,
    crossings,
    interpolate,
    slope,
    smooth,
)

SIGNIFICANCE = 5.0
"""A loop switches if the height of its steps is more than so many standard deviations of its noise."""

LEVELS = np.linspace(0.1, 0.9, 17)
"""Fractions of the switching between which widths are measured; the tails beyond them are noise and the field."""

STRETCH = 8
"""Intervals of `LEVELS` in the stretch that is searched for a shoulder: 40 % of the switching."""

RESOLUTION = 4
"""Voltage steps that the middle 80 % of the switching must take before it can be told how many steps it makes."""


class Loops:
    """Loops taken apart into a falling and a rising branch.

    Parameters
    ----------
    voltage, piezoresponse
        As for `describe`.

    Attributes
    ----------
    cycle : ndarray, shape (n_steps,)
        `voltage`.
    voltage : ndarray, shape (n_levels,)
        Even and rising, V.
    smooth : ndarray, shape (n, 2, n_levels)
        Falling and rising branch against `voltage`, each filtered by itself, because the loop has a corner at the extremes.
    noise : ndarray, shape (n,)
        Standard deviation of what the filter takes away, corrected for what it keeps of white noise.
    """

    def __init__(self, voltage, piezoresponse):
        self.cycle = np.asarray(voltage, dtype=np.float64)
        self.voltage, raw = branches(
            voltage, checked("piezoresponse", piezoresponse, np.size(voltage))
        )
        self.smooth = smooth(raw)
        kept = savgol_coeffs(WINDOW, ORDER)[WINDOW // 2]
        self.noise = np.sqrt(np.mean((raw - self.smooth) ** 2, axis=(1, 2)) / (1 - kept))

    @cached_property
    def tilt(self):
        """Slope of the saturated branches, shape (n,), response per V: the linear response under the switching.

        Mean of the least-squares slopes where the voltage comes back from an extreme to half of it, for there nothing switches.
        """
        high, low = self.voltage >= self.voltage[-1] / 2, self.voltage <= self.voltage[0] / 2
        return (
            slope(self.voltage[high], self.smooth[:, 0, high])
            + slope(self.voltage[low], self.smooth[:, 1, low])
        ) / 2

    @cached_property
    def _heights(self):
        """Height of the step on each branch, shape (n, 2): what is left of the rise from end to end without the tilt."""
        return (
            self.smooth[:, :, -1] - self.smooth[:, :, 0] - self.tilt[:, None] * np.ptp(self.voltage)
        )

    @cached_property
    def switches(self):
        """Whether a step stands out of the noise on both branches, bool, shape (n,)."""
        # Rounding is a noise too, of a loop that is constant or all tilt.
        rounding = 1e-6 * np.abs(self.smooth).max(axis=(1, 2))
        return np.abs(self._heights).min(axis=1) > np.maximum(SIGNIFICANCE * self.noise, rounding)

    @cached_property
    def _reached(self):
        """Voltages at which each of `LEVELS` of the step is done, shape (n, 2, n_levels), V; 0 for a loop that does not switch.

        A branch is first made monotone: half-way between the least monotone curve above it and the greatest below it.
        """
        heights = np.where(self.switches[:, None], self._heights, 1.0)
        done = (
            self.smooth
            - self.smooth[:, :, :1]
            - self.tilt[:, None, None] * (self.voltage - self.voltage[0])
        ) / heights[:, :, None]
        above, below = (
            np.maximum.accumulate(done, axis=2),
            np.minimum.accumulate(done[:, :, ::-1], axis=2)[:, :, ::-1],
        )
        return np.where(
            self.switches[:, None, None], crossings(self.voltage, (above + below) / 2, LEVELS), 0.0
        )

    def coercive_voltages(self):
        """Return where half of the switching on each branch is done, shape (n, 2), V: on the falling and on the rising branch.

        Jesse et al. read V- and V+ off where the response is zero. Half-way up the step, the tilt removed, is the same for a loop that is
        centred, and is the voltage of the step whatever the offset and the field response are.
        """
        return self._reached[:, :, len(LEVELS) // 2]

    def imprint(self):
        """Return the mean of the coercive voltages, shape (n,), V (Jesse et al.)."""
        return self.coercive_voltages().mean(axis=1)

    def remanent_responses(self):
        """Return the response at 0 V, shape (n, 2): R0+ of the falling branch, R0- of the rising one (Jesse et al.)."""
        at_zero = [
            interpolate(self.voltage, self.smooth[:, branch], np.zeros(1)) for branch in (0, 1)
        ]
        return np.concatenate(at_zero, axis=1)

    def saturation(self):
        """Return half the distance of the responses at the extremes of the voltage, Rs+ and Rs- of Jesse et al., shape (n,)."""
        return self._ends() / 2

    def squareness(self):
        """Return the difference of the remanent over that of the saturated responses, shape (n,), dimensionless; 0 where that is 0.

        The ratio of remanence to saturation: 1 for a square loop, 0 for one that is closed at 0 V.
        """
        opening, ends = -np.diff(self.remanent_responses(), axis=1)[:, 0], self._ends()
        return np.divide(opening, ends, out=np.zeros_like(ends), where=ends != 0)

    def _ends(self):
        return (self.smooth[:, :, -1] - self.smooth[:, :, 0]).mean(axis=1)

    def shoulders(self):
        """Return how much of a shoulder each branch has half-way, shape (n, 2), dimensionless: the intermediate concavity.

        Drawn over the logit of the fraction that has switched, the voltage of a logistic step is a straight line, whatever its height,
        place and width. Two steps with a plateau between them have a steep stretch in the middle. The shoulder is the slope of the
        steepest stretch of 40 % of the switching over that from 10 to 90 %, less 1: 0 for one logistic step, up to 1.6 for two sharp ones
        far apart. A measure of kurtosis by quantiles, it needs no fit and hardly moves with noise, and the plateau need not be in the
        middle. A step too sharp for the voltage steps to resolve has 0.
        """
        reached = self._reached
        slopes = (reached[:, :, STRETCH:] - reached[:, :, :-STRETCH]) / (
            logit(LEVELS[STRETCH:]) - logit(LEVELS[:-STRETCH])
        )
        whole = reached[:, :, -1] - reached[:, :, 0]
        resolved = whole > RESOLUTION * (self.voltage[1] - self.voltage[0])
        line = whole / (logit(LEVELS[-1]) - logit(LEVELS[0]))
        return np.divide(slopes.max(axis=2), line, out=np.ones_like(line), where=resolved) - 1


def resonance_extremes(voltage, resonance):
    """Return how far the resonance dips below and rises above the straight line over the switching half of each branch.

    That half goes from 0 V to the extreme against which the branch runs: a field response even or odd in voltage and a creep are straight
    lines there, so what is left is softening by moving walls (a dip) and hardening by an in-plane state (a rise; paper Section 2). The
    greatest of noisy values lies above the true one, by about 1.5 standard deviations of the noise where there is nothing.

    Parameters
    ----------
    voltage, resonance
        As for `describe`.

    Returns
    -------
    softening, hardening : ndarray, shape (n, 2)
        On the falling and on the rising branch, unit of the resonance, not below 0.
    """
    volts, both = branches(voltage, checked("resonance", resonance, np.size(voltage)))
    departures = []
    for branch, half in zip((0, 1), (volts <= 0, volts >= 0)):
        # By itself, for the acquisition starts and ends at 0 V, where the resonance may jump.
        curve, at = smooth(both[:, branch, half]), volts[half]
        chord = curve[:, :1] + (curve[:, -1:] - curve[:, :1]) * (at - at[0]) / (at[-1] - at[0])
        departures.append(curve - chord)
    return tuple(
        np.stack([np.abs(ends(each, axis=1)) for each in departures], axis=1)
        for ends in (np.min, np.max)
    )
