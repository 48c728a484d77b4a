"""Attack the commands: kill them, start two at once, let the disk be full; then compare the bits.

``nox -s attack``, or ``python -m benchmarks.attack`` where the package is installed. Every command
is started in a folder of its own, is killed at a random moment, and is typed again. What it makes
is then compared, byte by byte, with what an undisturbed one made; what is left over and who still
runs is counted. It is also run again undisturbed, with other variables and beside another. It runs
on simulated data, with the smoke profile. ``--write`` stores the counts in
``benchmarks/stored/attack.json``, beside those of commands that were not attacked this time, and
writes their table into docs/reliability.md, after every command.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import psutil
from scipy.io import savemat
from tqdm import tqdm

from benchmarks.sections import publish
from benchmarks.store import ROOT
from replicate import cli, seals, temporary
from replicate.commands import USER_ERROR, command, parser_of
from replicate.files import file_hash, read_json
from replicate.running.machine import hardware

RECORD = ROOT / "benchmarks" / "stored" / "attack.json"
PAGE = "docs/reliability.md"

#: What the record is at least.
SCHEMA = {"type": "object", "required": ["found"]}

#: Name of the generated section of the page.
SECTION = "attack"

#: Seconds after a kill in which everything that was started must have ended.
GRACE = 2.0

#: Bytes that a file may grow to where the disk is full.
FULL_AT = 20_000

#: Fields of a record that are not the same twice.
OF_THE_MOMENT = ("git_commit", "machine", "seconds", "thread_pools", "versions", "files", "seal")

#: Files that are the same each time, by their suffix, but for those that hold times.
LASTING = (".npz", ".npy", ".csv", ".png")
WITH_TIMES = ("history", "results_table", ".")

#: What Python says where Ctrl-C comes before it runs any code of a command.
NOT_OURS = "Failed to import the site module"

#: Kinds of number that are not the same twice: times, and memory.
MEASURED_TIMES = ("seconds", "memory")

_RUN = ("--profile", "smoke", "--data", "simulated")


@dataclass(frozen=True)
class Target:
    """A command that is attacked.

    Attributes
    ----------
    name : str
    arguments : tuple of str
        After ``python -m``; the folder of the attack is where they are run.
    needs : str or None
        The target whose files are there before it starts.
    """

    name: str
    arguments: tuple[str, ...]
    needs: str | None = None


class Undisturbed(NamedTuple):
    """What came of an undisturbed command.

    Attributes
    ----------
    content : dict of str to str
        What it made, as `content` returns it.
    code : int
        Its exit code: that of ``data --check`` is 1 where there are no data.
    seconds : float
    """

    content: dict[str, str]
    code: int
    seconds: float


TARGETS = (
    Target(
        "run",
        ("replicate", "run", *_RUN, "--no-figures", "--only", "beps_heldout", "pca", "dense_ae"),
    ),
    Target(
        "train",
        ("replicate", "run", *_RUN, "--no-figures", "--only", "toy", "lstm_vae", "conv_vae", "nmf"),
    ),
    Target("bench", ("benchmarks.bench", *_RUN, "--seeds", "2", "--only", "toy_shuffled", "pca")),
    Target("figures", ("replicate", "figures", "descriptors", "--profile", "smoke"), "pictured"),
    Target("report", ("benchmarks.report", "--profile", "smoke"), "pictured"),
    Target("clean", ("replicate", "clean", "raw.mat", "made/clean.npz")),
    Target("data", ("replicate", "data", "--check")),
)

#: The runs that figures and report are made from.
PICTURED = Target(
    "pictured",
    ("replicate", "run", *_RUN, "--no-figures", "--only", "beps", "pca"),
)

#: Variables with which a command must give the bits that it gives without them.
SURROUNDINGS = (
    {},
    {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "MXNET_CPU_WORKER_NTHREADS": "2"},
    {"PYTHONHASHSEED": "1", "LC_ALL": "C", "TZ": "Asia/Tokyo"},
)

#: How a command is killed: the signal, and whether the whole group of processes gets it.
KILLS = (
    (signal.SIGKILL, False),
    (signal.SIGKILL, True),
    (signal.SIGTERM, False),
    (signal.SIGTERM, True),
    (signal.SIGINT, True),
)


@dataclass
class Count:
    """What an attack on a command found."""

    tried: int = 0
    other_bits: int = 0
    left_over: int = 0
    orphans: int = 0
    tracebacks: int = 0
    wrong_codes: int = 0

    def add(self, other: Count) -> None:
        """Add the numbers of another count."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found."""
        found = (self.other_bits, self.left_over, self.orphans, self.tracebacks, self.wrong_codes)
        return not any(found)


