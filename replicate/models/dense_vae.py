"""The dense beta-VAE: blind to the order of the steps, otherwise like the recurrent one."""

from __future__ import annotations

from dataclasses import dataclass

from mxnet.gluon import nn

from replicate.models.autoencoder import Autoencoder
from replicate.models.network import Decoder, Encoder, Sizes


def _stack(n_inputs, widths, activation):
    """Return dense layers of these widths.

    Each layer is named by its activation, so that the names of the weights say how to apply them.
    """
    stack = nn.HybridSequential()
    for index, width in enumerate(widths):
        layer = nn.Dense(width, in_units=n_inputs, activation=activation)
        stack.register_child(layer, f"{activation}{index}")
        n_inputs = width
    return stack


def _n_outputs(n_inputs, widths):
    """Return how many features such layers make of `n_inputs`: as many where there are none."""
    return widths[-1] if widths else n_inputs


class DenseEncoder(Encoder):
    """Dense layers of the whole spectrum."""

    def add_layers(self, sizes: Sizes, hidden: tuple[int, ...], activation: str) -> int:
        """Add the hidden layers, and return the width of the last one."""
        n_inputs = sizes.n_steps * sizes.n_channels
        self.hidden = _stack(n_inputs, hidden, activation)
        return _n_outputs(n_inputs, hidden)

    def features(self, F, spectra):
        """Return the features, (n_spectra, n_features), of spectra, NTC."""
        return self.hidden(F.flatten(spectra))


class DenseDecoder(Decoder):
    """The hidden layers of the encoder in reverse, then a layer that makes a whole spectrum."""

    def add_layers(
        self, sizes: Sizes, n_inputs: int, hidden: tuple[int, ...], activation: str
    ) -> None:
        """Add the hidden layers, which read `n_inputs` features, and the output layer."""
        widths = hidden[::-1]
        self.hidden = _stack(n_inputs, widths, activation)
        self.output = nn.Dense(
            sizes.n_steps * sizes.n_channels, in_units=_n_outputs(n_inputs, widths)
        )

    def spectra(self, F, features):
        """Return the spectra, NTC, of features, (n_spectra, n_inputs)."""
        return F.reshape(self.output(self.hidden(features)), shape=self._shape)


@dataclass(eq=False, repr=False)
class DenseVariationalAutoencoder(Autoencoder):
    """Dense beta-VAE.

    With ``hidden=(), variational=False, linear_path=False`` it is a linear autoencoder. It makes no
    difference between steps and channels: it reads the stacked spectrum. It has the parameters of
    `Autoencoder` and these.

    Parameters
    ----------
    hidden : tuple of int
        Widths of the hidden layers of the encoder; the decoder has them in reverse.
    activation : {"relu", "tanh", "softsign"}
        Activation of the hidden layers.
    """

    hidden: tuple[int, ...] = (256, 256)
    activation: str = "relu"

    def _layers(self, sizes):
        form = {"hidden": tuple(self.hidden), "activation": self.activation}
        return DenseEncoder(sizes, **form), DenseDecoder(sizes, **form)

    def _unstack(self, X):
        """Return stacked spectra, (n, n_features), as one long channel, (n, n_features, 1)."""
        return X[:, :, None]
