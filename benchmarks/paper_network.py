"""The paper's own network: five million weights, trained here, and kept in half precision.

``nox -s fullsize``, or ``python -m benchmarks.paper_network`` where the package is installed.
It trains `lstm_vae_paper`, the paper's layers at their size with a schedule of tens of epochs, on
the toy problem, on the whole scan and held out, in about an hour each. With ``--exact`` it trains
the first 50 epochs of the paper's exact setting instead: rate 3e-5, batches of 300, beta 0. An
interrupted training goes on from its last epoch. What comes out is written into
``benchmarks/stored/paper_network`` and docs/paper-network.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from benchmarks import sums
from benchmarks.sections import write_section
from benchmarks.store import PROFILE, ROOT, SOURCES
from replicate import arithmetic, cli, locks, seals
from replicate.analysis.residuals import per_spectrum_mse
from replicate.commands import command, parser_of
from replicate.data.sources import resolve
from replicate.errors import ReplicationError
from replicate.files import (
    file_hash,
    listing,
    read_json,
    read_npz,
    write_json,
    write_npz,
    write_text,
)
from replicate.numbers.metrics import summarise
from replicate.provenance import PAPER_DATA
from replicate.reference.restore import restore
from replicate.running import machine
from replicate.running.estimate import fit_sizes
from replicate.running.execute import configuration
from replicate.running.pipeline import run_all
from replicate.running.runs import Run
from replicate.study import family
from replicate.study.job import Job, describe
from replicate.study.studies import CONFIG_SCHEMA
from replicate.tasks import load_task

MODEL = "lstm_vae_paper"
DATASETS = ("toy", "beps", "beps_heldout")
SEED = 0

#: What the data sets are called in the table.
NAMES = {"toy": "toy problem", "beps": "whole scan", "beps_heldout": "scan, held out"}

#: Epochs of the paper's exact setting that are trained.
EXACT_EPOCHS = 50

#: The training in the paper's exact setting.
EXACT_JOB = Job("paper", "beps", "lstm_vae", SEED)

#: So many spectra of each data set are reconstructed again by `verify`, evenly spaced.
N_VERIFIED = 50

#: How far their mean error may be off, relative: sums in single precision in another order.
TOLERANCE = 1e-4

FOLDER = ROOT / "benchmarks" / "stored" / "paper_network"
PAGE = "docs/paper-network.md"
SECTION = "paper-network"

#: Columns of a history that are kept.
COLUMNS = ("epoch", "phase", "beta", "learning_rate", "mse", "kl", "active_channels", "seconds")

#: Epochs at the end over which a training must hardly get better, as a share of all.
LAST_SHARE = 0.1


def jobs() -> list[Job]:
    """List the trainings, the longest last."""
    return [Job(PROFILE, dataset, MODEL, SEED) for dataset in DATASETS]


def record_path(folder: Path = FOLDER) -> Path:
    """Return the path of what is stored beside the weights."""
    return folder / "record.json"


def with_paper_network(document: dict, folder: Path = FOLDER) -> dict:
    """Return a metrics document with the numbers of the stored networks added, for the ledger.

    Parameters
    ----------
    document : dict
        As read from metrics.json.
    folder : Path
        Where the networks are stored; nothing is added where none is.
    """
    runs = stored_runs(folder)
    added = summarise(runs) if runs else {}
    return document | {"metrics": document["metrics"] | added}


def store(results: Path, folder: Path = FOLDER) -> list[str]:
    """Store every finished training, its weights in half precision, beside those stored before.

    Parameters
    ----------
    results : Path
        Folder of the runs.
    folder : Path
        Where they are stored.

    Returns
    -------
    list of str
        The data sets whose training is stored.

    Raises
    ------
    ReplicationError
        If a run is not on the paper's data.
    """
    finished = {job: run for job in jobs() if (run := Run.of(results, job)).status == "complete"}
    new = {job: _store_run(job, run, folder) for job, run in finished.items()}
    if new:
        entries = {_job(entry): entry for entry in stored_runs(folder)} | new
        runs = [entries[job] for job in jobs() if job in entries]
        seals.write(record_path(folder), {"runs": runs})
    return [job.dataset for job in finished]


def stored_runs(folder: Path = FOLDER) -> list[dict]:
    """Return the entries of the record, none where nothing is stored."""
    path = record_path(folder)
    return seals.read(path)["runs"] if path.exists() else []


def _store_run(job, run, folder):
    """Store the weights and the history of a run, and return its entry in the record."""
    record = run.record
    if not set(record["provenance"].values()) <= set(PAPER_DATA):
        raise ReplicationError(
            f"{run.folder}: its data are not the paper's. Add `--data measured` and run again."
        )
    arrays = read_npz(run.folder / "weights.npz")
    half = {name: array.astype(np.float16) for name, array in arrays.items()}
    half["in_use"] = run.arrays["channel_kl"] != 0
    write_npz(_weights_path(job, folder), **half)
    history = pd.read_csv(run.folder / "history.csv")[list(COLUMNS)]
    write_text(_history_path(job, folder), history.to_csv(index=False, float_format="%.6g"))
    task = _task(job)
    spectra = _scored_spectra(job, task)
    errors = _errors(job, half, task, spectra)
    sample = _sample(len(spectra))
    return record | {
        "parameters": read_json(run.folder / "config.json", CONFIG_SCHEMA)["parameters"],
        "weights_sha256": file_hash(_weights_path(job, folder)),
        "error": float(_trained_errors(job, run, task).mean()),
        "error_in_half_precision": float(errors.mean()),
        "verified_error": float(errors[sample].mean()),
    }


def _job(entry):
    """Return the job of an entry of the record."""
    return Job(*(entry[name] for name in ("profile", "dataset", "model", "seed")))


def _weights_path(job, folder):
    return folder / f"{job.dataset}.npz"


def _history_path(job, folder):
    return folder / f"{job.dataset}.csv"


def _task(job):
    """Return the task of a job on the paper's data."""
    return load_task(configuration(job, SOURCES))


