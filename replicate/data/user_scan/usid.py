"""Read main datasets of the Universal Spectroscopy and Imaging Data model (USID) in HDF5.

USID is the format of pycroscopy; BGlib writes measurements and their fits in it. A main dataset is
an array of positions by spectroscopic steps. Four more, to which it refers, have the index and the
value of each of its positions and of its steps along each dimension.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from replicate.data.raw.sho import on_one_axis
from replicate.data.user_scan import raw_spectra
from replicate.data.user_scan.contents import is_elsewhere, refuse_large, text, values_of, walk
from replicate.data.user_scan.reading import Reading
from replicate.errors import ReplicationError

#: The attributes that make a dataset a main dataset.
ANCILLARY = ("Position_Indices", "Position_Values", "Spectroscopic_Indices", "Spectroscopic_Values")

#: What to do with a file that cannot be read, for the end of an error message.
EXPORT = (
    "Export the loops instead, in Python: "
    "np.savez('MY.npz', piezoresponse=loops, voltages=volts), with loops of shape "
    "(rows, cols, steps) and volts of shape (steps,); where there is an oscillator fit, "
    "loops are A cos(phi + theta)."
)

#: The fields of an oscillator fit, without their units, in the order of `Oscillator`.
FIT = ("Amplitude", "Phase", "Frequency", "Quality Factor")

#: The names that BGlib gives to projected loops, and to the first guess of a fit.
PROJECTED, GUESS = "Projected_Loops", "Guess"

#: How well a fit agrees with its spectrum, in the fit.
CRITERION = "R2 Criterion"

#: A fit that explains a smaller share of the variance of its spectrum has failed.
SMALLEST_R2 = 0.3

#: BGlib's number of the loops measured while the voltage is on, and of those after it.
FIELDS = {"in": 0, "off": 1}

#: Units of a frequency.
FREQUENCIES = ("hz", "khz", "mhz")

#: The size in V of each unit of a voltage.
VOLTS = {"v": 1.0, "volt": 1.0, "volts": 1.0, "mv": 1e-3, "kv": 1e3}


class Dimensions(NamedTuple):
    """The dimensions of the positions of a main dataset, or of its steps.

    Attributes
    ----------
    labels, units : list of str
    indices, values : ndarray of shape (n_dimensions, n)
    """

    labels: list[str]
    units: list[str]
    indices: np.ndarray
    values: np.ndarray

    @property
    def varied(self) -> list[int]:
        """The dimensions that have more than one index."""
        return [i for i, indices in enumerate(self.indices) if len(np.unique(indices)) > 1]


def is_main(item: Any) -> bool:
    """Return whether a dataset (`h5py.Dataset`) is a main dataset."""
    return hasattr(item, "dtype") and all(key in item.attrs for key in ANCILLARY)


def is_usid(file: Any) -> bool:
    """Return whether an open HDF5 file (`h5py.File`) has a main dataset."""
    return any(is_main(item) for _, item in walk(file))


def read_arrays(path: str | Path, reading: Reading) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the loops of a file as arrays by name, as `scan_file` describes them.

    Main datasets are read that hold, over a grid of two position dimensions and one voltage, real
    numbers, an oscillator fit, or raw band-excitation spectra, to which oscillators are fitted. Of
    a fit the piezoresponse is A cos(phi + theta), with the angle of Section 2 of the paper, and the
    frequency is the resonance. If there is only one dataset of real numbers, it is the
    piezoresponse. If there are more, each is named by its quantity.

    Parameters
    ----------
    path : path-like
    reading : Reading
        Which dataset, field and cycle are taken; off field and the last cycle by default.

    Returns
    -------
    arrays : dict of str to ndarray
    notes : list of str
        What was chosen, as sentences.

    Raises
    ------
    ReplicationError
        If no main dataset has that form, or if more than one of a quantity has it.
    """
    import h5py

    with h5py.File(path, "r") as file:
        mains = {name: item for name, item in walk(file) if is_main(item)}
        loops = _loops(mains, reading)
        if not loops:
            raise ReplicationError(
                f"{path}: 0 of its main datasets are loops "
                "(real numbers or oscillator fits, two position dimensions, one voltage); "
                f"it has {'; '.join(_description(mains[name]) for name in mains)}. {EXPORT}"
            )
        arrays, notes = _arrays(path, loops, reading)
        raw = [name for name, item in mains.items() if is_raw(item) and name not in loops]
        if raw and reading.dataset is None:
            notes.append(f"raw spectra can be fitted instead: --dataset {raw[0]}")
        return arrays, notes


