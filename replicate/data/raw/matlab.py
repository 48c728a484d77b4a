"""Raw scans in MATLAB files: version 5 (through SciPy) and 7.3 (HDF5, through h5py), read a few rows of the grid at a time.

A variable of version 5 is in memory as a whole, and at most 2 GB by that format; of a 7.3 file only the rows asked for are.
"""

from __future__ import annotations

import contextlib
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from scipy.io import loadmat, whosmat

from replicate.data.scan import CHANNELS, check_cycle
from replicate.errors import ReplicationError

LOOPS, AMPLITUDE, PHASE, ANGLE = "Loopdata_mixed", "OutA2_mixed", "OutPhi2_mixed", "optrotang_mixed"
RESONANCE, QUALITY = "Outw2_mixed", "OutQ2_mixed"
VOLTAGE, ACQUISITION_VOLTAGE = "Voltagedata_mixed", "VoltageDC_mixed"
LARGEST_ANGLE = 4 * np.pi  # a wrapped phase stays below; more is in degrees


def piezoresponse(amplitude, phase, angle):
    """Return the piezoresponse A cos(phi + theta), in the unit of the amplitude.

    Parameters
    ----------
    amplitude, phase : ndarray of shape (..., n_steps)
        Of the simple-harmonic-oscillator fit; phase in rad.
    angle : array-like of shape (...)
        Optimum rotation angle of each loop, rad (Section 2 of the paper).

    Raises
    ------
    ReplicationError
        If a phase or an angle is beyond two turns, as it is in degrees.
    """
    for name, values in (("phase", phase), ("rotation angle", angle)):
        largest = np.max(np.abs(values), where=np.isfinite(values), initial=0)
        if largest > LARGEST_ANGLE:
            raise ReplicationError(
                f"{name}: values up to {largest:.4g}, too large for radians. Convert degrees to radians."
            )
    return amplitude * np.cos(phase + np.asarray(angle)[..., np.newaxis])


