"""The study: data sets x models x profile. ``python -m replicate run --dry-run`` prints it.

Qin, Guo, Kaliyev and Agar, Adv. Mater. 2022, 10.1002/adma.202202814. What each model is fitted with stands in `replicate.study.family`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import numpy as np

from replicate.errors import ReplicationError
from replicate.study import family
from replicate.study.family import MODELS

PROFILES = ("smoke", "standard", "paper")

PAPER_STUDY = {
    "toy": ("pca", "dictionary_learning", "lstm_vae"),
    "toy_shuffled": ("pca", "dictionary_learning", "lstm_vae"),
    "beps": ("pca", "dictionary_learning", "lstm_vae_plain", "lstm_vae"),
    "beps_heldout": ("pca", "dictionary_learning", "lstm_vae_plain", "lstm_vae"),
}
"""The models that the paper compares, with PCA and the paper's plain form beside them. On the toy problem `lstm_vae` is the plain form."""

FAMILY_STUDY = {
    "toy": tuple(model for model in MODELS if model != "lstm_vae_plain"),
    "toy_shuffled": ("pca", "dictionary_learning", "dense_vae", "lstm_vae"),
    "beps": ("pca", "dictionary_learning", "dense_vae", "lstm_vae_plain", "lstm_vae"),
    "beps_heldout": tuple(MODELS),
    "beps_shuffled": ("pca", "dictionary_learning", "dense_vae", "lstm_vae"),
    "twin": ("pca", "dictionary_learning", "dense_ae", "dense_vae", "lstm_vae"),
}
"""What the paper leaves out: the whole family, and data sets that tell what its members use."""

DATASETS = tuple(FAMILY_STUDY)

OF_SCAN = ("beps", "beps_heldout")
"""What a scan of the user's own takes the place of the measured one in."""

PAPER_TOY_MSE = 0.104
"""Error of the paper's VAE on the colour gamut; the history tells when ours first gets there."""

LAMBDAS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.57, 0.8, 1.0, 1.4, 2.0)
"""Grid of the lambda search (paper Figure S3), fitted to the first of the training colours."""

PAPER_BEPS_ERROR = 0.36
AUTHORS_STRIDE = {"smoke": 20, "standard": 1, "paper": 1}
"""Every how many pixels the authors' setting of dictionary learning is tried on, in search of the paper's BEPS error."""

N_SEARCH = {"smoke": 100, "standard": 1000, "paper": 1000}

N_FOLDS = 5
"""Folds of spatial blocks; a seed holds out the fold of its number, so that five seeds hold out every pixel once."""


@dataclass(frozen=True)
class Job:
    """One run: fit one model to one data set, and score it.

    Attributes
    ----------
    variant : str
        ``name=value`` of the setting that a sweep changes; empty for the study itself.
    """

    profile: str
    dataset: str
    model: str
    seed: int
    variant: str = ""

    def __str__(self):
        return "/".join(filter(None, (self.dataset, self.model, self.variant, f"seed{self.seed}")))

    @property
    def data(self):
        """The data behind the data set, ``toy`` or ``beps``, whichever form of it this is; the twin is a form of the scan."""
        return "toy" if self.dataset.startswith("toy") else "beps"

    @property
    def is_network(self):
        """Whether the model is trained by MXNet."""
        return self.model in family.NETWORKS

    @property
    def setting(self):
        """Name and value of what a sweep changes, or None."""
        name, _, value = self.variant.partition("=")
        return (name, json.loads(value)) if name else None


def jobs(profile, only=(), seeds=(0,), whole_family=False):
    """List the jobs of a profile, seed by seed, and of each seed the longest first.

    Parameters
    ----------
    profile : str
    only : sequence of str
        Keep only these data sets and models; ``toy`` and ``beps`` stand for all of their forms. What the paper's study does not have is
        taken from that of the whole family.
    seeds : sequence of int
    whole_family : bool
        All of what the paper leaves out as well; the paper's profile has nothing of it.

    Raises
    ------
    ReplicationError
        If a name is not a data set or a model, or nothing is left.
    """
    names = (*DATASETS, *MODELS)
    unknown = [name for name in only if name not in names]
    if unknown:
        raise ReplicationError(
            f"--only {unknown[0]}: no such data set or model. There are {', '.join(names)}."
        )
    of_paper = {*PAPER_STUDY, *PAPER_STUDY["beps"]}
    whole = profile != "paper" and (whole_family or not of_paper.issuperset(only))
    study = FAMILY_STUDY if whole else PAPER_STUDY
    listed = [
        Job(profile, data, model, seed)
        for seed in dict.fromkeys(seeds)
        for model in family.LONGEST_FIRST
        for data in reversed(study)
        # In the paper's profile there is no other form than the plain one.
        if model in study[data] and (profile, model) != ("paper", "lstm_vae_plain")
    ]
    listed = [job for job in listed if is_wanted(job, only)]
    if not listed:
        raise ReplicationError(f"--only {' '.join(only)}: the {profile} profile has no such run.")
    return listed


def jobs_on_own(profile, only=(), seeds=(0,)):
    """List the jobs on a scan of the user's own, as `jobs` does: every model on folds of it, and those of the family's study on all of it.

    Raises
    ------
    ReplicationError
        If a name is not a data set or a model, or nothing is left.
    """
    listed = [
        job for job in jobs(profile, only, seeds, whole_family=True) if job.dataset in OF_SCAN
    ]
    if not listed:
        raise ReplicationError(
            f"--only {' '.join(only)}: nothing of it is fitted to a scan. There are {', '.join((*OF_SCAN, *MODELS))}."
        )
    return listed


def is_wanted(job, only):
    """Tell whether the names in `only`, of data sets and models, leave a job in."""
    models = [name for name in only if name in MODELS]
    data = [name for name in only if name not in MODELS]
    return (not models or job.model in models) and (
        not data or job.dataset in data or job.dataset.partition("_")[0] in data
    )


def data_sizes(profile):
    """Return how many colours the toy problem is fitted to, and how many it is scored on."""
    return (
        {"n_train": 1000, "n_gamut": 500}
        if profile == "smoke"
        else {"n_train": 10_000, "n_gamut": 5_000}
    )


def describe(job, scan=None):
    """Return the parameters of a job, on a `scan` of the user's own if given, as plain values, for its configuration file."""
    parameters = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in family.parameters(job, scan).items()
    }
    if "schedule" in parameters:
        parameters["schedule"] = asdict(parameters["schedule"])
    return asdict(job) | {"parameters": parameters, "data": _data(job), "numpy": np.__version__}


def _data(job):
    """Return what the data of a job are, beside their provenance."""
    if job.data == "toy":
        return data_sizes(job.profile) | (
            {"shuffle_seed": 0} if job.dataset == "toy_shuffled" else {}
        )
    if job.dataset == "beps":
        return {}
    sizes = {"block": 6, "n_folds": N_FOLDS, "fold": job.seed % N_FOLDS, "split_seed": 0}
    sizes |= {"beps_shuffled": {"shuffle_seed": 0}, "twin": {"noise": 1}}.get(job.dataset, {})
    name, value = job.setting or (None, None)
    return sizes | ({name: value} if name in ("noise", "n_train") else {})
