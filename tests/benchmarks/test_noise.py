"""The noise of the regression check, and its power: known answers, and what must always hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from benchmarks import power
from benchmarks.noise import (
    FLOOR,
    LINEAR_FLOOR,
    PAIRED_TOLERANCE,
    TAIL,
    Noise,
    allowed,
    distance,
    noise_of,
)
from benchmarks.store import ROOT, Store
from replicate.errors import ReplicationError
from replicate.files import write_text
from replicate.numbers.kinds import kind_of

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
        # Student's t of 0.9999 is 13.034 at 4 and 70.700 at 2 degrees of freedom, as in any table.
        (1.0, 4, 1, 13.03367 * np.sqrt(2)),
        (1.0, 4, 2, 13.03367),
        (0.1, 4, 5, 0.1 * 13.03367 * np.sqrt(0.4)),
        (2.0, 2, 2, 2 * 70.70007),
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


def test_two_trainings_in_ten_thousand_differ_more(rng):
    """Stored and new seeds are drawn from one distribution, and the stored ones tell its width."""
    stored, new = rng.normal(1, 0.1, (2, 1_000_000, 5))
    deviation = stored.std(axis=1, ddof=1)
    for n_pairs in (1, 5):
        off = np.abs((new - stored)[:, :n_pairs].mean(axis=1))
        share = np.mean(off > deviation * Noise(1.0, 4).half_width(n_pairs))
        # A single pair is among the seeds that tell the width, so that both are large together.
        assert share < 1.2 * 2 * TAIL
        assert share > 0.15 * 2 * TAIL


# What is allowed


@given(values=samples, n_pairs=pairs)
def test_never_less_than_the_floor(values, n_pairs):
    size = np.mean(values[:n_pairs])
    assert allowed_elsewhere(NETWORK, values, n_pairs) >= FLOOR * size * (1 - 1e-12)
    assert allowed_elsewhere(LINEAR, values, n_pairs) == pytest.approx(LINEAR_FLOOR * size)


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


def test_the_greatest_difference_counts_with_the_same_arithmetic_and_else_the_mean():
    differences = [0.3, -0.5, 0.2]
    assert distance(differences, True) == 0.5
    assert distance(differences, False) == pytest.approx(0.0, abs=1e-15)
    assert distance([differences, [1.0, 1.0, 4.0]], False) == pytest.approx([0.0, 2.0])


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


# How often a check reports a change


@pytest.fixture(scope="module")
def metrics():
    return Store().metrics()["metrics"]


@pytest.fixture(scope="module")
def same(metrics):
    return power.simulate(metrics, True, draws=5)


@pytest.fixture(scope="module")
def elsewhere(metrics):
    return power.simulate(metrics, False, draws=10)


def test_every_gated_metric_is_in_one_group(metrics):
    listed = [name for group in power.groups(metrics) for name in group.names]
    assert sorted(listed) == sorted(power.gated(metrics))
    assert [group.title for group in power.groups(metrics)] == list(power.TITLES)


def test_nothing_planted_is_hardly_ever_reported(same, elsewhere):
    for simulated, most in ((same, 0.0), (elsewhere, 0.01)):
        alarms = [share for (_, _, change), share in simulated.shares.items() if change == 0]
        assert len(alarms) == len(power.TITLES) * len(power.CASES)
        assert max(alarms) <= most
    assert set(same.alarms.values()) == {0.0}


def test_two_percent_with_the_same_arithmetic_are_all_caught(same):
    """Scores and shares that a last digit can move are allowed more, and left out here."""
    errors = [title for title in power.TITLES if title.startswith("errors")]
    for title in (power.COUNTS, *errors):
        for case in power.CASES:
            if not case.in_one:
                assert same.shares[title, case, 0.02] == 1.0, (title, case)


def test_whatever_exceeds_its_rounding_is_caught_with_the_same_arithmetic(metrics):
    for name in power.gated(metrics):
        kind, stored = kind_of(name), metrics[name]
        if kind.rule == "value" and 0.02 * abs(stored["values"][0]) > 1.1 * kind.rounding:
            seeds = stored["seeds"][:1]
            assert 0.02 * abs(stored["values"][0]) > allowed(name, metrics, seeds, True), name


def test_counts_are_always_caught(elsewhere):
    shares = [
        share
        for (title, _, change), share in elsewhere.shares.items()
        if title == power.COUNTS and change > 0
    ]
    assert set(shares) == {1.0}


def test_a_greater_change_and_more_seeds_are_caught_more_often(elsewhere):
    every, one, single = power.CASES
    for title in power.TITLES:
        by_change = [elsewhere.shares[title, every, change] for change in power.PLANTED]
        assert by_change == sorted(by_change)
        assert elsewhere.shares[title, every, 0.2] >= elsewhere.shares[title, one, 0.2]
        if title != power.ZERO:
            assert elsewhere.shares[title, every, 0.2] >= elsewhere.shares[title, single, 0.2]


def test_the_draws_are_the_same_every_time(metrics, same):
    assert power.simulate(metrics, True, draws=5) == same


def test_the_noise_that_is_drawn_is_the_noise_that_is_told(metrics, rng):
    """Folds keep their difficulty; seeds of a fit to the whole scan have one centre."""
    for name, centre in (
        (NETWORK, metrics[NETWORK]["value"]),
        (HELDOUT, np.array(metrics[HELDOUT]["values"])),
    ):
        drawn = power._draw_values(name, metrics, False, 4000, rng)
        deviation = noise_of(name, metrics).deviation
        assert drawn.std(axis=0) == pytest.approx(np.full(5, deviation), rel=0.05)
        assert drawn.mean(axis=0) == pytest.approx(centre * np.ones(5), abs=deviation / 10)


def test_the_tables_are_written_between_their_markers(tmp_path):
    page = tmp_path / power.PAGE
    write_text(page, "before\n<!-- power:begin -->\nstale table\n<!-- power:end -->\nafter\n")
    power.write(tmp_path, draws=2)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n<!-- power:begin -->\nFrom the stored metrics of commit")
    assert text.endswith("\n<!-- power:end -->\nafter\n")
    assert "stale table" not in text
    rows = [line for line in text.splitlines() if line.startswith(f"| {power.COUNTS} ")]
    assert len(rows) == 2 * len(power.CASES)
    assert all(row.endswith("| 0.0 | 100.0 | 100.0 | 100.0 | 100.0 |") for row in rows)


@pytest.mark.parametrize("text", [None, "no markers here"])
def test_a_page_without_a_place_for_the_tables_is_an_error(tmp_path, monkeypatch, text):
    monkeypatch.setattr(power, "render", lambda document, draws: "")
    if text is not None:
        write_text(tmp_path / power.PAGE, text)
    with pytest.raises(ReplicationError, match="check-power.md"):
        power.write(tmp_path)


def test_the_page_is_of_the_stored_metrics():
    page = (ROOT / power.PAGE).read_text(encoding="utf-8")
    commit = Store().metrics()["git_commit"]
    assert f"`{commit}`, {power.DRAWS} draws" in page, "run `python -m benchmarks.power`"
