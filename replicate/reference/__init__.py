"""The forward pass of every autoencoder in NumPy alone, so that stored weights can be checked without MXNet.

It shares no code with the Gluon networks of `replicate.models` and computes in double precision unless asked otherwise.
"""

from __future__ import annotations

import numpy as np

from replicate.reference.feedforward import ConvolutionalNetwork, DenseNetwork
from replicate.reference.lstm import LSTMNetwork


def network(weights, dtype=np.float64, patch=1):
    """Return the network that stored weights are of, told by their names.

    Parameters
    ----------
    weights : dict of str to ndarray
        As in the `weights.npz` of a run.
    dtype : dtype
        Of the computation.
    patch : int
        Neighbouring steps that the layers take as one.

    Returns
    -------
    Network

    Raises
    ------
    ReplicationError
        If a weight is missing, unknown, of another shape than the others ask for, or not finite.
    """
    names = " ".join(weights)
    kind = (
        LSTMNetwork
        if ".lstm." in names
        else ConvolutionalNetwork
        if ".convolutions." in names
        else DenseNetwork
    )
    return kind(weights, dtype, patch)


def kl(mean, log_variance):
    """Return the mean Kullback-Leibler divergence of each channel from the prior, nats, shape (n_latent,), of posteriors (n, n_latent)."""
    return 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance).mean(axis=0)
