"""A verdict that other choices leave alone is firm; what it hinges on is named."""

from __future__ import annotations

import pytest

from benchmarks import claims, firmness
from benchmarks.evidence import complete
from benchmarks.store import Store

A, B = "beps_heldout.pca.heldout_mse", "beps_heldout.lstm_vae.heldout_mse"


def entry(*values):
    return {
        "value": sum(values) / len(values),
        "values": list(values),
        "seeds": list(range(len(values))),
        "unit": "1",
        "provenance": "measured",
    }


def condition(metric=A, rule="at most", layer="as said", **bound):
    return {"says": "so", "layer": layer, "metric": metric, "rule": rule, **(bound or {"value": 1})}


def firm(metrics, *conditions):
    return firmness.of_claim({"conditions": list(conditions)}, metrics)


def test_far_from_its_bound_and_the_same_for_all_seeds():
    found = firm({A: entry(0.1, 0.2, 0.1)}, condition())
    assert found.n_same == found.n > 10 and found.hinges == () and found.word == "firm"


def test_near_its_bound():
    """0.9 is below 1, but not below 0.8."""
    found = firm({A: entry(0.9)}, condition())
    assert (found.n_same, found.n, found.hinges) == (1, 2, ("the bound",))
    assert found.word == "fragile"


def test_one_seed_that_may_fail():
    """Of three seeds one fails: alone it does, and all of them are not enough."""
    found = firm({A: entry(0.1, 0.2, 9.0)}, condition())
    assert set(found.hinges) == {
        "the seed or fold",
        "how many seeds must agree",
        "mean over the seeds",
    }


def test_best_code_and_median_where_they_were_measured():
    metrics = {A: entry(0.1), f"{A}_refined": entry(5.0), f"{A}_median": entry(0.1)}
    assert firm(metrics, condition()).hinges == ("best code",)
    assert firm({A: entry(0.1)}, condition()).n == 2, "only the bound is moved"


def test_the_other_form_of_the_vae_on_the_scan_alone():
    plain = B.replace("lstm_vae", "lstm_vae_plain")
    assert firm({B: entry(0.1), plain: entry(7.0)}, condition(B)).hinges == ("the form of the VAE",)
    toy = {name: entry(0.1) for name in ("toy.lstm_vae.mse", "toy.lstm_vae_plain.mse")}
    assert firm(toy, condition("toy.lstm_vae.mse")).n == 2


def test_only_decisive_conditions_count():
    beside = condition(B, layer="as a comparison")
    assert firm({A: entry(0.1), B: entry(0.99)}, condition(), beside).word == "firm"


def test_nothing_to_judge():
    assert str(firm({}, condition())) == "–"
    assert firm({A: entry(3)}, condition(rule="equals", value=3)).n == 0


@pytest.fixture(scope="module")
def metrics():
    return complete(Store().metrics())["metrics"]


@pytest.mark.parametrize("claim", claims.read(), ids=lambda claim: claim["id"])
def test_of_the_ledger(claim, metrics):
    """What differs is named, and nothing is named where nothing differs."""
    found = firmness.of_claim(claim, metrics)
    assert 0 <= found.n_same <= found.n
    assert (found.n_same < found.n) == bool(found.hinges)
