"""Raw scans in MATLAB files: version 5 (through SciPy) and 7.3 (HDF5, through h5py).

A scan is read a few rows of the grid at a time. A variable of a version 5 file is in memory as a
whole, and has at most 2 GB by that format; of a 7.3 file only the rows that are asked for are read.
"""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from functools import cached_property, lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from scipy.io import whosmat

from replicate.data.scan import CHANNELS, check_cycle
from replicate.data.user_scan.contents import (
    STORED_ELSEWHERE,
    is_elsewhere,
    load_matlab,
    try_to_list_matlab,
    walk,
)
from replicate.errors import ReplicationError

#: The variable that holds the piezoresponse loops.
LOOPS = "Loopdata_mixed"

#: The variables of the oscillator fit, and the rotation angle of each loop.
AMPLITUDE = "OutA2_mixed"
PHASE = "OutPhi2_mixed"
ANGLE = "optrotang_mixed"
RESONANCE = "Outw2_mixed"
QUALITY = "OutQ2_mixed"

#: The voltage of the loops, and the voltage of the oscillator fit, in the order of acquisition.
VOLTAGE = "Voltagedata_mixed"
ACQUISITION_VOLTAGE = "VoltageDC_mixed"

#: A wrapped phase stays below this, rad; a greater one is in degrees.
LARGEST_ANGLE = 4 * np.pi


def piezoresponse(amplitude: np.ndarray, phase: np.ndarray, angle: ArrayLike) -> np.ndarray:
    """Return the piezoresponse A cos(phi + theta), in the unit of the amplitude.

    Parameters
    ----------
    amplitude, phase : ndarray of shape (..., n_steps)
        Amplitude and phase of the simple-harmonic-oscillator fit; the phase in rad.
    angle : array-like of shape (...)
        Optimum rotation angle theta of each loop, rad (Section 2 of the paper).

    Returns
    -------
    ndarray of shape (..., n_steps)

    Raises
    ------
    ReplicationError
        If a phase or an angle is beyond two turns, as it is in degrees.
    """
    for name, values in (("phase", phase), ("rotation angle", angle)):
        largest = np.max(np.abs(values), where=np.isfinite(values), initial=0)
        if largest > LARGEST_ANGLE:
            raise ReplicationError(
                f"{name}: values up to {largest:.4g}, too large for radians. "
                "Convert degrees to radians."
            )
    return amplitude * np.cos(phase + np.asarray(angle)[..., np.newaxis])


