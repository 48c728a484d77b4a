"""How firm are the held-out errors? Blocks with a buffer, two splits, and stripes of rows.

``nox -s splits``, or ``python -m benchmarks.splits`` where the package is installed. Nine models
are fitted to the scan split in other ways than in the benchmark, and the paper's form to shuffled
steps. A complete run is reused, and an interrupted training goes on from its last epoch. What is
complete is written into ``benchmarks/stored/splits.json`` and docs/splits.md, beside what was
stored before.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks import split_table
from benchmarks.pages import write_section
from benchmarks.split_table import (
    BLOCK,
    KINDS,
    MODELS,
    OLD,
    RECORD,
    SEEDS,
    SHUFFLED,
    SHUFFLED_MODEL,
    SHUFFLED_SEEDS,
)
from benchmarks.store import PROFILE, ROOT, Store
from replicate import arithmetic, cli
from replicate.data.heldout import square_blocks
from replicate.data.sources import resolve
from replicate.errors import ReplicationError
from replicate.files import write_json
from replicate.provenance import PAPER_DATA, Sources
from replicate.running.execute import configuration
from replicate.running.pipeline import run_all
from replicate.running.runs import Run
from replicate.study.job import Job

PAGE = "docs/splits.md"

#: Name of the generated section of the page.
SECTION = "splits"

#: Kinds of number that are stored, where a run has them.
STORED_KINDS = (
    *KINDS,
    "mse",
    "shoulder_auc",
    "shoulder_kept",
    "shoulder_invented",
    "shoulder_auc_refined",
    "shoulder_kept_refined",
    "shoulder_invented_refined",
    "active_channels",
    "fit_seconds",
)

#: Of a record: what a run was made by.
ORIGIN = ("machine", "versions", "git_commit")


def jobs(models: Sequence[str] = (), datasets: Sequence[str] = ()) -> list[Job]:
    """List the runs, the quickest model first.

    Parameters
    ----------
    models, datasets : sequence of str
        Keep these only; all by default.
    """
    listed = [
        Job(PROFILE, dataset, model, seed)
        for model in MODELS
        for dataset, seeds in SEEDS.items()
        for seed in seeds
    ]
    listed += [Job(PROFILE, SHUFFLED, SHUFFLED_MODEL, seed) for seed in SHUFFLED_SEEDS]
    return [
        job
        for job in listed
        if job.model in (models or MODELS) and job.dataset in (datasets or (*SEEDS, SHUFFLED))
    ]


def missing(listed: Sequence[Job], sources: Sources, results: Path) -> list[Job]:
    """Return those of some jobs whose run is not complete in a results folder."""
    return [
        job for job in listed if not Run.of(results, job).is_complete(configuration(job, sources))
    ]


def seconds(job: Job, metrics: Mapping[str, dict]) -> float:
    """Return how long the same model took to train on the split of the benchmark, seconds.

    Parameters
    ----------
    job : Job
    metrics : mapping of str to dict
        The ``metrics`` of metrics.json.
    """
    return metrics[f"{OLD}.{job.model}.fit_seconds"]["value"]


def store(sources: Sources, results: Path, path: Path = RECORD) -> int:
    """Store every run that is complete in a results folder, beside those stored before.

    Parameters
    ----------
    sources : Sources
    results : Path
    path : Path
        The record. It has ``origins``, each with the machine, the versions and the commit that runs
        were made by, and ``runs``, each with ``dataset``, ``model``, ``seed``, ``key``, ``origin``
        (the number of its origin), ``metrics`` and ``blocks`` (`by_block`).

    Returns
    -------
    int
        How many of the runs are stored.

    Raises
    ------
    ReplicationError
        If a run is not on the paper's data.
    """
    entries = {_place(entry): entry for entry in _with_origins(path)}
    for job in jobs():
        config, run = configuration(job, sources), Run.of(results, job)
        if run.is_complete(config):
            entry = _entry(job, run)
            entries[_place(entry)] = entry
    kept = [entries[place] for job in jobs() if (place := _place_of(job)) in entries]
    origins = []
    for entry in kept:
        if entry["origin"] not in origins:
            origins.append(entry["origin"])
    numbered = [entry | {"origin": origins.index(entry["origin"])} for entry in kept]
    if numbered:
        write_json(path, {"block": BLOCK, "origins": origins, "runs": numbered})
    return len(numbered)


def _with_origins(path):
    """Return the stored runs, each with its origin instead of the number of it."""
    runs = split_table.stored_runs(path)
    origins = split_table.stored_origins(path)
    return [run | {"origin": origins[run["origin"]]} for run in runs]


def _place(entry):
    return entry["dataset"], entry["model"], entry["seed"]


def _place_of(job):
    return job.dataset, job.model, job.seed


def _entry(job, run):
    """Return what is stored of a run, with its origin."""
    record = run.record
    if not set(record["provenance"].values()) <= set(PAPER_DATA):
        raise ReplicationError(
            f"{run.folder}: its data are not the paper's. Choose another folder with --results."
        )
    metrics = record["metrics"]
    return {
        "dataset": job.dataset,
        "model": job.model,
        "seed": job.seed,
        "key": record["key"],
        "origin": {name: record[name] for name in ORIGIN},
        "metrics": {kind: metrics[kind] for kind in STORED_KINDS if kind in metrics},
        "blocks": by_block(run.arrays),
    }


def by_block(arrays: Mapping[str, np.ndarray]) -> dict[str, list]:
    """Return the sums of the held-out errors in the blocks that have held-out pixels.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        Of a run on the paper's scan: ``mse`` and ``heldout``, shape (n_pixels,), and
        ``mse_refined``, shape (n_heldout,).

    Returns
    -------
    dict of str to list
        ``block``, the numbers of the blocks of `BLOCK` x `BLOCK` pixels, in C order; ``pixels``,
        how many held-out pixels are in each; ``heldout_mse`` and ``heldout_mse_refined``, the sums
        of their errors, z-scores squared.
    """
    heldout = arrays["heldout"]
    blocks, block_of_pixel = np.unique(square_blocks(side=BLOCK)[heldout], return_inverse=True)
    errors = {"heldout_mse": arrays["mse"][heldout], "heldout_mse_refined": arrays["mse_refined"]}
    sums = {kind: np.bincount(block_of_pixel, values) for kind, values in errors.items()}
    table = {"block": blocks, "pixels": np.bincount(block_of_pixel)} | sums
    return {name: values.tolist() for name, values in table.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is not complete, store what is, and renew the page.

    Returns
    -------
    int
        Exit code: 0, 1 for failed runs, 2 for a user's error, 130 for Ctrl-C.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    cli.add_results(parser)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS, help="default: all")
    names = (*SEEDS, SHUFFLED)
    parser.add_argument("--datasets", nargs="+", choices=names, default=names, help="default: all")
    options = parser.parse_args(arguments)
    try:
        return _run_and_store(jobs(options.models, options.datasets), options.results)
    except (ReplicationError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(cli.STOPPED, file=sys.stderr)
        return 130


def _run_and_store(listed, results):
    """Run the jobs that are not complete yet, store all that are, and return the exit code."""
    if not listed:
        raise ReplicationError(
            f"--datasets {SHUFFLED}: only {SHUFFLED_MODEL} is fitted to it. Add it to --models."
        )
    cli.set_arithmetic(arithmetic.PINNED)
    cli.check_mxnet(listed)
    sources = resolve("measured")
    _announce(missing(listed, sources, results))
    try:
        failures = run_all(listed, sources, results)
    finally:
        # What is complete is stored after Ctrl-C as well.
        n_stored = store(sources, results)
        if n_stored:
            metrics = Store().metrics()["metrics"]
            page = split_table.render(metrics, split_table.stored_runs())
            write_section(ROOT / PAGE, SECTION, page)
        print(f"Stored: {n_stored} of {len(jobs())} runs, in {RECORD} and {PAGE}.")
    cli.print_failures(failures)
    return 1 if failures else 0


def _announce(waiting):
    """Print how many runs there are to make, and how long they take."""
    metrics = Store().metrics()["metrics"]
    hours = sum(seconds(job, metrics) for job in waiting) / 3600
    print(
        f"{len(waiting)} runs to make: some {hours:.1f} hours of one core, by the stored times of "
        "training.",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
