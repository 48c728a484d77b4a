"""The README's numbers come from the stored metrics and the ledger, and from nowhere else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import claims, readme
from benchmarks.store import Store
from replicate.errors import ReplicationError
from replicate.provenance import PAPER_DATA
from replicate.study.studies import PAPER

ROOT = Path(__file__).resolve().parents[2]

TEXT = readme.README.read_text(encoding="utf-8")


@pytest.fixture
def stored():
    return Store().metrics()


def inserted(document, ledger=None, statements=None):
    return readme.insert(
        TEXT, readme.render(document, ledger or claims.read(), statements or Store().statements())
    )


def test_readme_numbers_are_the_stored_ones(stored):
    assert inserted(stored) == TEXT, "the README is stale: run `nox -s baseline`"


@pytest.mark.parametrize("name", ["beps.pca.mse", "toy.dictionary_learning.painting_mse"])
def test_a_changed_number_would_make_the_readme_stale(stored, name):
    stored["metrics"][name]["value"] *= 1.1
    assert inserted(stored) != TEXT


def test_a_changed_claim_would_make_the_readme_stale(stored):
    ledger = json.loads(json.dumps(claims.read()))
    ledger[-1]["quote"] += " "
    assert inserted(stored, ledger) != TEXT


def test_a_changed_statement_would_make_the_readme_stale(stored):
    statements = Store().statements()
    statements[0]["conditions"][0]["holds"] = False
    assert inserted(stored, statements=statements) != TEXT


def test_stored_metrics_are_of_the_real_data_and_of_five_seeds(stored):
    """All but the twin, which is simulated by design; five seeds of what the paper compares, and PCA."""
    assert {
        entry["provenance"]
        for name, entry in stored["metrics"].items()
        if not name.startswith("twin.")
    } <= set(PAPER_DATA)
    assert stored["profile"] == "standard"
    for name, entry in stored["metrics"].items():
        dataset, model, kind = name.split(".")
        if (
            dataset in PAPER.models
            and model in ("pca", "dictionary_learning", "lstm_vae")
            and kind.endswith("mse")
        ):
            assert entry["seeds"] == [0, 1, 2, 3, 4], name


def test_stored_verdicts_follow_from_the_stored_metrics(stored):
    for claim in claims.read():
        assert claims.judge(claim, stored)["verdict"] == claim["verdict"], claim["id"]


def test_missing_markers_are_an_error():
    with pytest.raises(ReplicationError, match="markers"):
        readme.insert("no markers here", {"results": "x"})
