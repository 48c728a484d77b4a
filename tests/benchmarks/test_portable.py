"""Processors are compared instance by instance, and an emulator that fails is not a difference.

No emulator is needed: what it would start is replaced.
"""

from __future__ import annotations

import copy
import json
import re
import sys

import numpy as np
import pytest

from benchmarks import portable, small_instances
from benchmarks.portable import NATIVE_RUN, Outcome, Runner
from replicate import arithmetic
from replicate.study.family import MODELS

NAMES = ["toy/pca", "scan/pca", "toy/lstm_vae", "scan/scores"]

VERSIONS = {
    "python": "3.11",
    "mxnet": "1.9.1",
    "numpy": "1.23.5",
    "scipy": "1.9",
    "scikit-learn": "1.6",
    "libc": "glibc 2.36",
    "qemu": "7.2",
}


@pytest.fixture
def outcome():
    """What a run of `NAMES` gave."""
    compared = {name: {"weights": f"hash of {name}", "mse": 0.1} for name in NAMES}
    return Outcome(code={"openblas": ["Haswell"], "numpy": []}, compared=compared, seconds=1.0)


@pytest.fixture
def record(outcome, monkeypatch):
    """A record of this processor and of two runs that are the same."""
    monkeypatch.setattr(portable, "versions", lambda: VERSIONS)
    names = (arithmetic.PINNED, "EPYC-Rome", NATIVE_RUN)
    return portable.record_of({name: copy.deepcopy(outcome) for name in names})


def run(tmp_path, program, names=NAMES, minutes=1.0):
    """Run a program in the place of `benchmarks.small_instances`; its arguments are the names."""
    script = tmp_path / "program.py"
    script.write_text("import json, os, sys, time\n" + program)
    variables = portable.environment(arithmetic.PINNED)
    return Runner("a processor", [sys.executable, str(script)], variables, minutes).run(names)


SAY = "print(json.dumps({name: {'mse': 0.5}, 'seconds': 1.0}), flush=True)"


# What is compared


def test_every_model_is_an_instance_on_both_data_sets():
    names = small_instances.names()
    assert len(names) == len(set(names))
    assert {f"{data}/{model}" for model in MODELS for data in ("toy", "scan")} <= set(names)


@pytest.mark.parametrize("name", ["toy/pca", "scan/nmf", "scan/scores", "toy/spectra"])
def test_an_instance_gives_the_same_twice_and_is_plain_json(name):
    data = small_instances.SmallData.make()
    first, second = (small_instances.run(name, data) for _ in range(2))
    assert first == second == json.loads(json.dumps(first))
    assert any(re.fullmatch("[0-9a-f]{64}", str(value)) for value in first.values())


def test_data_from_a_file_are_those_that_were_made(tmp_path):
    made = small_instances.SmallData.make()
    made.write(tmp_path / "data.npz")
    read = small_instances.SmallData.read(tmp_path / "data.npz")
    for domain in ("toy", "scan"):
        for ours, theirs in zip(made.spectra[domain], read.spectra[domain]):
            np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(made.scan.voltages, read.scan.voltages)


def test_one_bit_a_name_or_a_type_changes_the_hash():
    array = np.ones(3, dtype=np.float32)
    moved = np.nextafter(array, 2, dtype=np.float32)
    hashes = [
        small_instances.hash_arrays(arrays)
        for arrays in (
            {"a": array},
            {"a": moved},
            {"b": array},
            {"a": array.astype(np.float64)},
            {"a": array[None]},
        )
    ]
    assert len(set(hashes)) == len(hashes)


# Processes


def test_the_native_process_has_no_pins_and_the_pinned_one_sets_its_own(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "HASWELL")
    monkeypatch.setenv("DNNL_MAX_CPU_ISA", "AVX2")
    native = portable.environment(arithmetic.NATIVE)
    assert native[arithmetic.VARIABLE] == arithmetic.NATIVE
    assert not {*arithmetic.KERNELS, arithmetic.NUMPY_VARIABLE} & native.keys()
    assert portable.environment(arithmetic.PINNED)[arithmetic.VARIABLE] == arithmetic.PINNED


def test_a_run_takes_what_is_printed(tmp_path):
    outcome = run(
        tmp_path, f"print(json.dumps({{'code': 1}}))\nfor name in sys.argv[1:]:\n    {SAY}"
    )
    assert outcome.compared == {name: {"mse": 0.5} for name in NAMES}
    assert (outcome.code, outcome.failures) == (1, {})


def test_a_crash_names_its_instance_and_the_rest_goes_on(tmp_path):
    crash = f"""
for name in sys.argv[1:]:
    if name == 'scan/pca':
        print('qemu: uncaught target signal 11', file=sys.stderr, flush=True)
        os.kill(os.getpid(), 11)
    {SAY}
"""
    outcome = run(tmp_path, crash)
    assert outcome.failures == {
        "scan/pca": "crashed by signal 11 (qemu: uncaught target signal 11)"
    }
    assert set(outcome.compared) == set(NAMES) - {"scan/pca"}


def test_a_run_ends_at_its_time_limit(tmp_path):
    slow = f"""
name = sys.argv[1]
{SAY}
time.sleep(60)
"""
    outcome = run(tmp_path, slow, minutes=0.02)
    assert set(outcome.failures.values()) == {"not done after 0.02 minutes"}
    assert set(outcome.failures) | set(outcome.compared) == set(NAMES)


