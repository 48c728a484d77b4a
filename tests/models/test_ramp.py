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
    RANK,
    SELECT,
    ExactRamp,
    NearestRamp,
    greatest,
    is_clear,
)

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
            return kept_kl > 0.1, betas
        if decision.then == RANK:
            return greatest(kept_kl, rule.target), betas
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


@pytest.mark.parametrize("step", [0.0, 1e-9])
def test_a_step_that_is_nothing_ends_the_ramp_as_well(step):
    """Constant spectra are reconstructed without an error, and then the first beta is 0."""
    rule = ExactRamp(target=1, step=step, max_steps=3)
    channels, betas = follow(rule, lambda beta, returns: np.array([1.0, 3.0, 2.0]))
    assert rule.how == "rank" and len(betas) == 3 + ramp.MAX_GROWTHS
    np.testing.assert_array_equal(channels, [False, True, False])


def test_a_channel_near_the_limit_is_waited_for():
    """At the number asked for, but one channel is still falling: training goes on at this beta."""
    answers = iter([np.array([1, 1, 1.0]), *(np.array([1, 1, kl]) for kl in (0.095, 0.085, 0.07))])
    last = None

    def kl_at(beta, returns):
        nonlocal last
        last = next(answers)
        return last

    rule = ExactRamp(target=2, step=1.0, max_steps=10)
    _, betas = follow(rule, kl_at)
    assert betas == [1, 1, 1] and last[2] == 0.07


def test_a_channel_that_stays_near_the_limit_is_not_waited_for_for_ever():
    rule = ExactRamp(target=1, step=1.0, max_steps=10)
    channels, betas = follow(rule, lambda beta, returns: np.array([1.0, 0.099 if beta else 1.0]))
    assert betas == [1] * (1 + ramp.MAX_WAITS)
    np.testing.assert_array_equal(channels, [True, False])


def test_a_count_that_falls_while_it_is_waited_for_is_gone_back_from():
    def kl_at(beta, returns):
        kl_at.calls += 1
        if beta < 1.4:
            return np.array([1, 1, 1.0])
        if returns:
            return np.array([1, 1, OFF])
        return np.array([1, 0.11 if kl_at.calls == 3 else OFF, OFF])

    kl_at.calls = 0
    rule = ExactRamp(target=2, step=1.0, max_steps=10)
    channels, betas = follow(rule, kl_at)
    assert betas == [1, 2, 2, 1.5] and rule.how == "bisection"
    assert channels.sum() == 2


thresholds = st.lists(st.floats(0.01, 3, allow_nan=False), min_size=1, max_size=16, unique=True)


@given(
    thresholds=thresholds, step=st.floats(0.001, 0.5), max_steps=st.integers(1, 100), data=st.data()
)
def test_our_rule_always_ends_with_just_the_target(thresholds, step, max_steps, data):
    target = data.draw(st.integers(1, len(thresholds)))
    rule = ExactRamp(target, step, max_steps)
    channels, betas = follow(rule, below(thresholds))
    assert channels.sum() == target
    growths = np.log(ramp.MAX_BETA / step) / np.log(ramp.GROWTH)
    assert len(betas) <= max_steps + max(growths, 0) + MAX_BISECTIONS + 2
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


@pytest.mark.parametrize(
    ("kl", "clear"), [([1, 0.01], True), ([1, 0.119], False), ([1, 0.081], False), ([0.13], True)]
)
def test_the_margin_is_a_fifth_of_the_limit(kl, clear):
    assert is_clear(np.array(kl)) == clear


def test_of_equal_kl_the_first_channel_is_taken():
    np.testing.assert_array_equal(greatest(np.array([1.0, 2, 1, 2]), 3), [True, True, False, True])
