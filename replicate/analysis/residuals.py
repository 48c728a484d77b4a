"""Reconstruction errors: per spectrum, per index of the spectrum, and the best, median and worst spectrum."""

from __future__ import annotations

import numpy as np


def per_spectrum_mse(spectra, reconstructions):
    """Return the mean squared error of each spectrum, shape (n,), for arrays of shape (n, n_features)."""
    return np.mean((np.asarray(reconstructions, dtype=np.float64) - spectra) ** 2, axis=1)


def per_channel_mse(spectra, reconstructions, n_channels):
    """Return the mean squared error of each channel of channel-major spectra, shape (n_channels,)."""
    squared = (np.asarray(reconstructions, dtype=np.float64) - spectra) ** 2
    return squared.reshape(len(squared), n_channels, -1).mean(axis=(0, 2))


def best_median_worst(errors, weights=None):
    """Return the indices of the least, the median and the greatest error (paper Figures 2 and 4).

    Parameters
    ----------
    errors : ndarray, shape (n,)
    weights : ndarray of int, shape (n,), optional
        How many spectra each error stands for.

    Returns
    -------
    ndarray of int, shape (3,)
        The median is an element: the first at which half of the weight is reached.
    """
    order = np.argsort(errors, kind="stable")
    cumulative = np.cumsum(np.ones(len(errors)) if weights is None else np.asarray(weights)[order])
    median = order[np.searchsorted(cumulative, cumulative[-1] / 2)]
    return np.array([order[0], median, order[-1]])


def per_index(spectra, reconstructions, counts=None):
    """Describe the distribution of the error at each index of the spectrum (paper Figures 2m and S8).

    Parameters
    ----------
    spectra, reconstructions : ndarray, shape (n, n_features)
    counts : ndarray of int, shape (n,), optional
        How many spectra each stands for.

    Returns
    -------
    dict of str to ndarray, each of shape (n_features,)
        ``bias``, the mean of reconstruction minus spectrum; ``spread``, its standard deviation; ``kurtosis``, its excess kurtosis.
    """
    errors = np.asarray(reconstructions, dtype=np.float64) - spectra
    bias = np.average(errors, axis=0, weights=counts)
    squared = (errors - bias) ** 2
    variance = np.average(squared, axis=0, weights=counts)
    fourth = np.average(squared**2, axis=0, weights=counts)
    kurtosis = np.divide(fourth, variance**2, out=np.full_like(variance, 3.0), where=variance > 0) - 3
    return {"bias": bias, "spread": np.sqrt(variance), "kurtosis": kurtosis}
