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
    """Describe loops made from a changed truth, as a model would that knows all but the change."""
    voltage = scan.voltages[0]
    values, _ = describe(voltage, twin_physics.piezoresponse(truth | changes, voltage))
    return values


def test_a_model_that_hides_the_second_step_is_found_out(scan, data, truth):
    two_steps = truth["mechanism"] > 0.5
    none = np.zeros(scan.spectra.shape[0])
    limit = mechanism.shoulder_limit(*data)
    for values in (data[0], rebuilt(scan, truth)):
        auc, kept, invented = mechanism.detect(values, two_steps, limit)
        assert auc > 0.99 and kept > 0.7 and invented < 0.01
    # A single step in the place of two, as wide as they are together.
    hidden = rebuilt(
        scan,
        truth,
        mechanism=none,
        width_negative=truth["width_negative"] * (1 + truth["mechanism"]),
        width_positive=truth["width_positive"] * (1 + truth["mechanism"]),
    )
    auc, kept, invented = mechanism.detect(hidden, two_steps, limit)
    assert auc < 0.9 and kept == invented == 0
    assert mechanism.detect(dict.fromkeys(data[0], none), two_steps, limit) == (0.5, 0, 0)
    reversed_order = {name: -values for name, values in data[0].items()}
    assert mechanism.detect(reversed_order, two_steps, limit).auc < 0.01


def test_agreement_of_the_data_with_itself_shifted_and_with_its_mean(data):
    values, switches = data
    shifted = {name: each + 0.25 for name, each in values.items()}
    flat = {name: np.full_like(each, each.mean()) for name, each in values.items()}
    of_shifted = mechanism.agree(values, shifted, switches)
    of_flat = mechanism.agree(values, flat, switches)
    for name in values:
        assert of_shifted[name] == pytest.approx((1, 0.25))
        assert of_flat[name] == pytest.approx((0, 0), abs=1e-6)


def test_only_loops_that_switch_are_compared():
    switches = np.array([True, True, True, False])
    measured = {"imprint": np.array([1.0, 2, 3, 0])}
    reconstructed = {"imprint": np.array([2.0, 3, 4, -100])}
    agreement = mechanism.agree(measured, reconstructed, switches)
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
    forth = mechanism.traverse(rebuilt(scan, pixel, mechanism=sweep), limit)
    assert forth.appears and forth.trend > 0.9 and forth.change > limit
    back = mechanism.traverse(rebuilt(scan, pixel, mechanism=sweep[::-1]), limit)
    assert back == pytest.approx((forth.change, -forth.trend, True))
    without = rebuilt(scan, pixel, mechanism=0 * sweep, amplitude=0.5 + sweep)
    hidden = mechanism.traverse(without, limit)
    assert not hidden.appears and hidden.change < 0.1 * limit
    constant = {"shoulder_negative": np.zeros(9), "shoulder_positive": np.zeros(9)}
    assert mechanism.traverse(constant, limit) == (0, 0, False)


def test_what_cannot_be_compared_is_refused(data):
    values, switches = data
    without_area = {name: each for name, each in values.items() if name != "area"}
    with pytest.raises(ReplicationError, match="no area"):
        mechanism.agree(values, without_area, switches)
    shorter = {name: each[:-1] for name, each in values.items()}
    with pytest.raises(ReplicationError, match="another number of pixels"):
        mechanism.agree(values, shorter, switches)
    with pytest.raises(ReplicationError, match="fewer than two"):
        mechanism.agree(values, values, np.zeros_like(switches))
    with pytest.raises(ReplicationError, match="every pixel is of one kind"):
        mechanism.detect(values, np.ones_like(switches), 0.2)
    with pytest.raises(ReplicationError, match="has_shoulder: shape"):
        mechanism.detect(values, switches[:-1], 0.2)


def test_kept_where_as_many_are_invented():
    """Of 4 pixels without a shoulder one is above 0.5; of those with one, half lie above that."""
    has_shoulder = np.array([False] * 4 + [True] * 4)
    shoulders = np.array([0.1, 0.2, 0.3, 0.5, 0.15, 0.4, 0.6, 0.7])
    assert mechanism.kept_at(shoulders, has_shoulder, 0.0) == 0.5
    assert mechanism.kept_at(shoulders, has_shoulder, 0.25) == 0.75
    assert mechanism.kept_at(shoulders, has_shoulder, 1.0) == 1


def test_what_is_kept_does_not_hang_on_the_size_of_shoulders(rng):
    """A model that halves all shoulders keeps as many at equal rates."""
    has_shoulder = rng.random(400) < 0.25
    shoulders = rng.normal(size=400) + has_shoulder
    kept = [mechanism.kept_at(scale * shoulders, has_shoulder, 0.08) for scale in (1, 0.5)]
    assert kept[0] == kept[1]
    above = np.sort(shoulders[~has_shoulder])[-int(0.08 * np.sum(~has_shoulder)) - 1]
    assert kept[0] == pytest.approx(np.mean(shoulders[has_shoulder] > above), abs=0.02)
