"""A lock on a folder: one process at a time, and it ends with its process."""

import subprocess
import sys

import pytest

from replicate import locks
from replicate.errors import ReplicationError

HOLDER = """
import sys
from replicate import locks

with locks.held(sys.argv[1]):
    print("inside", flush=True)
    sys.stdin.readline()
"""


def start(folder):
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("ends_by", ["itself", "kill"])
def test_the_second_waits_for_the_end_of_the_first_and_names_it(tmp_path, ends_by):
    first, second = start(tmp_path / "results"), None
    try:
        assert first.stdout.readline() == "inside\n"
        second = start(tmp_path / "results")
        told = second.stderr.readline()
        assert f"process {first.pid} on " in told and told.endswith("Waiting for its end.\n")
        if ends_by == "kill":
            first.kill()
        else:
            first.stdin.write("\n")
            first.stdin.flush()
        assert second.stdout.readline() == "inside\n"
        assert first.wait() is not None
    finally:
        for process in filter(None, (first, second)):
            process.kill()
            process.communicate()


def test_a_lock_is_free_again(tmp_path, capsys):
    for _ in range(2):
        with locks.held(tmp_path):
            assert f"process {locks.os.getpid()} on" in (tmp_path / locks.NAME).read_text()
    assert capsys.readouterr().err == ""


def test_a_file_system_without_locks_is_told(tmp_path, monkeypatch, capsys):
    import fcntl

    def flock(stream, how):
        raise OSError(locks.errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with locks.held(tmp_path):
        pass
    assert "no locks here" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "results").write_text("a file")
    held = locks.held(tmp_path / "results" / "run")
    with pytest.raises(ReplicationError, match="cannot be written to"), held:
        pass
