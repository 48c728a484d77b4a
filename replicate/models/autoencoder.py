"""What every autoencoder shares as a scikit-learn transformer; its subclasses say which encoder and decoder to build."""

from __future__ import annotations

from dataclasses import dataclass, replace

import mxnet as mx
import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from replicate.models.network import AutoencoderNetwork, Sizes
from replicate.models.schedule import BetaSchedule, active
from replicate.models.training import Training, TrainingOptions
from replicate.models.weights import get_weights, in_batches, set_weights


@dataclass(eq=False, repr=False)
class Autoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """A beta-VAE whose beta is chosen by the number of active channels, or a plain autoencoder.

    Parameters
    ----------
    n_channels : int
        Channels stacked in each spectrum, channel-major.
    n_components : int
        Width of the latent space (paper: 16).
    target_channels : int
        Active channels at which beta stops growing (paper: toy 3, BEPS 5).
    n_embedding : int, optional
        Width of the ReLU embedding on either side of the latents, 0 for none; `n_components` where it is None.
    linear_path : bool
        Put a linear map, started at the principal components, around encoder and decoder. Not in the paper.
    variational : bool
        False for a plain autoencoder: nothing is sampled, nothing but the error is minimised, every latent is in use. It has the
        settling of the schedule alone, and neither `channel_kl_`, `active_` nor `selected_`.
    input_noise : float
        Standard deviation of the Gaussian noise added to what the encoder sees in training.
    weight_decay : float
        Share of the learning rate by which weights shrink at each update, apart from the gradient (Loshchilov and Hutter, 2019);
        not biases, and not the linear path.
    learning_rate, batch_size : float, int
        Of ADAM, gradients clipped to norm 1.
    schedule : BetaSchedule, optional
        Warm-up, ramp and settling; `BetaSchedule()` by default.
    random_state : int
        Seeds initial weights, shuffling and sampling; no other randomness is used.

    Attributes
    ----------
    weights_ : dict of str to ndarray
    history_ : list of dict
        One row an epoch: phase, beta, losses, active channels, seconds.
    channel_kl_ : ndarray, shape (n_components,)
        Mean KL of each channel from the prior over the training spectra, nats; 0 where it is switched off.
    active_ : ndarray of bool, shape (n_components,)
    selected_ : dict
        ``beta``, and ``active_channels`` when the ramp ended there, or when the training did where beta is fixed.
    n_parameters_ : int
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
    schedule: BetaSchedule | None = None
    random_state: int = 0

    def fit(self, X, y=None, *, checkpoint=None, validation=None, on_epoch=None, on_beta=None):
        """Train on spectra.

        Parameters
        ----------
        X : array, shape (n_spectra, n_channels * n_steps)
        y : ignored
        checkpoint : path-like, optional
            Written after every epoch; a training continues from it with the bits it would have had.
        validation : array, shape (n, n_channels * n_steps), optional
            Spectra whose reconstruction error goes into the history.
        on_epoch : callable, optional
            Called with each row of the history.
        on_beta : callable, optional
            Called with the row and the weights at the end of each beta of the ramp.

        Raises
        ------
        ValueError
            If `X` is not finite, has one spectrum only, or its features do not divide into `n_channels`.
        ReplicationError
            If the loss stops being finite or the checkpoint is not of this training.
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
            input_noise=self.input_noise,
            weight_decay=self.weight_decay,
            seed=self.random_state,
        )
        schedule = self.schedule or BetaSchedule()
        if not self.variational:
            schedule = replace(schedule, fixed_beta=0.0)
        validation = (
            None if validation is None else self._unstack(np.asarray(validation, dtype=np.float32))
        )
        training = Training(network, self._unstack(X), schedule, options, validation)
        training.run(checkpoint, on_epoch, on_beta)
        self.weights_, self.history_, self._network = (
            get_weights(network),
            training.history,
            network,
        )
        self._keep_channels(X, training)
        return self

    def transform(self, X):
        """Return latents, of a VAE posterior means, shape (n_spectra, n_components); channels that are switched off are 0."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float32, reset=False)
        mean = self._encode(X)[0]
        return mean * (self.channel_kl_ != 0) if self.variational else mean

    def inverse_transform(self, Z):
        """Decode latents, shape (n, n_components), to spectra, shape (n, n_channels * n_steps)."""
        check_is_fitted(self)
        Z = check_array(Z, dtype=np.float32)
        if Z.shape[1] != self.n_components:
            raise ValueError(f"{Z.shape[1]} latents, expected n_components={self.n_components}")
        return self._stack(in_batches(lambda z: self._fitted_network().decoder(z)[:1], Z)[0])

    @property
    def n_parameters_(self):
        """Number of trained weights."""
        return sum(array.size for array in self.weights_.values())

    @property
    def _n_features_out(self):
        return self.n_components

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _layers(self, sizes):
        """Return encoder and decoder of these sizes."""
        raise NotImplementedError

    def _unstack(self, X):
        """Channel-major `(n, n_channels * n_steps)` to NTC."""
        return np.ascontiguousarray(X.reshape(len(X), self.n_channels, -1).transpose(0, 2, 1))

    def _stack(self, spectra):
        """Undo `_unstack`."""
        return spectra.transpose(0, 2, 1).reshape(len(spectra), -1)

    def _encode(self, X):
        """Return the mean and, of a VAE, the log-variance of spectra, each `(n, n_components)`."""
        return in_batches(lambda x: self._fitted_network().encoder(x)[:-1], self._unstack(X))

    def _keep_channels(self, X, training):
        """Set what is told of the channels of a VAE, and forget what an earlier fit as one may have told."""
        for name in ("channel_kl_", "active_", "selected_"):
            vars(self).pop(name, None)
        if self.variational:
            mean, log_variance = (array.astype(np.float64) for array in self._encode(X))
            kl = -0.5 * (1 + log_variance - mean**2 - np.exp(log_variance)).mean(axis=0)
            self.channel_kl_ = kl * training.channels
            self.active_ = active(self.channel_kl_)
            self.selected_ = {
                "beta": training.progress.selected_beta,
                "active_channels": training.progress.selected_count,
            }

    def _build(self, n_features):
        n_steps, n_channels = self._unstack(np.empty((1, n_features), dtype=np.float32)).shape[1:]
        n_embedding = self.n_components if self.n_embedding is None else self.n_embedding
        sizes = Sizes(
            n_steps, n_channels, self.n_components, n_embedding, self.linear_path, self.variational
        )
        network = AutoencoderNetwork(*self._layers(sizes), sizes)
        network.initialize(mx.init.Xavier())
        # Training through the fused LSTM crashes the process in MXNet 1.9.1 unless it is hybridised.
        network.hybridize(static_alloc=True, static_shape=True)
        return network

    def _new_network(self, X):
        mx.random.seed(self.random_state)
        network = self._build(X.shape[1])
        if self.variational:
            # A posterior that starts narrow lets the warm-up learn to reconstruct before beta asks for anything.
            network.encoder.log_variance.bias.set_data(mx.nd.full(self.n_components, -4.0))
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
        network.encoder.linear.weight.set_data(mx.nd.array(encode))
        network.encoder.linear.bias.set_data(mx.nd.array(-encode @ centre))
        network.decoder.linear.weight.set_data(mx.nd.array((components * scale[:, None]).T))
        network.decoder.linear.bias.set_data(mx.nd.array(centre))
        # The other path starts as a slight correction, or none, rather than as noise on the components. With none in the encoder as well,
        # its layers would have nothing to learn from at first, and decay.
        for layer, share in ((network.encoder.mean, 0.2), (network.decoder.output, 0)):
            layer.weight.set_data(share * layer.weight.data())

    def _fitted_network(self):
        """Return the network, built anew from the weights where the estimator was copied or loaded."""
        if getattr(self, "_network", None) is None:
            self._network = self._build(self.n_features_in_)
            set_weights(self._network, self.weights_)
        return self._network

    def __getstate__(self):
        return {**super().__getstate__(), "_network": None}
