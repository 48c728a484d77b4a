"""The runs on other splits: which there are, what is stored of them, and how they are compared."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import split_table, splits
from benchmarks.derived import fold_interval
from benchmarks.split_table import over_blocks, over_folds
from replicate.errors import ReplicationError
from replicate.files import read_json, write_json
from replicate.provenance import Sources
from replicate.running.execute import execute
from replicate.study.job import Job

STUDY = Sources(scan="simulated twin", picture="sample photograph")


# Jobs


def test_every_model_has_two_splits_of_blocks_and_five_stripes():
    listed = splits.jobs()
    assert len(listed) == len(set(listed)) == 9 * (10 + 5) + 5
    for model in split_table.MODELS:
        of_model = [job for job in listed if job.model == model and job.dataset != "beps_shuffled"]
        assert {(job.dataset, job.seed) for job in of_model} == {
            *(("beps_buffered", seed) for seed in range(10)),
            *(("beps_stripes", seed) for seed in range(5)),
        }
    shuffled = [job for job in listed if job.dataset == "beps_shuffled"]
    assert [(job.model, job.seed) for job in shuffled] == [
        ("lstm_vae_plain", seed) for seed in range(5)
    ]


def test_linear_models_come_first():
    is_network = [job.is_network for job in splits.jobs()]
    assert is_network == sorted(is_network)


def test_a_choice_only_leaves_out():
    assert splits.jobs(["pca"], ["beps_stripes"]) == [
        Job("standard", "beps_stripes", "pca", seed) for seed in range(5)
    ]


def test_a_choice_of_nothing_is_refused_with_a_remedy(capsys):
    assert splits.main(["--datasets", "beps_shuffled", "--models", "pca"]) == 2
    assert "Add it to --models" in capsys.readouterr().err


# What is stored


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Results with one complete run of five, on the twin."""
    folder = tmp_path_factory.mktemp("results")
    execute(Job("smoke", "beps_buffered", "pca", 6), STUDY, folder)
    return folder


@pytest.fixture
def small(monkeypatch):
    """Runs of tiny size, on any data."""
    monkeypatch.setattr(splits, "PROFILE", "smoke")
    monkeypatch.setattr(splits, "PAPER_DATA", ("simulated twin",))


def test_a_complete_run_is_stored_with_its_blocks(results, small, tmp_path):
    path = tmp_path / "splits.json"
    assert splits.store(STUDY, results, path) == 1
    record = read_json(path)
    (run,) = record["runs"]
    assert (run["dataset"], run["model"], run["seed"], run["origin"]) == (
        "beps_buffered",
        "pca",
        6,
        0,
    )
    assert record["origins"][0].keys() == {"machine", "versions", "git_commit"}
    assert len(run["key"]) == 16
    blocks, metrics = run["blocks"], run["metrics"]
    assert blocks["pixels"] == [144] * 5, "a fold has five of 25 blocks"
    for kind in ("heldout_mse", "heldout_mse_refined"):
        assert sum(blocks[kind]) / 720 == pytest.approx(metrics[kind], rel=1e-6)
    assert {"mse", "fit_seconds", "shoulder_kept"} <= metrics.keys()
    assert "active_channels" not in metrics, "PCA has none"


def test_sums_are_those_of_the_pixels_of_each_block(rng):
    heldout = rng.random(3600) < 0.3
    errors = {"heldout_mse": rng.random(3600), "heldout_mse_refined": rng.random(3600)}
    table = splits.by_block(
        {
            "mse": errors["heldout_mse"],
            "heldout": heldout,
            "mse_refined": errors["heldout_mse_refined"][heldout],
        }
    )
    for kind, values in errors.items():
        laid_out = np.where(heldout, values, 0).reshape(5, 12, 5, 12)
        np.testing.assert_allclose(table[kind], laid_out.sum(axis=(1, 3)).ravel())
    assert table["block"] == list(range(25)) and sum(table["pixels"]) == heldout.sum()


def test_what_is_stored_and_not_in_the_results_stays(results, small, tmp_path):
    path = tmp_path / "splits.json"
    splits.store(STUDY, results, path)
    record = read_json(path)
    other = record["runs"][0] | {"seed": 2, "key": "of code before", "origin": 1}
    origins = [*record["origins"], {"machine": "another"}]
    write_json(path, record | {"origins": origins, "runs": [other, record["runs"][0]]})
    assert splits.store(STUDY, results, path) == 2
    again = read_json(path)
    by_seed = {run["seed"]: run for run in again["runs"]}
    assert by_seed[2]["key"] == "of code before"
    assert again["origins"][by_seed[2]["origin"]] == {"machine": "another"}
    assert again["origins"][by_seed[6]["origin"]] == record["origins"][0]


def test_a_run_of_other_code_is_not_stored(results, small, tmp_path, monkeypatch):
    original = splits.configuration
    monkeypatch.setattr(
        splits, "configuration", lambda job, sources: original(job, sources) | {"code": "other"}
    )
    assert splits.store(STUDY, results, tmp_path / "splits.json") == 0
    assert not (tmp_path / "splits.json").exists()


