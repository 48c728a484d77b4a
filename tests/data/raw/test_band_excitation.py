"""Raw band-excitation spectra.

The line of an oscillator, the way back to the scan, and the noise of the measured scan.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from scipy.signal import savgol_coeffs, savgol_filter

from replicate.data import sources, twin
from replicate.data.raw import sho
from replicate.data.raw.band_excitation import Instrument, Oscillator, excite, response
from replicate.data.raw.matlab import piezoresponse

needs_data = pytest.mark.skipif(
    "REPLICATE_DATA" not in os.environ, reason="needs the measured arrays: set REPLICATE_DATA"
)


@pytest.fixture(scope="module")
def scan():
    return twin.simulate(shape=(8, 10), noise=False)


@pytest.fixture(scope="module")
def raw(scan):
    return excite(scan)


def spectra(raw, **options):
    return np.concatenate(list(raw.blocks(**options)))


def test_line_of_an_oscillator():
    line = Oscillator(2.0, 0.3, 1320.0, 200.0)
    slow, peak = response(np.array([1e-6, 1320.0]), line)
    assert slow == pytest.approx(2.0 * np.exp(0.3j))
    assert peak == pytest.approx(2.0 * 200 * np.exp(1j * (0.3 - np.pi / 2))), (
        "Q times as large, a quarter of a turn behind"
    )
    frequency = np.linspace(1300, 1340, 100_001)
    power = np.abs(response(frequency, line)) ** 2
    above = frequency[power > power.max() / 2]
    assert above[-1] - above[0] == pytest.approx(1320 / 200, rel=1e-3), (
        "Q is the frequency over the width at half the power"
    )


def test_spectra_are_of_the_shape_of_their_parameters():
    line = Oscillator(*np.ones((4, 5, 3)))
    assert response(np.linspace(1, 2, 7), line).shape == (5, 3, 7)


def test_truth_is_the_scan(scan, raw):
    loops, voltage = scan.aligned()
    np.testing.assert_array_equal(raw.voltage, voltage)
    piezoresponse = (
        raw.oscillator.amplitude
        * np.cos(raw.oscillator.phase + raw.rotation[:, None])
        / raw.instrument.sensitivity
    )
    np.testing.assert_allclose(piezoresponse, loops[:, 0], atol=1e-6)
    centre, scale = raw.instrument.resonance
    np.testing.assert_allclose((raw.oscillator.resonance - centre) / scale, loops[:, 1], atol=1e-6)


def test_soft_walls_dissipate(raw):
    softest = raw.oscillator.resonance.argmin(axis=1)
    np.testing.assert_array_equal(raw.oscillator.quality.argmin(axis=1), softest)


def test_same_seed_same_bits_whatever_the_blocks(scan, raw):
    whole = spectra(raw)
    assert (whole.shape, whole.dtype) == ((80, 96, 80), np.complex64)
    np.testing.assert_array_equal(spectra(excite(scan), n_pixels=7), whole)
    assert not np.array_equal(spectra(excite(scan, seed=1)), whole)


def test_noise_is_white_and_of_the_stated_level(raw):
    noise = spectra(raw) - response(raw.instrument.frequency, raw.oscillator)
    level = raw.instrument.noise
    assert noise.real.std() == pytest.approx(level, rel=0.01)
    assert noise.imag.std() == pytest.approx(level, rel=0.01)
    assert abs(np.mean(noise.real * noise.imag)) < 0.01 * level**2
    assert abs(np.mean(noise[..., 1:] * noise[..., :-1].conj())) < 0.01 * level**2
    np.testing.assert_allclose(noise.real.std(axis=(0, 1)), level, rtol=0.05)


@needs_data
def test_the_measured_scan_lies_where_the_authors_accept_it():
    """Resonances, amplitudes and quality factors are within what the authors report.

    Resonances are 1300 to 1340 kHz, amplitudes up to 1.4e-4 V, quality factors about 160 to 230
    (0.1 to 99.9 % of them here).
    """
    oscillator = excite(sources.load_scan("measured")).oscillator
    assert 1300 < oscillator.resonance.min() < oscillator.resonance.max() < 1340
    assert 1.3e-4 < oscillator.amplitude.max() < 1.5e-4
    assert (
        150 < np.quantile(oscillator.quality, 0.001) < np.quantile(oscillator.quality, 0.999) < 240
    )


def by_size(noise, loops, edges=(0.8, 1.0, 1.2, 1.4)):
    """Return the robust standard deviation of the noise of both channels where loops are flat.

    There is one value for each class of the size of the piezoresponse.
    """
    size, flat = np.abs(loops), np.abs(np.gradient(loops, axis=1)) < 0.03
    classes = [flat & (size > low) & (size <= high) for low, high in zip(edges, edges[1:])]
    return np.array(
        [[1.4826 * np.nanmedian(np.abs(values[here])) for here in classes] for values in noise]
    )


@needs_data
def test_noise_of_the_fitted_twin_is_that_of_the_measured_scan():
    """One level of white noise in the spectra gives the noise of both channels.

    It is constant in the piezoresponse, and falls in the resonance.
    """
    scan = sources.load_scan("measured").aligned()[0].astype(float).swapaxes(0, 1)
    smooth = savgol_filter(scan, 7, 3, axis=2, mode="wrap")
    measured = by_size((scan - smooth) / np.sqrt(1 - savgol_coeffs(7, 3)[3]), smooth[0])
    assert np.ptp(measured[0]) < 0.05 * measured[0].mean()
    assert measured[1, 0] > 1.3 * measured[1, -1]

    raw = excite(twin.simulate(shape=(20, 20), noise=False))
    oscillator, _ = sho.fit_blocks(raw.instrument.frequency, raw.blocks())
    truth, recovered = (
        piezoresponse(*line[:2], raw.rotation) / raw.instrument.sensitivity
        for line in (raw.oscillator, oscillator)
    )
    softening = (oscillator.resonance - raw.oscillator.resonance) / raw.instrument.resonance[1]
    np.testing.assert_allclose(by_size((recovered - truth, softening), truth), measured, rtol=0.1)


def test_instrument_is_obeyed(scan):
    raw = excite(
        scan,
        instrument=Instrument(band=(1300.0, 1340.0), n_bins=64, noise=0.0, rotation=(0.0, 0.0)),
    )
    frequency = raw.instrument.frequency
    assert (len(frequency), frequency[0], frequency[-1]) == (64, 1300, 1340)
    np.testing.assert_allclose(
        spectra(raw), response(frequency, raw.oscillator), rtol=1e-5, atol=1e-9
    )
    assert set(np.unique(raw.oscillator.phase)) == {0.0, np.pi}
