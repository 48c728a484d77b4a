"""Files as instruments and programs of the field write them: loops equal those computed by hand."""

from __future__ import annotations

import shlex

import h5py
import numpy as np
import pytest
from scipy.io import savemat

import replicate
from replicate import cli
from replicate.data.user_scan import contents, usid
from replicate.data.user_scan.reading import Reading
from replicate.data.user_scan.scan_file import read_scan, summary
from replicate.errors import ReplicationError


def standardised(values):
    return ((values - np.nanmean(values)) / np.nanstd(values)).reshape(-1, values.shape[-1])


def assert_read(path, loops, volts, **choices):
    scan = read_scan(path, Reading(**choices))
    np.testing.assert_allclose(scan.channel("piezoresponse"), standardised(loops), atol=2e-6)
    np.testing.assert_allclose(scan.voltages[0], volts, atol=1e-6)
    assert scan.shape == loops.shape[:2]
    return scan


# Groups, structs, one array


def test_arrays_in_a_group(tmp_path, loops, volts):
    with h5py.File(tmp_path / "MY.h5", "w") as file:
        file["a/b/piezoresponse"], file["a/b/voltages"] = loops, volts * 1000
        file["a/b/voltages"].attrs["units"] = "mV"
        file["c/loops"], file["c/voltages"] = -loops, volts
    path = tmp_path / "MY.h5"
    assert "arrays of a/b" in summary(assert_read(path, loops, volts))
    assert_read(path, loops, volts, dataset="/a/b")
    assert_read(path, -loops, volts, dataset="c/loops")
    with pytest.raises(ReplicationError, match="--dataset d: no such array or group"):
        read_scan(path, Reading(dataset="d"))
    with h5py.File(path, "a") as file:
        file["c/piezoresponse"] = loops
    with pytest.raises(ReplicationError, match="Choose one: --dataset a/b or --dataset c"):
        read_scan(path)


def test_a_struct_of_matlab(tmp_path, loops, volts):
    inner = {"piezoresponse": loops, "voltages": volts, "resonance": 2 * loops}
    savemat(tmp_path / "MY.mat", {"one": {"scan": inner, "operator": "somebody"}})
    scan = assert_read(tmp_path / "MY.mat", loops, volts)
    assert scan.channels == ("piezoresponse", "resonance")


def test_matlab_73_with_structs_texts_and_complex_numbers(tmp_path, loops, volts, capsys):
    path = tmp_path / "MY.mat"
    with h5py.File(path, "w") as file:
        file["scan/piezoresponse"], file["scan/voltages"] = loops.T, volts[:, np.newaxis]
        pairs = np.dtype([("real", float), ("imag", float)])
        file["scan/spectrum"] = np.zeros((4, 3), pairs)
        file["scan/note"] = np.array([[104], [105]], np.uint16)
        file["scan/note"].attrs["MATLAB_class"] = np.bytes_("char")
        file["#refs#/a"] = np.zeros(3)
    assert_read(path, loops, volts)
    assert cli.main(["inspect", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "complex128" in shown and "3 x 4" in shown and "text" in shown and "#refs#" not in shown


def test_one_array_of_numpy_with_its_voltages(tmp_path, loops, volts, capsys):
    path, voltages = tmp_path / "film.npy", tmp_path / "volts.npy"
    np.save(path, loops)
    np.save(voltages, volts[:, np.newaxis])
    assert_read(path, loops, volts, voltages=tuple(volts))
    assert cli.main(["inspect", str(path)]) == 2
    assert "--voltages FILE.npy" in capsys.readouterr().out
    assert cli.main(["inspect", str(path), "--voltages", str(voltages)]) == 0
    command = shlex.split(capsys.readouterr().out.splitlines()[-1])
    assert cli.main([*command[3:], "--dry-run", "--profile", "smoke"]) == 0


# NSID and hyperspy


def write_nsid(path, loops, volts, order=(0, 1, 2), unit="V"):
    """Write loops of shape (rows, cols, steps) with labelled axes, in some order."""
    axes = [
        ("Y", "nm", np.arange(loops.shape[0]) * 100.0),
        ("X", "nm", np.arange(loops.shape[1]) * 100.0),
        ("Voltage", unit, volts),
    ]
    with h5py.File(path, "w") as file:
        group = file.create_group("Measurement_000/Channel_000/generic")
        data = group.create_dataset("generic", data=loops.transpose(order))
        for i, which in enumerate(order):
            name, axis_unit, values = axes[which]
            group[name] = values
            group[name].attrs["units"] = axis_unit
            group[name].make_scale(name)
            data.dims[i].attach_scale(group[name])


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 0, 1), (2, 1, 0)])
def test_nsid_with_axes_in_any_order(tmp_path, loops, volts, order):
    write_nsid(tmp_path / "MY.h5", loops, volts * 1000, order, "mV")
    scan = assert_read(tmp_path / "MY.h5", loops, volts)
    assert scan.size_um == pytest.approx((0.6, 0.7))


