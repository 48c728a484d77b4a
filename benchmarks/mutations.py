"""Damage files of every format that is read, and see what the readers make of them.

``nox -s mutations``, or ``python -m benchmarks.mutations`` where the package is installed. Small
files are made, some of their bytes are changed, and they are read. A reader must refuse such a file
with an error that names it, or give the values that another library reads from it. ``--write``
stores the counts in ``benchmarks/stored/mutations.json`` and writes their table into
docs/reliability.md, after every format.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import resource
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
from tqdm import tqdm

from benchmarks.formats import FORMATS, Format
from benchmarks.sections import publish
from benchmarks.store import ROOT
from replicate import cli
from replicate.commands import command, parser_of
from replicate.errors import ReplicationError
from replicate.running.machine import hardware

RECORD = ROOT / "benchmarks" / "stored" / "mutations.json"
PAGE = "docs/reliability.md"

#: Name of the generated section of the page.
SECTION = "mutations"

#: Seconds that a reader may take, and bytes that it may ask for.
SECONDS, BYTES = 10, 1 << 30

#: What came of a file. The first two are as they must be.
OUTCOMES = ("refused", "right", "not named", "wrong value", "traceback", "too long", "died")


class TooLong(Exception):
    """A reader took longer than it may."""


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
    os.environ["REPLICATE_CACHE"] = str(folder / "cache")
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
    parser = parser_of(__doc__)
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
