"""Reconstruction errors: per spectrum, channel and index; and the noise that lies under them."""

from __future__ import annotations

import numpy as np
from scipy.signal import savgol_coeffs, savgol_filter

#: Length of the Savitzky-Golay filter with which the authors clean the loops, in voltage steps.
WINDOW = 7

#: Degree of the polynomials of the filter with which the authors clean the loops.
ORDER = 3


def per_spectrum_mse(spectra: np.ndarray, reconstructions: np.ndarray) -> np.ndarray:
    """Return the mean squared error of each spectrum.

    Parameters
    ----------
    spectra, reconstructions : ndarray, shape (n, n_features)

    Returns
    -------
    ndarray of float64, shape (n,)
        In the squared unit of the spectra.
    """
    return np.mean((np.asarray(reconstructions, dtype=np.float64) - spectra) ** 2, axis=1)


def offset_share(spectrum: np.ndarray, reconstruction: np.ndarray) -> float:
    """Return which share of the squared error of a spectrum is a constant shift.

    Parameters
    ----------
    spectrum, reconstruction : ndarray, shape (n_features,)

    Returns
    -------
    float
        1 where the reconstruction is right but for a shift, 0 where it is not shifted.
    """
    error = np.asarray(reconstruction, dtype=np.float64) - spectrum
    squared = np.sum(error**2)
    return float(len(error) * error.mean() ** 2 / squared) if squared > 0 else 0.0


def large_errors(spectra: np.ndarray, reconstructions: np.ndarray, limit: float = 0.5) -> float:
    """Return which share of all values is off by more than a limit, in the unit of the spectra.

    Parameters
    ----------
    spectra, reconstructions : ndarray, shape (n, n_features)
    limit : float
    """
    errors = np.asarray(reconstructions, dtype=np.float64) - spectra
    return float(np.mean(np.abs(errors) > limit))


def of_middle_tenth(errors: np.ndarray) -> np.ndarray:
    """Return which spectra are the middle tenth by error, indices, one at the least."""
    order = np.argsort(errors, kind="stable")
    half = max(0.5, 0.05 * len(order))
    middle = (len(order) - 1) / 2
    return order[(np.abs(np.arange(len(order)) - middle) <= half)]


def of_worst_hundredth(errors: np.ndarray) -> np.ndarray:
    """Return which spectra are the worst hundredth by error, indices, one at the least."""
    order = np.argsort(errors, kind="stable")
    return order[-max(1, len(order) // 100) :]


def geometric_mean(errors: np.ndarray) -> float:
    """Return the geometric mean of errors, shape (n,); 0 where one of them is 0."""
    with np.errstate(divide="ignore"):
        return float(np.exp(np.mean(np.log(errors))))


def per_channel_mse(
    spectra: np.ndarray, reconstructions: np.ndarray, n_channels: int
) -> np.ndarray:
    """Return the mean squared error of each channel.

    Parameters
    ----------
    spectra, reconstructions : ndarray, shape (n, n_channels * n_steps)
        Channel-major.
    n_channels : int

    Returns
    -------
    ndarray of float64, shape (n_channels,)
        In the squared unit of the spectra.
    """
    squared = (np.asarray(reconstructions, dtype=np.float64) - spectra) ** 2
    return squared.reshape(len(squared), n_channels, -1).mean(axis=(0, 2))


def best_median_worst(errors: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Return the indices of the least, the median and the greatest error (paper Figures 2 and 4).

    Parameters
    ----------
    errors : ndarray, shape (n,)
    weights : ndarray of int, shape (n,), optional
        How many spectra each error stands for; one each by default.

    Returns
    -------
    ndarray of int, shape (3,)
        The median is an element: the first at which half of the weight is reached.
    """
    if weights is None:
        weights = np.ones(len(errors))
    order = np.argsort(errors, kind="stable")
    cumulative = np.cumsum(np.asarray(weights)[order])
    median = order[np.searchsorted(cumulative, cumulative[-1] / 2)]
    return np.array([order[0], median, order[-1]])


def per_index(
    spectra: np.ndarray, reconstructions: np.ndarray, counts: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Describe the distribution of the error at each index (paper Figures 2m and S8).

    Parameters
    ----------
    spectra, reconstructions : ndarray, shape (n, n_features)
    counts : ndarray of int, shape (n,), optional
        How many spectra each row stands for; one each by default.

    Returns
    -------
    dict of str to ndarray, each of shape (n_features,)
        ``bias``, the mean of reconstruction less spectrum; ``spread``, its standard deviation;
        ``kurtosis``, its excess kurtosis, 0 for a Gaussian and where the error does not vary.
    """
    errors = np.asarray(reconstructions, dtype=np.float64) - spectra
    bias = np.average(errors, axis=0, weights=counts)
    squared = (errors - bias) ** 2
    variance = np.average(squared, axis=0, weights=counts)
    fourth = np.average(squared**2, axis=0, weights=counts)
    kurtosis = np.divide(fourth, variance**2, out=np.full_like(variance, 3.0), where=variance > 0)
    return {"bias": bias, "spread": np.sqrt(variance), "kurtosis": kurtosis - 3}


def noise_floor(spectra: np.ndarray, n_channels: int) -> np.ndarray:
    """Estimate the variance of the noise of each channel from what a filter takes away.

    The Savitzky-Golay filter of the authors' cleaning goes round the cycle of the voltage. The
    filter also keeps some noise: of white noise it keeps the middle one of its weights, for which
    the residual is corrected.

    Parameters
    ----------
    spectra : ndarray, shape (n, n_channels * n_steps)
        Channel-major, each channel one cycle of the voltage.
    n_channels : int

    Returns
    -------
    ndarray, shape (n_channels,)
        In the squared unit of the spectra. It is the median over the steps: at switching the
        resonance bends too sharply for the filter, and the residual is not noise alone.
    """
    cycles = np.asarray(spectra, dtype=np.float64).reshape(len(spectra), n_channels, -1)
    residuals = cycles - savgol_filter(cycles, WINDOW, ORDER, axis=2, mode="wrap")
    noise_share_in_filtered = savgol_coeffs(WINDOW, ORDER)[WINDOW // 2]
    variance = np.median(np.mean(residuals**2, axis=0), axis=1)
    return variance / (1 - noise_share_in_filtered)
