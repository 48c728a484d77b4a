"""A scan of the user's own.

Every form of file gives the same scan, whatever its units. A file that cannot be used is named,
with a remedy.
"""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from replicate.analysis.loops import describe_spectra
from replicate.data import twin
from replicate.data.user_scan import usid
from replicate.data.user_scan.scan_file import read_scan, summary
from replicate.errors import ReplicationError
from replicate.files import file_hash
from replicate.provenance import is_own_scan

SHAPE = (6, 8)
MEANS, DEVIATIONS = np.array([2e-5, 1.3e5]), np.array([3e-5, 2e5])


@pytest.fixture(scope="module")
def simulated():
    return twin.simulate(shape=SHAPE)


@pytest.fixture
def arrays(simulated):
    """Return the arrays of a file.

    The piezoresponse is about 1e-5 m, the resonance about 1e5 Hz; they are stored a quarter of a
    cycle apart.
    """
    values = (
        simulated.spectra.reshape(*SHAPE, 2, -1).astype(float) * DEVIATIONS[:, None]
        + MEANS[:, None]
    )
    channels = np.array(["piezoresponse", "resonance"])
    return {
        "piezoresponse": values[:, :, 0],
        "resonance": values[:, :, 1],
        "voltages": simulated.voltages,
        "channels": channels,
    }


@pytest.fixture
def read(tmp_path):
    """Return a function that writes arrays as a NumPy file and reads the scan."""

    def written_and_read(arrays):
        np.savez(tmp_path / "MY.npz", **arrays)
        return read_scan(tmp_path / "MY.npz")

    return written_and_read


def assert_same(scan, other):
    np.testing.assert_allclose(scan.spectra, other.spectra, atol=2e-5)
    np.testing.assert_allclose(scan.voltages, other.voltages)
    assert (scan.shape, scan.channels, scan.lags) == (other.shape, other.channels, other.lags)


def test_a_scan_in_any_unit_is_standardised_and_known_by_its_file(
    arrays, read, simulated, tmp_path
):
    scan = read(arrays)
    assert_same(scan, simulated)
    assert scan.units == ("z-score", "z-score") and scan.size_um is None and scan.mask is None
    assert scan.hashes == {"scan": file_hash(tmp_path / "MY.npz")}
    assert (
        is_own_scan(scan.provenance)
        and scan.provenance.endswith(f" {scan.hashes['scan'][:12]}")
        and not is_own_scan("simulated twin")
    )
    assert summary(scan) == "piezoresponse, resonance; 6 x 8 pixels; 96 steps from -16 to 16 V"


def write_hdf5(path, arrays):
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name] = values.astype("S") if values.dtype.kind == "U" else values


def write_cells(path, arrays):
    savemat(path, arrays | {"channels": np.array(["piezoresponse", "resonance"], dtype=object)})


def write_pixels(path, arrays):
    flat = {
        name: values.reshape(48, -1) if values.ndim == 3 else values
        for name, values in arrays.items()
    }
    np.savez(path, **flat, shape=np.array(SHAPE))


def write_reordered(path, arrays):
    np.savez(path, **{**arrays, **{name: arrays[name][::-1] for name in ("channels", "voltages")}})


