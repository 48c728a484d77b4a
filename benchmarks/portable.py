"""Compare the bits of a small instance of every model between processors.

``nox -s portable`` fits the instances of `benchmarks.small_instances` on this processor and on
emulated ones, all with the pinned arithmetic, and compares every weight, latent, reconstruction
and number. It also fits them once with native arithmetic, to show that pinning matters; that is
reported and not judged. The processors are emulated by qemu-user.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tqdm import tqdm

from benchmarks.sections import publish
from benchmarks.store import ROOT
from replicate import arithmetic
from replicate.commands import command, parser_of
from replicate.files import read_json
from replicate.running import machine
from replicate.study.family import LABELS

#: The program that emulates a processor.
EMULATOR = "qemu-x86_64"

#: Processors that are emulated, by the emulator's names. The emulator knows no AVX-512.
PROCESSORS = ("Haswell-noTSX", "EPYC-Rome", "Skylake-Client-noTSX-IBRS")

#: Minutes after which a run of all instances is ended, unless the caller says otherwise.
LIMIT = 12

#: Share of the instances that must have been compared on each processor. The emulator may crash in
#: the others, which says nothing about bits.
SHARE_COMPARED = 0.9

#: How many processors are emulated side by side.
SIDE_BY_SIDE = 2

#: The stored result.
STORED = ROOT / "benchmarks" / "stored" / "portable.json"

#: The page with the table of the result, and the name of its markers.
PAGE, SECTION = ROOT / "docs" / "same-bits.md", "portable"

#: Labels of the instances that are not models of the family.
OTHER_LABELS = {
    "paper_network": "LSTM β-VAE, paper's layers",
    "scores": "Loop descriptors, errors by index, boosted trees",
    "spectra": "The spectra themselves",
}

#: The label of each row of the table, in order.
INSTANCE_LABELS = LABELS | OTHER_LABELS

#: The name of the run with native arithmetic, in the record and in the head of the table.
NATIVE_RUN = "this processor, not pinned"


@dataclass
class Outcome:
    """What one run of the instances gave.

    Attributes
    ----------
    code : dict
        The code that the libraries chose, as `small_instances.chosen_code` returns it.
    compared : dict of str to dict
        What can be compared of each instance, by its name.
    seconds : float
        How long the run took.
    failures : dict of str to str
        How the process ended, by the instance that could not be finished.
    """

    code: dict = field(default_factory=dict)
    compared: dict[str, dict] = field(default_factory=dict)
    seconds: float = 0.0
    failures: dict[str, str] = field(default_factory=dict)


def environment(name: str) -> dict[str, str]:
    """Return the environment of a process with this arithmetic, `PINNED` or `NATIVE`."""
    chosen_by_arithmetic = (*arithmetic.KERNELS, arithmetic.NUMPY_VARIABLE)
    variables = {
        variable: value
        for variable, value in os.environ.items()
        if variable not in chosen_by_arithmetic
    }
    # A process of `benchmarks` sets the rest for itself before it loads NumPy.
    return variables | {arithmetic.VARIABLE: name, "PYTHONWARNINGS": "ignore"}


@dataclass(frozen=True)
class Runner:
    """What starts the processes of one run.

    Attributes
    ----------
    label : str
        What the lines of progress begin with.
    command : list of str
        Starts `benchmarks.small_instances`; the names of instances are added to it.
    variables : dict of str to str
        The environment of the processes.
    minutes : float
        Time limit of the run.
    """

    label: str
    command: list[str]
    variables: dict[str, str]
    minutes: float = LIMIT

    def run(self, names: Iterable[str]) -> Outcome:
        """Run instances in one process, and after a crash the rest of them in another one."""
        outcome = Outcome()
        start = time.monotonic()
        left = list(names)
        while left:
            seconds_left = 60 * self.minutes - (time.monotonic() - start)
            ending = self._run_process(left, seconds_left, outcome)
            left = [name for name in left if name not in outcome.compared]
            if not left:
                break
            if ending is None:
                outcome.failures |= dict.fromkeys(left, f"not done after {self.minutes:g} minutes")
                break
            outcome.failures[left[0]] = ending
            tqdm.write(f"{self.label}: {ending} in {left[0]}")
            left = left[1:]
        outcome.seconds = round(time.monotonic() - start, 1)
        return outcome

    def _run_process(self, names, seconds, outcome):
        """Run instances in one process, and fill the outcome.

        Returns
        -------
        str or None
            How the process failed; None where it ended well or its time was up.
        """
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                [*self.command, *names],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=ROOT,
                env=self.variables,
            )
            is_late = threading.Event()

            def end():
                is_late.set()
                process.kill()

            timer = threading.Timer(max(seconds, 0), end)
            timer.start()
            try:
                for line in process.stdout:
                    _take(json.loads(line), self.label, outcome)
                code = process.wait()
            finally:
                timer.cancel()
                process.kill()
            return None if code == 0 or is_late.is_set() else _ending(code, errors)


def _take(line, label, outcome):
    """Enter one line that the process printed into the outcome, and show it."""
    if "code" in line:
        outcome.code = line["code"]
        return
    seconds = line.pop("seconds")
    outcome.compared |= line
    tqdm.write(f"{label:28} {len(outcome.compared):3} {next(iter(line)):26} {seconds:7.1f} s")


def _ending(code, errors):
    """Return how a process ended that failed, in a few words."""
    errors.seek(0)
    text = errors.read().decode(errors="replace").strip()
    last_line = text.splitlines()[-1] if text else "no message"
    # The emulator ends by the signal by which the program would have ended.
    way = f"crashed by signal {-code}" if code < 0 else f"failed with code {code}"
    return f"{way} ({last_line})"


def run_all(
    processors: Iterable[str], names: Iterable[str], data: Path, minutes: float = LIMIT
) -> dict[str, Outcome]:
    """Run the instances natively, not pinned, and on emulated processors.

    Parameters
    ----------
    processors : iterable of str
        Names that the emulator knows.
    names : iterable of str
        The instances.
    data : Path
        The file with their data.
    minutes : float
        Time limit of each run.

    Returns
    -------
    dict of str to Outcome
        By `arithmetic.PINNED` for this processor, `NATIVE_RUN`, and the names of the processors.
    """
    names = list(names)
    python = [sys.executable, "-m", "benchmarks.small_instances", "--data", str(data)]
    pinned = environment(arithmetic.PINNED)
    native = environment(arithmetic.NATIVE)
    outcomes = {
        arithmetic.PINNED: Runner("this processor", python, pinned, minutes).run(names),
        NATIVE_RUN: Runner(NATIVE_RUN, python, native, minutes).run(names),
    }
    runners = {
        processor: Runner(processor, [EMULATOR, "-cpu", processor, *python], pinned, minutes)
        for processor in processors
    }
    with ThreadPoolExecutor(min(SIDE_BY_SIDE, os.cpu_count() or 1)) as pool:
        emulated = pool.map(lambda runner: runner.run(names), runners.values())
        outcomes |= dict(zip(runners, emulated))
    return outcomes


def differences(reference: Outcome, other: Outcome) -> dict[str, str]:
    """Return what is not the same in another outcome, by the name of the instance.

    Parameters
    ----------
    reference, other : Outcome

    Returns
    -------
    dict of str to str
        The names of what differs, or how the process ended.
    """
    found = dict(other.failures)
    for name, expected in reference.compared.items():
        if name in found:
            continue
        if name not in other.compared:
            found[name] = "not run"
            continue
        keys = [key for key, value in expected.items() if other.compared[name].get(key) != value]
        if keys:
            found[name] = f"differs in {', '.join(keys)}"
    return found


def table(record: dict) -> str:
    """Return the table of a stored record, and how it was made, as Markdown.

    Parameters
    ----------
    record : dict
        As `record_of` returns it.
    """
    outcomes = {name: Outcome(**values) for name, values in record["outcomes"].items()}
    reference = outcomes.pop(arithmetic.PINNED)
    by_run = {name: differences(reference, outcome) for name, outcome in outcomes.items()}
    # The run that is not judged stands last.
    columns = [*(name for name in PROCESSORS if name in by_run), NATIVE_RUN]
    head = ["model", *columns]
    lines = [f"| {' | '.join(head)} |", f"| --- |{' --- |' * len(columns)}"]
    for model in _models(reference):
        cells = [_cell(reference, by_run[column], model) for column in columns]
        lines.append(f"| {' | '.join([INSTANCE_LABELS[model], *cells])} |")
    versions = record["versions"]
    made = (
        f"Compared with {record['machine']['processor']}, pinned. MXNet {versions['mxnet']}, "
        f"NumPy {versions['numpy']}, SciPy {versions['scipy']}, "
        f"scikit-learn {versions['scikit-learn']}, {versions['libc']}; "
        f"emulated by qemu {versions['qemu']}."
    )
    return "\n".join([*lines, "", made])


def _models(outcome):
    """Return the second part of the names of all instances, each once, in the order of labels."""
    present = {name.partition("/")[2] for name in outcome.compared}
    return [model for model in INSTANCE_LABELS if model in present]


def _cell(reference, different, model):
    """Return what the table says of a model on a processor."""
    instances = [name for name in reference.compared if name.partition("/")[2] == model]
    of_model = [name for name in instances if name in different]
    if not of_model:
        return "same"
    word = _word([different[name] for name in of_model])
    if len(of_model) == len(instances):
        return word
    return f"{word} ({', '.join(name.partition('/')[0] for name in of_model)})"


def _word(ways):
    """Return the one word that stands for ways of not being the same."""
    if any(way.startswith("differs") for way in ways):
        return "differs"
    if any("signal" in way for way in ways):
        return "crashed"
    return "failed" if any(way.startswith("failed") for way in ways) else "not run"


def record_of(outcomes: Mapping[str, Outcome]) -> dict:
    """Return what is stored of outcomes: the outcomes, the versions and the machine."""
    return {
        "outcomes": {name: asdict(outcome) for name, outcome in outcomes.items()},
        "versions": versions(),
        "machine": {"processor": arithmetic.processor(), "system": platform.system()},
    }


def versions() -> dict[str, str]:
    """Return the versions of the packages, of the C library and of the emulator."""
    printed = subprocess.run([EMULATOR, "-version"], capture_output=True, text=True, check=True)
    found = re.search(r"version (\S+)", printed.stdout)
    return machine.versions() | {
        "libc": " ".join(platform.libc_ver()),
        "qemu": found.group(1) if found else "unknown",
    }


def obstacle() -> str | None:
    """Return why processors cannot be compared here; None where they can."""
    if not arithmetic.has_avx2():
        return "the pinned arithmetic needs a processor with AVX2, and this one has none"
    if shutil.which(EMULATOR) is None:
        return (
            f"{EMULATOR} is not installed. On Debian and Ubuntu it is in the package qemu-user: "
            "sudo apt-get install qemu-user"
        )
    return None


def write(record: dict) -> None:
    """Store a record, and write its table into the page."""
    publish(record, STORED, PAGE, SECTION, table(record))


def compare_with_stored(reference: Outcome, path: Path = STORED) -> bool:
    """Print whether this processor has the stored bits.

    With other versions of the packages or of the C library other bits are no failure.

    Parameters
    ----------
    reference : Outcome
        Of this processor, pinned.
    path : Path
        The stored record.

    Returns
    -------
    bool
        False where the bits differ and the versions do not.
    """
    if not path.exists():
        print("Nothing is stored: `nox -s portable -- --write` stores this result.")
        return True
    stored = read_json(path)
    different = differences(Outcome(**stored["outcomes"][arithmetic.PINNED]), reference)
    if not different:
        print(f"The bits here are those stored, of {stored['machine']['processor']}.")
        return True
    moved = _moved_versions(stored["versions"])
    print(f"{len(different)} instances differ from those stored: {', '.join(different)}.")
    if moved:
        print(f"That is not judged, because other versions are installed: {', '.join(moved)}.")
    return bool(moved)


def _moved_versions(stored):
    """Return which versions are not the stored ones; that of the emulator does not count."""
    here = versions()
    names = sorted((stored.keys() | here.keys()) - {"qemu"})
    return [
        f"{name} {stored.get(name)} stored, {here.get(name)} here"
        for name in names
        if stored.get(name) != here.get(name)
    ]


def judge(outcomes: Mapping[str, Outcome]) -> bool:
    """Print what differs between processors, and return whether nothing does.

    A crash is no difference, but `SHARE_COMPARED` of the instances must have been compared.

    Parameters
    ----------
    outcomes : dict of str to Outcome
        As `run_all` returns them.
    """
    reference = outcomes[arithmetic.PINNED]
    total = len(reference.compared)
    holds = total > 0 and not reference.failures
    for name, way in reference.failures.items():
        print(f"this processor: {name}: {way}")
    for processor, outcome in outcomes.items():
        if processor == arithmetic.PINNED:
            continue
        different = differences(reference, outcome)
        print(
            f"{processor}: {total - len(different)} of {total} instances the same, "
            f"{outcome.seconds:.0f} s"
        )
        if processor == NATIVE_RUN:
            continue
        for name, way in different.items():
            print(f"    {name}: {way}")
        crashed = [name for name, way in different.items() if _word([way]) == "crashed"]
        is_compared = total - len(crashed) >= SHARE_COMPARED * total
        holds = holds and is_compared and len(crashed) == len(different)
    return holds


@command("NOT COMPARED")
def main(arguments: list[str] | None = None) -> int:
    """Compare processors, and return the exit code: 0, 1 where bits differ, 2 for an error."""
    parser = parser_of(__doc__)
    parser.add_argument(
        "--cpu",
        nargs="+",
        metavar="NAME",
        help=f"processors to emulate, by the names that `{EMULATOR} -cpu help` lists; "
        f"by default {', '.join(PROCESSORS)}",
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help="store the result, and write the table of docs/same-bits.md",
    )
    parser.add_argument(
        "--limit", type=float, default=LIMIT, metavar="MINUTES", help="time limit of each run"
    )
    options = parser.parse_args(arguments)
    if options.write and options.cpu:
        parser.error("--write stores the result of all processors: leave out --cpu")
    reason = obstacle()
    if reason is not None:
        print(f"Skipped: {reason}.")
        return 0
    # What is not needed to be skipped: the instances need MXNet.
    from benchmarks.small_instances import SmallData, names

    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data.npz"
        SmallData.make().write(data)
        processors = options.cpu or PROCESSORS
        outcomes = run_all(processors, names(), data, options.limit)
    holds = judge(outcomes)
    if options.write:
        write(record_of(outcomes))
    else:
        holds = compare_with_stored(outcomes[arithmetic.PINNED]) and holds
    print("THE SAME BITS." if holds else "NOT THE SAME BITS.")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
