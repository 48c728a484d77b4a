"""The tasks of the study: what a model is fitted to, and how it is scored, alike for every model.

Only `train` reaches a model's ``fit``. A task scores whatever transforms spectra to latents and
back: a fitted estimator, or one that was put together from stored weights.
"""

from __future__ import annotations

import importlib

#: Module and class of the task of each data set, in `replicate.tasks`.
TASKS = {
    "toy": "toy.ColoursTask",
    "toy_shuffled": "toy.ColoursTask",
    "beps": "scan.ScanTask",
    "beps_heldout": "scan.HeldoutTask",
    "beps_shuffled": "scan.HeldoutTask",
    "beps_aligned": "scan.HeldoutTask",
    "beps_buffered": "scan.HeldoutTask",
    "beps_stripes": "scan.HeldoutTask",
    "twin": "twin.TwinTask",
}

#: The task of the models that are looked at on the picture, which takes far longer than the rest.
PICTURE_TASK = "toy.PictureTask"


def task_place(config: dict) -> str:
    """Return module and class of the task of a configuration."""
    return PICTURE_TASK if config["on_picture"] else TASKS[config["dataset"]]


def load_task(config: dict):
    """Return the task of a configuration, as `execute.configuration` returns it, with its data."""
    module, name = task_place(config).split(".")
    return getattr(importlib.import_module(f"replicate.tasks.{module}"), name)(config)