FORMS = {
    "pixels.npz": write_pixels,
    "MY.h5": write_hdf5,
    "MY.HDF5": write_hdf5,
    "MY.mat": savemat,
    "cells.mat": write_cells,
    "reordered.npz": write_reordered,
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_file_is_the_same_scan(name, arrays, tmp_path, simulated):
    FORMS[name](tmp_path / name, arrays)
    assert_same(read_scan(tmp_path / name), simulated)


def test_matlab_73_has_its_axes_the_other_way_round(arrays, tmp_path, simulated):
    with h5py.File(tmp_path / "MY.mat", "w") as file:
        file["piezoresponse"] = arrays["piezoresponse"].T
        file["voltages"] = arrays["voltages"][:1].T
    scan = read_scan(tmp_path / "MY.mat")
    assert scan.shape == SHAPE
    np.testing.assert_allclose(scan.spectra, simulated.channel("piezoresponse"), atol=2e-5)


def test_one_channel_with_one_shared_voltage(arrays, read):
    assert read(
        {"piezoresponse": arrays["piezoresponse"], "voltages": arrays["voltages"][0]}
    ).channels == ("piezoresponse",)


def test_channels_that_are_not_listed_are_those_of_the_same_shape(arrays, read):
    only = {name: arrays[name] for name in ("resonance", "piezoresponse")}
    more = {
        "Quality factor": only["resonance"] * 2,
        "frequencies": np.arange(7.0),
        "voltages": arrays["voltages"][0],
    }
    assert read(only | more).channels == ("piezoresponse", "resonance", "quality_factor")


# Missing pixels, gaps, constant loops


def test_missing_pixels_are_left_out_and_blank(arrays, read, simulated):
    arrays["piezoresponse"][0, 1] = arrays["resonance"][5, 7] = np.nan
    scan = read(arrays)
    assert scan.spectra.shape == (46, 192)
    drawn = scan.map(scan.spectra[:, 0])
    assert np.argwhere(np.isnan(drawn)).tolist() == [[0, 1], [5, 7]]
    for name in scan.channels:
        expected = simulated.map(simulated.channel(name))[scan.mask]
        assert np.corrcoef(scan.channel(name).ravel(), expected.ravel())[0, 1] == pytest.approx(
            1, abs=1e-6
        )
    assert "2 of them blank" in summary(scan)


def test_gaps_are_refused_with_a_remedy(arrays, read):
    arrays["resonance"][3, 2, 10] = np.inf
    with pytest.raises(
        ReplicationError, match=r"MY.npz: 1 points .* at row 3, column 2.*make such a pixel NaN"
    ):
        read(arrays)


def test_constant_loops_are_named(arrays, read):
    arrays["resonance"][1, 2] = arrays["resonance"][1, 4] = 0.1
    with pytest.raises(
        ReplicationError, match="resonance: loops are constant, at row 1, column 2, row 1, column 4"
    ):
        read(arrays)


def test_hardly_any_pixel(arrays, read):
    arrays["piezoresponse"][1:] = np.nan
    with pytest.raises(ReplicationError, match="8 pixels have all channels, fewer than 25"):
        read(arrays)


# The voltage


def turned(arrays, steps):
    """Return the same scan with every channel beginning later in the cycle."""
    return {
        name: np.roll(values, -steps, axis=-1) if values.dtype.kind == "f" else values
        for name, values in arrays.items()
    }


def test_a_cycle_may_begin_anywhere(arrays, read, simulated):
    aligned, voltage = read(turned(arrays, 37)).aligned()
    np.testing.assert_allclose(np.roll(aligned, 37, axis=2), simulated.aligned()[0], atol=2e-5)
    np.testing.assert_allclose(np.roll(voltage, 37), simulated.voltages[0])


def test_held_voltages_are_averaged_into_one_step(arrays, read, simulated):
    """Every step is measured twice, with opposite errors; the cycle begins between such a pair."""
    doubled = {
        name: np.repeat(values, 2, axis=-1) if values.dtype.kind == "f" else values
        for name, values in arrays.items()
    }
    doubled["piezoresponse"] = doubled["piezoresponse"] + np.tile([1e-5, -1e-5], 96)
    scan = read(turned(doubled, 1))
    assert scan.n_steps == 96
    start = np.flatnonzero(np.isclose(scan.voltages[0], simulated.voltages[0, 0]))[0]
    np.testing.assert_allclose(
        np.roll(scan.aligned()[0], -start, axis=2)[:, 0], simulated.aligned()[0][:, 0], atol=1e-4
    )


ramp = np.linspace(-10, 10, 48)
WRONG_VOLTAGES = {
    "sorted": (np.sort(np.concatenate([ramp, ramp + 0.1])), "jumps"),
    "both branches rising": (np.concatenate([ramp, ramp]), "jumps"),
    "shuffled": (np.random.default_rng(0).permutation(np.concatenate([ramp, ramp[::-1]])), "jumps"),
    "above zero": (np.abs(np.concatenate([ramp[::2], ramp[::-2]])).repeat(2) + 1, "to above 0 V"),
    "constant": (np.full(96, 3.0), "to above 0 V"),
    "a branch of few steps": (
        np.concatenate([np.linspace(-10, 10, 88), np.linspace(10, -10, 10)[1:-1]]),
        "9 steps from one extreme",
    ),
    "hardly below zero": (
        np.concatenate([np.linspace(-0.5, 10, 48), np.linspace(10, -0.5, 48)]),
        "on either side of 0 V",
    ),
    "not finite": (np.full(96, np.nan), "NaN"),
    "of another length": (ramp, "expected"),
}


@pytest.mark.parametrize("name", WRONG_VOLTAGES)
def test_a_voltage_that_is_not_one_cycle_is_refused(name, arrays, read):
    voltages, message = WRONG_VOLTAGES[name]
    with pytest.raises(ReplicationError, match=f"MY.npz: voltages.*{message}"):
        read(arrays | {"voltages": voltages})


def test_channels_of_different_cycles_are_refused(arrays, read):
    with pytest.raises(ReplicationError, match="same cycle"):
        read(arrays | {"voltages": arrays["voltages"] * [[1], [1.5]]})


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("low", "high", "falling", "rising"),
    [(-8, 10, 20, 11), (-2, 10, 30, 24), (-1, 1.1, 10, 10), (-10, 3, 40, 21)],
)
def test_loops_of_any_cycle_that_is_taken_can_be_described(
    low, high, falling, rising, arrays, read
):
    """Uneven branches and limits: the bounds here are no weaker than those of the descriptors."""
    voltages = np.concatenate(
        [np.linspace(high, low, falling + 1)[:-1], np.linspace(low, high, rising + 1)[:-1]]
    )
    few = {name: arrays[name][:, :, : len(voltages)] for name in ("piezoresponse", "resonance")}
    scan = read(few | {"voltages": voltages})
    values, _ = describe_spectra(scan, scan.spectra)
    assert len(values) == 16 and all(np.isfinite(each).all() for each in values.values())


