"""The estimator of every autoencoder, as a scikit-learn transformer.

Its subclasses say which encoder and decoder to build.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import mxnet as mx
import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from replicate.models.network import AutoencoderNetwork, Decoder, Encoder, Sizes
from replicate.models.schedule import BetaSchedule, active
from replicate.models.training import Training, TrainingOptions, mean_kl
from replicate.models.weights import get_weights, in_batches, set_weights

#: The log-variance that a posterior starts with. It is narrow, so that the warm-up can learn to
#: reconstruct before beta has an effect.
FIRST_LOG_VARIANCE = -4.0

#: With a linear path, the other path of the encoder starts with its last weights times this: as a
#: slight correction, rather than as noise on the components. With no correction its layers would
#: have nothing to learn from at first, and decay.
FIRST_CORRECTION = 0.2


@dataclass(eq=False, repr=False)
class Autoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """A beta-VAE whose beta is chosen by the number of active channels, or a plain autoencoder.

    Parameters
    ----------
    n_channels : int
        Channels that are stacked in each spectrum, channel-major.
    n_components : int
        Width of the latent space (paper: 16).
    target_channels : int
        Number of active channels at which beta stops growing (paper: toy 3, BEPS 5).
    n_embedding : int, optional
        Width of the ReLU embedding on either side of the latents, 0 for none; `n_components` where
        it is None.
    linear_path : bool
        Whether to put a linear map, started at the principal components, around encoder and
        decoder. Not in the paper.
    variational : bool
        False for a plain autoencoder: nothing is sampled, only the error is minimised, and every
        latent is in use. It has only the settling of the schedule, and neither `channel_kl_` nor
        `active_` nor `selected_`.
    input_noise : float
        Standard deviation of the Gaussian noise that is added to the input of the encoder in
        training.
    weight_decay : float
        Share of the learning rate by which weights shrink at each update, apart from the gradient
        (Loshchilov and Hutter, 2019). Biases and the linear path do not shrink.
    learning_rate : float
        Learning rate of ADAM, whose gradients are clipped to norm 1.
    batch_size : int
        Number of spectra in each update.
    at_once : int, optional
        How many spectra at the most pass through the network at once. A network of five million
        weights needs some 40 MiB for each; the gradients of a larger batch are added up.
    schedule : BetaSchedule, optional
        Warm-up, ramp and settling; `BetaSchedule()` by default.
    random_state : int
        Seed of initial weights, shuffling and sampling. There is no other randomness.

    Attributes
    ----------
    weights_ : dict of str to ndarray
        The weights of the network by name.
    history_ : list of dict
        One row an epoch: phase, beta, losses, active channels, seconds.
    channel_kl_ : ndarray of shape (n_components,)
        Mean KL of each channel from the prior over the training spectra, nats; 0 where the channel
        is switched off.
    active_ : ndarray of bool, shape (n_components,)
        Which channels are active.
    selected_ : dict
        ``beta`` and ``active_channels`` at the end of the ramp, or at the end of the training where
        beta is fixed.
    n_parameters_ : int
        Number of trained weights.
    """

    n_channels: int = 1
    n_components: int = 16
    target_channels: int = 3
    n_embedding: int | None = 0
    linear_path: bool = True
    variational: bool = True
    input_noise: float = 0.0
    weight_decay: float = 0.0
    learning_rate: float = 3e-3
    batch_size: int = 200
    at_once: int | None = None
    schedule: BetaSchedule | None = None
    random_state: int = 0

    def fit(
        self,
        X: ArrayLike,
        y: None = None,
        *,
        checkpoint: str | Path | None = None,
        validation: ArrayLike | None = None,
        on_epoch: Callable[[dict[str, Any]], None] | None = None,
        on_beta: Callable[[dict[str, Any], dict[str, np.ndarray]], None] | None = None,
    ) -> Autoencoder:
        """Train on spectra.

        Parameters
        ----------
        X : array-like of shape (n_spectra, n_channels * n_steps)
            Channel-major spectra.
        y : None
            Ignored.
        checkpoint : path-like, optional
            A file that is written after every epoch. If it is there already, the training continues
            from it, with the bits that it would have had without the interruption.
        validation : array-like of shape (n, n_channels * n_steps), optional
            Spectra whose reconstruction error goes into the history.
        on_epoch : callable, optional
            Called with each row of the history.
        on_beta : callable, optional
            Called with the row and the weights at the end of each beta of the ramp.

        Raises
        ------
        ValueError
            If `X` is not finite, has only one spectrum, or its features do not divide into
            `n_channels`.
        ReplicationError
            If the loss is no longer finite, or if the checkpoint is not of this training.
        """
        X = validate_data(self, X, dtype=np.float32, ensure_min_samples=2)
        if X.shape[1] % self.n_channels:
            raise ValueError(
                f"{X.shape[1]} features do not divide into n_channels={self.n_channels}"
            )
        network = self._new_network(X)
        options = TrainingOptions(
            target_channels=self.target_channels,
            learning_rate=self.learning_rate,
            batch_size=min(self.batch_size, len(X)),
            at_once=self.at_once,
            input_noise=self.input_noise,
            weight_decay=self.weight_decay,
            seed=self.random_state,
        )
        schedule = self.schedule or BetaSchedule()
        if not self.variational:
            schedule = replace(schedule, fixed_beta=0.0)
        if validation is not None:
            validation = self._unstack(np.asarray(validation, dtype=np.float32))
        training = Training(network, self._unstack(X), schedule, options, validation)
        training.run(checkpoint, on_epoch, on_beta)
        self.weights_ = get_weights(network)
        self.history_ = training.history
        self._network = network
        self._set_channel_attributes(X, training)
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return the latents of spectra.

        Parameters
        ----------
        X : array-like of shape (n_spectra, n_channels * n_steps)

        Returns
        -------
        ndarray of shape (n_spectra, n_components), float32
            For a VAE they are posterior means, and channels that are switched off are 0.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float32, reset=False)
        mean = self._encode(X)[0]
        if self.variational:
            return mean * (self.channel_kl_ != 0)
        return mean

    def inverse_transform(self, Z: ArrayLike) -> np.ndarray:
        """Decode latents to spectra.

        Parameters
        ----------
        Z : array-like of shape (n, n_components)

        Returns
        -------
        ndarray of shape (n, n_channels * n_steps), float32

        Raises
        ------
        ValueError
            If the latents are not finite, or if there are not `n_components` for each spectrum.
        """
        check_is_fitted(self)
        Z = check_array(Z, dtype=np.float32)
        if Z.shape[1] != self.n_components:
            raise ValueError(f"{Z.shape[1]} latents, expected n_components={self.n_components}")

        def decode(latents):
            return self._fitted_network().decoder(latents)[:1]

        return self._stack(in_batches(decode, Z, self.at_once)[0])

    @property
    def n_parameters_(self) -> int:
        """Number of trained weights."""
        return sum(array.size for array in self.weights_.values())

    @property
    def _n_features_out(self):
        return self.n_components

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _layers(self, sizes: Sizes) -> tuple[Encoder, Decoder]:
        """Return encoder and decoder of these sizes."""
        raise NotImplementedError

    def _unstack(self, X):
        """Return channel-major spectra, (n, n_channels * n_steps), as (n, n_steps, n_channels)."""
        return np.ascontiguousarray(X.reshape(len(X), self.n_channels, -1).transpose(0, 2, 1))

    def _stack(self, spectra):
        """Undo `_unstack`."""
        return spectra.transpose(0, 2, 1).reshape(len(spectra), -1)

    def _encode(self, X):
        """Return the mean of spectra and, for a VAE, the log-variance, each (n, n_components)."""

        def encode(spectra):
            return self._fitted_network().encoder(spectra)[:-1]

        return in_batches(encode, self._unstack(X), self.at_once)

    def _set_channel_attributes(self, X, training):
        """Set the attributes on the channels of a VAE; remove those of an earlier fit as a VAE."""
        for name in ("channel_kl_", "active_", "selected_"):
            vars(self).pop(name, None)
        if not self.variational:
            return
        kl = mean_kl(training.network, self._unstack(X), self.at_once)
        self.channel_kl_ = kl * training.channels
        self.active_ = active(self.channel_kl_)
        self.selected_ = {
            "beta": training.progress.selected_beta,
            "active_channels": training.progress.selected_count,
            "how": training.progress.selected_how,
        }

    def _build(self, n_features):
        """Return a network for spectra of so many features, with random weights."""
        _, n_steps, n_channels = self._unstack(np.empty((1, n_features), dtype=np.float32)).shape
        sizes = Sizes(
            n_steps=n_steps,
            n_channels=n_channels,
            n_latent=self.n_components,
            n_embedding=self.n_components if self.n_embedding is None else self.n_embedding,
            linear_path=self.linear_path,
            variational=self.variational,
        )
        network = AutoencoderNetwork(*self._layers(sizes), sizes)
        network.initialize(mx.init.Xavier())
        # Training through the fused LSTM crashes the process in MXNet 1.9.1 unless it is
        # hybridised.
        network.hybridize(static_alloc=True, static_shape=True)
        return network

    def _new_network(self, X):
        """Return a network to train on the spectra `X`."""
        mx.random.seed(self.random_state)
        network = self._build(X.shape[1])
        if self.variational:
            bias = mx.nd.full(self.n_components, FIRST_LOG_VARIANCE)
            network.encoder.log_variance.bias.set_data(bias)
        if self.linear_path:
            self._start_at_principal_components(network, self._unstack(X).reshape(len(X), -1))
        return network

    def _start_at_principal_components(self, network, spectra):
        """Set the linear path to the leading components, scaled to latents of unit variance."""
        centre = spectra.mean(axis=0)
        _, singular, rows = np.linalg.svd(spectra - centre, full_matrices=False)
        scale = np.zeros(self.n_components, dtype=np.float32)
        rank = min(self.n_components, len(singular))
        scale[:rank] = singular[:rank] / np.sqrt(len(spectra))
        components = np.zeros((self.n_components, spectra.shape[1]), dtype=np.float32)
        components[:rank] = rows[:rank]
        inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale > 1e-6 * scale.max())
        encode = components * inverse[:, None]
        decode = (components * scale[:, None]).T
        encoder, decoder = network.encoder, network.decoder
        encoder.linear.weight.set_data(mx.nd.array(encode))
        encoder.linear.bias.set_data(mx.nd.array(-encode @ centre))
        decoder.linear.weight.set_data(mx.nd.array(decode))
        decoder.linear.bias.set_data(mx.nd.array(centre))
        encoder.mean.weight.set_data(FIRST_CORRECTION * encoder.mean.weight.data())
        decoder.output.weight.set_data(0 * decoder.output.weight.data())

    def _fitted_network(self):
        """Return the network, built anew from the weights where the estimator is a copy."""
        if getattr(self, "_network", None) is None:
            self._network = self._build(self.n_features_in_)
            set_weights(self._network, self.weights_)
        return self._network

    def __getstate__(self):
        return {**super().__getstate__(), "_network": None}
