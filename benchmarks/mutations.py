"""Damage files of every format that is read, and see what the readers make of them.

``nox -s mutations``, or ``python -m benchmarks.mutations`` where the package is installed. Small
files are made, some of their bytes are changed, and they are read. A reader must refuse such a file
with an error that names it, or give the values that another library reads from it. ``--write``
stores the counts in ``benchmarks/stored/mutations.json`` and writes their table into
docs/reliability.md, after every format.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import random
import resource
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import psutil
from scipy.io import loadmat, savemat
from tqdm import tqdm

from benchmarks import rows
from benchmarks.sections import publish
from benchmarks.store import ROOT
from replicate import cli
from replicate.commands import command
from replicate.data.raw.clean_file import clean_file
from replicate.data.remote.manifest import MANIFEST, read_manifest
from replicate.data.sources import resolve
from replicate.data.user_scan.reading import Reading
from replicate.data.user_scan.scan_file import read_scan
from replicate.errors import ReplicationError
from replicate.files import read_json, read_npz, write_json
from replicate.running.execute import configuration
from replicate.running.machine import hardware
from replicate.running.runs import RECORD_SCHEMA
from replicate.study.job import Job
from replicate.study.studies import CONFIG_SCHEMA

RECORD = ROOT / "benchmarks" / "stored" / "mutations.json"
PAGE = "docs/reliability.md"

#: Name of the generated section of the page.
SECTION = "mutations"

#: Seconds that a reader may take, and bytes that it may ask for.
SECONDS, BYTES = 10, 1 << 30

#: What came of a file. The first two are as they must be.
OUTCOMES = ("refused", "right", "not named", "wrong value", "traceback", "too long", "died")

#: Rows, columns and steps of the scans.
SHAPE, STEPS = (6, 7), 24

PIEZORESPONSE, RESONANCE, VOLTAGES = "piezoresponse", "resonance", "voltages"


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


class TooLong(Exception):
    """A reader took longer than it may."""


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


def _write_usid(path):
    """Write loops as a main dataset of USID, with the four tables of its dimensions."""
    made = arrays()
    grid = np.array(list(np.ndindex(SHAPE)), dtype=float)
    steps = made[VOLTAGES][np.newaxis]
    tables = {
        "Position_Indices": (grid.astype(np.uint32), ["Y", "X"], ["um", "um"]),
        "Position_Values": (grid, ["Y", "X"], ["um", "um"]),
        "Spectroscopic_Indices": (np.arange(STEPS, dtype=np.uint32)[np.newaxis], ["V"], ["V"]),
        "Spectroscopic_Values": (steps, ["V"], ["V"]),
    }
    with h5py.File(path, "w") as file:
        main = file.create_dataset("loops", data=made[PIEZORESPONSE].reshape(-1, STEPS))
        main.attrs.update(quantity="piezoresponse", units="V")
        for name, (values, labels, units) in tables.items():
            table = file.create_dataset(name, data=values)
            table.attrs.update(labels=labels, units=units)
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
            if not np.allclose(mean + deviation * values, expected, atol=1e-4 * deviation):
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
    expected = [loadmat(path)[name].ravel() for name in ("Voltagedata_mixed", "VoltageDC_mixed")]
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
    record = read_json(ROOT / "benchmarks" / "stored" / "paper_network" / "record.json")["runs"][0]
    write_json(path, {name: value for name, value in record.items() if name != "error"})


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
    Format("scan, HDF5", ".h5", _write_hdf5, read_scan, _same_scan(_by_h5py)),
    Format("scan, USID", ".h5", _write_usid, read_scan, _same_scan(_usid_by_h5py)),
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
    Format("rows of the benchmark", ".jsonl", _write_rows, rows.read, _same_rows),
    Format(
        "manifest",
        ".json",
        lambda path: path.write_bytes(MANIFEST.read_bytes()),
        read_manifest,
        _same_manifest,
    ),
)


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Return a file's content with one to four changes.

    A change flips a bit, sets a byte, cuts the end off, takes a piece out, doubles one, or puts
    zeros in its place.
    """
    content = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        if not content:
            break
        here = chance.randrange(len(content))
        piece = slice(here, here + chance.randint(1, 64))
        kind = chance.choice(("flip", "set", "cut", "take", "double", "zero"))
        if kind == "flip":
            content[here] ^= 1 << chance.randrange(8)
        elif kind == "set":
            content[here] = chance.randrange(256)
        elif kind == "cut" and chance.random() < 0.3:
            del content[here:]
        elif kind == "take":
            del content[piece]
        elif kind == "double":
            content[here:here] = content[piece]
        elif kind == "zero":
            content[piece] = bytes(len(content[piece]))
    return bytes(content)


