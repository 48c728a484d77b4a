"""Refined latents of linear and curved decoders, with an error that never grows.

Those of a linear decoder are its least squares; those of a curved one are known.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate.analysis.refine import refine, refine_positive

T = np.linspace(-1, 1, 12)
EVERY = np.ones(3, dtype=bool)


def errors(decode, latents, spectra):
    return np.mean((decode(latents) - spectra) ** 2, axis=1)


def steps_on_slopes(latents):
    """Turn place and height of a step and the slope under it into spectra of the same dtype."""
    where, height, slope = (column[:, None] for column in latents.T)
    return (height * np.tanh(3 * (T - where)) + slope * T).astype(latents.dtype)


@pytest.fixture
def known(rng):
    """Latents of 40 steps on slopes."""
    return rng.uniform([-0.5, 1, -1], [0.5, 2, 1], size=(40, 3))


@pytest.fixture
def linear(rng):
    """A linear decoder, spectra that it cannot make, poor latents, and the best."""
    components = rng.normal(size=(3, 12))
    offset = rng.normal(size=12)
    spectra = rng.normal(size=(40, 12))
    poor = rng.normal(size=(40, 3))
    best = np.linalg.lstsq(components.T, (spectra - offset).T, rcond=None)[0].T

    def decode(latents):
        return latents @ components + offset

    return decode, spectra, poor, best


def test_of_a_linear_decoder_they_are_the_least_squares(linear):
    decode, spectra, start, best = linear
    np.testing.assert_allclose(refine(decode, start, spectra, EVERY), best, atol=1e-8)


def test_of_a_linear_decoder_the_first_step_goes_there(linear):
    """As far as the damping lets it: a method of gradients alone would not."""
    decode, spectra, start, best = linear
    least = errors(decode, best, spectra)
    excess_at_start = errors(decode, start, spectra) - least
    after_one_step = refine(decode, start, spectra, EVERY, 1)
    excess = errors(decode, after_one_step, spectra) - least
    assert (excess < 1e-4 * excess_at_start).all()


def test_known_latents_are_found_from_a_poor_start(known, rng):
    start = known + rng.uniform(-0.4, 0.4, size=known.shape)
    spectra = steps_on_slopes(known)
    assert errors(steps_on_slopes, start, spectra).mean() > 0.05
    np.testing.assert_allclose(refine(steps_on_slopes, start, spectra, EVERY), known, atol=1e-6)


def test_only_free_latents_move(known, rng):
    """And those make up for the others as well as they can."""
    free = np.array([True, False, True])
    spectra = steps_on_slopes(known)
    start = known + rng.uniform(-0.2, 0.2, size=known.shape)
    refined = refine(steps_on_slopes, start, spectra, free)
    np.testing.assert_array_equal(refined[:, 1], start[:, 1])
    assert (refined[:, [0, 2]] != start[:, [0, 2]]).all()
    assert (
        errors(steps_on_slopes, refined, spectra) < errors(steps_on_slopes, start, spectra)
    ).all()
    np.testing.assert_array_equal(refine(steps_on_slopes, start, spectra, ~EVERY), start)


@given(
    seed=st.integers(0, 2**32 - 1),
    scale=st.floats(1e-3, 1e3),
    bend=st.floats(0, 5),
    free=st.lists(st.booleans(), min_size=3, max_size=3),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_no_error_ever_grows(seed, scale, bend, free, dtype):
    """Whatever the decoder, the start and the number of steps, and for each spectrum by itself."""
    rng = np.random.default_rng(seed)
    first, second, third = rng.normal(size=(3, 3, 7)).astype(dtype)

    def decode(latents):
        wave = np.sin(dtype(bend) * latents @ first) * (latents @ second)
        return wave + np.maximum(latents @ third, 0)

    start = dtype(scale) * rng.normal(size=(6, 3)).astype(dtype)
    spectra = dtype(scale) * rng.normal(size=(6, 7)).astype(dtype)
    before = errors(decode, start, spectra)
    for n_iterations in (0, 1, 2, 5):
        latents = refine(decode, start, spectra, np.array(free), n_iterations)
        now = errors(decode, latents, spectra)
        assert (now <= before * (1 + 1e-6)).all()
        before = now


def test_a_spectrum_does_not_depend_on_its_neighbours(known, rng):
    start = known + rng.uniform(-0.2, 0.2, size=known.shape)
    spectra = steps_on_slopes(known) + 0.1 * rng.normal(size=(40, 12))
    order = rng.permutation(40)
    refined = refine(steps_on_slopes, start, spectra, EVERY)
    reordered = refine(steps_on_slopes, start[order], spectra[order], EVERY)
    np.testing.assert_allclose(reordered, refined[order], atol=1e-8)


@pytest.mark.parametrize("spread", [0.0, 1e-30, 1e-9])
def test_a_latent_of_no_spread_spoils_nothing(known, rng, spread):
    """In single precision it does not even move; the others still come nearer."""
    start = (known + rng.uniform(-0.2, 0.2, size=known.shape)).astype(np.float32)
    start[:, 1] = 1.5 + spread * rng.normal(size=40)
    spectra = steps_on_slopes(known)
    with np.errstate(divide="raise", invalid="raise"):
        refined = refine(steps_on_slopes, start, spectra, EVERY)
    assert np.isfinite(refined).all()
    before = errors(steps_on_slopes, start, spectra)
    after = errors(steps_on_slopes, refined, spectra)
    assert (after < before).mean() > 0.9


def test_a_latent_that_does_nothing_and_a_decoder_that_is_flat(rng):
    """Neither has a slope to go by."""
    start = rng.normal(size=(10, 3))
    spectra = rng.normal(size=(10, 5))
    components = rng.normal(size=(3, 5)) * [[1], [0], [1]]
    refined = refine(lambda latents: latents @ components, start, spectra, EVERY)
    np.testing.assert_array_equal(refined[:, 1], start[:, 1])
    best = np.linalg.lstsq(components[::2].T, spectra.T, rcond=None)[0].T
    np.testing.assert_allclose(refined[:, ::2], best, atol=1e-8)
    flat = refine(lambda latents: np.zeros((len(latents), 5)), start, spectra, EVERY)
    np.testing.assert_array_equal(flat, start)


def test_single_precision_stays_and_nothing_that_was_given_changes(known, rng):
    """A network takes nothing else."""
    start = (known + rng.uniform(-0.2, 0.2, size=known.shape)).astype(np.float32)
    spectra = steps_on_slopes(known).astype(np.float32)
    start_before = start.copy()
    spectra_before = spectra.copy()
    decoded_dtypes = set()

    def decode(latents):
        decoded_dtypes.add(latents.dtype)
        return steps_on_slopes(latents)

    refined = refine(decode, start, spectra, EVERY)
    assert {refined.dtype} == decoded_dtypes == {np.dtype(np.float32)}
    np.testing.assert_allclose(refined, known, atol=1e-3)
    np.testing.assert_array_equal(start, start_before)
    np.testing.assert_array_equal(spectra, spectra_before)


def test_positive_latents_are_the_nonnegative_least_squares(rng):
    """Against a search over which latents are 0, the rest by least squares."""
    components, constant = rng.random((3, 8)), rng.normal(size=8)
    spectra = rng.normal(size=(20, 8))
    found = refine_positive(lambda latents: latents @ components + constant, 3, spectra)
    assert found.min() == 0
    for spectrum, latents in zip(spectra - constant, found):
        errors = []
        for chosen in itertools.product([False, True], repeat=3):
            used = components[list(chosen)]
            fit = np.linalg.lstsq(used.T, spectrum, rcond=None)[0] if any(chosen) else np.zeros(0)
            if (fit >= 0).all():
                errors.append(np.sum((fit @ used - spectrum) ** 2))
        assert np.sum((latents @ components - spectrum) ** 2) == pytest.approx(min(errors))
