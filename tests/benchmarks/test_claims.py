"""The ledger: its rules on metrics made by hand, and every entry of the real one."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from benchmarks import claims, derived, pages
from benchmarks.claims import names_of as names
from benchmarks.evidence import complete
from benchmarks.store import Store
from replicate.errors import ReplicationError
from replicate.numbers.kinds import KINDS
from replicate.study.family import MODELS
from replicate.study.job import DATASETS

ROOT = Path(__file__).resolve().parents[2]

LEDGER = claims.read()
each = pytest.mark.parametrize("claim", LEDGER, ids=lambda claim: claim["id"])


def entry(*values, provenance="measured", seeds=None):
    seeds = list(seeds or range(len(values)))
    mean = sum(values) / len(values)
    return {
        "value": mean,
        "values": list(values),
        "seeds": seeds,
        "unit": "1",
        "provenance": provenance,
        "interval": None,
        "better": "none",
    }


def verdict(metrics, *conditions):
    claim = {
        "conditions": [{"says": "so", "layer": "as said", **condition} for condition in conditions],
        "beside": [],
        "note": "none",
    }
    return claims.judge(claim, {"metrics": metrics})["verdict"]


A, B = "beps.pca.mse", "beps.lstm_vae.mse"
ASKED = {"says": "x", "layer": "as said", "metric": A}


@pytest.mark.parametrize(
    ("rule", "holds", "fails"),
    [
        ({"rule": "within", "value": 0.1, "relative": 0.1}, 0.1099, 0.1101),
        ({"rule": "within", "value": 0.1, "relative": 0.1}, 0.0901, 0.0899),
        ({"rule": "at most", "value": 0.1}, 0.1, 0.1001),
        ({"rule": "at least", "value": 0.1}, 0.1, 0.0999),
        ({"rule": "equals", "value": 3}, 3, 4),
        ({"rule": "less than", "than": B, "factor": 0.5}, 0.99, 1.0),
        ({"rule": "more than", "than": B, "factor": 0.5}, 1.01, 1.0),
    ],
)
def test_rules(rule, holds, fails):
    assert verdict({A: entry(holds), B: entry(2.0)}, {"metric": A, **rule}) == "replicated"
    assert verdict({A: entry(fails), B: entry(2.0)}, {"metric": A, **rule}) == "not replicated"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((1,), True),
        ((2,), False),
        ((1, 2), False),
        ((1, 1, 2), True),
        ((1, 2, 2), False),
        ((1, 1, 1, 1, 2), True),
        ((1, 1, 1, 2, 2), False),
    ],
)
def test_one_seed_may_fail_where_there_are_three(values, expected):
    assert (
        verdict({A: entry(*values)}, {"metric": A, "rule": "at most", "value": 1}) == "replicated"
    ) is expected


def test_seeds_are_paired():
    """Each seed against the same seed, in whatever order they stand."""
    metrics = {A: entry(1, 2, 3, seeds=(0, 1, 2)), B: entry(3.1, 2.1, 1.1, seeds=(2, 1, 0))}
    assert (
        verdict(metrics, {"metric": A, "rule": "less than", "than": B, "factor": 1}) == "replicated"
    )
    metrics[B]["seeds"] = [7, 8, 9]
    assert (
        verdict(metrics, {"metric": A, "rule": "less than", "than": B, "factor": 1})
        == "not testable"
    )


def test_verdicts_of_several_conditions():
    metrics = {A: entry(1.0), B: entry(1.0, provenance="simulated twin")}
    good, bad = ({"metric": A, "rule": "at most", "value": value} for value in (2, 0))
    missing, simulated = (
        {"metric": name, "rule": "at most", "value": 2} for name in ("toy.pca.mse", B)
    )
    assert verdict(metrics, good, good) == "replicated"
    assert verdict(metrics, good, bad) == "partly"
    assert verdict(metrics, bad, bad) == "not replicated"
    assert verdict(metrics, good, missing) == "replicated", "an open condition says nothing"
    assert verdict(metrics, missing, simulated) == "not testable"


def layered(**layers):
    """Return a claim with one condition for each layer, which holds or does not."""
    conditions = [
        ASKED | {"layer": layer, "rule": "at most", "value": 2 if holds else 0}
        for layer, holds in layers.items()
    ]
    return claims.judge(
        {"conditions": conditions, "beside": [], "note": "none"}, {"metrics": {A: entry(1.0)}}
    )


def test_other_models_and_unseen_pixels_have_verdicts_of_their_own():
    judged = layered(**{"as said": True, "as a comparison": False, "on unseen pixels": False})
    assert judged["verdict"] == "replicated"
    assert judged["layers"] == {
        "as said": "replicated",
        "as a comparison": "not replicated",
        "on unseen pixels": "not replicated",
    }


def test_what_the_authors_program_computed_counts_too():
    assert layered(**{"as said": False, "as computed": True})["verdict"] == "partly"


def test_where_nothing_is_said_of_its_own_all_layers_count():
    judged = layered(**{"as a comparison": False, "on unseen pixels": True})
    assert judged["verdict"] == "partly"


def test_a_condition_on_a_derived_number_is_judged_by_seed():
    metrics = {
        f"beps_heldout.{model}.heldout_mse": entry(*values)
        for model, values in {
            "dictionary_learning": (3.0, 3.0),
            "pca": (1.2, 2.8),
            "lstm_vae": (1.0, 1.0),
        }.items()
    }
    condition = {"metric": "derived.pca_share_scan", "rule": "at least", "value": 0.5}
    assert verdict(metrics, condition) == "not replicated", "0.9 and 0.1: two seeds, both needed"
    assert verdict({}, condition) == "not testable"
    simulated = metrics["beps_heldout.pca.heldout_mse"] | {"provenance": "simulated twin"}
    assert (
        verdict(metrics | {"beps_heldout.pca.heldout_mse": simulated}, condition) == "not testable"
    )


def test_a_number_of_the_stored_sweeps_is_the_published_one():
    claim = {
        "conditions": [
            ASKED | {"metric": "derived.fixed_beta_channels", "rule": "equals", "value": 3}
        ],
        "beside": [],
        "note": "none",
    }
    judged = claims.judge(claim, {"metrics": {}}, {"metrics": {}})
    assert judged["conditions"][0]["is_published"] and judged["verdict"] == "not testable"


def test_numbers_are_filled_in():
    assert (
        claims.fill("PCA {beps.pca.mse:.3f}, VAE {beps.lstm_vae.mse:.1f}", {A: entry(0.0123)})
        == "PCA 0.012, VAE –"
    )
    with pytest.raises(ReplicationError, match="beps.pca.msee: no run measures this"):
        claims.fill("{beps.pca.msee:.3f}", {})


def test_least_and_greatest_values_and_their_count_are_filled_in():
    text = "{beps.pca.mse.min:.1f} to {beps.pca.mse.max:.1f} of {beps.pca.mse.n:d}"
    assert claims.fill(text, {A: entry(1.0, 2.0, 6.0)}) == "1.0 to 6.0 of 3"
    assert claims.fill(text, {}) == "– to – of –"
    assert claims.fill("{beps.pca.mse.low:.1f}", {A: entry(1.0)}) == "–", "one fold has no interval"


def test_derived_numbers_are_filled_in():
    metrics = {
        "toy.dictionary_learning.gamut_mse": entry(0.5, 0.6, seeds=(0, 1)),
        "toy.pca.gamut_mse": entry(0.4, 0.3, seeds=(0, 1)),
        "toy.lstm_vae.gamut_mse": entry(0.1, 0.0, 9.0, seeds=(1, 0, 2)),
    }
    text = (
        "{derived.pca_share_toy:.0%} ({derived.pca_share_toy.min:.0%}, {derived.pca_share_toy.n:d})"
    )
    assert claims.fill(text, metrics) == "40% (20%, 2)", "each seed with the same seed"
    assert claims.fill(text, {}) == "– (–, –)"
    with pytest.raises(ReplicationError, match="derived.pca_share: no run measures this"):
        claims.fill("{derived.pca_share:.0%}", {})


def test_the_interval_over_folds_is_that_of_nadeau_and_bengio():
    """The deviation of 1 to 5 is the root of 2.5; t at 97.5 % with 4 degrees is 2.7764."""
    low, high = derived.fold_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    half = 2.7764 * (2.5 * (1 / 5 + 1 / 4)) ** 0.5
    assert (low, high) == pytest.approx((3 - half, 3 + half), abs=1e-3)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"verdict": "maybe"}, "verdict"),
        ({"quote": ""}, "quote"),
        ({"reason": None}, "reason"),
        ({"conditions": [ASKED | {"rule": "about"}]}, "rule"),
        ({"conditions": [ASKED | {"rule": "within", "value": 1}]}, "relative"),
        ({"conditions": [ASKED | {"rule": "at most", "value": 1, "layer": "deep"}]}, "layer"),
        ({"question": "why"}, "question"),
        ({"weight": 4}, "weight"),
        ({"extra": 1}, "extra"),
    ],
)
def test_a_wrong_field_is_named(tmp_path, change, named):
    path = tmp_path / "claims.json"
    path.write_text(json.dumps({"schema_version": 2, "claims": [LEDGER[0] | change]}))
    with pytest.raises(ReplicationError, match=named):
        claims.read(path)


def test_the_ledger_makes_the_round_trip(tmp_path):
    claims.write(LEDGER, tmp_path / "claims.json")
    assert (tmp_path / "claims.json").read_bytes() == claims.LEDGER.read_bytes()


# The real ledger


def test_every_checkable_statement_has_an_entry():
    assert len(LEDGER) >= 20
    assert len({claim["id"] for claim in LEDGER}) == len(LEDGER)
    values = " ".join(claim["paper"] + claim["quote"] for claim in LEDGER)
    for number in ("0.184", "0.186", "0.104", "0.57", "0.36"):
        assert number in values
    rows = {claim["place"].rpartition(", ")[2] for claim in LEDGER if claim["section"] == "Table 1"}
    assert rows == {
        "Reconstruction quality",
        "Ordinal",
        "Nonlinear",
        "Training time",
        "Inference time",
        "Influence of hyperparameters",
    }


@each
def test_metrics_of_an_entry_can_be_measured(claim):
    judged = [name for condition in claim["conditions"] for name in names(condition)]
    for name in [*judged, *claim["beside"]]:
        assert_can_be_measured(name)
    assert_texts_can_be_filled(claim["note"])


def assert_can_be_measured(name):
    if name.startswith("derived."):
        row = derived.TABLE[name.removeprefix("derived.")]
        assert row.label, f"{name}: a condition judges it, so that it needs a name for a reader"
        return
    data, model, kind = name.split(".")
    assert data in DATASETS and model in MODELS and kind in KINDS, name


def assert_texts_can_be_filled(text):
    for name in re.findall(r"{([\w.]+):", text):
        group, _, last = name.rpartition(".")
        name = group if last in claims.OVER_SEEDS else name
        group, _, last = name.rpartition(".")
        if group == "derived":
            assert last in derived.TABLE, name
        else:
            assert_can_be_measured(name)


def test_every_derived_number_is_measured_and_used():
    metrics = complete(Store().metrics())["metrics"]
    texts = [claim["note"] for claim in LEDGER]
    texts += [
        f"{{{name}:" for claim in LEDGER for asked in claim["conditions"] for name in names(asked)
    ]
    texts += [path.read_text(encoding="utf-8") for path in pages.TEMPLATES.glob("*.md")]
    for name, row in derived.TABLE.items():
        assert derived.values(name, metrics), name
        assert f"{{derived.{name}" in "".join(texts), name
        for source in row.sources:
            if isinstance(source, str):
                assert_can_be_measured(source)


@each
def test_a_note_has_all_its_numbers(claim):
    note = claims.judge(claim, complete(Store().metrics()))["note"]
    assert "{" not in note and "–" not in note


def test_dictionary_learning_errs_more_at_every_index():
    """The row toy-violins-spread judges the least ratio; here every pair is looked at."""
    table = pd.read_csv(Store().index_path).query("dataset == 'toy'")
    keys = ["seed", "index"]
    dictionary, vae = (
        table[table["model"] == model].set_index(keys)[["bias", "spread"]].abs().sort_index()
        for model in ("dictionary_learning", "lstm_vae")
    )
    assert len(dictionary) == 5 * 25
    assert (dictionary > vae).all(axis=None)


@each
def test_the_bounds_say_when_they_were_set(claim):
    assert claim["bounds"] and "{" not in claim["bounds"]


@each
def test_pca_stands_beside_every_claim_about_a_linear_model(claim):
    linear = any(
        ".dictionary_learning." in condition["metric"] for condition in claim["conditions"]
    )
    own_penalty = {"toy-lambda", "table1-hyperparameters", "beps-lambda", "mechanism-vae-can"}
    compared = [name for condition in claim["conditions"] for name in names(condition)]
    has_pca = any(".pca." in name for name in [*compared, *claim["beside"]])
    assert not linear or claim["id"] in own_penalty or has_pca
