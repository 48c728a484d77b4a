"""Raw band-excitation spectra of a scan: the step before its loops, with every parameter known.

A tip is driven at all frequencies of a band at once, and its response recorded (Jesse, Kalinin, Proksch, Baddorf and Rodriguez,
Nanotechnology 18, 435503, 2007). Near a contact resonance the cantilever is a simple harmonic oscillator, whose four parameters carry the
physics: amplitude and phase the piezoresponse, resonance the stiffness, quality factor the dissipation (Section 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Oscillator(NamedTuple):
    """Parameters of simple harmonic oscillators, each an ndarray of one shape.

    Attributes
    ----------
    amplitude : ndarray
        Of the slow response, far below resonance, V; at resonance it is `quality` times this.
    phase : ndarray
        Of the slow response against the drive, rad.
    resonance : ndarray
        Undamped resonance frequency, kHz.
    quality : ndarray
        Quality factor: resonance over the width of the line.
    """

    amplitude: np.ndarray
    phase: np.ndarray
    resonance: np.ndarray
    quality: np.ndarray


def response(frequency, oscillator):
    """Return the response A exp(i phi) w^2 / (w^2 - f^2 + i f w / Q), V.

    The modulus is the amplitude that Sader, Yousefi and Friend (Rev. Sci. Instrum. 85, 025104, 2014) fit to a cantilever. pycroscopy writes
    the denominator with the other sign: its phase differs by pi.

    Parameters
    ----------
    frequency : ndarray, shape (n_bins,)
        kHz.
    oscillator : Oscillator of ndarray, shape (...)

    Returns
    -------
    ndarray of complex, shape (..., n_bins)
    """
    amplitude, phase, resonance, quality = (
        np.asarray(values)[..., np.newaxis] for values in oscillator
    )
    return (
        amplitude
        * np.exp(1j * phase)
        * resonance**2
        / (resonance**2 - frequency**2 + 1j * frequency * resonance / quality)
    )


@dataclass(frozen=True)
class Instrument:
    """How a scan in z-scores becomes spectra.

    The noise of the prepared piezoresponse has a mean square of 0.0003 whatever the piezoresponse; that of the resonance falls as the
    piezoresponse grows. White noise in the spectra does both to what is fitted to them. Its level is set by the piezoresponse, all of whose
    noise is taken to come from the spectra; that of the resonance then follows, and where the piezoresponse is above 0.8 it is the measured
    one to within a tenth.

    Attributes
    ----------
    band : tuple of float
        First and last frequency, kHz: the 1300 to 1340 kHz within which the authors accept a resonance, and room for a line at its edge.
    n_bins : int
    sensitivity : float
        V per z-score of the piezoresponse, so that amplitudes reach the 1.4e-4 V of the authors' maps; z-score 0 is no response.
    resonance : tuple of float
        Mean and standard deviation, kHz: all of the measured z-scores, -4.7 to 3.6, lie within 1300 and 1340 kHz.
    quality : float
        The authors' maps run from 160 to 230.
    dissipation : float
        Share of the quality factor lost for each z-score that the resonance is below its mean over the loop: walls that move soften and
        dissipate.
    rotation : tuple of float
        Mean and standard deviation over the pixels of theta in P = A cos(phi + theta): the phase lag of the electronics, rad.
    noise : float
        Standard deviation of the real and of the imaginary part in each bin, V: 4.2 % of the peak of a piezoresponse of one z-score.
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
    def frequency(self):
        """Frequencies of the bins, (n_bins,), kHz."""
        return np.linspace(*self.band, self.n_bins)


@dataclass(frozen=True, eq=False)
class RawScan:
    """The raw spectra of a scan, made block by block as they are read.

    Attributes
    ----------
    voltage : ndarray, shape (n_steps,)
        V.
    oscillator : Oscillator of ndarray, shape (n_pixels, n_steps)
        The truth.
    rotation : ndarray, shape (n_pixels,)
        theta, rad.
    instrument : Instrument
    seed : int
        Of the noise.
    """

    voltage: np.ndarray
    oscillator: Oscillator
    rotation: np.ndarray
    instrument: Instrument
    seed: int

    def blocks(self, n_pixels=32):
        """Yield complex64 spectra of `n_pixels` pixels at a time, (n, n_steps, n_bins), V; the size of a block changes no bit of them."""
        rng, instrument = np.random.default_rng(self.seed), self.instrument
        for start in range(0, len(self.rotation), n_pixels):
            block = Oscillator(*(values[start : start + n_pixels] for values in self.oscillator))
            clean = response(instrument.frequency, block)
            noise = rng.standard_normal((*clean.shape, 2), dtype=np.float32).view(np.complex64)[
                ..., 0
            ]
            yield clean.astype(np.complex64) + np.float32(instrument.noise) * noise


def excite(scan, seed=0, instrument=None):
    """Turn the loops of a scan into raw spectra.

    Parameters
    ----------
    scan : Scan
        In z-scores, such as ``twin.simulate(noise=False)``; its channels are brought onto one voltage axis, as they are measured.
    seed : int
        The same seed gives the same bits.
    instrument : Instrument, optional

    Returns
    -------
    RawScan
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
