"""A wrong weight, metric, table, verdict, README number or byte of data must be caught; on the measured scan, without MXNet."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from replicate.errors import ReplicationError
from replicate.files import read_npz, write_npz

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))
import claims  # noqa: E402
import readme  # noqa: E402
import verify  # noqa: E402
from store import Store  # noqa: E402

from replicate import study  # noqa: E402

pytestmark = pytest.mark.skipif(not os.environ.get("REPLICATE_DATA"), reason="REPLICATE_DATA is not set: the measured scan is needed")
TEXT = readme.README.read_text(encoding="utf-8")


def rescore(store, seeds):
    """Score the models of the scan of one seed again, for all would take a minute."""
    return verify.rescore(store, [0], ["beps"])


@pytest.fixture(scope="module")
def scored():
    """What the models as stored score, for the tests that leave the weights alone."""
    return list(rescore(Store(), [0]))


@pytest.fixture
def stored(tmp_path):
    """A copy of what is stored."""
    shutil.copytree(Store().folder, tmp_path / "stored")
    return Store(tmp_path / "stored")


@pytest.fixture
def failures(stored, scored, capsys):
    """Return a function that returns the names of the checks that fail."""

    def run(rescore=lambda store, seeds: scored, ledger=None, text=TEXT):
        holds = verify.verify(stored, ledger or claims.read(), text, rescore)
        output = capsys.readouterr().out
        found = {line[8:].split("  ")[0] for line in output.splitlines() if line.startswith("FAILED")}
        assert holds == (not found) == output.rstrip().endswith("0 failed. VERIFIED.")
        assert ("NOT VERIFIED" in output) == bool(found)
        return found

    return run


def edit(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_what_is_stored_is_verified(failures):
    assert failures() == set()


@pytest.mark.parametrize("name", ["decoder.output.weight", "encoder.linear.weight", "encoder.summary.lstm._unfused.0.r_cell.h2h_weight"])
def test_a_wrong_weight_is_caught(stored, failures, name):
    """By its file's hash, and by what it does to some number, even one of 4096 recurrent weights."""
    path = stored.weights_path(study.Job("standard", "beps", "lstm_vae", 0))
    weights = read_npz(path)
    weights[name].flat[np.argmax(np.abs(weights[name]))] *= 1.05
    write_npz(path, **weights)
    found = failures(rescore)
    assert "weights beps.lstm_vae.seed0.npz" in found
    assert any(check.startswith("beps.lstm_vae.") for check in found)
    assert not any("pca" in check or "plain" in check for check in found)


@pytest.mark.parametrize(
    "name", ["beps.pca.mse", "beps.lstm_vae.mse_resonance", "beps.lstm_vae.active_channels", "beps.pca.share_below_dictionary"]
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


def test_a_wrong_row_of_the_table_is_caught(stored, failures):
    lines = stored.index_path.read_text().splitlines()
    row = next(n for n, line in enumerate(lines) if line.startswith("beps,pca,0,50,"))
    *keys, spread = lines[row].split(",")
    lines[row] = ",".join([*keys, str(float(spread) + 1e-4)])
    stored.index_path.write_text("\n".join(lines) + "\n")
    assert failures() == {"per_index.csv beps seed 0"}
    stored.index_path.write_text("\n".join(lines[:row] + lines[row + 1 :]) + "\n")
    assert failures() == {"per_index.csv beps seed 0"}


def test_a_wrong_verdict_is_caught(stored, failures):
    ledger = claims.read()
    ledger[0]["verdict"] = "replicated" if ledger[0]["verdict"] != "replicated" else "not replicated"
    assert failures(ledger=ledger) == {"claims.json", "README.md"}


def test_a_wrong_number_in_the_readme_is_caught(stored, failures):
    number = format(stored.metrics()["metrics"]["beps.pca.mse"]["value"], ".4f")
    assert failures(text=TEXT.replace(number, "0.0001", 1)) == {"README.md"}


def test_a_wrong_byte_of_data_is_fatal(stored, tmp_path, monkeypatch):
    shutil.copytree(os.environ["REPLICATE_DATA"], tmp_path / "data")
    scan = tmp_path / "data" / "resonance.npy"
    scan.chmod(0o644)
    content = bytearray(scan.read_bytes())
    content[-1] ^= 1
    scan.write_bytes(content)
    monkeypatch.setenv("REPLICATE_DATA", str(tmp_path / "data"))
    with pytest.raises(ReplicationError, match="resonance.npy"):
        verify.verify(stored, claims.read(), TEXT, rescore)


@pytest.mark.parametrize("name", ["metrics.json", "per_index.csv", "weights/sha256.json", "weights/beps.pca.seed0.npz"])
def test_a_missing_file_is_named(stored, name):
    (stored.folder / name).unlink()
    with pytest.raises(ReplicationError, match=Path(name).name):
        verify.verify(stored, claims.read(), TEXT, rescore)


def test_another_schema_version_is_named(stored):
    edit(stored.metrics_path, lambda document: document.update(schema_version=1))
    with pytest.raises(ReplicationError, match="schema_version: 1, expected 2"):
        verify.verify(stored, claims.read(), TEXT)
