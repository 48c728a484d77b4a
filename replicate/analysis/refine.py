"""The best code that a decoder has for a spectrum: what is left of the error when no encoder stands in the way.

An encoder guesses the latents of a spectrum in one pass; the guess falls short of the best by what Cremer, Li and Duvenaud (ICML 2018)
call the amortisation gap. Principal components and dictionary learning do not guess: their codes are solutions of a minimisation.
"""

from __future__ import annotations

import numpy as np

STEP = 0.01
"""By how much a latent is moved to see what the decoder does, in units of its spread over the spectra: one alone has none, and stays."""

DAMPING = (1e-3, 10.0, 0.2)
"""Of Levenberg and Marquardt: at the start, its growth after a step that failed, and its fall after one that did not."""


def refine(decode, latents, spectra, free, n_iterations=12):
    """Move the latents of each spectrum to where the decoder comes nearest to it.

    Levenberg and Marquardt's method on each spectrum by itself, all at once, with the derivatives of the decoder from differences. A step
    that does not bring the spectrum nearer is not taken, so that no error grows.

    Parameters
    ----------
    decode : callable
        Latents, shape (n, n_latents), to spectra, shape (n, n_features).
    latents : ndarray, shape (n, n_latents)
        Where to start: what the encoder says.
    spectra : ndarray, shape (n, n_features)
    free : ndarray of bool, shape (n_latents,)
        Latents that may be moved.
    n_iterations : int

    Returns
    -------
    ndarray, shape (n, n_latents), of the type of `latents`
    """
    codes, spectra = np.array(latents), np.asarray(spectra)
    steps, free = STEP * codes.std(axis=0), np.flatnonzero(free)
    found = decode(codes)
    errors, damping = _errors(found, spectra), np.full(len(codes), DAMPING[0])
    for _ in range(n_iterations if free.size else 0):
        slopes = _slopes(decode, codes, found, free, steps)
        trial = codes.copy()
        trial[:, free] += _step(slopes, spectra - found, damping)
        tried = decode(trial)
        nearer = (trial_errors := _errors(tried, spectra)) < errors
        codes[nearer], found[nearer], errors[nearer] = (
            trial[nearer],
            tried[nearer],
            trial_errors[nearer],
        )
        damping *= np.where(nearer, DAMPING[2], DAMPING[1])
    return codes


def _errors(found, spectra):
    return np.mean((found - spectra) ** 2, axis=1, dtype=np.float64)


def _slopes(decode, codes, found, free, steps):
    """Return how the decoded spectra change with each free latent, shape (n, n_free, n_features)."""
    slopes = np.empty((len(codes), len(free), found.shape[1]))
    for column, latent in enumerate(free):
        moved = codes.copy()
        moved[:, latent] += steps[latent]
        # A latent of almost no spread may not move at all in its precision.
        way = (moved[:, latent] - codes[:, latent])[:, None]
        slopes[:, column] = np.divide(
            decode(moved) - found, way, out=np.zeros(found.shape), where=way != 0
        )
    return slopes


def _step(slopes, residuals, damping):
    """Solve the damped normal equations of every spectrum, each latent damped in proportion to its own slope."""
    normal = slopes @ slopes.transpose(0, 2, 1)
    diagonal = np.einsum("nii->ni", normal)
    diagonal += damping[:, None] * diagonal + 1e-12 * (1 + diagonal.max(axis=1, keepdims=True))
    return np.linalg.solve(normal, (slopes @ residuals[:, :, None])).squeeze(-1)
