"""Models put together from stored weights, without MXNet, so that anyone can score them again."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from replicate.models.schedule import active
from replicate.reference import kl, network
from replicate.study import family


class StoredAutoencoder:
    """A plain autoencoder from its weights, with the attributes that `replicate.tasks` scores; NumPy alone.

    Parameters
    ----------
    weights : dict of str to ndarray
    train : ndarray, shape (n, n_channels * n_steps)
        The spectra it was fitted to.
    patch : int
        Neighbouring steps that its layers take as one.
    """

    def __init__(self, weights, train, patch=1):
        self.network, self.train = network(weights, np.float32, patch), train
        self.n_parameters_ = sum(array.size for array in weights.values())

    def transform(self, X):
        """Return latents, (n, n_components)."""
        return self.network.encode(X)[0]

    def inverse_transform(self, Z):
        """Return spectra, (n, n_features)."""
        return self.network.decode(Z, self.train.shape[1] // self.network.n_channels)


class StoredVariationalAutoencoder(StoredAutoencoder):
    """A beta-VAE from its weights.

    Parameters
    ----------
    weights : dict of str to ndarray
    train : ndarray, shape (n, n_channels * n_steps)
        The spectra it was fitted to, over which the KL of its channels is taken.
    patch : int
    in_use : ndarray of bool, shape (n_components,)
        Channels that training has not switched off.
    """

    def __init__(self, weights, train, patch, in_use):
        super().__init__(weights, train, patch)
        self.in_use = in_use

    @cached_property
    def channel_kl_(self):
        """Mean KL of each channel from the prior over the training spectra, nats."""
        return kl(*self.network.encode(self.train)) * self.in_use

    @property
    def active_(self):
        """Channels that are active."""
        return active(self.channel_kl_)

    def transform(self, X):
        """Return posterior means, (n, n_components)."""
        return super().transform(X) * self.in_use


def restore(job, arrays, train, parameters=None):
    """Return a fitted model of a job from stored arrays.

    Parameters
    ----------
    job : Job
    arrays : dict of str to ndarray
        The learned arrays by name; for a VAE also ``in_use``.
    train : ndarray
        The spectra that it was fitted to.
    parameters : dict, optional
        With which it was built; those of the family, where they are not known.
    """
    patch = (family.parameters(job) if parameters is None else parameters).get("patch", 1)
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
