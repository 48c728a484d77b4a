"""A trial in a child process: a crash and an endless loop refuse the file, nothing else does."""

from __future__ import annotations

import os
import signal

import pytest

from replicate.errors import ReplicationError
from replicate.trial import survive


def crash():
    os.kill(os.getpid(), signal.SIGSEGV)


def loop():
    while True:
        pass


def fail():
    raise ValueError("for the second reading to tell")


@pytest.mark.parametrize(
    ("function", "told"), [(crash, "a crash, SIGSEGV"), (loop, "more than 0.2 s")]
)
def test_what_a_file_does_to_its_reader_is_said(function, told):
    with pytest.raises(ReplicationError, match=f"MY.mat: cannot be read .*{told}"):
        survive("MY.mat", 0.2, function)


def test_an_exception_is_left_to_the_second_reading(capfd):
    survive("MY.mat", 5, fail)
    survive("MY.mat", 5, print, "nothing is printed twice")
    assert capfd.readouterr() == ("", "")


def test_the_child_changes_nothing_here():
    values = []
    survive("MY.mat", 5, values.append, 1)
    assert values == []
