"""The tasks of the study: what a model is fitted to, and how it is scored, the same for every model.

Only `train` reaches a model's ``fit``; a task scores whatever transforms spectra to latents and back, a fitted estimator or one that
was put together from stored weights.
"""

from __future__ import annotations

from replicate.study.jobs import PAPER_STUDY
from replicate.tasks.scan import HeldoutTask, ScanTask, TwinTask
from replicate.tasks.toy import ColoursTask, ToyTask

TASKS = {
    "toy": ColoursTask,
    "toy_shuffled": ColoursTask,
    "beps": ScanTask,
    "beps_heldout": HeldoutTask,
    "beps_shuffled": HeldoutTask,
    "twin": TwinTask,
}


def load_task(config):
    """Load the data of a configuration, as `execute.configuration` returns it, into its task."""
    # Only the models of the paper are looked at on the picture, which takes far longer than the rest.
    if config["dataset"] == "toy" and config["model"] in PAPER_STUDY["toy"]:
        return ToyTask(config)
    return TASKS[config["dataset"]](config)
