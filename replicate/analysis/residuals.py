"""Reconstruction errors: per spectrum, per index of the spectrum, the best, median and worst spectrum, and the noise under them."""

from __future__ import annotations

import numpy as np
from scipy.signal import savgol_coeffs, savgol_filter

WINDOW, ORDER = 7, 3
"""Of the Savitzky-Golay filter, steps and degree: those with which the authors clean the loops."""


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
    kurtosis = (
        np.divide(fourth, variance**2, out=np.full_like(variance, 3.0), where=variance > 0) - 3
    )
    return {"bias": bias, "spread": np.sqrt(variance), "kurtosis": kurtosis}


def noise_floor(spectra, n_channels):
    """Estimate the variance of the noise of each channel: what a Savitzky-Golay filter takes away, the voltage being a cycle.

    The filter also keeps some noise; of white noise it keeps the middle one of its weights, for which the residual is corrected.

    Parameters
    ----------
    spectra : ndarray, shape (n, n_features)
        Channel-major, each channel one cycle of the voltage.
    n_channels : int

    Returns
    -------
    ndarray, shape (n_channels,)
        In the squared units of the spectra. The median over the steps: at switching the resonance bends too sharply for the filter, and
        the residual is not noise alone.
    """
    cycles = np.asarray(spectra, dtype=np.float64).reshape(len(spectra), n_channels, -1)
    residuals = cycles - savgol_filter(cycles, WINDOW, ORDER, axis=2, mode="wrap")
    kept = savgol_coeffs(WINDOW, ORDER)[WINDOW // 2]
    return np.median(np.mean(residuals**2, axis=0), axis=1) / (1 - kept)
