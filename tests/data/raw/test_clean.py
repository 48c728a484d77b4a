"""The cleaning recipe.

It is held against a slow, literal second computation, on its edge cases, and against the trace that
it left in the authors' arrays.
"""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.signal import savgol_filter

from replicate.data.raw import clean as module
from replicate.data.raw.clean import (
    FAR,
    KEPT,
    NOT_FINITE,
    OUT_OF_LIMITS,
    clean,
    farthest,
    interpolate,
    standard_deviation,
    standardise,
)
from replicate.errors import ReplicationError

STEPS = 96


def fill_one(loop, missing):
    axis = np.linspace(0, 1, len(loop))
    filled = loop.copy()
    filled[missing] = np.interp(axis[missing], axis[~missing], loop[~missing])
    return filled


def clean_one(loop, limits=None):
    """Clean one loop as the recipe is written, step after step."""
    loop = np.array(loop, dtype=float)
    missing = np.array(
        [
            not np.isfinite(value) or bool(limits and not limits[0] <= value <= limits[1])
            for value in loop
        ]
    )
    loop = fill_one(loop, missing)
    distance = np.abs(savgol_filter(loop, 7, 3) - loop)
    removed = np.zeros(len(loop), dtype=bool)
    for _ in range(3):
        candidates = [step for step in range(len(loop)) if not removed[step]]
        removed[max(candidates, key=lambda step: (distance[step], step))] = True
    return fill_one(loop, removed)


def assert_same_bits(loops, limits=None):
    cleaned, reasons = clean(loops, limits)
    np.testing.assert_array_equal(cleaned, [clean_one(loop, limits) for loop in loops])
    return cleaned, reasons


def square_loops(rng, n, scale=1.0):
    voltage = np.abs(np.linspace(-16, 16, STEPS)) * np.sign(np.arange(STEPS) - 0.5)
    loops = np.tanh((np.roll(voltage, 20) + rng.normal(0, 2, (n, 1))) / 2)
    return scale * (loops + rng.normal(0, 0.02, (n, STEPS)))


@pytest.mark.parametrize("scale", [1e-5, 1.0, 1e5])
def test_thousand_loops_with_every_kind_of_fault(rng, scale):
    loops = square_loops(rng, 1000)
    loops[rng.random(loops.shape) < 0.02] *= 5
    for value in (np.nan, np.inf, -np.inf):
        loops[rng.random(loops.shape) < 0.02] = value
    loops[::3, 0] = np.nan
    loops[::6, 1] = np.nan
    loops[1::5, -2:] = np.inf
    assert_same_bits(loops * scale)
    assert_same_bits(loops * scale, limits=(-1.0 * scale, 1.0 * scale))


def test_digitised_loops_full_of_ties(rng):
    assert_same_bits(rng.integers(-3, 4, (1000, STEPS)))
    assert_same_bits(rng.integers(0, 2, (1000, 11)))


@settings(max_examples=200)
@given(
    arrays(
        float,
        st.tuples(st.integers(1, 3), st.integers(7, 20)),
        elements=st.floats(-1e6, 1e6) | st.sampled_from([np.nan, np.inf, -np.inf, 0.0, 1.0]),
    )
)
def test_any_loop_gives_the_bits_of_the_literal_recipe(loops):
    loops[:, 3] = 1.0
    cleaned, reasons = assert_same_bits(loops)
    assert np.isfinite(cleaned).all()
    np.testing.assert_array_equal(cleaned[reasons == KEPT], loops[reasons == KEPT])
    assert ((reasons == FAR).sum(axis=1) <= 3).all()


def ramp(missing):
    loop = 2.0 * np.arange(STEPS)
    loop[list(missing)] = np.nan
    return interpolate(loop[np.newaxis], np.isnan(loop)[np.newaxis])[0]


@pytest.mark.parametrize("missing", [{40}, {40, 41, 42}, {1, 3, 94}, set(range(1, 95))])
def test_missing_inner_points_lie_on_the_line(missing):
    np.testing.assert_allclose(ramp(missing), 2.0 * np.arange(STEPS), rtol=1e-14)


def test_missing_ends_take_the_nearest_value():
    np.testing.assert_array_equal(ramp({0})[:2], [2, 2])
    np.testing.assert_array_equal(ramp({0, 1, 2})[:4], [6, 6, 6, 6])
    np.testing.assert_array_equal(ramp({95})[-2:], [188, 188])
    np.testing.assert_array_equal(ramp(set(range(96)) - {7}), np.full(96, 14.0))


def test_the_three_planted_outliers_go_and_nothing_else():
    smooth = np.sin(np.linspace(0, 2 * np.pi, STEPS))
    for steps in ([10, 40, 70], [40, 41, 42], [2, 50, 93]):
        loop = smooth.copy()
        loop[steps] += [0.5, -0.6, 0.7]
        cleaned, reasons = clean(loop[np.newaxis])
        assert set(np.flatnonzero(reasons[0] == FAR)) == set(steps)
        np.testing.assert_allclose(cleaned[0], smooth, atol=0.02)


def test_an_outlier_at_an_end_takes_its_neighbours_value(monkeypatch):
    monkeypatch.setattr(module, "savgol_filter", lambda loops, *_, **__: np.zeros_like(loops))
    loop = np.linspace(1, 2, STEPS)
    loop[[0, 1, 95]] = 9
    cleaned, _ = clean(loop[np.newaxis])
    assert cleaned[0, 0] == cleaned[0, 1] == loop[2]
    assert cleaned[0, 95] == loop[94]


