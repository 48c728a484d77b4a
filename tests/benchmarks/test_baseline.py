"""The baseline is rewritten as a whole, after the difference was shown.

It is never rewritten from simulated data.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import baseline, claims, pages, sums
from benchmarks.evidence import complete
from benchmarks.rescore import Rescored, renewed
from benchmarks.store import Store
from replicate import seals
from replicate.errors import ReplicationError
from replicate.files import write_json, write_npz
from replicate.numbers.metrics import SCHEMA_VERSION, summarise
from replicate.running import runs
from replicate.study.job import Job
from replicate.study.studies import FAMILY

ROOT = Path(__file__).resolve().parents[2]

#: No tables of errors.
NO = (None, None)


def document(provenance="measured", seeds=(0, 1), **values):
    records = [
        {
            "dataset": "beps",
            "model": "pca",
            "seed": seed,
            "provenance": {"spectra": provenance},
            "metrics": {k: v + seed for k, v in values.items()},
        }
        for seed in seeds
    ]
    whole = {
        "schema_version": SCHEMA_VERSION,
        "profile": "standard",
        "git_commit": "x",
        "machine": {},
        "versions": {},
    }
    return whole | {"metrics": summarise(records)}


def test_the_difference_names_what_is_new_gone_and_changed():
    before = document(mse=1.0, heldout_mse=2.0, fit_seconds=3.0)["metrics"]
    after = document(mse=1.1, index_bias=5.0, fit_seconds=9.0)["metrics"]
    text = "\n".join(baseline.difference(before, after))
    assert "new      beps.pca.index_bias: 5.5 (2 seeds)" in text
    assert "gone     beps.pca.heldout_mse: was 2.5" in text
    assert "changed  beps.pca.mse: 1.5 to 1.6, +6.67%" in text
    assert "fit_seconds" not in text, "a slower clock is no change of the numbers"
    assert not list(baseline.difference(before, before))
    assert "2 seeds, now 3" in "".join(
        baseline.difference(
            before, document(mse=1.0, heldout_mse=2.0, fit_seconds=3.0, seeds=(0, 1, 2))["metrics"]
        )
    )


def test_simulated_numbers_are_refused(tmp_path):
    with pytest.raises(ReplicationError, match="beps.pca.mse is not from the real data"):
        baseline.finished_runs(tmp_path, document("simulated twin", mse=1.0))


def test_the_twin_is_simulated_by_design(tmp_path):
    document_of_twin = document("simulated twin", mse=1.0)
    document_of_twin["metrics"] = {
        name.replace("beps.", "twin."): entry for name, entry in document_of_twin["metrics"].items()
    }
    assert baseline.finished_runs(tmp_path, document_of_twin) == {}, (
        "not refused, and its weights are not kept"
    )


def test_a_missing_run_is_named_before_anything_is_written(tmp_path):
    with pytest.raises(ReplicationError, match="no complete run here"):
        baseline.finished_runs(tmp_path, document(mse=1.0))


@pytest.fixture
def results(tmp_path):
    """Runs of every job of one seed with weights of a few numbers, metrics and pictures."""
    for job in FAMILY.jobs("standard"):
        run = runs.Run.of(tmp_path / "results", job)
        write_npz(run.folder / "weights.npz", components_=np.full((2, 3), len(str(job))))
        network = {"channel_kl": np.array([0.0, 2.0])} if "vae" in job.model else {}
        network |= {} if job.dataset == "beps" else {"refined": np.ones((4, 2), dtype=np.float32)}
        by_index = (
            {}
            if job.dataset == "toy_shuffled"
            else {"index_bias": np.array([0.1, -0.2]), "index_spread": np.array([1.0, 2.0])}
        )
        heldout = np.arange(3600) < 4
        errors = {"mse": np.full(3600, 0.5), "heldout": heldout, "refined_mse": np.full(4, 0.25)}
        write_npz(run.folder / "arrays.npz", **network, **by_index, **errors)
        write_json(run.folder / "record.json", seals.sealed({"status": "complete", "key": "x"}))
    (tmp_path / "results" / "standard" / "sweeps.csv").write_text("sweep\n")
    figures = tmp_path / "results" / "standard" / "figures"
    figures.mkdir()
    for picture in baseline.PICTURES:
        (figures / f"{picture.name}.png").write_bytes(b"picture")
    shutil.copytree(Store().causal_path.parent, tmp_path / "results" / "causal")
    (figures / "causal.png").write_bytes(b"causal")
    return tmp_path / "results"


def test_everything_is_rewritten(results, tmp_path):
    stored = Store(tmp_path / "stored")
    stale = stored.weights_path(Job("standard", "beps", "pca", 7))
    write_npz(stale, components_=np.zeros(1))
    shutil.copy(claims.LEDGER, tmp_path / "claims.json")
    (tmp_path / "docs").mkdir()
    for page, text in pages.read().items():
        (tmp_path / page).write_text(text, encoding="utf-8")
    new = Store().metrics()
    for entry in new["metrics"].values():
        entry.update(
            seeds=entry["seeds"][:1],
            values=entry["values"][:1],
            value=entry["values"][0],
            interval=None,
        )
    baseline.write(results, new, stored, tmp_path / "claims.json", tmp_path)
    assert stored.metrics() == new
    assert not stale.exists(), "weights of another seed would stand for nothing"
    job = Job("standard", "toy", "lstm_vae", 0)
    np.testing.assert_array_equal(stored.weights(job)["in_use"], [False, True])
    np.testing.assert_array_equal(stored.weights(job)["refined"], 1)
    assert stored.sweeps_path.read_text() == "sweep\n"
    assert all(holds for _, holds, _ in sums.checks(stored.folder))
    assert {"metrics.json", "weights/beps.pca.seed0.npz", "../claims.json"} <= set(
        sums.read(stored.folder)
    )
    table = stored.index_table()
    assert table.loc[("beps_heldout", "pca", 0, 1)].tolist() == [-0.2, 2.0]
    assert stored.block_table().loc[("beps_heldout", "pca", 0, 0)].tolist() == [4, 2, 1]
    assert "toy_shuffled" not in table.index.get_level_values("dataset")
    verdicts = {claim["id"]: claim["verdict"] for claim in claims.read(tmp_path / "claims.json")}
    # The paper's own network and the other splits are stored apart from the metrics.
    whole = complete(new)
    expected = {claim["id"]: claims.judge(claim, whole)["verdict"] for claim in claims.read()}
    assert verdicts == expected
    written = pages.read(tmp_path)
    assert "means over 1 seed (toy) and 1 fold (BEPS)" in " ".join(written["README.md"].split())
    assert "Mean over 1 seed," in written["docs/results.md"]
    assert written == pages.renew(
        written, new, claims.read(tmp_path / "claims.json"), stored.statements()
    )
    published = [
        picture.name
        for picture in baseline.PICTURES
        if picture.is_published and picture.needs != "causal"
    ]
    assert (tmp_path / "docs" / f"{published[0]}.png").read_bytes() == b"picture"
    assert stored.statements() == Store().statements()
    assert (tmp_path / "docs" / "causal.png").read_bytes() == b"causal"
    assert (
        (tmp_path / "docs" / "causal.md")
        .read_text(encoding="utf-8")
        .startswith("# Beyond correlation")
    )


def test_a_causal_record_of_the_twin_is_refused(results):
    path = results / "causal" / "causal.json"
    seals.write(path, seals.read(path) | {"provenance": "simulated twin"})
    with pytest.raises(ReplicationError, match="nox -s causal -- --data measured"):
        baseline.causal_record(results)


def test_nobody_to_ask_writes_nothing(results, monkeypatch, capsys):
    paths = (Store().metrics_path, claims.LEDGER, *(ROOT / page for page in pages.PAGES))
    before = {path: path.read_bytes() for path in paths}
    write_json(results / "standard" / "metrics.json", document(seeds=(0,), mse=1.0))
    monkeypatch.setattr(sys, "argv", ["baseline", "--results", str(results)])
    for answer, code in ((EOFError, 2), ("n", 1), ("", 1)):
        monkeypatch.setattr("builtins.input", _answering(answer))
        assert baseline.main() == code
        assert "beps.pca.mse" in capsys.readouterr().out, "the difference is shown first"
    assert before == {path: path.read_bytes() for path in before}


def _answering(answer):
    def ask(prompt):
        if isinstance(answer, type):
            raise answer
        return answer

    return ask


def test_metrics_that_are_no_metrics(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["baseline", "--results", str(tmp_path)])
    assert baseline.main() == 2
    (tmp_path / "standard").mkdir()
    (tmp_path / "standard" / "metrics.json").write_text(json.dumps({"schema_version": 1}))
    assert baseline.main() == 2
    assert "schema_version: 1, expected 2" in capsys.readouterr().err


def test_what_follows_from_the_weights_is_added_and_the_rest_stays():
    """A number that follows within its tolerance keeps its digits; one that does not is renewed."""
    stored = document(mse=1.0, heldout_mse=2.0, fit_seconds=3.0)
    new = {"beps.pca.mse": 1.0 + 1e-7, "beps.pca.heldout_mse": 2.5, "beps.pca.mse_median": 0.5}
    scored = [
        Rescored("beps", seed, {name: value + seed for name, value in new.items()}, *NO)
        for seed in (0, 1)
    ]
    renewed_document = renewed(stored, scored)["metrics"]
    assert renewed_document["beps.pca.mse"] == stored["metrics"]["beps.pca.mse"]
    assert renewed_document["beps.pca.fit_seconds"] == stored["metrics"]["beps.pca.fit_seconds"]
    assert renewed_document["beps.pca.heldout_mse"]["values"] == [2.5, 3.5]
    assert renewed_document["beps.pca.mse_median"]["values"] == [0.5, 1.5]
    assert list(renewed_document) == sorted(renewed_document)
