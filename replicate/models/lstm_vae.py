"""The LSTM beta-VAE (paper Section 2, Figure 3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
            raise ValueError(f"{X.shape[1]} features do not divide into n_channels={self.n_channels} of patches of {self.patch} steps")
        patches = X.reshape(len(X), self.n_channels, -1, self.patch).transpose(0, 2, 1, 3)
        return np.ascontiguousarray(patches.reshape(*patches.shape[:2], -1))

    def _stack(self, spectra):
        patches = spectra.reshape(*spectra.shape[:2], self.n_channels, self.patch)
        return patches.transpose(0, 2, 1, 3).reshape(len(spectra), -1)