def to_be_fitted(path: str | Path, reading: Reading) -> str | None:
    """Return which raw spectra of a file would be fitted, and the cost; None where none would.

    Raises
    ------
    ReplicationError
        If they have no such field or cycle, or are not whole spectra.
    """
    import h5py

    with h5py.File(path, "r") as file:
        mains = {name: item for name, item in walk(file) if is_main(item)}
        if not mains:
            return None
        raw = {name: item for name, item in _loops(mains, reading).items() if is_raw(item)}
        if len(raw) != 1:
            return None
        ((name, item),) = raw.items()
        places, notes = _places(dimensions(item, "Spectroscopic"), reading)
        chosen = "".join(f"\n{note}" for note in notes)
        return f"{name}: raw band-excitation spectra, {raw_spectra.cost(item, places)}{chosen}"


def _loops(mains, reading):
    """Return those main datasets, by their paths, that are loops and that the user means."""
    if reading.dataset is not None:
        wanted = reading.dataset.strip("/")
        listed = ", ".join(mains)
        mains = {
            name: item
            for name, item in mains.items()
            if name == wanted or name.startswith(f"{wanted}/")
        }
        if not mains:
            raise ReplicationError(
                f"--dataset {reading.dataset}: no such main dataset. There are {listed}."
            )
    loops = {name: item for name, item in mains.items() if fault(item) is None}
    fitted = {name: item for name, item in loops.items() if not is_raw(item)}
    return fitted or loops


def _arrays(path, loops, reading):
    """Return the arrays of some main datasets of loops, and the notes."""
    fits = [name for name, item in loops.items() if item.dtype.names]
    real = {name: item for name, item in loops.items() if not item.dtype.names}
    quantities = [text(item.attrs.get("quantity", "")).lower() for item in real.values()]
    are_channels = len(set(quantities)) == len(quantities) and "piezoresponse" in quantities
    if len(loops) > 1 and not (are_channels and not fits):
        name = _preferred(loops)
        if name is None:
            listed = " or ".join(f"--dataset {each}" for each in loops)
            raise ReplicationError(f"{len(loops)} datasets are loops. Choose one: {listed}.")
        others = ", ".join(f"--dataset {each}" for each in loops if each != name)
        arrays, notes = _arrays(path, {name: loops[name]}, reading)
        return arrays, [f"{name}, of {len(loops)} datasets of loops; others: {others}", *notes]
    if fits:
        return _read_fit(fits[0], loops[fits[0]], reading)
    for name, item in real.items():
        if is_raw(item):
            return _read_raw(name, item, reading)
    names = quantities if len(real) > 1 else ["piezoresponse"]
    arrays, notes, voltages = {}, [], []
    for name, item in zip(names, real.values()):
        arrays[name], voltage, chosen = _read(item, reading)
        voltages.append(voltage)
        notes += [note for note in chosen if note not in notes]
    arrays["voltages"] = np.stack(voltages)
    arrays["channels"] = np.array(names)
    units = {name: text(item.attrs.get("units", "")) for name, item in zip(names, real.values())}
    first_to_last = sorted(names, key=lambda name: name != "piezoresponse")
    arrays["units"] = np.array([units[name] for name in first_to_last])
    return arrays, notes


