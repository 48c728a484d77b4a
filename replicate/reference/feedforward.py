"""The forward passes of the dense and of the convolutional autoencoder in NumPy alone."""

from __future__ import annotations

import re

import numpy as np

from replicate.reference.base import Network, dense_shapes, length, relu


def softsign(x: np.ndarray) -> np.ndarray:
    """Return x / (1 + |x|) for each value; the shape stays."""
    return x / (1 + np.abs(x))


#: Activations of the hidden dense layers by the name that stands in the name of the layer.
ACTIVATIONS = {"relu": relu, "tanh": np.tanh, "softsign": softsign}

#: Stride of the encoder's convolutions. The decoder repeats its steps as often instead.
STRIDE = 2


class DenseNetwork(Network):
    """Encoder and decoder of dense layers; the whole stacked spectrum is one channel to them.

    Attributes
    ----------
    layers : tuple of str
        Names of the hidden layers of encoder and decoder: the activation, and a number.
    hidden : tuple of int
        Widths of the hidden layers of the encoder. The decoder has them in reverse.
    n_encoded : int
        Number of features that the layers of the encoder make.
    """

    def _count_channels(self, weights):
        return 1

    def _read_sizes(self, weights):
        n_features = length(weights, "decoder.output.bias")
        self.steps = range(n_features, n_features + 1)
        activations = "|".join(ACTIVATIONS)
        names = re.findall(rf"coder\.hidden\.((?:{activations})\d+)\.", "\n".join(weights))
        self.layers = tuple(sorted(set(names), key=_number_of_layer))
        self.hidden = tuple(
            length(weights, f"encoder.hidden.{layer}.bias") for layer in self.layers
        )
        self.n_encoded = self.hidden[-1] if self.hidden else n_features

    def _features(self, steps):
        return self._hidden("encoder", steps[:, :, 0])

    def _unroll(self, features, n_steps):
        return self._dense("decoder.output", self._hidden("decoder", features))[:, :, None]

    def _hidden(self, side, x):
        """Apply the hidden layers of one side, ``"encoder"`` or ``"decoder"``."""
        for layer in self.layers:
            activation = ACTIVATIONS[layer.rstrip("0123456789")]
            x = activation(self._dense(f"{side}.hidden.{layer}", x))
        return x

    def _shapes(self):
        n_features = self.steps[0]
        n_inputs = self.n_embedding or self.n_latent
        encoder_widths = (n_features, *self.hidden)
        decoder_widths = (n_inputs, *self.hidden[::-1])
        shapes = {"decoder.output": (n_features, decoder_widths[-1])}
        for side, widths in (("encoder", encoder_widths), ("decoder", decoder_widths)):
            for layer, n_in, n_out in zip(self.layers, widths, widths[1:]):
                shapes[f"{side}.hidden.{layer}"] = (n_out, n_in)
        return dense_shapes(shapes)


def _number_of_layer(layer):
    """Return the number in the name of a hidden layer."""
    return int(re.sub(r"\D", "", layer))


class ConvolutionalNetwork(Network):
    """Encoder and decoder of convolutions over time; sequences are `(n, filters, n_steps)` inside.

    Attributes
    ----------
    filters : tuple of int
        Number of filters of each convolution of the encoder. The decoder has them in reverse.
    kernel_size : int
        Number of steps that a filter spans.
    n_last : int
        Number of steps that are left after the last convolution of the encoder.
    n_encoded : int
        Number of features that the layers of the encoder make.
    """

    def _read_sizes(self, weights):
        names = "\n".join(weights)
        indices = [int(index) for index in re.findall(r"encoder\.convolutions\.(\d+)\.", names)]
        n_convolutions = max(indices, default=0) + 1
        self.filters = tuple(
            length(weights, f"encoder.convolutions.{index}.bias") for index in range(n_convolutions)
        )
        # 0 for a weight that is missing or has no axis: the check of the shapes then names it.
        shape_of_output = np.shape(weights.get("decoder.output.weight"))
        self.kernel_size = shape_of_output[-1] if shape_of_output else 0
        if self.has_linear_path:
            self.n_last = _steps_after(n_convolutions, self.steps[0])
        else:
            self.n_last = length(weights, "decoder.first.bias") // self.filters[-1]
            shrink = STRIDE**n_convolutions
            self.steps = range((self.n_last - 1) * shrink + 1, self.n_last * shrink + 1)
        self.n_encoded = self.filters[-1] * self.n_last

    def _features(self, steps):
        x = steps.transpose(0, 2, 1)
        for index in range(len(self.filters)):
            x = relu(self._convolve(f"encoder.convolutions.{index}", x, STRIDE))
        return x.reshape(len(x), self.n_encoded)

    def _unroll(self, features, n_steps):
        x = relu(self._dense("decoder.first", features))
        x = x.reshape(len(features), self.filters[-1], self.n_last)
        last = len(self.filters) - 1
        for index in range(last):
            n_out = _steps_after(last - index, n_steps)
            x = relu(self._widen(f"decoder.convolutions.{index}", x, n_out))
        return self._widen("decoder.output", x, n_steps).transpose(0, 2, 1)

    def _convolve(self, name, x, stride):
        """Apply filters around every step, or every other one; beyond the ends all is 0."""
        weight = self._weights[f"{name}.weight"]
        half = self.kernel_size // 2
        padded = np.pad(x, ((0, 0), (0, 0), (half, half)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, self.kernel_size, axis=2)
        by_step = windows[:, :, ::stride].transpose(0, 2, 1, 3)
        flat = by_step.reshape(*by_step.shape[:2], weight[0].size)
        filtered = flat @ weight.reshape(len(weight), -1).T + self._weights[f"{name}.bias"]
        return filtered.transpose(0, 2, 1)

    def _widen(self, name, x, n_steps):
        """Apply filters to repeated steps, of which `n_steps` are taken."""
        return self._convolve(name, np.repeat(x, STRIDE, axis=2)[:, :, :n_steps], 1)

    def _shapes(self):
        shapes = {}
        counts = (self.n_channels, *self.filters)
        last = len(self.filters) - 1
        for index, (few, many) in enumerate(zip(counts, counts[1:])):
            encoder = f"encoder.convolutions.{index}"
            # The last convolution of the decoder is the one that makes the channels.
            decoder = f"decoder.convolutions.{last - index}" if index else "decoder.output"
            shapes[f"{encoder}.weight"] = (many, few, self.kernel_size)
            shapes[f"{encoder}.bias"] = (many,)
            shapes[f"{decoder}.weight"] = (few, many, self.kernel_size)
            shapes[f"{decoder}.bias"] = (few,)
        first = {"decoder.first": (self.n_encoded, self.n_embedding or self.n_latent)}
        return shapes | dense_shapes(first)


def _steps_after(n_convolutions, n_steps):
    """Return how many of `n_steps` are left after as many strided convolutions, rounded up."""
    return -(-n_steps // STRIDE**n_convolutions)
