"""The oscillator fit.

It is exact without noise, as good as any unbiased fit can be with noise, and never silent where it
fails.
"""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import least_squares

from replicate.data import twin
from replicate.data.raw import sho
from replicate.data.raw.band_excitation import Instrument, Oscillator, excite, response
from replicate.data.raw.matlab import piezoresponse
from replicate.errors import ReplicationError

INSTRUMENT = Instrument()
FREQUENCY, NOISE = INSTRUMENT.frequency, INSTRUMENT.noise
TYPICAL = Oscillator(8e-5, 0.4, 1320.0, 195.0)


def noise(rng, *shape):
    return NOISE * rng.standard_normal((*shape, len(FREQUENCY), 2)).view(complex)[..., 0]


def slopes(parameters):
    """Return the derivatives of real and imaginary parts of the response, (2 * n_bins, 4).

    They are central differences.
    """
    columns = []
    for i, value in enumerate(parameters):
        step = np.zeros(4)
        step[i] = 1e-6 * value
        ahead, behind = (
            response(FREQUENCY, Oscillator(*(np.array(parameters) + side * step)))
            for side in (1, -1)
        )
        columns.append((ahead - behind) / (2 * step[i]))
    columns = np.array(columns).T
    return np.concatenate([columns.real, columns.imag])


def bound(parameters):
    """Return Cramer and Rao's bound on the standard deviation of each parameter.

    The noise is that of the instrument.
    """
    columns = slopes(parameters)
    return NOISE * np.sqrt(np.diag(np.linalg.inv(columns.T @ columns)))


@pytest.fixture(scope="module")
def raw():
    return excite(twin.simulate(shape=(12, 20), noise=False))


@pytest.fixture(scope="module")
def fits(raw):
    return sho.fit_blocks(FREQUENCY, raw.blocks())


@given(
    st.tuples(
        st.floats(1e-12, 1e6), st.floats(-3.1, 3.1), st.floats(1292, 1348), st.floats(30, 1500)
    )
)
def test_exact_without_noise(parameters):
    oscillator, fitted = sho.fit(FREQUENCY, response(FREQUENCY, Oscillator(*parameters)))
    assert fitted
    np.testing.assert_allclose(oscillator, parameters, rtol=1e-6, atol=1e-7)


def test_any_unit_and_spacing_of_the_frequencies(rng):
    frequency = np.sort(rng.uniform(2.9e5, 3.3e5, 50))
    parameters = Oscillator(3.0, -2.0, 3.1e5, 60.0)
    oscillator, fitted = sho.fit(frequency, response(frequency, parameters).astype(np.complex64))
    assert fitted
    np.testing.assert_allclose(oscillator, parameters, rtol=1e-4)


def test_amplitude_and_phase_are_as_good_as_complex(rng):
    spectra = response(FREQUENCY, TYPICAL) + noise(rng, 3, 5)
    from_complex, fitted = sho.fit(FREQUENCY, spectra)
    from_polar, _ = sho.fit(FREQUENCY, np.abs(spectra), np.angle(spectra))
    assert fitted.shape == (3, 5) and fitted.all()
    np.testing.assert_allclose(from_polar, from_complex, rtol=1e-9)


def test_agrees_with_scipy(rng):
    """The same sum of squares over the four parameters themselves, minimised by MINPACK."""
    truth = Oscillator(
        np.array([8e-5, 5e-5, 1.1e-4, 4e-5]),
        np.array([0.4, -2.5, 3.0, 1.0]),
        np.array([1320.0, 1310, 1331, 1324]),
        195.0,
    )
    truth = Oscillator(*np.broadcast_arrays(*truth))
    spectra = response(FREQUENCY, truth) + noise(rng, 4)
    fits = np.array(sho.fit(FREQUENCY, spectra)[0]).T
    for spectrum, start, ours in zip(spectra, np.array(truth).T, fits):

        def residual(scaled, spectrum=spectrum, start=start):
            left = response(FREQUENCY, Oscillator(*(scaled * start))) - spectrum
            return np.concatenate([left.real, left.imag]) / NOISE

        theirs = least_squares(residual, np.ones(4), xtol=1e-14, ftol=1e-14, gtol=1e-14).x * start
        difference = ours - theirs
        difference[1] = np.angle(np.exp(1j * difference[1]))
        assert (np.abs(difference) < 1e-3 * bound(theirs)).all()


@pytest.mark.parametrize("amplitude", [8e-5, 2.5e-5])
def test_no_unbiased_fit_can_be_better(rng, amplitude):
    parameters = TYPICAL._replace(amplitude=amplitude)
    oscillator, fitted = sho.fit(FREQUENCY, response(FREQUENCY, parameters) + noise(rng, 8000))
    assert fitted.all()
    least = bound(parameters)
    np.testing.assert_allclose(np.std(oscillator, axis=1), least, rtol=0.06)
    assert (np.abs(np.mean(oscillator, axis=1) - parameters) < 0.2 * least).all()


