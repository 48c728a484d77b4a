"""The beta schedule by hand, and the choice of the model as a property."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate.errors import ReplicationError
from replicate.models.ramp import is_nearer
from replicate.models.schedule import ACTIVE_KL, BetaSchedule, active

positive = st.floats(1e-6, 1e3)
counts = st.lists(st.integers(0, 16), min_size=1, max_size=30)
targets = st.integers(0, 16)


@given(mse=positive, kl=positive, share=st.floats(0.01, 0.99))
def test_first_step_makes_beta_kl_the_share_of_the_loss(mse, kl, share):
    beta = BetaSchedule(kl_share=share).beta_step(mse, kl)
    assert beta * kl / (mse + beta * kl) == pytest.approx(share)


def test_the_share_is_60_percent_as_in_the_paper():
    assert BetaSchedule().kl_share == 0.6
    assert BetaSchedule().beta_step(mse=0.2, kl=3.0) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("beta", "weight"), [(0, 0), (1e-12, 1e-5), (1, 1e-4), (0.2, 1.5848931924611136e-5), (2, 1e-3)]
)
def test_lambda_is_1e_5_times_10_to_the_beta_and_zero_without_beta(beta, weight):
    assert BetaSchedule().l1_weight(beta) == pytest.approx(weight)


def test_lambda_of_any_beta_is_a_number():
    assert np.isfinite(BetaSchedule().l1_weight(1e6))


def test_settling_rate_falls_as_half_a_cosine():
    schedule = BetaSchedule(settle_epochs=40)
    rates = np.array([schedule.settle_rate(epoch) for epoch in range(41)])
    assert rates[[0, 20, 40]] == pytest.approx([1, 0.5, 0])
    assert (np.diff(rates) < 0).all()
    np.testing.assert_allclose(rates + rates[::-1], 1)


def test_longest_training():
    lengths = {"warmup_epochs": 7, "step_epochs": 3, "max_steps": 5, "settle_epochs": 11}
    assert BetaSchedule(**lengths).max_epochs == 7 + 15 + 11
    assert BetaSchedule(**lengths, fixed_beta=0.0).max_epochs == 11


def test_a_fixed_beta_needs_epochs_to_settle_in():
    with pytest.raises(ReplicationError, match="settle_epochs=0.*fixed_beta"):
        BetaSchedule(fixed_beta=0.0, settle_epochs=0)


def test_a_channel_is_active_above_a_tenth_of_a_nat():
    assert ACTIVE_KL == 0.1
    np.testing.assert_array_equal(
        active([0, 0.0999, 0.1, 0.1001, 5]), [False, False, False, True, True]
    )


@pytest.mark.parametrize(
    ("count", "best", "nearer"),
    [
        (16, None, True),
        (6, 9, True),
        (9, 6, False),
        (5, 6, True),
        (5, 5, False),
        (4, 6, True),
        (6, 4, False),
        (0, 9, False),
        (1, 9, True),
    ],
)
def test_nearer_to_a_target_of_five(count, best, nearer):
    """4 and 6 are equally near, and 1 and 9: the fewer channels win, whichever came first."""
    assert is_nearer(count, best, 5) is nearer


def chosen(sequence, target):
    best = None
    for count in sequence:
        best = count if is_nearer(count, best, target) else best
    return best


@given(counts, targets)
def test_the_chosen_count_is_nearest_and_the_fewer_of_two(sequence, target):
    best = chosen(sequence, target)
    candidates = [count for count in sequence if count or not target] or sequence
    distances = [abs(count - target) for count in candidates]
    assert best == min(
        count for count, distance in zip(candidates, distances) if distance == min(distances)
    )


@given(counts, targets, st.randoms(use_true_random=False))
def test_the_choice_does_not_depend_on_the_order(sequence, target, random):
    assert chosen(random.sample(sequence, len(sequence)), target) == chosen(sequence, target)


@given(st.integers(0, 16), st.integers(0, 16), targets)
def test_of_two_different_counts_exactly_one_is_nearer(a, b, target):
    assert is_nearer(a, b, target) + is_nearer(b, a, target) == (a != b)
