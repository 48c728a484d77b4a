"""A wrong weight, metric, table, verdict, README number or byte of data must be caught.

All runs on the measured scan, without MXNet.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks import claims, pages, paper_network, sums, verify
from benchmarks.store import Store
from replicate import seals
from replicate.errors import ReplicationError
from replicate.files import read_npz, write_npz
from replicate.study.job import Job
from replicate.study.studies import PAPER

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(
    not os.environ.get("REPLICATE_DATA"),
    reason="REPLICATE_DATA is not set: the measured scan is needed",
)
TEXTS = pages.read()


JOBS = [job for job in PAPER.jobs("standard") if job.dataset == "beps"]
"""The models of the scan of one seed, for all would take a minute."""


@pytest.fixture(scope="module")
def scored():
    """What the models as stored score, for the tests that leave the weights alone."""
    return list(verify.rescore(Store(), JOBS))


@pytest.fixture
def stored(tmp_path):
    """A copy of what is stored."""
    shutil.copytree(Store().folder, tmp_path / "stored")
    return Store(tmp_path / "stored")


@pytest.fixture(scope="module")
def paper_network_checks():
    """What the paper's network reconstructs, which takes seconds and is the same for every test."""
    return list(paper_network.checks())


@pytest.fixture
def failures(stored, scored, paper_network_checks, monkeypatch, capsys):
    """Return a function that returns the names of the checks that fail.

    The list of hashes is written anew first: whoever changed a file may have done that, too.
    """
    monkeypatch.setattr(paper_network, "checks", lambda: paper_network_checks)

    def run(rescore=lambda store, jobs: scored, ledger=None, texts=TEXTS):
        sums.write(stored.folder)
        holds = verify.verify(stored, ledger or claims.read(), texts, JOBS, rescore)
        output = capsys.readouterr().out
        found = {
            line[8:].split("  ")[0] for line in output.splitlines() if line.startswith("FAILED")
        }
        assert holds == (not found) == output.rstrip().endswith("0 failed. VERIFIED.")
        assert ("NOT VERIFIED" in output) == bool(found)
        return found

    return run


def edit(path, change):
    document = json.loads(path.read_text())
    change(document)
    if seals.FIELD in document:
        document = seals.sealed(document)
    path.write_text(json.dumps(document))


def test_what_is_stored_is_verified(failures):
    assert failures() == set()


@pytest.mark.parametrize(
    "name",
    [
        "decoder.output.weight",
        "encoder.linear.weight",
        "decoder.first.lstm._unfused.0.r_cell.h2h_weight",
    ],
)
def test_a_wrong_weight_is_caught(stored, failures, name):
    """Some number of that model alone catches it, even for one of 4096 recurrent weights."""
    path = stored.weights_path(Job("standard", "beps", "lstm_vae", 0))
    weights = read_npz(path)
    weights[name].flat[np.argmax(np.abs(weights[name]))] *= 1.05
    write_npz(path, **weights)
    found = failures(
        lambda store, jobs: verify.rescore(
            store, [job for job in jobs if job.model in ("pca", "lstm_vae")]
        )
    )
    assert any(check.startswith("beps.lstm_vae.") for check in found)
    assert not any(".pca." in check for check in found)


@pytest.mark.parametrize(
    "name",
    [
        "beps.pca.mse",
        "beps.lstm_vae.mse_resonance",
        "beps.lstm_vae.active_channels",
        "beps.pca.share_below_dictionary",
    ],
)
def test_a_wrong_metric_is_caught(stored, failures, name):
    def change(document):
        document["metrics"][name]["values"][0] += 3e-5

    edit(stored.metrics_path, change)
    assert {f"{name} seed 0", "summaries"} <= failures()


def test_a_wrong_mean_is_caught(stored, failures):
    def change(document):
        document["metrics"]["beps.pca.mse"]["value"] *= 1.0001

    edit(stored.metrics_path, change)
    assert failures() == {"summaries"}


def test_an_edit_by_hand_is_caught(stored, failures):
    text = stored.metrics_path.read_text()
    stored.metrics_path.write_text(text.replace('"scikit-learn": "', '"scikit-learn": "9.'))
    assert failures() == {"metrics.json"}


@pytest.mark.parametrize(("field", "value"), [("unit", "V"), ("better", "higher")])
def test_a_wrong_label_is_caught(stored, failures, field, value):
    def change(document):
        document["metrics"]["beps.pca.mse"][field] = value

    edit(stored.metrics_path, change)
    assert failures() == {"units"}


def test_a_wrong_row_of_the_table_is_caught(stored, failures):
    lines = stored.index_path.read_text().splitlines()
    row = next(n for n, line in enumerate(lines) if line.startswith("beps,pca,0,50,"))
    *keys, spread = lines[row].split(",")
    lines[row] = ",".join([*keys, str(float(spread) + 1e-4)])
    stored.index_path.write_text("\n".join(lines) + "\n")
    assert failures() == {"per_index.csv beps seed 0"}
    stored.index_path.write_text("\n".join(lines[:row] + lines[row + 1 :]) + "\n")
    assert failures() == {"per_index.csv beps seed 0"}


