"""How commands end: exit codes, one line, no traceback, and never without the one that started."""

import signal
import subprocess
import sys
import threading

import psutil
import pytest

from replicate import commands, lifeline
from replicate.errors import ReplicationError


def failing_with(error):
    @commands.command("NOT DONE")
    def main():
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (ReplicationError("x.npz: no"), 2, "NOT DONE: x.npz: no\n"),
        (OSError(28, "No space left on device", "x"), 2, "No space left on device"),
        (PermissionError(13, "Permission denied", "x"), 2, "Permission denied"),
        (KeyboardInterrupt(), 130, "Stopped."),
        (BrokenPipeError(), 141, ""),
    ],
)
def test_exit_codes(error, code, text, capfd, monkeypatch):
    monkeypatch.setattr(commands, "_print_to_nobody", lambda: None)
    assert failing_with(error)() == code
    assert text in capfd.readouterr().err


@pytest.mark.parametrize("error", [ValueError("a fault"), FileNotFoundError(2, "No file", "x")])
def test_a_fault_of_the_code_keeps_its_traceback(error):
    with pytest.raises(type(error)):
        failing_with(error)()


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (1, 1)])
def test_what_main_returns_is_the_exit_code(returned, code):
    before = signal.getsignal(signal.SIGTERM)
    assert commands.command()(lambda: returned)() == code
    assert signal.getsignal(signal.SIGTERM) is before


COMMAND = """
import sys, time
from replicate.commands import command

@command()
def main():
    print("started", flush=True)
    {body}

sys.exit(main())
"""


def start(body, **options):
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND.format(body=body)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )
    assert process.stdout.readline() == "started\n"
    return process


def test_a_request_to_end_is_handled_as_ctrl_c_is():
    process = start("time.sleep(60)")
    process.terminate()
    _, told = process.communicate(timeout=20)
    assert process.returncode == 130 and told == commands.STOPPED_TEXT + "\n"


def test_nobody_reads():
    process = start("time.sleep(0.5); [print('line', flush=True) for _ in range(10000)]")
    process.stdout.close()
    assert process.wait(timeout=20) == 141
    assert process.stderr.read() == ""
    process.stderr.close()


#: Two ways to spend a minute: as Python does, and as a library that keeps Python from running.
WAITS = {
    "in Python": "time.sleep(60)",
    "in a library": "ctypes.PyDLL(None).sleep(60)",
}

PARENT = """
import os, subprocess, sys, time
from replicate import lifeline

child = "import ctypes, time; from replicate import lifeline; lifeline.hold(); print('up'); WAIT"
with lifeline.tied() as tie:
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", child],
        env=os.environ | tie.env, pass_fds=tie.pass_fds, stdout=subprocess.PIPE,
    )
    process.stdout.readline()
    print(process.pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems wait for the library")
@pytest.mark.parametrize("wait", WAITS)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_ends_with_the_one_that_started_it(how, wait):
    code = PARENT.replace("WAIT", WAITS[wait])
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    child = psutil.Process(int(parent.stdout.readline()))
    assert child.is_running()
    parent.send_signal(how)
    parent.wait()
    parent.stdout.close()
    psutil.wait_procs([child], timeout=20)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_a_process_that_nobody_tied_watches_nothing(monkeypatch):
    monkeypatch.delenv(lifeline.VARIABLE, raising=False)
    before = threading.active_count()
    lifeline.hold()
    assert threading.active_count() == before
