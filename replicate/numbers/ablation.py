"""What each ingredient of a model is worth: its error with the ingredient against that without.

One factor is switched at a time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from replicate.numbers.comparisons import ORDERED
from replicate.numbers.metrics import interval
from replicate.study.family import COMPONENTS
from replicate.study.job import Job

#: Ingredient, the model without it and the model with it. After a stroke stands what a sweep
#: changed of the model.
BETWEEN_MODELS = (
    ("penalty", "pca", "dictionary_learning"),
    ("nonlinearity", "linear_ae", "dense_ae"),
    ("recurrence", "dense_ae", "lstm_ae"),
    ("recurrence", "dense_vae", "lstm_vae"),
    ("locality", "dense_vae", "conv_vae"),
    # With beta fixed nothing switches channels off. So this model is given as many latents as the
    # others have, 3 on the toy problem and 5 on the scan, and further down the others get its 16.
    ("bottleneck noise", "lstm_ae", "lstm_vae_fixed/latents=3"),
    ("bottleneck noise", "lstm_ae", "lstm_vae_fixed/latents=5"),
    ("choice of channels", "lstm_vae_fixed/latents=3", "lstm_vae"),
    ("choice of channels", "lstm_vae_fixed/latents=5", "lstm_vae"),
    ("bottleneck noise", "lstm_ae/latents=16", "lstm_vae_fixed"),
    ("choice of channels", "lstm_vae_fixed", "lstm_vae/latents=16"),
    ("linear path", "lstm_vae/linear_path=0", "lstm_vae"),
    ("own features of each step", "lstm_vae/n_own=0", "lstm_vae"),
    ("our form and training", "lstm_vae_plain", "lstm_vae"),
    ("recurrence, equal time", "dense_vae", "lstm_vae/epochs=0.5"),
    ("recurrence, equal time", "dense_vae/epochs=2", "lstm_vae"),
)

#: Models that are fitted to shuffled steps and to steps in order. The last two are controls: they
#: are blind to order, so that only chance can change their error.
ORDER_OF_STEPS = ("lstm_vae", "dense_vae", "pca")

#: Models whose own encoder is replaced by the search for the best latents that the decoder has.
REFINED = ("dictionary_learning", "dense_vae", "lstm_vae")

#: Whose latents are decoded, those of the encoder (``amortised``) or the best that there are for
#: the decoder (``refined``), and what is appended to the kind of the error then.
CODES = {"amortised": "", "refined": "_refined"}

#: A change of an error, %, that is smaller than this may come from single precision alone.
ROUNDING = 0.01

#: Mean numbers of latents that are further apart than this count as unequal, and then the
#: ingredient is not judged.
LATENTS_APART = 0.5

#: Columns of the table of contrasts.
COLUMNS = (
    "ingredient",
    "dataset",
    "without",
    "with_it",
    "code",
    "change",
    "low",
    "high",
    "seeds",
    "verdict",
    "latents_without",
    "latents_with_it",
    "seconds_without",
    "seconds_with_it",
    "provenance",
)


class Side(NamedTuple):
    """One side of a contrast.

    Attributes
    ----------
    dataset : str
    fit : str
        ``<model>`` or ``<model>/<name>=<value>``.
    kind : str
        Which number is meant.
    """

    dataset: str
    fit: str
    kind: str


def contrasts(numbers: pd.DataFrame) -> pd.DataFrame:
    """Return what each ingredient changes of the error.

    Errors are paired by seed, which stands for the same colours and the same fold of the scan.

    Parameters
    ----------
    numbers : DataFrame
        As `tidy` returns it.

    Returns
    -------
    DataFrame
        One row a contrast that was measured, with `COLUMNS`. ``change`` is the change of the
        geometric mean of the error, %; ``low`` and ``high`` are the ends of its 95 % t-interval
        over the seeds, NaN for one seed. ``code`` is one of `CODES`, or ``both``. Numbers of
        latents (active channels of a VAE) and seconds of fitting are means over the same seeds.
    """
    numbers = numbers.set_index([*Side._fields, "seed"]).sort_index()
    rows = []
    for dataset in ORDERED:
        for contrast in _contrasts_on(dataset):
            row = _row(numbers, *contrast)
            if row is not None:
                rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS)


def tidy(metrics: Mapping[str, dict], tried: pd.DataFrame | None = None) -> pd.DataFrame:
    """Lay out what a benchmark measured, one row a number.

    Parameters
    ----------
    metrics : dict of str to dict
        The ``metrics`` of metrics.json.
    tried : DataFrame, optional
        The rows of sweeps.csv; a run that answers two questions has its rows once.

    Returns
    -------
    DataFrame
        With the fields of `Side`, ``seed``, ``number`` and ``provenance``.
    """
    rows = []
    for name, entry in metrics.items():
        for seed, value in zip(entry["seeds"], entry["values"]):
            rows.append((*name.split("."), seed, value, entry["provenance"]))
    if tried is not None:
        rows += _sweep_rows(tried)
    once = list(dict.fromkeys(rows))
    return pd.DataFrame(once, columns=[*Side._fields, "seed", "number", "provenance"])


def _sweep_rows(tried):
    """Return the rows of sweeps.csv as `tidy` has them."""
    fits = tried["model"] + "/" + tried["setting"] + tried["value"].map("={:g}".format)
    return zip(
        tried["dataset"],
        fits,
        tried["metric"],
        tried["seed"],
        tried["number"],
        tried["provenance"],
    )


def change(without: ArrayLike, with_it: ArrayLike) -> tuple[float, float, float]:
    """Return the change of an error, %, and its 95 % interval.

    Parameters
    ----------
    without, with_it : array-like, shape (n_seeds,)
        Errors without and with an ingredient, seed by seed.

    Returns
    -------
    change, low, high : float
        The change of the geometric mean and the bounds of the interval, %; the bounds are NaN for
        one seed.
    """
    logarithms = np.log(np.asarray(with_it) / np.asarray(without))
    low, high = interval(logarithms) or (np.nan, np.nan)
    return _percent(logarithms.mean()), _percent(low), _percent(high)


def _percent(logarithm):
    """Return the change, %, that a difference of logarithms stands for."""
    return 100 * math.expm1(logarithm)


def verdict(low: float, high: float, latents: tuple[float, float] = (0, 0)) -> str:
    """Return in words what the change of an error shows.

    Parameters
    ----------
    low, high : float
        The 95 % interval of the change, %; NaN for one seed.
    latents : tuple of float
        Mean numbers of latents of the side without the ingredient and the side with it.
    """
    if abs(latents[1] - latents[0]) > LATENTS_APART:
        return "unequal latents"
    if np.isnan(low):
        return "one seed"
    if high < -ROUNDING:
        return "helps"
    if low > ROUNDING:
        return "hurts"
    return "no difference shown"


def _contrasts_on(dataset):
    """Yield ingredient, code and both sides of every contrast on a data set."""
    shuffled, kind = ORDERED[dataset]
    for code, suffix in CODES.items():
        error = kind + suffix
        for ingredient, without, with_it in BETWEEN_MODELS:
            yield ingredient, code, [Side(dataset, without, error), Side(dataset, with_it, error)]
        for fit in ORDER_OF_STEPS:
            sides = [Side(shuffled, fit, error), Side(dataset, fit, error)]
            yield "order of the steps", code, sides
    for fit in REFINED:
        sides = [Side(dataset, fit, kind + suffix) for suffix in CODES.values()]
        yield "refinement", "both", sides


def _row(numbers, ingredient, code, sides):
    """Return one row of the table, or None where no seed has both sides."""
    errors = pd.concat([_by_seed(numbers, side) for side in sides], axis=1, join="inner")
    if errors.empty:
        return None
    without, with_it = sides
    percent, low, high = change(*errors.to_numpy().T)
    latents = [_latents(numbers, side, errors.index) for side in sides]
    seconds = [_mean(numbers, side, "fit_seconds", errors.index) for side in sides]
    return (
        ingredient,
        with_it.dataset,
        f"{without.dataset}/{without.fit}",
        f"{with_it.dataset}/{with_it.fit}",
        code,
        percent,
        low,
        high,
        len(errors),
        verdict(low, high, latents),
        *latents,
        *seconds,
        numbers.loc[with_it, "provenance"].iloc[0],
    )


def _latents(numbers, side, seeds):
    """Return the mean number of latents of one side: of a VAE, the active channels."""
    active = _mean(numbers, side, "active_channels", seeds)
    return _components(side) if np.isnan(active) else active


def _mean(numbers, side, kind, seeds):
    """Return the mean of another kind of number of one side over some seeds; NaN without any."""
    return _by_seed(numbers, side._replace(kind=kind)).reindex(seeds).mean()


def _components(side):
    """Return how many latents a model without active channels has."""
    from_sweep = side.fit.partition("/latents=")[2]
    return float(from_sweep or COMPONENTS[Job("", side.dataset, "", 0).domain])


def _by_seed(numbers, side):
    """Return the numbers of one side as a Series by seed, empty where there are none."""
    if side in numbers.index:
        return numbers.loc[side, "number"]
    return pd.Series(dtype=float)
