"""Loops are drawn in the unit of the file, where the file has one."""

from types import SimpleNamespace

import numpy as np
import pytest

import replicate
from figures.shared import scan_units
from replicate.analysis.loops import describe_spectra, units
from replicate.data import sources, twin


def test_values_come_back_in_the_unit_of_the_file(tmp_path, rng):
    quarter = np.linspace(0, 10, 8, endpoint=False)
    volts = np.concatenate([quarter, 10 - quarter, -quarter, quarter - 10])
    loops = 3e-5 + 2e-6 * rng.normal(size=(6, 7, 32))
    path = tmp_path / "MY.npz"
    arrays = {"piezoresponse": loops, "another": loops * volts, "voltages": volts}
    np.savez(path, **arrays, units=["m", ""])
    scan = replicate.read(path)
    assert [scan_units.unit_of(scan, channel) for channel in (0, 1)] == ["µm", "z-score"]
    drawn = scan_units.in_unit(scan, 0, scan.channel("piezoresponse"))
    np.testing.assert_allclose(drawn, 1e6 * loops.reshape(42, 32), rtol=1e-5)
    another = scan.channel("another")
    assert scan_units.in_unit(scan, 1, another) is another


@pytest.mark.parametrize(
    ("size", "unit", "expected", "factor"),
    [
        (2e-11, "m", "pm", 1e12),
        (3e5, "Hz", "kHz", 1e-3),
        (5, "pm", "pm", 1),
        (2e-4, "a.u.", "$10^{-6}$ a.u.", 1e6),
        (0.05, "V", "V", 1),
        (2e4, "pm", "$10^{3}$ pm", 1e-3),
    ],
)
def test_a_prefix_keeps_numbers_short(size, unit, expected, factor):
    scan = SimpleNamespace(file_units=(unit,), units=("z-score",), levels=((0.0, size),))
    assert scan_units.unit_of(scan, 0) == expected
    values = np.array([-1.0, 0.5])
    np.testing.assert_allclose(scan_units.in_unit(scan, 0, values), size * factor * values)
    np.testing.assert_allclose(
        scan_units.differences_in_unit(scan, 0, values), size * factor * values
    )


def test_the_twin_stays_in_z_scores():
    scan = sources.load_scan("simulated twin")
    assert scan_units.unit_of(scan, 1) == "z-score"
    assert scan_units.in_unit(scan, 1, scan.spectra) is scan.spectra


def test_descriptors_of_a_scan_in_units_are_those_of_its_z_scores_times_the_unit(tmp_path):
    scan = twin.simulate(shape=(6, 7))
    aligned, volts = scan.aligned()
    path = tmp_path / "MY.npz"
    loops = 3e-12 * aligned[:, 0].reshape(6, 7, -1)
    resonance = 3.3e5 + 800 * aligned[:, 1].reshape(6, 7, -1)
    np.savez(path, piezoresponse=loops, resonance=resonance, voltages=volts, units=["m", "Hz"])
    in_z_scores = replicate.read(path)
    in_units = scan_units.physical(in_z_scores)
    assert units(in_units)["remanent_negative"] == "pm"
    assert units(in_units)["softening_negative"] == "kHz"
    assert units(in_units)["coercive_negative"] == "V"
    expected, switches = describe_spectra(in_z_scores, in_z_scores.spectra.astype(np.float64))
    found, still = describe_spectra(in_units, in_units.spectra.astype(np.float64))
    np.testing.assert_array_equal(switches, still)
    deviation = 1e12 * loops.std()
    np.testing.assert_allclose(found["area"], deviation * expected["area"], rtol=1e-4)
    np.testing.assert_allclose(found["coercive_negative"], expected["coercive_negative"], atol=1e-3)
    resonances = 1e-3 * resonance.reshape(42, -1).mean(axis=1)
    np.testing.assert_allclose(found["resonance_mean"], resonances, rtol=1e-5)


def test_a_physical_scan_stays_as_it_is(tmp_path):
    scan = twin.simulate(shape=(6, 7))
    np.testing.assert_array_equal(scan_units.physical(scan).spectra, scan.spectra)
    assert scan_units.physical(scan).units == scan.units