def _preferred(loops):
    """Return the path of the dataset that is taken of several that BGlib makes of one measurement.

    Loops that it has projected are preferred to an oscillator fit, and a fit to the first guess of
    it; of several the last is taken. None is returned where there is a dataset of another kind.
    """
    ranks = {name: _rank(name, item) for name, item in loops.items()}
    if None in ranks.values():
        return None
    best = max(ranks.values())
    return max(name for name, rank in ranks.items() if rank == best)


def _rank(name, item):
    """Return how much a dataset of BGlib is preferred; None for a dataset of another kind."""
    base = name.rpartition("/")[2]
    if base == PROJECTED:
        return 2
    if not item.dtype.names:
        return None
    return 0 if base == GUESS else 1


def dimensions(item: Any, kind: str) -> Dimensions:
    """Return the dimensions of a main dataset.

    Parameters
    ----------
    item : h5py.Dataset
    kind : {"Position", "Spectroscopic"}

    Raises
    ------
    ReplicationError
        If the dataset refers to no tables of indices and values.
    """
    import h5py

    tables = []
    for part in ("Indices", "Values"):
        reference = item.attrs[f"{kind}_{part}"]
        if not isinstance(reference, h5py.Reference) or not reference:
            raise ReplicationError(
                f"{item.name}: its {kind}_{part} refer to nothing, so that it has no axes. {EXPORT}"
            )
        tables.append(item.file[reference])
    indices, values = tables
    labels = [text(label) for label in np.ravel(indices.attrs["labels"])]
    units = [text(unit) for unit in np.ravel(indices.attrs["units"])]
    tables = [np.asarray(values_of(table)) for table in (indices, values)]
    if kind == "Position":
        tables = [table.T for table in tables]
    return Dimensions(labels, units, *tables)


def fault(item: Any) -> str | None:
    """Return why a main dataset has no loops that can be taken; None where it has."""
    if is_elsewhere(item):
        return "its values are in another file"
    is_fit = item.dtype.names and all(_field(item, name) for name in FIT)
    if item.dtype.kind not in "fc" and not is_fit:
        return f"{item.dtype.kind!r} values, neither real numbers nor an oscillator fit"
    if len(dimensions(item, "Position").varied) != 2:
        return "not over a grid of two position dimensions"
    steps = dimensions(item, "Spectroscopic")
    voltage = _voltage_dimension(steps)
    if voltage is None:
        return "no spectroscopic dimension is a voltage in V or mV"
    others = [i for i in steps.varied if i != voltage]
    others = [i for i in others if steps.labels[i].lower() not in ("field", "cycle")]
    if item.dtype.kind == "c" and others == [_frequency_dimension(steps)]:
        return None
    if item.dtype.kind == "c":
        return _fault_of_complex(steps, others)
    if others and others == [_frequency_dimension(steps)]:
        return (
            "amplitude spectra without their phase, over frequency: no fit can tell their sign. "
            "Save the complex spectra"
        )
    listed = ", ".join(steps.labels[i] for i in others)
    return f"spectra over {listed}, not loops" if others else None


def _fault_of_complex(steps, others):
    """Return why complex values over these dimensions, beside the voltage, are not spectra."""
    frequency = _frequency_dimension(steps)
    if frequency is None:
        return (
            "complex, and no dimension is a frequency in Hz, kHz or MHz, as its unit says it. "
            "Write the unit into the file"
        )
    more = ", ".join(steps.labels[i] for i in others if i != frequency)
    return f"raw spectra over {more} too. Save those of one {more}"


def is_raw(item: Any) -> bool:
    """Return whether a main dataset has raw band-excitation spectra, which can be fitted."""
    return item.dtype.kind == "c" and fault(item) is None


def _frequency_dimension(steps):
    """Return which of the dimensions is the frequency within a band, or None."""
    for i in steps.varied:
        if steps.units[i].strip(" ()[]").lower() in FREQUENCIES:
            return i
    return None


def _field(item, name):
    """Return the whole name of a field of a compound dataset, such as ``Amplitude [V]``."""
    return next((each for each in item.dtype.names if each.startswith(name)), None)


