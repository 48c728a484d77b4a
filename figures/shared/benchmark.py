"""Numbers, looks and labels for the figures that are drawn from a finished benchmark."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from figures.shared import all_seeds, style
from replicate.errors import ReplicationError
from replicate.numbers.ablation import tidy
from replicate.numbers.metrics import interval, read_metrics
from replicate.study import sweeps
from replicate.study.family import MODELS
from replicate.study.studies import FAMILY

#: A model without a colour of its own has that of its relative here, and another marker.
RELATIVES = {
    "ica": "pca",
    "nmf": "pca",
    "sparse_pca": "pca",
    "linear_ae": "pca",
    "dictionary_omp": "dictionary_learning",
    "dictionary_positive": "dictionary_learning",
    "lstm_vae_fixed": "lstm_vae",
}

#: Every model of the family has a colour, which it may share with its relative.
FAMILY_COLOURS = {model: style.MODEL_COLOURS[RELATIVES.get(model, model)] for model in MODELS}

#: Every model of the family has a marker, in which it differs from its relatives.
FAMILY_MARKERS = {
    "pca": "o",
    "ica": "s",
    "nmf": "^",
    "sparse_pca": "v",
    "dictionary_learning": "o",
    "dictionary_omp": "s",
    "dictionary_positive": "^",
    "linear_ae": "D",
    "dense_ae": "o",
    "dense_vae": "o",
    "conv_vae": "o",
    "lstm_ae": "o",
    "lstm_vae_fixed": "s",
    "lstm_vae_plain": "o",
    "lstm_vae_paper": "h",
    "lstm_vae": "o",
}

#: An axis that spans less than this factor has ticks at 1, 2 and 5 of each decade.
FEW_DECADES = 50


def load(results: Path, profile: str) -> pd.DataFrame:
    """Return every number of a finished benchmark, sweeps included, one row each.

    Returns
    -------
    DataFrame
        The columns of `replicate.numbers.ablation.tidy`, and three that repeat what its ``fit``
        says: ``model``, ``setting`` (empty for the study itself) and ``value`` (NaN for the study
        itself).

    Raises
    ------
    ReplicationError
        If there is no ``metrics.json``, or a file cannot be read.
    """
    folder = results / profile
    command = f"nox -s bench -- --profile {profile}"
    path = folder / "metrics.json"
    if not path.exists():
        raise ReplicationError(
            f"{path}: missing, so there are no numbers to draw. Make it with `{command}`."
        )
    numbers = tidy(read_metrics(path)["metrics"], _read_sweeps(folder / "sweeps.csv", command))
    parts = numbers["fit"].str.extract(r"^(?P<model>[^/]+)/?(?P<setting>[^=]*)=?(?P<value>.*)$")
    return numbers.join(parts.assign(value=pd.to_numeric(parts["value"])))


def _read_sweeps(path: Path, command: str) -> pd.DataFrame | None:
    """Return the rows of sweeps.csv, or None where there were no sweeps."""
    if not path.exists():
        return None
    try:
        table = pd.read_csv(path)[list(sweeps.COLUMNS)]
        return table.astype({"seed": int, "value": float, "number": float})
    except (ValueError, KeyError, OSError) as error:
        raise ReplicationError(
            f"{path}: not a table of sweeps ({error}). Make it again with `{command}`."
        ) from error


def require(rows: pd.DataFrame, results: Path, profile: str, needed: str) -> pd.DataFrame:
    """Return rows as they are, if there are any.

    Parameters
    ----------
    rows : DataFrame
    results : Path
    profile : str
    needed : str
        The numbers that a figure needs, with their verb: ``errors on held-out data are``.

    Raises
    ------
    ReplicationError
        If there are no rows.
    """
    if len(rows) == 0:
        raise ReplicationError(
            f"{results / profile / 'metrics.json'}: {needed} missing, so there is nothing to draw. "
            f"Run `nox -s bench -- --profile {profile}`."
        )
    return rows


def label_decades(axis: Axis) -> None:
    """Write plain numbers at the ticks of a logarithmic axis.

    Each decade has a tick at its beginning, and one at 2 and one at 5 where there are few decades.
    """
    low, high = axis.get_view_interval()
    subdivisions = (1, 2, 5) if high / low < FEW_DECADES else (1,)
    axis.set_major_locator(LogLocator(subs=subdivisions))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def mean_and_interval(values: np.ndarray | pd.Series) -> tuple[float, float, float]:
    """Return the mean of values over seeds and the two ends of its 95 % t-interval.

    Both ends are the mean itself where there is one seed only.
    """
    mean = values.mean()
    low, high = interval(values) or (mean, mean)
    return mean, low, high


def finish(
    fig: Figure,
    drawn: pd.DataFrame,
    profile: str,
    note: str,
    models: Collection[str] = MODELS,
) -> None:
    """Write under a figure its note and its stamp, and above it which of the models have no runs.

    Parameters
    ----------
    fig : Figure
    drawn : DataFrame
        The rows that are drawn, of those that `load` returns.
    profile, note : str
    models : collection of str
        The models that the figure is meant to show.
    """
    expected = [
        (model, dataset)
        for dataset in drawn["dataset"].unique()
        for model in FAMILY.models[dataset]
        if model in models
    ]
    all_seeds.name_absent(fig, expected, set(zip(drawn["fit"], drawn["dataset"])))
    style.note(fig, note)
    style.stamp(fig, dict.fromkeys(drawn["provenance"]), profile, seeds(drawn))


def seeds(rows: pd.DataFrame) -> str:
    """Return the seeds of rows in ascending order, as text."""
    return ", ".join(map(str, sorted(rows["seed"].unique())))
