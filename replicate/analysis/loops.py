"""Descriptors of switching loops: what a spectroscopist reads off each loop, as numbers.

`switching` says how each descriptor is defined. In the names, "negative" is the branch on which the
voltage falls, "positive" the branch on which it rises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from replicate.analysis.branches import check_loops
from replicate.analysis.shapes import loop_area
from replicate.analysis.switching import Loops, resonance_extremes
from replicate.errors import ReplicationError

if TYPE_CHECKING:
    from replicate.data.scan import Scan


class Descriptor(NamedTuple):
    """The label and the unit of a descriptor.

    Attributes
    ----------
    label : str
    unit : str
        ``{response}`` and ``{resonance}`` stand for the units of the two channels.
    """

    label: str
    unit: str


#: Every descriptor by name, in the order of tables and figures.
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

#: Descriptors of the switching steps. They mean nothing for a loop that does not switch, and are 0
#: there.
OF_STEPS = (
    "coercive_negative",
    "coercive_positive",
    "imprint",
    "shoulder_negative",
    "shoulder_positive",
)


def describe(
    voltage: np.ndarray, piezoresponse: np.ndarray, resonance: np.ndarray | None = None
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Measure every descriptor of each loop.

    Parameters
    ----------
    voltage : ndarray, shape (n_steps,)
        One cycle between a negative and a positive extreme, V. It may start at any step; the last
        step leads to the first.
    piezoresponse : ndarray, shape (n, n_steps)
        Against `voltage`; any unit.
    resonance : ndarray, shape (n, n_steps), optional
        Against the same voltages (see `Scan.align`); any unit.

    Returns
    -------
    values : dict of str to ndarray of float, each of shape (n,)
        In the order of `DESCRIPTORS`, those of the resonance only if it is given. All are finite.
    switches : ndarray of bool, shape (n,)
        Where false, no step stands out of the noise, and the descriptors `OF_STEPS` are 0.

    Raises
    ------
    ReplicationError
        If the voltage is not one such cycle, the shapes do not match it, or a value is not finite.
    """
    loops = Loops(voltage, piezoresponse)
    coercive = loops.coercive_voltages()
    remanent = loops.remanent_responses()
    shoulders = loops.shoulders()
    values = {
        "coercive_negative": coercive[:, 0],
        "coercive_positive": coercive[:, 1],
        "imprint": loops.imprint(),
        "area": loop_area(loops.cycle, np.asarray(piezoresponse, dtype=np.float64)),
        # The falling branch crosses 0 V in the positive state.
        "remanent_negative": remanent[:, 1],
        "remanent_positive": remanent[:, 0],
        "saturation": loops.saturation(),
        "squareness": loops.squareness(),
        "shoulder_negative": shoulders[:, 0],
        "shoulder_positive": shoulders[:, 1],
        "tilt": loops.tilt,
    }
    if resonance is not None:
        softening, hardening = resonance_extremes(voltage, resonance)
        checked_resonance = check_loops("resonance", resonance, len(loops.cycle))
        values["resonance_mean"] = np.mean(checked_resonance, axis=1)
        values["softening_negative"] = softening[:, 0]
        values["softening_positive"] = softening[:, 1]
        values["hardening_negative"] = hardening[:, 0]
        values["hardening_positive"] = hardening[:, 1]
    return values, loops.switches


def describe_spectra(scan: Scan, spectra: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Describe spectra that are stored in the order of a scan.

    Parameters
    ----------
    scan : Scan
        Channels are known by their names. A scan without a channel called ``resonance`` has
        fewer descriptors.
    spectra : ndarray, shape (n, n_channels * n_steps)
        Spectra of the scan, or any model's reconstructions of them.

    Returns
    -------
    values : dict of str to ndarray of float, each of shape (n,)
        As `describe` returns them.
    switches : ndarray of bool, shape (n,)
        As `describe` returns them.

    Raises
    ------
    ReplicationError
        If the scan has no channel called ``piezoresponse``, or as for `describe`.
    """
    if "piezoresponse" not in scan.channels:
        raise ReplicationError(
            f"scan: no channel 'piezoresponse' among {', '.join(scan.channels)}; loops are "
            "described from that."
        )
    aligned = dict(zip(scan.channels, scan.align(spectra).swapaxes(0, 1)))
    return describe(scan.voltages[0], aligned["piezoresponse"], aligned.get("resonance"))


def units(scan: Scan) -> dict[str, str]:
    """Return the unit of each descriptor of a scan by the name of the descriptor.

    Parameters
    ----------
    scan : Scan

    Returns
    -------
    dict of str to str
        In the order of `DESCRIPTORS`.
    """
    unit_of = dict(zip(scan.channels, scan.units))
    response = unit_of.get("piezoresponse")
    resonance = unit_of.get("resonance")
    return {
        name: descriptor.unit.format(response=response, resonance=resonance)
        for name, descriptor in DESCRIPTORS.items()
    }
