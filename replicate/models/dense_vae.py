"""The dense beta-VAE: blind to the order of the steps, otherwise as the recurrent one."""

from __future__ import annotations

from dataclasses import dataclass

from mxnet.gluon import nn

from replicate.models.autoencoder import Autoencoder
from replicate.models.network import Decoder, Encoder


def _stack(n_inputs, hidden, activation):
    """Return dense layers, each called by its activation, so that the names of the weights tell how to apply them."""
    stack = nn.HybridSequential()
    for index, (n_in, n_out) in enumerate(zip((n_inputs, *hidden), hidden)):
        stack.register_child(
            nn.Dense(n_out, in_units=n_in, activation=activation), f"{activation}{index}"
        )
    return stack


class DenseEncoder(Encoder):
    """Dense layers of the whole spectrum."""

    def add_layers(self, sizes, hidden, activation):  # noqa: D102
        n_inputs = sizes.n_steps * sizes.n_channels
        self.hidden = _stack(n_inputs, hidden, activation)
        return (n_inputs, *hidden)[-1]

    def features(self, F, spectra):  # noqa: D102
        return self.hidden(F.flatten(spectra))


class DenseDecoder(Decoder):
    """The layers of the encoder in reverse, then one that makes a whole spectrum."""

    def add_layers(self, sizes, n_inputs, hidden, activation):  # noqa: D102
        self.hidden = _stack(n_inputs, hidden[::-1], activation)
        self.output = nn.Dense(
            sizes.n_steps * sizes.n_channels, in_units=(n_inputs, *hidden[::-1])[-1]
        )

    def spectra(self, F, features):  # noqa: D102
        return F.reshape(self.output(self.hidden(features)), shape=self._shape)


@dataclass(eq=False, repr=False)
class DenseVariationalAutoencoder(Autoencoder):
    """Dense beta-VAE; with ``hidden=(), variational=False, linear_path=False`` a linear autoencoder.

    It makes no difference between steps and channels: what it reads is the stacked spectrum.

    Parameters
    ----------
    hidden : tuple of int
        Widths of the hidden layers of the encoder; the decoder has them in reverse.
    activation : {"relu", "tanh", "softsign"}
        Of the hidden layers. The other parameters are those of `Autoencoder`.
    """

    hidden: tuple[int, ...] = (256, 256)
    activation: str = "relu"

    def _layers(self, sizes):
        form = {"hidden": tuple(self.hidden), "activation": self.activation}
        return DenseEncoder(sizes, **form), DenseDecoder(sizes, **form)

    def _unstack(self, X):
        return X[:, :, None]