def test_errors_at_the_real_noise_level(raw, fits):
    """Median errors relative to each value, and for the phase to half a turn.

    Amplitude and quality factor are at the bound of the test above.
    """
    oscillator, fitted = fits
    turn = np.angle(np.exp(1j * (oscillator.phase - raw.oscillator.phase))) / np.pi
    errors = np.abs(
        [
            turn
            if name == "phase"
            else getattr(oscillator, name) / getattr(raw.oscillator, name) - 1
            for name in Oscillator._fields
        ]
    )
    amplitude, phase, resonance, quality = np.median(errors[:, fitted], axis=1)
    assert amplitude < 0.015
    assert phase < 0.005
    assert resonance < 1e-4
    assert quality < 0.02
    assert np.median(errors[:, fitted]) < 0.01
    assert fitted.mean() > 0.97


def test_piezoresponse_is_recovered(raw, fits):
    oscillator, fitted = fits
    theta = sho.optimum_rotation(oscillator.amplitude * np.exp(1j * oscillator.phase), raw.voltage)
    np.testing.assert_allclose(theta, raw.rotation, atol=0.02)
    error = piezoresponse(*oscillator[:2], theta) - piezoresponse(*raw.oscillator[:2], raw.rotation)
    assert np.mean((error[fitted] / INSTRUMENT.sensitivity) ** 2) == pytest.approx(3e-4, rel=0.1), (
        "the noise of the prepared arrays"
    )


def test_failed_fits_are_where_there_is_no_line_to_fit(raw, fits):
    oscillator, fitted = fits
    assert (raw.oscillator.amplitude[~fitted] < 0.2 * INSTRUMENT.sensitivity).all()
    for values in oscillator:
        np.testing.assert_array_equal(np.isfinite(values), fitted)


def test_failed_fits_are_flagged_and_leave_their_neighbours_alone(rng):
    spectra = response(FREQUENCY, TYPICAL) + noise(rng, 9)
    alone, _ = sho.fit(FREQUENCY, spectra)
    spectra[1, 3], spectra[2, 0], spectra[3] = np.nan, np.inf, 0
    spectra[4] = noise(rng)
    spectra[5] = response(FREQUENCY, TYPICAL._replace(resonance=1400.0))
    spectra[6] = response(FREQUENCY, TYPICAL).conj()
    spectra[7] = 1 + 2j
    with np.errstate(all="raise", under="ignore"):
        oscillator, fitted = sho.fit(FREQUENCY, spectra)
    np.testing.assert_array_equal(fitted, [True, *[False] * 7, True])
    for values, expected in zip(oscillator, alone):
        np.testing.assert_array_equal(np.isnan(values), ~fitted)
        np.testing.assert_array_equal(values[fitted], expected[fitted])


def test_noise_alone_is_hardly_ever_a_line(rng):
    assert sho.fit(FREQUENCY, noise(rng, 4000))[1].mean() < 0.003


def test_blocks_change_nothing(raw, fits):
    whole, fitted = sho.fit(FREQUENCY, np.concatenate(list(raw.blocks(n_pixels=50))))
    np.testing.assert_array_equal(fitted, fits[1])
    np.testing.assert_array_equal(np.array(whole), np.array(fits[0]))


def test_345600_spectra_within_a_minute(raw):
    (block,) = raw.blocks(n_pixels=240)
    start = time.process_time()
    sho.fit(FREQUENCY, block)
    assert (time.process_time() - start) * 345_600 / block[..., 0].size < 60, (
        "processor seconds of one core"
    )


def test_memory_is_bounded(tmp_path, raw):
    """Spectra on disc are read block by block.

    30 000 of them are 19 MB, and would be 38 MB in double precision.
    """
    path = tmp_path / "spectra.npy"
    stored = np.lib.format.open_memmap(
        path, mode="w+", dtype=np.complex64, shape=(30_000, len(FREQUENCY))
    )
    stored[:] = response(FREQUENCY, TYPICAL)
    tracemalloc.start()
    sho.fit(FREQUENCY, np.load(path, mmap_mode="r"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16e6


@pytest.mark.parametrize("theta", [-2.8, -0.5, 0.0, 0.5, 1.6, 3.0])
def test_optimum_rotation_is_the_angle_that_was_put_in(theta):
    voltage = 16 * np.cos(np.linspace(0, 2 * np.pi, 96, endpoint=False))
    loop = np.tanh(voltage / 4) + 0.2
    oscillator = Oscillator(
        np.abs(loop), np.where(loop < 0, np.pi, 0) - theta, np.ones(96), np.ones(96)
    )
    oscillator.amplitude[5] = oscillator.phase[5] = np.nan
    response = oscillator.amplitude * np.exp(1j * oscillator.phase)
    assert sho.optimum_rotation(response, voltage) == pytest.approx(theta)
    np.testing.assert_allclose(
        np.delete(piezoresponse(*oscillator[:2], theta) - loop, 5), 0, atol=1e-12
    )


@pytest.mark.parametrize(
    ("frequency", "spectra", "phase", "message"),
    [
        (FREQUENCY[::-1], np.ones((2, 80)), None, "rising order"),
        (FREQUENCY[:4], np.ones((2, 4)), None, "at least five"),
        (FREQUENCY - 1300, np.ones((2, 80)), None, "above zero"),
        (np.full(80, np.nan), np.ones((2, 80)), None, "rising order"),
        (FREQUENCY, np.ones((2, 79)), None, "spectra: shape"),
        (FREQUENCY, np.ones((2, 80)), np.ones((3, 80)), "phase: shape"),
    ],
)
def test_wrong_input_is_refused(frequency, spectra, phase, message):
    with pytest.raises(ReplicationError, match=message):
        sho.fit(frequency, spectra, phase)
