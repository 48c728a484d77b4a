"""Descriptors of switching loops: what a spectroscopist reads off each loop, as numbers; `switching` says how each is defined.

"Negative" is the branch on which the voltage falls, "positive" that on which it rises.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from replicate.analysis.branches import checked
from replicate.analysis.shapes import loop_area
from replicate.analysis.switching import Loops, resonance_extremes
from replicate.errors import ReplicationError


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

OF_STEPS = (
    "coercive_negative",
    "coercive_positive",
    "imprint",
    "shoulder_negative",
    "shoulder_positive",
)
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
    values |= {
        "saturation": loops.saturation(),
        "squareness": loops.squareness(),
        "tilt": loops.tilt,
    }
    values |= dict(zip(("shoulder_negative", "shoulder_positive"), loops.shoulders().T))
    if resonance is not None:
        values["resonance_mean"] = np.mean(
            checked("resonance", resonance, len(loops.cycle)), axis=1
        )
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
        raise ReplicationError(
            f"scan: no channel 'piezoresponse' among {', '.join(scan.channels)}; loops are described from that."
        )
    aligned = dict(zip(scan.channels, scan.align(spectra).swapaxes(0, 1)))
    return describe(scan.voltages[0], aligned["piezoresponse"], aligned.get("resonance"))


def units(scan):
    """Return the unit of each descriptor of a scan, a dict of str."""
    channels = dict(zip(scan.channels, scan.units))
    own = {"response": channels.get("piezoresponse"), "resonance": channels.get("resonance")}
    return {name: descriptor.unit.format(**own) for name, descriptor in DESCRIPTORS.items()}
