"""The parts that the networks of all autoencoders share (Section 2, Figure 3).

These are the latents, the linear path, and the terms of the loss. Spectra are arrays of shape
(n_spectra, n_steps, n_channels), which MXNet calls NTC. The layers come from `lstm_vae`,
`dense_vae` and `convolutional_vae`.

In every `hybrid_forward`, `F` is `mxnet.nd` or `mxnet.sym`, and the arrays are of the same kind.
"""

from __future__ import annotations

from typing import NamedTuple

from mxnet.gluon import HybridBlock, nn


class Sizes(NamedTuple):
    """The sizes that encoder and decoder are built from, whatever their layers.

    Attributes
    ----------
    n_steps, n_channels, n_latent : int
        Steps and channels of a spectrum, and width of the latent space.
    n_embedding : int
        Width of the two embeddings, 0 for none.
    linear_path : bool
        Whether there is a linear map of the whole spectrum around encoder and decoder. Not in the
        paper.
    variational : bool
        Whether the encoder has a log-variance.
    """

    n_steps: int
    n_channels: int
    n_latent: int
    n_embedding: int
    linear_path: bool
    variational: bool


class Encoder(HybridBlock):
    """From spectra to the mean and the log-variance of their latents.

    It has the layers of a subclass, a dense embedding with ReLU whose activity is penalised, then
    two dense layers side by side, and the linear path around them all.

    Parameters
    ----------
    sizes : Sizes
    **form
        What the layers of the subclass are built from.
    """

    def __init__(self, sizes: Sizes, **form):
        super().__init__()
        self.embedding = None
        self.log_variance = None
        self.linear = None
        with self.name_scope():
            n_features = self.add_layers(sizes, **form)
            if sizes.n_embedding:
                self.embedding = nn.Dense(sizes.n_embedding, in_units=n_features, activation="relu")
                n_features = sizes.n_embedding
            self.mean = nn.Dense(sizes.n_latent, in_units=n_features)
            if sizes.variational:
                self.log_variance = nn.Dense(sizes.n_latent, in_units=n_features)
            if sizes.linear_path:
                self.linear = nn.Dense(sizes.n_latent, in_units=sizes.n_steps * sizes.n_channels)

    def add_layers(self, sizes: Sizes, **form) -> int:
        """Add the layers of a subclass, and return how many features they make of a spectrum."""
        raise NotImplementedError

    def features(self, F, spectra):
        """Return the features, (n_spectra, n_features), that these layers make of spectra, NTC."""
        raise NotImplementedError

    def hybrid_forward(self, F, spectra):
        """Return what the encoder makes of spectra, NTC.

        Returns
        -------
        mean : array of shape (n_spectra, n_latent)
        log_variance : array of shape (n_spectra, n_latent)
            Only where the encoder is variational; otherwise there are two arrays.
        embedding : array of shape (n_spectra, n_embedding)
            Zeros of the shape of the mean where there is no embedding.
        """
        features = self.features(F, spectra)
        if self.embedding is not None:
            features = self.embedding(features)
        mean = self.mean(features)
        if self.linear is not None:
            mean = mean + self.linear(F.flatten(spectra))
        embedding = F.zeros_like(mean) if self.embedding is None else features
        if self.log_variance is None:
            return mean, embedding
        return mean, self.log_variance(features), embedding


class Decoder(HybridBlock):
    """From latents to spectra.

    It has a dense embedding with ReLU, then the layers of a subclass, the last of which is called
    ``output``, and the linear path around them all.

    Parameters
    ----------
    sizes : Sizes
    **form
        What the layers of the subclass are built from.
    """

    def __init__(self, sizes: Sizes, **form):
        super().__init__()
        self._shape = (-1, sizes.n_steps, sizes.n_channels)
        self.embedding = None
        self.linear = None
        with self.name_scope():
            if sizes.n_embedding:
                self.embedding = nn.Dense(
                    sizes.n_embedding, in_units=sizes.n_latent, activation="relu"
                )
            self.add_layers(sizes, sizes.n_embedding or sizes.n_latent, **form)
            if sizes.linear_path:
                self.linear = nn.Dense(sizes.n_steps * sizes.n_channels, in_units=sizes.n_latent)

    def add_layers(self, sizes: Sizes, n_inputs: int, **form) -> None:
        """Add the layers of a subclass, which read `n_inputs` features."""
        raise NotImplementedError

    def spectra(self, F, features):
        """Return the spectra, NTC, that these layers make of features, (n_spectra, n_inputs)."""
        raise NotImplementedError

    def hybrid_forward(self, F, latents):
        """Return what the decoder makes of latents, (n_spectra, n_latent).

        Returns
        -------
        spectra : array of shape (n_spectra, n_steps, n_channels)
        embedding : array of shape (n_spectra, n_embedding)
            Zeros of the shape of the latents where there is no embedding.
        """
        features = latents if self.embedding is None else self.embedding(latents)
        spectra = self.spectra(F, features)
        if self.linear is not None:
            spectra = spectra + F.reshape(self.linear(latents), shape=self._shape)
        embedding = F.zeros_like(latents) if self.embedding is None else features
        return spectra, embedding


class AutoencoderNetwork(HybridBlock):
    """Encoder, sampling where it is variational, and decoder; it returns the terms of the loss.

    Parameters
    ----------
    encoder : Encoder
    decoder : Decoder
    sizes : Sizes
        The sizes of both.
    """

    def __init__(self, encoder: Encoder, decoder: Decoder, sizes: Sizes):
        super().__init__()
        self.variational = sizes.variational
        self._n_latent = sizes.n_latent
        self.encoder = encoder
        self.decoder = decoder

    def hybrid_forward(self, F, noisy, spectra, *sampling):
        """Return the terms of the loss, averaged over the batch.

        Parameters
        ----------
        noisy, spectra : array of shape (n_spectra, n_steps, n_channels)
            The input of the encoder, and the spectra that the decoder must return.
        *sampling
            Only for a variational network: epsilon, (n_spectra, n_latent), standard normal numbers,
            which are the only randomness; and channels, (1, n_latent), 1 for a channel in use and 0
            for one that is switched off.

        Returns
        -------
        mse, activity : array of one value
            Mean squared error, and L1 activity of the embeddings.
        kl : array of shape (n_latent,)
            KL divergence of each channel from the prior, nats; zeros without sampling.
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
        """Return latents drawn from the posterior, and the KL of each channel."""
        latents = F.broadcast_mul(mean + F.exp(0.5 * log_variance) * epsilon, channels)
        kl = -0.5 * F.mean(1 + log_variance - F.square(mean) - F.exp(log_variance), axis=0)
        return latents, kl * F.reshape(channels, shape=(-1,))
