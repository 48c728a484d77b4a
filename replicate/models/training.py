"""The training loop of every autoencoder: one epoch at a time, resumable with the same bits at any epoch boundary."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import mxnet as mx
import numpy as np
from mxnet import autograd, gluon

from replicate.errors import ReplicationError
from replicate.files import read_npz, write_npz
from replicate.models.schedule import BetaSchedule, active, is_nearer
from replicate.models.weights import get_weights, in_batches, named_parameters, set_weights


@dataclass(frozen=True)
class TrainingOptions:
    """What a training needs beside network, spectra and schedule."""

    target_channels: int
    learning_rate: float
    batch_size: int
    input_noise: float
    weight_decay: float
    seed: int


@dataclass
class Progress:
    """Where a training stands; all of it, with the arrays beside it, goes into a checkpoint."""

    phase: str = "warmup"
    epoch: int = 0
    phase_epoch: int = 0
    updates: int = 0
    beta: float = 0.0
    beta_step: float = 0.0
    selected_count: int | None = None
    selected_beta: float = 0.0
    seconds: float = 0.0


class Training:
    """A training of an autoencoder, from first epoch to last.

    Parameters
    ----------
    network : AutoencoderNetwork
        Initialised and hybridised; changed in place.
    spectra : ndarray, shape (n_spectra, n_steps, n_channels)
    schedule : BetaSchedule
    options : TrainingOptions
    validation : ndarray, shape (n, n_steps, n_channels), optional
        Spectra whose reconstruction error is entered in the history each epoch; nothing is chosen by it.

    Attributes
    ----------
    history : list of dict
        One row an epoch.
    channels : ndarray of bool, shape (n_latent,)
        Channels in use; those that were not active when the model was selected are switched off for the settling.
    """

    def __init__(
        self, network, spectra, schedule: BetaSchedule, options: TrainingOptions, validation=None
    ):
        self.network, self.schedule, self.options = network, schedule, options
        self.spectra, self.validation = np.asarray(spectra, dtype=np.float32), validation
        self.progress, self.history = _start(schedule), []
        self._identity = (
            f"{schedule} {options} {hashlib.sha256(self.spectra.tobytes()).hexdigest()}"
        )
        self._parameters = named_parameters(network)
        self._decaying = [
            p
            for name, p in self._parameters.items()
            if name.endswith("weight") and ".linear." not in name
        ]
        self._is_variational = network.variational
        self.channels = np.ones(self._parameters["encoder.mean.bias"].shape[0], dtype=bool)
        self._selected = get_weights(network)
        self._selected_channels = self.channels
        self._optimizer = mx.optimizer.Adam(learning_rate=options.learning_rate)
        self._moments = [
            self._optimizer.create_state(i, p.data())
            for i, p in enumerate(self._parameters.values())
        ]

    def run(self, checkpoint=None, on_epoch=None, on_beta=None):
        """Train to the end of the schedule, saving to `checkpoint` (a path) and calling ``on_epoch(row)`` after each epoch.

        ``on_beta(row, weights)`` is called with the last epoch at each beta of the ramp, and the weights by name.

        Raises
        ------
        ReplicationError
            If the loss stops being finite, or the checkpoint is corrupt or belongs to another training.
        """
        if checkpoint is not None and Path(checkpoint).exists():
            self._load(checkpoint)
        while self.progress.phase != "done":
            row, channel_kl = self._epoch()
            if (
                on_beta is not None
                and row["phase"] == "ramp"
                and self.progress.phase_epoch % self.schedule.step_epochs == 0
            ):
                on_beta(row, get_weights(self.network))
            self._advance(row, active(channel_kl))
            self.history.append(row)
            if checkpoint is not None:
                self._save(checkpoint)
            if on_epoch is not None:
                on_epoch(row)

    def _epoch(self):
        now, rate = self.progress, self.options.learning_rate
        if now.phase == "settle":
            rate *= self.schedule.settle_rate(now.phase_epoch)
        self._optimizer.set_learning_rate(rate)
        start = time.perf_counter()
        mse, activity, channel_kl = self._update_all(
            np.random.default_rng([self.options.seed, now.epoch])
        )
        now.seconds += time.perf_counter() - start
        row = {
            "epoch": now.epoch,
            "phase": now.phase,
            "phase_epoch": now.phase_epoch,
            "beta": now.beta,
        }
        row |= {"l1_weight": self.schedule.l1_weight(now.beta), "learning_rate": rate}
        row |= {"mse": mse, "kl": float(channel_kl.mean()), "l1": activity}
        row |= {"active_channels": int(active(channel_kl).sum()), "seconds": now.seconds}
        if self.validation is not None:
            row["validation_mse"] = self._validation_mse()
        now.epoch += 1
        now.phase_epoch += 1
        return row, channel_kl

    def _update_all(self, random):
        """Take one pass over the shuffled spectra in whole batches; return mean MSE, L1 activity and channel KL."""
        size, n_latent = self.options.batch_size, len(self.channels)
        order = random.permutation(len(self.spectra))
        channels = mx.nd.array(self.channels[None].astype(np.float32))
        sums = []
        for start in range(0, len(order) - size + 1, size):
            spectra = self.spectra[order[start : start + size]]
            noise = random.standard_normal(spectra.shape, dtype=np.float32) * np.float32(
                self.options.input_noise
            )
            sampling = []
            if self._is_variational:
                sampling = [
                    mx.nd.array(random.standard_normal((size, n_latent), dtype=np.float32)),
                    channels,
                ]
            sums.append(self._update(mx.nd.array(spectra + noise), mx.nd.array(spectra), *sampling))
        loss, mse, activity, kl = (
            np.mean([values.asnumpy() for values in column], axis=0) for column in zip(*sums)
        )
        if not np.isfinite(loss):
            raise ReplicationError(
                f"the loss is not finite in epoch {self.progress.epoch}; train with a lower learning_rate, or on spectra of unit variance."
            )
        return float(mse), float(activity), kl

    def _update(self, *inputs):
        beta = self.progress.beta
        with autograd.record():
            mse, activity, kl = self.network(*inputs)
            loss = mse + self.schedule.l1_weight(beta) * activity + beta * kl.mean()
        loss.backward()
        gradients = [parameter.grad() for parameter in self._parameters.values()]
        gluon.utils.clip_global_norm(gradients, 1.0, check_isfinite=False)
        for i, (parameter, gradient) in enumerate(zip(self._parameters.values(), gradients)):
            self._optimizer.update(i, parameter.data(), gradient, self._moments[i])
        if self.options.weight_decay:
            self._decay()
        self.progress.updates += 1
        return loss, mse, activity, kl

    def _decay(self):
        keep = 1 - self._optimizer.learning_rate * self.options.weight_decay
        for parameter in self._decaying:
            weights = parameter.data()
            weights *= keep

    def _validation_mse(self):
        def reconstruct(spectra):
            mean = self.network.encoder(spectra)[0] * mx.nd.array(
                self.channels[None].astype(np.float32)
            )
            return self.network.decoder(mean)[:1]

        return float(
            np.mean(
                (in_batches(reconstruct, self.validation)[0] - self.validation) ** 2,
                dtype=np.float64,
            )
        )

    def _advance(self, row, channels):
        """Decide, after an epoch in which `channels` were active, what the next one is."""
        now, schedule = self.progress, self.schedule
        if now.phase == "warmup" and now.phase_epoch >= schedule.warmup_epochs:
            now.beta_step = schedule.beta_step(row["mse"], row["kl"])
            now.phase, now.phase_epoch, now.beta = "ramp", 0, now.beta_step
        elif now.phase == "ramp" and now.phase_epoch % schedule.step_epochs == 0:
            self._step_beta(channels)
        elif now.phase == "settle" and now.phase_epoch == schedule.settle_epochs:
            now.phase = "done"
            if now.selected_count is None:
                now.selected_count = int(channels.sum())

    def _step_beta(self, channels):
        now, target, count = self.progress, self.options.target_channels, int(channels.sum())
        if is_nearer(count, now.selected_count, target):
            now.selected_count, now.selected_beta = count, now.beta
            self._selected, self._selected_channels = get_weights(self.network), channels
        if (
            count <= target
            or now.phase_epoch >= self.schedule.max_steps * self.schedule.step_epochs
        ):
            self._select()
        else:
            now.beta += now.beta_step

    def _select(self):
        """Go back to the selected model; if it is to settle, switch its inactive channels off."""
        now = self.progress
        set_weights(self.network, self._selected)
        if self.schedule.settle_epochs:
            self.channels = self._selected_channels
            now.phase, now.phase_epoch, now.beta = "settle", 0, self.schedule.settle_beta
        else:
            now.phase = "done"

    def _save(self, path):
        arrays = {f"weight/{name}": array for name, array in get_weights(self.network).items()}
        arrays |= {f"selected/{name}": array for name, array in self._selected.items()}
        for i, moments in enumerate(self._moments):
            arrays |= {f"moment/{i}/{j}": moment.asnumpy() for j, moment in enumerate(moments)}
        state = json.dumps(
            {"training": self._identity, "progress": asdict(self.progress), "history": self.history}
        )
        write_npz(
            path,
            state=np.array(state),
            channels=self.channels,
            selected_channels=self._selected_channels,
            **arrays,
        )

    def _load(self, path):
        arrays = read_npz(path)
        try:
            state = json.loads(str(arrays["state"]))
            if state["training"] != self._identity:
                raise ValueError("its schedule, options or spectra are others")
            self.progress, self.history = Progress(**state["progress"]), state["history"]
            self.channels, self._selected_channels = arrays["channels"], arrays["selected_channels"]
            self._selected = {name: arrays[f"selected/{name}"] for name in self._parameters}
            set_weights(self.network, {name: arrays[f"weight/{name}"] for name in self._parameters})
            for i, moments in enumerate(self._moments):
                for j, moment in enumerate(moments):
                    moment[:] = arrays[f"moment/{i}/{j}"]
        except (KeyError, TypeError, ValueError, ReplicationError) as error:
            raise ReplicationError(
                f"{path}: not a checkpoint of this training ({error}). Delete it and run again."
            ) from error
        self._optimizer = mx.optimizer.Adam(
            learning_rate=self.options.learning_rate, begin_num_update=self.progress.updates
        )


def _start(schedule):
    """Return where a training starts: with beta fixed at its settling, otherwise at its warm-up."""
    if schedule.fixed_beta is None:
        return Progress()
    return Progress(phase="settle", beta=schedule.fixed_beta, selected_beta=schedule.fixed_beta)