class RawScan:
    """A raw scan in an open file; see `open_raw`.

    Attributes
    ----------
    path : Path
    shape : tuple of int
        Rows and columns of the grid.
    n_steps : int
        Voltage steps of a loop.
    channels : tuple of str
        ``"piezoresponse"``, and ``"resonance"`` where the file has it.
    voltages : ndarray of shape (n_channels, n_steps)
        The voltage axis of each channel in the order it is stored in, V: ``Voltagedata_mixed`` for the loops, ``VoltageDC_mixed``, the
        order of acquisition, for everything from the oscillator fit. Of two cycles the second is taken.
    """

    def __init__(self, path, variables):
        self.path, self._variables = Path(path), variables
        sources = {
            "piezoresponse": LOOPS if LOOPS in variables.shapes else AMPLITUDE,
            "resonance": RESONANCE,
            "quality": QUALITY,
        }
        if sources["piezoresponse"] not in variables.shapes:
            raise ReplicationError(
                f"{path}: no variable {LOOPS}, nor {AMPLITUDE}, {PHASE} and {ANGLE} to compute it. {self._contents}"
            )
        self._sources = {
            channel: name for channel, name in sources.items() if name in variables.shapes
        }
        self.channels = tuple(channel for channel in CHANNELS if channel in self._sources)
        first = self._shape(self._sources["piezoresponse"])
        if len(first) != 3 or 0 in first:
            raise ReplicationError(
                f"{path}: {self._sources['piezoresponse']} has shape {first}, expected rows x columns x steps."
            )
        self.shape, self.n_steps = first[:2], first[2]
        for name in (
            *self._sources.values(),
            *((PHASE,) if AMPLITUDE in self._sources.values() else ()),
        ):
            if self._shape(name) != first:
                raise ReplicationError(
                    f"{path}: {name} has shape {self._shape(name)}, expected {first} as the piezoresponse."
                )
        self.voltages = np.stack(
            [
                self._voltage(VOLTAGE if name == LOOPS else ACQUISITION_VOLTAGE)
                for name in map(self._sources.get, self.channels)
            ]
        )

    def rows(self, channel, start, stop):
        """Read rows `start` to `stop` of a channel, or of the ``"quality"`` factor: (stop - start, columns, n_steps), float64."""
        if channel not in self._sources:
            raise ReplicationError(f"{self.path}: no {channel}. {self._contents}")
        name = self._sources[channel]
        values = self._read(name, slice(start, stop))
        if name != AMPLITUDE:
            return values
        try:
            return piezoresponse(
                values, self._read(PHASE, slice(start, stop)), self._angle[start:stop]
            )
        except ReplicationError as error:
            raise ReplicationError(f"{self.path}: {PHASE}, {ANGLE}: {error}") from error

    @cached_property
    def _angle(self):
        angle = self._read(ANGLE)
        if angle.size == 1:
            angle = np.full(self.shape, angle.item())
        if angle.shape != self.shape:
            raise ReplicationError(
                f"{self.path}: {ANGLE} has shape {angle.shape}, expected one value or {self.shape}."
            )
        return angle

    def _voltage(self, name):
        voltage = self._read(name)
        if voltage.size != max(voltage.shape) or voltage.size not in (
            self.n_steps,
            2 * self.n_steps,
        ):
            raise ReplicationError(
                f"{self.path}: {name} has shape {voltage.shape}, expected one or two cycles of {self.n_steps} steps."
            )
        voltage = voltage.ravel()[-self.n_steps :]
        check_cycle(f"{self.path}: {name}", voltage)
        return voltage

    def _shape(self, name):
        if name not in self._variables.shapes:
            raise ReplicationError(f"{self.path}: no variable {name}. {self._contents}")
        return self._variables.shapes[name]

    def _read(self, name, rows=slice(None)):
        self._shape(name)
        try:
            values = self._variables.read(name, rows)
        except (
            Exception
        ) as error:  # a damaged file makes zlib, SciPy and HDF5 raise almost anything
            raise ReplicationError(
                f"{self.path}: {name} cannot be read ({error}). Copy or export the file again."
            ) from error
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
            raise ReplicationError(f"{self.path}: {name} does not hold real numbers.")
        return np.asarray(values, dtype=np.float64)

    @property
    def _contents(self):
        return f"The file has {', '.join(sorted(self._variables.shapes)) or 'no variables'}."


@contextlib.contextmanager
def open_raw(path):
    """Open a raw scan in a MATLAB file of version 5 to 7.3; to be used in a ``with`` statement.

    Yields
    ------
    RawScan

    Raises
    ------
    ReplicationError
        If the file is missing or damaged, a variable is missing or of a wrong shape, or a voltage axis is not one bipolar cycle.
    """
    if not Path(path).is_file():
        raise ReplicationError(f"{path}: no such file.")
    with contextlib.ExitStack() as stack:
        try:
            variables = _open_variables(path, stack)
        except Exception as error:  # see RawScan._read
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
    """Variables of a version 5 file: `shapes` by name, read whole; the two read last are kept."""

    def __init__(self, path):
        self.shapes = {name: shape for name, shape, _ in whosmat(path, appendmat=False)}
        self._whole = lru_cache(maxsize=2)(
            lambda name: loadmat(path, appendmat=False, variable_names=[name])[name]
        )

    def read(self, name, rows):
        return self._whole(name)[rows]


class _Hdf5:
    """Variables of a 7.3 file. HDF5 has the dimensions of a MATLAB array in reverse, so rows come last there."""

    def __init__(self, file):
        self._sets = {
            name: item
            for name, item in file.items()
            if hasattr(item, "dtype") and "MATLAB_empty" not in item.attrs
        }
        self.shapes = {name: item.shape[::-1] for name, item in self._sets.items()}

    def read(self, name, rows):
        return self._sets[name][..., rows].T
