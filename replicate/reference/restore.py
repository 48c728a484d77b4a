"""Fitted models put together from stored weights, without MXNet, so that they can be scored again.

The models of networks are scored in single precision, as they were trained.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from sklearn.base import TransformerMixin

from replicate.models.schedule import active
from replicate.reference import kl, network
from replicate.study import family
from replicate.study.job import Job


class StoredAutoencoder:
    """A plain autoencoder from its weights, with the attributes that `replicate.tasks` scores.

    Parameters
    ----------
    weights : dict of str to ndarray
    train : ndarray, shape (n, n_channels * n_steps)
        The spectra that it was fitted to.
    patch : int
        Number of neighbouring steps that its layers take as one.

    Attributes
    ----------
    network : Network
        The forward pass in NumPy.
    n_parameters_ : int
        Number of weights.

    Raises
    ------
    ReplicationError
        If the weights are damaged.
    """

    def __init__(self, weights: dict[str, np.ndarray], train: np.ndarray, patch: int = 1):
        self.network = network(weights, np.float32, patch)
        self.train = train
        self._encoded = (None, None)
        self.n_parameters_ = sum(array.size for array in weights.values())

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return the latents of spectra.

        Parameters
        ----------
        X : ndarray, shape (n, n_channels * n_steps)

        Returns
        -------
        ndarray, shape (n, n_components)
        """
        return self._posteriors(X)[0]

    def _posteriors(self, X):
        """Return what the encoder makes of spectra; of the same array as last time, the same."""
        spectra, posteriors = self._encoded
        if spectra is not X:
            posteriors = self.network.encode(X)
            self._encoded = (X, posteriors)
        return posteriors

    def inverse_transform(self, Z: np.ndarray) -> np.ndarray:
        """Return the spectra of latents.

        Parameters
        ----------
        Z : ndarray, shape (n, n_components)

        Returns
        -------
        ndarray, shape (n, n_channels * n_steps)
        """
        n_steps = self.train.shape[1] // self.network.n_channels
        return self.network.decode(Z, n_steps)


class StoredVariationalAutoencoder(StoredAutoencoder):
    """A beta-VAE from its weights.

    Parameters
    ----------
    weights : dict of str to ndarray
    train : ndarray, shape (n, n_channels * n_steps)
        The spectra that it was fitted to, over which the KL divergence of its channels is taken.
    patch : int
        Number of neighbouring steps that its layers take as one.
    in_use : ndarray of bool, shape (n_components,)
        False for the channels that training has switched off.

    Raises
    ------
    ReplicationError
        If the weights are damaged.
    """

    def __init__(
        self, weights: dict[str, np.ndarray], train: np.ndarray, patch: int, in_use: np.ndarray
    ):
        super().__init__(weights, train, patch)
        self.in_use = in_use

    @cached_property
    def channel_kl_(self) -> np.ndarray:
        """Mean KL divergence of each channel from the prior, shape (n_components,), nats."""
        mean, log_variance = self._posteriors(self.train)
        return kl(mean, log_variance) * self.in_use

    @property
    def active_(self) -> np.ndarray:
        """Which channels are active, as `schedule.active` returns them."""
        return active(self.channel_kl_)

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return the posterior means of spectra.

        Parameters
        ----------
        X : ndarray, shape (n, n_channels * n_steps)

        Returns
        -------
        ndarray, shape (n, n_components)
            0 for the channels that training has switched off.
        """
        return super().transform(X) * self.in_use


def restore(
    job: Job,
    arrays: dict[str, np.ndarray],
    train: np.ndarray,
    parameters: dict[str, object] | None = None,
) -> StoredAutoencoder | TransformerMixin:
    """Return the fitted model of a job from stored arrays.

    Parameters
    ----------
    job : Job
    arrays : dict of str to ndarray
        The learned arrays by name; for a VAE also ``in_use``.
    train : ndarray, shape (n, n_features)
        The spectra that it was fitted to.
    parameters : dict, optional
        The hyperparameters with which it was built; where they are not known, those of the family.

    Returns
    -------
    StoredAutoencoder or transformer
        A model with ``transform`` and ``inverse_transform``.

    Raises
    ------
    ReplicationError
        If the weights of a network are damaged.
    """
    if parameters is None:
        parameters = family.parameters(job)
    patch = parameters.get("patch", 1)
    if "in_use" in arrays:
        weights = {name: array for name, array in arrays.items() if name != "in_use"}
        return StoredVariationalAutoencoder(weights, train, patch, arrays["in_use"])
    if job.is_network:
        return StoredAutoencoder(arrays, train, patch)
    model = family.build(job)
    model.n_features_in_ = train.shape[1]
    for name, array in arrays.items():
        setattr(model, name, np.asarray(array))
    return model
