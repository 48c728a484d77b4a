"""The forward passes of the dense and of the convolutional autoencoder in NumPy alone."""

from __future__ import annotations

import re

import numpy as np

from replicate.reference.base import Network, dense_shapes, length, relu

ACTIVATIONS = {"relu": relu, "tanh": np.tanh, "softsign": lambda x: x / (1 + np.abs(x))}
STRIDE = 2
"""Of the encoder's convolutions; the decoder doubles its steps instead."""


class DenseNetwork(Network):
    """Encoder and decoder of dense layers of the whole stacked spectrum, which is one channel to them.

    Attributes
    ----------
    layers : tuple of str
        What the hidden layers of encoder and decoder are called: the activation, and a number.
    hidden : tuple of int
        Their widths in the encoder; the decoder has them in reverse.
    """

    def _count_channels(self, weights):
        return 1

    def _read_sizes(self, weights):
        n_features = length(weights, "decoder.output.bias")
        self.steps = range(n_features, n_features + 1)
        found = set(
            re.findall(rf"coder\.hidden\.((?:{'|'.join(ACTIVATIONS)})\d+)\.", "\n".join(weights))
        )
        self.layers = tuple(sorted(found, key=lambda layer: int(re.sub(r"\D", "", layer))))
        self.hidden = tuple(
            length(weights, f"encoder.hidden.{layer}.bias") for layer in self.layers
        )
        self.n_encoded = (n_features, *self.hidden)[-1]

    def _features(self, steps):
        return self._hidden("encoder", steps[:, :, 0])

    def _unroll(self, features, n_steps):
        return self._dense("decoder.output", self._hidden("decoder", features))[:, :, None]

    def _hidden(self, side, x):
        for layer in self.layers:
            activation = ACTIVATIONS[layer.rstrip("0123456789")]
            x = activation(self._dense(f"{side}.hidden.{layer}", x))
        return x

    def _shapes(self):
        n_features, n_inputs = self.steps[0], self.n_embedding or self.n_latent
        widths = {"encoder": (n_features, *self.hidden), "decoder": (n_inputs, *self.hidden[::-1])}
        shapes = {
            f"{side}.hidden.{layer}": (n_out, n_in)
            for side, of_side in widths.items()
            for layer, n_in, n_out in zip(self.layers, of_side, of_side[1:])
        }
        return dense_shapes(shapes | {"decoder.output": (n_features, widths["decoder"][-1])})


class ConvolutionalNetwork(Network):
    """Encoder and decoder of convolutions over time; sequences are `(n, filters, n_steps)` inside.

    Attributes
    ----------
    filters : tuple of int
        Of each convolution of the encoder; the decoder has them in reverse.
    kernel_size, n_last : int
        Steps that a filter spans, and steps that are left after the last convolution.
    """

    def _read_sizes(self, weights):
        last = max(
            map(int, re.findall(r"encoder\.convolutions\.(\d+)\.", "\n".join(weights))), default=0
        )
        self.filters = tuple(
            length(weights, f"encoder.convolutions.{index}.bias") for index in range(last + 1)
        )
        self.kernel_size = (0, *np.shape(weights.get("decoder.output.weight")))[-1]
        shrink = STRIDE ** len(self.filters)
        if self.has_linear_path:
            self.n_last = -(-self.steps[0] // shrink)
        else:
            self.n_last = length(weights, "decoder.first.bias") // self.filters[-1]
            self.steps = range((self.n_last - 1) * shrink + 1, self.n_last * shrink + 1)
        self.n_encoded = self.filters[-1] * self.n_last

    def _features(self, steps):
        x = steps.transpose(0, 2, 1)
        for index in range(len(self.filters)):
            x = relu(self._convolve(f"encoder.convolutions.{index}", x, STRIDE))
        return x.reshape(len(x), self.n_encoded)

    def _unroll(self, features, n_steps):
        lengths = [-(-n_steps // STRIDE**index) for index in range(len(self.filters))][::-1]
        x = relu(self._dense("decoder.first", features)).reshape(
            len(features), self.filters[-1], self.n_last
        )
        for index, n_out in enumerate(lengths[:-1]):
            x = relu(self._widen(f"decoder.convolutions.{index}", x, n_out))
        return self._widen("decoder.output", x, n_steps).transpose(0, 2, 1)

    def _convolve(self, name, x, stride):
        """Apply filters around every step, or every other one; beyond the ends all is 0."""
        weight, half = self._weights[f"{name}.weight"], self.kernel_size // 2
        padded = np.pad(x, ((0, 0), (0, 0), (half, half)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, self.kernel_size, axis=2)[
            :, :, ::stride
        ].transpose(0, 2, 1, 3)
        flat = windows.reshape(*windows.shape[:2], weight[0].size)
        return (flat @ weight.reshape(len(weight), -1).T + self._weights[f"{name}.bias"]).transpose(
            0, 2, 1
        )

    def _widen(self, name, x, n_steps):
        """Apply filters to steps that each count twice, but for a last one too many."""
        return self._convolve(name, np.repeat(x, STRIDE, axis=2)[:, :, :n_steps], 1)

    def _shapes(self):
        counts, shapes = (self.n_channels, *self.filters), {}
        for index, (few, many) in enumerate(zip(counts, counts[1:])):
            wide = "output" if index == 0 else f"convolutions.{len(self.filters) - 1 - index}"
            shapes[f"encoder.convolutions.{index}.weight"] = (many, few, self.kernel_size)
            shapes[f"decoder.{wide}.weight"] = (few, many, self.kernel_size)
            shapes |= {
                f"encoder.convolutions.{index}.bias": (many,),
                f"decoder.{wide}.bias": (few,),
            }
        return shapes | dense_shapes(
            {"decoder.first": (self.n_encoded, self.n_embedding or self.n_latent)}
        )
