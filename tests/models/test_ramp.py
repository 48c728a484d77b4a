"""The ramp on channels whose answer to beta is written beforehand; no network is trained."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate.models import ramp
from replicate.models.ramp import (
    GO_BACK,
    MAX_BISECTIONS,
    SELECT,
    ExactRamp,
    NearestRamp,
    range_of_counts,
)
from replicate.models.schedule import BetaSchedule

ON, OFF = 1.0, 0.01


def follow(rule, kl_at, max_epochs=1000):
    """Run a ramp on channels that answer `kl_at(beta, kept)` with their KL; return its end.

    `kept` counts how often the ramp has gone back so far, so that an answer may depend on it.
    """
    rule.start()
    kept_kl, betas, returns = kl_at(0.0, 0), [], 0
    for _ in range(max_epochs):
        betas.append(rule.beta)
        kl = kl_at(rule.beta, returns)
        decision = rule.decide(kl)
        if decision.keep:
            kept_kl = kl
        if decision.then == GO_BACK:
            returns += 1
        if decision.then == SELECT:
            return rule.channels(kept_kl), betas
    raise AssertionError("the ramp does not end")


def below(thresholds):
    """Return channels each of which is active while beta is below a threshold of its own."""
    thresholds = np.asarray(thresholds)
    return lambda beta, returns: np.where(beta < thresholds, ON, OFF)


def test_constant_steps_are_enough_where_the_channels_go_one_by_one():
    rule = ExactRamp(target=2, step=1.0, max_steps=10)
    channels, betas = follow(rule, below([1.5, 2.5, 3.5, 9.0]))
    assert rule.how == "ramp" and betas == [1, 2, 3]
    np.testing.assert_array_equal(channels, [False, False, True, True])


def test_beta_is_bisected_where_a_step_leaves_too_few():
    """Three of five channels go between 2 and 3; the ramp finds the beta between two of them."""
    rule = ExactRamp(target=3, step=1.0, max_steps=10)
    channels, betas = follow(rule, below([2.2, 2.7, 2.8, 9.0, 9.0]))
    assert rule.how == "bisection"
    assert betas[:4] == [1, 2, 3, 2.5] and 2.7 <= betas[-1] < 2.8
    np.testing.assert_array_equal(channels, [False, False, True, True, True])


def test_beta_grows_by_a_factor_where_the_steps_are_used_up():
    rule = ExactRamp(target=1, step=0.01, max_steps=5)
    channels, betas = follow(rule, below([0.3, 1.0]))
    assert rule.how == "growth"
    assert betas[:5] == pytest.approx([0.01, 0.02, 0.03, 0.04, 0.05])
    assert betas[5:] == pytest.approx([0.05 * ramp.GROWTH**i for i in range(1, len(betas) - 4)])
    assert 0.3 <= betas[-1] < 0.3 * ramp.GROWTH
    np.testing.assert_array_equal(channels, [False, True])


def test_channels_that_go_together_are_told_apart_by_their_kl():
    def kl_at(beta, returns):
        return np.array([0.5, 0.9, 0.7, 2.0]) if beta < 3.3 else np.array([OFF, OFF, OFF, 2.0])

    rule = ExactRamp(target=2, step=1.0, max_steps=10)
    channels, betas = follow(rule, kl_at)
    assert rule.how == "rank" and len(betas) == 4 + MAX_BISECTIONS
    np.testing.assert_array_equal(channels, [False, True, False, True])


def test_channels_that_never_go_are_ranked():
    rule = ExactRamp(target=1, step=0.1, max_steps=3)
    channels, betas = follow(rule, lambda beta, returns: np.array([1.0, 3.0, 2.0]))
    assert rule.how == "rank"
    assert ramp.MAX_BETA / ramp.GROWTH < betas[-1] <= ramp.MAX_BETA
    np.testing.assert_array_equal(channels, [False, True, False])


def test_growth_ends_where_the_penalty_would_be_as_large_as_what_it_penalises():
    assert BetaSchedule().l1_weight(ramp.MAX_BETA) == pytest.approx(1)


@pytest.mark.parametrize("step", [0.0, 1e-9])
def test_a_step_that_is_nothing_ends_the_ramp_as_well(step):
    """Constant spectra are reconstructed without an error, and then the first beta is 0."""
    rule = ExactRamp(target=1, step=step, max_steps=3)
    channels, betas = follow(rule, lambda beta, returns: np.array([1.0, 3.0, 2.0]))
    assert rule.how == "rank" and len(betas) == 3 + ramp.MAX_GROWTHS
    np.testing.assert_array_equal(channels, [False, True, False])


def test_beta_grows_by_a_factor_where_the_number_does_not_fall_any_more():
    """Two of three channels are left for long; the first ten steps of that are constant ones."""
    rule = ExactRamp(target=1, step=0.01, max_steps=100)
    channels, betas = follow(rule, below([0.025, 0.3, 1.0]))
    n_constant = 3 + ramp.STALL
    assert rule.how == "growth"
    assert betas[:n_constant] == pytest.approx([0.01 * (i + 1) for i in range(n_constant)])
    assert betas[n_constant] == pytest.approx(ramp.GROWTH * betas[n_constant - 1])
    assert 0.3 <= betas[-1] < 0.3 * ramp.GROWTH
    np.testing.assert_array_equal(channels, [False, False, True])


def test_while_all_channels_are_active_beta_does_not_grow_by_a_factor():
    rule = ExactRamp(target=1, step=0.01, max_steps=100)
    channels, betas = follow(rule, below([0.405, 0.5]))
    assert rule.how == "ramp" and len(betas) == 41


@pytest.mark.parametrize(
    ("kl", "selected"),
    [
        ([1, 1, 0.11, 0.01], [True, True, False, False]),  # the third is not surely active
        ([1, 0.09, 0.01, 0.01], [True, True, False, False]),  # the second possibly is
        ([0.09, 1, 0.11, 0.01], [False, True, True, False]),  # the greater of two
        ([0.11, 0.09, 0.1, 0.09], [True, False, True, False]),
    ],
)
def test_a_target_within_the_margin_is_reached_and_the_greatest_are_taken(kl, selected):
    rule = ExactRamp(target=2, step=0.01, max_steps=10)
    channels, betas = follow(rule, lambda beta, returns: np.array(kl))
    assert len(betas) == 1 and rule.how == "ramp"
    np.testing.assert_array_equal(channels, selected)


@pytest.mark.parametrize(
    ("kl", "counts"),
    [([1, 0.01], (1, 1)), ([1, 0.119], (1, 2)), ([0.081], (0, 1)), ([0.121, 0.079], (1, 1))],
)
def test_the_margin_is_a_fifth_of_the_limit(kl, counts):
    assert range_of_counts(np.array(kl)) == counts


def test_of_equal_kl_the_first_channel_is_taken():
    chosen = ExactRamp(3, 0.1, 1).channels(np.array([1.0, 2, 1, 2]))
    np.testing.assert_array_equal(chosen, [True, True, False, True])


thresholds = st.lists(st.floats(0.01, 3, allow_nan=False), min_size=1, max_size=16, unique=True)


@given(
    thresholds=thresholds, step=st.floats(0.001, 0.5), max_steps=st.integers(1, 100), data=st.data()
)
def test_our_rule_always_ends_with_just_the_target(thresholds, step, max_steps, data):
    target = data.draw(st.integers(1, len(thresholds)))
    rule = ExactRamp(target, step, max_steps)
    channels, betas = follow(rule, below(thresholds))
    assert channels.sum() == target
    assert len(betas) <= max_steps + ramp.MAX_GROWTHS + MAX_BISECTIONS + 2
    if rule.how != "rank":
        assert np.sum(betas[-1] < np.asarray(thresholds)) == target


@given(counts=st.lists(st.integers(0, 8), min_size=1, max_size=12), target=st.integers(0, 8))
def test_the_paper_s_rule_takes_the_nearest_of_all(counts, target):
    answers = iter(counts)

    def kl_at(beta, returns):
        return np.where(np.arange(8) < (next(answers) if beta else 8), ON, OFF)

    rule = NearestRamp(target, 0.5, len(counts))
    channels, betas = follow(rule, kl_at)
    seen = counts[: len(betas)]
    assert betas == pytest.approx([0.5 * (i + 1) for i in range(len(betas))])
    best = min(seen, key=lambda count: (count == 0 < target, abs(count - target), count))
    assert channels.sum() == rule.best == best
    assert all(count > target for count in seen[:-1])
