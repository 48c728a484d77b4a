"""Other splits: what is stored stays, what is swept goes into its table, differences are paired."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks import splits
from benchmarks.store import Store
from replicate import seals
from replicate.errors import ReplicationError
from replicate.files import write_json, write_npz
from replicate.running.runs import Run
from replicate.study import sweeps
from replicate.study.job import DATASETS, Job

MEASURED = {"spectra": "measured"}


def write_run(results, job, error, provenance=MEASURED):
    """Write a complete run whose held-out pixels, the first four, all have one error."""
    run = Run.of(results, job)
    arrays = {
        "mse": np.full(3600, error),
        "heldout": np.arange(3600) < 4,
        "refined_mse": np.full(4, error / 2),
    }
    write_npz(run.folder / "arrays.npz", **arrays)
    record = {
        "status": "complete",
        "profile": job.profile,
        "dataset": job.dataset,
        "model": job.model,
        "seed": job.seed,
        "key": "k",
        "provenance": provenance,
        "machine": {"processor": "one", "arithmetic": "pinned to AVX2"},
        "metrics": {"heldout_mse": error, "heldout_mse_refined": error / 2},
    }
    write_json(run.folder / "record.json", seals.sealed(record))


def job(model, seed, dataset="beps_buffered"):
    return Job("standard", dataset, model, seed)


def test_the_jobs_are_known_and_none_twice():
    listed = splits.jobs()
    assert len(set(listed)) == len(listed)
    assert {each.dataset for each in listed} <= set(DATASETS)
    swept = [each for each in listed if each.variant]
    assert {each.seed for each in swept} == {1, 2, 3, 4}, "fold 0 is in the benchmark"
    assert set(swept) <= set(sweeps.jobs("standard"))


def test_what_is_stored_stays_when_another_run_is_stored(tmp_path):
    path = tmp_path / "splits.json"
    write_run(tmp_path / "first", job("pca", 0), 0.5)
    write_run(tmp_path / "second", job("pca", 1), 0.25)
    splits.store(tmp_path / "first", path)
    splits.store(tmp_path / "second", path)
    stored = splits.stored_runs(path)
    assert [(run["seed"], run["metrics"]["heldout_mse"]) for run in stored] == [(0, 0.5), (1, 0.25)]
    assert splits.block_table(stored).loc[("beps_buffered", "pca", 0, 0)].tolist() == [4, 2, 1]
    metrics = splits.with_splits({"metrics": {}}, path)["metrics"]
    assert metrics["beps_buffered.pca.heldout_mse"]["values"] == [0.5, 0.25]


def test_what_is_stored_is_missing_no_more(tmp_path):
    path = tmp_path / "splits.json"
    write_run(tmp_path / "runs", job("pca", 0), 0.5)
    splits.store(tmp_path / "runs", path)
    swept = Job("standard", "beps_heldout", "pca", 0, "latents=8")
    never = Job("standard", "beps_heldout", "pca", 0, "latents=7")
    listed = [job("pca", 0), job("pca", 1), swept, never]
    assert splits.missing(listed, path) == [job("pca", 1), never]


def test_runs_on_other_data_are_refused(tmp_path):
    write_run(tmp_path, job("pca", 0), 0.5, {"spectra": "simulated twin"})
    with pytest.raises(ReplicationError, match="not the paper's. Add `--data measured`"):
        splits.store(tmp_path, tmp_path / "splits.json")
    assert not (tmp_path / "splits.json").exists()


def test_numbers_of_sweeps_go_into_their_table(tmp_path):
    store = Store(tmp_path / "stored")
    swept = Job("standard", "beps_heldout", "pca", 1, "latents=8")
    old = sweeps.table(
        {
            Job("standard", "beps_heldout", "pca", seed, "latents=8"): {
                "provenance": MEASURED,
                "metrics": {"heldout_mse": 9.0},
            }
            for seed in (0, 1)
        }
    )
    store.folder.mkdir()
    old.to_csv(store.sweeps_path, index=False)
    write_run(tmp_path / "results", swept, 0.5)
    assert splits.store(tmp_path / "results", tmp_path / "splits.json", store) == [swept]
    table = store.sweeps()
    of_kind = table[table["metric"] == "heldout_mse"].set_index("seed")["number"]
    assert of_kind.to_dict() == {0: 9.0, 1: 0.5}, "that of fold 0 stays"


def test_differences_from_pca_are_paired(tmp_path):
    """Every fold is as hard as it may be: the network is a fifth better on each."""
    path = tmp_path / "splits.json"
    for seed in range(5):
        write_run(tmp_path, job("pca", seed), 1.0 + seed)
        write_run(tmp_path, job("dense_ae", seed), 0.8 * (1.0 + seed))
    splits.store(tmp_path, path)
    text = splits.section(splits.stored_runs(path), {"metrics": {}}, Store().block_table())
    assert "| Dense autoencoder | – | -20% [-20% to -20%; -20% to -20%] | – |" in text
    assert "| PCA | – | 3.0000 (5) | – |" in text


def test_the_stored_record_is_of_listed_jobs():
    stored = splits.stored_runs()
    assert {splits._job(run) for run in stored} <= set(splits.jobs())
    for run in stored:
        blocks = pd.DataFrame(run["blocks"], columns=["block", "n", "error", "refined"])
        mean = blocks["error"].sum() / blocks["n"].sum()
        assert mean == pytest.approx(run["metrics"]["heldout_mse"], rel=1e-5)
