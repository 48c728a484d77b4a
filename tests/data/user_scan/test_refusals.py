"""What a file may have that is not a scan: nothing is taken without a word."""

from __future__ import annotations

import shlex
import zipfile

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from replicate import cli
from replicate.data import sources
from replicate.data.scan import cycle_lag
from replicate.data.user_scan.outliers import find
from replicate.data.user_scan.reading import Reading
from replicate.data.user_scan.scan_file import read_scan, summary
from replicate.errors import ReplicationError


@pytest.fixture
def write(tmp_path, loops, volts):
    """Return a function that writes a file with some arrays added or changed."""

    def written(**changed):
        arrays = {"piezoresponse": loops, "voltages": volts} | changed
        np.savez(tmp_path / "MY.npz", **arrays)
        return tmp_path / "MY.npz"

    return written


def refused(path, message, **choices):
    with pytest.raises(ReplicationError, match=message) as error:
        read_scan(path, Reading(**choices))
    assert str(error.value).startswith(f"{path}: ")


# Voltages


def test_two_interleaved_fields_are_said_and_one_can_be_taken(write, loops, volts):
    both = np.stack([loops + 2, loops], axis=-1).reshape(*loops.shape[:2], -1)
    path = write(piezoresponse=both, voltages=np.repeat(volts, 2))
    mean, on, off = (read_scan(path, Reading(repeat=repeat)) for repeat in (None, 1, 2))
    assert "48 steps became 24" in summary(mean) and "--repeat" in summary(mean)
    assert "number 2 of those at one voltage is taken" in summary(off)
    refused(path, "--repeat 3: some voltages have 2 steps", repeat=3)
    np.testing.assert_allclose(off.spectra, read_scan(write()).spectra, atol=1e-6)
    np.testing.assert_allclose(on.spectra, off.spectra, atol=1e-5)
    assert len({mean.provenance, on.provenance, off.provenance}) == 3
    refused(write(), "--repeat 2: no steps beside each other", repeat=2)


def test_the_step_that_is_taken_may_be_the_first_of_the_file(write, loops, volts):
    """The cycle begins between the two steps of one voltage."""
    both = np.stack([np.zeros_like(loops), loops], axis=-1).reshape(*loops.shape[:2], -1)
    path = write(
        piezoresponse=np.roll(both, -1, axis=-1), voltages=np.roll(np.repeat(volts, 2), -1)
    )
    scan = read_scan(path, Reading(repeat=2))
    lag = cycle_lag(scan.voltages[0], volts)
    np.testing.assert_allclose(
        np.roll(scan.spectra, -lag, axis=1), read_scan(write()).spectra, atol=1e-6
    )


@pytest.mark.parametrize("factor", [1e3, 600])
def test_voltages_that_cannot_be_volts_ask_for_their_unit(write, volts, factor):
    path = write(voltages=volts * factor)
    refused(path, f"voltages: up to {10 * factor:g} V.*--voltage-unit mV")
    in_mv = read_scan(path, Reading(voltage_unit="mV"))
    np.testing.assert_allclose(in_mv.voltages[0], volts * factor / 1000)
    assert read_scan(path, Reading(voltage_unit="V")).voltages.max() == 10 * factor


# Outliers


@pytest.mark.parametrize("value", [1e20, -1e30, 2e6, -9999.0, np.finfo(np.float32).max])
def test_one_impossible_value_is_named_and_can_be_blanked(write, loops, value):
    loops[3, 4, 5] = value
    path = write(piezoresponse=loops)
    refused(path, rf"piezoresponse: .* {value:.6g} at row 3, column 4, step 5".replace("+", r"\+"))
    scan = read_scan(path, Reading(blank_outliers=True))
    assert np.argwhere(~scan.mask).tolist() == [[3, 4]]
    assert "row 3, column 4, step 5" in summary(scan) and "1 of them blank" in summary(scan)


def test_values_as_far_as_real_films_have_them_are_kept_and_said(write, loops):
    loops[3, 4, 5] = 500 * np.ptp(loops)
    path = write(piezoresponse=loops)
    assert "1 outliers" in summary(read_scan(path)) and read_scan(path).mask is None
    assert read_scan(path, Reading(blank_outliers=True)).mask is not None


def test_a_large_step_or_an_offset_is_no_outlier():
    rng = np.random.default_rng(0)
    values = rng.normal(1.3e6, 2e3, (40, 24))
    values[3] += 5e4
    assert not find(values)[1].any()
    assert not find(np.full((40, 24), np.nan))[0].any()
    assert not find(np.ones((40, 24)))[0].any()


# Names, shapes and kinds


def test_a_constant_channel_is_called_by_its_name(write, loops):
    refused(write(resonance=np.zeros_like(loops)), "resonance: every value is 0")
    refused(write(resonance=loops, Q=np.full_like(loops, 7)), "q: every value is 7")


def test_steps_first_are_called_so(write, loops):
    refused(write(piezoresponse=np.moveaxis(loops, -1, 0)), r"first axis. Save np.moveaxis")


@pytest.mark.parametrize(
    "shape",
    [
        np.array("6x7"),
        np.array([np.nan, 7]),
        np.array([np.inf, 7]),
        np.array([6.5, 7]),
        np.array([-6, -7]),
        np.array([6, 7, 1]),
        np.array([True, False]),
        np.array([6 + 0j, 7]),
    ],
    ids=str,
)
def test_a_shape_that_is_not_two_whole_numbers_is_named(write, loops, shape):
    refused(write(piezoresponse=loops.reshape(42, -1), shape=shape), "shape: .*rows and columns")


