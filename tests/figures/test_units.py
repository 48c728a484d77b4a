"""Loops are drawn in the unit of the file, where the file has one."""

import numpy as np

import replicate
from figures.shared import common
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
    assert [common.unit_of(scan, channel) for channel in (0, 1)] == ["m", "z-score"]
    drawn = common.in_unit(scan, 0, scan.channel("piezoresponse"))
    np.testing.assert_allclose(drawn, loops.reshape(42, 32), rtol=1e-5)
    another = scan.channel("another")
    assert common.in_unit(scan, 1, another) is another


def test_the_twin_stays_in_z_scores():
    scan = sources.load_scan("simulated twin")
    assert common.unit_of(scan, 1) == "z-score"
    assert common.in_unit(scan, 1, scan.spectra) is scan.spectra


def test_descriptors_of_a_scan_in_units_are_those_of_its_z_scores_times_the_unit(tmp_path):
    scan = twin.simulate(shape=(6, 7))
    aligned, volts = scan.aligned()
    path = tmp_path / "MY.npz"
    loops = 3e-12 * aligned[:, 0].reshape(6, 7, -1)
    resonance = 3.3e5 + 800 * aligned[:, 1].reshape(6, 7, -1)
    np.savez(path, piezoresponse=loops, resonance=resonance, voltages=volts, units=["m", "Hz"])
    in_z_scores = replicate.read(path)
    in_units = common.physical(in_z_scores)
    assert units(in_units)["remanent_negative"] == "m"
    assert units(in_units)["softening_negative"] == "Hz"
    assert units(in_units)["coercive_negative"] == "V"
    expected, switches = describe_spectra(in_z_scores, in_z_scores.spectra.astype(np.float64))
    found, still = describe_spectra(in_units, in_units.spectra.astype(np.float64))
    np.testing.assert_array_equal(switches, still)
    deviation = loops.std()
    np.testing.assert_allclose(found["area"], deviation * expected["area"], rtol=1e-4)
    np.testing.assert_allclose(found["coercive_negative"], expected["coercive_negative"], atol=1e-3)
    resonances = resonance.reshape(42, -1).mean(axis=1)
    np.testing.assert_allclose(found["resonance_mean"], resonances, rtol=1e-5)


def test_a_physical_scan_stays_as_it_is(tmp_path):
    scan = twin.simulate(shape=(6, 7))
    np.testing.assert_array_equal(common.physical(scan).spectra, scan.spectra)
    assert common.physical(scan).units == scan.units
