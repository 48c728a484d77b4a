"""The forward pass of the recurrent autoencoder in NumPy alone."""

from __future__ import annotations

import re

import numpy as np

from replicate.reference.base import Network, dense_shapes, length, refusal, relu

#: The name that MXNet gives to the forward direction of a bidirectional layer.
FORWARD = "lstm._unfused.0.l_cell"

#: The name that MXNet gives to the backward direction of a bidirectional layer.
BACKWARD = "lstm._unfused.0.r_cell"


class LSTMNetwork(Network):
    """Encoder and decoder of bidirectional LSTM layers.

    Sequences are `(n_steps, n, features)` inside.

    Attributes
    ----------
    width : int
        Number of LSTM units in each direction.
    n_blocks : int
        Number of residual blocks of the encoder, and of the decoder.
    n_layers : int
        Number of layers in each block.
    n_own : int
        Number of features that the decoder makes for each step alone, beside those that are the
        same at every step; 0 if it makes none.
    n_encoded : int
        Number of features that the layers of the encoder make.
    """

    def _read_sizes(self, weights):
        self.width = length(weights, f"encoder.summary.{FORWARD}.h2h_bias") // 4
        self.n_encoded = 2 * self.width
        self.n_own = self._count_step_features(weights)
        layers = re.findall(r"coder\.blocks\.(\d+)\.layers\.(\d+)\.", "\n".join(weights))
        self.n_blocks = max((int(block) for block, _ in layers), default=-1) + 1
        self.n_layers = max((int(layer) for _, layer in layers), default=-1) + 1

    def _count_step_features(self, weights):
        """Return how many features the decoder makes for each step alone.

        They are what its first layer reads beside the embedding.
        """
        if "decoder.own.bias" not in weights:
            return 0
        first = weights.get(f"decoder.first.{FORWARD}.i2h_weight", np.empty((0, 0)))
        n_own = first.shape[-1] - (self.n_embedding or self.n_latent)
        n_patches, rest = divmod(length(weights, "decoder.own.bias"), max(n_own, 1))
        if n_own < 1 or rest:
            raise refusal(
                [
                    "decoder.own.bias does not belong to decoder.first, which reads "
                    f"{n_own} features of each step's own"
                ]
            )
        self.steps = range(n_patches * self.patch, n_patches * self.patch + 1)
        return n_own

    def _features(self, steps):
        """Return the state of each direction after the last step that it reads."""
        sequence = self._residual("encoder.blocks", steps.transpose(1, 0, 2))
        forward, backward = self._directions("encoder.summary", sequence)
        return relu(np.concatenate([forward[-1], backward[-1]], axis=1))

    def _unroll(self, features, n_steps):
        """Give every step the features, and those of the step alone where there are any."""
        inputs = np.broadcast_to(features, (n_steps, *features.shape))
        if self.n_own:
            of_steps = relu(self._dense("decoder.own", features))
            of_steps = of_steps.reshape(len(features), n_steps, self.n_own)
            inputs = np.concatenate([inputs, of_steps.transpose(1, 0, 2)], axis=2)
        sequence = self._layer("decoder.first", inputs)
        sequence = self._residual("decoder.blocks", sequence)
        return self._dense("decoder.output", sequence).transpose(1, 0, 2)

    def _residual(self, name, sequence):
        """Apply residual blocks; the skip is a linear map where there are weights for one."""
        for block in range(self.n_blocks):
            skip = f"{name}.{block}.skip"
            skipped = sequence
            if f"{skip}.weight" in self._weights:
                skipped = self._dense(skip, sequence)
            for layer in range(self.n_layers):
                sequence = self._layer(f"{name}.{block}.layers.{layer}", sequence)
            sequence = sequence + skipped
        return sequence

    def _layer(self, name, sequence):
        """Apply a bidirectional layer and a ReLU: (n_steps, n, 2 * width).

        Forward states come first; both directions are in the order of time.
        """
        forward, backward = self._directions(name, sequence)
        return relu(np.concatenate([forward, backward[::-1]], axis=2))

    def _directions(self, name, sequence):
        """Return the states of both directions, each in the order in which it reads the steps."""
        forward = self._states(f"{name}.{FORWARD}", sequence)
        backward = self._states(f"{name}.{BACKWARD}", sequence[::-1])
        return forward, backward

    def _states(self, name, sequence):
        """Return the states of one LSTM after each step of a sequence, (n_steps, n, width).

        Rows of the weights are four gates of `width` units in the order input, forget, candidate,
        output; two biases add up.
        """
        # tanh(x) is twice the logistic function of 2x, less one: all gates take one logistic
        # function, 1 / (1 + exp(-x)), and the sign is that of the weights. NumPy's exp is faster
        # than its tanh.
        sign = np.repeat(np.array([-1, -1, -2, -1], dtype=self.dtype), self.width)
        from_state = self._weights[f"{name}.h2h_weight"].T * sign
        from_input = self._weights[f"{name}.i2h_weight"].T * sign
        bias = (self._weights[f"{name}.i2h_bias"] + self._weights[f"{name}.h2h_bias"]) * sign
        weights = np.concatenate([from_state, from_input, bias[np.newaxis]])
        n_steps, n_spectra, n_features = sequence.shape
        states = np.empty((n_steps, n_spectra, self.width), dtype=self.dtype)
        cell = np.zeros((n_spectra, self.width), dtype=self.dtype)
        # State, input and a one for the bias side by side, so that one product makes the gates. All
        # in place, for most of the time would go into new arrays.
        read = np.ones((n_spectra, len(weights)), dtype=self.dtype)
        state, values = read[:, : self.width], read[:, self.width : self.width + n_features]
        state[:] = 0
        gates = np.empty((n_spectra, 4 * self.width), dtype=self.dtype)
        i, f, g, o = np.split(gates, 4, axis=1)
        for step in range(n_steps):
            values[:] = sequence[step]
            np.matmul(read, weights, out=gates)
            _logistic_of_minus(gates)
            cell *= f
            cell += (2 * g - 1) * i
            np.multiply(cell, -2, out=g)
            _logistic_of_minus(g)
            state[:] = np.multiply(2 * g - 1, o, out=states[step])
        return states

    def _shapes(self):
        both_directions = 2 * self.width
        n_features = self.n_channels * self.patch
        n_inputs = self.n_embedding or self.n_latent
        n_summarised = both_directions if self.n_blocks else n_features
        shapes = self._residual_shapes("encoder.blocks", n_features)
        shapes |= self._layer_shapes("encoder.summary", n_summarised)
        shapes |= self._layer_shapes("decoder.first", n_inputs + self.n_own)
        shapes |= self._residual_shapes("decoder.blocks", both_directions)
        layers = {"decoder.output": (n_features, both_directions)}
        if self.n_own:
            layers["decoder.own"] = (self.steps[0] // self.patch * self.n_own, n_inputs)
        return shapes | dense_shapes(layers)

    def _residual_shapes(self, name, n_inputs):
        """Return the shapes of residual blocks, the first of which reads `n_inputs` features."""
        shapes = {}
        both_directions = 2 * self.width
        for block in range(self.n_blocks):
            if n_inputs != both_directions:
                shapes[f"{name}.{block}.skip.weight"] = (both_directions, n_inputs)
            for layer in range(self.n_layers):
                shapes |= self._layer_shapes(f"{name}.{block}.layers.{layer}", n_inputs)
                n_inputs = both_directions
        return shapes

    def _layer_shapes(self, name, n_inputs):
        """Return the shapes of a bidirectional layer that reads `n_inputs` features."""
        n_gates = 4 * self.width
        shapes = {}
        for direction in (FORWARD, BACKWARD):
            shapes[f"{name}.{direction}.i2h_weight"] = (n_gates, n_inputs)
            shapes[f"{name}.{direction}.h2h_weight"] = (n_gates, self.width)
            shapes[f"{name}.{direction}.i2h_bias"] = (n_gates,)
            shapes[f"{name}.{direction}.h2h_bias"] = (n_gates,)
        return shapes


def _logistic_of_minus(x):
    """Replace each number x of an array by 1 / (1 + exp(x))."""
    with np.errstate(over="ignore"):
        np.exp(x, out=x)
    x += 1
    np.reciprocal(x, out=x)