# Judgement, table and record


def test_a_difference_is_named_and_a_crash_is_not_one(outcome):
    other = copy.deepcopy(outcome)
    other.compared["toy/pca"]["mse"] = np.nextafter(0.1, 1)
    del other.compared["scan/pca"], other.compared["toy/lstm_vae"]
    other.failures["scan/pca"] = "crashed by signal 11"
    assert portable.differences(outcome, other) == {
        "toy/pca": "differs in mse",
        "scan/pca": "crashed by signal 11",
        "toy/lstm_vae": "not run",
    }
    assert portable.differences(outcome, outcome) == {}


def test_native_arithmetic_is_not_judged(outcome, capsys):
    other = copy.deepcopy(outcome)
    other.compared["toy/pca"]["mse"] = 0.2
    same = {arithmetic.PINNED: outcome, "EPYC-Rome": outcome}
    assert portable.judge({**same, NATIVE_RUN: other})
    assert not portable.judge({**same, "Haswell": other})
    assert "toy/pca: differs in mse" in capsys.readouterr().out
    assert not portable.judge({arithmetic.PINNED: Outcome()})


def test_a_crash_is_not_judged_unless_it_leaves_too_little(monkeypatch, outcome):
    other = copy.deepcopy(outcome)
    del other.compared["toy/pca"]
    other.failures["toy/pca"] = "crashed by signal 11"
    outcomes = {arithmetic.PINNED: outcome, "EPYC-Rome": other}
    assert not portable.judge(outcomes)
    monkeypatch.setattr(portable, "SHARE_COMPARED", 0.75)
    assert portable.judge(outcomes)
    other.failures["toy/pca"] = "not done after 12 minutes"
    assert not portable.judge(outcomes)


def test_the_table_says_where_a_model_is_not_the_same(record):
    rome = record["outcomes"]["EPYC-Rome"]
    rome["compared"]["scan/pca"]["weights"] = "another"
    rome["failures"]["toy/lstm_vae"] = "crashed by signal 11"
    lines = portable.table(record).splitlines()
    assert lines[0] == f"| model | EPYC-Rome | {NATIVE_RUN} |"
    assert "| PCA | differs (scan) | same |" in lines
    assert "| LSTM β-VAE | crashed | same |" in lines
    assert "glibc 2.36" in lines[-1]


def test_a_record_is_written_with_its_table(record, tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- portable:begin -->\n<!-- portable:end -->\nafter\n")
    monkeypatch.setattr(portable, "PAGE", page)
    monkeypatch.setattr(portable, "STORED", tmp_path / "portable.json")
    portable.write(record)
    assert json.loads((tmp_path / "portable.json").read_text()) == record
    assert portable.table(record) in page.read_text()


def test_the_stored_table_is_that_of_the_stored_record():
    if not portable.STORED.exists():
        pytest.skip("nothing is stored")
    stored = json.loads(portable.STORED.read_text(encoding="utf-8"))
    assert portable.table(stored) in portable.PAGE.read_text(encoding="utf-8")


def test_stored_bits_count_only_where_the_versions_are_the_stored_ones(
    record, tmp_path, monkeypatch, capsys
):
    path = tmp_path / "portable.json"
    outcome = Outcome(**record["outcomes"][arithmetic.PINNED])
    assert portable.compare_with_stored(outcome, path)
    path.write_text(json.dumps(record))
    assert portable.compare_with_stored(outcome, path)
    outcome.compared["toy/pca"] = {"weights": "another", "mse": 0.1}
    assert not portable.compare_with_stored(outcome, path)
    monkeypatch.setattr(portable, "versions", lambda: VERSIONS | {"numpy": "2.0"})
    assert portable.compare_with_stored(outcome, path)
    assert "numpy 1.23.5 stored, 2.0 here" in capsys.readouterr().out


# The command


def test_it_is_skipped_without_the_emulator_and_without_avx2(monkeypatch, capsys):
    monkeypatch.setattr(arithmetic, "has_avx2", lambda: True)
    monkeypatch.setattr(portable.shutil, "which", lambda name: None)
    assert portable.main([]) == 0
    assert "sudo apt-get install qemu-user" in capsys.readouterr().out
    monkeypatch.setattr(arithmetic, "has_avx2", lambda: False)
    assert portable.main([]) == 0
    assert "AVX2" in capsys.readouterr().out


def test_one_processor_is_compared_and_a_difference_is_the_exit_code(
    outcome, monkeypatch, capsys, tmp_path
):
    asked = []

    def run_all(processors, names, data, minutes):
        asked.append(processors)
        assert data.exists()
        return {arithmetic.PINNED: outcome, NATIVE_RUN: outcome, processors[0]: outcome}

    monkeypatch.setattr(portable, "obstacle", lambda: None)
    monkeypatch.setattr(portable, "run_all", run_all)
    monkeypatch.setattr(portable, "compare_with_stored", lambda reference: True)
    assert portable.main(["--cpu", "Haswell-noTSX"]) == 0
    assert asked == [["Haswell-noTSX"]]
    assert "THE SAME BITS." in capsys.readouterr().out
    monkeypatch.setattr(portable, "compare_with_stored", lambda reference: False)
    assert portable.main([]) == 1


def test_a_part_is_not_stored(capsys):
    with pytest.raises(SystemExit):
        portable.main(["--write", "--cpu", "EPYC-Rome"])
    assert "leave out --cpu" in capsys.readouterr().err
