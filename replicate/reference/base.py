"""What the networks in NumPy share: latents, the linear path, and the check of stored weights.

Outside of a network spectra are channel-major. Inside they have the shape (n, n_steps, n_channels),
where patches of neighbouring steps count as channels of one step.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import DTypeLike

from replicate.errors import ReplicationError

#: Number of spectra that go through the layers at once, which bounds the memory.
BATCH = 500

#: The numbers of steps that a spectrum may have if the weights do not say how many.
ANY_STEPS = range(1, sys.maxsize)

#: Number of damaged weights that an error names.
N_NAMED_FAULTS = 3


class Network:
    """Encoder and decoder from stored weights; their sizes follow from the names and the shapes.

    Parameters
    ----------
    weights : dict of str to ndarray
        As in the `weights.npz` of a run.
    dtype : dtype
        The precision to compute in.
    patch : int
        Number of neighbouring steps that the layers take as one.

    Attributes
    ----------
    n_channels : int
        Number of channels stacked in a spectrum.
    n_latent : int
        Number of latents.
    n_embedding : int
        Width of the embeddings, 0 where there are none.
    steps : range
        The numbers of steps that a spectrum may have.
    is_variational : bool
        Whether the encoder gives a variance beside each mean.
    has_linear_path : bool
        Whether a linear map runs beside the layers of encoder and decoder.

    Raises
    ------
    ReplicationError
        If a weight is missing, unknown, of another shape than the others ask for, or not finite.
    """

    def __init__(
        self, weights: dict[str, np.ndarray], dtype: DTypeLike = np.float64, patch: int = 1
    ):
        self.patch = patch
        weights = {name: np.asarray(array) for name, array in weights.items()}
        self.n_latent = length(weights, "encoder.mean.bias")
        self.n_channels = self._count_channels(weights)
        self.is_variational = _has_part(weights, "log_variance")
        self.has_linear_path = _has_part(weights, "linear")
        self.n_embedding = 0
        if _has_part(weights, "embedding"):
            self.n_embedding = length(weights, "encoder.embedding.bias")
        self.steps = ANY_STEPS
        if self.has_linear_path:
            n_steps = length(weights, "decoder.linear.bias") // self.n_channels
            self.steps = range(n_steps, n_steps + 1)
        self._read_sizes(weights)
        _check(weights, self._shapes() | self._shared_shapes())
        self.dtype = dtype
        self._weights = {name: array.astype(dtype) for name, array in weights.items()}

    def encode(self, spectra: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Encode spectra to their posteriors.

        Parameters
        ----------
        spectra : ndarray, shape (n, n_channels * n_steps)

        Returns
        -------
        mean : ndarray, shape (n, n_latent)
            Mean of each posterior; the latents of a plain autoencoder.
        log_variance : ndarray, shape (n, n_latent), or None
            Logarithm of the variance of each posterior; None for a plain autoencoder.

        Raises
        ------
        ReplicationError
            If the spectra do not have the shape that the weights ask for.
        """
        features = self.encoder_embedding(spectra)
        mean = self._dense("encoder.mean", features)
        if self.has_linear_path:
            step_major = self._unfold(spectra).reshape(len(spectra), np.shape(spectra)[1])
            mean += self._dense("encoder.linear", step_major)
        if not self.is_variational:
            return mean, None
        return mean, self._dense("encoder.log_variance", features)

    def decode(self, latents: np.ndarray, n_steps: int) -> np.ndarray:
        """Decode latents to spectra.

        Parameters
        ----------
        latents : ndarray, shape (n, n_latent)
        n_steps : int
            Number of steps of a channel of the spectra.

        Returns
        -------
        ndarray, shape (n, n_channels * n_steps)

        Raises
        ------
        ReplicationError
            If the latents do not have this shape, or the weights do not belong to spectra of as
            many steps.
        """
        if n_steps not in self.steps:
            raise ReplicationError(
                f"n_steps: {n_steps}, but these weights are of spectra of "
                f"{self._wanted_steps()} steps."
            )
        n_patches = n_steps // self.patch
        embedding = self.decoder_embedding(latents)
        spectra = _in_batches(lambda features: self._unroll(features, n_patches), embedding)
        if self.has_linear_path:
            linear = self._dense("decoder.linear", np.asarray(latents, dtype=self.dtype))
            spectra = spectra + linear.reshape(spectra.shape)
        patches = spectra.reshape(len(spectra), n_patches, self.n_channels, self.patch)
        return patches.transpose(0, 2, 1, 3).reshape(len(spectra), self.n_channels * n_steps)

    def reconstruct(self, spectra: np.ndarray, in_use: np.ndarray | None = None) -> np.ndarray:
        """Encode spectra to their posterior means and decode these.

        Parameters
        ----------
        spectra : ndarray, shape (n, n_channels * n_steps)
        in_use : ndarray of bool, shape (n_latent,), optional
            False for the channels that training has switched off, whose latents are 0. In a run
            they are those whose stored `channel_kl` is exactly 0; a channel that is merely inactive
            stays in use. By default all are in use.

        Returns
        -------
        ndarray, shape (n, n_channels * n_steps)

        Raises
        ------
        ReplicationError
            If `in_use` or the spectra have another shape.
        """
        if in_use is None:
            in_use = np.ones(self.n_latent)
        in_use = np.asarray(in_use, dtype=bool)
        if in_use.shape != (self.n_latent,):
            raise ReplicationError(
                f"in_use: shape {in_use.shape}, expected ({self.n_latent},), one for each latent."
            )
        mean, _ = self.encode(spectra)
        return self.decode(mean * in_use, np.shape(spectra)[1] // self.n_channels)

    def encoder_embedding(self, spectra: np.ndarray) -> np.ndarray:
        """Return the embedding that the encoder makes of spectra.

        Parameters
        ----------
        spectra : ndarray, shape (n, n_channels * n_steps)

        Returns
        -------
        ndarray, shape (n, n_embedding)
            Without an embedding, the features that the layers of the encoder make.
        """
        features = _in_batches(self._features, self._unfold(spectra))
        if not self.n_embedding:
            return features
        return relu(self._dense("encoder.embedding", features))

    def decoder_embedding(self, latents: np.ndarray) -> np.ndarray:
        """Return the embedding that the decoder makes of latents.

        Parameters
        ----------
        latents : ndarray, shape (n, n_latent)

        Returns
        -------
        ndarray, shape (n, n_embedding)
            Without an embedding, the latents.
        """
        latents = np.asarray(latents, dtype=self.dtype)
        if latents.ndim != 2 or latents.shape[1] != self.n_latent:
            raise ReplicationError(
                f"latents: shape {latents.shape}, expected (n, {self.n_latent})."
            )
        if not self.n_embedding:
            return latents
        return relu(self._dense("decoder.embedding", latents))

    def _count_channels(self, weights):
        """Return how many channels are stacked in a spectrum."""
        return length(weights, "decoder.output.bias") // self.patch

    def _read_sizes(self, weights):
        """Set the sizes of the layers.

        One of them is `n_encoded`, the number of features that the layers of the encoder make.
        """
        raise NotImplementedError

    def _shapes(self):
        """Return the shape of every weight of the layers, by name."""
        raise NotImplementedError

    def _features(self, steps):
        """Return the features that the encoder makes of spectra (n, n_steps, n_channels)."""
        raise NotImplementedError

    def _unroll(self, features, n_steps):
        """Return the spectra (n, n_steps, n_channels) of the decoder, without the linear path."""
        raise NotImplementedError

    def _unfold(self, spectra):
        """Unfold channel-major spectra into (n, n_steps / patch, n_channels * patch)."""
        spectra = np.asarray(spectra, dtype=self.dtype)
        n_steps = 0
        rest = 0
        if spectra.ndim == 2:
            n_steps, rest = divmod(spectra.shape[1], self.n_channels)
        if rest or n_steps not in self.steps:
            raise ReplicationError(
                f"spectra: shape {spectra.shape}, but these weights ask for "
                f"(n, {self.n_channels} * n_steps), n_steps {self._wanted_steps()}."
            )
        n_patches = n_steps // self.patch
        patches = spectra.reshape(len(spectra), self.n_channels, n_patches, self.patch)
        step_major = patches.transpose(0, 2, 1, 3)
        return step_major.reshape(len(spectra), n_patches, self.n_channels * self.patch)

    def _wanted_steps(self):
        """Return the numbers of steps that a spectrum may have, in words."""
        if self.steps == ANY_STEPS:
            return "any number of"
        if len(self.steps) == 1:
            return str(self.steps[0])
        return f"{self.steps[0]} to {self.steps[-1]}"

    def _dense(self, name, x):
        """Apply a dense layer; one without a bias is a linear map."""
        return x @ self._weights[f"{name}.weight"].T + self._weights.get(f"{name}.bias", 0)

    def _shared_shapes(self):
        """Return the shape of every weight that does not belong to the layers, by name."""
        n_features = self.steps[0] * self.n_channels
        layers = {"encoder.mean": (self.n_latent, self.n_embedding or self.n_encoded)}
        if self.is_variational:
            layers["encoder.log_variance"] = layers["encoder.mean"]
        if self.n_embedding:
            layers["encoder.embedding"] = (self.n_embedding, self.n_encoded)
            layers["decoder.embedding"] = (self.n_embedding, self.n_latent)
        if self.has_linear_path:
            layers["encoder.linear"] = (self.n_latent, n_features)
            layers["decoder.linear"] = (n_features, self.n_latent)
        return dense_shapes(layers)


def dense_shapes(layers: dict[str, tuple[int, int]]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the weights and the biases of dense layers.

    Parameters
    ----------
    layers : dict of str to tuple of int
        Numbers of outputs and inputs of each layer by its name.

    Returns
    -------
    dict of str to tuple of int
        Shapes by the names of the stored arrays.
    """
    shapes = {}
    for name, (n_out, n_in) in layers.items():
        shapes[f"{name}.weight"] = (n_out, n_in)
        shapes[f"{name}.bias"] = (n_out,)
    return shapes


def length(weights: dict[str, np.ndarray], name: str) -> int:
    """Return the length of a bias, from which a size of the network is read.

    Parameters
    ----------
    weights : dict of str to ndarray
    name : str

    Returns
    -------
    int

    Raises
    ------
    ReplicationError
        If the bias is missing or is not a vector.
    """
    bias = weights.get(name)
    if bias is None:
        raise refusal([f"{name} is missing"])
    if bias.ndim != 1 or bias.size == 0:
        raise refusal([f"{name} has shape {bias.shape}, expected a vector"])
    return len(bias)


def relu(x: np.ndarray) -> np.ndarray:
    """Return the positive part of each value; the shape stays."""
    return np.maximum(x, 0)


def refusal(faults: list[str]) -> ReplicationError:
    """Return the error for damaged weights, which names the first faults and the fix.

    Parameters
    ----------
    faults : list of str
        Each names a weight and says what is wrong with it.

    Returns
    -------
    ReplicationError
    """
    named = "; ".join(faults[:N_NAMED_FAULTS])
    more = ""
    if len(faults) > N_NAMED_FAULTS:
        more = f" (and {len(faults) - N_NAMED_FAULTS} more)"
    return ReplicationError(
        f"stored weights: {named}{more}. Restore weights.npz, or delete the run and train again."
    )


def _has_part(weights, part):
    """Return whether a name of a weight has this part between two dots."""
    return any(f".{part}." in name for name in weights)


def _check(weights, shapes):
    """Raise an error that names every weight that is not as the network needs it."""
    faults = []
    for name in sorted(weights.keys() | shapes.keys()):
        fault = _fault(weights.get(name), shapes.get(name))
        if fault:
            faults.append(f"{name} {fault}")
    if faults:
        raise refusal(faults)


def _fault(array, shape):
    """Return what is wrong with a weight, or None if nothing is."""
    if array is None:
        return "is missing"
    if shape is None:
        return "is no weight of this network"
    if array.shape != shape:
        return f"has shape {array.shape}, expected {shape}"
    if array.dtype.kind != "f" or not np.isfinite(array).all():
        return "holds something else than finite numbers"
    return None


def _in_batches(function: Callable[[np.ndarray], np.ndarray], array: np.ndarray) -> np.ndarray:
    """Apply a function in batches along the first axis; an array of length 0 is one batch."""
    starts = range(0, max(len(array), 1), BATCH)
    return np.concatenate([function(array[start : start + BATCH]) for start in starts])