def test_of_tied_distances_the_later_steps_go(monkeypatch):
    monkeypatch.setattr(module, "savgol_filter", lambda loops, *_, **__: np.zeros_like(loops))
    assert list(np.flatnonzero(farthest(np.ones((1, STEPS)))[0])) == [93, 94, 95]


def test_reasons_and_inclusive_limits():
    loop = np.linspace(1300, 1340, STEPS)
    loop[[5, 50]] = 1299.99, np.nan
    cleaned, reasons = clean(loop[np.newaxis], (1300, 1340))
    assert reasons[0, 5] == OUT_OF_LIMITS and reasons[0, 50] == NOT_FINITE
    assert reasons[0, 0] in (KEPT, FAR) and reasons[0, -1] in (KEPT, FAR)
    assert cleaned.min() >= 1300 and cleaned.max() <= 1340


def test_input_is_left_alone_and_float32_is_widened_first(rng):
    loops = square_loops(rng, 5).astype(np.float32)
    before = loops.copy()
    cleaned, _ = clean(loops)
    np.testing.assert_array_equal(loops, before)
    np.testing.assert_array_equal(cleaned, clean(loops.astype(float))[0])


def test_a_constant_loop_stays_constant():
    cleaned, _ = clean(np.full((1, STEPS), 0.1))
    assert (cleaned == 0.1).all()


def test_refusals_name_the_loops():
    loops = np.ones((4, STEPS))
    loops[[1, 3]] = np.nan
    with pytest.raises(ReplicationError, match="2 loops have no finite value: loop 1, loop 3"):
        clean(loops)
    with pytest.raises(ReplicationError, match="no value from 5 to 6: loop 0"):
        clean(np.ones((1, STEPS)), (5, 6))
    with pytest.raises(ReplicationError, match="at least 7 steps"):
        clean(np.ones((4, 6)))


@pytest.mark.parametrize("size", [1, 7, 819, 820, 34567])
@pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) >= "2.0.0",
    reason="later NumPy sums large arrays in another order",
)
def test_standardise_has_the_bits_of_numpy_1(rng, size):
    values = rng.normal(1320, 3, (size, 10))
    centred = values - values.mean()
    expected = centred / centred.std()
    mean, std = standardise(values)
    np.testing.assert_array_equal(values, expected)
    assert std == centred.std() and mean == pytest.approx(1320, abs=10)


def test_standardise_gives_mean_zero_and_deviation_one(rng):
    values = rng.normal(1320, 3, (3600, 96))
    before = values.copy()
    mean, std = standardise(values)
    assert abs(values.mean()) < 1e-12 and values.std() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(values * std + mean, before, rtol=1e-14)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e-5, 1e5])
def test_standardise_refuses_what_is_constant(value):
    with pytest.raises(ReplicationError, match="the same"):
        standardise(np.full((60, 96), value))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e200])
def test_standardise_refuses_what_would_become_nan(value):
    values = np.ones((60, 96))
    values[3, 3] = value
    with pytest.raises(ReplicationError, match="not finite, or too large"):
        standardise(values)


def test_a_scan_takes_under_a_second(rng):
    loops = square_loops(rng, 3600)
    start = time.process_time()
    clean(loops)
    assert time.process_time() - start < 1.0


# The trace in the authors' arrays of how they were made. A z-score of the resonance is an integer
# over a standard deviation. The integer is the distance from the mean in units in the last place.
# Both follow from the array alone.
RESONANCE_STD = float.fromhex("0x1.8f4b7ef3452b8p+43")


@pytest.fixture(scope="module")
def prepared():
    folder = Path(os.environ.get("REPLICATE_DATA", ""))
    if not os.environ.get("REPLICATE_DATA") or not (folder / "resonance.npy").exists():
        pytest.skip("the measured arrays are not at hand (REPLICATE_DATA)")
    return {
        name: np.load(folder / f"{name}.npy").reshape(3600, STEPS)
        for name in ("piezoresponse", "resonance")
    }


def lines(values, tolerance):
    """Mark the points that lie exactly between their neighbours: those the recipe replaced."""
    replaced = np.zeros(values.shape, dtype=bool)
    replaced[:, 1:-1] = np.abs(2 * values[:, 1:-1] - values[:, :-2] - values[:, 2:]) < tolerance
    return replaced


def test_every_measured_loop_has_its_three_replaced_points(prepared):
    assert lines(prepared["piezoresponse"], 1e-14).sum(axis=1).min() == 3
    assert lines(prepared["resonance"], 5e-13).sum(axis=1).min() == 3


def test_measured_resonance_was_centred_and_divided_as_here(prepared):
    centred = np.rint(prepared["resonance"] * RESONANCE_STD)
    assert standard_deviation(centred.ravel()) == RESONANCE_STD
    np.testing.assert_array_equal(centred / RESONANCE_STD, prepared["resonance"])


def test_measured_points_were_interpolated_as_here(prepared):
    """Over ``linspace(0, 1, 96)``: any other axis agrees on far fewer last bits."""
    centred = np.rint(prepared["resonance"] * RESONANCE_STD)
    loops = (
        centred + 2.0**52 * 1.289 // 2 * 2 + 1
    )  # the mean, about 1320 kHz; only its last bit matters
    replaced = lines(prepared["resonance"], 5e-13)
    agree = interpolate(loops, replaced)[replaced] == loops[replaced]
    assert agree.mean() > 0.99  # the rest were replaced twice


def test_measured_loop_with_its_first_two_points_missing(prepared):
    assert np.flatnonzero(
        (np.diff(prepared["piezoresponse"][:, :3]) == 0).all(axis=1)
    ).tolist() == [151]
