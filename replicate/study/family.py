"""The family of models: the design of each, the paper's beside ours.

Qin, Guo, Kaliyev and Agar, Adv. Mater. 2022, 10.1002/adma.202202814. All models are scikit-learn
transformers. MXNet is imported only by the models that need it, when they are built.
"""

from __future__ import annotations

import importlib
import operator
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, NamedTuple

from replicate import own_model
from replicate.models.schedule import BetaSchedule

#: Latents of every model, as in the paper. For a beta-VAE these are the active ones of 16.
COMPONENTS = {"toy": 3, "beps": 5}

#: The lambda that the paper reports for dictionary learning.
PAPER_LAMBDA = {"toy": 0.57, "beps": 1.0}


class ScanSizes(NamedTuple):
    """How large a scan is: what the design of a network depends on."""

    n_spectra: int
    n_channels: int
    n_steps: int

    @classmethod
    def of(cls, scan) -> ScanSizes:
        """Return the sizes of a `Scan`."""
        return cls(len(scan.spectra), scan.n_channels, scan.n_steps)


#: The paper's scan, and its simulated twin.
PAPER_SCAN = ScanSizes(n_spectra=3600, n_channels=2, n_steps=96)

#: Spectra in four of five folds of the paper's scan.
SPECTRA_OF_FOUR_FOLDS = 2880


def _on_both(part):
    """Return what a network has on the toy problem and on a scan alike, by domain."""
    return dict.fromkeys(COMPONENTS, part)


# Latents of the two kinds of network.

#: A beta-VAE has 16 latents, as in the paper, and is chosen by the number of active ones.
VAE = {
    "toy": {"n_components": 16, "target_channels": COMPONENTS["toy"]},
    "beps": {"n_components": 16, "target_channels": COMPONENTS["beps"]},
}

#: A plain autoencoder has as many latents as a beta-VAE has active ones.
AUTOENCODER = {
    "toy": {"n_components": COMPONENTS["toy"], "variational": False},
    "beps": {"n_components": COMPONENTS["beps"], "variational": False},
}

# Training, the same for every network but for what its form asks for.

TRAINING = {
    "toy": {"batch_size": 200, "linear_path": False, "learning_rate": 5e-3},
    "beps": {
        "batch_size": 100,
        "linear_path": True,
        "learning_rate": 3e-3,
        "input_noise": 0.2,
        "weight_decay": 0.3,
    },
}

#: Networks without recurrence take more epochs at a lower rate, which cost less time still.
FEEDFORWARD_TRAINING = {
    "toy": TRAINING["toy"],
    "beps": TRAINING["beps"] | {"learning_rate": 2e-3},
}

#: The paper's form on the scan: what suits the other networks would stop it far from the end of
#: its training.
PLAIN_TRAINING = _on_both({"batch_size": 200, "input_noise": 0.1, "weight_decay": 0.0})

# Schedules: hundreds of epochs where the paper has thousands, then a settling with beta low.

RECURRENT_SCHEDULE = {
    "toy": BetaSchedule(warmup_epochs=15, settle_epochs=60),
    "beps": BetaSchedule(warmup_epochs=5, settle_epochs=100),
}
FEEDFORWARD_SCHEDULE = {
    # With the paper's 60 % the ramp would not come down to three channels in its hundred steps.
    "toy": BetaSchedule(warmup_epochs=5, kl_share=0.97, settle_epochs=160),
    "beps": BetaSchedule(warmup_epochs=5, settle_epochs=150),
}
PLAIN_SCHEDULE = _on_both(BetaSchedule(warmup_epochs=20, settle_epochs=100))

#: The paper's layers at their size take a minute and more an epoch: small batches make the most of
#: few epochs, and a large first step of beta ends the ramp after few steps.
PAPER_LAYERS_TRAINING = {
    "toy": {"batch_size": 50, "learning_rate": 1e-3},
    "beps": {"batch_size": 25, "learning_rate": 1e-3},
}
PAPER_LAYERS_SCHEDULE = {
    # The error after the warm-up is a tenth of the scan's: the same share would be a tiny step.
    "toy": BetaSchedule(warmup_epochs=8, kl_share=0.97, max_steps=12, settle_epochs=16),
    "beps": BetaSchedule(warmup_epochs=8, kl_share=0.75, max_steps=12, settle_epochs=24),
}

