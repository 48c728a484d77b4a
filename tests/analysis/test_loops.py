"""Descriptors of loops whose values are known.

They are loops of formulas, of the twin with its truth, and loops that do nothing.
"""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from replicate.analysis.loops import DESCRIPTORS, OF_STEPS, describe, describe_spectra, units
from replicate.analysis.switching import resonance_extremes
from replicate.data import twin
from replicate.data.scan import Scan
from replicate.errors import ReplicationError

BRANCHES = ("negative", "positive")


def cycle(n_steps=96, extreme=16.0):
    return extreme * (4 * np.abs(np.arange(n_steps) / n_steps - 0.5) - 1)


def switched(voltage, centre, width, separation=0.0, second=0.5):
    """Return the switched fraction of one or two logistic steps, `second` the later one's share."""
    first = centre - second * separation
    earlier = expit((voltage - first) / width)
    later = expit((voltage - first - separation) / width)
    return (1 - second) * earlier + second * later


def loop(voltage, negative, positive, amplitude=1.0, offset=0.0, tilt=0.0):
    """Return one loop, shape (1, n_steps), of the keywords of `switched` for each branch."""
    falling = np.arange(len(voltage)) <= len(voltage) // 2
    up = np.where(falling, switched(voltage, **negative), switched(voltage, **positive))
    return (offset + amplitude * (2 * up - 1) + tilt * voltage)[None]


def test_an_analytic_loop_within_one_percent():
    voltage = cycle()
    amplitude = 1.3
    offset = 0.4
    tilt = 0.02
    negative = {"centre": -6.4, "width": 1.1}
    positive = {"centre": 8.0, "width": 1.2}
    values, switches = describe(voltage, loop(voltage, negative, positive, amplitude, offset, tilt))
    remanent = {
        name: offset + amplitude * np.tanh(-centre / width / 2)
        for name, centre, width in (("positive", -6.4, 1.1), ("negative", 8, 1.2))
    }
    expected = {
        "coercive_negative": -6.4,
        "coercive_positive": 8.0,
        "imprint": 0.8,
        "area": 2 * amplitude * 14.4,
        "remanent_positive": remanent["positive"],
        "remanent_negative": remanent["negative"],
        "saturation": amplitude + 16 * tilt,
        "squareness": (remanent["positive"] - remanent["negative"]) / 2 / (amplitude + 16 * tilt),
        "tilt": tilt,
    }
    assert switches.all()
    for name, value in expected.items():
        assert values[name][0] == pytest.approx(value, rel=0.01), name
    for branch in BRANCHES:
        assert values[f"shoulder_{branch}"][0] == pytest.approx(0, abs=0.01)


def exact_shoulder(width, separation, second):
    """Return the shoulder of two steps from the inverse of their switched fraction."""
    fractions = np.round(np.linspace(0.1, 0.9, 17), 2)
    logits = np.log(fractions / (1 - fractions))

    def reach(fraction):
        return brentq(lambda v: switched(v, 0, width, separation, second) - fraction, -30, 30)

    reached = np.array([reach(fraction) for fraction in fractions])
    slopes = (reached[8:] - reached[:-8]) / (logits[8:] - logits[:-8])
    return slopes.max() * 2 * np.log(9) / (reached[-1] - reached[0]) - 1


@pytest.mark.parametrize(
    ("width", "separation", "second"),
    [(1.2, 6.0, 0.5), (1.0, 5.0, 0.7), (1.0, 6.0, 0.35), (0.8, 7.0, 0.5)],
)
def test_the_shoulder_of_two_steps_is_that_of_their_inverse(width, separation, second):
    both = [
        {"centre": centre, "width": width, "separation": separation, "second": second}
        for centre in (-7.3, 7.1)
    ]
    values, _ = describe(cycle(192), loop(cycle(192), *both, tilt=0.01))
    exact = exact_shoulder(width, separation, second)
    assert exact > 0.3
    for branch in BRANCHES:
        assert 1 + values[f"shoulder_{branch}"][0] == pytest.approx(1 + exact, rel=0.01)


