"""How long a training will take on this machine, from the time of one step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from replicate.study import family
from replicate.study import jobs as study

N_SPECTRA = {"beps": 3600, "beps_heldout": 2880}
N_FEATURES = {"toy": 25, "beps": 192}


def longest_seconds(job, scan=None):
    """Return the time that the training of a job takes if its ramp runs to the end, in seconds.

    Parameters
    ----------
    job : Job
        Of an LSTM beta-VAE. One batch of noise is trained on a few times.
    scan : Scan, optional
        Of the user's own.
    """
    model = family.build(job, scan)
    schedule = model.schedule
    n_spectra, n_features = (
        N_SPECTRA.get(job.dataset) or study.data_sizes(job.profile)["n_train"],
        N_FEATURES[job.data],
    )
    if scan is not None:
        n_spectra, n_features = scan.spectra.shape
    model.set_params(
        schedule=replace(schedule, warmup_epochs=1, step_epochs=1, max_steps=2, settle_epochs=0),
        target_channels=0,
    )
    model.fit(
        np.random.default_rng(0).standard_normal((model.batch_size, n_features), dtype=np.float32)
    )
    # The first step also compiles the network.
    seconds = model.history_[-1]["seconds"] - model.history_[-2]["seconds"]
    return seconds * schedule.max_epochs * (n_spectra // model.batch_size)
