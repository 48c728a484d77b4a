"""Fitting, timing and scoring one model on one data set."""

from __future__ import annotations

import time

import numpy as np
from sklearn.base import clone

from replicate.files import write_npz
from replicate.models.linear import authors_rms, lambda_search
from replicate.models.schedule import BetaSchedule
from replicate.provenance import is_own
from replicate.study import jobs as study
from replicate.study.family import COMPONENTS
from replicate.tasks import load_task

FILMED = (("toy", "lstm_vae"), ("beps", "lstm_vae"))
"""Data set and model of the trainings whose weights are kept at each beta of the ramp, for the movies."""

LEARNED = ("components_", "mean_", "explained_variance_", "mixing_", "shift_")
"""Attributes of the linear models from which they can be put together again."""


def evaluate(model, config, run, report):
    """Fit a model to the data set of a configuration, time it and score it.

    Parameters
    ----------
    model : transformer
        Unfitted; fitted in place.
    config : dict
        As `execute.configuration` returns it.
    run : Run
        Where a training keeps its checkpoint and its history.
    report : callable
        Called with keywords ``done``, ``total`` and ``text`` as a training advances.

    Returns
    -------
    metrics : dict of str to float
        Kinds of `replicate.numbers.metrics`.
    arrays : dict of str to ndarray
        What the figures draw.
    """
    data = load_task(config)
    _warm_up(model, data.train)
    fit_seconds = _fit(model, data, run, report, (config["dataset"], config["model"]) in FILMED)
    metrics, arrays = data.score(model)
    metrics |= {
        "fit_seconds": fit_seconds,
        **_timing(model, data.train),
        **_training_metrics(model),
    }
    of_paper = config["dataset"] in ("toy", "beps") and not is_own(config["provenance"]["spectra"])
    if config["model"] == "dictionary_learning" and of_paper:
        more_metrics, more_arrays = (
            _search_lambda if config["dataset"] == "toy" else _follow_authors
        )(data, config)
        metrics, arrays = metrics | more_metrics, arrays | more_arrays
    return metrics, arrays


def _search_lambda(data, config):
    """Look for the lambda of the least error (paper Figure S3)."""
    few = data.train[: study.N_SEARCH[config["profile"]]]
    search = lambda_search(few, data.validation, study.LAMBDAS, COMPONENTS["toy"], config["seed"])
    mse = search["mse"]
    metrics = {
        "best_lambda": float(search["lambda"][np.argmin(mse)]),
        "lambda_influence": float(mse.max() / mse.min()),
    }
    return metrics, {f"search_{name}": values for name, values in search.items()}


def _follow_authors(data, config):
    """Look for what gives the paper's BEPS error of dictionary learning, which lambda = 1 on these arrays does not."""
    few = data.train[:: study.AUTHORS_STRIDE[config["profile"]]]
    khz = np.array([1.0, 4.0, 5.0])
    rms = np.array([authors_rms(few, scale, COMPONENTS["beps"], config["seed"]) for scale in khz])
    needed = (
        np.interp(study.PAPER_BEPS_ERROR, rms[1:], khz[1:])
        if rms[1] <= study.PAPER_BEPS_ERROR <= rms[2]
        else np.nan
    )
    metrics = {"authors_rms": float(rms[0])} | (
        {"authors_khz": float(needed)} if np.isfinite(needed) else {}
    )
    return metrics, {"authors_khz": khz, "authors_rms": rms}


def weights(model):
    """Return every learned array of a model by name."""
    if hasattr(model, "weights_"):
        return model.weights_
    return {name: getattr(model, name) for name in LEARNED if hasattr(model, name)}


def _warm_up(model, spectra):
    """Fit a copy to a few spectra, so that no clock runs while libraries start."""
    short = clone(model)
    if hasattr(model, "schedule"):
        short.set_params(schedule=BetaSchedule(warmup_epochs=1, max_steps=1, settle_epochs=1))
    short.fit(spectra[:200])


def _fit(model, data, run, report, is_filmed):
    """Fit a model and return how long it took, over all its interruptions."""
    if not hasattr(model, "schedule"):
        start = time.perf_counter()
        model.fit(data.train)
        return time.perf_counter() - start

    def on_epoch(row):
        done = row["epoch"] + 1
        settling = row["phase"] == "settle"
        left = (
            model.schedule.settle_epochs - row["phase_epoch"] - 1
            if settling
            else model.schedule.max_epochs - done
        )
        text = f"{row['phase']} beta {row['beta']:.4f} mse {row['mse']:.4f} channels {row['active_channels']}"
        report(done=done, total=done + left, text=text)

    more = {} if data.validation is None else {"validation": data.validation}
    if is_filmed:
        more["on_beta"] = lambda row, weights: write_npz(
            run.snapshot(row["epoch"]), beta=np.array(row["beta"]), **weights
        )
    model.fit(data.train, checkpoint=run.checkpoint, on_epoch=on_epoch, **more)
    run.write_history(model.history_)
    return model.history_[-1]["seconds"]


def _timing(model, spectra):
    """Time encoding and decoding, warmed up."""
    latents = model.transform(spectra)
    model.inverse_transform(latents[:1000])
    start = time.perf_counter()
    latents = model.transform(spectra)
    encoded = time.perf_counter()
    model.inverse_transform(latents)
    return {"transform_seconds": encoded - start, "inverse_seconds": time.perf_counter() - encoded}


def _training_metrics(model):
    """Tell where the schedule of a network ended, and when its validation error passed the paper's."""
    if not hasattr(model, "history_"):
        return {}
    selected = getattr(model, "selected_", {})
    metrics = {f"selected_{name}": value for name, value in selected.items()}
    reached = [
        row["seconds"]
        for row in model.history_
        if row.get("validation_mse", np.inf) <= study.PAPER_TOY_MSE
    ]
    return metrics | ({"seconds_to_paper_mse": reached[0]} if reached else {})
