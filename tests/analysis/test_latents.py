"""Generated spectra: neighbours by brute force, and a linear model, whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate.analysis.latents import (
    NEIGHBOURS,
    distance_to_nearest,
    generate,
    neighbour_means,
    random_projections,
)
from replicate.models.linear import PCA


class Linear:
    """Decodes by a matrix and an offset, and remembers what it was asked for."""

    def __init__(self, rng, n_components=3, n_features=8):
        self.matrix = rng.normal(size=(n_components, n_features))
        self.offset = rng.normal(size=n_features)

    def inverse_transform(self, latents):
        self.asked = latents
        return latents @ self.matrix + self.offset


def test_the_paper_takes_a_hundred_neighbours(rng):
    assert NEIGHBOURS == 100
    latents = rng.normal(size=(300, 2))
    values = np.array([0.0, 1.0])
    np.testing.assert_array_equal(
        neighbour_means(latents, 0, values), neighbour_means(latents, 0, values, n_neighbours=100)
    )


@pytest.mark.parametrize("component", range(3))
@pytest.mark.parametrize("n_neighbours", [1, 7, 100])
def test_neighbours_by_brute_force(rng, component, n_neighbours):
    latents = rng.normal(size=(150, 3))
    values = np.linspace(-2, 2, 5)
    means = neighbour_means(latents, component, values, n_neighbours)
    np.testing.assert_array_equal(means[:, component], values)
    for row, value in zip(means, values):
        by_distance = sorted(latents.tolist(), key=lambda latent: abs(latent[component] - value))
        nearest = by_distance[:n_neighbours]
        for other in {0, 1, 2} - {component}:
            mean = sum(latent[other] for latent in nearest) / n_neighbours
            assert row[other] == pytest.approx(mean)


def test_all_that_are_as_near_count():
    """A sparse code has many zeros; which of them come first in the scan must not matter."""
    latents = np.zeros((500, 2))
    latents[:, 1] = np.arange(500)
    latents[400:, 0] = 3.0
    np.testing.assert_allclose(
        neighbour_means(latents, 0, np.array([0.1])), [[0.1, np.mean(np.arange(400))]]
    )


def test_nearest_in_that_latent_only():
    """Near in all latents is not what the paper asks for."""
    latents = np.array([[0.0, 100.0], [0.1, -50.0], [5.0, 0.0]])
    np.testing.assert_allclose(neighbour_means(latents, 0, np.array([0.0]), 2), [[0, 25]])


@given(st.integers(1, 30))
def test_fewer_spectra_than_neighbours(n):
    latents = np.random.default_rng(n).normal(size=(n, 2))
    means = neighbour_means(latents, 0, np.array([-1.0, 3.0]))
    np.testing.assert_allclose(means, [[-1, latents[:, 1].mean()], [3, latents[:, 1].mean()]])


def test_latents_are_left_as_they_were(rng):
    latents = rng.normal(size=(20, 3))
    before = latents.copy()
    neighbour_means(latents, 1, np.array([9.0]), 5)
    np.testing.assert_array_equal(latents, before)


@pytest.mark.parametrize("component", range(3))
def test_a_linear_model_changes_along_its_own_atom(rng, component):
    """Every spectrum is a neighbour: other latents stay at their mean, spectra lie on a line."""
    model = Linear(rng)
    latents = rng.normal(size=(60, 3))
    values, spectra = generate(model, latents, component, n_values=5)
    rest = latents.mean(axis=0)
    rest[component] = 0
    expected = np.outer(values, model.matrix[component]) + rest @ model.matrix + model.offset
    np.testing.assert_allclose(spectra, expected, atol=1e-5)


def test_the_sweep_is_even_over_the_range(rng):
    latents = rng.normal(size=(60, 3))
    values, spectra = generate(Linear(rng), latents, 2)
    assert spectra.shape == (9, 8)
    assert (values[0], values[-1]) == (latents[:, 2].min(), latents[:, 2].max())
    np.testing.assert_allclose(np.diff(values), np.ptp(latents[:, 2]) / 8)


def test_the_model_is_given_the_neighbours_in_single_precision(rng):
    model = Linear(rng)
    latents = rng.normal(size=(250, 3))
    values, _ = generate(model, latents, 0, n_values=4)
    assert model.asked.dtype == np.float32
    np.testing.assert_allclose(model.asked, neighbour_means(latents, 0, values), rtol=1e-6)


def test_with_pca(rng):
    spectra = rng.normal(size=(200, 3)) @ rng.normal(size=(3, 10))
    pca = PCA(3).fit(spectra)
    values, generated = generate(pca, pca.transform(spectra), 1)
    np.testing.assert_allclose((generated - pca.mean_) @ pca.components_[1], values, atol=1e-5)


def test_a_sweep_without_the_extremes(rng):
    """One latent of a thousand is an outlier: it does not set the limits."""
    latents = rng.uniform(0, 1, size=(1000, 2))
    latents[0] = 50
    pca = PCA(2).fit(latents)
    values, _ = generate(pca, latents, 0, limits=(0.01, 0.99))
    assert values[0] == pytest.approx(np.quantile(latents[:, 0], 0.01))
    assert values[-1] < 1 < generate(pca, latents, 0)[0][-1]


def test_distance_to_the_nearest_by_brute_force(rng):
    spectra, measured = rng.normal(size=(7, 5)), rng.normal(size=(30, 5))
    expected = np.sort(np.mean((spectra[:, None] - measured) ** 2, axis=2), axis=1)
    np.testing.assert_allclose(distance_to_nearest(spectra, measured), expected[:, 0])
    np.testing.assert_allclose(distance_to_nearest(spectra, measured, rank=1), expected[:, 1])
    assert distance_to_nearest(measured, measured).max() < 1e-12
    assert distance_to_nearest(measured, measured, rank=1).min() > 0


def test_random_projections_are_drawn_anew_and_again(rng):
    """They are linear in the spectra, and the same for the same seed."""
    spectra = rng.normal(size=(20, 6))
    first, second = random_projections(spectra, 3, n_draws=2)
    assert first.shape == (20, 3) and not np.allclose(first, second)
    again, _ = random_projections(2 * spectra, 3, n_draws=2)
    np.testing.assert_allclose(again, 2 * first)
