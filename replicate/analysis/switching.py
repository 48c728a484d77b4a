"""Loops taken apart: where each branch switches, in how many steps, and how the resonance reacts.

Coercive and remanent values, imprint and area are those of Jesse, Lee and Kalinin, Rev. Sci.
Instrum. 77, 073702 (2006), Section II. The shoulder stands for the intermediate concavities of
two-step, three-state switching (paper Figures 4 and 5).

A standardised loop has lost its zero, so voltages are read off halfway between the two saturated
states, not at zero response: no voltage changes if the response is shifted or scaled.
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
    check_loops,
    crossings,
    interpolate,
    slope,
    smooth,
)

#: A loop switches if the height of its steps is more than this many standard deviations of its
#: noise.
SIGNIFICANCE = 5.0

#: Fractions of the switching between which widths are measured. Beyond them lie the tails, which
#: are noise and the field response.
LEVELS = np.linspace(0.1, 0.9, 17)

#: Length of the stretch that is searched for a shoulder, in intervals of `LEVELS`: 40 % of the
#: switching.
STRETCH = 8

#: Number of voltage steps that the middle 80 % of the switching must take before its steps can be
#: counted.
RESOLUTION = 4


class Loops:
    """Loops taken apart into a falling and a rising branch.

    Parameters
    ----------
    voltage : ndarray, shape (n_steps,)
        One cycle between a negative and a positive extreme, V.
    piezoresponse : ndarray, shape (n, n_steps)
        Against `voltage`; any unit.

    Attributes
    ----------
    cycle : ndarray, shape (n_steps,)
        The voltage as it was given, V.
    voltage : ndarray, shape (n_levels,)
        Even and rising, V.
    smooth : ndarray, shape (n, 2, n_levels)
        Falling and rising branch against `voltage`. Each is filtered by itself, because the loop
        has a corner at the extremes.
    noise : ndarray, shape (n,)
        Standard deviation of what the filter takes away, corrected for the share of white noise
        that the filter lets through.

    Raises
    ------
    ReplicationError
        If the voltage is not one such cycle, the shapes do not match it, or a value is not finite.
    """

    def __init__(self, voltage: np.ndarray, piezoresponse: np.ndarray):
        self.cycle = np.asarray(voltage, dtype=np.float64)
        loops = check_loops("piezoresponse", piezoresponse, np.size(voltage))
        self.voltage, raw = branches(voltage, loops)
        self.smooth = smooth(raw)
        noise_share_in_smooth = savgol_coeffs(WINDOW, ORDER)[WINDOW // 2]
        removed = np.mean((raw - self.smooth) ** 2, axis=(1, 2))
        self.noise = np.sqrt(removed / (1 - noise_share_in_smooth))

    @cached_property
    def tilt(self) -> np.ndarray:
        """Slope of the saturated branches, shape (n,), response per V.

        It is the linear response under the switching: the mean of the least-squares slopes where
        the voltage comes back from an extreme to half of it, for there nothing switches.
        """
        high = self.voltage >= self.voltage[-1] / 2
        low = self.voltage <= self.voltage[0] / 2
        falling = slope(self.voltage[high], self.smooth[:, 0, high])
        rising = slope(self.voltage[low], self.smooth[:, 1, low])
        return (falling + rising) / 2

    @cached_property
    def _heights(self):
        """Height of the step on each branch, shape (n, 2): its rise less that of the tilt."""
        rise = self.smooth[:, :, -1] - self.smooth[:, :, 0]
        return rise - self.tilt[:, None] * np.ptp(self.voltage)

    @cached_property
    def switches(self) -> np.ndarray:
        """Which loops have steps that stand out of the noise on both branches, bool, (n,)."""
        # Rounding is a noise too, of a loop that is constant or all tilt.
        rounding = 1e-6 * np.abs(self.smooth).max(axis=(1, 2))
        return np.abs(self._heights).min(axis=1) > np.maximum(SIGNIFICANCE * self.noise, rounding)

    @cached_property
    def _reached(self):
        """Voltages at which each of `LEVELS` of the step is done, shape (n, 2, n_levels), V.

        A branch is first made monotone: half-way between the least monotone curve above it and the
        greatest below it. A loop that does not switch has 0.
        """
        heights = np.where(self.switches[:, None], self._heights, 1.0)
        field = self.tilt[:, None, None] * (self.voltage - self.voltage[0])
        done = (self.smooth - self.smooth[:, :, :1] - field) / heights[:, :, None]
        above = np.maximum.accumulate(done, axis=2)
        below = np.minimum.accumulate(done[:, :, ::-1], axis=2)[:, :, ::-1]
        reached = crossings(self.voltage, (above + below) / 2, LEVELS)
        return np.where(self.switches[:, None, None], reached, 0.0)

    def coercive_voltages(self) -> np.ndarray:
        """Return where half of the switching on each branch is done.

        Jesse et al. read V- and V+ off where the response is zero. Half-way up the step, the tilt
        removed, is the same for a loop that is centred, and is the voltage of the step whatever the
        offset and the field response are.

        Returns
        -------
        ndarray, shape (n, 2)
            On the falling and on the rising branch, V; 0 for a loop that does not switch.
        """
        return self._reached[:, :, len(LEVELS) // 2]

    def imprint(self) -> np.ndarray:
        """Return the mean of the two coercive voltages (Jesse et al.).

        Returns
        -------
        ndarray, shape (n,)
            V; 0 for a loop that does not switch.
        """
        return self.coercive_voltages().mean(axis=1)

    def remanent_responses(self) -> np.ndarray:
        """Return the responses at 0 V (Jesse et al.).

        Returns
        -------
        ndarray, shape (n, 2)
            R0+ of the falling branch and R0- of the rising one, unit of the response.
        """
        at_zero = [
            interpolate(self.voltage, self.smooth[:, branch], np.zeros(1)) for branch in (0, 1)
        ]
        return np.concatenate(at_zero, axis=1)

    def saturation(self) -> np.ndarray:
        """Return half the distance between the responses at the extremes of the voltage.

        These are Rs+ and Rs- of Jesse et al.

        Returns
        -------
        ndarray, shape (n,)
            Unit of the response.
        """
        return self._distance_of_ends() / 2

    def squareness(self) -> np.ndarray:
        """Return the ratio of remanence to saturation.

        It is the difference of the remanent over that of the saturated responses: 1 for a square
        loop, 0 for one that is closed at 0 V.

        Returns
        -------
        ndarray, shape (n,)
            Dimensionless; 0 where the saturated responses are equal.
        """
        opening = -np.diff(self.remanent_responses(), axis=1)[:, 0]
        ends = self._distance_of_ends()
        return np.divide(opening, ends, out=np.zeros_like(ends), where=ends != 0)

    def _distance_of_ends(self):
        """Return the response at the highest less that at the lowest voltage, shape (n,)."""
        return (self.smooth[:, :, -1] - self.smooth[:, :, 0]).mean(axis=1)

    def shoulders(self) -> np.ndarray:
        """Return how much of a shoulder each branch has half-way: the intermediate concavity.

        Drawn over the logit of the fraction that has switched, the voltage of a logistic step is a
        straight line, whatever its height, place and width. Two steps with a plateau between them
        have a steep stretch in the middle. The shoulder is the slope of the steepest stretch of
        40 % of the switching over that from 10 to 90 %, less 1. As a measure of kurtosis by
        quantiles it needs no fit and hardly moves with noise, and the plateau need not be in the
        middle.

        Returns
        -------
        ndarray, shape (n, 2)
            On the falling and on the rising branch, dimensionless: 0 for one logistic step, up to
            1.6 for two sharp ones far apart, 0 for a step too sharp for the voltage steps to
            resolve.
        """
        reached = self._reached
        stretches = reached[:, :, STRETCH:] - reached[:, :, :-STRETCH]
        slopes = stretches / (logit(LEVELS[STRETCH:]) - logit(LEVELS[:-STRETCH]))
        whole = reached[:, :, -1] - reached[:, :, 0]
        line = whole / (logit(LEVELS[-1]) - logit(LEVELS[0]))
        resolved = whole > RESOLUTION * (self.voltage[1] - self.voltage[0])
        return np.divide(slopes.max(axis=2), line, out=np.ones_like(line), where=resolved) - 1


def resonance_extremes(voltage: np.ndarray, resonance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how far the resonance dips below and rises above a straight line while loops switch.

    The line spans the switching half of each branch, from 0 V to the extreme against which the
    branch runs. A field response even or odd in voltage and a creep are straight lines there, so
    what is left is softening by moving walls (a dip) and hardening by an in-plane state (a rise;
    paper Section 2). The greatest of noisy values lies above the true one, by about 1.5 standard
    deviations of the noise where there is nothing.

    Parameters
    ----------
    voltage : ndarray, shape (n_steps,)
        One cycle between a negative and a positive extreme, V.
    resonance : ndarray, shape (n, n_steps)
        Against `voltage`; any unit.

    Returns
    -------
    softening, hardening : ndarray, shape (n, 2)
        On the falling and on the rising branch, unit of the resonance, not below 0.

    Raises
    ------
    ReplicationError
        If the voltage is not one such cycle, the shapes do not match it, or a value is not finite.
    """
    loops = check_loops("resonance", resonance, np.size(voltage))
    levels, both = branches(voltage, loops)
    falling = _departures_from_chord(both[:, 0], levels, levels <= 0)
    rising = _departures_from_chord(both[:, 1], levels, levels >= 0)
    softening = [np.abs(np.min(departures, axis=1)) for departures in (falling, rising)]
    hardening = [np.abs(np.max(departures, axis=1)) for departures in (falling, rising)]
    return np.stack(softening, axis=1), np.stack(hardening, axis=1)


def _departures_from_chord(branch, levels, half):
    """Return one half of a branch less the straight line between the ends of that half."""
    # The half is filtered by itself: the acquisition starts and ends at 0 V, where the resonance
    # may jump.
    curve = smooth(branch[:, half])
    at = levels[half]
    chord = curve[:, :1] + (curve[:, -1:] - curve[:, :1]) * (at - at[0]) / (at[-1] - at[0])
    return curve - chord
