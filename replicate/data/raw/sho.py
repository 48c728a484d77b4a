"""The simple-harmonic-oscillator fit of band-excitation spectra.

Amplitude, phase, resonance and quality factor of all spectra are fitted at once, to the line of
`replicate.data.raw.band_excitation.response`; Jesse et al. (Nanotechnology 18, 435503, 2007) fit it
spectrum by spectrum.

Here the line is c / (alpha - x + i u gamma), with u the frequency over that of the middle of the
band, and x its square, scaled to -1..1. It is linear in c, which is eliminated (variable
projection). A linear fit of the inverse response starts Levenberg and Marquardt's method on alpha
and gamma. The complex number alpha + i gamma is called the pole.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy.stats import f as f_distribution

from replicate.data.raw.band_excitation import Oscillator
from replicate.data.raw.matlab import piezoresponse
from replicate.errors import ReplicationError

#: So many spectra are fitted at a time: few enough to stay in the cache of the processor.
BLOCK = 1024

#: The fit takes at most so many steps.
N_ITERATIONS = 25

#: A fit has converged when a step moves it by less than this share of the line width.
TOLERANCE = 1e-5

#: A line is accepted where noise alone would explain as much of the spectrum with a smaller chance.
CHANCE = 1e-4

#: The damping of Levenberg and Marquardt's method at the start.
FIRST_DAMPING = 1e-3

#: The damping is multiplied by this after a step that failed.
DAMPING_AFTER_FAILURE = 10.0

#: The damping is multiplied by this after a step that did not fail.
DAMPING_AFTER_SUCCESS = 0.1


def fit(
    frequency: np.ndarray, spectra: np.ndarray, phase: np.ndarray | None = None
) -> tuple[Oscillator, np.ndarray]:
    """Fit an oscillator to each spectrum.

    Parameters
    ----------
    frequency : ndarray of shape (n_bins,)
        Frequencies in rising order, in kHz or any other unit.
    spectra : ndarray of shape (..., n_bins)
        The complex response in any unit, or its amplitude if `phase` is given. An array that is
        mapped from a file is read block by block.
    phase : ndarray of shape (..., n_bins), optional
        Phase of the response, rad.

    Returns
    -------
    oscillator : Oscillator of ndarray of shape (...)
        See `replicate.data.raw.band_excitation.response`. The amplitude has the unit of the
        spectra, the resonance that of the frequencies, and the phase is from -pi to pi. All four
        are NaN where the fit failed, so that the loops are cleaned there.
    fitted : ndarray of bool, shape (...)
        False where a spectrum is not finite, where the fit does not converge, where the line lies
        outside the band, or where noise alone would explain as much.

    Raises
    ------
    ReplicationError
        If the frequencies do not rise, are fewer than five, or are not those of the spectra.
    """
    band = _Band.of(frequency)
    spectra = np.asanyarray(spectra)
    _check_shape("spectra", spectra, spectra.shape[:-1], band)
    if phase is not None:
        _check_shape("phase", phase, spectra.shape[:-1], band)
    rows = spectra.reshape(-1, len(band.u))
    phases = None if phase is None else np.asanyarray(phase).reshape(rows.shape)
    parameters = np.empty((len(rows), 4))
    for start in range(0, len(rows), BLOCK):
        here = slice(start, start + BLOCK)
        block = rows[here]
        if phases is not None:
            block = block * np.exp(1j * phases[here])
        parameters[here] = _fit_block(band, block.astype(np.complex128))
    oscillator = Oscillator(*parameters.T.reshape(4, *spectra.shape[:-1]))
    return oscillator, np.isfinite(oscillator.amplitude)


def _check_shape(name, values, shape, band):
    """Refuse values that have not the shape of the spectra, or not a value for each frequency."""
    expected = (*shape, len(band.u))
    if np.shape(values) != expected:
        raise ReplicationError(
            f"{name}: shape {np.shape(values)}, expected {expected} from the frequencies."
        )


def fit_blocks(
    frequency: np.ndarray, blocks: Iterable[np.ndarray]
) -> tuple[Oscillator, np.ndarray]:
    """Fit spectra that come in blocks, with one block in memory at a time.

    Parameters
    ----------
    frequency : ndarray of shape (n_bins,)
        Frequencies in rising order, kHz.
    blocks : iterable of ndarray of shape (n, n_steps, n_bins)
        Spectra, such as `RawScan.blocks` yields them.

    Returns
    -------
    oscillator, fitted
        The results of `fit` for all blocks, joined along their first axis.
    """
    oscillators, fitted = zip(*(fit(frequency, block) for block in blocks))
    joined = Oscillator(*(np.concatenate(values) for values in zip(*oscillators)))
    return joined, np.concatenate(fitted)


def on_one_axis(amplitude: np.ndarray, phase: np.ndarray, voltage: np.ndarray) -> np.ndarray:
    """Return the loops A cos(phi + theta), with the angle of `optimum_rotation`.

    Parameters
    ----------
    amplitude, phase : ndarray of shape (..., n_steps)
        The phase in rad. Steps without a fit, NaN, stay NaN.
    voltage : ndarray of shape (n_steps,)
        V.
    """
    theta = optimum_rotation(amplitude * np.exp(1j * phase), voltage)
    return piezoresponse(amplitude, phase, theta)


def optimum_rotation(response: np.ndarray, voltage: np.ndarray) -> np.ndarray:
    """Return the angle theta that turns the response of each loop onto one axis (Section 2).

    It takes the greatest share of the squared response into A cos(phi + theta). There are two such
    angles; this is the one with which the piezoresponse rises with the voltage.

    Parameters
    ----------
    response : ndarray of complex, shape (..., n_steps)
        A exp(i phi). Steps without a fit, NaN, are left out.
    voltage : ndarray of shape (n_steps,)
        V.

    Returns
    -------
    ndarray of shape (...)
        Angles from -pi to pi, rad.
    """
    response = np.nan_to_num(response)
    theta = -np.angle(np.sum(response**2, axis=-1)) / 2
    turned = (response * np.exp(1j * theta)[..., np.newaxis]).real
    rises = np.sum(turned * voltage, axis=-1) >= 0
    opposite = np.where(theta > 0, theta - np.pi, theta + np.pi)
    return np.where(rises, theta, opposite)


class _Band(NamedTuple):
    """A band of frequencies.

    Attributes
    ----------
    middle : float
        Frequency in the middle of the band.
    u : ndarray of shape (n_bins,)
        Each frequency over that of the middle.
    scale : float
        Half the range of u^2.
    x : ndarray of shape (n_bins,)
        (u^2 - 1) / scale, which runs from about -1 to 1.
    """

    middle: float
    u: np.ndarray
    scale: float
    x: np.ndarray

    @classmethod
    def of(cls, frequency):
        frequency = np.asarray(frequency, dtype=np.float64)
        are_several = frequency.ndim == 1 and len(frequency) >= 5
        if not are_several or not (np.diff(frequency) > 0).all() or frequency[0] <= 0:
            raise ReplicationError(
                "frequency: expected at least five frequencies above zero, in rising order."
            )
        middle = (frequency[0] + frequency[-1]) / 2
        u = frequency / middle
        scale = np.ptp(u**2) / 2
        return cls(middle, u, scale, (u**2 - 1) / scale)


def _fit_block(band, spectra):
    """Return amplitude, phase, resonance and quality factor, (n, 4), NaN where the fit failed."""
    parameters = np.full((len(spectra), 4), np.nan)
    power = _power(spectra)
    rows = np.flatnonzero(np.isfinite(power) & (power > 0))
    pole, converged = _descend(band, spectra[rows], _guess(band, spectra[rows]))
    rows, pole = rows[converged], pole[converged]
    _, numerator, unexplained = _project(band, spectra[rows], pole)
    oscillators = _oscillator(band, pole, numerator)
    freedom = 2 * len(band.u) - 4
    explained = power[rows] - unexplained
    least_ratio = f_distribution.isf(CHANCE, 4, freedom)
    significant = explained / 4 > least_ratio * unexplained / freedom
    resonance = oscillators[:, 2]
    in_band = (resonance >= band.u[0] * band.middle) & (resonance <= band.u[-1] * band.middle)
    accepted = significant & in_band
    parameters[rows[accepted]] = oscillators[accepted]
    return parameters


def _oscillator(band, pole, numerator):
    """Return amplitude, phase, resonance and quality factor, (n, 4), of lines.

    The lines are given by alpha + i gamma, (n,), and c, (n,).
    """
    square = 1 + band.scale * pole.real
    resonance = np.sqrt(square, out=np.full(len(square), np.nan), where=square > 0)
    return np.stack(
        [
            np.abs(numerator) * band.scale / square,
            np.angle(numerator),
            band.middle * resonance,
            resonance / (band.scale * pole.imag),
        ],
        axis=1,
    )


def _guess(band, spectra):
    """Return the poles to start from, (n,) complex.

    They fit (alpha - x + i gamma) H = c by linear least squares, each bin weighted by the power in
    it, for u is nearly 1.
    """
    weights = spectra.real**2 + spectra.imag**2
    weights /= weights.sum(axis=1, keepdims=True)
    centred = weights * (spectra - np.sum(weights * spectra, axis=1, keepdims=True)).conj()
    spread = np.sum(centred * spectra, axis=1).real
    scale = np.sum(weights * np.abs(spectra) ** 2, axis=1)
    # A flat spectrum has no spread.
    pole = np.sum(centred * band.x * spectra, axis=1) / np.maximum(spread, 1e-12 * scale)
    narrowest = np.diff(band.x).min()
    return np.clip(pole.real, -1, 1) + 1j * np.clip(pole.imag, narrowest, 1)


def _descend(band, spectra, pole):
    """Take damped Gauss-Newton steps from each pole, (n,) complex.

    Returns
    -------
    pole : ndarray of complex, shape (n,)
        Where the steps end.
    converged : ndarray of bool, shape (n,)
    """
    pole = pole.copy()
    converged = np.zeros(len(pole), dtype=bool)
    # The spectra that have not converged yet, and the damping of each.
    rows = np.arange(len(pole))
    damping = np.full(len(pole), FIRST_DAMPING)
    state = _project(band, spectra, pole)
    for _ in range(N_ITERATIONS):
        step = _step(band, spectra, state, damping)
        trial = pole[rows] + step
        trial_state = _project(band, spectra, np.where(trial.imag > 0, trial, pole[rows]))
        nearer = (trial.imag > 0) & (trial_state[2] <= state[2])
        pole[rows[nearer]] = trial[nearer]
        state = tuple(
            np.where(nearer.reshape(-1, *[1] * (old.ndim - 1)), new, old)
            for new, old in zip(trial_state, state)
        )
        damping *= np.where(nearer, DAMPING_AFTER_SUCCESS, DAMPING_AFTER_FAILURE)
        done = np.abs(step) < TOLERANCE * pole[rows].imag
        converged[rows[done]] = True
        if done.all():
            break
        rows, spectra, damping = rows[~done], spectra[~done], damping[~done]
        state = tuple(values[~done] for values in state)
    return pole, converged


def _project(band, spectra, pole):
    """Fit c to each spectrum, given its pole, (n,).

    Returns
    -------
    inverse : ndarray of complex, shape (n, n_bins)
        1 / (alpha - x + i u gamma).
    numerator : ndarray of complex, shape (n,)
        The c that fits best.
    unexplained : ndarray of shape (n,)
        The squared error that it leaves.
    """
    inverse = np.empty(spectra.shape, dtype=np.complex128)
    inverse.real = pole.real[:, np.newaxis] - band.x
    inverse.imag = pole.imag[:, np.newaxis] * band.u
    np.reciprocal(inverse, out=inverse)
    overlap = np.einsum("nk,nk->n", inverse.conj(), spectra)
    norm = _power(inverse)
    return inverse, overlap / norm, _power(spectra) - np.abs(overlap) ** 2 / norm


def _step(band, spectra, state, damping):
    """Return the step of alpha and i gamma, (n,) complex, from the state that `_project` returns.

    The two slopes of the response are -c G^2 and -i u c G^2, with G the inverse. They are
    orthogonal for u = 1, and are taken to be so everywhere. This changes how far a step goes, but
    not where the steps end.
    """
    inverse, numerator, _ = state
    residual = spectra - numerator[:, np.newaxis] * inverse
    power = inverse.real**2 + inverse.imag**2
    # The part of G^2 that is along G belongs to c.
    part_along = np.abs(np.einsum("nk,nk->n", power, inverse)) ** 2 / power.sum(axis=1)
    curvature = np.einsum("nk,nk->n", power, power) - part_along
    along = (inverse.conj() ** 2 * residual) @ np.stack([np.ones_like(band.u), band.u], axis=1)
    slope = -numerator.conj()[:, np.newaxis] * along
    scale = np.abs(numerator) ** 2 * curvature * (1 + damping)
    return (slope[:, 0].real + 1j * slope[:, 1].imag) / scale


def _power(values):
    """Return the sum of the squared moduli of each row of complex values, (n,)."""
    real = np.einsum("nk,nk->n", values.real, values.real)
    imaginary = np.einsum("nk,nk->n", values.imag, values.imag)
    return real + imaginary
