"""Does the ramp end at just as many active channels as asked for? Twenty seeds of each network.

``nox -s channels``, or ``python -m benchmarks.channels`` where the package is installed. Each
network is trained to the end of its ramp, without the settling, pinned and with native arithmetic,
each in a fresh process. One line for each training goes into ``results/channels.jsonl`` as it ends,
so that an interrupted command goes on where it was. What comes out is written into
``benchmarks/stored/channels.json`` and docs/same-bits.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from benchmarks import rows
from benchmarks.fresh import run_fresh
from benchmarks.sections import publish
from benchmarks.store import PROFILE, ROOT, SOURCES
from replicate import arithmetic, cli
from replicate.commands import command, parser_of
from replicate.files import listing, read_json
from replicate.numbers.tables import LABELS
from replicate.running import runs
from replicate.running.execute import configuration
from replicate.running.machine import hardware, versions
from replicate.study import family
from replicate.study.job import Job
from replicate.tasks import load_task

#: Data set and model of each network.
NETWORKS = (
    ("toy", "dense_vae"),
    ("toy", "conv_vae"),
    ("toy", "lstm_vae"),
    ("beps", "lstm_vae_plain"),
    ("beps", "lstm_vae"),
    ("beps", "dense_vae"),
)

#: Seeds of each network.
N_SEEDS = 20

#: The ways in which the ramp comes to the number, from the plain one to the last resort.
WAYS = ("ramp", "growth", "bisection", "rank")

RECORD = ROOT / "benchmarks" / "stored" / "channels.json"
PAGE = "docs/same-bits.md"

#: Name of the generated section of the page.
SECTION = "channels"

#: Fields that every row has.
FIELDS = (
    "key",
    "dataset",
    "model",
    "seed",
    "arithmetic",
    "how",
    "beta",
    "active_channels",
    "epochs",
)


def train(job: Job) -> dict:
    """Train a network to the end of its ramp in this process.

    Returns
    -------
    dict
        ``beta``, ``active_channels`` and ``how`` of the selected model, and ``epochs``.
    """
    network = family.build(job)
    network.set_params(schedule=replace(network.schedule, settle_epochs=0))
    network.fit(load_task(configuration(job, SOURCES)).train)
    return network.selected_ | {"epochs": len(network.history_)}


def measure(path: Path, names: Sequence[str], n_seeds: int, trains: bool = True) -> list[dict]:
    """Train every network that has no row yet, seed by seed, and return the rows of all.

    Rows that were stored with other code hold where the pinned training of seed 0 still gives the
    same row: β, number of channels, way and epochs, to the last digit. Otherwise they are made
    anew. Native rows hold with them: another processor would not give the same digits.

    Parameters
    ----------
    path : Path
        The file of rows.
    names : sequence of str
        The arithmetics: ``pinned``, ``native``.
    n_seeds : int
    trains : bool
        Whether networks without a row are trained; they are left out otherwise.
    """
    rows.repair(path)
    stored = {_training(row): row for row in _stored_rows()}
    done = {row["key"]: row for row in [*stored.values(), *rows.read(path, FIELDS)]}
    wanted = [
        (name, Job(PROFILE, dataset, model, seed))
        for name in names
        for seed in range(n_seeds)
        for dataset, model in NETWORKS
    ]
    found, unchanged = [], set()
    for name, job in tqdm(wanted, unit="training", disable=None):
        key = _key(job, name)
        row = {
            "key": key,
            "arithmetic": name,
            "dataset": job.dataset,
            "model": job.model,
            "seed": job.seed,
        }
        network, before = (job.dataset, job.model), stored.get(_training(row))
        if key not in done and before and network in unchanged:
            done[key] = before | {"key": key}
        if key not in done and not trains:
            continue
        if key not in done:
            arguments = ("--one", job.dataset, job.model, str(job.seed))
            done[key] = row | run_fresh("benchmarks.channels", arguments, name)
            rows.append(path, done[key])
        is_witness = before and name == arithmetic.PINNED and job.seed == 0
        if is_witness and done[key] == before | {"key": key}:
            unchanged.add(network)
        found.append(done[key])
    return found


def _training(row):
    """Return which training a row is, whatever the code was."""
    return row["arithmetic"], row["dataset"], row["model"], row["seed"]


def _stored_rows():
    """Return the rows of the stored record; none where there is none yet."""
    return read_json(RECORD, listing("rows"))["rows"] if RECORD.exists() else []


def _key(job, name):
    """Return the key of a training: everything that it depends on, as for a run."""
    config = configuration(job, SOURCES)
    native = f"{arithmetic.NATIVE}, {arithmetic.processor()}"
    config["arithmetic"] = native if name == arithmetic.NATIVE else name
    return runs.key(config)


def render(record: dict) -> str:
    """Return the record as a table in Markdown."""
    lines = [
        f"| network | arithmetic | seeds | exact | {' | '.join(WAYS)} | β | epochs |",
        "| --- | --- |" + " ---: |" * (4 + len(WAYS)),
    ]
    groups = {}
    for row in record["rows"]:
        groups.setdefault((row["dataset"], row["model"], row["arithmetic"]), []).append(row)
    for (dataset, model, name), group in groups.items():
        title = f"{LABELS[model]}, {'toy' if dataset == 'toy' else 'BEPS'}"
        lines.append(f"| {title} | {name} | {' | '.join(_cells(group))} |")
    machine = record["machine"]
    lines += [
        "",
        "*Exact*: the ramp itself ended with the number of active channels asked for, 3 on the toy "
        "problem and 5 on BEPS, on the ramp, after growth or by bisection of β; by *rank* it did "
        "not, and the channels of greatest KL were taken. β: lowest and highest of the selected "
        "models. Epochs: median, with the warm-up and without the settling. Made on "
        f"{machine['processor']}. {_compared(record['rows'])}",
    ]
    return "\n".join(lines)


def _compared(rows):
    """Return a sentence on how many native trainings came out as the pinned ones did."""
    outcomes = {
        name: {
            (row["dataset"], row["model"], row["seed"]): (row["beta"], row["epochs"])
            for row in rows
            if row["arithmetic"] == name
        }
        for name in (arithmetic.PINNED, arithmetic.NATIVE)
    }
    both = outcomes[arithmetic.PINNED].items() & outcomes[arithmetic.NATIVE].items()
    return (
        f"Of {len(outcomes[arithmetic.NATIVE])} native trainings {len(both)} ended with the pinned "
        "one's β, to the last digit, and epochs: a processor without AVX-512 runs the pinned code "
        "anyway."
    )


def _cells(group):
    """Return the cells of a row of the table."""
    ways = Counter(row["how"] for row in group)
    betas = [row["beta"] for row in group]
    return [
        str(len(group)),
        str(sum(is_exact(row) for row in group)),
        *(str(ways[way]) for way in WAYS),
        f"{min(betas):.2f} to {max(betas):.2f}",
        f"{statistics.median(row['epochs'] for row in group):.0f}",
    ]


def is_exact(row: dict) -> bool:
    """Return whether the ramp of a training ended by itself at just the number asked for."""
    target = family.COMPONENTS["toy" if row["dataset"] == "toy" else "beps"]
    return row["how"] != "rank" and row["active_channels"] == target


@command()
def main(arguments: Sequence[str] | None = None) -> int:
    """Train, write the record, and renew the page.

    Returns
    -------
    int
        Exit code: 0, 2 for a user's error, 130 for Ctrl-C.
    """
    parser = parser_of(__doc__)
    cli.add_results(parser)
    parser.add_argument(
        "--seeds",
        type=cli.positive,
        default=N_SEEDS,
        metavar="N",
        help=f"seeds 0 to N - 1 (default: {N_SEEDS}, five hours of one core)",
    )
    parser.add_argument(
        "--arithmetic",
        nargs="+",
        choices=(arithmetic.PINNED, arithmetic.NATIVE),
        default=(arithmetic.PINNED, arithmetic.NATIVE),
        help="default: both",
    )
    parser.add_argument(
        "--store", action="store_true", help="train nothing: store what is complete"
    )
    parser.add_argument("--one", nargs=3, metavar=("DATA", "MODEL", "SEED"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        dataset, model, seed = options.one
        print(json.dumps(train(Job(PROFILE, dataset, model, int(seed)))))
        return 0
    path = options.results / "channels.jsonl"
    found = measure(path, options.arithmetic, options.seeds, trains=not options.store)
    record = {"machine": hardware(), "versions": versions(), "rows": found}
    publish(record, RECORD, ROOT / PAGE, SECTION, render(record))
    print(f"{RECORD}\n{PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
