"""What the networks of every autoencoder share: latents, linear path, and what the loss is made of (paper Section 2, Figure 3).

Spectra are NTC, `(n_spectra, n_steps, n_channels)`. `recurrent`, `dense_vae` and `convolutional_vae` add the layers.
"""

from __future__ import annotations

from typing import NamedTuple

from mxnet.gluon import HybridBlock, nn


class Sizes(NamedTuple):
    """What encoder and decoder are built from, whatever their layers.

    Parameters
    ----------
    n_steps, n_channels, n_latent : int
    n_embedding : int
        Width of the two embeddings, 0 for none.
    linear_path : bool
        Put a linear map of the whole spectrum around encoder and decoder. Not in the paper.
    variational : bool
        Whether there is a log-variance.
    """

    n_steps: int
    n_channels: int
    n_latent: int
    n_embedding: int
    linear_path: bool
    variational: bool


class Encoder(HybridBlock):
    """Spectra to the mean and the log-variance of their latents.

    The layers of a subclass, a dense embedding with ReLU whose activity is penalised, then two dense layers.

    Parameters
    ----------
    sizes : Sizes
    **form
        What the layers of the subclass are built from.
    """

    def __init__(self, sizes, **form):
        super().__init__()
        with self.name_scope():
            n_features = self.add_layers(sizes, **form)
            self.embedding = (
                nn.Dense(sizes.n_embedding, in_units=n_features, activation="relu")
                if sizes.n_embedding
                else None
            )
            n_features = sizes.n_embedding or n_features
            self.mean = nn.Dense(sizes.n_latent, in_units=n_features)
            self.log_variance = (
                nn.Dense(sizes.n_latent, in_units=n_features) if sizes.variational else None
            )
            self.linear = (
                nn.Dense(sizes.n_latent, in_units=sizes.n_steps * sizes.n_channels)
                if sizes.linear_path
                else None
            )

    def add_layers(self, sizes, **form):
        """Add the layers of a subclass and return how many features they make of a spectrum."""
        raise NotImplementedError

    def features(self, F, spectra):
        """Return what these layers make of spectra, `(n_spectra, n_features)`."""
        raise NotImplementedError

    def hybrid_forward(self, F, spectra):
        """Return mean, log-variance (of a variational one) and embedding (zeros where there is none), each `(n_spectra, width)`."""
        features = self.features(F, spectra)
        if self.embedding is not None:
            features = self.embedding(features)
        mean = self.mean(features)
        if self.linear is not None:
            mean = mean + self.linear(F.flatten(spectra))
        embedding = F.zeros_like(mean) if self.embedding is None else features
        return (
            (mean, embedding)
            if self.log_variance is None
            else (mean, self.log_variance(features), embedding)
        )


class Decoder(HybridBlock):
    """Latents to spectra: a dense embedding with ReLU, then the layers of a subclass, the last of which is its ``output``.

    Parameters are those of `Encoder`.
    """

    def __init__(self, sizes, **form):
        super().__init__()
        self._shape = (-1, sizes.n_steps, sizes.n_channels)
        with self.name_scope():
            self.embedding = (
                nn.Dense(sizes.n_embedding, in_units=sizes.n_latent, activation="relu")
                if sizes.n_embedding
                else None
            )
            self.add_layers(sizes, sizes.n_embedding or sizes.n_latent, **form)
            self.linear = (
                nn.Dense(sizes.n_steps * sizes.n_channels, in_units=sizes.n_latent)
                if sizes.linear_path
                else None
            )

    def add_layers(self, sizes, n_inputs, **form):
        """Add the layers of a subclass, which read `n_inputs` features."""
        raise NotImplementedError

    def spectra(self, F, features):
        """Return the spectra, NTC, that these layers make of `(n_spectra, n_inputs)`."""
        raise NotImplementedError

    def hybrid_forward(self, F, latents):
        """Return spectra, NTC, and the embedding (zeros where there is none)."""
        features = latents if self.embedding is None else self.embedding(latents)
        spectra = self.spectra(F, features)
        if self.linear is not None:
            spectra = spectra + F.reshape(self.linear(latents), shape=self._shape)
        return spectra, F.zeros_like(latents) if self.embedding is None else features


class AutoencoderNetwork(HybridBlock):
    """Encoder, sampling where it is variational, and decoder; returns everything that the loss is made of.

    Parameters
    ----------
    encoder : Encoder
    decoder : Decoder
    sizes : Sizes
        Of both.
    """

    def __init__(self, encoder, decoder, sizes):
        super().__init__()
        self.variational, self._n_latent = sizes.variational, sizes.n_latent
        self.encoder, self.decoder = encoder, decoder

    def hybrid_forward(self, F, noisy, spectra, *sampling):
        """Return MSE, L1 activity (scalars) and the KL of each channel `(n_latent,)`, averaged over the batch; zeros without sampling.

        Parameters
        ----------
        noisy, spectra : `(n_spectra, n_steps, n_channels)`
            What the encoder sees, and what the decoder must return.
        sampling
            Of a variational network: epsilon `(n_spectra, n_latent)`, standard normal numbers, the only randomness, and
            channels `(1, n_latent)`, 1 for a channel in use, 0 for one that is switched off.
        """
        latents, *log_variance, encoder_embedding = self.encoder(noisy)
        kl = F.zeros(shape=(self._n_latent,))
        if self.variational:
            latents, kl = self._sample(F, latents, *log_variance, *sampling)
        reconstruction, decoder_embedding = self.decoder(latents)
        mse = F.mean(F.square(reconstruction - spectra))
        activity = F.mean(F.sum(encoder_embedding + decoder_embedding, axis=1))
        return mse, activity, kl

    def _sample(self, F, mean, log_variance, epsilon, channels):
        latents = F.broadcast_mul(mean + F.exp(0.5 * log_variance) * epsilon, channels)
        kl = -0.5 * F.mean(1 + log_variance - F.square(mean) - F.exp(log_variance), axis=0)
        return latents, kl * F.reshape(channels, shape=(-1,))