def _scored_spectra(job, task):
    """Return the spectra that a model is scored on: fresh colours, all pixels or those left out."""
    if job.domain == "toy":
        return task.data.gamut
    return task.spectra[task.heldout] if job.dataset == "beps_heldout" else task.train


def _trained_errors(job, run, task):
    """Return the error of each of these spectra as the run found it."""
    if job.domain == "toy":
        return run.arrays["gamut_mse"]
    errors = run.arrays["mse"]
    return errors[task.heldout] if job.dataset == "beps_heldout" else errors


def _errors(job, arrays, task, spectra):
    """Return the error of each spectrum by the network in NumPy with these weights."""
    model = restore(job, dict(arrays), task.train)
    return per_spectrum_mse(spectra, model.inverse_transform(model.transform(spectra)))


def _sample(n_spectra):
    """Return the spectra that are verified, evenly spaced."""
    return np.linspace(0, n_spectra - 1, N_VERIFIED).astype(int)


def checks(folder: Path = FOLDER) -> Iterator[tuple[str, bool, str]]:
    """Yield a check of each stored network: its hash, and its error on some spectra.

    Yields
    ------
    name : str
    holds : bool
    detail : str
        What was compared.
    """
    for entry in stored_runs(folder):
        job = _job(entry)
        path = _weights_path(job, folder)
        is_same = path.exists() and file_hash(path) == entry["weights_sha256"]
        yield f"weights paper_network/{path.name}", is_same, f"sha256 {entry['weights_sha256']}"
        if is_same:
            stored, computed = entry["verified_error"], _verified_error(job, path)
            holds = abs(computed - stored) <= TOLERANCE * stored
            detail = f"stored {stored:.6g}, computed {computed:.6g} on {N_VERIFIED} spectra"
            yield f"{job.dataset}.{job.model} error", holds, detail


def _verified_error(job, path):
    """Return the mean error of the verified spectra by stored weights."""
    task = _task(job)
    spectra = _scored_spectra(job, task)
    return float(_errors(job, read_npz(path), task, spectra[_sample(len(spectra))]).mean())


def train_exact(results: Path, folder: Path = FOLDER) -> None:
    """Train the first epochs of the paper's exact setting on the whole scan, and store the curve.

    Parameters
    ----------
    results : Path
        Folder that the training in progress is kept in.
    folder : Path
        Where the curve is stored.
    """
    model = family.build(EXACT_JOB)
    # All of them belong to the warm-up. One epoch follows, at the first beta, and is left out.
    schedule = replace(model.schedule, warmup_epochs=EXACT_EPOCHS, step_epochs=1, max_steps=1)
    model.set_params(schedule=schedule)
    checkpoint = Path(results) / "paper" / "exact_setting" / "checkpoint.npz"
    with tqdm(total=EXACT_EPOCHS + 1, unit="epoch", disable=None) as bar:

        def on_epoch(row):
            bar.n = row["epoch"] + 1
            bar.set_postfix_str(f"mse {row['mse']:.4f}")

        model.fit(_task(EXACT_JOB).train, checkpoint=checkpoint, on_epoch=on_epoch)
    history = pd.DataFrame(model.history_[:EXACT_EPOCHS])[list(COLUMNS)]
    write_text(folder / "exact_setting.csv", history.to_csv(index=False, float_format="%.6g"))
    record = {
        "parameters": describe(EXACT_JOB)["parameters"],
        "machine": machine.hardware() | {"arithmetic": arithmetic.described()},
        "versions": machine.versions(),
        "git_commit": machine.git_commit(),
        "peak_memory_mib": machine.peak_memory_mib(),
    }
    write_json(folder / "exact_setting.json", record)


