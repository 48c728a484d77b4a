"""Looking into a latent space: spectra generated along one latent (paper Figure 5, Movies S3, S4 and S6)."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression

NEIGHBOURS = 100


def neighbour_means(latents, component, values, n_neighbours=NEIGHBOURS):
    """Return the latents to decode for a sweep of one of them.

    Each is the mean of the `n_neighbours` spectra `nearest` in that latent, with the latent itself set to the swept value.

    Parameters
    ----------
    latents : ndarray, shape (n, n_components)
    component : int
    values : ndarray, shape (n_values,)

    Returns
    -------
    ndarray, shape (n_values, n_components)
    """
    means = np.array(
        [
            latents[nearest(latents[:, component], value, n_neighbours)].mean(axis=0)
            for value in values
        ]
    )
    means[:, component] = values
    return means


def nearest(values, target, n=NEIGHBOURS):
    """Tell which of some values, (n_values,), are among the `n` nearest to a target.

    All that are as near as the last of these count too: many coefficients of a sparse code are 0.
    """
    distances, last = np.abs(values - target), min(n, len(values)) - 1
    return distances <= np.partition(distances, last)[last]


def generate(model, latents, component, n_values=9):
    """Decode an even sweep of one latent over its range.

    Parameters
    ----------
    model : transformer with ``inverse_transform``
    latents : ndarray, shape (n, n_components)
    component : int
    n_values : int

    Returns
    -------
    values : ndarray, shape (n_values,)
    spectra : ndarray, shape (n_values, n_features)
    """
    values = np.linspace(latents[:, component].min(), latents[:, component].max(), n_values)
    return values, model.inverse_transform(
        neighbour_means(latents, component, values).astype(np.float32)
    )


def principal_share(latents, spectra):
    """Return how much of the variance of latents is a linear function of as many principal components: 1 where they are just those.

    Parameters
    ----------
    latents : ndarray, shape (n, n_components)
        The active ones only.
    spectra : ndarray, shape (n, n_features)

    Returns
    -------
    float
        R2, averaged over the latents.
    """
    scores = PCA(latents.shape[1], random_state=0).fit_transform(spectra)
    return float(LinearRegression().fit(scores, latents).score(scores, latents))
