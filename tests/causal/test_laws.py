"""Laws planted in data are found again: processes, polynomials, rates."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from replicate.causal import known_truth, laws

VOLTAGE = np.linspace(0, 16, 49)


@pytest.fixture(scope="module")
def toy():
    return known_truth.toy_laws(noise=0.02, n=120, seed=17, spectra=6)


def test_the_processes_of_the_toy_are_found(toy):
    assert tuple(toy["first"]) == laws.TRUE and toy["lead"] > 50


def test_what_sets_their_positions_is_found(toy):
    assert list(toy["terms"]) == [2, 2, 2] and toy["error"] < 0.01 and min(toy["r2"]) > 0.999


def test_principal_components_are_not_the_coordinates_of_the_law(toy):
    assert min(toy["pca_terms"]) >= 9 and min(toy["pca_r2"]) < 0.95


def test_positions_are_found_to_their_noise(rng):
    t = np.linspace(-1, 1, 25)
    true = rng.uniform(-0.6, 0.6, (20, 3))
    positions, squares = laws.locate(laws.TRUE, laws.compose(laws.TRUE, true, t), t)
    np.testing.assert_allclose(positions, true, atol=1e-4)
    assert squares.max() < 1e-6


def test_a_sparse_polynomial_is_found(rng):
    inputs = rng.uniform(size=(300, 2))
    exact = np.column_stack([1 - 2 * inputs[:, 0] * inputs[:, 1], 3 * inputs[:, 1] ** 2])
    outputs = exact + 0.01 * rng.normal(size=(300, 2))
    coefficients, names, r2 = laws.sparse_law(inputs, outputs)
    first, second = (
        {name: value for name, value in zip(names, row) if value} for row in coefficients
    )
    assert first == pytest.approx({"1": 1, "x0 x1": -2}, abs=0.02)
    assert second == pytest.approx({"x1^2": 3}, abs=0.02)
    assert min(r2) > 0.99
    assert not laws.thresholded(np.ones((5, 1)), np.full((5, 1), 0.01), 0.1).any()


def test_valleys():
    assert laws.valley(np.array([0, 1, 2, 1, 0.0])) == 0
    assert laws.valley(np.array([0, 2, 1, 4, 0.0])) == pytest.approx(0.25)
    assert laws.valley(np.array([[0, 1, 0.0], [1, 0, 1]])) == pytest.approx([0, 1])


@pytest.mark.parametrize("width", [0.8, 1.2])
def test_one_logistic_step_is_one_term(width):
    law = laws.rate_law(VOLTAGE, 2 * expit((VOLTAGE - 8) / width) - 1 + 0.01 * VOLTAGE, 0.01)
    assert law["coefficients"][0] == pytest.approx(1 / width, rel=0.05)
    assert law["valley"] < 0.02
    assert law["r2"] > 0.99


def test_a_falling_quarter_has_the_law_of_a_rising_one():
    branch = expit((VOLTAGE - 8) / 1.2)
    rising = laws.rate_law(VOLTAGE, branch, 0.0)
    falling = laws.rate_law(-VOLTAGE, -branch, 0.0)
    np.testing.assert_allclose(falling["coefficients"], rising["coefficients"])


def test_two_steps_leave_a_valley():
    two = (expit((VOLTAGE - 4.5) / 0.8) + expit((VOLTAGE - 11) / 0.8)) / 2
    law = laws.rate_law(VOLTAGE, two, 0.0)
    assert law["valley"] > 0.2 and law["r2"] > 0.8


def test_the_rates_of_a_fresh_twin():
    rates = known_truth.twin_rate_laws(212)
    assert rates["one"]["valley"] < 0.02
    assert rates["two"]["valley"] > 0.05
    assert min(rates[name]["r2"] for name in ("one", "two")) > 0.8
