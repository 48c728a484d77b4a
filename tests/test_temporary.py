"""Temporary files: swept when their process has died, and never while it lives."""

import os
import subprocess
import sys

import pytest

from replicate import temporary
from replicate.files import atomic_path, write_text

WRITER = """
import sys, time
from pathlib import Path
from replicate import temporary
from replicate.files import atomic_path

with atomic_path(Path(sys.argv[1])) as unfinished:
    unfinished.write_text("half")
    with temporary.folder_beside(Path(sys.argv[1])) as scratch:
        Path(scratch, "part").write_text("a part")
        print("writing", flush=True)
        time.sleep(60)
"""


@pytest.fixture
def writer(tmp_path):
    """A process that is writing ``table.csv``."""
    command = [sys.executable, "-c", WRITER, str(tmp_path / "table.csv")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "writing\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_a_living_process_writes_stays(tmp_path, writer):
    before = names(tmp_path)
    assert len(before) == 2
    write_text(tmp_path / "other.txt", "done")
    assert names(tmp_path) == sorted([*before, "other.txt"])


@pytest.mark.parametrize("is_reaped", [True, False])
def test_what_a_dead_process_left_is_swept(tmp_path, writer, is_reaped):
    writer.kill()
    if is_reaped:
        writer.wait()
    else:
        os.waitid(os.P_PID, writer.pid, os.WEXITED | os.WNOWAIT)
    assert len(names(tmp_path)) == 2
    write_text(tmp_path / "other.txt", "done")
    assert names(tmp_path) == ["other.txt"]


def test_a_process_that_is_younger_than_the_file_did_not_write_it(tmp_path):
    """A number of a process is given again."""
    path = temporary.file_beside(tmp_path / "table.csv")
    temporary.sweep(tmp_path)
    assert path.exists()
    os.utime(path, (0, 0))
    temporary.sweep(tmp_path)
    assert not path.exists()


@pytest.mark.parametrize(
    "name", [".gitignore", "table.csv", ".table.csv.99999999-ab.csv", ".a.othermachine-4-xy.csv"]
)
def test_other_files_stay(tmp_path, name):
    (tmp_path / name).write_text("mine")
    os.utime(tmp_path / name, (0, 0))
    temporary.sweep(tmp_path)
    assert names(tmp_path) == [name]


def test_long_names_are_written(tmp_path):
    path = tmp_path / f"{'x' * 250}.txt"
    write_text(path, "long")
    assert names(tmp_path) == [path.name]


FULL = """
import resource, sys
import numpy as np
from replicate.errors import ReplicationError
from replicate.files import write_npz

resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    write_npz(sys.argv[1], noise=np.random.default_rng(0).random(100_000), ones=np.ones(3))
except ReplicationError as error:
    print(error)
"""


def test_arrays_on_a_full_disk_are_one_line(tmp_path):
    command = [sys.executable, "-c", FULL, str(tmp_path / "arrays.npz")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "arrays.npz: cannot be written (File too large)" in done.stdout
    assert done.stderr == "" and names(tmp_path) == []


def test_a_full_disk_is_one_line(tmp_path):
    """``/dev/full`` answers as a full disk does."""
    from replicate.errors import ReplicationError

    with (
        pytest.raises(ReplicationError, match=r"table\.csv: cannot be written \(No space"),
        atomic_path(tmp_path / "table.csv"),
        open("/dev/full", "w") as full,
    ):
        full.write("x" * 100_000)
    assert names(tmp_path) == []
