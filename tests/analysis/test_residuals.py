"""Reconstruction errors by hand, and the median of spectra that stand for many."""

from __future__ import annotations

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from replicate.analysis.residuals import (
    best_median_worst,
    geometric_mean,
    large_errors,
    noise_floor,
    of_middle_tenth,
    of_worst_hundredth,
    offset_share,
    per_channel_mse,
    per_index,
    per_spectrum_mse,
)
from replicate.data import twin

SPECTRA = np.array([[0, 0, 0, 0], [1, 1, 1, 1], [1, 2, 3, 4]], dtype=np.float32)
RECONSTRUCTIONS = np.array([[0, 0, 0, 0], [1, 1, 1, 3], [2, 1, 3, 4]], dtype=np.float32)


def test_known_errors():
    np.testing.assert_allclose(per_spectrum_mse(SPECTRA, RECONSTRUCTIONS), [0, 1, 0.5])
    np.testing.assert_allclose(per_channel_mse(SPECTRA, RECONSTRUCTIONS, 2), [2 / 6, 4 / 6])
    np.testing.assert_allclose(
        per_channel_mse(SPECTRA, RECONSTRUCTIONS, 4), [1 / 3, 1 / 3, 0, 4 / 3]
    )


def test_perfect_reconstruction():
    assert not per_spectrum_mse(SPECTRA, SPECTRA).any()
    assert not per_channel_mse(SPECTRA, SPECTRA, 2).any()


@pytest.mark.parametrize("n_channels", [1, 2, 3, 6])
def test_errors_agree_in_all(rng, n_channels):
    spectra, reconstructions = rng.normal(size=(2, 7, 12))
    by_channel = per_channel_mse(spectra, reconstructions, n_channels)
    assert by_channel.shape == (n_channels,)
    assert by_channel.mean() == pytest.approx(per_spectrum_mse(spectra, reconstructions).mean())
    first = spectra.reshape(7, n_channels, -1)[:, 0]
    first_reconstructed = reconstructions.reshape(7, n_channels, -1)[:, 0]
    assert by_channel[0] == pytest.approx(np.mean((first - first_reconstructed) ** 2))


def test_single_precision_is_added_up_in_double():
    spectra = np.full((1, 100_000), 1, dtype=np.float32)
    reconstructions = spectra + np.float32(0.5)
    reconstructions[0, 0] = 4097
    assert per_spectrum_mse(spectra, reconstructions)[0] == (4096**2 + 99_999 * 0.25) / 100_000
    assert per_channel_mse(spectra, reconstructions, 1)[0] == (4096**2 + 99_999 * 0.25) / 100_000


@pytest.mark.parametrize(
    ("errors", "weights", "expected"),
    [
        ([3, 1, 2], None, [1, 2, 0]),
        ([3, 1, 2, 4], None, [1, 2, 3]),  # of two in the middle the lower, which is an element
        ([5], None, [0, 0, 0]),
        ([1, 1, 1], None, [0, 1, 2]),
        ([3, 1, 2], [1, 1, 1], [1, 2, 0]),
        ([3, 1, 2], [10, 1, 1], [1, 0, 0]),
        ([3, 1, 2], [1, 10, 1], [1, 1, 0]),
        ([3, 1, 2], [2, 1, 1], [1, 2, 0]),
    ],
)
def test_best_median_worst(errors, weights, expected):
    indices = best_median_worst(np.array(errors, dtype=float), weights)
    np.testing.assert_array_equal(indices, expected)


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(1, 7)), min_size=1, max_size=30))
def test_a_weight_is_as_many_spectra(pairs):
    errors, weights = map(np.array, zip(*pairs))
    expanded = np.repeat(errors, weights)
    chosen = errors[best_median_worst(errors, weights)]
    median = statistics.median_low(expanded.tolist())
    np.testing.assert_array_equal(chosen, [expanded.min(), median, expanded.max()])
    np.testing.assert_array_equal(chosen, expanded[best_median_worst(expanded)])


# By index


def test_offset_and_spread_at_each_index_are_those_drawn(rng):
    spectra = rng.normal(size=(20_000, 3))
    errors = rng.normal([0.5, 0.0, -2.0], [1.0, 0.1, 3.0], size=spectra.shape)
    described = per_index(spectra, spectra + errors)
    np.testing.assert_allclose(described["bias"], [0.5, 0.0, -2.0], atol=0.05)
    np.testing.assert_allclose(described["spread"], [1.0, 0.1, 3.0], rtol=0.02)
    np.testing.assert_allclose(described["kurtosis"], 0, atol=0.15)


