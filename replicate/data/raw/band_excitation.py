"""Raw band-excitation spectra of a scan: the step before its loops, with every parameter known.

A tip is driven at all frequencies of a band at once, and its response is recorded (Jesse, Kalinin,
Proksch, Baddorf and Rodriguez, Nanotechnology 18, 435503, 2007). Near a contact resonance the
cantilever is a simple harmonic oscillator, whose four parameters carry the physics: amplitude and
phase are the piezoresponse, the resonance is the stiffness, and the quality factor is the
dissipation (Section 2).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from replicate.data.scan import Scan


class Oscillator(NamedTuple):
    """Parameters of simple harmonic oscillators, all of one shape.

    Attributes
    ----------
    amplitude : ndarray
        Amplitude of the slow response, far below resonance, V. At resonance the response is
        `quality` times as large.
    phase : ndarray
        Phase of the slow response against the drive, rad.
    resonance : ndarray
        Undamped resonance frequency, kHz.
    quality : ndarray
        Quality factor: the resonance over the width of the line.
    """

    amplitude: np.ndarray
    phase: np.ndarray
    resonance: np.ndarray
    quality: np.ndarray


def response(frequency: np.ndarray, oscillator: Oscillator) -> np.ndarray:
    """Return the response A exp(i phi) w^2 / (w^2 - f^2 + i f w / Q) of oscillators, V.

    Its modulus is the amplitude that Sader, Yousefi and Friend (Rev. Sci. Instrum. 85, 025104,
    2014) fit to a cantilever. pycroscopy writes the denominator with the other sign, so that its
    phase differs by pi.

    Parameters
    ----------
    frequency : ndarray of shape (n_bins,)
        kHz.
    oscillator : Oscillator of ndarray of shape (...)

    Returns
    -------
    ndarray of complex, shape (..., n_bins)
    """
    amplitude, phase, resonance, quality = (
        np.asarray(values)[..., np.newaxis] for values in oscillator
    )
    numerator = amplitude * np.exp(1j * phase) * resonance**2
    return numerator / (resonance**2 - frequency**2 + 1j * frequency * resonance / quality)


@dataclass(frozen=True)
class Instrument:
    """How a scan in z-scores becomes spectra.

    The noise of the prepared piezoresponse has a mean square of 0.0003 whatever the piezoresponse;
    that of the resonance falls as the piezoresponse grows. White noise in the spectra has both
    effects on the parameters that are fitted to them. The piezoresponse sets its level: all noise
    of the piezoresponse is taken to come from the spectra. The noise of the resonance then follows,
    and where the piezoresponse is above 0.8 it is the measured noise to within a tenth.

    Attributes
    ----------
    band : tuple of float
        First and last frequency, kHz. Between them lie the 1300 to 1340 kHz within which the
        authors accept a resonance, and room for a line at either edge.
    n_bins : int
        Number of frequencies.
    sensitivity : float
        V for each z-score of the piezoresponse, so that amplitudes reach the 1.4e-4 V of the
        authors' maps. A z-score of 0 is no response.
    resonance : tuple of float
        Mean and standard deviation of the resonance, kHz. All measured z-scores, -4.7 to 3.6, then
        lie within 1300 and 1340 kHz.
    quality : float
        Quality factor where nothing softens; the authors' maps run from 160 to 230.
    dissipation : float
        Share of the quality factor that is lost for each z-score by which the resonance is below
        its mean over the loop: walls that move soften and dissipate.
    rotation : tuple of float
        Mean and standard deviation over the pixels of theta in P = A cos(phi + theta), the phase
        lag of the electronics, rad.
    noise : float
        Standard deviation of the real and of the imaginary part in each bin, V: 4.2 % of the peak
        of a piezoresponse of one z-score.
    """

    band: tuple[float, float] = (1290.0, 1350.0)
    n_bins: int = 80
    sensitivity: float = 8e-5
    resonance: tuple[float, float] = (1320.0, 3.0)
    quality: float = 195.0
    dissipation: float = 0.08
    rotation: tuple[float, float] = (0.6, 0.05)
    noise: float = 6.5e-4

    @property
    def frequency(self) -> np.ndarray:
        """Frequencies of the bins, shape (n_bins,), kHz."""
        return np.linspace(*self.band, self.n_bins)


@dataclass(frozen=True, eq=False)
class RawScan:
    """The raw spectra of a scan, made block by block as they are read.

    Attributes
    ----------
    voltage : ndarray of shape (n_steps,)
        The voltage axis of all pixels, V.
    oscillator : Oscillator of ndarray of shape (n_pixels, n_steps)
        The true parameters behind the spectra.
    rotation : ndarray of shape (n_pixels,)
        The true angle theta of each pixel, rad.
    instrument : Instrument
        How the spectra are measured.
    seed : int
        Seed of the noise.
    """

    voltage: np.ndarray
    oscillator: Oscillator
    rotation: np.ndarray
    instrument: Instrument
    seed: int

    def blocks(self, n_pixels: int = 32) -> Iterator[np.ndarray]:
        """Make the spectra of a few pixels at a time.

        Parameters
        ----------
        n_pixels : int
            Number of pixels in a block. It changes no bit of the spectra.

        Yields
        ------
        ndarray of shape (n, n_steps, n_bins), complex64
            Spectra of the next `n_pixels` pixels, or of those that are left, V.
        """
        rng = np.random.default_rng(self.seed)
        for start in range(0, len(self.rotation), n_pixels):
            pixels = slice(start, start + n_pixels)
            oscillator = Oscillator(*(values[pixels] for values in self.oscillator))
            noiseless = response(self.instrument.frequency, oscillator)
            parts = rng.standard_normal((*noiseless.shape, 2), dtype=np.float32)
            noise = parts.view(np.complex64)[..., 0]
            yield noiseless.astype(np.complex64) + np.float32(self.instrument.noise) * noise


def excite(scan: Scan, seed: int = 0, instrument: Instrument | None = None) -> RawScan:
    """Turn the loops of a scan into raw spectra.

    Parameters
    ----------
    scan : Scan
        A scan in z-scores, such as ``twin.simulate(noise=False)``. Its channels are brought onto
        one voltage axis, as they are measured.
    seed : int
        Seed of the phase lags and of the noise; the same seed gives the same bits.
    instrument : Instrument, optional
        How the spectra are measured; `Instrument()` by default.
    """
    instrument = instrument or Instrument()
    loops, voltage = scan.aligned()
    rng = np.random.default_rng([seed, 1])
    piezoresponse, resonance = (
        loops[:, scan.channels.index(name)].astype(float) for name in ("piezoresponse", "resonance")
    )
    mean, spread = instrument.rotation
    rotation = mean + spread * rng.standard_normal(len(loops))
    softened = resonance.mean(axis=1, keepdims=True) - resonance
    centre, scale = instrument.resonance
    oscillator = Oscillator(
        amplitude=instrument.sensitivity * np.abs(piezoresponse),
        phase=np.where(piezoresponse < 0, np.pi, 0) - rotation[:, np.newaxis],
        resonance=centre + scale * resonance,
        quality=instrument.quality * np.exp(-instrument.dissipation * softened),
    )
    return RawScan(voltage, oscillator, rotation, instrument, seed)
