"""A job, which is one run of the study: one model, fitted to one data set with one seed.

Qin, Guo, Kaliyev and Agar, Adv. Mater. 2022, 10.1002/adma.202202814. `replicate.study.studies`
says which jobs there are, `replicate.study.family` what each model is built with.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from replicate import own_model
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

#: The data sets of which a fold is held out, and how each is split: the side of the blocks, pixels,
#: or stripes of rows where there is none; the width of the buffer around what is held out, pixels.
SPLITS = {
    "beps_heldout": {"block": 6},
    "beps_shuffled": {"block": 6},
    "beps_aligned": {"block": 6},
    "beps_buffered": {"block": 12, "buffer": 2},
    "beps_stripes": {"buffer": 2},
    "twin": {"block": 6},
}

#: Those of which every five seeds have a split of their own. The others have one for all seeds.
RESPLIT = ("beps_buffered", "beps_stripes")

#: Models that are scored on every pixel of the toy problem's picture: those that the paper shows.
#: Those of the user's own are, too.
ON_PICTURE = ("pca", "dictionary_learning", "lstm_vae")

#: Folds of a split. A seed holds out the fold of its number, so that five seeds hold out every
#: pixel once.
N_FOLDS = 5


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
    def init_seed(self) -> int:
        """Seed of what a model draws: its first weights, batches and noise."""
        return self.seed

    @property
    def fold(self) -> int:
        """The fold that is held out."""
        return self.seed % N_FOLDS

    @property
    def split_seed(self) -> int:
        """Seed of the shuffle that deals the blocks into folds."""
        return self.seed // N_FOLDS if self.dataset in RESPLIT else 0

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
        """Return whether the names in `only`, of data sets and models, leave this job in.

        A model of the user's own, which is brought to be run, is left out by no other model.
        """
        models = [name for name in only if name in MODELS]
        data = [name for name in only if name not in MODELS]
        has_model = not models or self.model in models or own_model.is_own(self.model)
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
    description = asdict(job) | {
        "parameters": parameters,
        "data": data_settings(job),
        "on_picture": job.dataset == "toy" and _is_on_picture(job.model),
        "numpy": np.__version__,
    }
    if job.dataset in SPLITS:
        description["init_seed"] = job.init_seed
    return description


def _is_on_picture(model):
    return model in ON_PICTURE or own_model.is_own(model)


def toy_sizes(profile: str) -> dict[str, int]:
    """Return how many colours the toy problem is fitted to, and how many it is scored on."""
    if profile == "smoke":
        return {"n_train": 1000, "n_gamut": 500}
    return {"n_train": 10_000, "n_gamut": 5_000}


def data_settings(job: Job) -> dict[str, float]:
    """Return how the data of a job are made or split, beside their provenance."""
    if job.domain == "toy":
        settings = toy_sizes(job.profile)
    elif job.dataset == "beps":
        settings = {}
    else:
        dealt = {"n_folds": N_FOLDS, "fold": job.fold, "split_seed": job.split_seed}
        settings = SPLITS[job.dataset] | dealt
    if job.dataset.endswith("_shuffled"):
        settings["shuffle_seed"] = 0
    if job.dataset.endswith("_aligned"):
        settings["aligned"] = True
    if job.dataset == "twin":
        settings["noise"] = 1
    if job.setting is not None and job.setting[0] in ("noise", "n_train"):
        name, value = job.setting
        settings[name] = value
    return settings
