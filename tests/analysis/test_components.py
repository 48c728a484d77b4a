"""How many components pay, where it is known; and how alike the latents of two runs are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate.analysis.components import ByComponents, by_components, stability
from replicate.data.scan import Scan
from replicate.models.linear import PCA

STEPS = 40


def scan_of(rank, noise, seed=0, shape=(25, 24)):
    """A scan of a few smooth loops of like weight, and white noise."""
    rng = np.random.default_rng(seed)
    phase = 2 * np.pi * np.arange(STEPS) / STEPS
    loops = np.stack([np.cos((n // 2 + 1) * phase + n % 2 * np.pi / 2) for n in range(rank)])
    weights = rng.normal(size=(shape[0] * shape[1], rank))
    spectra = weights @ loops + noise * rng.normal(size=(len(weights), STEPS))
    spectra = ((spectra - spectra.mean()) / spectra.std()).astype(np.float32)
    return Scan(
        spectra=spectra,
        shape=shape,
        voltages=np.cos(phase)[np.newaxis],
        provenance="own scan 000000000000",
        channels=("piezoresponse",),
        units=("z-score",),
        size_um=None,
        hashes={},
    )


@pytest.mark.parametrize("rank", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("noise", [0.1, 0.5])
def test_the_number_of_known_components_is_advised(rank, noise):
    assert by_components(scan_of(rank, noise)).advised == rank


def test_the_error_on_pixels_fitted_to_is_that_of_pca():
    scan = scan_of(3, 0.3)
    errors = by_components(scan, most=4)
    whole = scan.spectra.astype(float)
    models = [PCA(n).fit(whole) for n in range(1, 5)]
    by_pca = [
        np.mean((whole - model.inverse_transform(model.transform(whole))) ** 2) for model in models
    ]
    np.testing.assert_allclose(errors.fitted.mean(axis=1), by_pca, rtol=0.03)
    assert np.all(np.diff(errors.fitted, axis=0) < 0)


def test_noise_alone_needs_one():
    assert by_components(scan_of(1, 50.0)).advised == 1


def test_a_component_that_saves_little_does_not_pay():
    predicted = np.array([1.0, 0.8, 0.6, 0.57, 0.3])[:, np.newaxis] * np.array([1, 1.5, 2])
    assert ByComponents(predicted, predicted).advised == 3


@given(seed=st.integers(0, 1000), n=st.integers(1, 6))
def test_order_sign_and_size_of_latents_do_not_matter(seed, n):
    rng = np.random.default_rng(seed)
    latents = rng.normal(size=(200, n))
    other = latents[:, rng.permutation(n)] * rng.choice([-3, 0.5], n) + 7
    assert stability([latents, other]) == pytest.approx(1)


def test_unlike_latents_are_not_stable(rng):
    first, second = rng.normal(size=(2, 5000, 3))
    assert stability([first, second]) < 0.06
    assert stability([first, np.zeros((5000, 3))]) == 0


def test_the_median_is_over_all_pairs(rng):
    first, second = rng.normal(size=(2, 5000, 1))
    assert stability([first, first, first]) == pytest.approx(1)
    assert stability([first, first, second]) < 0.06
