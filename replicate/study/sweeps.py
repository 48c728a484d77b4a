"""What is tried beside the study itself: one setting changed at a time, and all else as in the run it is compared with.

Each sweep says on which data set, for which models and at which values. Their numbers go into ``sweeps.csv``, not into metrics.json.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from replicate.study import family
from replicate.study.job import Job

COLUMNS = (
    "sweep",
    "dataset",
    "model",
    "setting",
    "value",
    "seed",
    "provenance",
    "metric",
    "number",
)

LINEAR = (
    "pca",
    "ica",
    "nmf",
    "sparse_pca",
    "dictionary_learning",
    "dictionary_omp",
    "dictionary_positive",
)
NETWORKS = ("linear_ae", "dense_ae", "dense_vae", "conv_vae", "lstm_ae", "lstm_vae")
COMPARED = ("pca", "dictionary_learning", "dense_ae", "dense_vae", "lstm_vae")


@dataclass(frozen=True)
class Sweep:
    """One setting, tried at several values.

    Attributes
    ----------
    name : str
        Of the question that it answers.
    dataset : str
    models : tuple of str
    setting : str
        As `replicate.study.family` knows it, or ``noise`` (times the twin's own) or ``n_train`` (spectra fitted to), which change the data.
    values : tuple of float
        Beside that of the study.
    n_seeds : int
        Seeds 0 to ``n_seeds - 1``; on a scan each has its own fold.
    """

    name: str
    dataset: str
    models: tuple[str, ...]
    setting: str
    values: tuple[float, ...]
    n_seeds: int = 1

    def jobs(self, profile):
        """List the jobs of this sweep, seed by seed and the longest first; there are none in the paper's profile, which is days long."""
        if profile == "paper":
            return []
        return [
            Job(profile, self.dataset, model, seed, f"{self.setting}={value:g}")
            for seed in range(self.n_seeds)
            for model in sorted(self.models, key=family.LONGEST_FIRST.index)
            for value in self.values
        ]


SWEEPS = (
    Sweep(
        "sensitivity",
        "beps_heldout",
        ("dictionary_learning", "dictionary_omp", "dictionary_positive"),
        "alpha",
        (0.5, 2),
    ),
    Sweep("sensitivity", "beps_heldout", ("sparse_pca",), "alpha", (0.05, 0.2)),
    Sweep("sensitivity", "beps_heldout", ("dense_ae", "dense_vae"), "learning_rate", (1e-3, 4e-3)),
    Sweep("sensitivity", "beps_heldout", ("lstm_vae",), "learning_rate", (1.5e-3, 6e-3)),
    Sweep(
        "sensitivity",
        "beps_heldout",
        ("dense_ae", "dense_vae", "lstm_vae"),
        "input_noise",
        (0.1, 0.4),
    ),
    Sweep("sensitivity", "beps_heldout", ("dense_ae", "dense_vae"), "hidden", (64, 256)),
    Sweep("sensitivity", "beps_heldout", ("lstm_vae",), "width", (16, 64)),
    # The odds of 60 % halved and doubled.
    Sweep("sensitivity", "beps_heldout", ("dense_vae", "lstm_vae"), "kl_share", (0.43, 0.75)),
    Sweep("rate-distortion", "beps_heldout", LINEAR, "latents", (1, 2, 3, 4, 6, 8, 12, 16)),
    Sweep("rate-distortion", "beps_heldout", NETWORKS, "latents", (1, 2, 3, 8, 16)),
    Sweep("rate-distortion", "beps_heldout", ("lstm_ae",), "latents", (16,), 3),
    Sweep("bottleneck noise", "toy", ("lstm_vae_fixed",), "latents", (3,), 3),
    Sweep("bottleneck noise", "beps_heldout", ("lstm_vae_fixed",), "latents", (5,), 5),
    Sweep("noise", "twin", COMPARED, "noise", (3, 10)),
    Sweep("fewer spectra", "beps_heldout", COMPARED, "n_train", (100, 300, 1000)),
    Sweep("equal time", "beps_heldout", ("lstm_vae",), "epochs", (0.5,), 5),
    Sweep("equal time", "beps_heldout", ("dense_vae",), "epochs", (2,), 5),
    Sweep("beta", "toy", ("lstm_vae_fixed",), "beta", (2e-5, 2e-3, 6e-3, 2e-2, 6e-2)),
    Sweep("form", "beps_heldout", ("lstm_vae",), "linear_path", (0,), 3),
    Sweep("form", "beps_heldout", ("lstm_vae",), "n_own", (0,), 3),
)


def jobs(profile, only=()):
    """List the jobs of every sweep, in their order; `only` names the data sets and models to keep."""
    return [
        job
        for job in dict.fromkeys(job for sweep in SWEEPS for job in sweep.jobs(profile))
        if job.is_wanted(only)
    ]


def trials(job):
    """List the jobs that differ from one of the study in one hyperparameter alone, as "sensitivity" does."""
    listed = [
        trial
        for sweep in SWEEPS
        if sweep.name == "sensitivity"
        for trial in sweep.jobs(job.profile)
    ]
    return [trial for trial in listed if replace(trial, variant="") == job]


def table(records):
    """Return the numbers of the sweeps, one row each.

    Parameters
    ----------
    records : dict of Job to dict
        Of complete runs.

    Returns
    -------
    DataFrame
        With `COLUMNS`; a run that answers two questions has its rows under both.
    """
    rows = [
        (
            sweep.name,
            job.dataset,
            job.model,
            *job.setting,
            job.seed,
            records[job]["provenance"]["spectra"],
            metric,
            number,
        )
        for sweep in SWEEPS
        for profile in {job.profile for job in records}
        for job in sweep.jobs(profile)
        if job in records
        for metric, number in records[job]["metrics"].items()
    ]
    return pd.DataFrame(rows, columns=COLUMNS)
