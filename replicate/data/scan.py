"""A scan: a spectrum of every channel at every pixel of a grid, and the voltage of every step."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from replicate.errors import ReplicationError

#: The channels of the paper's scan, in the order in which they are stacked in a spectrum.
CHANNELS = ("piezoresponse", "resonance")

#: Rows and columns of the paper's scan.
SHAPE = (60, 60)

#: Height and width of the paper's scan, um.
SIZE_UM = (2.0, 2.0)


@dataclass(frozen=True, eq=False)
class Scan:
    """One scan: a spectrum of every channel at every pixel.

    Attributes
    ----------
    spectra : ndarray of shape (n_pixels, n_channels * n_steps), float32
        Spectra are channel-major, with each channel in the order that it is stored in. Pixels are
        in C order.
    shape : tuple of int
        Rows and columns of the grid.
    voltages : ndarray of shape (n_channels, n_steps)
        The voltage axis of each channel as stored, V.
    provenance : str
        Where the scan comes from, as `replicate.provenance` lists it.
    channels, units : tuple of str
        Name and unit of each channel.
    size_um : tuple of float, or None
        Height and width of the scan, um; None where they are not known.
    hashes : dict of str
        The SHA-256 of each file that was read; empty for a simulated scan.
    truth : dict of ndarray of shape (rows, cols), or None
        The maps that a simulated scan was made from.
    mask : ndarray of bool, shape (rows, cols), or None
        Which pixels of the grid have a spectrum; None where all have. Pixels without a spectrum
        are blank, and not counted in `n_pixels`.

    Raises
    ------
    ReplicationError
        If the shapes disagree, or if a channel's voltage axis is not that of the first channel,
        moved along the cycle.
    """

    spectra: np.ndarray
    shape: tuple[int, int]
    voltages: np.ndarray
    provenance: str
    channels: tuple[str, ...] = CHANNELS
    units: tuple[str, ...] = ("z-score", "z-score")
    size_um: tuple[float, float] | None = SIZE_UM
    hashes: dict[str, str] = field(default_factory=dict)
    truth: dict[str, np.ndarray] | None = None
    mask: np.ndarray | None = None

    def __post_init__(self):
        if self.mask is None:
            n_pixels = int(np.prod(self.shape))
        else:
            n_pixels = int(np.count_nonzero(self.mask))
        expected = (n_pixels, np.size(self.voltages))
        if np.shape(self.spectra) != expected or len(self.voltages) != len(self.channels):
            raise ReplicationError(
                f"scan: spectra of shape {np.shape(self.spectra)}, "
                f"expected {expected} from the grid and the voltages."
            )
        self.lags  # noqa: B018 - axes that cannot be aligned are refused at once

    @cached_property
    def lags(self) -> tuple[int, ...]:
        """By how many steps each channel is stored behind the first channel."""
        return tuple(cycle_lag(voltage, self.voltages[0]) for voltage in self.voltages)

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return len(self.channels)

    @property
    def n_steps(self) -> int:
        """Number of voltage steps."""
        return self.voltages.shape[1]

    def channel(self, name: str) -> np.ndarray:
        """Return the spectra of one channel as stored, shape (n_pixels, n_steps).

        They belong to that channel's row of `voltages`.

        Raises
        ------
        ReplicationError
            If the scan has no channel of that name.
        """
        if name not in self.channels:
            raise ReplicationError(
                f"scan: no channel {name!r}; there are {', '.join(self.channels)}."
            )
        return self._by_channel(self.spectra)[:, self.channels.index(name)]

    def align(self, spectra: np.ndarray) -> np.ndarray:
        """Bring every channel onto the voltage axis of the first channel.

        Parameters
        ----------
        spectra : ndarray of shape (n, n_channels * n_steps)
            Spectra in stored order: those of this scan, or a model's reconstructions of them.

        Returns
        -------
        ndarray of shape (n, n_channels, n_steps)
            Every channel against ``voltages[0]``.
        """
        channels = self._by_channel(spectra).swapaxes(0, 1)
        aligned = [np.roll(channel, -lag, axis=1) for channel, lag in zip(channels, self.lags)]
        return np.stack(aligned, axis=1)

    def unalign(self, aligned: np.ndarray) -> np.ndarray:
        """Undo `align`: bring every channel back to the order that it is stored in.

        Parameters
        ----------
        aligned : ndarray of shape (n, n_channels, n_steps)
            Every channel against ``voltages[0]``.

        Returns
        -------
        ndarray of shape (n, n_channels * n_steps)
            Spectra in stored order.
        """
        channels = [np.roll(aligned[:, i], lag, axis=1) for i, lag in enumerate(self.lags)]
        return np.concatenate(channels, axis=1)

    def aligned(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the spectra of the scan on one voltage axis.

        Returns
        -------
        spectra : ndarray of shape (n_pixels, n_channels, n_steps)
        voltage : ndarray of shape (n_steps,)
            The voltage axis of all channels, V.
        """
        return self.align(self.spectra), self.voltages[0]

    def map(self, values: np.ndarray) -> np.ndarray:
        """Lay values out on the grid.

        Parameters
        ----------
        values : array-like of shape (n_pixels, ...)
            A value, or an array of them, for each pixel that has a spectrum.

        Returns
        -------
        ndarray of shape (rows, cols, ...)
            Blank pixels are NaN.
        """
        values = np.asarray(values)
        if self.mask is None:
            return values.reshape(self.shape + values.shape[1:])
        laid_out = np.full(self.shape + values.shape[1:], np.nan)
        laid_out[self.mask] = values
        return laid_out

    def _by_channel(self, spectra):
        """Return spectra as an array of shape (n, n_channels, n_steps)."""
        spectra = np.asarray(spectra)
        if spectra.ndim != 2 or spectra.shape[1] != self.voltages.size:
            raise ReplicationError(
                f"spectra: shape {spectra.shape}, "
                f"expected (n, {self.voltages.size}) as in the scan."
            )
        return spectra.reshape(-1, self.n_channels, self.n_steps)


