"""Models of complete runs, put together from their weights for figures that decode more than a run keeps; MXNet is not needed."""

from __future__ import annotations

import numpy as np
from replicate.study.jobs import Job

from figures.shared import common
from replicate.errors import ReplicationError
from replicate.files import read_npz
from replicate.reference.restore import restore

N_CHECKED = 50
TOLERANCE = 1e-2
"""Of latents, whose spread is about 1 or more: weights read in a wrong form are off by as much as that spread."""


def load(run, train):
    """Return the fitted model of a complete run.

    Parameters
    ----------
    run : Run
    train : ndarray, shape (n, n_features)
        The spectra that it was fitted to.
    """
    made, weights = common.configuration(run), read_npz(run.folder / "weights.npz")
    if "channel_kl" in run.arrays:
        weights["in_use"] = run.arrays["channel_kl"] != 0
    job = Job(*(made[name] for name in ("profile", "dataset", "model", "seed")))
    return restore(job, weights, train, made["parameters"])


def check(fitted, spectra, run):
    """Refuse a model that does not give the latents that its run keeps.

    Parameters
    ----------
    fitted : transformer
    spectra : ndarray, shape (n, n_features)
        Those that the latents in the run's arrays are of.
    run : Run

    Raises
    ------
    ReplicationError
        If latents of the first spectra differ.
    """
    found, kept = fitted.transform(spectra[:N_CHECKED]), run.arrays["latents"][:N_CHECKED]
    if not np.allclose(found, kept, atol=TOLERANCE):
        raise ReplicationError(
            f"{run.folder}: weights.npz does not give the latents in arrays.npz. Delete the folder and run again."
        )
