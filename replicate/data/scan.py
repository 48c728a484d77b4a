"""A scan: a spectrum of every channel at every pixel of a grid, and the voltage cycle that each channel runs through."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from replicate.errors import ReplicationError

CHANNELS = ("piezoresponse", "resonance")
SHAPE = (60, 60)
SIZE_UM = (2.0, 2.0)


@dataclass(frozen=True, eq=False)
class Scan:
    """One scan: a spectrum of every channel at every pixel.

    Attributes
    ----------
    spectra : ndarray of shape (n_pixels, n_channels * n_steps), float32
        Channel-major, each channel in the order it is stored in; pixels in C order.
    shape : tuple of int
        Rows and columns of the grid.
    voltages : ndarray of shape (n_channels, n_steps)
        The voltage axis of each channel as stored, V.
    provenance : str
        As docs/architecture.md lists them.
    channels, units : tuple of str
        Name and unit of each channel.
    size_um : tuple of float, or None
        Height and width of the scan, um; None where they are not known.
    hashes : dict of str
        sha256 of each file read; empty for a simulated scan.
    truth : dict of ndarray of shape (rows, cols), or None
        Ground-truth maps of a simulated scan.
    mask : ndarray of bool, shape (rows, cols), or None
        Which pixels of the grid have a spectrum; None where all have. Blank ones are not counted in ``n_pixels``.

    Raises
    ------
    ReplicationError
        If the shapes disagree, or a channel's voltage axis is not the first one's, moved round the cycle.
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
        n_pixels = int(np.prod(self.shape) if self.mask is None else np.count_nonzero(self.mask))
        expected = (n_pixels, np.size(self.voltages))
        if np.shape(self.spectra) != expected or len(self.voltages) != len(self.channels):
            raise ReplicationError(
                f"scan: spectra of shape {np.shape(self.spectra)}, expected {expected} from the grid and the voltages."
            )
        self.lags  # noqa: B018 - axes that cannot be aligned are refused at once

    @cached_property
    def lags(self):
        """By how many steps each channel is stored behind the first, a tuple of int."""
        return tuple(cycle_lag(own, self.voltages[0]) for own in self.voltages)

    @property
    def n_channels(self):
        """Number of channels."""
        return len(self.channels)

    @property
    def n_steps(self):
        """Number of voltage steps."""
        return self.voltages.shape[1]

    def channel(self, name):
        """Return one channel's spectra as stored, (n_pixels, n_steps); they belong to that channel's row of `voltages`."""
        if name not in self.channels:
            raise ReplicationError(
                f"scan: no channel {name!r}; there are {', '.join(self.channels)}."
            )
        return self._unfold(self.spectra)[:, self.channels.index(name)]

    def align(self, spectra):
        """Bring every channel onto the first channel's voltage axis.

        Parameters
        ----------
        spectra : ndarray of shape (n, n_channels * n_steps)
            Spectra in stored order: this scan's, or any model's reconstructions of them.

        Returns
        -------
        ndarray of shape (n, n_channels, n_steps)
            Every channel against ``voltages[0]``.
        """
        return np.stack(
            [
                np.roll(own, -lag, axis=1)
                for own, lag in zip(self._unfold(spectra).swapaxes(0, 1), self.lags)
            ],
            axis=1,
        )

    def unalign(self, aligned):
        """Undo `align`: (n, n_channels, n_steps) on one voltage axis back to (n, n_channels * n_steps) as stored."""
        channels = [np.roll(aligned[:, i], lag, axis=1) for i, lag in enumerate(self.lags)]
        return np.concatenate(channels, axis=1)

    def aligned(self):
        """Return the scan aligned, (n_pixels, n_channels, n_steps), and the one voltage axis, (n_steps,) in V."""
        return self.align(self.spectra), self.voltages[0]

    def map(self, values):
        """Lay values per pixel, (n_pixels, ...), out on the grid: (rows, cols, ...); NaN where it is blank."""
        values = np.asarray(values)
        if self.mask is None:
            return values.reshape(self.shape + values.shape[1:])
        laid_out = np.full(self.shape + values.shape[1:], np.nan)
        laid_out[self.mask] = values
        return laid_out

    def _unfold(self, spectra):
        spectra = np.asarray(spectra)
        if spectra.ndim != 2 or spectra.shape[1] != self.voltages.size:
            raise ReplicationError(
                f"spectra: shape {spectra.shape}, expected (n, {self.voltages.size}) as in the scan."
            )
        return spectra.reshape(-1, self.n_channels, self.n_steps)


def cycle_lag(own, reference):
    """Return the lag, in steps, for which ``np.roll(own, -lag)`` is the voltage axis `reference`, (n_steps,).

    Raises
    ------
    ReplicationError
        If no lag brings the two together to a hundredth of the voltage range.
    """
    distances = [np.abs(np.roll(own, -lag) - reference).max() for lag in range(len(reference))]
    lag = int(np.argmin(distances))
    if distances[lag] > 0.01 * np.ptp(reference):
        raise ReplicationError(
            "voltage: the channels do not run through the same cycle, so they cannot be aligned."
        )
    return lag


def cycle_steps(voltage):
    """Return the steps of a voltage axis, (n_steps,) in V, the last back to the first, and how many times it turns."""
    steps = np.diff(voltage, append=voltage[:1])
    return steps, np.count_nonzero(np.sign(steps) != np.sign(np.roll(steps, 1)))


def check_cycle(path, voltage):
    """Refuse a voltage axis, (n_steps,) in V, that is not one bipolar cycle; `path` is what the error names.

    Raises
    ------
    ReplicationError
    """
    steps, turns = cycle_steps(voltage)
    closed = len(voltage) >= 8 and abs(steps[-1]) <= 2 * np.median(np.abs(steps))
    if not (closed and turns == 2 and len(voltage) % 4 == 0 and voltage.min() < 0 < voltage.max()):
        raise ReplicationError(
            f"{path}: not one bipolar cycle. The voltage must rise once and fall once through zero, end a step from where it starts, "
            "and have a number of steps divisible by four."
        )