def cycle_lag(voltage: np.ndarray, reference: np.ndarray) -> int:
    """Return by how many steps one voltage axis is behind another along the same cycle.

    Parameters
    ----------
    voltage, reference : ndarray of shape (n_steps,)
        Voltage axes, V.

    Returns
    -------
    int
        The lag for which ``np.roll(voltage, -lag)`` is `reference`.

    Raises
    ------
    ReplicationError
        If no lag brings the two together to within a hundredth of the voltage range.
    """
    distances = [np.abs(np.roll(voltage, -lag) - reference).max() for lag in range(len(reference))]
    lag = int(np.argmin(distances))
    if distances[lag] > 0.01 * np.ptp(reference):
        raise ReplicationError(
            "voltage: the channels do not run through the same cycle, so they cannot be aligned."
        )
    return lag


def cycle_steps(voltage: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the steps of a voltage axis, and how many times the voltage turns.

    Parameters
    ----------
    voltage : ndarray of shape (n_steps,)
        One cycle, V.

    Returns
    -------
    steps : ndarray of shape (n_steps,)
        Differences between neighbouring voltages, V. The last one leads back to the first voltage.
    turns : int
        How many times the sign of the step changes along the closed cycle.
    """
    steps = np.diff(voltage, append=voltage[:1])
    signs = np.sign(steps)
    previous_signs = np.sign(np.roll(steps, 1))
    return steps, np.count_nonzero(signs != previous_signs)


def check_cycle(path: str | Path, voltage: np.ndarray) -> None:
    """Refuse a voltage axis that is not one bipolar cycle.

    Parameters
    ----------
    path : path-like
        The file, or the file and the variable, that the error names.
    voltage : ndarray of shape (n_steps,)
        The voltage axis, V.

    Raises
    ------
    ReplicationError
        If the voltage does not rise once and fall once through zero, does not end near where it
        starts, has fewer than eight steps, or has a number of steps that four does not divide.
    """
    steps, turns = cycle_steps(voltage)
    is_closed = len(voltage) >= 8 and abs(steps[-1]) <= 2 * np.median(np.abs(steps))
    is_one_cycle = is_closed and turns == 2 and len(voltage) % 4 == 0
    is_one_bipolar_cycle = is_one_cycle and voltage.min() < 0 < voltage.max()
    if not is_one_bipolar_cycle:
        raise ReplicationError(
            f"{path}: not one bipolar cycle. The voltage must rise once and fall once through "
            "zero, end a step from where it starts, and have a number of steps divisible by four."
        )
