"""``python -m replicate clean``.

Prepared arrays, the list of repairs, bounded memory, and refusals that leave nothing behind.
"""

import shlex
import tracemalloc

import h5py
import numpy as np
import pandas as pd
import pytest
from scipy.io import savemat

from replicate import cli
from replicate.data.raw import clean_file as clean_command
from replicate.data.raw import matlab
from replicate.data.raw.clean import clean, standardise
from replicate.errors import ReplicationError

SHAPE, STEPS = (6, 10), 96
VOLTAGE = np.concatenate([np.linspace(16, -16, 49), np.linspace(-16, 16, 49)[1:-1]])


def raw_arrays(rng, shape=SHAPE):
    spread = rng.normal(0, 0.02, (2, *shape, STEPS))
    return {
        "Loopdata_mixed": np.tanh(VOLTAGE / 4) * rng.uniform(0.5, 1, (*shape, 1)) + spread[0],
        "Outw2_mixed": 1320 + np.cos(VOLTAGE / 5) + 5 * spread[1],
        "Voltagedata_mixed": VOLTAGE[np.newaxis],
        "VoltageDC_mixed": np.roll(VOLTAGE, 24)[np.newaxis],
    }


@pytest.fixture
def command(tmp_path, capsys):
    """Return a function that saves variables and runs the command on them.

    It returns the exit code, the printed text and the path of the result.
    """

    def run(contents, *options):
        savemat(tmp_path / "raw.mat", contents)
        out = tmp_path / "made" / "out.npz"
        code = cli.main(["clean", str(tmp_path / "raw.mat"), str(out), *options])
        printed = capsys.readouterr()
        return code, printed.out + printed.err, out

    return run


def expected(loops, limits=None):
    cleaned, reasons = clean(loops.reshape(-1, STEPS), limits)
    levels = standardise(values := cleaned.copy())
    return values, cleaned, reasons, levels


def test_arrays_and_repairs(command, rng, monkeypatch):
    monkeypatch.setattr(clean_command, "LOOPS_AT_ONCE", 25)
    contents = raw_arrays(rng)
    contents["Loopdata_mixed"][4, 7, 0] = np.nan
    contents["Outw2_mixed"][1, 2, 30] = 1200
    code, printed, out = command(contents)
    assert (
        code == 0
        and "1 not finite" in printed
        and "1 out of limits" in printed
        and str(out) in printed
    )
    made = dict(np.load(out, allow_pickle=False))
    assert made["channels"].tolist() == ["piezoresponse", "resonance"] and made[
        "shape"
    ].tolist() == [6, 10]
    np.testing.assert_array_equal(made["voltages"], [VOLTAGE, np.roll(VOLTAGE, 24)])
    repairs = pd.read_csv(out.with_suffix(".repairs.csv"), float_precision="round_trip")
    for i, (channel, name, limits) in enumerate(
        (("piezoresponse", "Loopdata_mixed", None), ("resonance", "Outw2_mixed", (1300, 1340)))
    ):
        values, cleaned, reasons, levels = expected(contents[name], limits)
        np.testing.assert_array_equal(made[channel], values)
        assert (made["mean"][i], made["std"][i]) == levels
        rebuilt = contents[name].copy()
        channel_repairs = repairs[repairs.channel == channel]
        assert len(channel_repairs) == np.count_nonzero(reasons)
        place = (channel_repairs.row, channel_repairs.column, channel_repairs.step)
        np.testing.assert_array_equal(channel_repairs.old, rebuilt[place])
        rebuilt[place] = channel_repairs.new
        np.testing.assert_array_equal(rebuilt.reshape(-1, STEPS), cleaned)
    why = repairs.set_index(["channel", "row", "column", "step"]).why
    assert (
        why["piezoresponse", 4, 7, 0] == "not finite"
        and why["resonance", 1, 2, 30] == "out of limits"
    )


@pytest.mark.parametrize("scale", [1e-5, 1e5])
def test_any_unit_gives_the_same_z_scores(command, rng, scale):
    contents = raw_arrays(rng)
    _, _, out = command(contents)
    reference = np.load(out)["piezoresponse"]
    contents["Loopdata_mixed"] = contents["Loopdata_mixed"] * scale
    contents["Outw2_mixed"] = contents["Outw2_mixed"] * 1000  # Hz
    code, printed, out = command(contents)
    assert code == 0 and "out of limits" not in printed
    np.testing.assert_allclose(np.load(out)["piezoresponse"], reference, atol=1e-11)


def test_other_cantilevers_need_other_limits(command, rng):
    contents = raw_arrays(rng)
    contents["Outw2_mixed"] -= 1000
    code, printed, out = command(contents)
    assert (
        code == 2
        and "60 loops have no value from 1300 to 1340: row 0, column 0" in printed
        and "--resonance-limits" in printed
    )
    assert not out.exists() and not list(out.parent.iterdir())
    assert command(contents, "--resonance-limits", "300", "340")[0] == 0
    assert command(contents, "--resonance-limits", "340", "300")[0] == 2


def test_without_resonance_the_piezoresponse_alone(command, rng):
    contents = raw_arrays(rng)
    del contents["Outw2_mixed"]
    code, _, out = command(contents)
    assert code == 0 and np.load(out)["channels"].tolist() == ["piezoresponse"]