# What is not in the file, or not in that form

WRONG = {
    "no piezoresponse": (
        lambda arrays: arrays.pop("piezoresponse"),
        "no array 'piezoresponse'. The file has resonance",
    ),
    "no voltages": (lambda arrays: arrays.pop("voltages"), "no array 'voltages'"),
    "one channel missing": (
        lambda arrays: arrays.pop("resonance"),
        r"'resonance' is not listed or not there. The file has piezoresponse \(6, 8",
    ),
    "voltages of nobody": (lambda arrays: arrays.pop("channels"), "no array 'channels' says which"),
    "complex": (
        lambda arrays: arrays.update(resonance=arrays["resonance"] * 1j),
        "resonance: complex128 values",
    ),
    "another shape": (
        lambda arrays: arrays.update(resonance=arrays["resonance"][1:]),
        r"resonance: shape \(5, 8, 96\), expected \(6, 8, 96\)",
    ),
    "no grid": (
        lambda arrays: arrays.update(piezoresponse=arrays["piezoresponse"][0]),
        "an array 'shape' of rows and columns",
    ),
    "hopeless unit": (
        lambda arrays: arrays.update(resonance=1e20 + arrays["resonance"]),
        "resonance: ",
    ),
    "one loop": (
        lambda arrays: arrays.update(
            resonance=arrays["resonance"][:1, :1].repeat(6, 0).repeat(8, 1)
        ),
        "resonance: .* the same",
    ),
    "size": (lambda arrays: arrays.update(size_um=np.array([1.0, -1])), "size_um"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arrays_are_named(name, arrays, read):
    spoil, message = WRONG[name]
    spoil(arrays)
    with pytest.raises(ReplicationError, match=f"MY.npz: .*{message}"):
        read(arrays)


@pytest.mark.parametrize("name", ["worst case", "Median", "Piezo-Response!"])
def test_names_that_metrics_cannot_have(name, arrays, read):
    more = {"piezo_response": arrays["resonance"]} if name.startswith("Piezo") else {}
    more |= {name: arrays["resonance"], "voltages": arrays["voltages"][0]}
    with pytest.raises(ReplicationError, match="Rename"):
        read({"piezoresponse": arrays["piezoresponse"]} | more)


@pytest.mark.parametrize("name", ["MY.npz", "MY.h5", "MY.mat", "MY.csv", "absent.npz"])
def test_unreadable_files(name, tmp_path):
    if name != "absent.npz":
        (tmp_path / name).write_bytes(b"PK\x03\x04 not a scan")
    with pytest.raises(ReplicationError, match=name):
        read_scan(tmp_path / name)


def test_a_pickle_is_not_opened(tmp_path):
    np.savez(tmp_path / "MY.npz", piezoresponse=np.array([{}], dtype=object))
    with pytest.raises(ReplicationError, match="cannot be read"):
        read_scan(tmp_path / "MY.npz")


# USID


@pytest.fixture
def write_usid(tmp_path, arrays):
    """Return a function that writes a USID file with a main dataset of each quantity."""
    pyusid = pytest.importorskip("pyUSID", reason="needs pyUSID to write a USID file")
    from pyUSID.io.hdf_utils import write_main_dataset

    def write(quantities):
        position = [
            pyusid.Dimension("X", "um", np.arange(8)),
            pyusid.Dimension("Y", "um", np.arange(6)),
        ]
        voltage = [pyusid.Dimension("DC Offset", "V", arrays["voltages"][0])]
        with h5py.File(tmp_path / "MY.h5", "w") as file:
            for i, (quantity, values) in enumerate(quantities):
                group = file.create_group(f"Measurement_000/Channel_{i:03}")
                write_main_dataset(
                    group,
                    values.reshape(48, -1),
                    "Loops",
                    quantity,
                    "m",
                    position,
                    voltage,
                    slow_to_fast=False,
                )
        return tmp_path / "MY.h5"

    return write


@pytest.mark.filterwarnings("ignore")
def test_usid_main_datasets_are_read(write_usid, arrays, simulated):
    aligned = np.roll(arrays["resonance"], -24, axis=2)
    one = read_scan(write_usid([("Whatever", arrays["piezoresponse"])]))
    two = read_scan(
        write_usid([("Resonance", aligned), ("Piezoresponse", arrays["piezoresponse"])])
    )
    assert one.channels == ("piezoresponse",) and two.channels == ("piezoresponse", "resonance")
    np.testing.assert_allclose(two.aligned()[0], simulated.aligned()[0], atol=2e-5)
    np.testing.assert_allclose(one.spectra, two.spectra[:, :96], atol=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_usid_without_loops_says_what_to_export(write_usid, arrays):
    with pytest.raises(
        ReplicationError,
        match=r"0 of its main datasets are loops.*Measurement_000/Channel_000/Loops.*np.savez",
    ):
        read_scan(write_usid([("Response", arrays["piezoresponse"] * 1j)]))


def test_usid_without_axes_says_what_to_export(tmp_path):
    with h5py.File(tmp_path / "MY.h5", "w") as file:
        file["Measurement_000/Loops"] = np.zeros((2, 3))
        for name in usid.ANCILLARY:
            file["Measurement_000/Loops"].attrs[name] = 0
    with pytest.raises(ReplicationError, match=r"MY.h5: .*refer to nothing.*np.savez"):
        read_scan(tmp_path / "MY.h5")