#: Networks without warm-up and ramp spend the epochs of the warm-up on settling.
RECURRENT_SETTLING = {
    "toy": replace(RECURRENT_SCHEDULE["toy"], settle_epochs=75),
    "beps": replace(RECURRENT_SCHEDULE["beps"], settle_epochs=105),
}
FEEDFORWARD_SETTLING = {
    "toy": replace(FEEDFORWARD_SCHEDULE["toy"], settle_epochs=165),
    "beps": replace(FEEDFORWARD_SCHEDULE["beps"], settle_epochs=155),
}

#: The fixed beta of `lstm_vae_fixed`: the one at which the scheduled models settle.
FIXED_BETA = 2e-4
FIXED_BETA_SCHEDULE = {
    domain: replace(schedule, fixed_beta=FIXED_BETA)
    for domain, schedule in RECURRENT_SETTLING.items()
}

#: What makes any schedule short enough for the smoke profile.
SMOKE_SCHEDULE = {"warmup_epochs": 2, "kl_share": 0.6, "max_steps": 3, "settle_epochs": 2}

# Forms: the layers of a network.

LINEAR = _on_both({"hidden": (), "linear_path": False})
DENSE = _on_both({"hidden": (128, 128)})
CONVOLUTIONAL = _on_both({"filters": (16, 32, 64), "kernel_size": 5})

#: The paper's form at our size: no linear path, no patches, no features for single steps of the
#: decoder.
PLAIN = _on_both(
    {"n_blocks": 0, "n_layers": 1, "width": 32, "n_embedding": 16, "linear_path": False}
)

#: Ours reads eight steps at once on the scan, and gives each step of the decoder some features.
RECURRENT = {
    "toy": PLAIN["toy"],
    "beps": {
        "n_blocks": 0,
        "n_layers": 1,
        "width": 32,
        "n_embedding": 64,
        "n_own": 32,
        "patch": 8,
    },
}

#: The paper's layers: 3 residual blocks of 2 bidirectional layers of 128 units.
PAPER_LAYERS = {
    "n_blocks": 3,
    "n_layers": 2,
    "width": 128,
    "linear_path": False,
    "at_once": 50,
}

#: The paper's network, and its ADAM.
PAPER_NETWORK = PAPER_LAYERS | {"learning_rate": 3e-5, "batch_size": 300}
PAPER_SCHEDULE = {
    "toy": BetaSchedule(
        warmup_epochs=2000, step_epochs=100, max_steps=45, settle_epochs=0, rule="nearest"
    ),
    "beps": BetaSchedule(
        warmup_epochs=1000, step_epochs=1000, max_steps=19, settle_epochs=0, rule="nearest"
    ),
}


@dataclass(frozen=True)
class Design:
    """A model: its name for readers, its class, and what it is built with.

    Attributes
    ----------
    label : str
        Name in figures and tables.
    place : str
        Module and class in `replicate.models`.
    toy, beps : dict
        Keyword arguments on the toy problem and on a scan, in the standard profile.
    smoke : dict
        Keyword arguments that make it tiny, for the smoke profile.
    is_seeded : bool
        Whether it takes a ``random_state``.
    """

    label: str
    place: str
    toy: dict = field(default_factory=dict)
    beps: dict = field(default_factory=dict)
    smoke: dict = field(default_factory=dict)
    is_seeded: bool = True

    @property
    def is_network(self) -> bool:
        """Whether the model is trained by MXNet."""
        return "schedule" in self.beps


def _linear(label: str, name: str, is_seeded: bool = True, **alpha: float) -> Design:
    """Return the design of a linear model; `alpha` is its penalty on each domain, if it has one."""
    parameters = {
        domain: {"n_components": count} | ({"alpha": alpha[domain]} if alpha else {})
        for domain, count in COMPONENTS.items()
    }
    return Design(label, f"linear.{name}", **parameters, is_seeded=is_seeded)


def _network(
    label: str, place: str, parts: tuple[dict, ...], schedule: dict, smoke: dict | None = None
) -> Design:
    """Return the design of a network: on each domain its parts, and its schedule.

    What a later part says of a parameter counts.
    """
    parameters = {
        domain: reduce(operator.or_, (part[domain] for part in parts))
        | {"schedule": schedule[domain]}
        for domain in COMPONENTS
    }
    return Design(label, place, **parameters, smoke=smoke or {})


