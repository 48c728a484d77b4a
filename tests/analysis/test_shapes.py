"""Shapes with known answers: a step that moves, loops of known area, linear and other maps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate.analysis.shapes import correlation, dip_depth, loop_area, nonlinearity, transitions
from replicate.data import toy
from replicate.data.twin import simulate

STEPS = np.arange(25)


@given(st.floats(4, 20), st.floats(-3, 3), st.floats(0.5, 5))
def test_transition_of_a_smooth_step_is_where_it_was_put(centre, offset, height):
    spectrum = offset + height * np.tanh((STEPS - centre) / 1.5)
    assert transitions(spectrum[None])[0] == pytest.approx(centre, abs=0.1)


def test_transition_follows_red_in_the_toy_problem():
    """The tanh of the formula crosses zero at t = 2 (R - 0.5), with t from -1 to 1 in 24 steps."""
    red = np.linspace(0.2, 0.8, 13)
    colours = np.stack([red, np.full(13, 0.5), np.full(13, 0.5)], axis=1)
    np.testing.assert_allclose(transitions(toy.spectra(colours)), 24 * red, atol=0.5)


def test_a_flat_spectrum_has_a_transition_too():
    assert np.isfinite(transitions(np.ones((2, 25)))).all()


def test_correlation_is_numpy_s_and_blind_to_shift_and_scale(rng):
    a, b = rng.normal(size=(2, 40))
    assert correlation(a, b) == pytest.approx(np.corrcoef(a, b)[0, 1])
    assert correlation(a, 3 * a + 7) == pytest.approx(1)
    assert correlation(a, -a) == pytest.approx(-1)
    assert correlation(a, np.ones(40)) == 0


def test_dip_is_measured_from_the_mean():
    spectrum = np.zeros(100)
    spectrum[30] = -2.0
    np.testing.assert_allclose(dip_depth(spectrum[None] + 5), [2.0 - 0.02])


def test_area_of_an_ellipse_and_of_a_line():
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    voltage = 16 * np.cos(angle)
    loops = np.stack([3 * np.sin(angle), -3 * np.sin(angle), 0.4 * voltage, np.ones(400)])
    np.testing.assert_allclose(
        loop_area(voltage, loops), [np.pi * 48, np.pi * 48, 0, 0], rtol=1e-3, atol=1e-9
    )


def test_area_stands_for_the_domains_of_the_twin():
    """Where the true mechanism suppresses the loop its area is less."""
    scan = simulate()
    voltage = scan.voltages[0]
    loops = scan.spectra[:, : scan.n_steps]
    area = loop_area(voltage, loops)
    assert np.corrcoef(area, loops.std(axis=1))[0, 1] > 0.9
    rolled = loop_area(np.roll(voltage, 7), np.roll(loops, 7, axis=1))
    np.testing.assert_allclose(rolled, area, rtol=1e-5)


def test_linear_maps_are_linear_and_others_are_not(rng):
    points = rng.normal(size=(200, 6))
    matrix = rng.normal(size=(6, 4))
    assert nonlinearity(lambda x: x @ matrix + 3, points) < 1e-12
    assert nonlinearity(lambda x: np.ones((len(x), 2)), points) == 0
    slightly = nonlinearity(lambda x: x @ matrix + 0.01 * (x @ matrix) ** 2, points)
    strongly = nonlinearity(lambda x: x @ matrix + (x @ matrix) ** 2, points)
    assert 0.001 < slightly < 0.1 < strongly


def test_nonlinearity_of_a_square_is_known():
    """Between 0 and 2, x**2 has 1 in the middle instead of 2, over half a chord of 2."""
    assert nonlinearity(np.square, np.array([[0.0], [2.0]])) == pytest.approx(0.5)