def table(folder: Path = FOLDER) -> str:
    """Return what is stored as a table in Markdown.

    Raises
    ------
    ReplicationError
        If nothing is stored.
    """
    lines = [
        "| data | training error | held-out error | with the best code | active channels | β "
        "| epochs | updates | last tenth | training, h | memory, GiB | in half precision |",
        "| --- |" + " ---: |" * 11,
    ]
    entries = read_json(record_path(folder), listing("runs"))["runs"]
    lines += [_row(entry, folder) for entry in entries]
    arithmetics = ", ".join(map(_arithmetic, entries))
    lines += [
        "",
        f"One seed each, one thread. Arithmetic: {arithmetics}. Errors are mean "
        "squared errors in z-scores. *Held-out*: fresh colours, or the blocks of fold 0. *Last "
        "tenth*: how much the training error fell over the last tenth of the epochs. *In half "
        "precision*: by how much the error of the stored weights differs from that of the trained "
        "ones.",
    ]
    return "\n".join(lines)


def _arithmetic(entry):
    """Return the arithmetic of a stored run in words."""
    return f"{NAMES[_job(entry).dataset]} ({entry['machine']['arithmetic']})"


def _row(entry, folder):
    """Return the row of a stored run."""
    metrics, selected = entry["metrics"], entry["selected"]
    job = _job(entry)
    history = pd.read_csv(_history_path(job, folder))
    kind = {"toy": "gamut_mse", "beps_heldout": "heldout_mse"}.get(job.dataset)
    cells = [
        NAMES[job.dataset],
        f"{metrics['mse']:.4f}",
        f"{metrics[kind]:.4f}" if kind else "",
        f"{metrics[f'{kind}_refined']:.4f}" if kind else "",
        f"{selected['active_channels']} ({selected['how']})",
        f"{selected['beta']:.3f}",
        f"{len(history)}",
        f"{len(history) * (fit_sizes(job)[0] // entry['parameters']['batch_size'])}",
        f"{last_change(history['mse']):.1%}",
        f"{metrics['fit_seconds'] / 3600:.1f}",
        f"{metrics['peak_memory_mib'] / 1024:.1f}",
        f"{entry['error_in_half_precision'] / entry['error'] - 1:+.1%}",
    ]
    return f"| {' | '.join(cells)} |"


def last_change(errors: Sequence[float]) -> float:
    """Return by which share the training error fell over the last tenth of the epochs.

    Parameters
    ----------
    errors : sequence of float
        The training error of each epoch.
    """
    before = errors[len(errors) - 1 - max(1, round(LAST_SHARE * len(errors)))]
    return 1 - errors[len(errors) - 1] / before


@command()
def main(arguments: Sequence[str] | None = None) -> int:
    """Train, store, and renew the page.

    Returns
    -------
    int
        Exit code: 0, 1 for failed runs, 2 for a user's error, 130 for Ctrl-C.
    """
    parser = parser_of(__doc__)
    cli.add_results(parser)
    parser.add_argument(
        "--exact",
        action="store_true",
        help=f"the first {EXACT_EPOCHS} epochs of the paper's exact setting: two hours",
    )
    options = parser.parse_args(arguments)
    # Pinned to AVX2 a network of this size takes twice the time on a processor with AVX-512.
    arithmetic.choose(arithmetic.NATIVE)
    arithmetic.restart_if_late()
    if options.exact:
        train_exact(options.results)
        return 0
    return _train_and_store(options.results)


def _train_and_store(results):
    """Run the trainings that are not complete yet, store all that are, and return the exit code."""
    cli.check_mxnet(jobs())
    with locks.held(results / PROFILE):
        failures = run_all(jobs(), resolve("measured"), results)
    cli.print_failures(failures)
    stored = store(results)
    print(f"Stored: {', '.join(stored) or 'nothing'}.")
    if stored:
        write_section(ROOT / PAGE, SECTION, table())
        sums.write()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