def test_a_run_on_other_data_is_refused(results, tmp_path, monkeypatch):
    monkeypatch.setattr(splits, "PROFILE", "smoke")
    with pytest.raises(ReplicationError, match="not the paper's"):
        splits.store(STUDY, results, tmp_path / "splits.json")


# How they are compared


def test_the_interval_of_several_splits_has_the_variance_of_nadeau_and_bengio():
    numbers = [0.1, 0.2, 0.4, 0.1, 0.3, 0.2, 0.5, 0.1, 0.2, 0.3]
    low, high = fold_interval(numbers, 5)
    # The quantile of Student's t for 9 degrees of freedom.
    half = 2.262157 * np.std(numbers, ddof=1) * np.sqrt(1 / 10 + 1 / 4)
    assert (low + high) / 2 == pytest.approx(np.mean(numbers))
    assert (high - low) / 2 == pytest.approx(half, rel=1e-6)
    assert fold_interval(numbers[:5]) == fold_interval(numbers[:5], 5)


def test_runs_are_paired_by_seed():
    """Folds differ tenfold, the network is better by 10 % on each; a seed of one alone is out."""
    errors = {
        ("beps_buffered", "pca", "heldout_mse"): {0: 1.0, 1: 10.0, 2: 100.0, 4: 7.0},
        ("beps_buffered", "dense_ae", "heldout_mse"): {2: 90.0, 1: 9.0, 0: 0.9, 3: 50.0},
    }
    found = over_folds(errors, "beps_buffered", "dense_ae", "heldout_mse")
    assert found == pytest.approx((-0.1, -0.1, -0.1))
    assert over_folds(errors, "beps_stripes", "dense_ae", "heldout_mse") is None


def run_of(model, seed, sums, blocks=(0, 1, 2, 3), dataset="beps_buffered"):
    """A stored run with these sums of errors by block."""
    return {
        "dataset": dataset,
        "model": model,
        "seed": seed,
        "metrics": {"heldout_mse": sum(sums) / 576, "heldout_mse_refined": sum(sums) / 1152},
        "blocks": {
            "block": list(blocks),
            "pixels": [144] * len(blocks),
            "heldout_mse": list(sums),
            "heldout_mse_refined": [error / 2 for error in sums],
        },
    }


def test_blocks_are_drawn_for_both_models_at_once():
    """Where the ratio is the same in every block it has no uncertainty."""
    runs = [run_of("pca", 0, [1, 10, 100, 1000]), run_of("dense_ae", 0, [0.8, 8, 80, 800])]
    found = over_blocks(runs, "beps_buffered", "dense_ae", "heldout_mse")
    assert found == pytest.approx((-0.2, -0.2, -0.2))


def test_the_interval_of_two_blocks_is_known():
    """A quarter of the draws has the first block twice, and a quarter the second one."""
    runs = [run_of("pca", 0, [1, 1], (3, 7)), run_of("dense_ae", 0, [0.5, 1.1], (3, 7))]
    found = over_blocks(runs, "beps_buffered", "dense_ae", "heldout_mse")
    assert found == pytest.approx((-0.2, -0.5, 0.1))


def test_a_block_of_two_splits_is_drawn_with_both_of_its_errors():
    """The errors of the second split cancel those of the first, block by block."""
    runs = [
        run_of("pca", 0, [1, 1], (3, 7)),
        run_of("pca", 5, [1, 1], (7, 3)),
        run_of("dense_ae", 0, [0.5, 1.1], (3, 7)),
        run_of("dense_ae", 5, [0.5, 1.1], (7, 3)),
        run_of("dense_ae", 6, [9, 9], (1, 2)),
    ]
    found = over_blocks(runs, "beps_buffered", "dense_ae", "heldout_mse")
    assert found == pytest.approx((-0.2, -0.2, -0.2)), "a seed that PCA lacks is left out"


# The page


def test_the_page_says_how_many_runs_there_are_and_which_side_of_pca_they_are_on():
    runs = [
        run
        for seed in range(5)
        for run in (
            run_of("pca", seed, [100 + seed] * 4),
            run_of("dense_ae", seed, [80 + seed] * 4),
            run_of("dense_vae", seed, [110, 90, 120, 70 + 10 * seed]),
            run_of("lstm_vae", seed, [150 + 2 * seed] * 4),
        )
    ]
    page = split_table.render({}, runs)
    assert "| PCA | – | – | 0.7083 (5 of 10 runs) |" in page
    assert (
        "- buffered blocks, encoder: below PCA: Dense autoencoder; undecided: Dense β-VAE; "
        "above PCA: LSTM β-VAE." in page
    )
    assert "- stripes, encoder: not run." in page
    assert "Runs stored: 20 of 90 on buffered blocks, 0 of 45 on stripes." in page
