"""The convolutional beta-VAE: it knows which steps are neighbours, and carries no state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mxnet.gluon import nn
from numpy.typing import ArrayLike

from replicate.models.autoencoder import Autoencoder
from replicate.models.network import Decoder, Encoder, Sizes

#: Each convolution of the encoder takes every other step, and so halves their number, rounded up.
STRIDE = 2


def _lengths(n_steps, n_layers):
    """Return the number of steps before the first convolution and after each."""
    lengths = [n_steps]
    for _ in range(n_layers):
        lengths.append(-(-lengths[-1] // STRIDE))
    return lengths


class ConvolutionalEncoder(Encoder):
    """Convolutions over time with ReLU, each at every other step."""

    def add_layers(self, sizes: Sizes, filters: tuple[int, ...], kernel_size: int) -> int:
        """Add the convolutions, and return how many values the last one gives."""
        self.convolutions = nn.HybridSequential()
        for n_in, n_out in zip((sizes.n_channels, *filters), filters):
            convolution = nn.Conv1D(
                n_out,
                kernel_size,
                strides=STRIDE,
                padding=kernel_size // 2,
                in_channels=n_in,
                activation="relu",
            )
            self.convolutions.add(convolution)
        n_steps_left = _lengths(sizes.n_steps, len(filters))[-1]
        return filters[-1] * n_steps_left

    def features(self, F, spectra):
        """Return the features, (n_spectra, n_features), of spectra, NTC."""
        return F.flatten(self.convolutions(F.transpose(spectra, axes=(0, 2, 1))))


class ConvolutionalDecoder(Decoder):
    """A dense layer, then the convolutions of the encoder in reverse; ReLU on all but the last.

    Each convolution is of steps that are first doubled, because MXNet 1.9.1 cannot train a
    transposed convolution to one channel on a CPU.
    """

    def add_layers(
        self, sizes: Sizes, n_inputs: int, filters: tuple[int, ...], kernel_size: int
    ) -> None:
        """Add a dense layer, which reads `n_inputs` features, and the convolutions."""
        self._lengths = _lengths(sizes.n_steps, len(filters))[::-1]
        self._narrow = (-1, filters[-1], self._lengths[0])
        self.first = nn.Dense(filters[-1] * self._lengths[0], in_units=n_inputs, activation="relu")
        self.convolutions = nn.HybridSequential()
        for n_in, n_out in zip(filters[::-1], filters[-2::-1]):
            convolution = nn.Conv1D(
                n_out,
                kernel_size,
                padding=kernel_size // 2,
                in_channels=n_in,
                activation="relu",
            )
            self.convolutions.add(convolution)
        self.output = nn.Conv1D(
            sizes.n_channels, kernel_size, padding=kernel_size // 2, in_channels=filters[0]
        )

    def spectra(self, F, features):
        """Return the spectra, NTC, of features, (n_spectra, n_inputs)."""
        x = F.reshape(self.first(features), shape=self._narrow)
        for n_steps, convolution in zip(self._lengths[1:], [*self.convolutions, self.output]):
            doubled = F.repeat(x, repeats=STRIDE, axis=2)
            x = convolution(F.slice_axis(doubled, axis=2, begin=0, end=n_steps))
        return F.transpose(x, axes=(0, 2, 1))


@dataclass(eq=False, repr=False)
class ConvolutionalVariationalAutoencoder(Autoencoder):
    """Beta-VAE of one-dimensional convolutions over time.

    It has the parameters of `Autoencoder` and these.

    Parameters
    ----------
    filters : tuple of int
        Number of filters of each convolution of the encoder, one or more; the decoder has them in
        reverse.
    kernel_size : int
        Steps that a filter spans, an odd number.
    """

    filters: tuple[int, ...] = (16, 32, 64)
    kernel_size: int = 5

    def fit(
        self,
        X: ArrayLike,
        y: None = None,
        *,
        checkpoint: str | Path | None = None,
        on_epoch: Callable[[dict[str, Any]], None] | None = None,
    ) -> ConvolutionalVariationalAutoencoder:
        """Train on spectra, as `Autoencoder.fit` does, but without a validation.

        Decoding in mid-training makes MXNet 1.9.1 lay out the weights of a convolution anew, and
        then it cannot write to them any more.
        """
        return super().fit(X, checkpoint=checkpoint, on_epoch=on_epoch)

    def _layers(self, sizes):
        if self.kernel_size % 2 == 0:
            raise ValueError(
                f"kernel_size={self.kernel_size} is even; "
                "a filter has as many steps on either side of its middle"
            )
        form = {"filters": tuple(self.filters), "kernel_size": self.kernel_size}
        return ConvolutionalEncoder(sizes, **form), ConvolutionalDecoder(sizes, **form)
