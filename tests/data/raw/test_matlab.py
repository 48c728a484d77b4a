"""Raw scans in MATLAB files of both formats: the same numbers from either, and clear refusals."""

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from replicate.data.raw.matlab import open_raw, piezoresponse
from replicate.errors import ReplicationError

SHAPE = (3, 5, 16)
CYCLE = np.concatenate([np.linspace(16, -12, 8), np.linspace(-16, 12, 8)])


def variables(rng, loops=True):
    """Make what the paper's file holds, on a small grid that is not square."""
    made = {
        "OutA2_mixed": rng.random(SHAPE),
        "OutPhi2_mixed": rng.uniform(-3, 3, SHAPE),
        "Outw2_mixed": rng.uniform(1310, 1330, SHAPE),
        "OutQ2_mixed": rng.uniform(100, 200, SHAPE),
        "optrotang_mixed": rng.uniform(-1, 1, SHAPE[:2]),
        "Voltagedata_mixed": CYCLE[np.newaxis],
        "VoltageDC_mixed": np.roll(CYCLE, 4)[:, np.newaxis],
    }
    return {**made, "Loopdata_mixed": rng.normal(size=SHAPE)} if loops else made


def save_hdf5(path, contents):
    """Write a 7.3 file: HDF5 behind a block of 512 bytes, the dimensions in reverse."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, values in contents.items():
            file.create_dataset(name, data=np.asarray(values).T, compression="gzip")
    with path.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")


FORMATS = {
    "5": savemat,
    "5 compressed": lambda path, contents: savemat(path, contents, do_compression=True),
    "7.3": save_hdf5,
}


@pytest.fixture(params=FORMATS)
def save(request, tmp_path):
    """Write variables to a file in each of the formats."""

    def write(contents):
        path = tmp_path / "raw.mat"
        FORMATS[request.param](path, contents)
        return path

    return write


def refused(path, match):
    with pytest.raises(ReplicationError, match=match) as caught, open_raw(path) as scan:
        for channel in scan.channels:
            scan.rows(channel, 0, scan.shape[0])
    assert str(path) in str(caught.value)


def test_every_channel_by_rows_with_its_own_voltage(save, rng):
    contents = variables(rng)
    with open_raw(save(contents)) as scan:
        assert (scan.shape, scan.n_steps, scan.channels) == (
            (3, 5),
            16,
            ("piezoresponse", "resonance"),
        )
        np.testing.assert_array_equal(scan.voltages, [CYCLE, np.roll(CYCLE, 4)])
        np.testing.assert_array_equal(scan.rows("piezoresponse", 0, 3), contents["Loopdata_mixed"])
        np.testing.assert_array_equal(scan.rows("resonance", 1, 2), contents["Outw2_mixed"][1:2])
        np.testing.assert_array_equal(scan.rows("quality", 1, 3), contents["OutQ2_mixed"][1:])


def test_without_loops_they_come_from_amplitude_phase_and_angle(save, rng):
    contents = variables(rng, loops=False)
    with open_raw(save(contents)) as scan:
        expected = contents["OutA2_mixed"][1:] * np.cos(
            contents["OutPhi2_mixed"][1:] + contents["optrotang_mixed"][1:, :, None]
        )
        np.testing.assert_array_equal(scan.rows("piezoresponse", 1, 3), expected)
        np.testing.assert_array_equal(scan.voltages[0], np.roll(CYCLE, 4))


def test_one_angle_for_all_and_single_precision(save, rng):
    contents = {
        name: values.astype(np.float32) for name, values in variables(rng, loops=False).items()
    }
    contents["optrotang_mixed"] = np.float32([[0.5]])
    with open_raw(save(contents)) as scan:
        values = scan.rows("piezoresponse", 0, 3)
        wide = {name: contents[name].astype(float) for name in ("OutA2_mixed", "OutPhi2_mixed")}
        np.testing.assert_array_equal(
            values, wide["OutA2_mixed"] * np.cos(wide["OutPhi2_mixed"] + 0.5)
        )


def test_rotation_turns_a_rotated_response_back(rng):
    signed, phase = rng.normal(size=(4, 16)), rng.uniform(-1, 1, 4)
    measured = np.where(signed < 0, np.pi, 0) - phase[:, np.newaxis]
    np.testing.assert_allclose(piezoresponse(np.abs(signed), measured, phase), signed, atol=1e-14)


def test_of_two_cycles_the_second(save, rng):
    contents = variables(rng)
    contents["Voltagedata_mixed"] = np.concatenate([np.zeros(16), CYCLE])[:, np.newaxis]
    with open_raw(save(contents)) as scan:
        np.testing.assert_array_equal(scan.voltages[0], CYCLE)


@pytest.mark.parametrize("missing", ["OutPhi2_mixed", "optrotang_mixed", "VoltageDC_mixed"])
def test_a_missing_variable_is_named_with_the_file(save, rng, missing):
    contents = variables(rng, loops=False)
    del contents[missing]
    refused(save(contents), f"no variable {missing}. The file has .*OutA2_mixed")


def test_no_piezoresponse_at_all(save, rng):
    refused(save({"Outw2_mixed": rng.random(SHAPE)}), "no variable Loopdata_mixed, nor OutA2_mixed")


@pytest.mark.parametrize(
    ("name", "values", "match"),
    [
        ("Loopdata_mixed", np.ones((15, 16)), "rows x columns x steps"),
        ("Outw2_mixed", np.ones((5, 3, 16)), "Outw2_mixed has shape"),
        ("Loopdata_mixed", np.ones(SHAPE) * 1j, "real numbers"),
        ("Voltagedata_mixed", np.ones((1, 15)), "one or two cycles of 16 steps"),
        (
            "Voltagedata_mixed",
            np.sort(CYCLE)[np.newaxis],
            "Voltagedata_mixed: not one bipolar cycle",
        ),
        (
            "Voltagedata_mixed",
            np.random.default_rng(0).permutation(CYCLE)[np.newaxis],
            "not one bipolar cycle",
        ),
        (
            "Voltagedata_mixed",
            np.where(CYCLE > 12, np.nan, CYCLE)[np.newaxis],
            "not one bipolar cycle",
        ),
    ],
)
def test_wrong_variables_are_refused_by_name(save, rng, name, values, match):
    refused(save({**variables(rng), name: values}), match)


def test_degrees_are_refused(save, rng):
    contents = variables(rng, loops=False)
    refused(
        save({**contents, "OutPhi2_mixed": np.rad2deg(contents["OutPhi2_mixed"])}),
        "OutPhi2_mixed.*too large for radians",
    )


def test_an_angle_of_another_grid_is_refused(save, rng):
    refused(
        save({**variables(rng, loops=False), "optrotang_mixed": np.ones((5, 3))}),
        "optrotang_mixed has shape",
    )


def test_structures_and_text_beside_the_arrays_do_no_harm(tmp_path, rng):
    path = tmp_path / "raw.mat"
    savemat(
        path,
        {
            **variables(rng),
            "settings": {"a": 1, "b": "text"},
            "cells": np.array(["x", 1.0], dtype=object),
        },
    )
    with open_raw(path) as scan:
        assert scan.shape == (3, 5)


def test_damaged_files_are_refused(save, rng, tmp_path):
    path = save(variables(rng))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ReplicationError, match="raw.mat"), open_raw(path) as scan:
        for channel in scan.channels:
            scan.rows(channel, 0, 3)
    for content in (b"", b"not MATLAB" * 100):
        path.write_bytes(content)
        refused(path, "not a readable MATLAB file")
    refused(tmp_path / "absent.mat", "no such file")
