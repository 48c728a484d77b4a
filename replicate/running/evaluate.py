"""Fitting, timing and scoring one model on one data set."""

from __future__ import annotations

import time

import numpy as np
from sklearn.base import clone

from replicate.files import write_npz
from replicate.models.schedule import BetaSchedule
from replicate.tasks import load_task
from replicate.tasks.searches import search

#: Data set and model of the trainings whose weights are kept at each beta of the ramp, for the
#: movies.
FILMED = (("toy", "lstm_vae"), ("beps", "lstm_vae"))

#: Attributes of the linear models from which they can be put together again.
LEARNED = ("components_", "mean_", "explained_variance_", "mixing_", "shift_")

#: Error of the paper\'s VAE on the colour gamut; the history says when ours first gets there.
PAPER_TOY_MSE = 0.104


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
    task = load_task(config)
    _warm_up(model, task.train)
    fit_seconds = _fit(model, task, run, report, (config["dataset"], config["model"]) in FILMED)
    metrics, arrays = task.score(model)
    more_metrics, more_arrays = search(task, config)
    metrics |= {"fit_seconds": fit_seconds}
    metrics |= _timing(model, task.train)
    metrics |= _training_metrics(model)
    return metrics | more_metrics, arrays | more_arrays


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


def _fit(model, task, run, report, is_filmed):
    """Fit a model and return how long it took, over all its interruptions."""
    if not hasattr(model, "schedule"):
        start = time.perf_counter()
        model.fit(task.train)
        return time.perf_counter() - start

    def on_epoch(row):
        done = row["epoch"] + 1
        text = (
            f"{row['phase']} beta {row['beta']:.4f} mse {row['mse']:.4f} "
            f"channels {row['active_channels']}"
        )
        report(done=done, total=done + _epochs_left(model.schedule, row), text=text)

    def on_beta(row, weights):
        write_npz(run.snapshot(row["epoch"]), beta=np.array(row["beta"]), **weights)

    options = {"checkpoint": run.checkpoint, "on_epoch": on_epoch}
    if task.validation is not None:
        options["validation"] = task.validation
    if is_filmed:
        options["on_beta"] = on_beta
    model.fit(task.train, **options)
    run.write_history(model.history_)
    return model.history_[-1]["seconds"]


def _epochs_left(schedule, row):
    """Return how many epochs at most follow the one of a row of the history."""
    if row["phase"] == "settle":
        return schedule.settle_epochs - row["phase_epoch"] - 1
    return max(schedule.max_epochs - row["epoch"] - 1, schedule.settle_epochs)


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
    """Return where the schedule of a network ended, and when its error passed the paper's."""
    if not hasattr(model, "history_"):
        return {}
    metrics = {}
    if hasattr(model, "selected_"):
        metrics["selected_beta"] = model.selected_["beta"]
        metrics["selected_active_channels"] = model.selected_["active_channels"]
        metrics["selected_by_rank"] = int(model.selected_["how"] == "rank")
    reached = [
        row["seconds"]
        for row in model.history_
        if row.get("validation_mse", np.inf) <= PAPER_TOY_MSE
    ]
    return metrics | ({"seconds_to_paper_mse": reached[0]} if reached else {})
