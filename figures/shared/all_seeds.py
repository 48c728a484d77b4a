"""What the figures of every seed share: loading all complete runs of a data set, and saying how many there are."""

from __future__ import annotations

import textwrap
from pathlib import Path

from figures.shared import style
from replicate.data import sources
from replicate.errors import ReplicationError
from replicate.running.runs import Run
from replicate.study import jobs as study
from replicate.study.family import LABELS

MODELS = study.PAPER_STUDY["beps"]
"""Of the paper's study; the rest of the family has figures of its own."""


def datasets(results, profile):
    """Return the data sets of the paper's study; of a scan of the user's own, those that are fitted to a scan."""
    return study.OF_SCAN if sources.has_own(Path(results) / profile) else tuple(study.PAPER_STUDY)


def load(results, profile, dataset):
    """Return the complete runs of each model that has some, by name, in the order of their seeds.

    Raises
    ------
    ReplicationError
        If there are none, or they were made on different data.
    """
    folder = Path(results) / profile / dataset
    loaded = {
        model: [run for run in map(Run, folder.glob(f"{model}/seed*")) if run.status == "complete"]
        for model in MODELS
    }
    loaded = {
        model: sorted(runs, key=lambda run: run.record["seed"])
        for model, runs in loaded.items()
        if runs
    }
    if not loaded:
        command = f"nox -s replicate -- --profile {profile} --only {dataset}"
        raise ReplicationError(
            f"{folder}: no complete run here, all are missing. Make them with `{command}`."
        )
    provenances = {
        " and ".join(record["provenance"].values()) for record in records({dataset: loaded})
    }
    if len(provenances) > 1:
        raise ReplicationError(
            f"{folder}: runs on different data ({'; '.join(sorted(provenances))}). Make them again on one."
        )
    return loaded


def records(loaded):
    """Return the record of every run, given as `load` returns them, by data set."""
    return [run.record for models in loaded.values() for runs in models.values() for run in runs]


def count(runs):
    """Return how many seeds there are, as text."""
    return f"{len(runs)} seed{'s' if len(runs) > 1 else ''}"


def finish(fig, loaded, profile, note, roles=("spectra",)):
    """Write under a figure its note and what it is made from, and above it which models have no runs.

    Parameters
    ----------
    fig : Figure
    loaded : dict of str to dict
        Runs as `load` returns them, by data set.
    profile, note : str
    roles : sequence of str
        Which of the data behind the runs are drawn: ``spectra``, ``picture``.
    """
    expected = [(job.model, job.dataset) for job in study.jobs(profile) if job.dataset in loaded]
    name_absent(
        fig, expected, {(model, dataset) for dataset, models in loaded.items() for model in models}
    )
    style.note(fig, note)
    drawn = records(loaded)
    provenances = dict.fromkeys(record["provenance"][role] for record in drawn for role in roles)
    style.stamp(
        fig, provenances, profile, ", ".join(map(str, sorted({record["seed"] for record in drawn})))
    )


def name_absent(fig, expected, there):
    """Write above a figure which of the expected pairs of model and data set are not there."""
    absent = {}
    for model, dataset in expected:
        if (model, dataset) not in there:
            absent.setdefault(LABELS[model], []).append(dataset)
    if absent:
        missing = "; ".join(
            f"{model} on {', '.join(datasets)}" for model, datasets in absent.items()
        )
        fig.suptitle(textwrap.fill(f"Not run: {missing}", 110))