@given(
    st.floats(-9, -5),
    st.floats(0.8, 1.6),
    st.floats(0.1, 5),
    st.floats(-3, 3),
    st.floats(-0.01, 0.04),
)
def test_one_step_has_no_shoulder_however_wide_and_wherever(centre, width, amplitude, offset, tilt):
    one = {"centre": centre, "width": width}, {"centre": -centre, "width": 0.8}
    values, _ = describe(cycle(), loop(cycle(), *one, amplitude, offset, tilt * amplitude))
    assert max(values["shoulder_negative"][0], values["shoulder_positive"][0]) < 0.05
    assert values["coercive_negative"][0] == pytest.approx(centre, abs=0.08)


def test_a_step_too_sharp_to_resolve_has_no_shoulder():
    negative = {"centre": -6.1, "width": 0.01}
    positive = {"centre": 6.1, "width": 0.01}
    values, _ = describe(cycle(), loop(cycle(), negative, positive))
    assert values["shoulder_negative"][0] == values["shoulder_positive"][0] == 0


@pytest.fixture(scope="module")
def scan():
    return twin.simulate()


@pytest.fixture(scope="module")
def measured(scan):
    return describe_spectra(scan, scan.spectra)[0]


def test_values_do_not_hang_on_where_the_cycle_starts_nor_on_scale_and_zero(scan, measured):
    aligned, voltage = scan.aligned()
    piezoresponse = np.roll(3 * aligned[:, 0] + 7, 29, axis=1)
    resonance = np.roll(3 * aligned[:, 1] + 7, 29, axis=1)
    rolled, _ = describe(np.roll(voltage, 29), piezoresponse, resonance)
    for name, values in rolled.items():
        scale = 1 if DESCRIPTORS[name].unit in ("V", "1") else 3
        shift = 7 if name.startswith("remanent") or name == "resonance_mean" else 0
        np.testing.assert_allclose(values, scale * measured[name] + shift, atol=1e-4, err_msg=name)


def test_uneven_steps_and_twice_as_many_give_the_same_values():
    uneven = np.sort(cycle(192)[:97] + 0.3 * np.sin(np.arange(97)) * (np.arange(97) % 96 > 0))[::-1]
    voltages = (cycle(96), cycle(192), np.concatenate([uneven, uneven[-2:0:-1]]))
    shape = (
        {"centre": -6.0, "width": 1.3, "separation": 5.0},
        {"centre": 7.0, "width": 1.6, "separation": 6.0},
    )
    few, *others = (describe(voltage, loop(voltage, *shape))[0] for voltage in voltages)
    for values in others:
        for name in few:
            assert values[name][0] == pytest.approx(few[name][0], rel=0.02, abs=0.01), name


def test_shoulders_tell_the_mechanism_of_the_twin_at_its_noise(scan, measured):
    two_steps = scan.truth["mechanism"].ravel() > 0.5
    for branch in BRANCHES:
        assert roc_auc_score(two_steps, measured[f"shoulder_{branch}"]) > 0.97
    both = measured["shoulder_negative"] + measured["shoulder_positive"]
    assert roc_auc_score(two_steps, both) > 0.99


def test_noise_does_not_make_shoulders(scan, measured):
    """A reconstruction has less noise than the data, which must not change its shoulders."""
    clean, _ = describe_spectra(scan, twin.simulate(noise=False).spectra)
    for branch in BRANCHES:
        difference = measured[f"shoulder_{branch}"] - clean[f"shoulder_{branch}"]
        assert difference.mean() < 0.2 * clean[f"shoulder_{branch}"].std()


def test_the_truth_of_the_twin_is_found(scan, measured):
    truth = {name: values.ravel() for name, values in scan.truth.items()}
    for name, tolerance in (
        ("coercive_negative", 0.2),
        ("coercive_positive", 0.25),
        ("imprint", 0.15),
        ("tilt", 0.002),
    ):
        assert np.corrcoef(measured[name], truth[name])[0, 1] > 0.96, name
        assert np.sqrt(np.mean((measured[name] - truth[name]) ** 2)) < tolerance, name
    assert np.corrcoef(measured["saturation"], truth["amplitude"])[0, 1] > 0.9
    true_hardening = truth["hardening"] * truth["mechanism"]
    for branch in BRANCHES:
        assert np.corrcoef(measured[f"hardening_{branch}"], true_hardening)[0, 1] > 0.7
        assert np.corrcoef(measured[f"softening_{branch}"], truth["softening"])[0, 1] > 0.5


