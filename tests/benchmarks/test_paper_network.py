"""The paper's network is stored in half precision, verified, and shown to the ledger."""

import json

import numpy as np
import pytest

pytest.importorskip("mxnet")

from benchmarks import paper_network
from replicate import seals
from replicate.errors import ReplicationError
from replicate.files import read_npz, write_npz
from replicate.provenance import Sources
from replicate.running.execute import execute
from replicate.study.job import Job

SMOKE = Job("smoke", "toy", paper_network.MODEL, 0)
NAME = f"toy.{paper_network.MODEL}.gamut_mse"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Results with one finished training, of a tiny network."""
    folder = tmp_path_factory.mktemp("results")
    execute(SMOKE, Sources("measured", "painting"), folder)
    return folder


@pytest.fixture
def stored(results, tmp_path, monkeypatch):
    monkeypatch.setattr(paper_network, "PROFILE", "smoke")
    assert paper_network.store(results, tmp_path) == ["toy"]
    return tmp_path


def failed(folder):
    return [name for name, holds, _ in paper_network.checks(folder) if not holds]


def test_weights_are_kept_in_half_precision_and_their_error_with_them(stored):
    arrays = read_npz(stored / "toy.npz")
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float16), np.dtype(bool)}
    (entry,) = json.loads((stored / "record.json").read_text())["runs"]
    assert entry["error"] == pytest.approx(entry["metrics"]["gamut_mse"])
    assert entry["error_in_half_precision"] == pytest.approx(entry["error"], rel=0.01)
    assert entry["error_in_half_precision"] != entry["error"]


def test_what_is_stored_is_verified(stored):
    checks = list(paper_network.checks(stored))
    assert len(checks) == 2 and all(holds for _, holds, _ in checks)


def test_a_changed_weight_is_noticed_by_its_hash(stored):
    arrays = read_npz(stored / "toy.npz")
    arrays["decoder.output.bias"] = arrays["decoder.output.bias"] + np.float16(0.01)
    write_npz(stored / "toy.npz", **arrays)
    assert failed(stored) == ["weights paper_network/toy.npz"]


def test_another_error_than_that_of_the_weights_is_noticed(stored):
    record = json.loads((stored / "record.json").read_text())
    record["runs"][0]["verified_error"] *= 1.001
    seals.write(stored / "record.json", record)
    assert failed(stored) == ["toy.lstm_vae_paper error"]


def test_the_ledger_sees_it_beside_the_others(stored):
    document = {"metrics": {"toy.pca.mse": {"value": 1.0}}, "profile": "standard"}
    judged = paper_network.with_paper_network(document, stored)
    assert judged["metrics"][NAME]["seeds"] == [0]
    assert judged["metrics"]["toy.pca.mse"] == {"value": 1.0}
    assert NAME not in document["metrics"]


def test_without_a_stored_network_nothing_is_added_or_checked(tmp_path):
    document = {"metrics": {"toy.pca.mse": {"value": 1.0}}}
    assert paper_network.with_paper_network(document, tmp_path) == document
    assert list(paper_network.checks(tmp_path)) == []


def test_a_run_on_other_data_is_not_stored(results, tmp_path, monkeypatch):
    monkeypatch.setattr(paper_network, "PROFILE", "smoke")
    monkeypatch.setattr(paper_network, "PAPER_DATA", ("measured",))
    with pytest.raises(ReplicationError, match="--data measured"):
        paper_network.store(results, tmp_path)


@pytest.mark.parametrize(
    ("errors", "change"),
    [([1.0] * 18 + [0.5, 0.5], 0.5), ([1.0, 0.5] + [0.25] * 18, 0.0), ([4.0, 1.0], 0.75)],
)
def test_the_change_over_the_last_tenth(errors, change):
    assert paper_network.last_change(errors) == pytest.approx(change)
