"""A job, which is one run of the study: one model, fitted to one data set with one seed.

Qin, Guo, Kaliyev and Agar, Adv. Mater. 2022, 10.1002/adma.202202814. `replicate.study.studies`
says which jobs there are, `replicate.study.family` what each model is built with.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from replicate.study import family
from replicate.study.family import MODELS, PAPER_SCAN, ScanSizes

PROFILES = ("smoke", "standard", "paper")

#: Every data set that a model can be fitted to.
DATASETS = (
    "toy",
    "toy_shuffled",
    "beps",
    "beps_heldout",
    "beps_shuffled",
    "beps_aligned",
    "beps_buffered",
    "beps_stripes",
    "twin",
)

#: Models that are scored on every pixel of the toy problem's picture: those that the paper shows.
ON_PICTURE = ("pca", "dictionary_learning", "lstm_vae")

#: Folds of spatial blocks. A seed holds out the fold of its number, so that five seeds hold out
#: every pixel once.
N_FOLDS = 5

#: Side of the blocks whose pixels are left out, and of those with a gap around them, pixels.
BLOCK = 6
LARGE_BLOCK = 12

#: Pixels between those left out and those fitted to, where there is a gap.
BUFFER = 2


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

    def __str__(self) -> str:
        parts = (self.dataset, self.model, self.variant, f"seed{self.seed}")
        return "/".join(filter(None, parts))

    @property
    def domain(self) -> str:
        """What the spectra are of, ``toy`` or ``beps``.

        The twin, held-out blocks and shuffled steps are forms of these.
        """
        return "toy" if self.dataset.startswith("toy") else "beps"

    @property
    def is_network(self) -> bool:
        """Whether the model is trained by MXNet."""
        return self.model in family.NETWORKS

    @property
    def setting(self) -> tuple[str, float] | None:
        """Name and value of what a sweep changes, or None."""
        name, _, value = self.variant.partition("=")
        return (name, json.loads(value)) if name else None

    def is_wanted(self, only: Sequence[str]) -> bool:
        """Return whether the names in `only`, of data sets and models, leave this job in."""
        models = [name for name in only if name in MODELS]
        data = [name for name in only if name not in MODELS]
        has_model = not models or self.model in models
        has_data = not data or self.dataset in data or self.dataset.partition("_")[0] in data
        return has_model and has_data


def describe(job: Job, scan: ScanSizes = PAPER_SCAN) -> dict:
    """Return the parameters of a job as plain values, for its configuration file.

    Parameters
    ----------
    job : Job
    scan : ScanSizes
        Sizes of the scan that it is fitted to.
    """
    parameters = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in family.parameters(job, scan).items()
    }
    if "schedule" in parameters:
        parameters["schedule"] = asdict(parameters["schedule"])
    return asdict(job) | {
        "parameters": parameters,
        "data": data_settings(job),
        "on_picture": job.dataset == "toy" and job.model in ON_PICTURE,
        "numpy": np.__version__,
    }


def split_settings(job: Job) -> dict[str, int | bool]:
    """Return which pixels a held-out job leaves out: fold and seed of the split.

    A job has one seed, which also starts its model. Seed k leaves out fold k. On large blocks with
    a gap, seeds 5 to 9 leave out the folds of a second split.
    """
    settings = {"block": BLOCK, "n_folds": N_FOLDS, "fold": job.seed % N_FOLDS, "split_seed": 0}
    if job.dataset == "beps_buffered":
        split_seed = job.seed // N_FOLDS
        settings |= {"block": LARGE_BLOCK, "split_seed": split_seed, "buffer": BUFFER}
    if job.dataset == "beps_stripes":
        settings |= {"stripes": True, "buffer": BUFFER}
    if job.dataset == "beps_aligned":
        settings |= {"aligned": True}
    return settings


def toy_sizes(profile: str) -> dict[str, int]:
    """Return how many colours the toy problem is fitted to, and how many it is scored on."""
    if profile == "smoke":
        return {"n_train": 1000, "n_gamut": 500}
    return {"n_train": 10_000, "n_gamut": 5_000}


def data_settings(job: Job) -> dict[str, float | bool]:
    """Return how the data of a job are made or split, beside their provenance."""
    if job.domain == "toy":
        settings = toy_sizes(job.profile)
    elif job.dataset == "beps":
        settings = {}
    else:
        settings = split_settings(job)
    if job.dataset.endswith("_shuffled"):
        settings["shuffle_seed"] = 0
    if job.dataset == "twin":
        settings["noise"] = 1
    if job.setting is not None and job.setting[0] in ("noise", "n_train"):
        name, value = job.setting
        settings[name] = value
    return settings
