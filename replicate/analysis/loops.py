"""Descriptors of switching loops: what a spectroscopist reads off each loop, as numbers.

Coercive and remanent values, imprint and area are those of Jesse, Lee and Kalinin, Rev. Sci. Instrum. 77, 073702 (2006), Section II; the
shoulder stands for the intermediate concavities of two-step, three-state switching (paper Figures 4 and 5). "Negative" is the branch on
which the voltage falls, "positive" that on which it rises. A standardised loop has lost its zero, so voltages are read off halfway between
the two saturated states, not at zero response: no voltage changes if the response is shifted or scaled.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.signal import savgol_coeffs, savgol_filter
from scipy.special import logit

from replicate.analysis.shapes import loop_area
from replicate.errors import ReplicationError

WINDOW, ORDER = 5, 2
"""Of the Savitzky-Golay filter, steps and degree: narrower than the authors' cleaning, for a dip of the resonance is four steps wide."""

SIGNIFICANCE = 5.0
"""A loop switches if the height of its steps is more than so many standard deviations of its noise."""

LEVELS = np.linspace(0.1, 0.9, 17)
"""Fractions of the switching between which widths are measured; the tails beyond them are noise and the field."""

STRETCH = 8
"""Intervals of `LEVELS` in the stretch that is searched for a shoulder: 40 % of the switching."""

RESOLUTION = 4
"""Voltage steps that the middle 80 % of the switching must take before it can be told how many steps it makes."""


class Descriptor(NamedTuple):
    """How a descriptor is called, and its unit, with ``{response}`` and ``{resonance}`` for those of the channels."""

    label: str
    unit: str


DESCRIPTORS = {
    "coercive_negative": Descriptor("coercive voltage −", "V"),
    "coercive_positive": Descriptor("coercive voltage +", "V"),
    "imprint": Descriptor("imprint", "V"),
    "area": Descriptor("area", "{response} V"),
    "remanent_negative": Descriptor("remanent response −", "{response}"),
    "remanent_positive": Descriptor("remanent response +", "{response}"),
    "saturation": Descriptor("saturation", "{response}"),
    "squareness": Descriptor("squareness", "1"),
    "shoulder_negative": Descriptor("shoulder, falling", "1"),
    "shoulder_positive": Descriptor("shoulder, rising", "1"),
    "tilt": Descriptor("tilt", "{response}/V"),
    "resonance_mean": Descriptor("resonance, mean", "{resonance}"),
    "softening_negative": Descriptor("softening, falling", "{resonance}"),
    "softening_positive": Descriptor("softening, rising", "{resonance}"),
    "hardening_negative": Descriptor("hardening, falling", "{resonance}"),
    "hardening_positive": Descriptor("hardening, rising", "{resonance}"),
}

OF_STEPS = ("coercive_negative", "coercive_positive", "imprint", "shoulder_negative", "shoulder_positive")
"""Descriptors that mean nothing for a loop that does not switch, and are 0 there."""


def describe(voltage, piezoresponse, resonance=None):
    """Measure every descriptor of each loop.

    Parameters
    ----------
    voltage : ndarray, shape (n_steps,)
        One cycle between a negative and a positive extreme, from any step on, whose last step leads to the first, V.
    piezoresponse : ndarray, shape (n, n_steps)
        Against `voltage`; any unit.
    resonance : ndarray, shape (n, n_steps), optional
        Against the same voltages (see `Scan.align`).

    Returns
    -------
    values : dict of str to ndarray of float, each of shape (n,)
        In the order of `DESCRIPTORS`, those of the resonance if it is given. All are finite.
    switches : ndarray of bool, shape (n,)
        Where false, no step stands out of the noise, and the descriptors `OF_STEPS` are 0.

    Raises
    ------
    ReplicationError
        If the voltage is not one such cycle, the shapes do not match it, or a value is not finite.
    """
    loops = Loops(voltage, piezoresponse)
    values = dict(zip(("coercive_negative", "coercive_positive"), loops.coercive_voltages().T))
    values["imprint"] = loops.imprint()
    values["area"] = loop_area(loops.cycle, np.asarray(piezoresponse, dtype=np.float64))
    values |= dict(zip(("remanent_positive", "remanent_negative"), loops.remanent_responses().T))
    values |= {"saturation": loops.saturation(), "squareness": loops.squareness(), "tilt": loops.tilt}
    values |= dict(zip(("shoulder_negative", "shoulder_positive"), loops.shoulders().T))
    if resonance is not None:
        values["resonance_mean"] = np.mean(_checked("resonance", resonance, len(loops.cycle)), axis=1)
        for name, both in zip(("softening", "hardening"), resonance_extremes(voltage, resonance)):
            values |= {f"{name}_negative": both[:, 0], f"{name}_positive": both[:, 1]}
    return {name: values[name] for name in DESCRIPTORS if name in values}, loops.switches


