"""Ctrl-C reaches the code of a run wherever it falls."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
