"""The LSTM beta-VAE (paper Section 2, Figure 3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from mxnet.gluon import HybridBlock, nn, rnn

from replicate.models.autoencoder import Autoencoder
from replicate.models.network import Decoder, Encoder


@dataclass(eq=False, repr=False)
class LSTMVariationalAutoencoder(Autoencoder):
    """Bidirectional-LSTM beta-VAE whose beta is chosen by the number of active channels.

    With ``n_blocks=3, n_layers=2, width=128, linear_path=False`` it is the paper's network.

    Parameters
    ----------
    n_blocks, n_layers, width : int
        Residual blocks in encoder and in decoder, bidirectional layers in each, LSTM units in each direction.
    patch : int
        Neighbouring steps that are read, and written, as one (paper: 1). The recurrence has as many times fewer steps to go.
    n_own : int
        Features that a dense layer makes of the embedding for each step of the decoder by itself, beside the embedding, which is the
        same at every step (paper: 0).
    n_embedding : int, optional
        As of `Autoencoder`, whose other parameters follow; by default as wide as the latent space, as in the paper.
    """

    n_embedding: int | None = None
    n_blocks: int = 0
    n_layers: int = 1
    width: int = 32
    patch: int = 1
    n_own: int = 0

    def _layers(self, sizes):
        form = {"n_blocks": self.n_blocks, "n_layers": self.n_layers, "width": self.width}
        return RecurrentEncoder(sizes, **form), RecurrentDecoder(sizes, n_own=self.n_own, **form)

    def _unstack(self, X):
        """Channel-major `(n, n_channels * n_steps)` to `(n, n_steps / patch, n_channels * patch)`."""
        if X.shape[1] % (self.n_channels * self.patch):
            raise ValueError(
                f"{X.shape[1]} features do not divide into n_channels={self.n_channels} of patches of {self.patch} steps"
            )
        patches = X.reshape(len(X), self.n_channels, -1, self.patch).transpose(0, 2, 1, 3)
        return np.ascontiguousarray(patches.reshape(*patches.shape[:2], -1))

    def _stack(self, spectra):
        patches = spectra.reshape(*spectra.shape[:2], self.n_channels, self.patch)
        return patches.transpose(0, 2, 1, 3).reshape(len(spectra), -1)


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
            self.skip = (
                None
                if in_units == 2 * width
                else nn.Dense(2 * width, in_units=in_units, flatten=False, use_bias=False)
            )

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
        forward = F.slice_axis(
            F.slice_axis(x, axis=0, begin=-1, end=None), axis=2, begin=0, end=self._width
        )
        backward = F.slice_axis(
            F.slice_axis(x, axis=0, begin=0, end=1), axis=2, begin=self._width, end=None
        )
        return F.reshape(F.concat(forward, backward, dim=2), shape=(-3, -2))


class RecurrentDecoder(Decoder):
    """The same features at every step and some of each step's own, a bidirectional layer, residual blocks, a dense layer at each step."""

    def add_layers(self, sizes, n_inputs, n_blocks, n_layers, width, n_own):  # noqa: D102
        self.own = (
            nn.Dense(sizes.n_steps * n_own, in_units=n_inputs, activation="relu") if n_own else None
        )
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
