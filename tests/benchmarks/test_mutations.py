"""The mutations: whole files are read right, outcomes are told apart, and a sample is clean."""

from __future__ import annotations

import os
import random
import time

import numpy as np
import pytest

from benchmarks import mutations
from benchmarks.formats import FORMATS, Format
from replicate.errors import ReplicationError


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_a_whole_file_is_read_right_and_damaged_ones_are_not_read_wrong(
    form, tmp_path, monkeypatch
):
    monkeypatch.setenv("REPLICATE_CACHE", str(tmp_path / "cache"))
    path = tmp_path / f"file{form.suffix}"
    form.make(path)
    content = path.read_bytes()
    assert mutations.outcome(form, path) == "right"
    for case in range(5):
        path.write_bytes(mutations.mutated(content, random.Random(case)))
        assert mutations.outcome(form, path) in ("refused", "right")


def form(read, agrees=lambda path, value: True):
    return Format("a", ".txt", lambda path: None, read, agrees)


def refuse(text):
    def read(path):
        raise ReplicationError(text.format(path=path))

    return read


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        (refuse("{path}: damaged"), "refused"),
        (refuse("damaged"), "not named"),
        (lambda path: 1 / 0, "traceback"),
        (lambda path: time.sleep(9), "too long"),
        (lambda path: 1, "right"),
    ],
)
def test_outcomes_are_told_apart(read, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(mutations, "SECONDS", 1)
    assert mutations.outcome(form(read), tmp_path / "a.txt") == expected


def test_a_value_that_another_library_does_not_read_is_wrong(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, a=np.arange(3.0))
    (weights,) = [each for each in FORMATS if each.name == "weights"]
    assert mutations.outcome(weights, path) == "right"
    wrong = weights._replace(read=lambda path: {"a": np.arange(3.0) + 1e-9})
    assert mutations.outcome(wrong, path) == "wrong value"


def test_a_reader_that_dies_is_counted_and_the_next_file_is_read(monkeypatch):
    context = mutations.multiprocessing.get_context("fork")
    monkeypatch.setattr(mutations.multiprocessing, "get_context", lambda kind: context)
    deadly = form(lambda path: os._exit(1))._replace(make=lambda path: path.write_text("abc"))
    monkeypatch.setattr(mutations, "FORMATS", (deadly,))
    assert list(mutations.attack(0, 3)) == ["died"] * 3


def test_mutations_are_those_of_their_seed():
    content = bytes(range(256))
    first, again, other = (mutations.mutated(content, random.Random(n)) for n in (1, 1, 2))
    assert first == again != content
    assert first != other
