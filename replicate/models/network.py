"""Gluon blocks of the LSTM beta-VAE (paper Section 2, Figure 3).

Sequences are TNC inside: `(n_steps, n_spectra, features)`, the fast layout of MXNet's fused LSTM on a CPU.
"""

from __future__ import annotations

from mxnet.gluon import HybridBlock, nn, rnn


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


class Encoder(HybridBlock):
    """Spectra to the mean and log-variance of their latent distribution.

    Residual blocks, a bidirectional layer of which only the last state is kept (each direction's own last step),
    a dense embedding with ReLU whose activity is penalised, then two dense layers.

    Parameters
    ----------
    n_steps, n_channels, n_latent, n_blocks, n_layers, width : int
    linear_path : bool
        Add a linear map of the whole spectrum to the mean. Not in the paper.
    """

    def __init__(self, n_steps, n_channels, n_latent, n_blocks, n_layers, width, linear_path, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.blocks = _residual_stack(n_blocks, n_layers, width, n_channels)
            self.summary = BidirectionalLayer(width, 2 * width if n_blocks else n_channels)
            self.embedding = nn.Dense(n_latent, in_units=2 * width, activation="relu")
            self.mean = nn.Dense(n_latent, in_units=n_latent)
            self.log_variance = nn.Dense(n_latent, in_units=n_latent)
            self.linear = nn.Dense(n_latent, in_units=n_steps * n_channels) if linear_path else None
        self._width = width

    def hybrid_forward(self, F, spectra):
        """Return mean, log-variance and embedding, each `(n_spectra, n_latent)`; `spectra` is NTC."""
        x = self.summary(self.blocks(F.transpose(spectra, axes=(1, 0, 2))))
        # SequenceLast crashes on the CPU in MXNet 1.9.1; a slice does the same.
        forward = F.slice_axis(F.slice_axis(x, axis=0, begin=-1, end=None), axis=2, begin=0, end=self._width)
        backward = F.slice_axis(F.slice_axis(x, axis=0, begin=0, end=1), axis=2, begin=self._width, end=None)
        embedding = self.embedding(F.reshape(F.concat(forward, backward, dim=2), shape=(-3, -2)))
        mean = self.mean(embedding)
        if self.linear is not None:
            mean = mean + self.linear(F.flatten(spectra))
        return mean, self.log_variance(embedding), embedding


class Decoder(HybridBlock):
    """Latents to spectra: dense embedding with ReLU, repeated over the steps, bidirectional layer, residual blocks, dense per step.

    Parameters are those of `Encoder`.
    """

    def __init__(self, n_steps, n_channels, n_latent, n_blocks, n_layers, width, linear_path, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.embedding = nn.Dense(n_latent, in_units=n_latent, activation="relu")
            self.first = BidirectionalLayer(width, n_latent)
            self.blocks = _residual_stack(n_blocks, n_layers, width, 2 * width)
            self.output = nn.Dense(n_channels, in_units=2 * width, flatten=False)
            self.linear = nn.Dense(n_steps * n_channels, in_units=n_latent) if linear_path else None
        self._n_steps, self._n_channels = n_steps, n_channels

    def hybrid_forward(self, F, latents):
        """Return spectra, NTC, and the embedding `(n_spectra, n_latent)`."""
        embedding = self.embedding(latents)
        repeated = F.broadcast_axis(F.expand_dims(embedding, axis=0), axis=0, size=self._n_steps)
        spectra = F.transpose(self.output(self.blocks(self.first(repeated))), axes=(1, 0, 2))
        if self.linear is not None:
            spectra = spectra + F.reshape(self.linear(latents), shape=(-1, self._n_steps, self._n_channels))
        return spectra, embedding


class VariationalAutoencoder(HybridBlock):
    """Encoder, sampling and decoder; returns everything that the loss is made of.

    Parameters are those of `Encoder`, by name.
    """

    def __init__(self, **sizes):
        super().__init__()
        with self.name_scope():
            self.encoder = Encoder(**sizes)
            self.decoder = Decoder(**sizes)

    def hybrid_forward(self, F, noisy, spectra, epsilon, channels):
        """Return MSE, L1 activity (scalars) and the KL of each channel `(n_latent,)`, averaged over the batch.

        Parameters
        ----------
        noisy, spectra : `(n_spectra, n_steps, n_channels)`
            What the encoder sees, and what the decoder must return.
        epsilon : `(n_spectra, n_latent)`
            Standard normal numbers, the only randomness.
        channels : `(1, n_latent)`
            1 for a channel in use, 0 for one that is switched off.
        """
        mean, log_variance, encoder_embedding = self.encoder(noisy)
        latents = F.broadcast_mul(mean + F.exp(0.5 * log_variance) * epsilon, channels)
        reconstruction, decoder_embedding = self.decoder(latents)
        mse = F.mean(F.square(reconstruction - spectra))
        activity = F.mean(F.sum(encoder_embedding + decoder_embedding, axis=1))
        kl = -0.5 * F.mean(1 + log_variance - F.square(mean) - F.exp(log_variance), axis=0)
        return mse, activity, kl * F.reshape(channels, shape=(-1,))