_DENSE_CLASS = "dense_vae.DenseVariationalAutoencoder"
_CONVOLUTIONAL_CLASS = "convolutional_vae.ConvolutionalVariationalAutoencoder"
_LSTM_CLASS = "lstm_vae.LSTMVariationalAutoencoder"


class ByModel(dict):
    """Something of every model by its name; of one of the user's own it is made when asked for.

    Parameters
    ----------
    entries : dict
        Of the models of the study. Only they are listed, and only they are ``in`` it.
    of_own : callable
        Makes that of a model of the user's own from its name.
    """

    def __init__(self, entries: dict[str, Any], of_own: Callable[[str], Any]):
        super().__init__(entries)
        self._of_own = of_own

    def __missing__(self, model: str) -> Any:
        """Return that of a model of the user's own."""
        if own_model.is_own(model):
            return self._of_own(model)
        raise KeyError(model)


def _own_design(model: str) -> Design:
    """Return the design of a model of the user's own."""
    parameters = {
        domain: {"name": model, "n_components": count} for domain, count in COMPONENTS.items()
    }
    return Design(own_model.label(model), "own.OwnModel", **parameters)


_STUDIED = {
    "pca": _linear("PCA", "PCA", is_seeded=False),
    "ica": _linear("ICA", "ICA"),
    "nmf": _linear("NMF", "NMF"),
    "sparse_pca": _linear("Sparse PCA", "SparsePCA"),
    "dictionary_learning": _linear("Dictionary learning", "DictionaryLearning", **PAPER_LAMBDA),
    "dictionary_omp": _linear("Dictionary learning, OMP", "OMPDictionaryLearning", **PAPER_LAMBDA),
    "dictionary_positive": _linear(
        "Dictionary learning, positive", "PositiveDictionaryLearning", **PAPER_LAMBDA
    ),
    "linear_ae": _network(
        "Linear autoencoder",
        _DENSE_CLASS,
        (AUTOENCODER, FEEDFORWARD_TRAINING, LINEAR),
        FEEDFORWARD_SETTLING,
    ),
    "dense_ae": _network(
        "Dense autoencoder",
        _DENSE_CLASS,
        (AUTOENCODER, FEEDFORWARD_TRAINING, DENSE),
        FEEDFORWARD_SETTLING,
        smoke={"hidden": (8,)},
    ),
    "dense_vae": _network(
        "Dense β-VAE",
        _DENSE_CLASS,
        (VAE, FEEDFORWARD_TRAINING, DENSE),
        FEEDFORWARD_SCHEDULE,
        smoke={"hidden": (8,)},
    ),
    "conv_vae": _network(
        "Convolutional β-VAE",
        _CONVOLUTIONAL_CLASS,
        (VAE, FEEDFORWARD_TRAINING, CONVOLUTIONAL),
        FEEDFORWARD_SCHEDULE,
        smoke={"filters": (4,)},
    ),
    "lstm_ae": _network(
        "LSTM autoencoder",
        _LSTM_CLASS,
        (AUTOENCODER, TRAINING, RECURRENT),
        RECURRENT_SETTLING,
        smoke={"width": 8},
    ),
    "lstm_vae_fixed": _network(
        "LSTM β-VAE, β fixed",
        _LSTM_CLASS,
        (VAE, TRAINING, RECURRENT),
        FIXED_BETA_SCHEDULE,
        smoke={"width": 8},
    ),
    "lstm_vae_plain": _network(
        "LSTM β-VAE, paper's form",
        _LSTM_CLASS,
        (VAE, TRAINING, PLAIN_TRAINING, PLAIN),
        PLAIN_SCHEDULE,
        smoke={"width": 8},
    ),
    "lstm_vae_paper": _network(
        "LSTM β-VAE, paper's size",
        _LSTM_CLASS,
        (VAE, PAPER_LAYERS_TRAINING, _on_both(PAPER_LAYERS)),
        PAPER_LAYERS_SCHEDULE,
        smoke={"n_blocks": 1, "width": 8},
    ),
    "lstm_vae": _network(
        "LSTM β-VAE",
        _LSTM_CLASS,
        (VAE, TRAINING, RECURRENT),
        RECURRENT_SCHEDULE,
        smoke={"width": 8},
    ),
}

#: Every model by its name, in the order in which tables list them.
MODELS = ByModel(_STUDIED, _own_design)

LABELS = ByModel({name: design.label for name, design in MODELS.items()}, own_model.label)
SHORT_LABELS = {"pca": "PCA", "dictionary_learning": "DL", "lstm_vae": "VAE"}