def test_dips_and_rises_of_the_resonance_within_one_percent():
    """On a roof, a slope and a creep with its jump at 0 V, which are none of it."""
    voltage = cycle()
    creep = np.roll(np.linspace(-0.5, 0.5, 96), -24)
    background = 3 - 0.02 * np.abs(voltage) + 0.01 * voltage + 0.3 * creep
    falling = np.arange(96) <= 48
    bump = np.exp(-(((voltage - np.where(falling, -8, 8)) / 2) ** 2) / 2)
    depths = np.where(falling, [[-0.5], [0.7]], [[-0.4], [0.3]])
    softening, hardening = resonance_extremes(voltage, background + depths * bump)
    np.testing.assert_allclose(softening, [[0.5, 0.4], [0, 0]], rtol=0.01, atol=0.005)
    np.testing.assert_allclose(hardening, [[0, 0], [0.7, 0.3]], rtol=0.01, atol=0.005)


def test_loops_that_do_not_switch_are_told_and_never_nan(rng):
    voltage = cycle()
    negative = {"centre": -6, "width": 1.3}
    positive = {"centre": 7, "width": 1.3}
    good = loop(voltage, negative, positive) + 0.02 * rng.standard_normal((1, 96))
    constant = np.stack([np.zeros(96), np.full(96, 5.0), 0.1 * voltage + 2])
    still = np.concatenate([constant, rng.standard_normal((20, 96))])
    values, switches = describe(voltage, np.concatenate([good, still]), np.ones((24, 96)))
    assert switches.tolist() == [True] + [False] * 23
    assert list(values) == list(DESCRIPTORS)
    assert all(np.isfinite(each).all() for each in values.values())
    assert not any(values[name][1:].any() for name in OF_STEPS)
    alone, _ = describe(voltage, good)
    for name, value in alone.items():
        assert value[0] == pytest.approx(values[name][0]), name


def test_a_scan_without_resonance_has_fewer_descriptors(scan):
    spectra = scan.channel("piezoresponse")
    voltages = scan.voltages[:1]
    single = Scan(
        spectra, scan.shape, voltages, "measured", channels=("piezoresponse",), units=("pm",)
    )
    values, _ = describe_spectra(single, spectra)
    assert "saturation" in values
    assert not any("resonance" in name or "ening" in name for name in values)
    assert (units(single)["area"], units(scan)["softening_negative"]) == ("pm V", "z-score")
    other = Scan(spectra, scan.shape, voltages, "measured", channels=("amplitude",), units=("pm",))
    with pytest.raises(ReplicationError, match="no channel 'piezoresponse'"):
        describe_spectra(other, spectra)


@pytest.mark.parametrize(
    "voltage",
    [
        np.linspace(0, 16, 96),
        np.abs(cycle()),
        np.roll(cycle(), 5)[:60],
        np.repeat(cycle(48), 2),
        cycle(16),
        np.zeros(96),
        np.sort(cycle()),
    ],
)
def test_a_voltage_that_is_no_cycle_is_refused(voltage):
    with pytest.raises(ReplicationError, match="voltage: not one cycle"):
        describe(voltage, np.zeros((3, len(voltage))))


def test_bad_loops_are_refused():
    with pytest.raises(ReplicationError, match="piezoresponse: 2 values are NaN"):
        describe(cycle(), np.where(np.arange(192).reshape(2, 96) < 2, np.nan, 1.0))
    with pytest.raises(ReplicationError, match="resonance: shape"):
        describe(cycle(), np.zeros((2, 96)), np.zeros((2, 95)))


def test_all_loops_of_a_scan_take_little_time(scan):
    start = time.process_time()  # however busy the machine is
    describe_spectra(scan, scan.spectra)
    assert time.process_time() - start < 3
