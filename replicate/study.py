"""The study: data sets x models x profile, with the paper's hyperparameters beside ours.

Qin, Guo, Kaliyev and Agar, Adv. Mater. 2022, 10.1002/adma.202202814. ``python -m replicate run --dry-run`` prints it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import numpy as np

from replicate.errors import ReplicationError
from replicate.models.linear import PCA, DictionaryLearning
from replicate.models.schedule import BetaSchedule

DATASETS = ("toy", "toy_shuffled", "beps", "beps_heldout")
MODELS = ("pca", "dictionary_learning", "lstm_vae", "lstm_vae_plain")
PROFILES = ("smoke", "standard", "paper")

LONGEST_FIRST = ("lstm_vae", "lstm_vae_plain", "dictionary_learning", "pca")

COMPONENTS = {"toy": 3, "beps": 5}
"""Components of the linear models and target for the active channels of the VAE, as in the paper."""

PAPER_LAMBDA = {"toy": 0.57, "beps": 1.0}
PAPER_TOY_MSE = 0.104
"""Error of the paper's VAE on the colour gamut; the history tells when ours first gets there."""

LAMBDAS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.57, 0.8, 1.0, 1.4, 2.0)
"""Grid of the lambda search (paper Figure S3), fitted to the first of the training colours."""

PAPER_BEPS_ERROR = 0.36
AUTHORS_STRIDE = {"smoke": 20, "standard": 1, "paper": 1}
"""Every how many pixels the authors' setting of dictionary learning is tried on, in search of the paper's BEPS error."""

N_FOLDS = 5
"""Folds of the blocks of the scan; seed k holds out fold k modulo this."""

N_SEARCH = {"smoke": 100, "standard": 1000, "paper": 1000}

# The paper's network: 3 residual blocks of 2 bidirectional layers of 128 units, ADAM at 3e-5, batches of 300.
PAPER_NETWORK = {"n_blocks": 3, "n_layers": 2, "width": 128, "linear_path": False, "learning_rate": 3e-5, "batch_size": 300}
PAPER_SCHEDULES = {
    "toy": BetaSchedule(warmup_epochs=2000, step_epochs=100, max_steps=45, settle_epochs=0),
    "beps": BetaSchedule(warmup_epochs=1000, step_epochs=1000, max_steps=19, settle_epochs=0),
}
# Ours: one bidirectional layer of 32 units each way, hundreds of epochs instead of thousands, then a settling with beta low.
OUR_NETWORK = {"n_blocks": 0, "n_layers": 1, "width": 32, "batch_size": 200}
OUR_SCHEDULES = {
    "toy": BetaSchedule(warmup_epochs=15, settle_epochs=80),
    "beps": BetaSchedule(warmup_epochs=20, settle_epochs=100),
}
OUR_TRAINING = {"toy": {"learning_rate": 5e-3}, "beps": {"learning_rate": 3e-3, "input_noise": 0.1}}


@dataclass(frozen=True)
class Job:
    """One run of the study: fit one model to one data set, and score it."""

    profile: str
    dataset: str
    model: str
    seed: int

    def __str__(self):
        return f"{self.dataset}/{self.model}/seed{self.seed}"

    @property
    def data(self):
        """The data behind the data set, ``toy`` or ``beps``, whichever form of it this is."""
        return self.dataset.partition("_")[0]

    @property
    def is_network(self):
        """Whether the model is trained by MXNet."""
        return self.model.startswith("lstm")

    @property
    def has_linear_path(self):
        """Whether `lstm_vae` has the linear path, and so differs from `lstm_vae_plain`: on the scan, where the plain form falls short."""
        return self.profile != "paper" and self.data == "beps"


def jobs(profile, only=(), seeds=(0,)):
    """List the jobs of a profile, seed by seed, and of each seed the longest first.

    Parameters
    ----------
    profile : str
    only : sequence of str
        Keep only these data sets and models; ``toy`` and ``beps`` stand for all of their forms.
    seeds : sequence of int

    Raises
    ------
    ReplicationError
        If a name is not a data set or a model, or nothing is left.
    """
    unknown = [name for name in only if name not in DATASETS + MODELS]
    if unknown:
        raise ReplicationError(f"--only {unknown[0]}: no such data set or model. There are {', '.join(DATASETS + MODELS)}.")
    wanted_models = [name for name in LONGEST_FIRST if name in only] or LONGEST_FIRST
    wanted_data = [name for name in DATASETS if name in only or name.split("_")[0] in only] or DATASETS
    listed = [Job(profile, data, model, seed) for seed in dict.fromkeys(seeds) for model in wanted_models for data in reversed(wanted_data)]
    listed = [job for job in listed if job.model != "lstm_vae_plain" or job.has_linear_path]
    if not listed:
        raise ReplicationError(f"--only {' '.join(only)}: the {profile} profile has no such run.")
    return listed


def data_sizes(profile):
    """Return how many colours the toy problem is fitted to, and how many it is scored on."""
    return {"n_train": 1000, "n_gamut": 500} if profile == "smoke" else {"n_train": 10_000, "n_gamut": 5_000}


def model_parameters(job):
    """Return the parameters of the model of a job, as keyword arguments."""
    n_components, n_channels = COMPONENTS[job.data], 1 if job.data == "toy" else 2
    if job.model == "pca":
        return {"n_components": n_components}
    if job.model == "dictionary_learning":
        penalty = PAPER_LAMBDA[job.data]
        return {"n_components": n_components, "alpha": penalty, "transform_alpha": penalty, "random_state": job.seed}
    common = {"n_components": 16, "target_channels": n_components, "n_channels": n_channels, "random_state": job.seed}
    return common | _network(job)


def _network(job):
    if job.profile == "paper":
        return PAPER_NETWORK | {"schedule": PAPER_SCHEDULES[job.data]}
    linear_path = job.model == "lstm_vae" and job.has_linear_path
    ours = OUR_NETWORK | OUR_TRAINING[job.data] | {"schedule": OUR_SCHEDULES[job.data], "linear_path": linear_path}
    if job.profile == "smoke":
        ours |= {"width": 8, "schedule": replace(ours["schedule"], warmup_epochs=2, max_steps=3, settle_epochs=2)}
    return ours


def build(job):
    """Return the unfitted model of a job."""
    parameters = model_parameters(job)
    if job.model == "pca":
        return PCA(**parameters)
    if job.model == "dictionary_learning":
        return DictionaryLearning(**parameters)
    from replicate.models.lstm_vae import LSTMVariationalAutoencoder

    return LSTMVariationalAutoencoder(**parameters)


def describe(job):
    """Return the parameters of a job as plain values, for its configuration file."""
    parameters = model_parameters(job)
    if "schedule" in parameters:
        parameters["schedule"] = asdict(parameters["schedule"])
    sizes = data_sizes(job.profile) if job.data == "toy" else {}
    if job.dataset == "toy_shuffled":
        sizes |= {"shuffle_seed": 0}
    if job.dataset == "beps_heldout":
        sizes = {"block": 6, "n_folds": N_FOLDS, "split_seed": 0, "fold": job.seed % N_FOLDS}
    return asdict(job) | {"parameters": parameters, "data": sizes, "numpy": np.__version__}
