"""The noise of the regression check: known answers, and what must hold for any numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from benchmarks.noise import FLOOR, PAIRED_TOLERANCE, TAIL, Noise, allowed, noise_of
from benchmarks.store import Store

NETWORK, LINEAR = "beps.lstm_vae.mse", "beps.pca.mse"
HELDOUT = "beps_heldout.lstm_vae.heldout_mse"
SEEDS = [0, 1, 2, 3, 4]

positive = st.floats(1e-3, 1e3)
samples = st.lists(positive, min_size=5, max_size=5)
pairs = st.integers(1, 5)


def entry(values):
    """An entry of the metrics document with these values, one a seed."""
    return {
        "value": float(np.mean(values)),
        "values": list(values),
        "seeds": list(range(len(values))),
    }


def table(**values):
    """The metrics of a document, by names whose dots are written as two underscores."""
    return {name.replace("__", "."): entry(numbers) for name, numbers in values.items()}


def allowed_elsewhere(name, values, n_pairs=5):
    return allowed(name, {name: entry(values)}, SEEDS[:n_pairs], False)


# Half the width of the interval


@pytest.mark.parametrize(
    ("deviation", "freedom", "n_pairs", "expected"),
    [
        # Student's t of 0.9995 is 8.610 at 4 and 31.599 at 2 degrees of freedom, as in any table.
        (1.0, 4, 1, 8.6103 * np.sqrt(2)),
        (1.0, 4, 2, 8.6103),
        (0.1, 4, 5, 0.1 * 8.6103 * np.sqrt(0.4)),
        (2.0, 2, 2, 2 * 31.5991),
        (0.0, 4, 5, 0.0),
    ],
)
def test_half_width_by_the_table_of_t(deviation, freedom, n_pairs, expected):
    assert Noise(deviation, freedom).half_width(n_pairs) == pytest.approx(expected, rel=1e-5)


@given(deviation=positive, freedom=st.integers(2, 40), n_pairs=st.integers(1, 20))
def test_half_width_leaves_the_tail_of_t(deviation, freedom, n_pairs):
    """The second computation integrates: the incomplete beta function is the tail of t."""
    half = Noise(deviation, freedom).half_width(n_pairs)
    t = half / (deviation * np.sqrt(1 / n_pairs + 1 / n_pairs))
    tail = special.betainc(freedom / 2, 0.5, freedom / (freedom + t**2)) / 2
    assert tail == pytest.approx(TAIL, rel=1e-6)


def test_two_trainings_in_a_thousand_differ_more(rng):
    """Stored and new seeds are drawn from one distribution, and the stored ones tell its width."""
    stored, new = rng.normal(1, 0.1, (2, 200_000, 5))
    deviation = stored.std(axis=1, ddof=1)
    for n_pairs in (1, 5):
        off = np.abs((new - stored)[:, :n_pairs].mean(axis=1))
        share = np.mean(off > deviation * Noise(1.0, 4).half_width(n_pairs))
        # A single pair is among the seeds that tell the width, so that both are large together.
        assert share < 1.1 * 2 * TAIL
        assert share > 0.2 * 2 * TAIL


# What is allowed


@given(values=samples, n_pairs=pairs)
def test_never_less_than_the_floor(values, n_pairs):
    size = np.mean(values[:n_pairs])
    assert allowed_elsewhere(NETWORK, values, n_pairs) >= FLOOR * size * (1 - 1e-12)
    assert allowed_elsewhere(LINEAR, values, n_pairs) >= PAIRED_TOLERANCE * size * (1 - 1e-12)


@given(values=samples, factor=st.floats(1, 10))
def test_grows_with_the_scatter(values, factor):
    wider = np.mean(values) + factor * (np.array(values) - np.mean(values))
    assert allowed_elsewhere(NETWORK, wider) >= allowed_elsewhere(NETWORK, values) * (1 - 1e-9)


@given(deviation=positive, freedom=st.integers(2, 40), n_pairs=st.integers(1, 20))
def test_more_pairs_make_it_smaller(deviation, freedom, n_pairs):
    noise = Noise(deviation, freedom)
    assert noise.half_width(n_pairs + 1) < noise.half_width(n_pairs)


@given(values=samples, n_pairs=pairs, scale=st.floats(1e-3, 1e3))
def test_another_unit_changes_nothing(values, n_pairs, scale):
    """An error in another unit may be off by as much, in that unit."""
    scaled = allowed_elsewhere(NETWORK, [scale * value for value in values], n_pairs)
    assert scaled == pytest.approx(scale * allowed_elsewhere(NETWORK, values, n_pairs))


@given(values=samples, n_pairs=pairs)
def test_the_same_arithmetic_allows_a_thousandth_whatever_the_scatter(values, n_pairs):
    for name in (NETWORK, LINEAR):
        same = allowed(name, {name: entry(values)}, SEEDS[:n_pairs], True)
        assert same == pytest.approx(PAIRED_TOLERANCE * np.mean(values[:n_pairs]))
        assert same <= allowed_elsewhere(name, values, n_pairs) * (1 + 1e-12)


def test_the_same_arithmetic_forgives_the_rounding_of_what_is_zero():
    name = "beps.pca.decoder_nonlinearity"
    assert allowed(name, {name: entry([2e-8] * 5)}, SEEDS, True) == 1e-5


@pytest.mark.parametrize(
    ("kind", "elsewhere"), [("shoulder_latents", 2.0), ("shape_median_resonance", 0.3)]
)
def test_what_hangs_on_a_limit_or_on_one_pixel_may_jump_elsewhere_alone(kind, elsewhere):
    name = f"beps.lstm_vae.{kind}"
    metrics = {name: entry([0.5] * 5)}
    assert allowed(name, metrics, SEEDS, False) == elsewhere
    assert allowed(name, metrics, SEEDS, True) < 1e-3


# Where the noise is taken from


def test_noise_of_seeds_is_their_scatter():
    assert noise_of(NETWORK, {NETWORK: entry([1.0, 2.0, 3.0, 4.0, 5.0])}) == Noise(
        pytest.approx(np.sqrt(2.5)), 4
    )


@pytest.mark.parametrize("n_seeds", [1, 2])
def test_one_or_two_seeds_tell_no_noise(n_seeds):
    assert noise_of(NETWORK, {NETWORK: entry([1.0, 2.0][:n_seeds])}) is None


@pytest.mark.parametrize("dataset", ["beps_heldout", "beps_shuffled", "twin"])
@pytest.mark.parametrize("kind", ["heldout_mse", "heldout_mse_refined", "mse"])
def test_an_error_on_folds_scatters_as_on_the_whole_scan_and_in_proportion(dataset, kind):
    metrics = table(beps__lstm_vae__mse=[0.9, 1.0, 1.1, 1.0, 1.0])
    name = f"{dataset}.lstm_vae.{kind}"
    metrics[name] = entry([1.0, 2.0, 3.0, 4.0, 5.0])
    assert noise_of(name, metrics) == Noise(pytest.approx(3 * np.sqrt(0.005)), 4)


def test_a_share_on_folds_scatters_as_on_the_whole_scan_and_as_much():
    metrics = table(
        beps__lstm_vae__shoulder_kept=[0.5, 0.52, 0.48, 0.5, 0.5],
        beps_heldout__lstm_vae__shoulder_kept_refined=[0.1, 0.3, 0.2, 0.3, 0.1],
    )
    noise = noise_of("beps_heldout.lstm_vae.shoulder_kept_refined", metrics)
    assert noise == Noise(pytest.approx(np.sqrt(2e-4)), 4)


@pytest.mark.parametrize(
    "whole", [{}, {NETWORK: entry([0.01, 0.02])}, {"beps.dense_vae.mse": entry([0.01] * 5)}]
)
def test_folds_whose_model_has_no_seeds_on_the_whole_scan_tell_their_own_noise(whole):
    folds = entry([1.0, 2.0, 3.0, 4.0, 5.0])
    assert noise_of(HELDOUT, {HELDOUT: folds, **whole}) == Noise(pytest.approx(np.sqrt(2.5)), 4)


def test_the_noise_of_the_stored_folds_is_less_than_their_difficulty():
    """For the paper's model on the paper's scan."""
    metrics = Store().metrics()["metrics"]
    folds = np.std(metrics[HELDOUT]["values"], ddof=1)
    assert 0 < noise_of(HELDOUT, metrics).deviation < folds / 2
