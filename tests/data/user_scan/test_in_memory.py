"""Arrays in memory give the scan that a file of them gives; labelled axes say what is what."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import replicate
from replicate.data import twin
from replicate.errors import ReplicationError


@pytest.fixture(scope="module")
def arrays():
    """Loops and resonance of 12 x 10 pixels of the twin, and their voltages in V."""
    scan = twin.simulate()
    spectra, voltage = scan.aligned()
    piezoresponse, resonance = (
        spectra.reshape(60, 60, 2, -1)[:12, :10].swapaxes(0, 2).swapaxes(1, 2)
    )
    return {"piezoresponse": piezoresponse, "resonance": resonance, "voltages": voltage}


def test_arrays_give_what_a_file_of_them_gives(arrays, tmp_path):
    np.savez(tmp_path / "scan.npz", **arrays)
    of_file = replicate.read(tmp_path / "scan.npz")
    in_memory = replicate.read(
        arrays["piezoresponse"],
        arrays["voltages"],
        channels={"resonance": arrays["resonance"]},
    )
    np.testing.assert_array_equal(in_memory.spectra, of_file.spectra)
    np.testing.assert_array_equal(in_memory.voltages, of_file.voltages)
    assert in_memory.channels == of_file.channels and in_memory.shape == (12, 10)


def test_voltages_from_a_file_and_in_millivolts(arrays, tmp_path):
    np.save(tmp_path / "volts.npy", 1e3 * arrays["voltages"])
    loops = arrays["piezoresponse"]
    given = replicate.read(loops, tmp_path / "volts.npy", voltage_unit="mV")
    np.testing.assert_allclose(
        given.voltages[0], replicate.read(loops, arrays["voltages"]).voltages[0]
    )
    np.save(tmp_path / "loops.npy", loops)
    of_files = replicate.read(tmp_path / "loops.npy", arrays["voltages"], size_um=None)
    np.testing.assert_array_equal(of_files.spectra, given.spectra)


def data_array(arrays, *dims):
    """Return what an xarray.DataArray looks like, its axes in any order."""
    order = [("y", "x", "bias").index(name) for name in dims]
    coords = {
        "y": (np.linspace(0, 1.1e-6, 12), "m"),
        "x": (np.linspace(0, 0.9e-6, 10), "m"),
        "bias": (arrays["voltages"], "V"),
    }
    labelled = {
        name: Coordinate(values, {"units": unit}) for name, (values, unit) in coords.items()
    }
    return Labelled(arrays["piezoresponse"].transpose(order), dims, labelled)


class Coordinate:
    def __init__(self, values, attrs):
        self.values, self.attrs = values, attrs

    def __array__(self, dtype=None, copy=None):
        return self.values


class Labelled:
    def __init__(self, values, dims, coords):
        self.values, self.dims, self.coords = values, dims, coords

    def __array__(self, dtype=None, copy=None):
        return self.values


@pytest.mark.parametrize("dims", [("y", "x", "bias"), ("bias", "y", "x"), ("x", "bias", "y")])
def test_labelled_axes_may_be_in_any_order(arrays, dims):
    plain = replicate.read(arrays["piezoresponse"], arrays["voltages"])
    scan = replicate.read(data_array(arrays, *dims))
    np.testing.assert_array_equal(scan.spectra, plain.spectra)
    np.testing.assert_array_equal(scan.voltages, plain.voltages)
    assert scan.size_um == pytest.approx((1.2, 1.0))


def test_a_dataset_of_sidpy(arrays):
    """sidpy keeps its axes by number, each with name, units and values."""
    axes = data_array(arrays, "y", "x", "bias").coords
    numbered = {
        i: SimpleNamespace(name=name, units=axes[name].attrs["units"], values=axes[name].values)
        for i, name in enumerate(("y", "x", "bias"))
    }
    source = Labelled(arrays["piezoresponse"], None, None)
    del source.dims, source.coords
    source._axes, source.data_type = numbered, "SPECTRAL_IMAGE"
    plain = replicate.read(arrays["piezoresponse"], arrays["voltages"])
    np.testing.assert_array_equal(replicate.read(source).spectra, plain.spectra)


def test_what_is_missing_or_unknown_is_said(arrays):
    with pytest.raises(ReplicationError, match=r"voltages: none given.*read\(loops, volt"):
        replicate.read(arrays["piezoresponse"])
    with pytest.raises(ReplicationError, match="unexpected keyword.*help"):
        replicate.read(arrays["piezoresponse"], arrays["voltages"], colour="red")
    with pytest.raises(ReplicationError, match="channels and size_um are of loops in memory"):
        replicate.read("scan.npz", size_um=(1, 1))
    with pytest.raises(AttributeError, match="no attribute 'reed'"):
        replicate.reed  # noqa: B018


def test_other_numbers_are_another_scan(arrays):
    scans = [
        replicate.read(factor * arrays["piezoresponse"], arrays["voltages"]) for factor in (1, 2)
    ]
    assert scans[0].provenance != scans[1].provenance
    np.testing.assert_allclose(scans[0].spectra, scans[1].spectra, rtol=1e-4, atol=1e-5)
