"""The simple-harmonic-oscillator fit of band-excitation spectra: amplitude, phase, resonance and quality factor of each, all at once.

The line is that of `replicate.data.raw.matlab.band_excitation.response`; Jesse et al. (Nanotechnology 18, 435503, 2007) fit it spectrum by spectrum.
Here it is c / (alpha - x + i u gamma), with u the frequency over that of the middle of the band and x its square, scaled to -1..1. It is
linear in c, which is eliminated (variable projection); a linear fit of the inverse response starts Levenberg and Marquardt's method on
alpha and gamma.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import f as f_distribution

from replicate.data.raw.band_excitation import Oscillator
from replicate.errors import ReplicationError

BLOCK = 1024
"""Spectra fitted at a time: few enough to stay in the cache."""

N_ITERATIONS = 25
TOLERANCE = 1e-5
"""A fit has converged when a step moves it by less than this share of the line width."""

CHANCE = 1e-4
"""Chance that noise explains as much of a given spectrum as a line must."""

DAMPING = (1e-3, 10.0, 0.1)
"""Of Levenberg and Marquardt: at the start, its growth after a step that failed, and its fall after one that did not."""


def fit(frequency, spectra, phase=None):
    """Fit an oscillator to each spectrum.

    Parameters
    ----------
    frequency : ndarray, shape (n_bins,)
        Rising, kHz or any other unit.
    spectra : ndarray, shape (..., n_bins)
        Complex response in any unit; or its amplitude, if `phase` is given. A memory-mapped array is read block by block.
    phase : ndarray, shape (..., n_bins), optional
        rad.

    Returns
    -------
    oscillator : Oscillator of ndarray, shape (...)
        See `replicate.data.raw.matlab.band_excitation.response`; the amplitude in the unit of the spectra, the phase from -pi to pi. NaN where the fit
        failed, for the loops to be cleaned there.
    fitted : ndarray of bool, shape (...)
        False where a spectrum is not finite, where the fit does not converge, where the line lies outside of the band, or where noise alone
        would explain as much.

    Raises
    ------
    ReplicationError
        If the frequencies do not rise, are fewer than five, or are not those of the spectra.
    """
    band = _Band.of(frequency)
    spectra = np.asanyarray(spectra)
    for name, values in (("spectra", spectra), ("phase", phase)):
        if values is not None and (
            np.shape(values)[-1:] != band.u.shape or np.shape(values) != spectra.shape
        ):
            raise ReplicationError(
                f"{name}: shape {np.shape(values)}, expected {(*spectra.shape[:-1], len(band.u))} from the frequencies."
            )
    rows = spectra.reshape(-1, len(band.u))
    phases = None if phase is None else np.asanyarray(phase).reshape(rows.shape)
    parameters = np.empty((len(rows), 4))
    for start in range(0, len(rows), BLOCK):
        here = slice(start, start + BLOCK)
        block = rows[here] if phases is None else rows[here] * np.exp(1j * phases[here])
        parameters[here] = _fit_block(band, block.astype(np.complex128))
    oscillator = Oscillator(*parameters.T.reshape(4, *spectra.shape[:-1]))
    return oscillator, np.isfinite(oscillator.amplitude)


def fit_blocks(frequency, blocks):
    """Fit spectra that come in blocks, such as `RawScan.blocks`, one block in memory at a time; returns what `fit` does, joined."""
    oscillators, fitted = zip(*(fit(frequency, block) for block in blocks))
    return Oscillator(*(np.concatenate(values) for values in zip(*oscillators))), np.concatenate(
        fitted
    )


def optimum_rotation(oscillator, voltage):
    """Return the angle theta that turns the response of each loop onto one axis (Section 2).

    It takes the greatest share of the squared response into A cos(phi + theta); of the two such angles it is the one with which the
    piezoresponse rises with the voltage.

    Parameters
    ----------
    oscillator : Oscillator of ndarray, shape (..., n_steps)
        Steps without a fit, NaN, are left out.
    voltage : ndarray, shape (n_steps,)
        V.

    Returns
    -------
    ndarray, shape (...)
        rad, -pi to pi.
    """
    turned = np.nan_to_num(oscillator.amplitude * np.exp(1j * oscillator.phase))
    theta = -np.angle(np.sum(turned**2, axis=-1)) / 2
    rises = np.sum((turned * np.exp(1j * theta)[..., np.newaxis]).real * voltage, axis=-1) >= 0
    return np.where(rises, theta, np.where(theta > 0, theta - np.pi, theta + np.pi))


class _Band(NamedTuple):
    """A band of frequencies: its middle, each frequency over it, u, and x = (u^2 - 1) / scale, which runs from about -1 to 1."""

    middle: float
    u: np.ndarray
    scale: float
    x: np.ndarray

    @classmethod
    def of(cls, frequency):
        frequency = np.asarray(frequency, dtype=np.float64)
        if (
            frequency.ndim != 1
            or len(frequency) < 5
            or not (np.diff(frequency) > 0).all()
            or frequency[0] <= 0
        ):
            raise ReplicationError(
                "frequency: expected at least five frequencies above zero, in rising order."
            )
        middle = (frequency[0] + frequency[-1]) / 2
        u = frequency / middle
        scale = np.ptp(u**2) / 2
        return cls(middle, u, scale, (u**2 - 1) / scale)


def _fit_block(band, spectra):
    """Return amplitude, phase, resonance and quality factor, (n, 4), NaN where the fit failed."""
    parameters, power = np.full((len(spectra), 4), np.nan), _power(spectra)
    rows = np.flatnonzero(np.isfinite(power) & (power > 0))
    pole, converged = _descend(band, spectra[rows], _guess(band, spectra[rows]))
    rows, pole = rows[converged], pole[converged]
    _, numerator, unexplained = _project(band, spectra[rows], pole)
    found = _oscillator(band, pole, numerator)
    freedom = 2 * len(band.u) - 4
    significant = (power[rows] - unexplained) / 4 > f_distribution.isf(
        CHANCE, 4, freedom
    ) * unexplained / freedom
    good = (
        significant
        & (found[:, 2] >= band.u[0] * band.middle)
        & (found[:, 2] <= band.u[-1] * band.middle)
    )
    parameters[rows[good]] = found[good]
    return parameters


def _oscillator(band, pole, numerator):
    """Return amplitude, phase, resonance and quality factor, (n, 4), from alpha + i gamma, (n,), and c, (n,)."""
    square = 1 + band.scale * pole.real
    resonance = np.sqrt(square, out=np.full(len(square), np.nan), where=square > 0)
    amplitude = np.abs(numerator) * band.scale / square
    return np.stack(
        [
            amplitude,
            np.angle(numerator),
            band.middle * resonance,
            resonance / (band.scale * pole.imag),
        ],
        axis=1,
    )


def _guess(band, spectra):
    """Fit (alpha - x + i gamma) H = c by linear least squares, each bin weighted by the power in it, for u is nearly 1; (n,) complex."""
    weights = spectra.real**2 + spectra.imag**2
    weights /= weights.sum(axis=1, keepdims=True)
    centred = weights * (spectra - np.sum(weights * spectra, axis=1, keepdims=True)).conj()
    spread, scale = (
        np.sum(values, axis=1).real
        for values in (centred * spectra, weights * np.abs(spectra) ** 2)
    )
    # A flat spectrum has no spread.
    found = np.sum(centred * band.x * spectra, axis=1) / np.maximum(spread, 1e-12 * scale)
    narrowest = np.diff(band.x).min()
    return np.clip(found.real, -1, 1) + 1j * np.clip(found.imag, narrowest, 1)


def _descend(band, spectra, pole):
    """Take damped Gauss-Newton steps from each pole, (n,) complex, and return where they end and whether they converged."""
    pole, converged = pole.copy(), np.zeros(len(pole), dtype=bool)
    rows, damping = np.arange(len(pole)), np.full(len(pole), DAMPING[0])
    state = _project(band, spectra, pole)
    for _ in range(N_ITERATIONS):
        step = _step(band, spectra, state, damping)
        trial = pole[rows] + step
        tried = _project(band, spectra, np.where(trial.imag > 0, trial, pole[rows]))
        nearer = (trial.imag > 0) & (tried[2] <= state[2])
        pole[rows[nearer]] = trial[nearer]
        state = tuple(
            np.where(nearer.reshape(-1, *[1] * (old.ndim - 1)), new, old)
            for new, old in zip(tried, state)
        )
        damping *= np.where(nearer, DAMPING[2], DAMPING[1])
        done = np.abs(step) < TOLERANCE * pole[rows].imag
        converged[rows[done]] = True
        if done.all():
            break
        rows, spectra, damping = rows[~done], spectra[~done], damping[~done]
        state = tuple(values[~done] for values in state)
    return pole, converged


def _project(band, spectra, pole):
    """Return 1 / (alpha - x + i u gamma), (n, n_bins), the c that fits best, (n,), and the squared error that it leaves, (n,)."""
    inverse = np.empty(spectra.shape, dtype=np.complex128)
    inverse.real, inverse.imag = (
        pole.real[:, np.newaxis] - band.x,
        pole.imag[:, np.newaxis] * band.u,
    )
    np.reciprocal(inverse, out=inverse)
    overlap, norm = np.einsum("nk,nk->n", inverse.conj(), spectra), _power(inverse)
    return inverse, overlap / norm, _power(spectra) - np.abs(overlap) ** 2 / norm


def _step(band, spectra, state, damping):
    """Return the step of alpha and i gamma.

    The two slopes of the response, -c G^2 and -i u c G^2 with G the inverse, are orthogonal for u = 1, and taken to be so in how far the
    step goes, not in where it leads.
    """
    inverse, numerator, _ = state
    residual = spectra - numerator[:, np.newaxis] * inverse
    power = inverse.real**2 + inverse.imag**2
    # What of G^2 is along G belongs to c.
    curvature = np.einsum("nk,nk->n", power, power) - np.abs(
        np.einsum("nk,nk->n", power, inverse)
    ) ** 2 / power.sum(axis=1)
    along = (inverse.conj() ** 2 * residual) @ np.stack([np.ones_like(band.u), band.u], axis=1)
    slope = -numerator.conj()[:, np.newaxis] * along
    return (slope[:, 0].real + 1j * slope[:, 1].imag) / (
        np.abs(numerator) ** 2 * curvature * (1 + damping)
    )


def _power(values):
    return np.einsum("nk,nk->n", values.real, values.real) + np.einsum(
        "nk,nk->n", values.imag, values.imag
    )