def _unit_in(name):
    """Return the unit in the name of a field, such as V in ``Amplitude [V]``; "" for none."""
    found = re.search(r"\[(.*)\]", name)
    return found[1] if found else ""


def _voltage_dimension(steps):
    """Return which of the dimensions is the voltage, or None."""
    for i in steps.varied:
        if volts(steps.units[i]) and steps.labels[i].lower() not in ("field", "cycle"):
            return i
    return None


def volts(unit: str) -> float | None:
    """Return the size of a unit of a voltage in V, or None for another unit."""
    return VOLTS.get(unit.strip(" ()[]").lower())


def _description(item):
    """Return the path, the quantity, the type and the fault of a main dataset."""
    quantity = text(item.attrs.get("quantity", "no quantity"))
    return f"{item.name} ({quantity}, {item.dtype}: {fault(item)})"


def _steps_taken(steps, reading):
    """Return the steps of the field and of the cycle that are taken, and notes on the choice."""
    taken = np.ones(steps.values.shape[1], dtype=bool)
    notes = []
    for i in steps.varied:
        label = steps.labels[i].lower()
        numbers = np.unique(steps.values[i])
        if label == "field":
            field = reading.field or "off"
            taken &= steps.values[i] == FIELDS[field]
            other = "in" if field == "off" else "off"
            notes.append(f"loops {field} field; those {other} field: --field {other}")
        elif label == "cycle":
            cycle = reading.cycle or len(numbers)
            if not 1 <= cycle <= len(numbers):
                raise ReplicationError(f"--cycle {cycle}: there are {len(numbers)} cycles.")
            taken &= steps.values[i] == numbers[cycle - 1]
            notes.append(f"cycle {cycle} of {len(numbers)}; another: --cycle N")
    if not taken.any():
        raise ReplicationError("no steps of that field and cycle. Leave --field or --cycle out.")
    for name in ("field", "cycle"):
        labels = [steps.labels[i].lower() for i in steps.varied]
        if getattr(reading, name) is not None and name not in labels:
            raise ReplicationError(f"--{name}: the loops have one {name} only. Leave it out.")
    return taken, notes


def _read(item, reading):
    """Return the loops, (rows, cols, n_steps), their voltages, (n_steps,), and notes."""
    steps = dimensions(item, "Spectroscopic")
    taken, notes = _steps_taken(steps, reading)
    voltage = _voltage_dimension(steps)
    voltages = steps.values[voltage, taken].astype(np.float64) * volts(steps.units[voltage])
    values = _columns(item, np.flatnonzero(taken))
    positions = dimensions(item, "Position")
    return _on_grid(values, positions), voltages, notes


