"""The training loop of every autoencoder: one epoch at a time.

A training can be stopped and resumed at the end of any epoch, and then gives the same bits.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import mxnet as mx
import numpy as np
from mxnet import autograd, gluon

from replicate.errors import ReplicationError
from replicate.files import read_npz, write_npz
from replicate.models.network import AutoencoderNetwork
from replicate.models.ramp import GO_BACK, RULES, SELECT
from replicate.models.schedule import BetaSchedule, active
from replicate.models.weights import get_weights, in_batches, named_parameters, set_weights


@dataclass(frozen=True)
class TrainingOptions:
    """The options of a training beside network, spectra and schedule.

    Attributes
    ----------
    target_channels : int
        Number of active channels at which beta stops growing.
    learning_rate : float
        Learning rate of ADAM.
    batch_size : int
        Number of spectra in each update.
    input_noise : float
        Standard deviation of the noise on the input of the encoder.
    weight_decay : float
        Share of the learning rate by which weights shrink at each update.
    seed : int
        Seed of shuffling, noise and sampling.
    at_once : int, optional
        How many spectra at the most pass through the network at once, which is what memory is
        needed for. A batch of more is cut into equal parts, and their gradients are added up. By
        default a batch is not cut.
    """

    target_channels: int
    learning_rate: float
    batch_size: int
    input_noise: float
    weight_decay: float
    seed: int
    at_once: int | None = None


@dataclass
class Progress:
    """Where a training stands; all of it goes into a checkpoint, with the arrays beside it.

    Attributes
    ----------
    phase : str
        ``"warmup"``, ``"ramp"``, ``"settle"`` or ``"done"``.
    epoch, phase_epoch : int
        Epochs since the training began, and since the phase began.
    updates : int
        Updates of the weights since the training began.
    beta : float
        beta of this epoch.
    kept_updates : int
        Updates of the weights before the model that the ramp keeps.
    selected_count : int or None
        Number of active channels of the selected model; None before there is one.
    selected_beta : float
        beta of the selected model.
    selected_how : str
        How the ramp came to this number, as `replicate.models.ramp` says; ``fixed`` without a ramp.
    seconds : float
        Time spent on updates.
    """

    phase: str = "warmup"
    epoch: int = 0
    phase_epoch: int = 0
    updates: int = 0
    beta: float = 0.0
    kept_updates: int = 0
    selected_count: int | None = None
    selected_beta: float = 0.0
    selected_how: str = "fixed"
    seconds: float = 0.0


class Training:
    """A training of an autoencoder, from the first epoch to the last.

    Parameters
    ----------
    network : AutoencoderNetwork
        The network, initialised and hybridised; it is changed in place.
    spectra : ndarray of shape (n_spectra, n_steps, n_channels)
        The spectra to train on.
    schedule : BetaSchedule
    options : TrainingOptions
    validation : ndarray of shape (n, n_steps, n_channels), optional
        Spectra whose reconstruction error is entered in the history each epoch; nothing is chosen
        by it.

    Attributes
    ----------
    history : list of dict
        One row an epoch.
    channels : ndarray of bool, shape (n_latent,)
        Channels in use. Those that were not active when the model was selected are switched off for
        the settling.
    """

    def __init__(
        self,
        network: AutoencoderNetwork,
        spectra: np.ndarray,
        schedule: BetaSchedule,
        options: TrainingOptions,
        validation: np.ndarray | None = None,
    ):
        self.network = network
        self.schedule = schedule
        self.options = options
        self.spectra = np.asarray(spectra, dtype=np.float32)
        self.validation = validation
        self.progress = _first_progress(schedule)
        self.history = []
        spectra_hash = hashlib.sha256(self.spectra.tobytes()).hexdigest()
        self._identity = f"{schedule} {options} {spectra_hash}"
        self._parameters = named_parameters(network)
        self._decaying = [
            parameter
            for name, parameter in self._parameters.items()
            if name.endswith("weight") and ".linear." not in name
        ]
        self._is_variational = network.variational
        self._n_parts = count_parts(options.batch_size, options.at_once)
        if self._n_parts > 1:
            for parameter in self._parameters.values():
                parameter.grad_req = "add"
        self.channels = np.ones(self._parameters["encoder.mean.bias"].shape[0], dtype=bool)
        self._optimizer = mx.optimizer.Adam(learning_rate=options.learning_rate)
        self._moments = [
            self._optimizer.create_state(i, parameter.data())
            for i, parameter in enumerate(self._parameters.values())
        ]
        self._ramp = RULES[schedule.rule](options.target_channels, 0.0, schedule.max_steps)
        self._kept = self._model()
        self._kept_kl = np.zeros(len(self.channels))

    def run(
        self,
        checkpoint: str | Path | None = None,
        on_epoch: Callable[[dict[str, Any]], None] | None = None,
        on_beta: Callable[[dict[str, Any], dict[str, np.ndarray]], None] | None = None,
    ) -> None:
        """Train to the end of the schedule.

        Parameters
        ----------
        checkpoint : path-like, optional
            A file that is written after every epoch, and that the training continues from where it
            is there already.
        on_epoch : callable, optional
            Called with the row of the history after each epoch.
        on_beta : callable, optional
            Called with the row and the weights by name after the last epoch at each beta of the
            ramp.

        Raises
        ------
        ReplicationError
            If the loss is no longer finite, or if the checkpoint is corrupt or belongs to another
            training.
        """
        if checkpoint is not None and Path(checkpoint).exists():
            self._load(checkpoint)
        while self.progress.phase != "done":
            row, channel_kl = self._epoch()
            if on_beta is not None and self._is_at_end_of_beta(row["phase"]):
                on_beta(row, get_weights(self.network))
            self._advance(row, channel_kl)
            self.history.append(row)
            if checkpoint is not None:
                self._save(checkpoint)
            if on_epoch is not None:
                on_epoch(row)

    def _is_at_end_of_beta(self, phase):
        """Return whether the last epoch was the last one at a beta of the ramp."""
        return phase == "ramp" and self.progress.phase_epoch % self.schedule.step_epochs == 0

    def _epoch(self):
        """Train for one epoch; return its row of the history, and the KL of each channel."""
        progress = self.progress
        rate = self.options.learning_rate
        if progress.phase == "settle":
            rate *= self.schedule.settle_rate(progress.phase_epoch)
        self._optimizer.set_learning_rate(rate)
        start = time.perf_counter()
        rng = np.random.default_rng([self.options.seed, progress.epoch])
        mse, activity, channel_kl = self._update_all(rng)
        # The engine works behind: a clock that is read before it is done would run too slow.
        mx.nd.waitall()
        progress.seconds += time.perf_counter() - start
        row = {
            "epoch": progress.epoch,
            "phase": progress.phase,
            "phase_epoch": progress.phase_epoch,
            "beta": progress.beta,
            "l1_weight": self.schedule.l1_weight(progress.beta),
            "learning_rate": rate,
            "mse": mse,
            "kl": float(channel_kl.mean()),
            "l1": activity,
            "active_channels": int(active(channel_kl).sum()),
            "seconds": progress.seconds,
        }
        if self.validation is not None:
            row["validation_mse"] = self._validation_mse()
        progress.epoch += 1
        progress.phase_epoch += 1
        return row, channel_kl

    def _update_all(self, rng):
        """Take one pass over the shuffled spectra in whole batches.

        Returns
        -------
        mse, activity : float
            Means over the batches.
        channel_kl : ndarray of shape (n_latent,)
            Mean over the batches, nats.
        """
        size = self.options.batch_size
        order = rng.permutation(len(self.spectra))
        terms_of_parts = []
        for start in range(0, len(order) - size + 1, size):
            spectra = self.spectra[order[start : start + size]]
            noise = rng.standard_normal(spectra.shape, dtype=np.float32)
            noisy = spectra + noise * np.float32(self.options.input_noise)
            inputs = [noisy, spectra]
            if self._is_variational:
                inputs.append(rng.standard_normal((size, len(self.channels)), dtype=np.float32))
            terms_of_parts += self._update(inputs)
        loss, mse, activity, kl = (
            np.mean([value.asnumpy() for value in term], axis=0) for term in zip(*terms_of_parts)
        )
        if not np.isfinite(loss):
            raise ReplicationError(
                f"the loss is not finite in epoch {self.progress.epoch}; "
                "train with a lower learning_rate, or on spectra of unit variance."
            )
        return float(mse), float(activity), kl

    def _channels_as_numbers(self):
        """Return an NDArray, (1, n_latent), that is 1 for a channel in use, 0 for another."""
        return mx.nd.array(self.channels[None].astype(np.float32))

    def _update(self, inputs):
        """Update the weights by one batch.

        Parameters
        ----------
        inputs : list of ndarray, each of shape (batch_size, ...)
            Noisy spectra, spectra and, for a variational network, normal numbers.

        Returns
        -------
        list of tuple of NDArray
            Of each part of the batch the loss and its terms, before the update.
        """
        parts = zip(*(np.split(array, self._n_parts) for array in inputs))
        terms = [self._gradients_of(*part) for part in parts]
        gradients = [parameter.grad() for parameter in self._parameters.values()]
        gluon.utils.clip_global_norm(gradients, 1.0, check_isfinite=False)
        for i, (parameter, gradient) in enumerate(zip(self._parameters.values(), gradients)):
            self._optimizer.update(i, parameter.data(), gradient, self._moments[i])
            if self._n_parts > 1:
                parameter.zero_grad()
        if self.options.weight_decay:
            self._decay()
        self.progress.updates += 1
        return terms

    def _gradients_of(self, *part):
        """Compute the gradients of a part of a batch; return its loss and the terms of it."""
        beta = self.progress.beta
        inputs = [mx.nd.array(array) for array in part]
        if self._is_variational:
            inputs.append(self._channels_as_numbers())
        with autograd.record():
            mse, activity, kl = self.network(*inputs)
            loss = mse + self.schedule.l1_weight(beta) * activity + beta * kl.mean()
            share = loss / self._n_parts
        share.backward()
        return loss, mse, activity, kl

    def _decay(self):
        """Shrink the weights that decay."""
        factor = 1 - self._optimizer.learning_rate * self.options.weight_decay
        for parameter in self._decaying:
            weights = parameter.data()
            weights *= factor

    def _validation_mse(self):
        """Return the mean squared error of the validation spectra, from their posterior means."""

        def reconstruct(spectra):
            latents = self.network.encoder(spectra)[0] * self._channels_as_numbers()
            return self.network.decoder(latents)[:1]

        reconstruction = in_batches(reconstruct, self.validation, self.options.at_once)[0]
        return float(np.mean((reconstruction - self.validation) ** 2, dtype=np.float64))

    def _advance(self, row, channel_kl):
        """Decide what comes after an epoch, whose channels had this KL on average."""
        progress, schedule = self.progress, self.schedule
        if progress.phase == "warmup" and progress.phase_epoch >= schedule.warmup_epochs:
            self._start_ramp(row, channel_kl)
        elif self._is_at_end_of_beta(progress.phase):
            self._step_beta(channel_kl)
        elif progress.phase == "settle" and progress.phase_epoch == schedule.settle_epochs:
            progress.phase = "done"
            if progress.selected_count is None:
                progress.selected_count = int(active(channel_kl).sum())

    def _start_ramp(self, row, channel_kl):
        """Go from the warm-up to the first beta of the ramp."""
        progress = self.progress
        self._ramp.step = self.schedule.beta_step(row["mse"], row["kl"])
        self._ramp.start()
        self._keep(channel_kl)
        progress.phase = "ramp"
        progress.phase_epoch = 0
        progress.beta = self._ramp.beta

    def _step_beta(self, channel_kl):
        """Go to the next beta, or end the ramp."""
        channel_kl = self._judged_kl(channel_kl)
        beta = self.progress.beta
        decision = self._ramp.decide(channel_kl)
        if decision.keep:
            self._keep(channel_kl)
            self.progress.selected_beta = beta
        self.progress.beta = self._ramp.beta
        if decision.then == GO_BACK:
            self._go_back()
        elif decision.then == SELECT:
            self._select(self._ramp.channels(self._kept_kl))

    def _judged_kl(self, channel_kl):
        """Return the KL by which channels are counted, given the mean over the last epoch.

        That mean is of weights on the move, and of spectra with noise: only the paper's rule is
        content with it.
        """
        if self.schedule.rule == "nearest":
            return channel_kl
        return mean_kl(self.network, self.spectra, self.options.at_once)

    def _keep(self, channel_kl):
        """Keep the model as it is now, for the ramp to go back to."""
        self._kept = self._model()
        self._kept_kl = np.asarray(channel_kl, dtype=np.float64)
        self.progress.kept_updates = self.progress.updates

    def _go_back(self):
        """Go back to the model that is kept."""
        self._set_model(self._kept)
        self.progress.updates = self.progress.kept_updates
        self._optimizer = self._new_optimizer()

    def _select(self, channels):
        """End the ramp with the model that is kept; if it is to settle, use only some channels."""
        progress = self.progress
        self._go_back()
        progress.selected_count = int(channels.sum())
        progress.selected_how = self._ramp.how
        if self.schedule.settle_epochs:
            self.channels = channels
            progress.phase = "settle"
            progress.phase_epoch = 0
            progress.beta = self.schedule.settle_beta
        else:
            progress.phase = "done"

    def _model(self):
        """Return the weights and the moments of ADAM, by name."""
        arrays = {}
        for name, array in get_weights(self.network).items():
            arrays[f"weight/{name}"] = array
        for i, moments in enumerate(self._moments):
            for j, moment in enumerate(moments):
                arrays[f"moment/{i}/{j}"] = moment.asnumpy()
        return arrays

    def _set_model(self, arrays):
        """Take the weights and the moments of ADAM from arrays by name."""
        set_weights(self.network, {name: arrays[f"weight/{name}"] for name in self._parameters})
        for i, moments in enumerate(self._moments):
            for j, moment in enumerate(moments):
                array = arrays[f"moment/{i}/{j}"]
                if array.shape != moment.shape:
                    raise ValueError(f"moment {j} of weight {i} has another shape")
                # An assignment cannot write to what oneDNN has laid out for itself.
                mx.nd.identity(mx.nd.array(array), out=moment)

    def _new_optimizer(self):
        """Return the optimiser as it is after so many updates."""
        return mx.optimizer.Adam(
            learning_rate=self.options.learning_rate, begin_num_update=self.progress.updates
        )

    def _save(self, path):
        """Write a checkpoint."""
        state = {
            "training": self._identity,
            "progress": asdict(self.progress),
            "ramp": asdict(self._ramp),
            "history": self.history,
        }
        write_npz(
            path,
            state=np.array(json.dumps(state)),
            channels=self.channels,
            kept_kl=self._kept_kl,
            **self._model(),
            **{f"kept/{name}": array for name, array in self._kept.items()},
        )

    def _load(self, path):
        """Continue from a checkpoint."""
        arrays = read_npz(path)
        try:
            self._restore(arrays)
        except (KeyError, TypeError, ValueError, ReplicationError) as error:
            raise ReplicationError(
                f"{path}: not a checkpoint of this training ({error}). Delete it and run again."
            ) from error
        self._optimizer = self._new_optimizer()

    def _restore(self, arrays):
        """Take the progress, the ramp, the history and both models from a checkpoint."""
        state = json.loads(str(arrays["state"]))
        if state["training"] != self._identity:
            raise ValueError("its schedule, options or spectra are others")
        self._set_model(arrays)
        self.progress = Progress(**state["progress"])
        self._ramp = type(self._ramp)(**state["ramp"])
        self.history = state["history"]
        self.channels = arrays["channels"]
        self._kept_kl = arrays["kept_kl"]
        self._kept = {name: arrays[f"kept/{name}"] for name in self._kept}


def _first_progress(schedule):
    """Return where a training starts: with beta fixed at the settling, otherwise at the warm-up."""
    if schedule.fixed_beta is None:
        return Progress()
    return Progress(phase="settle", beta=schedule.fixed_beta, selected_beta=schedule.fixed_beta)


def count_parts(batch_size: int, at_once: int | None) -> int:
    """Return into how many equal parts a batch is cut, none of them greater than `at_once`."""
    if at_once is None:
        return 1
    fewest = -(-batch_size // at_once)
    return next(n for n in range(fewest, batch_size + 1) if batch_size % n == 0)


def mean_kl(
    network: AutoencoderNetwork, spectra: np.ndarray, at_once: int | None = None
) -> np.ndarray:
    """Return the KL of each channel from the prior, averaged over spectra without noise, nats.

    Parameters
    ----------
    network : AutoencoderNetwork
        A variational one.
    spectra : ndarray of shape (n_spectra, n_steps, n_channels)
    at_once : int, optional
        How many of them pass through the network at once, as `in_batches` says.

    Returns
    -------
    ndarray of shape (n_latent,), float64
    """
    outputs = in_batches(lambda batch: network.encoder(batch)[:2], spectra, at_once)
    mean, log_variance = (array.astype(np.float64) for array in outputs)
    return -0.5 * (1 + log_variance - mean**2 - np.exp(log_variance)).mean(axis=0)