def write_hyperspy(path, loops, volts):
    """Write loops with a group of attributes for each of their axes."""
    with h5py.File(path, "w") as file:
        group = file.create_group("Experiments/loops")
        group["data"] = loops
        for i, (name, size) in enumerate(zip("yx", loops.shape)):
            axis = group.create_group(f"axis-{i}")
            axis.attrs.update(name=name, units="nm", scale=100.0, offset=0.0, size=size)
        axis = group.create_group("axis-2")
        axis.attrs.update(name="Voltage", units="V")
        axis["axis"] = volts


def test_hyperspy_with_axes(tmp_path, loops, volts):
    path = tmp_path / "MY.hspy"
    write_hyperspy(path, loops, volts)
    assert assert_read(path, loops, volts).size_um == pytest.approx((0.6, 0.7))


def test_an_attribute_that_hdf5_reads_for_ever_is_refused(tmp_path, loops, volts, monkeypatch):
    """The heap of texts is zero from the size of its second text on."""
    path = tmp_path / "MY.hspy"
    write_hyperspy(path, loops, volts)
    content = bytearray(path.read_bytes())
    second = content.index(b"GCOL") + 48
    assert content[second] == len("nm")
    content[second : second + 64] = bytes(64)
    path.write_bytes(content)
    monkeypatch.setattr(contents, "HDF5_SECONDS", 0.5)
    with pytest.raises(ReplicationError, match=r"MY\.hspy: cannot be read \(it takes more than"):
        read_scan(path)


def test_hyperspy_without_voltages_takes_them_from_a_file(tmp_path, loops, volts, capsys):
    path = tmp_path / "MY.h5"
    with h5py.File(path, "w") as file:
        file["Experiments/loops/data"] = loops
    assert cli.main(["inspect", str(path)]) == 2
    assert "--dataset Experiments/loops/data --voltages" in capsys.readouterr().out
    assert_read(path, loops, volts, dataset="Experiments/loops/data", voltages=tuple(volts))


# USID


#: The fields of an oscillator fit as BGlib writes them.
FIT = np.dtype(
    [
        (name, np.float32)
        for name in (
            "Amplitude [V]",
            "Frequency [Hz]",
            "Quality Factor",
            "Phase [rad]",
            "R2 Criterion",
        )
    ]
)


def fit_of(loops, turn):
    """Return the oscillator fit of loops whose phase is turned by an angle, rad."""
    fit = np.zeros(loops.shape, FIT)
    fit["Amplitude [V]"] = np.abs(loops)
    fit["Phase [rad]"] = np.angle(np.exp(1j * (np.where(loops < 0, np.pi, 0) + turn)))
    fit["Frequency [Hz]"] = 3.3e5 + 1e3 * loops**2
    fit["Quality Factor"] = 100
    fit["R2 Criterion"] = 0.95
    return fit


