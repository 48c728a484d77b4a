"""Models restored from the weights of complete runs, for figures that decode further spectra.

MXNet is not needed.
"""

from __future__ import annotations

import numpy as np

from figures.shared import common
from replicate.errors import ReplicationError
from replicate.files import read_npz
from replicate.reference.restore import restore
from replicate.running.runs import Run
from replicate.study.job import Job

#: How many spectra are encoded to see whether the weights are those of the run.
N_CHECKED = 50

#: How far latents may differ. They vary by about 1, and weights read wrongly are off by as much.
TOLERANCE = 1e-2


def load(run: Run, train: np.ndarray):
    """Return the fitted model of a complete run, with ``transform`` and ``inverse_transform``.

    Parameters
    ----------
    run : Run
    train : ndarray, shape (n, n_features)
        The spectra that the model was fitted to.
    """
    config = common.configuration(run)
    weights = read_npz(run.folder / "weights.npz")
    if "channel_kl" in run.arrays:
        weights["in_use"] = run.arrays["channel_kl"] != 0
    job = Job(config["profile"], config["dataset"], config["model"], config["seed"])
    return restore(job, weights, train, config["parameters"])


def check(fitted, spectra: np.ndarray, run: Run) -> None:
    """Check that a model gives the latents that its run has stored.

    Parameters
    ----------
    fitted : transformer
        The model, as `load` returns it.
    spectra : ndarray, shape (n, n_features)
        The spectra whose latents are stored in the arrays of the run.
    run : Run

    Raises
    ------
    ReplicationError
        If the latents of the first spectra differ from the stored ones.
    """
    latents = fitted.transform(spectra[:N_CHECKED])
    stored = run.arrays["latents"][:N_CHECKED]
    if not np.allclose(latents, stored, atol=TOLERANCE):
        raise ReplicationError(
            f"{run.folder}: weights.npz does not give the latents in arrays.npz. "
            "Delete the folder and run again."
        )
