"""Numbers from stored weights: what follows stays, what does not is renewed, nothing is lost."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import rescore
from benchmarks.rescore import Rescored, renewed

PCA, COUNT = "beps.pca.mse", "beps.pca.n_parameters"


@pytest.fixture
def document(monkeypatch):
    """A document of three seeds; provenance is known without data."""
    monkeypatch.setattr(
        rescore, "configuration", lambda *_: {"provenance": {"spectra": "measured"}}
    )
    scored = [Rescored("beps", seed, {PCA: 0.01 + seed, COUNT: 7}, None, None) for seed in range(3)]
    return renewed({"metrics": {}}, scored)


def of_seed(seed, **changed):
    return Rescored("beps", seed, {PCA: 0.01 + seed, COUNT: 7} | changed, None, None)


def test_what_follows_stays_to_the_last_digit(document):
    near = [of_seed(seed, **{PCA: (0.01 + seed) * (1 + 1e-12)}) for seed in range(3)]
    assert renewed(document, near) == document


def test_what_does_not_follow_is_renewed(document):
    entry = renewed(document, [of_seed(0), of_seed(1, **{PCA: 5.0}), of_seed(2)])["metrics"][PCA]
    assert entry["values"] == [0.01, 5.0, 2.01]
    assert entry["value"] == pytest.approx(np.mean(entry["values"]))


def test_a_seed_without_weights_keeps_its_number(document):
    metrics = renewed(document, [of_seed(1, **{PCA: 5.0})])["metrics"]
    assert (metrics[PCA]["seeds"], metrics[PCA]["values"]) == ([0, 1, 2], [0.01, 5.0, 2.01])
    assert metrics[COUNT] == document["metrics"][COUNT]


def test_a_new_kind_is_added(document):
    name = "beps.pca.mse_median"
    entry = renewed(document, [of_seed(0, **{name: 0.3})])["metrics"][name]
    assert (entry["seeds"], entry["values"]) == ([0], [0.3])
