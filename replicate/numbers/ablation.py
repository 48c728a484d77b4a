"""What each ingredient of a model is worth: its error with the ingredient against that without, one factor switched at a time."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from replicate.numbers.comparisons import ORDERED
from replicate.numbers.metrics import interval
from replicate.study.family import COMPONENTS
from replicate.study.job import Job
from replicate.study.sweeps import SWEEPS

BETWEEN_MODELS = (
    ("penalty", "pca", "dictionary_learning"),
    ("nonlinearity", "linear_ae", "dense_ae"),
    ("recurrence", "dense_ae", "lstm_ae"),
    ("recurrence", "dense_vae", "lstm_vae"),
    ("locality", "dense_vae", "conv_vae"),
    # With beta fixed nothing is switched off: it is given as many latents as the others have, and they as many as it has.
    *(
        ("bottleneck noise", "lstm_ae", f"lstm_vae_fixed/latents={latents}")
        for latents in COMPONENTS.values()
    ),
    *(
        ("choice of channels", f"lstm_vae_fixed/latents={latents}", "lstm_vae")
        for latents in COMPONENTS.values()
    ),
    ("bottleneck noise", "lstm_ae/latents=16", "lstm_vae_fixed"),
    ("choice of channels", "lstm_vae_fixed", "lstm_vae/latents=16"),
    ("linear path", "lstm_vae/linear_path=0", "lstm_vae"),
    ("own features of each step", "lstm_vae/n_own=0", "lstm_vae"),
    ("our form and training", "lstm_vae_plain", "lstm_vae"),
    *(
        (
            "recurrence, equal time",
            *((fit, "lstm_vae") if fit.startswith("dense_vae") else ("dense_vae", fit)),
        )
        for fit in dict.fromkeys(
            f"{job.model}/{job.variant}"
            for sweep in SWEEPS
            if sweep.name == "equal time"
            for job in sweep.jobs("")
        )
    ),
)
"""Ingredient, the model without it and the model with it; after a stroke what a sweep changed of the model."""

ORDER_OF_STEPS = ("lstm_vae", "dense_vae", "pca")
"""Models fitted to shuffled steps and to steps in order. Controls are the last two, blind to order: only chance can change their error."""

REFINED = ("dictionary_learning", "dense_vae", "lstm_vae")
"""Models whose own encoder is replaced by the search for the best latents that the decoder has."""

CODES = {"amortised": "", "refined": "_refined"}
"""Whose latents are decoded, the encoder's or the best that there are for the decoder, and how the error is called then."""

ROUNDING = 0.01
"""Change of an error, %, below which single precision alone may speak."""

LATENTS_APART = 0.5
"""Mean numbers of latents further apart than this are not equal, and then it is not the ingredient that is judged."""

COLUMNS = (
    *(
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
    ),
    *("latents_without", "latents_with_it", "seconds_without", "seconds_with_it", "provenance"),
)


class Side(NamedTuple):
    """One side of a contrast: ``<model>`` or ``<model>/<name>=<value>`` on a data set, and the kind of error."""

    dataset: str
    fit: str
    kind: str


def contrasts(numbers):
    """Return what each ingredient changes of the error, paired by seed: the same colours, the same fold of the scan.

    Parameters
    ----------
    numbers : DataFrame
        As `tidy` returns it.

    Returns
    -------
    DataFrame
        With `COLUMNS`, one row a contrast that was measured. ``change`` is that of the geometric mean of the error, %; ``low`` and ``high``
        are its 95 % t-interval over the seeds, NaN for one seed. ``code`` is one of `CODES`, or ``both``. Numbers of latents (active
        channels of a VAE) and seconds of fitting are means over the same seeds.
    """
    numbers = numbers.set_index([*Side._fields, "seed"]).sort_index()
    rows = [_row(numbers, *contrast) for dataset in ORDERED for contrast in _listed(dataset)]
    return pd.DataFrame([row for row in rows if row], columns=COLUMNS)


def tidy(metrics, tried=None):
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
    rows = [
        (*name.split("."), seed, value, entry["provenance"])
        for name, entry in metrics.items()
        for seed, value in zip(entry["seeds"], entry["values"])
    ]
    if tried is not None:
        fits = tried["model"] + "/" + tried["setting"] + tried["value"].map("={:g}".format)
        rows += zip(
            tried["dataset"],
            fits,
            tried["metric"],
            tried["seed"],
            tried["number"],
            tried["provenance"],
        )
    return pd.DataFrame(
        list(dict.fromkeys(rows)), columns=[*Side._fields, "seed", "number", "provenance"]
    )


def change(without, with_it):
    """Return the change of an error, %, and its 95 % interval.

    Parameters
    ----------
    without, with_it : array-like
        Errors without and with an ingredient, seed by seed.

    Returns
    -------
    change, low, high : float
        Of the geometric mean; the bounds are NaN for one seed.
    """
    logarithms = np.log(np.asarray(with_it) / np.asarray(without))
    bounds = interval(logarithms) or (np.nan, np.nan)
    return tuple(100 * math.expm1(value) for value in (logarithms.mean(), *bounds))


def verdict(low, high, latents=(0, 0)):
    """Say in words what the interval of a change of the error, %, shows, given the numbers of latents of both sides."""
    if abs(latents[1] - latents[0]) > LATENTS_APART:
        return "unequal latents"
    if np.isnan(low):
        return "one seed"
    if high < -ROUNDING:
        return "helps"
    return "hurts" if low > ROUNDING else "no difference shown"


def _listed(dataset):
    """Yield ingredient, code and both sides of every contrast on a data set."""
    shuffled, kind = ORDERED[dataset]
    for code, suffix in CODES.items():
        for ingredient, *fits in BETWEEN_MODELS:
            yield ingredient, code, [Side(dataset, fit, kind + suffix) for fit in fits]
        for fit in ORDER_OF_STEPS:
            yield (
                "order of the steps",
                code,
                [Side(place, fit, kind + suffix) for place in (shuffled, dataset)],
            )
    for fit in REFINED:
        yield "refinement", "both", [Side(dataset, fit, kind + suffix) for suffix in CODES.values()]


def _row(numbers, ingredient, code, sides):
    """Return one row of the table, or None where no seed has both sides."""
    errors = pd.concat([_by_seed(numbers, side) for side in sides], axis=1, join="inner")
    if errors.empty:
        return None
    percent, low, high = change(*errors.to_numpy().T)
    active, seconds = (
        [_by_seed(numbers, side._replace(kind=kind)).reindex(errors.index).mean() for side in sides]
        for kind in ("active_channels", "fit_seconds")
    )
    latents = [
        _components(side) if np.isnan(count) else count for side, count in zip(sides, active)
    ]
    names = ["/".join(side[:2]) for side in sides]
    provenance = numbers.loc[sides[1], "provenance"].iloc[0]
    found = (percent, low, high, len(errors), verdict(low, high, latents))
    return (ingredient, sides[1].dataset, *names, code, *found, *latents, *seconds, provenance)


def _components(side):
    """Return how many latents a model without active channels has."""
    return float(
        side.fit.partition("/latents=")[2] or COMPONENTS[Job("", side.dataset, "", 0).domain]
    )


def _by_seed(numbers, side):
    """Return the numbers of one side as a Series by seed, empty where there are none."""
    return numbers.loc[side, "number"] if side in numbers.index else pd.Series(dtype=float)
