"""Small files of every format that is read, and what another library reads from them.

`benchmarks.mutations` damages such files.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from scipy.io import loadmat, savemat

from benchmarks import claims, paper_network, rows
from benchmarks.store import Store
from replicate import seals
from replicate.data.raw import sho
from replicate.data.raw.band_excitation import Oscillator, response
from replicate.data.raw.clean_file import clean_file
from replicate.data.remote.manifest import MANIFEST, read_manifest
from replicate.data.sources import resolve
from replicate.data.user_scan.reading import Reading
from replicate.data.user_scan.scan_file import read_scan
from replicate.files import read_json, read_npz, write_json
from replicate.numbers.metrics import read_metrics, write_metrics
from replicate.running import scan_results
from replicate.running.execute import configuration
from replicate.running.runs import RECORD_SCHEMA
from replicate.study.job import Job
from replicate.study.studies import CONFIG_SCHEMA

#: Rows, columns and steps of the scans.
SHAPE, STEPS = (6, 7), 24

PIEZORESPONSE, RESONANCE, VOLTAGES = "piezoresponse", "resonance", "voltages"


#: The fields of an oscillator fit as BGlib writes them.
FIT = ("Amplitude [V]", "Phase [rad]", "Frequency [kHz]", "Quality Factor", "R2 Criterion")

#: The frequencies of raw spectra, kHz.
BAND = np.linspace(320, 340, 16)


class Format(NamedTuple):
    """A kind of file.

    Attributes
    ----------
    name : str
    suffix : str
    make : callable
        Takes a path and writes a file there.
    read : callable
        Takes a path and returns what the repository reads there.
    agrees : callable
        Takes a path and what was read, and returns whether another library reads the same.
    """

    name: str
    suffix: str
    make: Callable[[Path], None]
    read: Callable[[Path], Any]
    agrees: Callable[[Path, Any], bool]


def arrays() -> dict[str, np.ndarray]:
    """Return the arrays of a small scan, by name."""
    quarter = np.linspace(0, 10, STEPS // 4, endpoint=False)
    volts = np.concatenate([quarter, 10 - quarter, -quarter, quarter - 10])
    rng = np.random.default_rng(0)
    coercive = rng.uniform(2, 4, (*SHAPE, 1))
    rises = np.diff(volts, append=volts[:1]) > 0
    loops = np.tanh(np.where(rises, volts - coercive, volts + coercive))
    loops += rng.normal(0, 0.02, loops.shape)
    return {PIEZORESPONSE: loops, RESONANCE: 330 + loops**2, VOLTAGES: volts}


def _write_hdf5(path):
    with h5py.File(path, "w") as file:
        for name, values in arrays().items():
            file.create_dataset(f"scan/{name}", data=values)


def _write_matlab_73(path):
    """Write arrays as MATLAB 7.3 does, in HDF5 with the first index fastest."""
    with h5py.File(path, "w") as file:
        for name, values in arrays().items():
            file[name] = np.atleast_2d(values).T


def _write_nsid(path):
    """Write loops with an axis of values for each of their dimensions."""
    made = arrays()
    axes = {"Y": ("nm", np.arange(6.0)), "X": ("nm", np.arange(7.0)), "V": ("V", made[VOLTAGES])}
    with h5py.File(path, "w") as file:
        data = file.create_dataset("channel/loops", data=made[PIEZORESPONSE])
        for dimension, (name, (unit, values)) in zip(data.dims, axes.items()):
            scale = file.create_dataset(f"channel/{name}", data=values)
            scale.attrs["units"] = unit
            scale.make_scale(name)
            dimension.attach_scale(scale)


def _write_hyperspy(path):
    """Write loops with a group of attributes for each of their axes."""
    made = arrays()
    with h5py.File(path, "w") as file:
        group = file.create_group("Experiments/loops")
        group["data"] = made[PIEZORESPONSE]
        for number, (name, size) in enumerate(zip("yx", SHAPE)):
            axis = group.create_group(f"axis-{number}")
            axis.attrs.update(name=name, units="nm", scale=100.0, offset=0.0, size=size)
        axis = group.create_group("axis-2")
        axis.attrs.update(name="Voltage", units="V")
        axis["axis"] = made[VOLTAGES]


def _write_usid(path):
    """Write loops as a main dataset of USID."""
    made = arrays()
    _write_main(path, made[PIEZORESPONSE].reshape(-1, STEPS), {"V": ("V", made[VOLTAGES])})


def _write_fit(path):
    """Write an oscillator fit as BGlib lays it out."""
    made = arrays()
    fit = np.zeros((math.prod(SHAPE), STEPS), dtype=[(name, np.float32) for name in FIT])
    for name, values in zip(FIT, _oscillators()):
        fit[name] = values
    fit["R2 Criterion"] = 1
    _write_main(path, fit, {"V": ("V", made[VOLTAGES])})


def _write_raw_spectra(path):
    """Write complex spectra over frequency and voltage."""
    rng = np.random.default_rng(1)
    spectra = response(BAND, _oscillators())
    spectra += rng.normal(0, 1.0, (*spectra.shape, 2)) @ [1, 1j]
    columns = {
        "Frequency": ("kHz", np.tile(BAND, STEPS)),
        "V": ("V", np.repeat(arrays()[VOLTAGES], len(BAND))),
    }
    _write_main(path, spectra.reshape(len(spectra), -1).astype(np.complex64), columns)


def _oscillators():
    """Return the oscillator behind each step of the loops, shape (n_pixels, n_steps)."""
    made = arrays()
    loops = made[PIEZORESPONSE].reshape(-1, STEPS)
    return Oscillator(
        amplitude=np.abs(loops),
        phase=np.where(loops < 0, np.pi, 0.0) + 0.4,
        resonance=made[RESONANCE].reshape(-1, STEPS),
        quality=np.full(loops.shape, 120.0),
    )


def _write_main(path, values, columns):
    """Write a main dataset of USID, with the four tables of its dimensions.

    `columns` are unit and values, one for each column, by the name of a dimension.
    """
    grid = np.array(list(np.ndindex(SHAPE)), dtype=float)
    labels, units = list(columns), [unit for unit, _ in columns.values()]
    spectroscopic = np.array([each for _, each in columns.values()])
    indices = [np.unique(each, return_inverse=True)[1] for each in spectroscopic]
    tables = {
        "Position_Indices": (grid.astype(np.uint32), ["Y", "X"], ["um", "um"]),
        "Position_Values": (grid, ["Y", "X"], ["um", "um"]),
        "Spectroscopic_Indices": (np.array(indices, dtype=np.uint32), labels, units),
        "Spectroscopic_Values": (spectroscopic, labels, units),
    }
    with h5py.File(path, "w") as file:
        main = file.create_dataset("loops", data=values)
        main.attrs.update(quantity="piezoresponse", units="V")
        for name, (table_values, table_labels, table_units) in tables.items():
            table = file.create_dataset(name, data=table_values)
            table.attrs.update(labels=table_labels, units=table_units)
            main.attrs[name] = table.ref


def _by_numpy(path, names):
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in names}


def _by_numpy_alone(path, names):
    return {PIEZORESPONSE: np.load(path, allow_pickle=False), VOLTAGES: arrays()[VOLTAGES]}


def _by_scipy(path, names):
    return loadmat(path, variable_names=names)


def _by_h5py(path, names):
    with h5py.File(path, "r") as file:
        return {name: file[f"scan/{name}"][...] for name in names}


def _usid_by_h5py(path, names):
    with h5py.File(path, "r") as file:
        volts = file["Spectroscopic_Values"][0]
        return {PIEZORESPONSE: file["loops"][...], VOLTAGES: volts}


def _matlab_73_by_h5py(path, names):
    with h5py.File(path, "r") as file:
        return {name: file[name][...].T for name in names}


def _nsid_by_h5py(path, names):
    with h5py.File(path, "r") as file:
        return {PIEZORESPONSE: file["channel/loops"][...], VOLTAGES: file["channel/V"][...]}


def _hyperspy_by_h5py(path, names):
    with h5py.File(path, "r") as file:
        group = file["Experiments/loops"]
        return {PIEZORESPONSE: group["data"][...], VOLTAGES: group["axis-2/axis"][...]}


def _fit_by_h5py(path, names):
    with h5py.File(path, "r") as file:
        fit, volts = file["loops"][...], file["Spectroscopic_Values"][0]
    amplitude, phase, resonance = (fit[name].astype(float) for name in FIT[:3])
    return _turned(amplitude, phase, resonance, volts)


def _raw_spectra_by_h5py(path, names):
    """Fit the spectra as h5py reads them; what shows no line is NaN."""
    with h5py.File(path, "r") as file:
        frequencies, volts = file["Spectroscopic_Values"][...]
        spectra = file["loops"][...].reshape(-1, STEPS, len(BAND))
    oscillator, _ = sho.fit(frequencies[: len(BAND)], spectra.astype(complex))
    return _turned(*oscillator[:3], volts[:: len(BAND)])


def _turned(amplitude, phase, resonance, volts):
    """Return the arrays of a scan of oscillators."""
    turn = sho.optimum_rotation(amplitude * np.exp(1j * phase), volts)
    loops = amplitude * np.cos(phase + turn[:, np.newaxis])
    return {PIEZORESPONSE: loops, RESONANCE: resonance, VOLTAGES: volts}


def _same_scan(read: Callable[[Path, Sequence[str]], dict]) -> Callable[[Path, Any], bool]:
    """Return the function that compares a scan with the arrays that another library reads.

    Arrays of the file that the scan does not take may be damaged. Where damaged voltages make the
    reader average steps, it must say so.
    """

    def agrees(path, scan):
        if scan.n_steps != STEPS:
            return any("averaged" in note for note in scan.notes)
        raw = read(path, [*scan.channels, VOLTAGES])
        present = np.ones(SHAPE, dtype=bool) if scan.mask is None else scan.mask
        for number, (name, (mean, deviation)) in enumerate(zip(scan.channels, scan.levels)):
            values = scan.spectra.reshape(-1, scan.n_channels, scan.n_steps)[:, number]
            expected = np.asarray(raw[name], dtype=float).reshape(-1, STEPS)[present.ravel()]
            found, known = mean + deviation * values, np.isfinite(expected)
            if not np.allclose(found[known], expected[known], atol=1e-4 * deviation):
                return False
        return np.allclose(scan.voltages[0], np.ravel(raw[VOLTAGES]), atol=1e-9)

    return agrees


def _npy_scan(path):
    return read_scan(path, Reading(voltages=tuple(arrays()[VOLTAGES])))


def _raw_loops():
    made = arrays()
    volts = np.linspace(16, -16, 13)
    volts = np.concatenate([volts, volts[-2:0:-1]])
    return {
        "Loopdata_mixed": made[PIEZORESPONSE],
        "Outw2_mixed": 1000 + made[RESONANCE],
        "Voltagedata_mixed": volts[np.newaxis],
        "VoltageDC_mixed": np.roll(volts, 6)[np.newaxis],
    }


def _clean(path):
    """Clean raw loops, and return the arrays that come out."""
    out = path.with_name("out.npz")
    clean_file(path, out)
    return read_npz(out)


def _same_clean(path, cleaned):
    """Return whether the voltages are those in the file, which cleaning leaves as they are."""
    names = ("Voltagedata_mixed", "VoltageDC_mixed")
    expected = [values.ravel() for name, values in _by_scipy(path, names).items() if name in names]
    return np.allclose(np.sort(cleaned[VOLTAGES]), np.sort(expected))


def _same_json(path, value):
    return value == json.loads(path.read_text(encoding="utf-8"))


def _same_arrays(path, value):
    with np.load(path, allow_pickle=False) as file:
        expected = dict(file)
    return expected.keys() == value.keys() and all(
        np.array_equal(value[name], expected[name], equal_nan=True) for name in value
    )


def _write_record(path):
    """Write the record of a stored training, without what its store adds."""
    record = paper_network.stored_runs()[0]
    write_json(path, {name: value for name, value in record.items() if name != "error"})


def _write_metrics(path):
    document = Store().metrics()
    few = dict(itertools.islice(document["metrics"].items(), 12))
    write_metrics(path, document | {"metrics": few})


def _same_claims(path, claims_read):
    return claims_read == json.loads(path.read_text(encoding="utf-8"))["claims"]


def _same_metrics(path, document):
    return document == seals.unsealed(json.loads(path.read_text(encoding="utf-8")))


def _write_origin(path):
    """Write which file the results of a scan were made from."""
    scan_results.remember(path.parent, Path("MY.npz"), "own scan 0123456789ab", ["--cycle", "1"])
    (path.parent / scan_results.NAME).replace(path)


def _write_configuration(path):
    write_json(path, configuration(Job("smoke", "beps", "pca", 0), resolve("simulated")))


def _write_rows(path):
    lines = [{"key": str(i), "status": "complete", "metrics": {"mse": i / 7}} for i in range(9)]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")


def _same_rows(path, value):
    """Return whether rows are those in the file; a last line may be broken off, and is left out."""
    lines = path.read_bytes().splitlines()
    expected = [json.loads(line.decode("utf-8")) for line in lines[:-1]]
    with contextlib.suppress(ValueError):
        expected += [json.loads(lines[-1].decode("utf-8"))] if lines else []
    return value == expected


def _same_manifest(path, files):
    """Return whether names and hashes are those that stand in the file."""
    listed = json.loads(path.read_text(encoding="utf-8"))["files"]
    return files.keys() == listed.keys() and all(
        (file.name, file.sha256, file.bytes) == (entry["name"], entry.get("sha256"), entry["bytes"])
        for file, entry in zip(files.values(), listed.values())
    )


FORMATS = (
    Format(
        "scan, .npz", ".npz", lambda p: np.savez(p, **arrays()), read_scan, _same_scan(_by_numpy)
    ),
    Format(
        "scan, .npz compressed",
        ".npz",
        lambda path: np.savez_compressed(path, **arrays()),
        read_scan,
        _same_scan(_by_numpy),
    ),
    Format(
        "scan, .npy",
        ".npy",
        lambda path: np.save(path, arrays()[PIEZORESPONSE]),
        _npy_scan,
        _same_scan(_by_numpy_alone),
    ),
    Format("scan, .mat", ".mat", lambda p: savemat(p, arrays()), read_scan, _same_scan(_by_scipy)),
    Format(
        "scan, .mat compressed",
        ".mat",
        lambda path: savemat(path, arrays(), do_compression=True),
        read_scan,
        _same_scan(_by_scipy),
    ),
    Format("scan, .mat 7.3", ".mat", _write_matlab_73, read_scan, _same_scan(_matlab_73_by_h5py)),
    Format("scan, HDF5", ".h5", _write_hdf5, read_scan, _same_scan(_by_h5py)),
    Format("scan, NSID", ".h5", _write_nsid, read_scan, _same_scan(_nsid_by_h5py)),
    Format("scan, hyperspy", ".hspy", _write_hyperspy, read_scan, _same_scan(_hyperspy_by_h5py)),
    Format("scan, USID", ".h5", _write_usid, read_scan, _same_scan(_usid_by_h5py)),
    Format("oscillator fit, USID", ".h5", _write_fit, read_scan, _same_scan(_fit_by_h5py)),
    Format(
        "raw spectra, USID", ".h5", _write_raw_spectra, read_scan, _same_scan(_raw_spectra_by_h5py)
    ),
    Format("raw loops, .mat", ".mat", lambda p: savemat(p, _raw_loops()), _clean, _same_clean),
    Format("weights", ".npz", lambda p: np.savez_compressed(p, **arrays()), read_npz, _same_arrays),
    Format("record", ".json", _write_record, lambda p: read_json(p, RECORD_SCHEMA), _same_json),
    Format(
        "configuration",
        ".json",
        _write_configuration,
        lambda path: read_json(path, CONFIG_SCHEMA),
        _same_json,
    ),
    Format("metrics", ".json", _write_metrics, read_metrics, _same_metrics),
    Format(
        "claims",
        ".json",
        lambda path: path.write_bytes(claims.LEDGER.read_bytes()),
        claims.read,
        _same_claims,
    ),
    Format(
        "origin of a scan",
        ".json",
        _write_origin,
        lambda path: read_json(path, scan_results.SCHEMA),
        _same_json,
    ),
    Format("rows of the benchmark", ".jsonl", _write_rows, rows.read, _same_rows),
    Format(
        "manifest",
        ".json",
        lambda path: path.write_bytes(MANIFEST.read_bytes()),
        read_manifest,
        _same_manifest,
    ),
)
