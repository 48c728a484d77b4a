"""Loops are drawn in the unit of the file, where the file has one."""

import numpy as np

import replicate
from figures.shared import common
from replicate.data import sources


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