def describe_spectra(scan, spectra):
    """Describe spectra in the order a scan is stored in: its own, or any model's reconstructions of them.

    Parameters
    ----------
    scan : Scan
        Its channels are told by their names; one without a resonance has fewer descriptors.
    spectra : ndarray, shape (n, n_channels * n_steps)

    Returns
    -------
    values, switches
        As `describe` returns them.

    Raises
    ------
    ReplicationError
        If the scan has no channel called ``piezoresponse``, or as for `describe`.
    """
    if "piezoresponse" not in scan.channels:
        raise ReplicationError(f"scan: no channel 'piezoresponse' among {', '.join(scan.channels)}; loops are described from that.")
    aligned = dict(zip(scan.channels, scan.align(spectra).swapaxes(0, 1)))
    return describe(scan.voltages[0], aligned["piezoresponse"], aligned.get("resonance"))


def units(scan):
    """Return the unit of each descriptor of a scan, a dict of str."""
    channels = dict(zip(scan.channels, scan.units))
    own = {"response": channels.get("piezoresponse"), "resonance": channels.get("resonance")}
    return {name: descriptor.unit.format(**own) for name, descriptor in DESCRIPTORS.items()}


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
        self.voltage, raw = branches(voltage, _checked("piezoresponse", piezoresponse, np.size(voltage)))
        self.smooth = _smooth(raw)
        kept = savgol_coeffs(WINDOW, ORDER)[WINDOW // 2]
        self.noise = np.sqrt(np.mean((raw - self.smooth) ** 2, axis=(1, 2)) / (1 - kept))

    @cached_property
    def tilt(self):
        """Slope of the saturated branches, shape (n,), response per V: the linear response under the switching.

        Mean of the least-squares slopes where the voltage comes back from an extreme to half of it, for there nothing switches.
        """
        high, low = self.voltage >= self.voltage[-1] / 2, self.voltage <= self.voltage[0] / 2
        return (_slope(self.voltage[high], self.smooth[:, 0, high]) + _slope(self.voltage[low], self.smooth[:, 1, low])) / 2

    @cached_property
    def _heights(self):
        """Height of the step on each branch, shape (n, 2): what is left of the rise from end to end without the tilt."""
        return self.smooth[:, :, -1] - self.smooth[:, :, 0] - self.tilt[:, None] * np.ptp(self.voltage)

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
        done = (self.smooth - self.smooth[:, :, :1] - self.tilt[:, None, None] * (self.voltage - self.voltage[0])) / heights[:, :, None]
        above, below = np.maximum.accumulate(done, axis=2), np.minimum.accumulate(done[:, :, ::-1], axis=2)[:, :, ::-1]
        return np.where(self.switches[:, None, None], _crossings(self.voltage, (above + below) / 2, LEVELS), 0.0)

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
        at_zero = [_interpolate(self.voltage, self.smooth[:, branch], np.zeros(1)) for branch in (0, 1)]
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
        slopes = (reached[:, :, STRETCH:] - reached[:, :, :-STRETCH]) / (logit(LEVELS[STRETCH:]) - logit(LEVELS[:-STRETCH]))
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
    volts, both = branches(voltage, _checked("resonance", resonance, np.size(voltage)))
    departures = []
    for branch, half in zip((0, 1), (volts <= 0, volts >= 0)):
        # By itself, for the acquisition starts and ends at 0 V, where the resonance may jump.
        curve, at = _smooth(both[:, branch, half]), volts[half]
        chord = curve[:, :1] + (curve[:, -1:] - curve[:, :1]) * (at - at[0]) / (at[-1] - at[0])
        departures.append(curve - chord)
    return tuple(np.stack([np.abs(ends(each, axis=1)) for each in departures], axis=1) for ends in (np.min, np.max))


def branches(voltage, loops):
    """Take loops apart at the extremes of the voltage.

    Parameters
    ----------
    voltage : ndarray, shape (n_steps,)
    loops : ndarray, shape (n, n_steps)

    Returns
    -------
    voltage : ndarray, shape (n_levels,)
        Even and rising from one extreme to the other, V; loops in uneven steps are interpolated.
    branches : ndarray, shape (n, 2, n_levels)
        The falling and the rising branch, both in the order of rising voltage.
    """
    voltage = np.asarray(voltage, dtype=np.float64)
    start = int(np.argmax(voltage))
    # The last step leads to the first: both extremes belong to both branches.
    order = (start + np.arange(len(voltage) + 1)) % len(voltage)
    turn = int(np.argmin(voltage[order]))
    falling, rising = order[turn::-1], order[turn:]
    one_cycle = all((np.diff(voltage[part]) > 0).all() and len(part) > 2 * WINDOW for part in (falling, rising))
    closed = np.abs(np.diff(voltage[order])).max() < np.ptp(voltage) / 4
    if not (one_cycle and closed and voltage.min() < 0 < voltage.max()):
        raise ReplicationError(
            "voltage: not one cycle between a negative and a positive extreme, falling once and rising once without repetition or gap, "
            f"in at least {2 * WINDOW} steps each way."
        )
    even = np.linspace(voltage.min(), voltage.max(), max(len(falling), len(rising)))
    return even, np.stack([_interpolate(voltage[part], loops[:, part], even) for part in (falling, rising)], axis=1)


def _checked(name, loops, n_steps):
    loops = np.asarray(loops, dtype=np.float64)
    if loops.ndim != 2 or loops.shape[1] != n_steps:
        raise ReplicationError(f"{name}: shape {loops.shape}, expected (n, {n_steps}): one value a voltage step.")
    if not np.isfinite(loops).all():
        raise ReplicationError(f"{name}: {np.count_nonzero(~np.isfinite(loops))} values are NaN or infinite; clean the loops first.")
    return loops


def _smooth(branch):
    return savgol_filter(branch, WINDOW, ORDER, axis=-1)


def _slope(x, y):
    """Return the least-squares slopes of `y`, shape (n, n_points), over `x`."""
    centred = x - x.mean()
    return y @ centred / (centred @ centred)


def _interpolate(x, y, at):
    """Interpolate `y`, shape (n, n_points), given over rising `x`, linearly."""
    right = np.clip(np.searchsorted(x, at), 1, len(x) - 1)
    share = (at - x[right - 1]) / (x[right] - x[right - 1])
    return y[:, right - 1] * (1 - share) + y[:, right] * share


def _crossings(x, curves, levels):
    """Return where monotone `curves`, shape (n, 2, n_points), first reach each level, shape (n, 2, n_levels); all between 0 and 1.

    The logit is interpolated, so that it makes no difference to a logistic step between which points of it a level is.
    """
    curves, levels = (logit(np.clip(fractions, 1e-3, 1 - 1e-3)) for fractions in (curves, levels))
    found = np.empty(curves.shape[:2] + (len(levels),))
    for column, level in enumerate(levels):
        right = np.maximum((curves >= level).argmax(axis=2), 1)[:, :, None]
        before, after = (np.take_along_axis(curves, index, axis=2) for index in (right - 1, right))
        share = np.divide(level - before, after - before, out=np.zeros_like(before), where=after > before)
        found[:, :, column] = (x[right - 1] + share * (x[right] - x[right - 1]))[:, :, 0]
    return found
