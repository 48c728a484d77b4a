"""What is tried beside the study itself: one setting is changed at a time.

All else is as in the run of the study that it is compared with. Each sweep says on which data set,
for which models and at which values. Its numbers go into ``sweeps.csv``, not into metrics.json.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from replicate.study import family
from replicate.study.job import Job

#: Columns of sweeps.csv.
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

#: Models without a network, whose number of latents is swept.
LINEAR = (
    "pca",
    "ica",
    "nmf",
    "sparse_pca",
    "dictionary_learning",
    "dictionary_omp",
    "dictionary_positive",
)

#: Networks whose number of latents is swept.
NETWORKS = ("linear_ae", "dense_ae", "dense_vae", "conv_vae", "lstm_ae", "lstm_vae")

#: Networks whose number of latents is swept on all folds, at two values.
ON_ALL_FOLDS = ("dense_ae", "dense_vae", "lstm_vae")

#: Models that are compared on noisier data and on fewer spectra.
COMPARED = ("pca", "dictionary_learning", "dense_ae", "dense_vae", "lstm_vae")


@dataclass(frozen=True)
class Sweep:
    """One setting, tried at several values.

    Attributes
    ----------
    name : str
        Name of the question that it answers.
    dataset : str
    models : tuple of str
    setting : str
        A setting that `replicate.study.family` knows, or one that changes the data: ``noise``, in
        units of the twin's noise, or ``n_train``, how many spectra are fitted to.
    values : tuple of float
        Values beside the one that the study has.
    n_seeds : int
        Seeds 0 to ``n_seeds - 1`` are run; on a scan each holds out another fold.
    """

    name: str
    dataset: str
    models: tuple[str, ...]
    setting: str
    values: tuple[float, ...]
    n_seeds: int = 1

    def jobs(self, profile: str) -> list[Job]:
        """List the jobs of this sweep, seed by seed and the longest first.

        There are none in the paper's profile, which takes days without them.
        """
        if profile == "paper":
            return []
        return [
            Job(profile, self.dataset, model, seed, f"{self.setting}={value:g}")
            for seed in range(self.n_seeds)
            for model in sorted(self.models, key=family.LONGEST_FIRST.index)
            for value in self.values
        ]


#: Every sweep, in the order in which they are run.
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
    # The study has 60 %; here its odds are halved and doubled.
    Sweep("sensitivity", "beps_heldout", ("dense_vae", "lstm_vae"), "kl_share", (0.43, 0.75)),
    Sweep("rate-distortion", "beps_heldout", LINEAR, "latents", (1, 2, 3, 4, 6, 8, 12, 16)),
    Sweep("rate-distortion", "beps_heldout", NETWORKS, "latents", (1, 2, 3, 8, 16)),
    Sweep("rate-distortion", "beps_heldout", ("lstm_ae",), "latents", (16,), 3),
    # The first findings rest on these: all folds.
    Sweep("rate-distortion", "beps_heldout", ("pca", *ON_ALL_FOLDS), "latents", (8, 16), 5),
    Sweep("bottleneck noise", "toy", ("lstm_vae_fixed",), "latents", (3,), 3),
    Sweep("bottleneck noise", "beps_heldout", ("lstm_vae_fixed",), "latents", (5,), 5),
    Sweep("noise", "twin", COMPARED, "noise", (3, 10)),
    Sweep("fewer spectra", "beps_heldout", COMPARED, "n_train", (100, 300, 1000), 5),
    Sweep("equal time", "beps_heldout", ("lstm_vae",), "epochs", (0.5,), 5),
    Sweep("equal time", "beps_heldout", ("dense_vae",), "epochs", (2,), 5),
    Sweep("beta", "toy", ("lstm_vae_fixed",), "beta", (2e-5, 2e-3, 6e-3, 2e-2, 6e-2)),
    Sweep("form", "beps_heldout", ("lstm_vae",), "linear_path", (0,), 3),
    Sweep("form", "beps_heldout", ("lstm_vae",), "n_own", (0,), 3),
)


def jobs(profile: str, only: Sequence[str] = ()) -> list[Job]:
    """List the jobs of every sweep, in the order of the sweeps and each job once.

    Parameters
    ----------
    profile : str
    only : sequence of str
        Keep these data sets and models only; all by default.
    """
    listed = dict.fromkeys(job for sweep in SWEEPS for job in sweep.jobs(profile))
    return [job for job in listed if job.is_wanted(only)]


def trials(job: Job) -> list[Job]:
    """List the jobs that differ from a job of the study in one hyperparameter alone.

    They are those of the sweeps called "sensitivity".
    """
    sensitivity = [sweep for sweep in SWEEPS if sweep.name == "sensitivity"]
    listed = [trial for sweep in sensitivity for trial in sweep.jobs(job.profile)]
    return [trial for trial in listed if replace(trial, variant="") == job]


def table(records: Mapping[Job, dict]) -> pd.DataFrame:
    """Return the numbers of the sweeps, one row each.

    Parameters
    ----------
    records : dict of Job to dict
        The records of complete runs.

    Returns
    -------
    DataFrame
        With `COLUMNS`; a run that answers two questions has its rows under both.
    """
    profiles = {job.profile for job in records}
    rows = []
    for sweep in SWEEPS:
        for profile in profiles:
            for job in sweep.jobs(profile):
                if job in records:
                    rows += _rows(sweep, job, records[job])
    return pd.DataFrame(rows, columns=COLUMNS)


def _rows(sweep, job, record):
    """Return one row for each number of a run of a sweep."""
    provenance = record["provenance"]["spectra"]
    setting, value = job.setting
    return [
        (sweep.name, job.dataset, job.model, setting, value, job.seed, provenance, metric, number)
        for metric, number in record["metrics"].items()
    ]