@pytest.fixture
def usid_file(tmp_path, loops, volts, write_main):
    """Return a function that writes a fit of two fields and two cycles."""

    def written(unit="V", factor=1.0, values=None):
        cycles = np.stack(
            [np.stack([loops + 3, 0.5 * loops], -1), np.stack([loops + 3, loops], -1)], 2
        )
        flat = cycles.reshape(loops.shape[0] * loops.shape[1], -1)
        spectroscopic = [
            ("DC_Offset", unit, np.tile(np.repeat(volts, 2), 2) * factor),
            ("Field", "", np.tile([0, 1], 2 * len(volts))),
            ("Cycle", "", np.repeat([0, 1], 2 * len(volts))),
        ]
        with h5py.File(tmp_path / "MY.h5", "w") as file:
            group = file.create_group("Measurement_000/Channel_000/Raw_Data-SHO_Fit_000")
            stored = fit_of(flat, 0.7) if values is None else values(flat)
            write_main(group, "Fit", stored, spectroscopic, "SHO", loops.shape[:2])
        return tmp_path / "MY.h5"

    return written


@pytest.mark.parametrize("unit", ["V", "mV", "Volts"])
def test_usid_fit_of_two_fields_and_two_cycles(usid_file, loops, volts, unit):
    path = usid_file(unit, 1000.0 if unit == "mV" else 1.0)
    scan = assert_read(path, loops, volts)
    assert scan.channels == ("piezoresponse", "resonance")
    np.testing.assert_allclose(
        scan.channel("resonance"), standardised((3.3e5 + 1e3 * loops**2).astype("f4")), atol=1e-4
    )
    assert "loops off field" in summary(scan) and "cycle 2 of 2" in summary(scan)
    assert_read(path, 0.5 * loops, volts, cycle=1)
    assert_read(path, loops, volts, field="off", cycle=2)
    with pytest.raises(ReplicationError, match="--cycle 3: there are 2 cycles"):
        read_scan(path, Reading(cycle=3))


def test_usid_may_have_a_dataset_called_piezoresponse(tmp_path, loops, volts, write_main):
    with h5py.File(tmp_path / "MY.h5", "w") as file:
        voltage = [("DC_Offset", "V", volts)]
        values = loops.reshape(42, -1)
        write_main(file, "piezoresponse", values, voltage, shape=loops.shape[:2])
    assert_read(tmp_path / "MY.h5", loops, volts)


def test_usid_in_field(usid_file, loops, volts):
    path = usid_file(values=lambda flat: flat)
    assert_read(path, loops + 3, volts, field="in")
    assert_read(path, loops, volts)


def test_usid_pixels_whose_fit_failed_are_blank(usid_file, loops, volts):
    def failing(flat):
        fit = fit_of(flat, 0.7)
        fit["R2 Criterion"][8, -1] = 0.01
        return fit

    scan = read_scan(usid_file(values=failing))
    assert np.argwhere(~scan.mask).tolist() == [[1, 1]]
    assert f"1 pixels with an R2 Criterion below {usid.SMALLEST_R2} are blank" in summary(scan)


def test_usid_of_several_fits_takes_the_last_and_says_so(tmp_path, loops, volts, write_main):
    """One file has a guess, a fit, and loops that were projected twice."""
    flat = loops.reshape(42, -1)
    voltage = [("DC_Offset", "V", volts)]
    contents = {
        "Channel_000/SHO_000/Guess": fit_of(3 * flat**3, 0.7),
        "Channel_001/SHO_000/Fit": fit_of(2 * flat - 1, 0.7),
        "Channel_002/Loop_Fit_000/Projected_Loops": flat**3,
        "Channel_002/Loop_Fit_001/Projected_Loops": flat,
    }
    path = tmp_path / "MY.h5"
    with h5py.File(path, "w") as file:
        for name, values in contents.items():
            group = file.create_group(name.rpartition("/")[0])
            write_main(group, name.rpartition("/")[2], values, voltage, "SHO", loops.shape[:2])
    names = list(contents)
    said = summary(assert_read(path, loops, volts))
    assert f"{names[3]}, of 4 datasets of loops" in said and f"--dataset {names[1]}" in said
    assert_read(path, loops**3, volts, dataset=names[2])
    assert_read(path, 2 * loops - 1, volts, dataset="Channel_001")
    with pytest.raises(ReplicationError, match="--field: the loops have one field only"):
        read_scan(path, Reading(dataset=names[3], field="off"))


