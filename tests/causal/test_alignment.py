"""Lags planted in a simulated scan are found; bad input is refused."""

from __future__ import annotations

import numpy as np
import pytest

from replicate.causal.alignment import find_lag, lag_profile
from replicate.causal.regression import partial_correlation
from replicate.data import twin
from replicate.errors import ReplicationError


@pytest.fixture(scope="module")
def scan():
    return twin.simulate(31, shape=(30, 30))


@pytest.mark.parametrize("lag", [0, 1, 24, 48, 71, 95])
def test_a_planted_lag_is_found(scan, lag):
    aligned, voltage = scan.aligned()
    assert find_lag(voltage, aligned[:, 0], np.roll(aligned[:, 1], lag, axis=1)) == lag


def test_the_twin_is_stored_a_quarter_cycle_apart(scan):
    profile = lag_profile(
        scan.voltages[0], scan.channel("piezoresponse"), scan.channel("resonance")
    )
    assert np.argmin(profile) == scan.lags[1] == 24
    assert profile[24] < -0.6 < 0 < profile[0]


def test_what_is_held_does_not_correlate(rng):
    z = rng.normal(size=500)
    noise = rng.normal(size=(2, 500))
    assert abs(partial_correlation(z + 0.1 * noise[0], z + 0.1 * noise[1], z)) < 0.1
    assert partial_correlation(z + noise[0], z - noise[0], z) == pytest.approx(-1)


def test_channels_that_do_not_belong_together():
    with pytest.raises(ReplicationError, match="expected two of"):
        lag_profile(np.arange(8.0), np.ones((3, 8)), np.ones((4, 8)))
    with pytest.raises(ReplicationError, match="NaN"):
        lag_profile(np.arange(8.0), np.ones((3, 8)), np.full((3, 8), np.nan))
