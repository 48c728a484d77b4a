"""Loading and labelling for the figures that draw every seed of the paper's study."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from figures.shared import style
from replicate.errors import ReplicationError
from replicate.running import scan_results
from replicate.running.runs import Run
from replicate.study.family import LABELS
from replicate.study.studies import PAPER, own_models_in, study_in

#: The models of the paper's study; the rest of the family has figures that are drawn from numbers.
PAPER_MODELS = PAPER.models["beps"]


def datasets(results: Path, profile: str) -> tuple[str, ...]:
    """Return the data sets of the study whose runs lie in a results folder."""
    return tuple(study_in(Path(results) / profile).models)


def load(results: Path, profile: str, dataset: str) -> dict[str, list[Run]]:
    """Return the complete runs of each model, in the order of their seeds.

    Returns
    -------
    dict of str to list of Run
        By model; a model without a complete run is left out.

    Raises
    ------
    ReplicationError
        If there are none, or they were made on different data.
    """
    folder = results / profile / dataset
    loaded = {}
    for model in (*PAPER_MODELS, *own_models_in(results / profile)):
        runs = [Run(path) for path in folder.glob(f"{model}/seed*")]
        complete = [run for run in runs if run.status == "complete"]
        if complete:
            loaded[model] = sorted(complete, key=lambda run: run.record["seed"])
    if not loaded:
        raise ReplicationError(
            f"{folder}: no complete run here, all are missing. "
            f"{scan_results.advice(results, profile, (dataset,))}"
        )
    provenances = {
        " and ".join(record["provenance"].values()) for record in records({dataset: loaded})
    }
    if len(provenances) > 1:
        raise ReplicationError(
            f"{folder}: runs on different data ({'; '.join(sorted(provenances))}). "
            "Make them again on one."
        )
    return loaded


def records(loaded: dict[str, dict[str, list[Run]]]) -> list[dict]:
    """Return the record of every run; runs are given by data set and model."""
    return [run.record for models in loaded.values() for runs in models.values() for run in runs]


def count_seeds(runs: Sequence[Run]) -> str:
    """Return how many seeds there are, as text."""
    if len(runs) > 1:
        return f"{len(runs)} seeds"
    return f"{len(runs)} seed"


def finish(
    fig: Figure,
    loaded: dict[str, dict[str, list[Run]]],
    profile: str,
    note: str,
    roles: Sequence[str] = ("spectra",),
) -> None:
    """Write under a figure its note and its stamp, and above it which models have no runs.

    Parameters
    ----------
    fig : Figure
    loaded : dict of str to dict
        The runs of each data set, as `load` returns them.
    profile, note : str
    roles : sequence of str
        Which data of the runs are drawn: ``spectra``, ``picture``.
    """
    expected = [(job.model, job.dataset) for job in PAPER.jobs(profile) if job.dataset in loaded]
    drawn = [(model, dataset) for dataset, models in loaded.items() for model in models]
    name_absent(fig, expected, drawn)
    style.note(fig, note)
    provenances = {}
    seeds = set()
    for record in records(loaded):
        provenances.update((record["provenance"][role], None) for role in roles)
        seeds.add(record["seed"])
    style.stamp(fig, provenances, profile, ", ".join(map(str, sorted(seeds))))


def name_absent(
    fig: Figure,
    expected: Iterable[tuple[str, str]],
    drawn: Collection[tuple[str, str]],
) -> None:
    """Write above a figure which of the expected pairs of model and data set are not drawn."""
    absent = {}
    for model, dataset in expected:
        if (model, dataset) not in drawn:
            absent.setdefault(LABELS[model], []).append(dataset)
    if absent:
        missing = "; ".join(f"{label} on {', '.join(names)}" for label, names in absent.items())
        fig.suptitle(textwrap.fill(f"Not run: {missing}", 110))