def test_usid_of_several_other_datasets_asks_which(tmp_path, loops, volts, write_main):
    path = tmp_path / "MY.h5"
    with h5py.File(path, "w") as file:
        for quantity in ("Amplitude", "Phase"):
            group, voltage = file.create_group(quantity), [("DC_Offset", "V", volts)]
            values = loops.reshape(42, -1)
            write_main(group, "Loops", values, voltage, quantity, loops.shape[:2])
    with pytest.raises(ReplicationError, match="--dataset Amplitude/Loops or .* Phase/Loops"):
        read_scan(path)


def test_usid_broken_off_half_way_has_its_missing_pixels_blank(tmp_path, loops, volts, write_main):
    flat = loops.reshape(42, -1)
    with h5py.File(tmp_path / "MY.h5", "w") as file:
        write_main(file, "Raw", flat, [("DC_Offset", "V", volts)], shape=loops.shape[:2])
        for name in ("Position_Indices", "Position_Values"):
            stored, attributes = file[name][:38], dict(file[name].attrs)
            del file[name]
            file[name] = stored
            file[name].attrs.update(attributes)
            file["Raw"].attrs[name] = file[name].ref
        attributes = dict(file["Raw"].attrs)
        del file["Raw"]
        file["Raw"] = flat[:38]
        file["Raw"].attrs.update(attributes)
    scan = read_scan(tmp_path / "MY.h5")
    assert scan.shape == loops.shape[:2]
    assert np.flatnonzero(~scan.mask).tolist() == [38, 39, 40, 41]
    expected = standardised(flat[np.newaxis, :38])
    np.testing.assert_allclose(scan.spectra, expected, atol=2e-6)


@pytest.mark.parametrize("part", ["Position_Values", "Spectroscopic_Values"])
def test_usid_opens_no_other_file(tmp_path, loops, volts, part, write_main):
    with h5py.File(tmp_path / "MY.h5", "w") as file:
        voltage = [("DC_Offset", "V", volts)]
        write_main(file, "Raw", loops.reshape(42, -1), voltage, shape=loops.shape[:2])
        stored, attributes = file[part][()], dict(file[part].attrs)
        (tmp_path / "elsewhere").write_bytes(stored.tobytes())
        del file[part]
        outside = [(tmp_path / "elsewhere", 0, stored.nbytes)]
        file.create_dataset(part, stored.shape, stored.dtype, external=outside)
        file[part].attrs.update(attributes)
        file["Raw"].attrs[part] = file[part].ref
    with pytest.raises(ReplicationError, match="in another file"):
        read_scan(tmp_path / "MY.h5")


# Complex numbers


def test_a_complex_response_is_turned_onto_one_axis(tmp_path, loops, volts, rng):
    """Each loop by its own angle, as Section 2 of the paper does; NaN stays a blank pixel."""
    phases = rng.uniform(-np.pi, np.pi, loops.shape[:2])[..., np.newaxis]
    response = loops * np.exp(1j * phases)
    response[2, 3] = np.nan
    real = loops.copy()
    real[2, 3] = np.nan
    for name, values in (("COMPLEX", response), ("REAL", real)):
        np.savez(tmp_path / f"{name}.npz", piezoresponse=values, voltages=volts)
    turned, expected = (read_scan(tmp_path / f"{name}.npz") for name in ("COMPLEX", "REAL"))
    np.testing.assert_allclose(turned.spectra, expected.spectra, atol=1e-5)
    np.testing.assert_array_equal(turned.mask, expected.mask)
    assert "complex numbers, as A cos(phi + theta)" in summary(turned)
    pairs = np.empty(response.T.shape, np.dtype([("real", float), ("imag", float)]))
    pairs["real"], pairs["imag"] = response.real.T, response.imag.T
    with h5py.File(tmp_path / "MATLAB.mat", "w") as file:
        file["piezoresponse"], file["voltages"] = pairs, volts[:, np.newaxis]
    of_matlab = read_scan(tmp_path / "MATLAB.mat")
    np.testing.assert_allclose(of_matlab.spectra, expected.spectra, atol=1e-5)
    from_memory = replicate.read(response, volts)
    np.testing.assert_allclose(from_memory.spectra, expected.spectra, atol=1e-5)


