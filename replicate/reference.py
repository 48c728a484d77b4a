"""The forward pass of the LSTM beta-VAE in NumPy alone, so that stored weights can be checked without MXNet.

It shares no code with the Gluon network (`replicate.models.network`) and computes in double precision unless asked otherwise.
Sequences are `(n_steps, n, features)` inside, spectra are channel-major outside.
"""

from __future__ import annotations

import re

import numpy as np

from replicate.errors import ReplicationError

BATCH = 500
"""Spectra that go through the recurrent layers at once, which bounds the memory."""

FORWARD, BACKWARD = "lstm._unfused.0.l_cell", "lstm._unfused.0.r_cell"
"""What MXNet calls the two directions of a bidirectional layer."""


def kl(mean, log_variance):
    """Return the mean Kullback-Leibler divergence of each channel from the prior, nats, shape (n_latent,), of posteriors (n, n_latent)."""
    return 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance).mean(axis=0)


class Network:
    """Encoder and decoder from stored weights; their sizes follow from the names and the shapes.

    Parameters
    ----------
    weights : dict of str to ndarray
        As in the `weights.npz` of a run.
    dtype : dtype
        Of the computation.

    Attributes
    ----------
    n_channels, n_latent, width, n_blocks, n_layers : int
        Channels stacked in a spectrum, latents, LSTM units in each direction, residual blocks, and layers in each.
    n_features : int or None
        Length of a spectrum where there is a linear path; without one the network takes any.

    Raises
    ------
    ReplicationError
        If a weight is missing, unknown, of another shape than the others ask for, or not finite.
    """

    def __init__(self, weights, dtype=np.float64):
        weights = {name: np.asarray(array) for name, array in weights.items()}
        self.n_channels = _length(weights, "decoder.output.bias")
        self.n_latent = _length(weights, "encoder.mean.bias")
        self.width = _length(weights, f"encoder.summary.{FORWARD}.h2h_bias") // 4
        linear_path = any(".linear." in name for name in weights)
        self.n_features = _length(weights, "decoder.linear.bias") if linear_path else None
        layers = re.findall(r"coder\.blocks\.(\d+)\.layers\.(\d+)\.", "\n".join(weights))
        self.n_blocks, self.n_layers = (max(map(int, found)) + 1 for found in zip(*layers)) if layers else (0, 0)
        _check(weights, self._shapes())
        self.dtype = dtype
        self._weights = {name: array.astype(dtype) for name, array in weights.items()}

    def encode(self, spectra):
        """Return mean and log-variance of the posteriors, each (n, n_latent), of spectra (n, n_channels * n_steps)."""
        embedding = self.encoder_embedding(spectra)
        mean, log_variance = self._dense("encoder.mean", embedding), self._dense("encoder.log_variance", embedding)
        if self.n_features is not None:
            mean += self._dense("encoder.linear", self._steps(spectra).reshape(len(spectra), self.n_features))
        return mean, log_variance

    def decode(self, latents, n_steps):
        """Return spectra (n, n_channels * n_steps) from latents (n, n_latent)."""
        n_features = self.n_channels * n_steps
        if self.n_features not in (None, n_features):
            raise ReplicationError(f"n_steps: {n_steps}, but these weights are of spectra of {self.n_features // self.n_channels} steps.")
        spectra = _in_batches(lambda embedding: self._unroll(embedding, n_steps), self.decoder_embedding(latents))
        if self.n_features is not None:
            spectra += self._dense("decoder.linear", latents).reshape(spectra.shape)
        return spectra.transpose(0, 2, 1).reshape(len(spectra), n_features)

    def reconstruct(self, spectra, in_use):
        """Encode spectra to their posterior means and decode those.

        Parameters
        ----------
        spectra : ndarray, shape (n, n_channels * n_steps)
        in_use : ndarray of bool, shape (n_latent,)
            False for the channels that training has switched off, whose latents are 0. In a run they are those whose stored
            `channel_kl` is exactly 0; a channel that is merely inactive stays in use.

        Returns
        -------
        ndarray, shape (n, n_channels * n_steps)
        """
        in_use = np.asarray(in_use, dtype=bool)
        if in_use.shape != (self.n_latent,):
            raise ReplicationError(f"in_use: shape {in_use.shape}, expected ({self.n_latent},), one for each latent.")
        mean, _ = self.encode(spectra)
        return self.decode(mean * in_use, np.shape(spectra)[1] // self.n_channels)

    def encoder_embedding(self, spectra):
        """Return the embedding, (n, n_latent), that the encoder makes of spectra (n, n_channels * n_steps)."""
        return _in_batches(self._embed, self._steps(spectra))

    def decoder_embedding(self, latents):
        """Return the embedding, (n, n_latent), that the decoder makes of latents (n, n_latent)."""
        latents = np.asarray(latents, dtype=self.dtype)
        if latents.ndim != 2 or latents.shape[1] != self.n_latent:
            raise ReplicationError(f"latents: shape {latents.shape}, expected (n, {self.n_latent}).")
        return _relu(self._dense("decoder.embedding", latents))

    def _steps(self, spectra):
        """Unfold channel-major spectra into (n, n_steps, n_channels)."""
        spectra = np.asarray(spectra, dtype=self.dtype)
        whole = spectra.ndim == 2 and spectra.shape[1] > 0 and spectra.shape[1] % self.n_channels == 0
        if not whole or self.n_features not in (None, spectra.shape[1]):
            wanted = self.n_features or f"a multiple of {self.n_channels}"
            raise ReplicationError(f"spectra: shape {spectra.shape}, but these weights ask for (n, {wanted}).")
        return spectra.reshape(len(spectra), self.n_channels, spectra.shape[1] // self.n_channels).transpose(0, 2, 1)

    def _embed(self, steps):
        """Return the embedding of spectra (n, n_steps, n_channels): each direction counts with the state after its own last step."""
        sequence = self._residual("encoder.blocks", steps.transpose(1, 0, 2))
        last = [states[-1] for states in self._directions("encoder.summary", sequence)]
        return _relu(self._dense("encoder.embedding", _relu(np.concatenate(last, axis=1))))

    def _unroll(self, embedding, n_steps):
        """Return spectra (n, n_steps, n_channels), without the linear path, from an embedding that is repeated at every step."""
        sequence = self._layer("decoder.first", np.broadcast_to(embedding, (n_steps, *embedding.shape)))
        return self._dense("decoder.output", self._residual("decoder.blocks", sequence)).transpose(1, 0, 2)

    def _residual(self, name, sequence):
        """Apply residual blocks; the skip is a linear map where there are weights for one."""
        for block in range(self.n_blocks):
            skip = f"{name}.{block}.skip"
            skipped = self._dense(skip, sequence) if f"{skip}.weight" in self._weights else sequence
            for layer in range(self.n_layers):
                sequence = self._layer(f"{name}.{block}.layers.{layer}", sequence)
            sequence = sequence + skipped
        return sequence

    def _layer(self, name, sequence):
        """Apply a bidirectional layer and a ReLU, (n_steps, n, 2 * width) out: forward states first, both in the order of time."""
        forward, backward = self._directions(name, sequence)
        return _relu(np.concatenate([forward, backward[::-1]], axis=2))

    def _directions(self, name, sequence):
        return self._states(f"{name}.{FORWARD}", sequence), self._states(f"{name}.{BACKWARD}", sequence[::-1])

    def _states(self, name, sequence):
        """Return the states of one LSTM after each step of a sequence, (n_steps, n, width).

        Rows of the weights are four gates of `width` units in the order input, forget, candidate, output; two biases add up.
        """
        # The logistic function is 0.5 + 0.5 tanh(x / 2): all gates take one tanh, those that are logistic of half their argument.
        half = np.repeat(np.array([0.5, 0.5, 1.0, 0.5], dtype=self.dtype), self.width)
        from_input, from_state = (self._weights[f"{name}.{part}_weight"].T * half for part in ("i2h", "h2h"))
        bias = (self._weights[f"{name}.i2h_bias"] + self._weights[f"{name}.h2h_bias"]) * half
        states = np.empty((*sequence.shape[:2], self.width), dtype=self.dtype)
        state, cell = np.zeros((2, *states.shape[1:]), dtype=self.dtype)
        # In place, for most of the time would go into new arrays.
        gates = np.empty((len(state), 4 * self.width), dtype=self.dtype)
        i, f, g, o = np.split(gates, 4, axis=1)
        for step, values in enumerate(sequence):
            np.matmul(state, from_state, out=gates)
            gates += values @ from_input
            gates += bias
            np.tanh(gates, out=gates)
            candidate = g.copy()
            gates *= 0.5
            gates += 0.5
            cell *= f
            cell += np.multiply(candidate, i, out=candidate)
            state = np.multiply(np.tanh(cell, out=candidate), o, out=states[step])
        return states

    def _dense(self, name, x):
        return x @ self._weights[f"{name}.weight"].T + self._weights.get(f"{name}.bias", 0)

    def _shapes(self):
        """Return the shape of every weight that a network of these sizes has, by name."""
        latent, both = self.n_latent, 2 * self.width
        shapes = self._residual_shapes("encoder.blocks", self.n_channels) | self._residual_shapes("decoder.blocks", both)
        shapes |= self._layer_shapes("encoder.summary", both if self.n_blocks else self.n_channels)
        shapes |= self._layer_shapes("decoder.first", latent)
        dense = {"encoder.embedding": (latent, both), "encoder.mean": (latent, latent), "encoder.log_variance": (latent, latent)}
        dense |= {"decoder.embedding": (latent, latent), "decoder.output": (self.n_channels, both)}
        if self.n_features is not None:
            n_features = self.n_features // self.n_channels * self.n_channels
            dense |= {"encoder.linear": (latent, n_features), "decoder.linear": (n_features, latent)}
        shapes |= {f"{name}.weight": shape for name, shape in dense.items()}
        return shapes | {f"{name}.bias": shape[:1] for name, shape in dense.items()}

    def _residual_shapes(self, name, n_inputs):
        both, shapes = 2 * self.width, {}
        for block in range(self.n_blocks):
            if block == 0 and n_inputs != both:
                shapes[f"{name}.0.skip.weight"] = (both, n_inputs)
            for layer in range(self.n_layers):
                shapes |= self._layer_shapes(f"{name}.{block}.layers.{layer}", both if block or layer else n_inputs)
        return shapes

    def _layer_shapes(self, name, n_inputs):
        gates = 4 * self.width
        shapes = {"i2h_weight": (gates, n_inputs), "h2h_weight": (gates, self.width), "i2h_bias": (gates,), "h2h_bias": (gates,)}
        return {f"{name}.{direction}.{part}": shape for direction in (FORWARD, BACKWARD) for part, shape in shapes.items()}


def _length(weights, name):
    """Return the length of a bias, from which a size of the network is read."""
    bias = weights.get(name)
    if bias is None or bias.ndim != 1 or bias.size == 0:
        raise _refusal([f"{name} is missing" if bias is None else f"{name} has shape {bias.shape}, expected a vector"])
    return len(bias)


def _check(weights, shapes):
    faults = {name: _fault(weights.get(name), shapes.get(name)) for name in sorted(weights.keys() | shapes.keys())}
    faults = [f"{name} {fault}" for name, fault in faults.items() if fault]
    if faults:
        raise _refusal(faults)


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


def _refusal(faults):
    more = f" (and {len(faults) - 3} more)" if len(faults) > 3 else ""
    return ReplicationError(f"stored weights: {'; '.join(faults[:3])}{more}. Restore weights.npz, or delete the run and train again.")


def _in_batches(function, array):
    """Apply a function to an array in batches along its first axis; an array of length 0 is one batch."""
    return np.concatenate([function(array[start : start + BATCH]) for start in range(0, max(len(array), 1), BATCH)])


def _relu(x):
    return np.maximum(x, 0)
