"""What the pinned arithmetic costs: the time of an epoch, pinned and native side by side.

``python -m benchmarks.pinning`` times every network of the study in fresh processes of one thread,
pinned and native in turn, and writes the medians into ``benchmarks/stored/pinning.json`` and into
docs/same-bits.md. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterator
from dataclasses import replace

from tqdm import tqdm

from benchmarks.fresh import run_fresh
from benchmarks.sections import publish
from benchmarks.store import PROFILE, ROOT
from replicate import arithmetic
from replicate.numbers.tables import LABELS
from replicate.running.machine import hardware, versions
from replicate.study import family
from replicate.study.job import Job

#: Data set and model of each network that is timed; those of `nox -s replicate` come first.
NETWORKS = (
    ("toy", "lstm_vae"),
    ("beps", "lstm_vae_plain"),
    ("beps", "lstm_vae"),
    ("toy", "dense_vae"),
    ("toy", "conv_vae"),
    ("beps", "dense_vae"),
    ("beps", "conv_vae"),
)

#: Epochs that are timed in each process, after one that also compiles the network.
N_EPOCHS = 4

#: Processes for each network and arithmetic.
N_REPEATS = 3

#: Spectra of the toy problem and of the scan, and numbers in each of them.
SHAPES = {"toy": (10_000, 25), "beps": (3600, 192)}

RECORD = ROOT / "benchmarks" / "stored" / "pinning.json"
PAGE = "docs/same-bits.md"

#: Name of the generated section of the page.
SECTION = "cost"


def seconds_of_epochs(dataset: str, model: str) -> list[float]:
    """Return the seconds of each epoch of a network in this process, on spectra of noise."""
    import numpy as np

    job = Job(PROFILE, dataset, model, 0)
    network = family.build(job)
    schedule = replace(network.schedule, settle_epochs=1 + N_EPOCHS, fixed_beta=1e-4)
    network.set_params(schedule=schedule)
    rng = np.random.default_rng(0)
    network.fit(rng.standard_normal(SHAPES[job.domain], dtype=np.float32))
    clock = [row["seconds"] for row in network.history_]
    return [later - earlier for earlier, later in zip(clock, clock[1:])]


def measure() -> Iterator[dict]:
    """Time every network, pinned and native in turn, and yield a row for each."""
    for dataset, model in tqdm(NETWORKS, unit="network", disable=None):
        seconds = {arithmetic.PINNED: [], arithmetic.NATIVE: []}
        for _ in range(N_REPEATS):
            for name, epochs in seconds.items():
                epochs += run_fresh("benchmarks.pinning", ("--one", dataset, model), name)
        medians = {name: statistics.median(epochs) for name, epochs in seconds.items()}
        yield {"dataset": dataset, "model": model, **medians}


def render(record: dict) -> str:
    """Return the record as a table in Markdown."""
    lines = [
        "| network | pinned, s an epoch | native, s an epoch | pinned over native |",
        "| --- | ---: | ---: | ---: |",
    ]
    for row in record["networks"]:
        name = f"{LABELS[row['model']]}, {'toy' if row['dataset'] == 'toy' else 'BEPS'}"
        ratio = row["pinned"] / row["native"]
        lines.append(f"| {name} | {row['pinned']:.3f} | {row['native']:.3f} | {ratio:.2f} |")
    machine = record["machine"]
    lines += [
        "",
        f"Medians of {record['n_epochs']} epochs in fresh processes of one thread, pinned and "
        f"native in turn, on {machine['processor']}, {machine['cores']} cores.",
    ]
    return "\n".join(lines)


def main() -> int:
    """Measure, write the record, and renew the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--one", nargs=2, metavar=("DATA", "MODEL"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(seconds_of_epochs(*options.one)))
        return 0
    record = {
        "machine": hardware(),
        "versions": versions(),
        "n_epochs": N_EPOCHS * N_REPEATS,
        "networks": list(measure()),
    }
    publish(record, RECORD, ROOT / PAGE, SECTION, render(record))
    print(render(record))
    return 0


if __name__ == "__main__":
    sys.exit(main())