def start(
    target: Target,
    folder: Path,
    prepared: Callable = lambda: None,
    variables: Mapping[str, str] = MappingProxyType({}),
) -> subprocess.Popen:
    """Start a command in a folder, in a group of processes of its own.

    Parameters
    ----------
    target : Target
    folder : Path
    prepared : callable
        Called in the new process before the command.
    variables : mapping of str to str
        Of the environment, beside those of this process.
    """

    def heeding_interrupts():
        # A job in the background ignores Ctrl-C, and so would every process that it starts.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        prepared()

    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return subprocess.Popen(
        [sys.executable, "-m", *target.arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": paths} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=heeding_interrupts,
    )


def finish(process: subprocess.Popen) -> tuple[int, str]:
    """Wait for a command, and return its exit code and what it printed."""
    output, _ = process.communicate()
    return process.returncode, output


def content(folder: Path) -> dict[str, str]:
    """Return the hash of everything in a folder that is the same each time, by its place."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    hashes = {}
    for path in paths:
        name = path.relative_to(folder).as_posix()
        if path.name == "record.json":
            hashes[name] = seals.hash_of(_lasting(read_json(path)))
        elif path.suffix in LASTING and not path.name.startswith(WITH_TIMES):
            hashes[name] = file_hash(path)
    return hashes


def _lasting(record):
    """Return what of a record is the same each time."""
    metrics = {
        kind: value
        for kind, value in record["metrics"].items()
        if not any(word in kind for word in MEASURED_TIMES)
    }
    kept = {name: value for name, value in record.items() if name not in OF_THE_MOMENT}
    return kept | {"metrics": metrics}


def left_over(folder: Path) -> int:
    """Return how many temporary files are in a folder."""
    return sum(bool(temporary.NAME.fullmatch(path.name)) for path in folder.rglob("*"))


def kill(process: subprocess.Popen, how: tuple[int, bool]) -> int:
    """Kill a command, and return how many processes it left running after a while."""
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    number, is_group = how
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number) if is_group else os.kill(process.pid, number)
    _, alive = psutil.wait_procs(family, timeout=GRACE)
    return len([one for one in alive if one.status() != psutil.STATUS_ZOMBIE])


def kill_and_repeat(
    target: Target, base: Path, expected: Undisturbed, chance: random.Random, count: Count
) -> None:
    """Kill a command once, type it again, and count what is wrong.

    Parameters
    ----------
    target : Target
    base : Path
        A folder with what the command needs.
    expected : Undisturbed
    chance : random.Random
    count : Count
        Counted on.
    """
    with _copy(base) as folder:
        process = start(target, folder)
        delay, how = chance.uniform(0, expected.seconds), chance.choice(KILLS)
        time.sleep(delay)
        orphans = kill(process, how)
        _, killed = finish(process)
        code, output = finish(start(target, folder))
        ours = "" if NOT_OURS in killed else killed
        one = judge(folder, expected, code, ours + output, orphans)
        count.add(one)
        if not one.is_clean:
            name = f"{signal.Signals(how[0]).name}{' to all' if how[1] else ''}"
            print(f"{target.name}: {name} after {delay:.2f} s: {one}", file=sys.stderr)
            differences = _differences(content(folder), expected.content)
            print(f"{differences}{killed}{output}", file=sys.stderr)


def judge(folder: Path, expected: Undisturbed, code: int, output: str, n_orphans: int = 0) -> Count:
    """Return what is wrong with a folder in which a command has ended by itself.

    Parameters
    ----------
    folder : Path
    expected : Undisturbed
    code : int
        Its exit code.
    output : str
        What it printed.
    n_orphans : int
        How many processes a kill before it left running.
    """
    return Count(
        tried=1,
        other_bits=int(content(folder) != expected.content),
        left_over=left_over(folder),
        orphans=n_orphans,
        tracebacks=int("Traceback" in output),
        wrong_codes=int(code != expected.code),
    )


def _differences(found, expected):
    """Return a line for each file that is missing, more or another one."""
    names = sorted({name for name, _ in found.items() ^ expected.items()})
    return "".join(f"other bits: {name}\n" for name in names)


def fill_the_disk(target: Target, base: Path, expected: Undisturbed, count: Count) -> None:
    """Run a command where no file can grow, then where there is room, and count what is wrong."""

    def no_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (FULL_AT, FULL_AT))

    with _copy(base) as folder:
        code, output = finish(start(target, folder, no_room))
        count.wrong_codes += code not in (0, 1, USER_ERROR)
        count.tracebacks += "Traceback" in output
        count.left_over += left_over(folder)
        count.add(judge(folder, expected, *finish(start(target, folder))))


def repeat(target: Target, base: Path, expected: Undisturbed, count: Count) -> None:
    """Run a command five times more, and count what is wrong.

    It runs alone, with other variables, and twice at once in folders of their own.
    """
    for variables in SURROUNDINGS:
        with _copy(base) as folder:
            ended = finish(start(target, folder, variables=variables))
            count.add(judge(folder, expected, *ended))
    with _copy(base) as first, _copy(base) as second:
        for process, folder in [(start(target, folder), folder) for folder in (first, second)]:
            count.add(judge(folder, expected, *finish(process)))


def run_two(target: Target, other: Target, base: Path, chance: random.Random, count: Count) -> None:
    """Start two commands in one folder, on other data each, and count whether they were mixed."""
    with _copy(base) as folder:
        first = start(target, folder)
        time.sleep(chance.uniform(0, 3))
        second = start(other, folder)
        outcomes = [finish(first), finish(second)]
        count.tried += 1
        count.wrong_codes += any(code != 0 for code, _ in outcomes)
        count.tracebacks += any("Traceback" in output for _, output in outcomes)
        count.other_bits += is_mixed(folder)
        count.left_over += left_over(folder)


def is_mixed(folder: Path) -> bool:
    """Return whether a record stands beside the configuration of another run."""
    records = list(folder.rglob("record.json"))
    provenances = [
        (
            read_json(path)["provenance"],
            read_json(path.with_name("config.json"))["provenance"],
        )
        for path in records
    ]
    return len({json.dumps(pair) for pair in provenances}) != 1 or any(
        recorded != configured for recorded, configured in provenances
    )


@contextlib.contextmanager
def _copy(base) -> Iterator[Path]:
    """Yield a copy of a folder, and remove it."""
    with tempfile.TemporaryDirectory() as place:
        yield Path(shutil.copytree(base, Path(place) / "work"))


def prepare(folder: Path) -> None:
    """Put the raw file into a folder that `clean` reads."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    voltage = np.concatenate([np.linspace(16, -16, 49), np.linspace(-16, 16, 49)[1:-1]])
    shape = (60, 60, len(voltage))
    contents = {
        "Loopdata_mixed": np.tanh(voltage / 4) + rng.normal(0, 0.02, shape),
        "Outw2_mixed": 1320 + np.cos(voltage / 5) + rng.normal(0, 0.1, shape),
        "Voltagedata_mixed": voltage[np.newaxis],
        "VoltageDC_mixed": np.roll(voltage, 24)[np.newaxis],
    }
    savemat(folder / "raw.mat", contents)


def attack(
    targets: Sequence[Target], n_kills: int, n_pairs: int, seed: int = 0
) -> Iterator[dict[str, dict[str, Count]]]:
    """Attack commands, and yield what was found so far, by kind of attack and command.

    Parameters
    ----------
    targets : sequence of Target
    n_kills, n_pairs : int
        Kills of each command, and pairs of commands in one folder.
    seed : int
        Of the moments and the kinds of kills.

    Yields
    ------
    dict of str to dict of str to Count
        The same one after every command, and after the pairs.
    """
    chance = random.Random(seed)
    found = {"kills": {}, "full disk": {}, "again": {}, "two at once": {}}
    with tempfile.TemporaryDirectory() as place:
        plain = Path(place) / "plain"
        prepare(plain)
        bases = {None: plain}
        if any(target.needs for target in targets):
            undisturbed(PICTURED, plain, Path(place) / "pictured")
            bases[PICTURED.name] = Path(place) / "pictured"
        for target in targets:
            base = bases[target.needs]
            expected = undisturbed(target, base, Path(place) / f"{target.name} made")
            kills = found["kills"].setdefault(target.name, Count())
            for _ in tqdm(range(n_kills), desc=f"kill {target.name}", disable=None):
                kill_and_repeat(target, base, expected, chance, kills)
            full = found["full disk"].setdefault(target.name, Count())
            fill_the_disk(target, base, expected, full)
            repeat(target, base, expected, found["again"].setdefault(target.name, Count()))
            yield found
        pairs = found["two at once"].setdefault("run", Count())
        for _ in tqdm(range(n_pairs), desc="two at once", disable=None):
            run_two(*_pair(), plain, chance, pairs)
    yield found


def _pair():
    """Return two commands that want the same folder for different seeds of other data."""
    only = ("--no-figures", "--only", "toy", "pca", "--profile", "smoke")
    simulated = ("replicate", "run", *only, "--data", "simulated")
    auto = ("replicate", "run", *only, "--data", "auto")
    return Target("run", simulated), Target("run", auto)


def undisturbed(target: Target, base: Path, folder: Path) -> Undisturbed:
    """Run a command in a copy of a folder, and return what came of it.

    Raises
    ------
    RuntimeError
        If it ends in a traceback.
    """
    shutil.copytree(base, folder)
    begin = time.perf_counter()
    code, output = finish(start(target, folder))
    if "Traceback" in output:
        raise RuntimeError(f"{target.name}: exit code {code}\n{output}")
    return Undisturbed(content(folder), code, time.perf_counter() - begin)


def merged(before: dict, found: dict[str, dict[str, Count]]) -> dict:
    """Return counts as they are stored, with those of before that were not made anew."""
    made = {
        kind: {name: vars(count) for name, count in counts.items() if count.tried}
        for kind, counts in found.items()
    }
    return {kind: before.get(kind, {}) | counts for kind, counts in made.items()}


def render(record: dict) -> str:
    """Return the record as a table in Markdown."""
    lines = [
        "| attack | command | tried | other bits | files left | still running | tracebacks | "
        "wrong exit code |",
        "| --- | --- |" + " ---: |" * 6,
    ]
    for kind, counts in record["found"].items():
        for name, count in counts.items():
            cells = " | ".join(str(count[field.name]) for field in fields(Count))
            lines.append(f"| {kind} | `{name}` | {cells} |")
    lines += ["", f"Made on {record['machine']['processor']}."]
    return "\n".join(lines)


@command()
def main(arguments: Sequence[str] | None = None) -> int:
    """Attack, print what was found, and return the exit code.

    Returns
    -------
    int
        0 where nothing was found, 1 where something was.
    """
    parser = parser_of(__doc__)
    names = [target.name for target in TARGETS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument(
        "--kills", type=cli.positive, default=5, metavar="N", help="of each command (default: 5)"
    )
    parser.add_argument(
        "--pairs", type=int, default=3, metavar="N", help="of commands in one folder (default: 3)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of chance (default: 0)")
    parser.add_argument("--write", action="store_true", help="store the counts, and write the page")
    options = parser.parse_args(arguments)
    targets = [target for target in TARGETS if target.name in options.only]
    before = read_json(RECORD, SCHEMA)["found"] if options.write and RECORD.exists() else {}
    for found in attack(targets, options.kills, options.pairs, options.seed):
        record = {"machine": hardware(), "found": merged(before, found)}
        if options.write:
            publish(record, RECORD, ROOT / PAGE, SECTION, render(record))
    print(render(record))
    is_clean = all(count.is_clean for counts in found.values() for count in counts.values())
    print("NOTHING FOUND." if is_clean else "FAULTS FOUND.")
    return 0 if is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
