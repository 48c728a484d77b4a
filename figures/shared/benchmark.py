"""What the figures of a finished benchmark share: its numbers, the look of the whole family, and what is written at the foot."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.ticker import LogLocator, NullFormatter

from figures.shared import all_seeds, style
from replicate.errors import ReplicationError
from replicate.numbers.ablation import tidy
from replicate.numbers.metrics import interval, read_metrics
from replicate.study import jobs as study
from replicate.study import sweeps

RELATIVES = {
    **{
        "ica": "pca",
        "nmf": "pca",
        "sparse_pca": "pca",
        "linear_ae": "pca",
        "lstm_vae_fixed": "lstm_vae",
    },
    **{"dictionary_omp": "dictionary_learning", "dictionary_positive": "dictionary_learning"},
}
COLOURS = {model: style.COLOURS[RELATIVES.get(model, model)] for model in study.MODELS}
MARKERS = dict.fromkeys(study.MODELS, "o") | {
    **{"ica": "s", "nmf": "^", "sparse_pca": "v", "linear_ae": "D", "lstm_vae_fixed": "s"},
    **{"dictionary_omp": "s", "dictionary_positive": "^"},
}
"""Near relatives share a colour and differ in their marker."""


def load(results, profile):
    """Return every number of a finished benchmark, sweeps included, one row each.

    Returns
    -------
    DataFrame
        As `replicate.numbers.ablation.tidy` lays it out; ``model``, ``setting`` and ``value`` repeat what ``fit`` says, the last two being
        empty for the study itself.

    Raises
    ------
    ReplicationError
        If there is no ``metrics.json``, or a file cannot be read.
    """
    folder, command = Path(results) / profile, f"nox -s bench -- --profile {profile}"
    path = folder / "metrics.json"
    if not path.exists():
        raise ReplicationError(
            f"{path}: missing, so there are no numbers to draw. Make it with `{command}`."
        )
    numbers = tidy(read_metrics(path)["metrics"], _read_sweeps(folder / "sweeps.csv", command))
    parts = numbers["fit"].str.extract(r"^(?P<model>[^/]+)/?(?P<setting>[^=]*)=?(?P<value>.*)$")
    return numbers.join(parts.assign(value=pd.to_numeric(parts["value"])))


def _read_sweeps(path, command):
    """Return the rows of sweeps.csv, or None where there were no sweeps."""
    if not path.exists():
        return None
    try:
        return pd.read_csv(path)[list(sweeps.COLUMNS)].astype(
            {"seed": int, "value": float, "number": float}
        )
    except (ValueError, KeyError, OSError) as error:
        raise ReplicationError(
            f"{path}: not a table of sweeps ({error}). Make it again with `{command}`."
        ) from error


def require(rows, results, profile, what):
    """Return rows as they are.

    Raises
    ------
    ReplicationError
        If there are none.
    """
    if len(rows) == 0:
        path = Path(results) / profile / "metrics.json"
        raise ReplicationError(
            f"{path}: {what} missing, so there is nothing to draw. Run `nox -s bench -- --profile {profile}`."
        )
    return rows


def label_decades(axis):
    """Write plain numbers at the ticks of a logarithmic axis: of each decade the first, and where there are few decades also 2 and 5."""
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 50 else (1,)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def interval_of(values):
    """Return the mean of values over seeds and the ends of its 95 % t-interval, both the mean itself for one seed."""
    return values.mean(), *(interval(values) or [values.mean()] * 2)


def finish(fig, drawn, profile, note, models=study.MODELS):
    """Write under a figure its note and what it is made from, and above it which of the models are not there.

    Parameters
    ----------
    fig : Figure
    drawn : DataFrame
        Rows of what `load` returns.
    profile, note : str
    models : collection of str
    """
    expected = [
        (model, dataset)
        for dataset in drawn["dataset"].unique()
        for model in study.FAMILY_STUDY[dataset]
        if model in models
    ]
    all_seeds.name_absent(fig, expected, set(zip(drawn["fit"], drawn["dataset"])))
    style.note(fig, note)
    style.stamp(fig, dict.fromkeys(drawn["provenance"]), profile, seeds(drawn))


def seeds(rows):
    """Return the seeds of rows, as text."""
    return ", ".join(map(str, sorted(rows["seed"].unique())))
