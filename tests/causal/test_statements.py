"""Verdicts follow from numbers; a missing library is named."""

from __future__ import annotations

import pytest

from replicate.causal import library, statements
from replicate.causal.record import plain
from replicate.errors import ReplicationError

TWO = {
    "id": "x",
    "quote": "q",
    "conditions": (("a", "one", "at least", 1), ("b", "two", "at most", 0)),
}


@pytest.mark.parametrize(
    ("one", "two", "verdict"),
    [
        (1, 0, "supported"),
        (1, 1, "partly"),
        (0, 1, "not supported"),
        (None, None, "not testable"),
        (1, None, "partly"),
    ],
)
def test_verdicts(one, two, verdict):
    assert statements.judge(TWO, {"one": one, "two": two})["verdict"] == verdict


def test_a_simulated_scan_supports_nothing():
    assert statements.judge(TWO, {"one": 1, "two": 0}, simulated=True)["verdict"] == "not testable"


def test_a_missing_library_is_named():
    with pytest.raises(ReplicationError, match=r"pip install '.\[causal\]'"):
        library("no_such_library")


def test_numbers_become_plain():
    import numpy as np

    assert plain({"a": np.float32(0.5), 1: (np.arange(2), None, True)}) == {
        "a": 0.5,
        "1": [[0, 1], None, True],
    }
