"""Looking into a latent space: spectra generated along one latent, and latents against PCA.

The sweeps are those of the paper's Figure 5 and Movies S3, S4 and S6.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import NearestNeighbors

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
    model: TransformerMixin,
    latents: np.ndarray,
    component: int,
    n_values: int = 9,
    limits: tuple[float, float] = (0.0, 1.0),
) -> tuple[np.ndarray, np.ndarray]:
    """Decode an even sweep of one latent over its range.

    Parameters
    ----------
    model : transformer with ``inverse_transform``
    latents : ndarray, shape (n, n_components)
    component : int
        Index of the swept latent.
    n_values : int
    limits : tuple of float
        Quantiles of the latent at which the sweep begins and ends; least and greatest by default.

    Returns
    -------
    values : ndarray, shape (n_values,)
        Values that the swept latent takes.
    spectra : ndarray, shape (n_values, n_features)
        The generated spectra.
    """
    swept = latents[:, component]
    values = np.linspace(*np.quantile(swept, limits).astype(swept.dtype), n_values)
    codes = neighbour_means(latents, component, values)
    return values, model.inverse_transform(codes.astype(np.float32))


def distance_to_nearest(spectra: np.ndarray, measured: np.ndarray, rank: int = 0) -> np.ndarray:
    """Return how far each spectrum is from the nearest of the measured ones.

    Parameters
    ----------
    spectra : ndarray, shape (n, n_features)
    measured : ndarray, shape (n_measured, n_features)
    rank : int
        0 for the nearest; 1 for the one after it, which is the nearest other one where the spectra
        are the measured ones themselves.

    Returns
    -------
    ndarray, shape (n,)
        Mean squared distance, in the squared unit of the spectra.
    """
    neighbours = NearestNeighbors(n_neighbors=rank + 1, algorithm="brute").fit(measured)
    distances, _ = neighbours.kneighbors(spectra)
    return distances[:, rank] ** 2 / measured.shape[1]


def random_projections(
    spectra: np.ndarray, n_components: int, n_draws: int = 20, seed: int = 0
) -> Iterator[np.ndarray]:
    """Yield latents that nothing was learned for: projections of spectra on random directions.

    Parameters
    ----------
    spectra : ndarray, shape (n, n_features)
    n_components : int
    n_draws : int
        How many sets of directions are drawn.
    seed : int

    Yields
    ------
    ndarray, shape (n, n_components)
    """
    rng = np.random.default_rng(seed)
    for _ in range(n_draws):
        yield spectra @ rng.standard_normal((spectra.shape[1], n_components))


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
