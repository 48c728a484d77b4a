"""Looking into a latent space: spectra generated along one latent, and latents against PCA.

The sweeps are those of the paper's Figure 5 and Movies S3, S4 and S6.
"""

from __future__ import annotations

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression

#: Number of nearest spectra whose latents are averaged at each value of a sweep, as in the paper.
NEIGHBOURS = 100


def neighbour_means(
    latents: np.ndarray, component: int, values: np.ndarray, n_neighbours: int = NEIGHBOURS
) -> np.ndarray:
    """Return the latents to decode for a sweep of one latent.

    Each row is the mean over the `n_neighbours` spectra that are `nearest` in the swept latent; the
    swept latent itself is then set to the swept value.

    Parameters
    ----------
    latents : ndarray, shape (n, n_components)
    component : int
        Index of the swept latent.
    values : ndarray, shape (n_values,)
        Values that the swept latent takes.
    n_neighbours : int

    Returns
    -------
    ndarray, shape (n_values, n_components)
    """
    swept = latents[:, component]
    means = np.array(
        [latents[nearest(swept, value, n_neighbours)].mean(axis=0) for value in values]
    )
    means[:, component] = values
    return means


def nearest(values: np.ndarray, target: float, n: int = NEIGHBOURS) -> np.ndarray:
    """Return which values are among the `n` nearest to a target.

    All values that are as near as the last of them count too, because many coefficients of a
    sparse code are 0.

    Parameters
    ----------
    values : ndarray, shape (n_values,)
    target : float
    n : int

    Returns
    -------
    ndarray of bool, shape (n_values,)
    """
    distances = np.abs(values - target)
    last = min(n, len(values)) - 1
    return distances <= np.partition(distances, last)[last]


def generate(
    model: TransformerMixin, latents: np.ndarray, component: int, n_values: int = 9
) -> tuple[np.ndarray, np.ndarray]:
    """Decode an even sweep of one latent over its range.

    Parameters
    ----------
    model : transformer with ``inverse_transform``
    latents : ndarray, shape (n, n_components)
    component : int
        Index of the swept latent.
    n_values : int

    Returns
    -------
    values : ndarray, shape (n_values,)
        Values that the swept latent takes.
    spectra : ndarray, shape (n_values, n_features)
        The generated spectra.
    """
    swept = latents[:, component]
    values = np.linspace(swept.min(), swept.max(), n_values)
    codes = neighbour_means(latents, component, values)
    return values, model.inverse_transform(codes.astype(np.float32))


def principal_share(latents: np.ndarray, spectra: np.ndarray) -> float:
    """Return how much of the variance of latents is linear in as many principal components.

    Parameters
    ----------
    latents : ndarray, shape (n, n_components)
        The active latents only.
    spectra : ndarray, shape (n, n_features)

    Returns
    -------
    float
        R2, averaged over the latents; 1 where they are linear functions of the components.
    """
    scores = PCA(latents.shape[1], random_state=0).fit_transform(spectra)
    return float(LinearRegression().fit(scores, latents).score(scores, latents))