def _columns(item, columns):
    """Read some columns of a dataset, given in ascending order, without the others if possible."""
    strides = np.unique(np.diff(columns))
    stride = int(strides[0]) if len(strides) == 1 else 1
    first = int(columns[0])
    n_columns = (int(columns[-1]) - first) // stride + 1
    refuse_large(item.name, len(item) * n_columns * item.dtype.itemsize)
    block = item[:, first : int(columns[-1]) + 1 : stride]
    return block[:, (columns - first) // stride]


def _on_grid(values, positions):
    """Lay values, (n_pixels, n_steps), out on the grid; a pixel that is not there is NaN.

    Rows are along the position dimension called Y, or else along the slower one.
    """
    varied = positions.varied
    called_y = [i for i in varied if re.match("y", positions.labels[i], re.IGNORECASE)]
    slower = min(varied, key=lambda i: np.count_nonzero(np.diff(positions.indices[i])))
    row = called_y[0] if called_y else slower
    column = next(i for i in varied if i != row)
    rows, columns = (positions.indices[i].astype(int) for i in (row, column))
    rows, columns = rows - rows.min(), columns - columns.min()
    _check_grid(rows, columns)
    shape = (rows.max() + 1, columns.max() + 1, values.shape[1])
    if values.dtype.names:
        laid_out = np.zeros(shape, values.dtype)
        for name in values.dtype.names:
            laid_out[name] = np.nan
    else:
        laid_out = np.full(shape, np.nan)
    laid_out[rows, columns] = values[: len(rows)]
    return laid_out


def _check_grid(rows, columns):
    """Refuse positions that skip a row or a column of the grid, or two of which are one pixel."""
    for name, indices in (("row", rows), ("column", columns)):
        present = np.unique(indices)
        if len(present) != present[-1] + 1:
            raise ReplicationError(
                f"Position_Indices: no position is in {name} "
                f"{np.setdiff1d(np.arange(len(present)), present)[0]}, but some are in "
                f"{name} {present[-1]}. Copy or export the file again."
            )
    pixels, counts = np.unique(np.stack([rows, columns]), axis=1, return_counts=True)
    if counts.max() > 1:
        row, column = pixels[:, np.argmax(counts)]
        raise ReplicationError(
            f"Position_Indices: {counts.max()} positions are in row {row}, column {column}. "
            "Copy or export the file again."
        )


def _read_fit(name, item, reading):
    """Return the arrays of an oscillator fit, and notes."""
    values, voltages, notes = _read(item, reading)
    fitted = [values[_field(item, part)].astype(np.float64) for part in FIT]
    failed, note = _failed(values, item)
    amplitude, phase, resonance = (np.where(failed, np.nan, each) for each in fitted[:3])
    loops = on_one_axis(amplitude, phase, voltages)
    arrays = {"piezoresponse": loops, "voltages": voltages}
    units = [_unit_in(_field(item, "Amplitude"))]
    if np.ptp(resonance[np.isfinite(resonance)]) > 0:
        arrays["resonance"] = resonance
        units.append(_unit_in(_field(item, "Frequency")))
    else:
        notes.append("the frequency of the fit is constant, and left out")
    arrays["units"] = np.array(units)
    notes.append(f"{name}: an oscillator fit, as A cos(phi + theta) {note}".strip())
    return arrays, notes


def _places(steps, reading):
    """Return where the raw spectra that are taken stand in a dataset, and notes on the choice."""
    taken, notes = _steps_taken(steps, reading)
    voltage, frequency = _voltage_dimension(steps), _frequency_dimension(steps)
    volts_of_steps = steps.values[voltage].astype(np.float64) * volts(steps.units[voltage])
    places = raw_spectra.layout(taken, steps.values[frequency].astype(float), volts_of_steps)
    return places, notes


def _read_raw(name, item, reading):
    """Return the arrays of a fit of raw spectra, and notes."""
    steps = dimensions(item, "Spectroscopic")
    places, notes = _places(steps, reading)
    response, resonance, note = raw_spectra.loops(item, places)
    positions = dimensions(item, "Position")
    unit = steps.units[_frequency_dimension(steps)]
    arrays = {
        "piezoresponse": _on_grid(response, positions),
        "resonance": _on_grid(resonance, positions),
        "voltages": places.voltages,
        "units": np.array([text(item.attrs.get("units", "")), unit]),
    }
    return arrays, [*notes, f"{name}: {note}"]


def _failed(values, item):
    """Return for every value of a pixel whether one of its fits has failed, and a note."""
    criterion = _field(item, CRITERION)
    failed = np.zeros(values.shape, dtype=bool)
    if criterion is None:
        return failed, ""
    r2 = values[criterion]
    if not np.any(r2 > 0):
        return failed, f"({criterion} is 0 everywhere, and not used)"
    is_bad = ~(r2 >= SMALLEST_R2) & np.isfinite(r2)
    bad_pixels = is_bad.any(axis=2)
    failed |= bad_pixels[:, :, np.newaxis]
    count = np.count_nonzero(bad_pixels)
    return failed, f"({count} pixels with an {criterion} below {SMALLEST_R2} are blank)"
