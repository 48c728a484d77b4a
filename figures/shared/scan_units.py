"""The units that the channels of a scan are drawn in.

They are those of the user's file, with a prefix that keeps numbers short, or else z-scores.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from replicate.data.scan import Scan

#: Prefixes of the International System of Units, by the exponent of ten.
PREFIXES = {-12: "p", -9: "n", -6: "µ", -3: "m", 3: "k", 6: "M", 9: "G"}

#: Units that take a prefix; others are multiplied by a power of ten.
PREFIXED = ("m", "V", "Hz", "A", "C")

#: Values of a size within these limits need neither.
SHORT_FROM, SHORT_TO = 1e-2, 1e4


def unit_of(scan: Scan, channel: int) -> str:
    """Return the unit that a channel of a scan is drawn in: that of the file, or else z-scores."""
    unit = _file_unit(scan, channel)
    if not unit:
        return scan.units[channel]
    exponent = _exponent(scan, channel)
    if unit in PREFIXED and exponent in PREFIXES:
        return PREFIXES[exponent] + unit
    return f"$10^{{{exponent}}}$ {unit}" if exponent else unit


def in_unit(scan: Scan, channel: int, values: np.ndarray) -> np.ndarray:
    """Return values of a channel, in z-scores, in the unit that `unit_of` names."""
    if not _file_unit(scan, channel):
        return values
    mean, deviation = scan.levels[channel]
    return (mean + deviation * values) / 10.0 ** _exponent(scan, channel)


def differences_in_unit(scan: Scan, channel: int, values: np.ndarray) -> np.ndarray:
    """Return differences between values of a channel, in the unit that `unit_of` names."""
    if not _file_unit(scan, channel):
        return values
    return scan.levels[channel][1] * values / 10.0 ** _exponent(scan, channel)


def in_units(scan: Scan, spectra: np.ndarray) -> np.ndarray:
    """Return spectra in stored order, in z-scores, in the units that `unit_of` names.

    Parameters
    ----------
    scan : Scan
    spectra : ndarray, shape (n, n_channels * n_steps)
        Those of the scan, or reconstructions of them.
    """
    channels = np.split(spectra, scan.n_channels, axis=1)
    return np.hstack([in_unit(scan, channel, values) for channel, values in enumerate(channels)])


def physical(scan: Scan) -> Scan:
    """Return a scan with its spectra in the units that `unit_of` names."""
    units = tuple(unit_of(scan, channel) for channel in range(scan.n_channels))
    return replace(scan, spectra=in_units(scan, scan.spectra), units=units)


def _file_unit(scan, channel):
    """Return the unit that a channel has in the user's file; "" where there is none."""
    units = getattr(scan, "file_units", ())
    return units[channel] if units else ""


def _exponent(scan, channel):
    """Return the power of ten, a multiple of 3, by which a channel is drawn in short numbers."""
    size = max(map(abs, scan.levels[channel]))
    if size == 0 or SHORT_FROM <= size < SHORT_TO:
        return 0
    return 3 * math.floor(math.log10(size) / 3)
