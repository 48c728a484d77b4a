"""The LSTM beta-VAE (paper Section 2, Figure 3)."""

from __future__ import annotations

from dataclasses import dataclass

from replicate.models.autoencoder import Autoencoder
from replicate.models.recurrent import RecurrentDecoder, RecurrentEncoder


@dataclass(eq=False, repr=False)
class LSTMVariationalAutoencoder(Autoencoder):
    """Bidirectional-LSTM beta-VAE whose beta is chosen by the number of active channels.

    With ``n_blocks=3, n_layers=2, width=128, linear_path=False`` it is the paper's network.

    Parameters
    ----------
    n_blocks, n_layers, width : int
        Residual blocks in encoder and in decoder, bidirectional layers in each, LSTM units in each direction.
    n_embedding : int, optional
        As of `Autoencoder`, whose other parameters follow; by default as wide as the latent space, as in the paper.
    """

    n_embedding: int | None = None
    n_blocks: int = 0
    n_layers: int = 1
    width: int = 32

    def _layers(self, sizes):
        form = {"n_blocks": self.n_blocks, "n_layers": self.n_layers, "width": self.width}
        return RecurrentEncoder(sizes, **form), RecurrentDecoder(sizes, **form)
