"""How long a training will take on this machine, from the time of one step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from replicate.data import toy
from replicate.study import family
from replicate.study.family import PAPER_SCAN, SPECTRA_OF_FOUR_FOLDS, ScanSizes
from replicate.study.job import Job, toy_sizes


def longest_seconds(job: Job, scan: ScanSizes = PAPER_SCAN) -> float:
    """Return the time that the training of a job takes if its ramp runs to the end, in seconds.

    Parameters
    ----------
    job : Job
        Its model is an LSTM beta-VAE. One batch of noise is trained on a few times.
    scan : ScanSizes
        Sizes of the scan that it is fitted to.
    """
    model = family.build(job, scan)
    schedule = model.schedule
    n_spectra, n_features = fit_sizes(job, scan)
    short = replace(schedule, warmup_epochs=1, step_epochs=1, max_steps=2, settle_epochs=0)
    model.set_params(schedule=short, target_channels=0)
    shape = (model.batch_size, n_features)
    model.fit(np.random.default_rng(0).standard_normal(shape, dtype=np.float32))
    # The first step also compiles the network.
    seconds = model.history_[-1]["seconds"] - model.history_[-2]["seconds"]
    return seconds * schedule.max_epochs * (n_spectra // model.batch_size)


def fit_sizes(job: Job, scan: ScanSizes = PAPER_SCAN) -> tuple[int, int]:
    """Return how many spectra a job is fitted to, and how many numbers each of them has.

    A buffer leaves some of these spectra out.
    """
    if job.domain == "toy":
        return toy_sizes(job.profile)["n_train"], toy.N_STEPS
    share = 1 if job.dataset == "beps" else SPECTRA_OF_FOUR_FOLDS / PAPER_SCAN.n_spectra
    return round(share * scan.n_spectra), scan.n_channels * scan.n_steps