def outcome(form: Format, path: Path) -> str:
    """Read a damaged file, and return one of `OUTCOMES`."""
    try:
        with _time_limit(SECONDS):
            value = form.read(path)
    except ReplicationError as error:
        return "refused" if path.name in str(error) else "not named"
    except TooLong:
        return "too long"
    except Exception:
        return "traceback"
    try:
        agrees = form.agrees(path, value)
    except Exception:  # the other library cannot read it, and so says nothing of the value
        return "wrong value"
    return "right" if agrees else "wrong value"


@contextlib.contextmanager
def _time_limit(seconds):
    """Raise `TooLong` after so many seconds."""

    def stop(number, frame):
        raise TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _work(number, first, n, seed, folder, sender):
    """Damage and read the files of one format from the first number on, and send each outcome."""
    warnings.simplefilter("ignore")
    form = FORMATS[number]
    limit = psutil.Process().memory_info().vms + BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    folder = Path(folder)
    whole = folder / f"whole{form.suffix}"
    form.make(whole)
    content = whole.read_bytes()
    path = folder / f"damaged{form.suffix}"
    for case in range(first, n):
        path.write_bytes(mutated(content, random.Random(f"{seed} {form.name} {case}")))
        sender.send(outcome(form, path))


def attack(number: int, n: int, seed: int = 0) -> Iterator[str]:
    """Damage files of one format, and yield what came of each.

    Parameters
    ----------
    number : int
        Which of `FORMATS`.
    n : int
        How many files.
    seed : int
        Of the changes.
    """
    done = 0
    while done < n:
        with tempfile.TemporaryDirectory() as folder:
            receiver, sender = multiprocessing.Pipe(duplex=False)
            arguments = (number, done, n, seed, folder, sender)
            worker = multiprocessing.get_context("spawn").Process(target=_work, args=arguments)
            worker.start()
            sender.close()
            with contextlib.suppress(EOFError):
                while done < n:
                    yield receiver.recv()
                    done += 1
            worker.join()
            if done < n:
                done += 1
                yield "died"


def render(record: dict) -> str:
    """Return the record as a table in Markdown."""
    lines = [f"| format | files | {' | '.join(OUTCOMES)} |", "| --- |" + " ---: |" * 8]
    totals = Counter()
    for name, counts in record["found"].items():
        totals.update(counts)
        lines.append(_row(name, counts))
    lines.append(_row("all", totals))
    return "\n".join(
        [*lines, "", f"Made on {record['machine']['processor']}, seed {record['seed']}."]
    )


def _row(name, counts):
    cells = [sum(counts.values()), *(counts.get(outcome, 0) for outcome in OUTCOMES)]
    return f"| {name} | {' | '.join(map(str, cells))} |"


@command()
def main(arguments: Sequence[str] | None = None) -> int:
    """Damage files, print what came of them, and return the exit code.

    Returns
    -------
    int
        0 where every file was refused by name or read right, 1 where not.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--files",
        type=cli.positive,
        default=200,
        metavar="N",
        help="of each format (default: 200)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of chance (default: 0)")
    parser.add_argument("--write", action="store_true", help="store the counts, and write the page")
    options = parser.parse_args(arguments)
    record = {"machine": hardware(), "seed": options.seed, "found": {}}
    for number, form in enumerate(FORMATS):
        begin = time.perf_counter()
        outcomes = attack(number, options.files, options.seed)
        bar = tqdm(outcomes, desc=form.name, total=options.files, unit="file", disable=None)
        record["found"][form.name] = dict(Counter(bar))
        print(f"{form.name}: {record['found'][form.name]}, {time.perf_counter() - begin:.0f} s")
        if options.write:
            publish(record, RECORD, ROOT / PAGE, SECTION, render(record))
    counts = sum(map(Counter, record["found"].values()), Counter())
    is_clean = counts.total() == counts["refused"] + counts["right"]
    print("NOTHING FOUND." if is_clean else "FAULTS FOUND.")
    return 0 if is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
