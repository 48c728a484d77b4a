"""The LSTM beta-VAE (Section 2, Figure 3): its layers, and the estimator.

Inside the recurrent layers arrays have the shape (n_steps, n_spectra, n_features), which MXNet
calls TNC.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from mxnet.gluon import HybridBlock, nn, rnn

from replicate.models.autoencoder import Autoencoder
from replicate.models.network import Decoder, Encoder, Sizes


class BidirectionalLayer(HybridBlock):
    """One bidirectional LSTM layer followed by a ReLU; its output has ``2 * width`` features.

    Parameters
    ----------
    width : int
        LSTM units in each direction.
    in_units : int
        Features of the input.
    """

    def __init__(self, width: int, in_units: int, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.lstm = rnn.LSTM(width, layout="TNC", bidirectional=True, input_size=in_units)

    def hybrid_forward(self, F, x):
        """Return the states of both directions at each step, TNC, of an input, TNC."""
        return F.relu(self.lstm(x))


class ResidualBlock(HybridBlock):
    """Bidirectional layers, and a skip connection that is added over them all.

    Where the width changes, the skip is a linear map of each step, as in residual networks.

    Parameters
    ----------
    n_layers : int
        Number of bidirectional layers.
    width : int
        LSTM units in each direction.
    in_units : int
        Features of the input.
    """

    def __init__(self, n_layers: int, width: int, in_units: int, **kwargs):
        super().__init__(**kwargs)
        self.skip = None
        with self.name_scope():
            self.layers = nn.HybridSequential()
            for layer in range(n_layers):
                self.layers.add(BidirectionalLayer(width, in_units if layer == 0 else 2 * width))
            if in_units != 2 * width:
                self.skip = nn.Dense(2 * width, in_units=in_units, flatten=False, use_bias=False)

    def hybrid_forward(self, F, x):
        """Return an array with ``2 * width`` features, TNC, of an input, TNC."""
        skipped = x if self.skip is None else self.skip(x)
        return self.layers(x) + skipped


def _residual_stack(n_blocks, n_layers, width, in_units):
    """Return residual blocks, the first of which reads `in_units` features."""
    stack = nn.HybridSequential()
    for block in range(n_blocks):
        stack.add(ResidualBlock(n_layers, width, in_units if block == 0 else 2 * width))
    return stack


class RecurrentEncoder(Encoder):
    """Residual blocks, then a bidirectional layer that sums the spectrum up.

    Of the last layer only one state in each direction counts: the one at the step where that
    direction ends.
    """

    def add_layers(self, sizes: Sizes, n_blocks: int, n_layers: int, width: int) -> int:
        """Add the layers, and return how many features the last one gives."""
        self.blocks = _residual_stack(n_blocks, n_layers, width, sizes.n_channels)
        self.summary = BidirectionalLayer(width, 2 * width if n_blocks else sizes.n_channels)
        self._width = width
        return 2 * width

    def features(self, F, spectra):
        """Return the features, (n_spectra, n_features), of spectra, NTC."""
        states = self.summary(self.blocks(F.transpose(spectra, axes=(1, 0, 2))))
        # SequenceLast crashes on the CPU in MXNet 1.9.1; a slice does the same.
        last_step = F.slice_axis(states, axis=0, begin=-1, end=None)
        first_step = F.slice_axis(states, axis=0, begin=0, end=1)
        forward = F.slice_axis(last_step, axis=2, begin=0, end=self._width)
        backward = F.slice_axis(first_step, axis=2, begin=self._width, end=None)
        return F.reshape(F.concat(forward, backward, dim=2), shape=(-3, -2))


class RecurrentDecoder(Decoder):
    """A bidirectional layer, residual blocks, and a dense layer at each step.

    The first layer reads the features of the spectrum, which are the same at every step, and where
    `n_own` is not 0 also features that differ from step to step.
    """

    def add_layers(
        self, sizes: Sizes, n_inputs: int, n_blocks: int, n_layers: int, width: int, n_own: int
    ) -> None:
        """Add the layers, which read `n_inputs` features."""
        # The stored weights have this name: "own" are the features of a single step.
        self.own = None
        if n_own:
            self.own = nn.Dense(sizes.n_steps * n_own, in_units=n_inputs, activation="relu")
        self.first = BidirectionalLayer(width, n_inputs + n_own)
        self.blocks = _residual_stack(n_blocks, n_layers, width, 2 * width)
        self.output = nn.Dense(sizes.n_channels, in_units=2 * width, flatten=False)
        self._n_steps = sizes.n_steps

    def spectra(self, F, features):
        """Return the spectra, NTC, of features, (n_spectra, n_inputs)."""
        inputs = F.broadcast_axis(F.expand_dims(features, axis=0), axis=0, size=self._n_steps)
        if self.own is not None:
            step_features = F.reshape(self.own(features), shape=(0, self._n_steps, -1))
            inputs = F.concat(inputs, F.transpose(step_features, axes=(1, 0, 2)), dim=2)
        return F.transpose(self.output(self.blocks(self.first(inputs))), axes=(1, 0, 2))


@dataclass(eq=False, repr=False)
class LSTMVariationalAutoencoder(Autoencoder):
    """Bidirectional-LSTM beta-VAE whose beta is chosen by the number of active channels.

    With ``n_blocks=3, n_layers=2, width=128, linear_path=False`` it is the paper's network. It has
    the parameters of `Autoencoder` and these.

    Parameters
    ----------
    n_embedding : int, optional
        Width of the embedding on either side of the latents, 0 for none. By default it is as wide
        as the latent space, as in the paper.
    n_blocks, n_layers, width : int
        Residual blocks in encoder and in decoder, bidirectional layers in each block, and LSTM
        units in each direction.
    patch : int
        Neighbouring steps that are read, and written, as one (paper: 1). The recurrence has fewer
        steps by this factor.
    n_own : int
        Features that a dense layer makes of the embedding for each step of the decoder separately.
        The decoder reads them beside the embedding, which is the same at every step (paper: 0).
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
        """Return channel-major spectra, (n, n_channels * n_steps), as patches of steps.

        The patches have the shape (n, n_steps / patch, n_channels * patch).
        """
        if X.shape[1] % (self.n_channels * self.patch):
            raise ValueError(
                f"{X.shape[1]} features do not divide into n_channels={self.n_channels} "
                f"of patches of {self.patch} steps"
            )
        patches = X.reshape(len(X), self.n_channels, -1, self.patch).transpose(0, 2, 1, 3)
        return np.ascontiguousarray(patches.reshape(*patches.shape[:2], -1))

    def _stack(self, spectra):
        """Undo `_unstack`."""
        patches = spectra.reshape(*spectra.shape[:2], self.n_channels, self.patch)
        return patches.transpose(0, 2, 1, 3).reshape(len(spectra), -1)