# What is in a file


def test_inspect_lists_paths_types_units_and_reasons(usid_file, capsys):
    path = usid_file("mV", 1000.0)
    assert cli.main(["inspect", str(path)]) == 0
    shown = capsys.readouterr().out
    for text in ("Raw_Data-SHO_Fit_000/Fit", "Amplitude [V]", "mV", "an oscillator fit"):
        assert text in shown
    assert shown.splitlines()[-1] == f"python -m replicate run --scan {shlex.quote(str(path))}"


def test_the_command_that_inspect_names_for_an_array_is_one(tmp_path, loops, volts, capsys):
    """Of a file of HDF5 that is no USID; with its words filled in, `inspect` takes the array."""
    with h5py.File(tmp_path / "MY.h5", "w") as file:
        file["Experiments/loops/data"] = loops
    np.save(tmp_path / "VOLTS.npy", volts)
    assert cli.main(["inspect", str(tmp_path / "MY.h5")]) == 2
    named = "--dataset Experiments/loops/data --voltages VOLTS.npy"
    assert named in capsys.readouterr().out
    options = named.replace("VOLTS", str(tmp_path / "VOLTS")).split()
    assert cli.main(["inspect", str(tmp_path / "MY.h5"), *options]) == 0


def test_a_main_dataset_that_is_not_there_is_told_with_those_that_are(usid_file, capsys):
    assert cli.main(["inspect", str(usid_file()), "--dataset", "nowhere"]) == 2
    told = capsys.readouterr().out
    assert "no such main dataset. There are Measurement_000/" in told


# Units


def test_units_of_a_fit_and_levels(usid_file, loops):
    scan = read_scan(usid_file())
    assert scan.channels == ("piezoresponse", "resonance") and scan.file_units == ("V", "Hz")
    mean, deviation = scan.levels[0]
    back = mean + deviation * scan.channel("piezoresponse").reshape(loops.shape)
    np.testing.assert_allclose(back, loops, atol=1e-5)


def test_units_of_an_archive_follow_the_piezoresponse_first(tmp_path, loops, volts):
    path = tmp_path / "MY.npz"
    arrays = {"another": loops + volts, "piezoresponse": loops, "voltages": volts}
    np.savez(path, **arrays, units=["pm", "kHz"])
    scan = read_scan(path)
    assert scan.channels == ("piezoresponse", "another") and scan.file_units == ("pm", "kHz")
    np.savez(path, **arrays)
    assert read_scan(path).file_units == ("", "")
    np.savez(path, **arrays, units=["pm"])
    with pytest.raises(ReplicationError, match=r"MY\.npz: units: 1 of them for the channels"):
        read_scan(path)


def test_units_of_nsid_and_of_datasets(tmp_path, loops, volts):
    write_nsid(tmp_path / "MY.h5", loops, volts)
    assert read_scan(tmp_path / "MY.h5").file_units in (("m",), ("",), ("V",), ("a.u.",))
    with h5py.File(tmp_path / "OWN.h5", "w") as file:
        file.update({"piezoresponse": loops, "voltages": volts})
        file["piezoresponse"].attrs["units"] = "pm"
    assert read_scan(tmp_path / "OWN.h5").file_units == ("pm",)
