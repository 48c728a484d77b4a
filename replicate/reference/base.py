"""What the forward passes in NumPy share: latents, linear path, and refusals of weights that are damaged.

Spectra are channel-major outside, and `(n, n_steps, n_channels)` inside, patches of neighbouring steps counting as channels of one.
"""

from __future__ import annotations

import sys

import numpy as np

from replicate.errors import ReplicationError

BATCH = 500
"""Spectra that go through the layers at once, which bounds the memory."""

ANY_STEPS = range(1, sys.maxsize)


class Network:
    """Encoder and decoder from stored weights; their sizes follow from the names and the shapes.

    Parameters
    ----------
    weights : dict of str to ndarray
        As in the `weights.npz` of a run.
    dtype : dtype
        Of the computation.
    patch : int
        Neighbouring steps that the layers take as one.

    Attributes
    ----------
    n_channels, n_latent, n_embedding : int
        Channels stacked in a spectrum, latents, and width of the embeddings, 0 where there are none.
    steps : range
        The numbers of steps that a spectrum may have.
    is_variational, has_linear_path : bool

    Raises
    ------
    ReplicationError
        If a weight is missing, unknown, of another shape than the others ask for, or not finite.
    """

    def __init__(self, weights, dtype=np.float64, patch=1):
        self.patch = patch
        weights = {name: np.asarray(array) for name, array in weights.items()}
        self.n_latent = length(weights, "encoder.mean.bias")
        self.n_channels = self._count_channels(weights)
        self.is_variational, self.has_linear_path, has_embedding = (
            any(f".{part}." in name for name in weights)
            for part in ("log_variance", "linear", "embedding")
        )
        self.n_embedding = length(weights, "encoder.embedding.bias") if has_embedding else 0
        n_steps = (
            length(weights, "decoder.linear.bias") // self.n_channels
            if self.has_linear_path
            else None
        )
        self.steps = ANY_STEPS if n_steps is None else range(n_steps, n_steps + 1)
        self._read_sizes(weights)
        _check(weights, self._shapes() | self._shared_shapes())
        self.dtype = dtype
        self._weights = {name: array.astype(dtype) for name, array in weights.items()}

    def encode(self, spectra):
        """Return mean and log-variance of the posteriors, each (n, n_latent), of spectra (n, n_channels * n_steps).

        Of a plain autoencoder, latents and None.
        """
        features = self.encoder_embedding(spectra)
        mean = self._dense("encoder.mean", features)
        if self.has_linear_path:
            mean += self._dense(
                "encoder.linear", self._steps(spectra).reshape(len(spectra), np.shape(spectra)[1])
            )
        return mean, self._dense("encoder.log_variance", features) if self.is_variational else None

    def decode(self, latents, n_steps):
        """Return spectra (n, n_channels * n_steps) from latents (n, n_latent)."""
        if n_steps not in self.steps:
            raise ReplicationError(
                f"n_steps: {n_steps}, but these weights are of spectra of {self._wanted_steps()} steps."
            )
        spectra = _in_batches(
            lambda features: self._unroll(features, n_steps // self.patch),
            self.decoder_embedding(latents),
        )
        if self.has_linear_path:
            spectra = spectra + self._dense(
                "decoder.linear", np.asarray(latents, dtype=self.dtype)
            ).reshape(spectra.shape)
        patches = spectra.reshape(len(spectra), n_steps // self.patch, self.n_channels, self.patch)
        return patches.transpose(0, 2, 1, 3).reshape(len(spectra), self.n_channels * n_steps)

    def reconstruct(self, spectra, in_use=None):
        """Encode spectra to their posterior means and decode those.

        Parameters
        ----------
        spectra : ndarray, shape (n, n_channels * n_steps)
        in_use : ndarray of bool, shape (n_latent,), optional
            False for the channels that training has switched off, whose latents are 0. In a run they are those whose stored
            `channel_kl` is exactly 0; a channel that is merely inactive stays in use. All are where it is left out.

        Returns
        -------
        ndarray, shape (n, n_channels * n_steps)
        """
        in_use = (
            np.ones(self.n_latent, dtype=bool) if in_use is None else np.asarray(in_use, dtype=bool)
        )
        if in_use.shape != (self.n_latent,):
            raise ReplicationError(
                f"in_use: shape {in_use.shape}, expected ({self.n_latent},), one for each latent."
            )
        mean, _ = self.encode(spectra)
        return self.decode(mean * in_use, np.shape(spectra)[1] // self.n_channels)

    def encoder_embedding(self, spectra):
        """Return the embedding that the encoder makes of spectra; without one, the features that its layers do."""
        features = _in_batches(self._features, self._steps(spectra))
        return relu(self._dense("encoder.embedding", features)) if self.n_embedding else features

    def decoder_embedding(self, latents):
        """Return the embedding that the decoder makes of latents (n, n_latent); without one, the latents."""
        latents = np.asarray(latents, dtype=self.dtype)
        if latents.ndim != 2 or latents.shape[1] != self.n_latent:
            raise ReplicationError(
                f"latents: shape {latents.shape}, expected (n, {self.n_latent})."
            )
        return relu(self._dense("decoder.embedding", latents)) if self.n_embedding else latents

    def _count_channels(self, weights):
        """Return how many channels are stacked in a spectrum."""
        return length(weights, "decoder.output.bias") // self.patch

    def _read_sizes(self, weights):
        """Set the sizes of the layers, among them `n_encoded`, the features that those of the encoder make."""
        raise NotImplementedError

    def _shapes(self):
        """Return the shape of every weight of the layers, by name."""
        raise NotImplementedError

    def _features(self, steps):
        """Return what the layers of the encoder make of spectra (n, n_steps, n_channels)."""
        raise NotImplementedError

    def _unroll(self, features, n_steps):
        """Return the spectra (n, n_steps, n_channels), without the linear path, that the layers of the decoder make."""
        raise NotImplementedError

    def _steps(self, spectra):
        """Unfold channel-major spectra into (n, n_steps / patch, n_channels * patch)."""
        spectra = np.asarray(spectra, dtype=self.dtype)
        n_steps, rest = divmod(spectra.shape[1], self.n_channels) if spectra.ndim == 2 else (0, 0)
        if rest or n_steps not in self.steps:
            wanted = f"(n, {self.n_channels} * n_steps), n_steps {self._wanted_steps()}"
            raise ReplicationError(
                f"spectra: shape {spectra.shape}, but these weights ask for {wanted}."
            )
        patches = spectra.reshape(
            len(spectra), self.n_channels, n_steps // self.patch, self.patch
        ).transpose(0, 2, 1, 3)
        return patches.reshape(len(spectra), n_steps // self.patch, self.n_channels * self.patch)

    def _wanted_steps(self):
        if self.steps == ANY_STEPS:
            return "any number of"
        return (
            str(self.steps[0]) if len(self.steps) == 1 else f"{self.steps[0]} to {self.steps[-1]}"
        )

    def _dense(self, name, x):
        return x @ self._weights[f"{name}.weight"].T + self._weights.get(f"{name}.bias", 0)

    def _shared_shapes(self):
        latent, n_features = self.n_latent, self.steps[0] * self.n_channels
        layers = {"encoder.mean": (latent, self.n_embedding or self.n_encoded)}
        if self.is_variational:
            layers["encoder.log_variance"] = layers["encoder.mean"]
        if self.n_embedding:
            layers |= {
                "encoder.embedding": (self.n_embedding, self.n_encoded),
                "decoder.embedding": (self.n_embedding, latent),
            }
        if self.has_linear_path:
            layers |= {
                "encoder.linear": (latent, n_features),
                "decoder.linear": (n_features, latent),
            }
        return dense_shapes(layers)


def dense_shapes(layers):
    """Return the shapes of weight and bias, by name, of dense layers whose weights have these shapes."""
    shapes = {f"{name}.weight": shape for name, shape in layers.items()}
    return shapes | {f"{name}.bias": shape[:1] for name, shape in layers.items()}


def length(weights, name):
    """Return the length of a bias, from which a size of the network is read."""
    bias = weights.get(name)
    if bias is None or bias.ndim != 1 or bias.size == 0:
        raise refusal(
            [
                f"{name} is missing"
                if bias is None
                else f"{name} has shape {bias.shape}, expected a vector"
            ]
        )
    return len(bias)


def relu(x):
    """Return the positive part."""
    return np.maximum(x, 0)


def _check(weights, shapes):
    faults = {
        name: _fault(weights.get(name), shapes.get(name))
        for name in sorted(weights.keys() | shapes.keys())
    }
    faults = [f"{name} {fault}" for name, fault in faults.items() if fault]
    if faults:
        raise refusal(faults)


def _fault(array, shape):
    """Return what is wrong with a weight, if anything."""
    if array is None:
        return "is missing"
    if shape is None:
        return "is no weight of this network"
    if array.shape != shape:
        return f"has shape {array.shape}, expected {shape}"
    if array.dtype.kind != "f" or not np.isfinite(array).all():
        return "holds something else than finite numbers"
    return None


def refusal(faults):
    """Return the error that names the first three of these faults of stored weights, and the fix."""
    more = f" (and {len(faults) - 3} more)" if len(faults) > 3 else ""
    return ReplicationError(
        f"stored weights: {'; '.join(faults[:3])}{more}. Restore weights.npz, or delete the run and train again."
    )


def _in_batches(function, array):
    """Apply a function to an array in batches along its first axis; an array of length 0 is one batch."""
    return np.concatenate(
        [function(array[start : start + BATCH]) for start in range(0, max(len(array), 1), BATCH)]
    )
