"""The forward pass of every autoencoder in NumPy alone: stored weights are checked without MXNet.

It shares no code with the Gluon networks of `replicate.models`, and computes in double precision
unless asked otherwise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from replicate.reference.base import Network
from replicate.reference.feedforward import ConvolutionalNetwork, DenseNetwork
from replicate.reference.lstm import LSTMNetwork


def network(
    weights: dict[str, np.ndarray], dtype: DTypeLike = np.float64, patch: int = 1
) -> Network:
    """Return the network that stored weights belong to; its kind is known from their names.

    Parameters
    ----------
    weights : dict of str to ndarray
        As in the `weights.npz` of a run.
    dtype : dtype
        The precision to compute in.
    patch : int
        Number of neighbouring steps that the layers take as one.

    Returns
    -------
    Network

    Raises
    ------
    ReplicationError
        If a weight is missing, unknown, of another shape than the others ask for, or not finite.
    """
    kind = DenseNetwork
    if any(".lstm." in name for name in weights):
        kind = LSTMNetwork
    elif any(".convolutions." in name for name in weights):
        kind = ConvolutionalNetwork
    return kind(weights, dtype, patch)


def kl(mean: np.ndarray, log_variance: np.ndarray) -> np.ndarray:
    """Return the mean Kullback-Leibler divergence of each channel from the standard normal prior.

    Parameters
    ----------
    mean, log_variance : ndarray, shape (n, n_latent)
        Mean and log-variance of the Gaussian posteriors.

    Returns
    -------
    ndarray, shape (n_latent,)
        Averaged over the spectra, nats.
    """
    return 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance).mean(axis=0)
