"""Do the differences hold on pixels that are farther away? Other splits of the scan.

``nox -s splits``, or ``python -m benchmarks.splits`` where the package is installed. The standard
split leaves out blocks of 6 x 6 pixels, most of whose pixels have a neighbour that was fitted to.
Here models are fitted and scored on blocks of 12 x 12 pixels with a gap of 2 pixels around them
(five folds of each of two splits), on stripes of 12 rows, with shuffled steps and with aligned
channels; and the sweeps over latents and over few spectra are run on all folds. Runs are
pinned. Runs that are stored already are left out, unless ``--again`` is given, and an interrupted
command goes on where it was. What comes out goes into ``benchmarks/stored`` and docs/splits.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import sums
from benchmarks.derived import fold_interval
from benchmarks.paired import CODES, block_interval, changes_by_fold
from benchmarks.sections import write_section
from benchmarks.store import BLOCK_COLUMNS, BLOCK_KEYS, PROFILE, ROOT, Store, block_rows
from replicate import arithmetic, cli, locks, seals
from replicate.commands import command, parser_of
from replicate.data.sources import resolve
from replicate.errors import ReplicationError
from replicate.files import write_text
from replicate.numbers.metrics import summarise
from replicate.provenance import PAPER_DATA
from replicate.running.pipeline import run_all
from replicate.running.runs import Run
from replicate.study import sweeps
from replicate.study.family import LABELS, LONGEST_FIRST
from replicate.study.job import Job

#: Linear models, which take seconds.
LINEAR = ("pca", "sparse_pca", "nmf", "dictionary_learning")

#: Networks that are fitted on every split.
NETWORKS = ("dense_ae", "lstm_vae", "linear_ae", "dense_vae")

#: Folds of one split.
FOLDS = range(5)

#: Columns of the page's tables: data set and seeds of each split, and its name.
SPLITS = {
    "beps_heldout": "6 px",
    "beps_buffered": "12 px, gap",
    "beps_stripes": "stripes",
}

RECORD = ROOT / "benchmarks" / "stored" / "splits.json"
PAGE = "docs/splits.md"

#: Name of the generated section of the page.
SECTION = "splits"


def jobs() -> list[Job]:
    """List the runs, those first that say most."""
    return [
        *_runs("beps_buffered", LINEAR, range(10)),
        *_runs("beps_stripes", LINEAR, FOLDS),
        *_runs("beps_buffered", NETWORKS[:2], FOLDS),
        *_runs("beps_shuffled", ("lstm_vae_plain",), FOLDS),
        *_runs("beps_stripes", NETWORKS[:2], FOLDS),
        *_runs("beps_buffered", NETWORKS[:2], range(5, 10)),
        *_runs("beps_buffered", NETWORKS[2:], FOLDS),
        *_runs("beps_aligned", ("lstm_vae",), FOLDS),
        *_sweeps(),
        *_runs("beps_buffered", ("lstm_vae_plain",), FOLDS),
        *_runs("beps_stripes", ("dense_vae", "lstm_vae_plain"), FOLDS),
    ]


def _runs(dataset, models, seeds):
    return [Job(PROFILE, dataset, model, seed) for model in models for seed in seeds]


def _sweeps():
    """List the runs of sweeps over few spectra and over latents that are on more than one fold."""
    wanted = [
        job
        for sweep in sweeps.SWEEPS
        if sweep.name in ("fewer spectra", "rate-distortion") and sweep.n_seeds == len(FOLDS)
        for job in sweep.jobs(PROFILE)
        if job.seed > 0
    ]
    return sorted(dict.fromkeys(wanted), key=lambda job: -LONGEST_FIRST.index(job.model))


def stored_runs(path: Path = RECORD) -> list[dict]:
    """Return what is stored of every run, none where nothing is stored."""
    return seals.read(path)["runs"] if path.exists() else []


def missing(listed: Iterable[Job], path: Path = RECORD, store: Store | None = None) -> list[Job]:
    """Return those of some jobs of which nothing is stored yet.

    Parameters
    ----------
    listed : iterable of Job
    path : Path
        What is stored.
    store : Store, optional
        The one of the repository by default: it has the table of the sweeps.
    """
    there = {_job(entry) for entry in stored_runs(path)} | _swept((store or Store()).sweeps())
    return [job for job in listed if job not in there]


def _swept(table):
    """Return the jobs of a table of sweeps."""
    columns = ["dataset", "model", "seed", "setting", "value"]
    return {
        Job(PROFILE, dataset, model, seed, f"{setting}={value:g}")
        for dataset, model, seed, setting, value in table[columns].drop_duplicates().to_numpy()
    }


def with_splits(document: dict, path: Path = RECORD) -> dict:
    """Return a metrics document with the numbers of the other splits added.

    Parameters
    ----------
    document : dict
        As read from metrics.json.
    path : Path
        What is stored.
    """
    added = summarise(stored_runs(path))
    return document | {"metrics": document["metrics"] | added}


def block_table(runs: Iterable[dict]) -> pd.DataFrame:
    """Return the errors of stored runs by blocks, as `benchmarks.store.block_rows` makes them."""
    rows = [
        (run["dataset"], run["model"], run["seed"], *block)
        for run in runs
        for block in run["blocks"]
    ]
    columns = [*BLOCK_KEYS, *BLOCK_COLUMNS]
    return pd.DataFrame(rows, columns=columns).set_index(BLOCK_KEYS)


def store(results: Path, path: Path = RECORD, store: Store | None = None) -> list[Job]:
    """Store every finished run, beside those stored before, and return the jobs of these runs.

    Parameters
    ----------
    results : Path
        Folder of the runs.
    path : Path
        Where they are stored. Numbers of sweeps go into the table of the sweeps.
    store : Store, optional
        The one of the repository by default.

    Raises
    ------
    ReplicationError
        If a run is not on the paper's data.
    """
    runs = {job: Run.of(results, job) for job in jobs()}
    finished = {job: run for job, run in runs.items() if run.status == "complete"}
    for run in finished.values():
        if not set(run.record["provenance"].values()) <= set(PAPER_DATA):
            raise ReplicationError(
                f"{run.folder}: its data are not the paper's. Add `--data measured` and run again."
            )
    new = {job: _entry(job, run) for job, run in finished.items() if not job.variant}
    entries = {_job(entry): entry for entry in stored_runs(path)} | new
    ordered = [entries[job] for job in jobs() if job in entries]
    if ordered:
        seals.write(path, {"runs": ordered})
    swept = {job: run.record for job, run in finished.items() if job.variant}
    if swept:
        _store_sweeps(store or Store(), sweeps.table(swept))
    return list(finished)


def _entry(job, run):
    """Return what is stored of a run."""
    blocks = block_rows(job, run.arrays).reset_index()[["block", *BLOCK_COLUMNS]]
    kept = ("profile", "dataset", "model", "seed", "key", "provenance", "machine", "metrics")
    return {name: run.record[name] for name in kept} | {
        "blocks": [
            [int(block), int(n), float(f"{error:.9g}"), float(f"{refined:.9g}")]
            for block, n, error, refined in blocks.itertuples(index=False)
        ]
    }


def _job(entry):
    return Job(*(entry[name] for name in ("profile", "dataset", "model", "seed")))


def _store_sweeps(store, new):
    """Put the rows of a table of sweeps in the place of the stored rows of the same runs."""
    keys = list(sweeps.COLUMNS[:6])
    old = store.sweeps()
    is_new = pd.MultiIndex.from_frame(old[keys]).isin(pd.MultiIndex.from_frame(new[keys]))
    table = pd.concat([old[~is_new], new])
    write_text(store.sweeps_path, table.to_csv(index=False))


def section(runs: list[dict], document: dict, blocks: pd.DataFrame) -> str:
    """Return the tables of the page in Markdown.

    Parameters
    ----------
    runs : list of dict
        As `stored_runs` returns them.
    document : dict
        The stored metrics.
    blocks : DataFrame
        The stored errors by blocks.
    """
    metrics = document["metrics"] | summarise(runs)
    blocks = pd.concat([blocks, block_table(runs)])
    models = [model for model in reversed(LONGEST_FIRST) if _is_split(model, metrics)]
    parts = [_errors(models, metrics, code) for code in CODES]
    parts += [_differences(models, metrics, blocks, code) for code in CODES]
    machine = runs[0]["machine"]
    parts += [
        f"Runs on the larger splits: arithmetic {machine['arithmetic']}, {machine['processor']}. "
        "The numbers on blocks of 6 pixels are those of the stored benchmark."
    ]
    return "\n\n".join(parts)


def _is_split(model, metrics):
    return f"beps_buffered.{model}.heldout_mse" in metrics


def _errors(models, metrics, code):
    """Return the table of held-out errors by one code."""
    name, kind = CODES[code]
    lines = [
        f"| held-out error, {name} | {' | '.join(SPLITS.values())} |",
        f"| --- |{' ---: |' * len(SPLITS)}",
    ]
    for model in models:
        cells = [_error(metrics.get(f"{dataset}.{model}.{kind}")) for dataset in SPLITS]
        lines.append(f"| {LABELS[model]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _error(entry):
    return f"{entry['value']:.4f} ({len(entry['values'])})" if entry else "–"


def _differences(models, metrics, blocks, code):
    """Return the table of the changes against PCA by one code."""
    name, kind = CODES[code]
    lines = [
        f"| against PCA, {name} | {' | '.join(SPLITS.values())} |",
        f"| --- |{' --- |' * len(SPLITS)}",
    ]
    for model in models:
        if model != "pca":
            cells = [_change(dataset, model, kind, code, metrics, blocks) for dataset in SPLITS]
            lines.append(f"| {LABELS[model]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _change(dataset, model, kind, code, metrics, blocks):
    """Return the change of an error against PCA, with its intervals over folds and blocks."""
    changes = changes_by_fold(metrics, f"{dataset}.{model}.{kind}", f"{dataset}.pca.{kind}")
    if len(changes) < 2:
        return "–"
    over_folds = fold_interval(changes, min(len(changes), len(FOLDS)))
    ends = (*over_folds, *block_interval(blocks, model, "pca", code, dataset))
    return "{:+.0%} [{:+.0%} to {:+.0%}; {:+.0%} to {:+.0%}]".format(np.mean(changes), *ends)


@command()
def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is not complete yet, store, renew the page, and return the exit code."""
    parser = parser_of(__doc__)
    cli.add_results(parser)
    parser.add_argument(
        "--only",
        nargs="+",
        default=(),
        metavar="NAME",
        help="keep these data sets and models only",
    )
    parser.add_argument(
        "--again",
        action="store_true",
        help="also run what is stored already",
    )
    parser.add_argument(
        "--store",
        action="store_true",
        help="run nothing: store what is complete",
    )
    options = parser.parse_args(arguments)
    arithmetic.restart_if_late()
    failures = [] if options.store else _run(options)
    finished = store(options.results)
    print(f"Stored: {len(finished)} of {len(jobs())} runs.")
    if stored_runs():
        text = section(stored_runs(), Store().metrics(), Store().block_table())
        write_section(ROOT / PAGE, SECTION, text)
    sums.write()
    return 1 if failures else 0


def _run(options):
    """Run the jobs that are not complete yet, and return those that failed."""
    listed = [job for job in jobs() if job.is_wanted(options.only)]
    wanted = listed if options.again else missing(listed)
    cli.check_mxnet(wanted)
    print(f"{len(listed) - len(wanted)} of {len(listed)} runs are stored already.")
    print(f"{len(wanted)} to do: {_counted(wanted)}. All {len(jobs())} take some five hours.")
    with locks.held(options.results / PROFILE):
        failures = run_all(wanted, resolve("measured"), options.results)
    cli.print_failures(failures)
    return failures


def _counted(wanted):
    """Return how many runs there are on each data set, in words."""
    datasets = sorted(job.dataset for job in wanted)
    return ", ".join(f"{len(list(group))} {name}" for name, group in groupby(datasets))


if __name__ == "__main__":
    sys.exit(main())
