"""The attack finds what it looks for, and a first kill of a real command finds nothing."""

import json
import signal

import numpy as np
import pytest

from benchmarks import attack
from benchmarks.attack import Count, Target
from replicate import seals, temporary
from replicate.files import write_json, write_npz


def test_a_killed_clean_ends_with_the_same_bits():
    (clean,) = [target for target in attack.TARGETS if target.name == "clean"]
    *_, found = attack.attack([clean], n_kills=1, n_pairs=0)
    assert found["kills"]["clean"] == Count(tried=1)
    assert found["full disk"]["clean"] == Count(tried=1)


@pytest.fixture
def folder(tmp_path):
    """A folder with a run in it."""
    run = tmp_path / "results" / "smoke" / "beps" / "pca" / "seed0"
    write_npz(run / "weights.npz", a=np.arange(3.0))
    provenance = {"spectra": "simulated twin"}
    record = {"metrics": {"mse": 0.5, "fit_seconds": 3.0}, "seconds": 4.0, "provenance": provenance}
    write_json(run / "record.json", seals.sealed(record))
    write_json(run / "config.json", {"provenance": provenance})
    return tmp_path


def edit(folder, **changes):
    (path,) = folder.rglob("record.json")
    write_json(path, json.loads(path.read_text()) | changes)


@pytest.mark.parametrize(
    ("changes", "is_same"),
    [
        ({"seconds": 9.0}, True),
        ({"metrics": {"mse": 0.5, "fit_seconds": 8.0}}, True),
        ({"metrics": {"mse": 0.4, "fit_seconds": 3.0}}, False),
        ({"provenance": {"spectra": "measured"}}, False),
    ],
)
def test_what_counts_as_the_same(folder, changes, is_same):
    before = attack.content(folder)
    edit(folder, **changes)
    assert (attack.content(folder) == before) == is_same


def test_other_weights_are_other_bits(folder):
    before = attack.content(folder)
    (path,) = folder.rglob("weights.npz")
    write_npz(path, a=np.arange(3.0) + 1e-12)
    assert attack.content(folder) != before


def test_a_record_beside_another_configuration_is_mixed(folder):
    assert not attack.is_mixed(folder)
    edit(folder, provenance={"spectra": "measured"})
    assert attack.is_mixed(folder)


def test_temporary_files_are_counted(folder):
    temporary.file_beside(folder / "results" / "table.csv")
    assert attack.left_over(folder) == 1


def test_who_does_not_end_is_counted(tmp_path, monkeypatch):
    """A child that nobody ends outlives its parent."""
    monkeypatch.setattr(attack, "GRACE", 0.2)
    (tmp_path / "stubborn.py").write_text(
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(30)'])\n"
        "print('up', flush=True)\n"
        "time.sleep(30)\n"
    )
    process = attack.start(Target("stubborn", ("stubborn",)), tmp_path)
    assert process.stdout.readline() == "up\n"
    children = attack.psutil.Process(process.pid).children()
    assert attack.kill(process, (signal.SIGKILL, False)) == 1
    for child in children:
        child.kill()
    attack.finish(process)


def test_what_was_not_attacked_again_is_kept():
    before = {"kills": {"run": vars(Count(tried=9)), "data": vars(Count(tried=9, orphans=1))}}
    found = {"kills": {"data": Count(tried=3)}, "again": {"data": Count(tried=0)}}
    kept = attack.merged(before, found)
    assert kept == {
        "kills": {"run": vars(Count(tried=9)), "data": vars(Count(tried=3))},
        "again": {},
    }


@pytest.mark.parametrize("steady", [True, False])
def test_a_command_that_hangs_on_its_surroundings_is_counted(tmp_path, steady):
    """It writes a number of its own, or that of the variable that says how many threads."""
    variable = "NOBODY_SETS_IT" if steady else "OMP_NUM_THREADS"
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "writes.py").write_text(
        f"import os, pathlib; pathlib.Path('a.csv').write_text(os.environ.get('{variable}', ''))"
    )
    target = Target("own", ("writes",))
    expected = attack.undisturbed(target, tmp_path / "base", tmp_path / "made")
    count = Count()
    attack.repeat(target, tmp_path / "base", expected, count)
    assert count.tried == 5 and count.other_bits == (0 if steady else 1) and not count.left_over


def test_the_table_counts():
    record = {
        "machine": {"processor": "a processor"},
        "found": {"kills": {"run": dict(sorted(vars(Count(tried=4, orphans=1)).items()))}},
    }
    lines = attack.render(record).splitlines()
    assert lines[2] == "| kills | `run` | 4 | 0 | 0 | 1 | 0 | 0 |"
    assert lines[-1] == "Made on a processor."
    assert not Count(tried=4, orphans=1).is_clean and Count(tried=4).is_clean
