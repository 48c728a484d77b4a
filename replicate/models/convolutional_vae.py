"""The convolutional beta-VAE: it knows which steps are neighbours, and carries no state from one to the next."""

from __future__ import annotations

from dataclasses import dataclass

from mxnet.gluon import nn

from replicate.models.autoencoder import Autoencoder
from replicate.models.network import Decoder, Encoder

STRIDE = 2
"""Of the encoder's convolutions: each halves the number of steps, rounded up."""


def _lengths(n_steps, n_layers):
    """Return the number of steps before the first convolution and after each."""
    lengths = [n_steps]
    for _ in range(n_layers):
        lengths.append(-(-lengths[-1] // STRIDE))
    return lengths


class ConvolutionalEncoder(Encoder):
    """Convolutions over time with ReLU, each at every other step."""

    def add_layers(self, sizes, filters, kernel_size):  # noqa: D102
        self.convolutions = nn.HybridSequential()
        for n_in, n_out in zip((sizes.n_channels, *filters), filters):
            self.convolutions.add(
                nn.Conv1D(
                    n_out,
                    kernel_size,
                    STRIDE,
                    kernel_size // 2,
                    in_channels=n_in,
                    activation="relu",
                )
            )
        return filters[-1] * _lengths(sizes.n_steps, len(filters))[-1]

    def features(self, F, spectra):  # noqa: D102
        return F.flatten(self.convolutions(F.transpose(spectra, axes=(0, 2, 1))))


class ConvolutionalDecoder(Decoder):
    """A dense layer, then the encoder's convolutions in reverse, each of steps that are first doubled; ReLU on all but the last.

    Doubling and convolving, because MXNet 1.9.1 cannot train a transposed convolution to one channel on a CPU.
    """

    def add_layers(self, sizes, n_inputs, filters, kernel_size):  # noqa: D102
        self._lengths = _lengths(sizes.n_steps, len(filters))[::-1]
        self._narrow = (-1, filters[-1], self._lengths[0])
        self.first = nn.Dense(filters[-1] * self._lengths[0], in_units=n_inputs, activation="relu")
        self.convolutions = nn.HybridSequential()
        for n_in, n_out in zip(filters[::-1], filters[-2::-1]):
            self.convolutions.add(
                nn.Conv1D(
                    n_out, kernel_size, 1, kernel_size // 2, in_channels=n_in, activation="relu"
                )
            )
        self.output = nn.Conv1D(
            sizes.n_channels, kernel_size, 1, kernel_size // 2, in_channels=filters[0]
        )

    def spectra(self, F, features):  # noqa: D102
        x = F.reshape(self.first(features), shape=self._narrow)
        for n_steps, convolution in zip(self._lengths[1:], [*self.convolutions, self.output]):
            x = convolution(
                F.slice_axis(F.repeat(x, repeats=STRIDE, axis=2), axis=2, begin=0, end=n_steps)
            )
        return F.transpose(x, axes=(0, 2, 1))


@dataclass(eq=False, repr=False)
class ConvolutionalVariationalAutoencoder(Autoencoder):
    """Beta-VAE of one-dimensional convolutions over time.

    Parameters
    ----------
    filters : tuple of int
        Of each convolution of the encoder, one or more; the decoder has them in reverse.
    kernel_size : int
        Steps that a filter spans, odd. The other parameters are those of `Autoencoder`.
    """

    filters: tuple[int, ...] = (16, 32, 64)
    kernel_size: int = 5

    def fit(self, X, y=None, *, checkpoint=None, on_epoch=None):
        """Train on spectra, as `Autoencoder.fit` does, but without a validation.

        Decoding in mid-training makes MXNet 1.9.1 lay the weights of a convolution out anew, and then it cannot write to them any more.
        """
        return super().fit(X, checkpoint=checkpoint, on_epoch=on_epoch)

    def _layers(self, sizes):
        if self.kernel_size % 2 == 0:
            raise ValueError(
                f"kernel_size={self.kernel_size} is even; a filter has as many steps on either side of its middle"
            )
        form = {"filters": tuple(self.filters), "kernel_size": self.kernel_size}
        return ConvolutionalEncoder(sizes, **form), ConvolutionalDecoder(sizes, **form)
