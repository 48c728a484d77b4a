"""The family of models, and the hyperparameters of each: the paper's beside ours.

Qin, Guo, Kaliyev and Agar, Adv. Mater. 2022, 10.1002/adma.202202814. All are scikit-learn transformers. MXNet is imported only by those
that need it, when they are built.
"""

from __future__ import annotations

import importlib
from dataclasses import replace

from replicate.models.schedule import BetaSchedule

COMPONENTS = {"toy": 3, "beps": 5}
"""Latents of every model, of a beta-VAE the active ones, as in the paper."""

CHANNELS = {"toy": 1, "beps": 2}
"""Channels stacked in a spectrum."""

PAPER_LAMBDA = {"toy": 0.57, "beps": 1.0}

MODELS = {
    "pca": "linear.PCA",
    "ica": "linear.ICA",
    "nmf": "linear.NMF",
    "sparse_pca": "linear.SparsePCA",
    "dictionary_learning": "linear.DictionaryLearning",
    "dictionary_omp": "linear.OMPDictionaryLearning",
    "dictionary_positive": "linear.PositiveDictionaryLearning",
    "linear_ae": "dense_vae.DenseVariationalAutoencoder",
    "dense_ae": "dense_vae.DenseVariationalAutoencoder",
    "dense_vae": "dense_vae.DenseVariationalAutoencoder",
    "conv_vae": "convolutional_vae.ConvolutionalVariationalAutoencoder",
    "lstm_ae": "lstm_vae.LSTMVariationalAutoencoder",
    "lstm_vae_fixed": "lstm_vae.LSTMVariationalAutoencoder",
    "lstm_vae_plain": "lstm_vae.LSTMVariationalAutoencoder",
    "lstm_vae": "lstm_vae.LSTMVariationalAutoencoder",
}
"""Where the class of each model is, in `replicate.models`; in the order in which tables list them."""

LABELS = {
    "pca": "PCA",
    "ica": "ICA",
    "nmf": "NMF",
    "sparse_pca": "Sparse PCA",
    "dictionary_learning": "Dictionary learning",
    "dictionary_omp": "Dictionary learning, OMP",
    "dictionary_positive": "Dictionary learning, positive",
    "linear_ae": "Linear autoencoder",
    "dense_ae": "Dense autoencoder",
    "dense_vae": "Dense β-VAE",
    "conv_vae": "Convolutional β-VAE",
    "lstm_ae": "LSTM autoencoder",
    "lstm_vae_fixed": "LSTM β-VAE, β fixed",
    "lstm_vae_plain": "LSTM β-VAE, paper's form",
    "lstm_vae": "LSTM β-VAE",
}
SHORT_LABELS = {"pca": "PCA", "dictionary_learning": "DL", "lstm_vae": "VAE"}

NETWORKS = tuple(name for name, place in MODELS.items() if "Autoencoder" in place)
LONGEST_FIRST = tuple(reversed(MODELS))

# The paper's network: 3 residual blocks of 2 bidirectional layers of 128 units, ADAM at 3e-5, batches of 300.
PAPER_NETWORK = {
    "n_blocks": 3,
    "n_layers": 2,
    "width": 128,
    "linear_path": False,
    "learning_rate": 3e-5,
    "batch_size": 300,
}
PAPER_SCHEDULES = {
    "toy": BetaSchedule(warmup_epochs=2000, step_epochs=100, max_steps=45, settle_epochs=0),
    "beps": BetaSchedule(warmup_epochs=1000, step_epochs=1000, max_steps=19, settle_epochs=0),
}
# Ours: small, and hundreds of epochs instead of thousands, then a settling with beta low. Every network of the family is trained alike but
# for what its name says; what has no recurrence has more epochs at a lower rate, which take less time still.
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
SCHEDULES = {
    "toy": BetaSchedule(warmup_epochs=15, settle_epochs=60),
    "beps": BetaSchedule(warmup_epochs=5, settle_epochs=100),
}
FEEDFORWARD_TRAINING = {"toy": {}, "beps": {"learning_rate": 2e-3}}
FEEDFORWARD_SCHEDULES = {
    # With the paper's 60 % the ramp would not come down to three channels in its hundred steps.
    "toy": BetaSchedule(warmup_epochs=5, kl_share=0.97, settle_epochs=160),
    "beps": BetaSchedule(warmup_epochs=5, settle_epochs=150),
}
DENSE, CONVOLUTIONAL = {"hidden": (128, 128)}, {"filters": (16, 32, 64), "kernel_size": 5}
PLAIN = {"n_blocks": 0, "n_layers": 1, "width": 32, "n_embedding": 16, "linear_path": False}
"""The paper's form at our size: no linear path, no patches, nothing of its own for a step of the decoder."""

PLAIN_TRAINING = {"batch_size": 200, "input_noise": 0.1, "weight_decay": 0.0}
PLAIN_SCHEDULE = BetaSchedule(warmup_epochs=20, settle_epochs=100)
"""Of the plain form on the scan: what suits the others would leave it far from the end of its training."""

RECURRENT = {
    "toy": PLAIN,
    "beps": {"n_blocks": 0, "n_layers": 1, "width": 32, "n_embedding": 64, "n_own": 32, "patch": 8},
}