#: Models that take hours: they are fitted only where they are asked for by name.
ON_REQUEST = ("lstm_vae_paper",)

NETWORKS = tuple(name for name, design in MODELS.items() if design.is_network)
LONGEST_FIRST = tuple(reversed(MODELS))


def build(job, scan: ScanSizes = PAPER_SCAN):
    """Return the unfitted model of a job, a scikit-learn transformer.

    Parameters
    ----------
    job : Job
    scan : ScanSizes
        Sizes of the scan that it is fitted to.
    """
    module, name = MODELS[job.model].place.split(".")
    model_class = getattr(importlib.import_module(f"replicate.models.{module}"), name)
    return model_class(**parameters(job, scan))


def parameters(job, scan: ScanSizes = PAPER_SCAN) -> dict:
    """Return the parameters of the model of a job, as keyword arguments.

    Parameters
    ----------
    job : Job
    scan : ScanSizes
        Sizes of the scan that it is fitted to: a network gets its channels, patches that divide
        its steps, and, in the standard profile, more epochs where it has fewer spectra than the
        paper's.
    """
    design = MODELS[job.model]
    chosen = dict(getattr(design, job.domain))
    if design.is_seeded:
        chosen["random_state"] = job.init_seed
    if design.is_network:
        chosen = _of_profile(chosen, design, job)
        chosen["n_channels"] = 1
    if design.is_network and job.domain == "beps":
        chosen = _fitted_to_scan(chosen, job.profile, scan)
    if job.setting is not None:
        chosen |= _change(chosen, *job.setting)
    return chosen


def _of_profile(chosen: dict, design: Design, job) -> dict:
    """Return the parameters of a network in the profile of a job.

    `chosen` are those of the standard profile.
    """
    if job.profile == "paper":
        variational = VAE[job.domain] | {"random_state": job.init_seed}
        return variational | PAPER_NETWORK | {"schedule": PAPER_SCHEDULE[job.domain]}
    if job.profile == "smoke":
        return chosen | design.smoke | {"schedule": _smoke_schedule(chosen)}
    return chosen


def _smoke_schedule(chosen: dict) -> BetaSchedule:
    short = replace(chosen["schedule"], **SMOKE_SCHEDULE)
    has_ramp = chosen.get("variational", True) and short.fixed_beta is None
    return short if has_ramp else replace(short, settle_epochs=4)


def _fitted_to_scan(chosen: dict, profile: str, scan: ScanSizes) -> dict:
    """Return the parameters of a network for a scan of these sizes."""
    chosen = chosen | {"n_channels": scan.n_channels}
    if "patch" in chosen:
        sizes = range(1, chosen["patch"] + 1)
        chosen["patch"] = max(size for size in sizes if scan.n_steps % size == 0)
    if profile == "standard":
        factor = max(1, PAPER_SCAN.n_spectra / scan.n_spectra)
        chosen["schedule"] = _longer(chosen["schedule"], factor)
    return chosen


def _change(chosen: dict, name: str, value: float) -> dict:
    """Return the parameters that a setting of `replicate.study.sweeps` changes."""
    schedule = chosen.get("schedule")
    if name == "latents":
        is_chosen_by_beta = "target_channels" in chosen and schedule.fixed_beta is None
        return {"target_channels" if is_chosen_by_beta else "n_components": value}
    if name == "hidden":
        return {"hidden": (value, value)}
    if name == "beta":
        return {"schedule": replace(schedule, fixed_beta=value)}
    if name == "kl_share":
        return {"schedule": replace(schedule, kl_share=value)}
    if name == "epochs":
        return {"schedule": _longer(schedule, value)}
    if name == "noise":
        return {}
    if name == "n_train":
        return {"schedule": _longer(schedule, SPECTRA_OF_FOUR_FOLDS / value)} if schedule else {}
    if name == "linear_path":
        return {"linear_path": bool(value)}
    return {name: value}


def _longer(schedule: BetaSchedule, factor: float) -> BetaSchedule:
    """Return a schedule of `factor` times as many epochs, but for the steps of the ramp."""
    return replace(
        schedule,
        warmup_epochs=max(1, round(schedule.warmup_epochs * factor)),
        step_epochs=max(1, round(schedule.step_epochs * factor)),
        settle_epochs=max(1, round(schedule.settle_epochs * factor)),
    )
