"""The tasks of the study: what a model is fitted to, and how it is scored, the same for every model.

Only `train` reaches a model's ``fit``; a task scores whatever transforms spectra to latents and back, a fitted estimator or one that
was put together from stored weights.
"""

from __future__ import annotations

from replicate.tasks.scan import HeldoutTask, ScanTask
from replicate.tasks.toy import ShuffledToyTask, ToyTask


def load_task(config):
    """Load the data of a configuration, as `execute.configuration` returns it, into its task."""
    tasks = {"toy": ToyTask, "toy_shuffled": ShuffledToyTask, "beps": ScanTask, "beps_heldout": HeldoutTask}
    return tasks[config["dataset"]](config)