SPECTRA, SPECTRA_OF_FOUR_FOLDS = 3600, 2880
"""Of the scan, and of four folds of it; fitted to fewer, a network gets as many more epochs."""

FIXED_BETA = 2e-4
"""Of `lstm_vae_fixed`: that at which the scheduled models settle."""


def build(job, scan=None):
    """Return the unfitted model of a job."""
    module, name = MODELS[job.model].split(".")
    return getattr(importlib.import_module(f"replicate.models.{module}"), name)(
        **parameters(job, scan)
    )


def parameters(job, scan=None):
    """Return the parameters of the model of a job, as keyword arguments.

    Parameters
    ----------
    job : Job
    scan : Scan, optional
        Of the user's own: the networks get its channels, and patches that divide its steps.
    """
    chosen = _network(job) if job.model in NETWORKS else _linear(job)
    if scan is not None and job.model in NETWORKS:
        chosen = _sized(chosen, job, scan)
    return chosen if job.setting is None else _changed(chosen, *job.setting)


def _linear(job):
    chosen = {"n_components": COMPONENTS[job.data], "random_state": job.seed}
    if job.model == "pca":
        del chosen["random_state"]
    elif job.model.startswith("dictionary"):
        chosen["alpha"] = PAPER_LAMBDA[job.data]
    return chosen


def _network(job):
    latents = COMPONENTS[job.data]
    chosen = {
        "n_components": 16,
        "target_channels": latents,
        "n_channels": CHANNELS[job.data],
        "random_state": job.seed,
    }
    if job.profile == "paper":
        return chosen | PAPER_NETWORK | {"schedule": PAPER_SCHEDULES[job.data]}
    is_recurrent = job.model.startswith("lstm")
    schedule = (SCHEDULES if is_recurrent else FEEDFORWARD_SCHEDULES)[job.data]
    chosen |= (
        TRAINING[job.data] | ({} if is_recurrent else FEEDFORWARD_TRAINING[job.data]) | _shape(job)
    )
    if job.model == "lstm_vae_plain":
        chosen |= PLAIN_TRAINING
        schedule = PLAIN_SCHEDULE
    if job.profile == "smoke":
        schedule = replace(schedule, warmup_epochs=2, kl_share=0.6, max_steps=3, settle_epochs=2)
    if job.model.endswith("_ae"):
        del chosen["target_channels"]
        chosen |= {"n_components": latents, "variational": False}
    if job.model == "lstm_vae_fixed":
        schedule = replace(schedule, fixed_beta=FIXED_BETA)
    # Without warm-up and ramp all epochs are of the settling.
    if job.model.endswith(("_ae", "_fixed")):
        schedule = replace(schedule, settle_epochs=schedule.warmup_epochs + schedule.settle_epochs)
    return chosen | {"schedule": schedule}


def _sized(chosen, job, scan):
    """Return the parameters of a network for a scan of other channels, steps and pixels than the paper's."""
    chosen = chosen | {"n_channels": scan.n_channels}
    if "patch" in chosen:
        chosen["patch"] = max(
            size for size in range(1, chosen["patch"] + 1) if scan.n_steps % size == 0
        )
    if job.profile == "standard":
        chosen["schedule"] = _longer(chosen["schedule"], max(1, SPECTRA / len(scan.spectra)))
    return chosen


def _shape(job):
    """Return the sizes of a network of ours, in the smoke profile tiny ones."""
    smoke = job.profile == "smoke"
    if job.model == "linear_ae":
        return {"hidden": (), "linear_path": False}
    if job.model.startswith("dense"):
        return {"hidden": (8,)} if smoke else DENSE
    if job.model.startswith("conv"):
        return {"filters": (4,)} if smoke else CONVOLUTIONAL
    shape = PLAIN if job.model == "lstm_vae_plain" else RECURRENT[job.data]
    return shape | {"width": 8} if smoke else shape


def _changed(chosen, name, value):
    """Return parameters with one setting of a sweep changed; `replicate.study.sweeps` says which there are."""
    schedule = chosen.get("schedule")
    if name == "latents":
        is_chosen_by_beta = "target_channels" in chosen and schedule.fixed_beta is None
        changed = {"target_channels": value} if is_chosen_by_beta else {"n_components": value}
    elif name == "hidden":
        changed = {"hidden": (value, value)}
    elif name == "beta":
        changed = {"schedule": replace(schedule, fixed_beta=value)}
    elif name == "kl_share":
        changed = {"schedule": replace(schedule, kl_share=value)}
    elif name == "epochs":
        changed = {"schedule": _longer(schedule, value)}
    elif name == "noise":
        changed = {}
    elif name == "n_train":
        changed = {"schedule": _longer(schedule, SPECTRA_OF_FOUR_FOLDS / value)} if schedule else {}
    elif name == "linear_path":
        changed = {name: bool(value)}
    else:
        changed = {name: value}
    return chosen | changed


def _longer(schedule, factor):
    """Return a schedule of `factor` times as many epochs, but for the steps of the ramp."""
    return replace(
        schedule,
        warmup_epochs=max(1, round(schedule.warmup_epochs * factor)),
        step_epochs=max(1, round(schedule.step_epochs * factor)),
        settle_epochs=max(1, round(schedule.settle_epochs * factor)),
    )
