"""Gluon blocks of the recurrent autoencoder (paper Section 2, Figure 3).

Sequences are TNC inside: `(n_steps, n_spectra, features)`, the fast layout of MXNet's fused LSTM on a CPU.
"""

from __future__ import annotations

from mxnet.gluon import HybridBlock, nn, rnn

from replicate.models.network import Decoder, Encoder


class BidirectionalLayer(HybridBlock):
    """One bidirectional LSTM layer followed by a ReLU; TNC in, TNC out with ``2 * width`` features."""

    def __init__(self, width, in_units, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.lstm = rnn.LSTM(width, layout="TNC", bidirectional=True, input_size=in_units)

    def hybrid_forward(self, F, x):  # noqa: D102
        return F.relu(self.lstm(x))


class ResidualBlock(HybridBlock):
    """`n_layers` bidirectional layers with a skip connection added over them all.

    Where the width changes, the skip is a linear map of each step, as in residual networks.
    """

    def __init__(self, n_layers, width, in_units, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.layers = nn.HybridSequential()
            for layer in range(n_layers):
                self.layers.add(BidirectionalLayer(width, in_units if layer == 0 else 2 * width))
            self.skip = None if in_units == 2 * width else nn.Dense(2 * width, in_units=in_units, flatten=False, use_bias=False)

    def hybrid_forward(self, F, x):  # noqa: D102
        return self.layers(x) + (x if self.skip is None else self.skip(x))


def _residual_stack(n_blocks, n_layers, width, in_units):
    stack = nn.HybridSequential()
    for block in range(n_blocks):
        stack.add(ResidualBlock(n_layers, width, in_units if block == 0 else 2 * width))
    return stack


class RecurrentEncoder(Encoder):
    """Residual blocks, then a bidirectional layer of which only the last state is kept: each direction's own last step."""

    def add_layers(self, sizes, n_blocks, n_layers, width):  # noqa: D102
        self.blocks = _residual_stack(n_blocks, n_layers, width, sizes.n_channels)
        self.summary = BidirectionalLayer(width, 2 * width if n_blocks else sizes.n_channels)
        self._width = width
        return 2 * width

    def features(self, F, spectra):  # noqa: D102
        x = self.summary(self.blocks(F.transpose(spectra, axes=(1, 0, 2))))
        # SequenceLast crashes on the CPU in MXNet 1.9.1; a slice does the same.
        forward = F.slice_axis(F.slice_axis(x, axis=0, begin=-1, end=None), axis=2, begin=0, end=self._width)
        backward = F.slice_axis(F.slice_axis(x, axis=0, begin=0, end=1), axis=2, begin=self._width, end=None)
        return F.reshape(F.concat(forward, backward, dim=2), shape=(-3, -2))


class RecurrentDecoder(Decoder):
    """The same features at every step and some of each step's own, a bidirectional layer, residual blocks, a dense layer at each step."""

    def add_layers(self, sizes, n_inputs, n_blocks, n_layers, width, n_own):  # noqa: D102
        self.own = nn.Dense(sizes.n_steps * n_own, in_units=n_inputs, activation="relu") if n_own else None
        self.first = BidirectionalLayer(width, n_inputs + n_own)
        self.blocks = _residual_stack(n_blocks, n_layers, width, 2 * width)
        self.output = nn.Dense(sizes.n_channels, in_units=2 * width, flatten=False)
        self._n_steps = sizes.n_steps

    def spectra(self, F, features):  # noqa: D102
        inputs = F.broadcast_axis(F.expand_dims(features, axis=0), axis=0, size=self._n_steps)
        if self.own is not None:
            own = F.reshape(self.own(features), shape=(0, self._n_steps, -1))
            inputs = F.concat(inputs, F.transpose(own, axes=(1, 0, 2)), dim=2)
        return F.transpose(self.output(self.blocks(self.first(inputs))), axes=(1, 0, 2))