def test_kurtosis_is_scipy_s(rng):
    errors = rng.laplace(size=(500, 4))
    np.testing.assert_allclose(
        per_index(np.zeros_like(errors), errors)["kurtosis"], stats.kurtosis(errors), rtol=1e-10
    )


def test_counts_stand_for_repetitions(rng):
    spectra = rng.normal(size=(30, 5))
    reconstructions = rng.normal(size=(30, 5))
    counts = rng.integers(1, 6, 30)
    weighed = per_index(spectra, reconstructions, counts)
    repeated = per_index(
        np.repeat(spectra, counts, axis=0), np.repeat(reconstructions, counts, axis=0)
    )
    for name in ("bias", "spread", "kurtosis"):
        np.testing.assert_allclose(weighed[name], repeated[name], rtol=1e-9)


def test_perfect_reconstructions_have_no_errors_to_describe(rng):
    spectra = rng.normal(size=(10, 4))
    assert all((values == 0).all() for values in per_index(spectra, spectra).values())


# Noise


def smooth(n_spectra, n_steps=96):
    """Return cycles of two sizes, one a channel, that a cubic follows well within seven steps."""
    phase = 2 * np.pi * (np.arange(n_steps) / n_steps + np.linspace(0, 1, n_spectra)[:, None])
    return np.concatenate([np.sin(phase), 3 * np.cos(2 * phase)], axis=1)


def test_planted_noise_is_recovered(rng):
    spectra = smooth(400)
    noisy = spectra + rng.normal(size=spectra.shape) * np.repeat([0.02, 0.1], 96)
    np.testing.assert_allclose(noise_floor(noisy, 2), [0.02**2, 0.1**2], rtol=0.1)
    assert (noise_floor(spectra, 2) < 1e-6).all()


def test_noise_does_not_depend_on_where_the_cycle_is_cut(rng):
    cycles = smooth(50).reshape(50, 2, -1)
    cycles = cycles + rng.normal(scale=0.05, size=cycles.shape)
    floors = [
        noise_floor(np.roll(cycles, shift, axis=2).reshape(50, -1), 2) for shift in (0, 1, 40)
    ]
    np.testing.assert_allclose(floors[1:], [floors[0]] * 2)


def test_bends_at_switching_are_not_taken_for_noise():
    noisy = twin.simulate().spectra
    noise = noisy - twin.simulate(noise=False).spectra
    variance = np.mean(noise.reshape(-1, 2, 96) ** 2, axis=(0, 2))
    np.testing.assert_allclose(noise_floor(noisy, 2), variance, rtol=0.1)


def test_share_of_a_shift():
    """An error of 3 everywhere and +-4 on top: 9 of 25."""
    spectrum = np.arange(4.0)
    assert offset_share(spectrum, spectrum + 3) == 1
    assert offset_share(spectrum, spectrum + np.array([4, -4, 4, -4])) == 0
    assert offset_share(spectrum, spectrum + 3 + np.array([4, -4, 4, -4])) == pytest.approx(9 / 25)
    assert offset_share(spectrum, spectrum) == 0


def test_the_middle_tenth_and_the_worst_hundredth(rng):
    errors = rng.permutation(200).astype(float)
    assert set(errors[of_middle_tenth(errors)]) == set(range(90, 110))
    assert set(errors[of_worst_hundredth(errors)]) == {198, 199}
    assert of_middle_tenth(np.array([3.0, 1.0, 2.0])) == [2], "the median, where there are few"
    assert of_worst_hundredth(np.array([3.0, 1.0, 2.0])) == [0]


def test_large_errors_are_counted_value_by_value():
    spectra = np.zeros((2, 4))
    reconstructions = np.array([[0.6, -0.6, 0.5, 0], [0, 0, 0, 0.51]])
    assert large_errors(spectra, reconstructions) == 3 / 8


def test_geometric_mean():
    assert geometric_mean(np.array([1.0, 10.0, 100.0])) == pytest.approx(10)
    assert geometric_mean(np.array([0.0, 1.0])) == 0