def test_constant_loops_are_reported_and_a_constant_scan_refused(command, rng):
    contents = raw_arrays(rng)
    contents["Loopdata_mixed"][2, 3] = 0.1
    code, printed, _ = command(contents)
    assert code == 0 and "piezoresponse: 1 loops are constant" in printed
    contents["Loopdata_mixed"][:] = 0.1
    code, printed, _ = command(contents)
    assert code == 2 and "raw.mat: piezoresponse: all values are the same" in printed


def test_a_pixel_without_a_measurement_stays_blank(command, rng, monkeypatch):
    monkeypatch.setattr(clean_command, "LOOPS_AT_ONCE", 25)
    contents = raw_arrays(rng)
    dead = np.zeros(SHAPE, dtype=bool)
    dead[0, 0] = dead[4, 7] = dead[5, 9] = True
    contents["Loopdata_mixed"][dead] = np.nan
    code, printed, out = command(contents)
    assert code == 0 and "3 pixels have no measurement, and stay blank: row 0, column 0" in printed
    made = np.load(out)
    values, _, _, levels = expected(contents["Loopdata_mixed"][~dead])
    assert np.isnan(made["piezoresponse"][dead.ravel()]).all()
    np.testing.assert_array_equal(made["piezoresponse"][~dead.ravel()], values)
    assert (made["mean"][0], made["std"][0]) == levels
    repairs = pd.read_csv(out.with_suffix(".repairs.csv"), float_precision="round_trip")
    loops = repairs[repairs.channel == "piezoresponse"]
    assert not dead[loops.row, loops.column].any()
    np.testing.assert_array_equal(
        contents["Loopdata_mixed"][loops.row, loops.column, loops.step], loops.old
    )
    assert cli.main(["inspect", str(out)]) == 0


def test_an_earlier_result_survives_a_file_that_is_refused(command, rng):
    contents = raw_arrays(rng)
    _, _, out = command(contents)
    before = out.read_bytes()
    contents["Loopdata_mixed"][:] = 0.1
    assert command(contents)[0] == 2
    assert out.read_bytes() == before and len(list(out.parent.iterdir())) == 2


def test_a_number_of_steps_that_four_does_not_divide_can_be_run_as_it_is(command, rng, tmp_path):
    steps = np.concatenate([np.linspace(16, -16, 26), np.linspace(-16, 16, 26)[1:-1]])
    loops = np.tanh(steps / 4) * rng.uniform(0.5, 1, (*SHAPE, 1))
    contents = {"Loopdata_mixed": loops, "Voltagedata_mixed": steps[np.newaxis]}
    code, printed, _ = command(contents)
    assert code == 2 and "Loops of 50 steps can be run as they are" in printed
    words = shlex.split(printed.split("`")[1])
    assert words[:4] == ["python", "-m", "replicate", "run"]
    assert cli.main(["inspect", words[5], *words[6:]]) == 0


def test_a_place_that_cannot_be_written_to_is_named(tmp_path, rng, capsys):
    savemat(tmp_path / "raw.mat", raw_arrays(rng))
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "out.npz"
    assert cli.main(["clean", str(tmp_path / "raw.mat"), str(out)]) == 2
    printed = capsys.readouterr().err
    assert "another folder for OUT.npz" in printed and "--results" not in printed


def test_the_result_must_be_npz_and_help_helps(tmp_path, capsys):
    assert cli.main(["clean", "raw.mat", str(tmp_path / "out.csv")]) == 2
    assert "must end in .npz" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["clean", "--help"])
    assert "OUT.repairs.csv" in capsys.readouterr().out


def test_memory_does_not_grow_with_the_scan(tmp_path, rng, monkeypatch):
    monkeypatch.setattr(clean_command, "LOOPS_AT_ONCE", 64)
    monkeypatch.setattr(
        clean_command, "write_npz", lambda *_, **__: None
    )  # NumPy writes a mapped array 16 MiB at a time
    block = raw_arrays(rng, (4, 64))
    peaks = []
    for rows in (8, 128):
        with h5py.File(tmp_path / "raw.mat", "w") as file:
            for name in ("Voltagedata_mixed", "VoltageDC_mixed"):
                file[name] = block[name].T
            file["Loopdata_mixed"] = np.tile(block["Loopdata_mixed"].T, rows // 4)
        tracemalloc.start()
        clean_command.clean_file(tmp_path / "raw.mat", tmp_path / "out.npz")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    growth_of_scan = (128 - 8) * 64 * STEPS * 8
    assert peaks[1] - peaks[0] < growth_of_scan / 4


def test_a_raw_file_that_breaks_off_as_it_is_read_is_named(rng, tmp_path, monkeypatch):
    """SciPy raises an error of the system there, which is not one of writing."""
    load = matlab.load_matlab

    def breaking_off(path, name):
        if name == "Outw2_mixed":
            raise OSError("could not read bytes")
        return load(path, name)

    raw = tmp_path / "raw.mat"
    savemat(raw, raw_arrays(rng))
    monkeypatch.setattr(matlab, "load_matlab", breaking_off)
    with pytest.raises(ReplicationError, match="raw.mat: Outw2_mixed cannot be read"):
        clean_command.clean_file(raw, tmp_path / "out.npz")
