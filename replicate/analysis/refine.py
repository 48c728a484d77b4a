"""The best code that a decoder has for a spectrum: the error that is left without an encoder.

An encoder guesses the latents of a spectrum in one pass. The guess falls short of the best by what
Cremer, Li and Duvenaud (ICML 2018) call the amortisation gap. Principal components and dictionary
learning do not guess: their codes are solutions of a minimisation.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import nnls

#: How far a latent is moved to measure the slope of the decoder, in units of its standard deviation
#: over the spectra. Of one spectrum alone no latent has any spread, so its latents stay.
STEP = 0.01

#: Damping of Levenberg and Marquardt's method at the start.
DAMPING = 1e-3

#: Factor by which the damping of a spectrum grows after a step that failed.
DAMPING_GROWTH = 10.0

#: Factor by which the damping of a spectrum falls after a step that succeeded.
DAMPING_FALL = 0.2


def refine(
    decode: Callable[[np.ndarray], np.ndarray],
    latents: np.ndarray,
    spectra: np.ndarray,
    free: np.ndarray,
    n_iterations: int = 12,
) -> np.ndarray:
    """Move the latents of each spectrum to where the decoder comes nearest to it.

    Levenberg and Marquardt's method is applied to each spectrum by itself, to all at once, with the
    derivatives of the decoder from finite differences. A step that does not bring the spectrum
    nearer is not taken, so that no error grows.

    Parameters
    ----------
    decode : callable
        Turns latents, shape (n, n_latents), into spectra, shape (n, n_features).
    latents : ndarray, shape (n, n_latents)
        The latents to start from, as the encoder gives them.
    spectra : ndarray, shape (n, n_features)
    free : ndarray of bool, shape (n_latents,)
        Which latents may be moved.
    n_iterations : int

    Returns
    -------
    ndarray, shape (n, n_latents)
        The refined latents, with the dtype of `latents`.
    """
    codes = np.array(latents)
    free = np.flatnonzero(free)
    if not free.size:
        return codes
    spectra = np.asarray(spectra)
    steps = STEP * codes.std(axis=0)
    decoded = decode(codes)
    errors = _errors(decoded, spectra)
    damping = np.full(len(codes), DAMPING)
    for _ in range(n_iterations):
        slopes = _slopes(decode, codes, decoded, free, steps)
        trial_codes = codes.copy()
        trial_codes[:, free] += _step(slopes, spectra - decoded, damping)
        trial = decode(trial_codes)
        trial_errors = _errors(trial, spectra)
        nearer = trial_errors < errors
        codes[nearer] = trial_codes[nearer]
        decoded[nearer] = trial[nearer]
        errors[nearer] = trial_errors[nearer]
        damping *= np.where(nearer, DAMPING_FALL, DAMPING_GROWTH)
    return codes


def refine_positive(
    decode: Callable[[np.ndarray], np.ndarray], n_latents: int, spectra: np.ndarray
) -> np.ndarray:
    """Return the latents, none below 0, with which a linear decoder comes nearest to each spectrum.

    They are solutions of nonnegative least squares.

    Parameters
    ----------
    decode : callable
        Turns latents, shape (n, n_latents), into spectra, shape (n, n_features): a constant and a
        sum over components.
    n_latents : int
    spectra : ndarray, shape (n, n_features)

    Returns
    -------
    ndarray of float64, shape (n, n_latents)
    """
    constant = decode(np.zeros((1, n_latents)))
    components = (decode(np.eye(n_latents)) - constant).T
    return np.array([nnls(components, spectrum)[0] for spectrum in spectra - constant])


def _errors(decoded, spectra):
    """Return the mean squared error of each spectrum, shape (n,)."""
    return np.mean((decoded - spectra) ** 2, axis=1, dtype=np.float64)


def _slopes(decode, codes, decoded, free, steps):
    """Return how spectra change with each free latent, shape (n, n_free, n_features)."""
    slopes = np.empty((len(codes), len(free), decoded.shape[1]))
    for column, latent in enumerate(free):
        moved = codes.copy()
        moved[:, latent] += steps[latent]
        # A latent of almost no spread may not move at all in its precision.
        way = (moved[:, latent] - codes[:, latent])[:, None]
        slopes[:, column] = np.divide(
            decode(moved) - decoded, way, out=np.zeros(decoded.shape), where=way != 0
        )
    return slopes


def _step(slopes, residuals, damping):
    """Solve the damped normal equations of every spectrum, shape (n, n_free).

    Each latent is damped in proportion to its own slope.
    """
    normal = slopes @ slopes.transpose(0, 2, 1)
    diagonal = np.einsum("nii->ni", normal)
    diagonal += damping[:, None] * diagonal + 1e-12 * (1 + diagonal.max(axis=1, keepdims=True))
    return np.linalg.solve(normal, (slopes @ residuals[:, :, None])).squeeze(-1)
