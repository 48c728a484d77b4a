"""The simulated twin.

Its physics on the clean spectra, its noise, its truth, and its likeness to the measured scan.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import find_peaks

from replicate.data import twin, twin_physics
from replicate.errors import ReplicationError

MAPS = {
    "mechanism",
    "band",
    "coercive_negative",
    "coercive_positive",
    "imprint",
    "tilt",
    "amplitude",
    "softening",
    "hardening",
}
FALLING, RISING = slice(0, 49), slice(48, 96)


@pytest.fixture(scope="module")
def noisy():
    return twin.simulate(seed=0)


@pytest.fixture(scope="module")
def clean():
    return twin.simulate(seed=0, noise=False)


@pytest.fixture(scope="module")
def truth(noisy):
    return {name: values.ravel() for name, values in noisy.truth.items()}


def slope_peaks(loops, voltage, branch):
    """Count the peaks of dP/dV of each loop on a branch."""
    slopes = np.diff(loops[:, branch].astype(float), axis=1) / np.diff(voltage[branch])
    return np.array([len(find_peaks(slope, prominence=0.003)[0]) for slope in slopes])


def test_scan_is_laid_out_like_the_prepared_arrays(noisy):
    assert noisy.spectra.shape == (3600, 192)
    assert noisy.spectra.dtype == np.float32
    assert (noisy.provenance, noisy.shape, noisy.lags) == ("simulated twin", (60, 60), (0, 24))
    assert noisy.size_um == pytest.approx((2.0, 2.0))
    np.testing.assert_allclose(
        noisy.voltages[0], np.interp(np.arange(96), [0, 48, 96], [16.0, -16.0, 16.0])
    )
    for name in noisy.channels:
        assert noisy.channel(name).mean(dtype=float) == pytest.approx(0, abs=1e-5)
        assert noisy.channel(name).std(dtype=float) == pytest.approx(1, abs=1e-5)


def test_truth_maps(noisy):
    assert set(noisy.truth) >= MAPS
    for name, values in noisy.truth.items():
        assert values.shape == (60, 60), name
        assert np.isfinite(values).all(), name
    assert noisy.truth["band"].dtype == bool
    assert noisy.truth["mechanism"].min() >= 0 and noisy.truth["mechanism"].max() <= 1
    assert 0.2 < noisy.truth["band"].mean() < 0.5
    np.testing.assert_array_equal(noisy.truth["band"], noisy.truth["mechanism"] > 0.5)
    for name in ("amplitude", "softening", "hardening", "jerk"):
        assert (noisy.truth[name] >= 0).all(), name
    assert (noisy.truth["coercive_negative"] < noisy.truth["imprint"]).all()
    np.testing.assert_allclose(
        noisy.truth["imprint"],
        (noisy.truth["coercive_negative"] + noisy.truth["coercive_positive"]) / 2,
    )


def test_truth_gives_the_clean_piezoresponse_back(clean, truth):
    rebuilt = twin_physics.piezoresponse(truth, clean.voltages[0])
    np.testing.assert_allclose(rebuilt, clean.channel("piezoresponse"), atol=1e-5)


def test_truth_gives_the_clean_resonance_back_but_for_the_jerks(clean, truth):
    still = twin_physics.resonance(
        {**truth, "jerk": 0 * truth["jerk"]}, clean.voltages[0], np.random.default_rng(0)
    )
    difference = clean.aligned()[0][:, 1] - still
    assert np.abs(difference.mean()) < 5e-3
    assert 0.02 < difference.std() < 0.15
    assert np.abs(difference[:, [0, 48]]).max() < 1e-2, "nothing moves at the ends of the cycle"


def test_same_seed_same_bits(noisy):
    again = twin.simulate(seed=0)
    np.testing.assert_array_equal(again.spectra, noisy.spectra)
    for name, values in noisy.truth.items():
        np.testing.assert_array_equal(again.truth[name], values)
    other = twin.simulate(seed=1)
    assert not np.array_equal(other.spectra, noisy.spectra)
    assert not np.array_equal(other.truth["band"], noisy.truth["band"])


def test_noise_level(noisy, clean):
    for name, floor in (("piezoresponse", 3e-4), ("resonance", 1e-3)):
        noise = noisy.channel(name) - clean.channel(name)
        assert np.mean(noise**2) == pytest.approx(floor, rel=0.3)
        assert abs(np.mean(noise[:, 1:] * noise[:, :-1])) < 0.05 * floor, "white"


def test_c_domains_switch_in_one_step_and_bands_in_two(clean, truth):
    aligned, voltage = clean.aligned()
    in_c, in_band = aligned[truth["mechanism"] < 0.05, 0], aligned[truth["mechanism"] > 0.9, 0]
    assert min(len(in_c), len(in_band)) > 300
    for branch in (RISING, FALLING):
        assert (slope_peaks(in_c, voltage, branch) == 1).all()
        assert (slope_peaks(in_band, voltage, branch) == 2).mean() > 0.85


def test_bands_have_small_loops(noisy, truth):
    heights = np.ptp(noisy.channel("piezoresponse"), axis=1)
    assert (
        heights[truth["mechanism"] > 0.9].mean() < 0.7 * heights[truth["mechanism"] < 0.05].mean()
    )


def resonance_against_chord(scan, pixels, branch):
    """Return the mean resonance of some pixels on a switching quarter cycle.

    The chord between its ends is subtracted.
    """
    curve = scan.aligned()[0][pixels, 1].mean(axis=0)
    curve = np.append(curve, curve[0])[branch]
    return curve - np.linspace(curve[0], curve[-1], len(curve))


@pytest.mark.parametrize(
    ("branch", "name"), [(slice(24, 49), "coercive_negative"), (slice(72, 97), "coercive_positive")]
)
def test_resonance_dips_at_the_coercive_voltage_in_c_and_rises_in_bands(clean, truth, branch, name):
    voltage = np.append(clean.voltages[0], clean.voltages[0][0])[branch]
    in_c, in_band = truth["mechanism"] < 0.05, truth["mechanism"] > 0.9
    dip = resonance_against_chord(clean, in_c, branch)
    assert dip.min() < -0.2
    assert voltage[np.argmin(dip)] == pytest.approx(truth[name][in_c].mean(), abs=1.5)
    assert resonance_against_chord(clean, in_band, branch).max() > 0.1


def test_softening_lines_up_only_when_aligned(noisy):
    aligned, voltage = noisy.aligned()
    large = np.ptp(aligned[:, 0], axis=1) >= np.quantile(np.ptp(aligned[:, 0], axis=1), 0.6)
    speed = np.abs(np.gradient(aligned[large, 0], axis=1))
    known = np.stack([np.ones(96), np.abs(voltage)], axis=1)
    rest = np.eye(96) - known @ np.linalg.pinv(known)
    matched, stored = (
        np.corrcoef((speed @ rest).ravel(), (r[large] @ rest).ravel())[0, 1]
        for r in (aligned[:, 1], noisy.channel("resonance"))
    )
    assert matched < -0.6
    assert stored > 0


def test_bands_run_at_the_measured_angle(noisy):
    across = noisy.map(noisy.channel("piezoresponse").std(axis=1))
    down, right = np.gradient(across)
    angle = np.degrees(
        np.arctan2(2 * np.mean(down * right), np.mean(right**2) - np.mean(down**2)) / 2
    )
    assert angle == pytest.approx(31, abs=4)


def test_principal_components_leave_as_much_as_in_the_measured_scan(noisy):
    centred = noisy.spectra.astype(float) - noisy.spectra.mean(axis=0)
    power = np.linalg.eigvalsh(centred.T @ centred)[::-1] / centred.size
    for n_components, measured in ((3, 0.0170), (5, 0.0088), (8, 0.0052), (16, 0.0022)):
        assert measured / 2 < power[n_components:].sum() < measured * 2


def test_scan_row_drifts(noisy):
    resonance = noisy.map(noisy.channel("resonance").mean(axis=1))
    assert 0.25 < resonance.mean(axis=1).var() / resonance.var() < 0.75


def test_coercive_voltages_are_the_measured_ones(clean):
    loops, voltage = clean.channel("piezoresponse"), clean.voltages[0]
    for branch, measured in ((slice(24, 49), -6.5), (slice(72, 96), 8.1)):
        above = loops[:, branch] > 0
        crossing = voltage[branch][np.argmax(above != above[:, :1], axis=1)]
        assert np.median(crossing) == pytest.approx(measured, abs=1.0)


def test_parameters_and_shape_are_obeyed():
    parameters = replace(twin.TwinParameters(), softening=(0.0, 0.0, 0.0), noise=(0.0, 0.0))
    scan = twin.simulate(seed=2, shape=(12, 20), parameters=parameters)
    assert scan.spectra.shape == (240, 192)
    assert scan.size_um == pytest.approx((0.4, 2 / 3))
    assert (scan.truth["softening"] == 0).all()
    np.testing.assert_array_equal(
        scan.spectra, twin.simulate(2, (12, 20), noise=False, parameters=parameters).spectra
    )


@pytest.mark.parametrize("shape", [(1, 60), (60, 0), (3600,), (60, 60, 2)])
def test_shapes_that_cannot_be(shape):
    with pytest.raises(ReplicationError, match="shape"):
        twin.simulate(shape=shape)