class RawScan:
    """A raw scan in an open file; see `open_raw`.

    Attributes
    ----------
    path : Path
        The file.
    shape : tuple of int
        Rows and columns of the grid.
    n_steps : int
        Voltage steps of a loop.
    channels : tuple of str
        ``"piezoresponse"``, and ``"resonance"`` where the file has it.
    voltages : ndarray of shape (n_channels, n_steps)
        The voltage axis of each channel in the order that it is stored in, V. It is
        ``Voltagedata_mixed`` for the loops, and ``VoltageDC_mixed``, the order of acquisition, for
        everything from the oscillator fit. Where a file has two cycles, the second is taken.
    """

    def __init__(self, path, variables):
        self.path = Path(path)
        self._variables = variables
        self._sources = self._find_sources()
        self.channels = tuple(channel for channel in CHANNELS if channel in self._sources)
        grid_and_steps = self._shape(self._sources["piezoresponse"])
        self._check_shapes(grid_and_steps)
        self.shape = grid_and_steps[:2]
        self.n_steps = grid_and_steps[2]
        self.voltages = np.stack([self._voltage_of(channel) for channel in self.channels])

    def _find_sources(self):
        """Return the variable that each channel comes from, and ``"quality"``, where it is there.

        Where the file has no loops, the piezoresponse comes from the amplitude, with the phase and
        the rotation angle beside it.
        """
        stored = self._variables.shapes
        sources = {
            "piezoresponse": LOOPS if LOOPS in stored else AMPLITUDE,
            "resonance": RESONANCE,
            "quality": QUALITY,
        }
        if sources["piezoresponse"] not in stored:
            raise ReplicationError(
                f"{self.path}: no variable {LOOPS}, nor {AMPLITUDE}, {PHASE} and {ANGLE} "
                f"to compute it. {self._contents}"
            )
        return {channel: name for channel, name in sources.items() if name in stored}

    def _check_shapes(self, expected):
        """Refuse a shape that is not rows x columns x steps, and variables of different shapes."""
        if len(expected) != 3 or 0 in expected:
            raise ReplicationError(
                f"{self.path}: {self._sources['piezoresponse']} has shape {expected}, "
                "expected rows x columns x steps."
            )
        names = list(self._sources.values())
        if AMPLITUDE in names:
            names.append(PHASE)
        for name in names:
            if self._shape(name) != expected:
                raise ReplicationError(
                    f"{self.path}: {name} has shape {self._shape(name)}, "
                    f"expected {expected} as the piezoresponse."
                )

    def rows(self, channel: str, start: int, stop: int) -> np.ndarray:
        """Read some rows of the grid.

        Parameters
        ----------
        channel : str
            A channel, or ``"quality"`` for the quality factor.
        start, stop : int
            The first row to read, and the first one not to.

        Returns
        -------
        ndarray of shape (stop - start, columns, n_steps), float64

        Raises
        ------
        ReplicationError
            If the file has no such channel, or cannot be read.
        """
        if channel not in self._sources:
            raise ReplicationError(f"{self.path}: no {channel}. {self._contents}")
        name = self._sources[channel]
        values = self._read(name, slice(start, stop))
        if name != AMPLITUDE:
            return values
        try:
            phase = self._read(PHASE, slice(start, stop))
            return piezoresponse(values, phase, self._angle[start:stop])
        except ReplicationError as error:
            raise ReplicationError(f"{self.path}: {PHASE}, {ANGLE}: {error}") from error

    @cached_property
    def _angle(self):
        """The rotation angle of each loop, shape (rows, columns), rad."""
        angle = self._read(ANGLE)
        if angle.size == 1:
            angle = np.full(self.shape, angle.item())
        if angle.shape != self.shape:
            raise ReplicationError(
                f"{self.path}: {ANGLE} has shape {angle.shape}, expected one value or {self.shape}."
            )
        return angle

    def _voltage_of(self, channel):
        """Return the voltage axis of a channel, shape (n_steps,), V."""
        name = VOLTAGE if self._sources[channel] == LOOPS else ACQUISITION_VOLTAGE
        voltage = self._read(name)
        is_a_line = voltage.size == max(voltage.shape)
        if not is_a_line or voltage.size not in (self.n_steps, 2 * self.n_steps):
            raise ReplicationError(
                f"{self.path}: {name} has shape {voltage.shape}, "
                f"expected one or two cycles of {self.n_steps} steps."
            )
        last_cycle = voltage.ravel()[-self.n_steps :]
        try:
            check_cycle(f"{self.path}: {name}", last_cycle)
        except ReplicationError as error:
            raise ReplicationError(f"{error}{self._advice_on_steps()}") from error
        return last_cycle

    def _advice_on_steps(self):
        """Return what to do with a number of steps that the paper's recipe is not made for."""
        if self.n_steps % 4 == 0 or self._sources["piezoresponse"] != LOOPS:
            return ""
        file = shlex.quote(str(self.path))
        return (
            f" Loops of {self.n_steps} steps can be run as they are: "
            f"`python -m replicate run --scan {file} --dataset {LOOPS}`."
        )

    def _shape(self, name):
        if name not in self._variables.shapes:
            raise ReplicationError(f"{self.path}: no variable {name}. {self._contents}")
        return self._variables.shapes[name]

    def _read(self, name, rows=slice(None)):
        """Read some rows of a variable of real numbers, as float64."""
        self._shape(name)
        try:
            values = self._variables.read(name, rows)
        # A damaged file makes zlib, SciPy and HDF5 raise almost anything.
        except Exception as error:
            raise ReplicationError(
                f"{self.path}: {name} cannot be read ({error}). Copy or export the file again."
            ) from error
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
            raise ReplicationError(f"{self.path}: {name} does not hold real numbers.")
        return np.asarray(values, dtype=np.float64)

    @property
    def _contents(self):
        """A sentence on the variables of the file, for an error."""
        return f"The file has {', '.join(sorted(self._variables.shapes)) or 'no variables'}."


@contextlib.contextmanager
def open_raw(path: str | Path) -> Iterator[RawScan]:
    """Open a raw scan in a MATLAB file of version 5 to 7.3, in a ``with`` statement.

    Yields
    ------
    RawScan
        Its rows can be read until the block ends.

    Raises
    ------
    ReplicationError
        If the file is missing or damaged, a variable is missing or of a wrong shape, or a voltage
        axis is not one bipolar cycle.
    """
    if not Path(path).is_file():
        raise ReplicationError(f"{path}: no such file.")
    with contextlib.ExitStack() as stack:
        try_to_list_matlab(path)
        try:
            variables = _open_variables(path, stack)
        # A damaged file makes zlib, SciPy and HDF5 raise almost anything.
        except Exception as error:
            raise ReplicationError(
                f"{path}: not a readable MATLAB file of version 5 to 7.3 ({error})."
            ) from error
        yield RawScan(path, variables)


def _open_variables(path, stack):
    import h5py

    if h5py.is_hdf5(path):
        return _Hdf5(stack.enter_context(h5py.File(path, "r")))
    return _Matlab5(path)


class _Matlab5:
    """Variables of a version 5 file.

    `shapes` has the shape of each variable by its name. A variable is read as a whole; the two that
    were read last stay in memory.
    """

    def __init__(self, path):
        self.shapes = {name: shape for name, shape, _ in whosmat(path, appendmat=False)}
        self._read_whole = lru_cache(maxsize=2)(partial(load_matlab, path))

    def read(self, name, rows):
        return self._read_whole(name)[rows]


class _Hdf5:
    """Variables of a 7.3 file.

    `shapes` has the shape of each variable by its name. HDF5 has the dimensions of a MATLAB array
    in reverse, so that rows come last there.
    """

    def __init__(self, file):
        self._datasets = {
            name: item
            for name, item in walk(file)
            if hasattr(item, "dtype") and "MATLAB_empty" not in item.attrs
        }
        self.shapes = {name: item.shape[::-1] for name, item in self._datasets.items()}

    def read(self, name, rows):
        item = self._datasets[name]
        if is_elsewhere(item):
            raise ReplicationError(f"{STORED_ELSEWHERE}; copy everything into one file")
        return item[..., rows].T
