"""Ctrl-C reaches the code of a run wherever it falls, and warnings of libraries become notes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from replicate.running.process import follow, tell_warnings
from replicate.study.job import Job

ROOT = Path(__file__).resolve().parents[2]

LOST = """
import signal, time
from replicate.running.process import keep_interrupts

class Array:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
{prepare}
try:
    array = Array()
    del array
    time.sleep({patience})
    print("lost")
except KeyboardInterrupt:
    print("raised")
"""


@pytest.mark.parametrize(
    ("prepare", "patience", "outcome", "is_quiet"),
    [("", 0, "lost", False), ("keep_interrupts()", 60, "raised", True)],
)
def test_an_interrupt_in_a_finaliser_is_not_lost(prepare, patience, outcome, is_quiet):
    """As Python alone loses it, with a traceback."""
    code = LOST.format(prepare=prepare, patience=patience)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == outcome
    assert ("Traceback" not in done.stderr) == is_quiet


def test_what_else_a_finaliser_raises_is_printed():
    code = LOST.format(prepare="keep_interrupts()", patience=0).replace(
        "signal.raise_signal(signal.SIGINT)", "raise ValueError('wrong')"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "lost" and "ValueError: wrong" in done.stderr


def test_a_warning_of_a_library_is_told_once_in_one_line(monkeypatch, capsys):
    monkeypatch.setattr(warnings, "showwarning", None)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        tell_warnings()
        for text in ("did not\n converge", "did not\n converge", "too few"):
            warnings.warn(text, stacklevel=1)
    notes = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert notes == [{"note": "did not converge"}, {"note": "too few"}]


def test_the_notes_of_a_run_are_printed_with_its_name(capsys):
    job = Job("smoke", "beps", "pca", 0)
    lines = ["import sys", "sys.stdin.read()", 'print(\'{"note": "slow"}\')']
    process = subprocess.Popen(
        [sys.executable, "-c", "\n".join(lines)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert follow(process, job, {}, stopped=lambda: False, report=None) is None
    process.wait()
    assert capsys.readouterr().out == "beps/pca/seed0: note: slow\n"
