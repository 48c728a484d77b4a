"""Models that keep the mechanism and models that hide it, made from the truth of the twin."""

from __future__ import annotations

import numpy as np
import pytest

from replicate.analysis import mechanism
from replicate.analysis.loops import describe, describe_spectra
from replicate.data import twin, twin_physics
from replicate.errors import ReplicationError


@pytest.fixture(scope="module")
def scan():
    return twin.simulate()


@pytest.fixture(scope="module")
def data(scan):
    return describe_spectra(scan, scan.spectra)


@pytest.fixture(scope="module")
def truth(scan):
    return {name: values.ravel() for name, values in scan.truth.items()}


def rebuilt(scan, truth, **changes):
    """Describe loops made from the truth, changed: what a model would reconstruct that knows all but that."""
    return describe(
        scan.voltages[0], twin_physics.piezoresponse(truth | changes, scan.voltages[0])
    )[0]


def test_a_model_that_hides_the_second_step_is_found_out(scan, data, truth):
    two_steps, none, limit = (
        truth["mechanism"] > 0.5,
        np.zeros(scan.spectra.shape[0]),
        mechanism.shoulder_limit(*data),
    )
    for values in (data[0], rebuilt(scan, truth)):
        auc, kept, invented = mechanism.detect(values, two_steps, limit)
        assert auc > 0.99 and kept > 0.7 and invented < 0.01
    # A single step in the place of two, as wide as they are together.
    wide = {
        f"width_{branch}": truth[f"width_{branch}"] * (1 + truth["mechanism"])
        for branch in ("negative", "positive")
    }
    auc, kept, invented = mechanism.detect(
        rebuilt(scan, truth, mechanism=none, **wide), two_steps, limit
    )
    assert auc < 0.9 and kept == invented == 0
    assert mechanism.detect(dict.fromkeys(data[0], none), two_steps, limit) == (0.5, 0, 0)
    assert (
        mechanism.detect({name: -values for name, values in data[0].items()}, two_steps, limit).auc
        < 0.01
    )


def test_agreement_of_the_data_with_itself_shifted_and_with_its_mean(data):
    values, switches = data
    shifted = mechanism.agree(
        values, {name: each + 0.25 for name, each in values.items()}, switches
    )
    flat = mechanism.agree(
        values, {name: np.full_like(each, each.mean()) for name, each in values.items()}, switches
    )
    for name in values:
        assert shifted[name] == pytest.approx((1, 0.25))
        assert flat[name] == pytest.approx((0, 0), abs=1e-6)


def test_only_loops_that_switch_are_compared():
    switches = np.array([True, True, True, False])
    agreement = mechanism.agree(
        {"imprint": np.array([1.0, 2, 3, 0])}, {"imprint": np.array([2.0, 3, 4, -100])}, switches
    )
    assert agreement["imprint"] == pytest.approx((1, 1))


def test_the_limit_leaves_the_upper_quarter(data):
    values, switches = data
    limit = mechanism.shoulder_limit(values, switches)
    assert np.mean(mechanism.shoulder(values) > limit) == pytest.approx(0.25, abs=0.001)
    assert mechanism.detect(values, mechanism.shoulder(values) > limit, limit) == (1, 1, 0)


def test_a_shoulder_appears_along_the_mechanism_and_not_along_the_amplitude(scan, data, truth):
    limit = mechanism.shoulder_limit(*data)
    pixel = {name: np.repeat(values[:1], 9) for name, values in truth.items()}
    sweep = np.linspace(0, 1, 9)
    shown = mechanism.traverse(rebuilt(scan, pixel, mechanism=sweep), limit)
    assert shown.appears and shown.trend > 0.9 and shown.change > limit
    back = mechanism.traverse(rebuilt(scan, pixel, mechanism=sweep[::-1]), limit)
    assert back == pytest.approx((shown.change, -shown.trend, True))
    hidden = mechanism.traverse(
        rebuilt(scan, pixel, mechanism=0 * sweep, amplitude=0.5 + sweep), limit
    )
    assert not hidden.appears and hidden.change < 0.1 * limit
    assert mechanism.traverse(
        {f"shoulder_{branch}": np.zeros(9) for branch in ("negative", "positive")}, limit
    ) == (0, 0, False)


def test_what_cannot_be_compared_is_refused(data):
    values, switches = data
    with pytest.raises(ReplicationError, match="no area"):
        mechanism.agree(
            values, {name: each for name, each in values.items() if name != "area"}, switches
        )
    with pytest.raises(ReplicationError, match="another number of pixels"):
        mechanism.agree(values, {name: each[:-1] for name, each in values.items()}, switches)
    with pytest.raises(ReplicationError, match="fewer than two"):
        mechanism.agree(values, values, np.zeros_like(switches))
    with pytest.raises(ReplicationError, match="every pixel is of one kind"):
        mechanism.detect(values, np.ones_like(switches), 0.2)
    with pytest.raises(ReplicationError, match="has_shoulder: shape"):
        mechanism.detect(values, switches[:-1], 0.2)
