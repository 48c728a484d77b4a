"""The forward pass of the recurrent autoencoder in NumPy alone."""

from __future__ import annotations

import re

import numpy as np

from replicate.reference.base import Network, dense_shapes, length, refusal, relu

FORWARD, BACKWARD = "lstm._unfused.0.l_cell", "lstm._unfused.0.r_cell"
"""What MXNet calls the two directions of a bidirectional layer."""


class LSTMNetwork(Network):
    """Encoder and decoder of bidirectional LSTM layers; sequences are `(n_steps, n, features)` inside.

    Attributes
    ----------
    width, n_blocks, n_layers : int
        LSTM units in each direction, residual blocks, and layers in each.
    n_own : int
        Features that the decoder has of each step by itself.
    """

    def _read_sizes(self, weights):
        self.width = length(weights, f"encoder.summary.{FORWARD}.h2h_bias") // 4
        self.n_encoded = 2 * self.width
        self.n_own = self._count_own(weights)
        layers = re.findall(r"coder\.blocks\.(\d+)\.layers\.(\d+)\.", "\n".join(weights))
        self.n_blocks, self.n_layers = (
            (max(map(int, found)) + 1 for found in zip(*layers)) if layers else (0, 0)
        )

    def _count_own(self, weights):
        """Tell how many features each step has of its own, from what the first layer of the decoder reads beside the embedding."""
        if "decoder.own.bias" not in weights:
            return 0
        first = weights.get(f"decoder.first.{FORWARD}.i2h_weight", np.empty((0, 0)))
        n_own = first.shape[-1] - (self.n_embedding or self.n_latent)
        n_steps, rest = divmod(length(weights, "decoder.own.bias"), max(n_own, 1))
        if n_own < 1 or rest:
            raise refusal(
                [
                    f"decoder.own.bias does not belong to decoder.first, which reads {n_own} features of each step's own"
                ]
            )
        self.steps = range(n_steps * self.patch, n_steps * self.patch + 1)
        return n_own

    def _features(self, steps):
        """Return the state of each direction after its own last step."""
        sequence = self._residual("encoder.blocks", steps.transpose(1, 0, 2))
        last = [states[-1] for states in self._directions("encoder.summary", sequence)]
        return relu(np.concatenate(last, axis=1))

    def _unroll(self, features, n_steps):
        """Give every step the features, and those of its own where there are any."""
        inputs = np.broadcast_to(features, (n_steps, *features.shape))
        if self.n_own:
            own = relu(self._dense("decoder.own", features)).reshape(
                len(features), n_steps, self.n_own
            )
            inputs = np.concatenate([inputs, own.transpose(1, 0, 2)], axis=2)
        sequence = self._layer("decoder.first", inputs)
        return self._dense("decoder.output", self._residual("decoder.blocks", sequence)).transpose(
            1, 0, 2
        )

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
        return relu(np.concatenate([forward, backward[::-1]], axis=2))

    def _directions(self, name, sequence):
        return self._states(f"{name}.{FORWARD}", sequence), self._states(
            f"{name}.{BACKWARD}", sequence[::-1]
        )

    def _states(self, name, sequence):
        """Return the states of one LSTM after each step of a sequence, (n_steps, n, width).

        Rows of the weights are four gates of `width` units in the order input, forget, candidate, output; two biases add up.
        """
        # The logistic function is 0.5 + 0.5 tanh(x / 2): all gates take one tanh, those that are logistic of half their argument.
        half = np.repeat(np.array([0.5, 0.5, 1.0, 0.5], dtype=self.dtype), self.width)
        from_input, from_state = (
            self._weights[f"{name}.{part}_weight"].T * half for part in ("i2h", "h2h")
        )
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

    def _shapes(self):
        both = 2 * self.width
        shapes = self._residual_shapes(
            "encoder.blocks", self.n_channels * self.patch
        ) | self._residual_shapes("decoder.blocks", both)
        shapes |= self._layer_shapes(
            "encoder.summary", both if self.n_blocks else self.n_channels * self.patch
        )
        n_inputs = self.n_embedding or self.n_latent
        shapes |= self._layer_shapes("decoder.first", n_inputs + self.n_own)
        if self.n_own:
            shapes |= dense_shapes(
                {"decoder.own": (self.steps[0] // self.patch * self.n_own, n_inputs)}
            )
        return shapes | dense_shapes({"decoder.output": (self.n_channels * self.patch, both)})

    def _residual_shapes(self, name, n_inputs):
        both, shapes = 2 * self.width, {}
        for block in range(self.n_blocks):
            if block == 0 and n_inputs != both:
                shapes[f"{name}.0.skip.weight"] = (both, n_inputs)
            for layer in range(self.n_layers):
                shapes |= self._layer_shapes(
                    f"{name}.{block}.layers.{layer}", both if block or layer else n_inputs
                )
        return shapes

    def _layer_shapes(self, name, n_inputs):
        gates = 4 * self.width
        shapes = {
            "i2h_weight": (gates, n_inputs),
            "h2h_weight": (gates, self.width),
            "i2h_bias": (gates,),
            "h2h_bias": (gates,),
        }
        return {
            f"{name}.{direction}.{part}": shape
            for direction in (FORWARD, BACKWARD)
            for part, shape in shapes.items()
        }