def test_a_wrong_change_by_shuffling_is_caught(stored, failures):
    """It follows from two stored errors, whatever the weights are."""
    name = "beps_heldout.lstm_vae.shuffle_change"

    def change(document):
        document["metrics"][name]["values"][1] += 1e-3

    edit(stored.metrics_path, change)
    assert {f"{name} seed 1", "summaries"} <= failures()


def test_a_wrong_number_of_a_sweep_is_caught(stored, failures):
    """By the sensitivity that is said to follow from it."""
    table = stored.sweeps()
    of_model = (
        (table["sweep"] == "sensitivity")
        & (table["model"] == "dictionary_learning")
        & (table["metric"] == "heldout_mse")
    )
    table.loc[of_model, "number"] *= 1.5
    table.to_csv(stored.sweeps_path, index=False)
    assert failures() == {"beps_heldout.dictionary_learning.sensitivity seed 0"}


@pytest.mark.parametrize("model", ["dense_vae", "lstm_ae", "conv_vae", "nmf", "ica"])
def test_the_family_is_scored_again_from_its_weights(model):
    """With the refined latents that are stored; another one for a single spectrum is seen."""
    job = Job("standard", "beps_heldout", model, 0)
    stored = Store().metrics()["metrics"]
    metrics = next(iter(verify.rescore(Store(), [job])))[2]
    for kind in ("heldout_mse", "heldout_mse_refined"):
        name = f"beps_heldout.{model}.{kind}"
        assert metrics[name] == pytest.approx(stored[name]["values"][0], rel=1e-5)


def test_a_wrong_refined_latent_is_caught(stored):
    job = Job("standard", "beps_heldout", "pca", 0)
    weights = read_npz(stored.weights_path(job))
    weights["refined"][5] += 1
    write_npz(stored.weights_path(job), **weights)
    checks = {
        name: holds
        for name, holds, _ in verify.model_checks(
            stored.metrics(),
            stored.index_table(),
            stored.block_table(),
            verify.rescore(stored, [job]),
        )
    }
    assert not checks["beps_heldout.pca.heldout_mse_refined seed 0"]
    assert checks["beps_heldout.pca.heldout_mse seed 0"]


def test_a_wrong_verdict_is_caught(stored, failures):
    ledger = claims.read()
    ledger[0]["verdict"] = (
        "replicated" if ledger[0]["verdict"] != "replicated" else "not replicated"
    )
    assert failures(ledger=ledger) == {"claims.json", "docs/ledger.md"}


def test_a_wrong_number_behind_the_verdict_of_a_statement_is_caught(stored, failures):
    edit(stored.causal_path, lambda record: record["checks"]["simpson"].update(naive=0.0))
    assert failures() == {"causal/verdicts.json"}


@pytest.mark.parametrize("page", ["docs/results.md", "docs/findings.md"])
def test_a_wrong_number_on_a_page_is_caught(stored, failures, page):
    number = format(stored.metrics()["metrics"]["beps_heldout.pca.heldout_mse"]["value"], ".4f")
    changed = TEXTS[page].replace(number, "0.0001", 1)
    assert failures(texts=TEXTS | {page: changed}) == {page}


def test_a_wrong_word_in_the_ledger_is_caught(failures):
    page = "docs/ledger.md"
    changed = TEXTS[page].replace("**partly**", "**replicated**", 1)
    assert failures(texts=TEXTS | {page: changed}) == {page}


def test_a_wrong_byte_of_data_is_fatal(stored, tmp_path, monkeypatch):
    shutil.copytree(os.environ["REPLICATE_DATA"], tmp_path / "data")
    scan = tmp_path / "data" / "resonance.npy"
    scan.chmod(0o644)
    content = bytearray(scan.read_bytes())
    content[-1] ^= 1
    scan.write_bytes(content)
    monkeypatch.setenv("REPLICATE_DATA", str(tmp_path / "data"))
    with pytest.raises(ReplicationError, match="resonance.npy"):
        verify.verify(stored, claims.read(), TEXTS, JOBS)


@pytest.mark.parametrize(
    "name",
    [
        "metrics.json",
        "per_index.csv",
        "sweeps.csv",
        "SHA256SUMS",
        "weights/beps.pca.seed0.npz",
    ],
)
def test_a_missing_file_is_named(stored, name):
    (stored.folder / name).unlink()
    with pytest.raises(ReplicationError, match=Path(name).name):
        verify.verify(stored, claims.read(), TEXTS, [job for job in JOBS if job.model == "pca"])


def test_another_schema_version_is_named(stored):
    edit(stored.metrics_path, lambda document: document.update(schema_version=1))
    with pytest.raises(ReplicationError, match="schema_version: 1, expected 2"):
        verify.verify(stored, claims.read(), TEXTS, JOBS)