def test_marks_and_texts_are_not_channels(write, loops):
    path = write(mask=loops > 0, words=np.full(loops.shape, "x"))
    scan = read_scan(path)
    assert scan.channels == ("piezoresponse",)
    assert "mask: not taken (true or false, not measurements" in summary(scan)
    assert "words: not taken (not numbers)" in summary(scan)


def test_a_piezoresponse_of_marks_is_named(write, loops):
    refused(write(piezoresponse=loops > 0), "piezoresponse: bool values, .*save measured values")
    refused(write(another=loops * 1j), "another: complex128 .*real parts or amplitudes")


def test_a_gap_is_named_with_its_channel(write, loops):
    resonance = 2 * loops
    resonance[3, 2, 10] = np.nan
    refused(write(resonance=resonance), "1 points .* in loops of resonance .* at row 3, column 2")
    resonance[1:] = np.nan
    refused(write(resonance=resonance), "Pixels that have a loop: piezoresponse 42, resonance 7")


def test_a_pickled_note_among_good_arrays_is_skipped_and_said(write, tmp_path):
    class Bomb:
        def __reduce__(self):
            return exec, (f"open({str(tmp_path / 'opened')!r}, 'w')",)

    note = np.array([Bomb()], dtype=object)
    scan = read_scan(write(note=note))
    assert "note: not taken (pickled Python objects" in summary(scan)
    refused(write(voltages=note), "voltages: cannot be read .pickled Python objects")
    assert not (tmp_path / "opened").exists()


def test_an_empty_file_and_a_folder_are_called_so(tmp_path):
    for suffix in ("npz", "npy", "h5", "mat"):
        (tmp_path / f"empty.{suffix}").touch()
        refused(tmp_path / f"empty.{suffix}", "it is empty")
    (tmp_path / "folder.npz").mkdir()
    refused(tmp_path / "folder.npz", "a folder")
    refused(tmp_path / "absent.npz", "no such file")
    with zipfile.ZipFile(tmp_path / "bare.npz", "w"):
        pass
    refused(tmp_path / "bare.npz", "The file has no arrays")


def test_no_other_file_is_opened_through_a_file(tmp_path, loops, volts):
    with h5py.File(tmp_path / "secret.h5", "w") as other:
        other["loops"] = loops
    (tmp_path / "raw.bin").write_bytes(loops.tobytes())
    with h5py.File(tmp_path / "MY.h5", "w") as file:
        file["voltages"] = volts
        file["piezoresponse"] = h5py.ExternalLink("secret.h5", "loops")
        file["soft"] = h5py.SoftLink("/voltages")
        layout = h5py.VirtualLayout(loops.shape, float)
        layout[:] = h5py.VirtualSource(tmp_path / "secret.h5", "loops", loops.shape)
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset(
            "external", loops.shape, float, external=[(tmp_path / "raw.bin", 0, loops.nbytes)]
        )
    refused(tmp_path / "MY.h5", "piezoresponse: cannot be read .a link")
    for name in ("virtual", "external"):
        refused(tmp_path / "MY.h5", "its values are in another file", dataset=name)


def test_only_what_is_taken_is_read(write, loops, monkeypatch):
    path = write(huge=np.zeros((3, 4)), resonance=2 * loops)
    read = []
    load = np.lib.npyio.NpzFile.__getitem__
    monkeypatch.setattr(
        np.lib.npyio.NpzFile, "__getitem__", lambda self, key: read.append(key) or load(self, key)
    )
    assert read_scan(path).channels == ("piezoresponse", "resonance")
    assert sorted(read) == ["piezoresponse", "resonance", "voltages"]


# On the command line


def test_a_cache_that_cannot_be_written_to_has_its_own_remedy(write, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("REPLICATE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(ReplicationError, match="Set REPLICATE_CACHE to a folder") as error:
        sources.bring(write())
    assert "--results" not in str(error.value)


def test_a_refusal_ends_with_the_table_of_the_file(write, loops, capsys):
    path = write(piezoresponse=loops[:, :, :5], other=np.zeros(3))
    assert cli.main(["run", "--scan", str(path), "--dry-run"]) == 2
    printed = capsys.readouterr().err
    assert "error: " in printed and printed.splitlines()[-4].startswith("array ")
    assert "other          float64  3" in printed


def test_choices_are_kept_with_the_copy(write, loops, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("REPLICATE_CACHE", str(tmp_path / "cache"))
    loops[0, 0, 0] = 1e20
    reading = Reading(blank_outliers=True, voltage_unit="V", voltages=tuple(np.ones(3)))
    assert Reading.of(reading.chosen()) == reading
    provenance = sources.bring(write(piezoresponse=loops), Reading(blank_outliers=True)).scan
    sources._load_own.cache_clear()
    loaded = sources.load_scan(provenance)
    assert loaded.provenance == provenance and np.count_nonzero(~loaded.mask) == 1
    assert cli.main(["run", "--blank-outliers", "--dry-run"]) == 2
    assert "only with --scan" in capsys.readouterr().err


def test_raw_loops_are_prepared_by_the_command_that_is_given(tmp_path, loops, volts, monkeypatch):
    monkeypatch.chdir(tmp_path)
    savemat("raw loops.mat", {"Loopdata_mixed": loops, "Voltagedata_mixed": volts[np.newaxis]})
    with pytest.raises(ReplicationError, match="These are raw loops") as error:
        read_scan("raw loops.mat")
    clean, run = (shlex.split(command)[3:] for command in str(error.value).split("`")[1::2])
    assert cli.main(clean) == 0
    assert cli.main([*run, "--dry-run", "--profile", "smoke"]) == 0
