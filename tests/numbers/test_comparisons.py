"""One model against another: planted errors give planted numbers, and no partner gives none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from replicate.errors import ReplicationError
from replicate.files import write_npz
from replicate.numbers.comparisons import ORDERED, compare, ratio_at_examples, share_below, spread
from replicate.numbers.metrics import read_metrics
from replicate.provenance import Sources
from replicate.running.collect import collect
from replicate.running.execute import configuration
from replicate.running.runs import Run
from replicate.study.job import Job
from replicate.study.studies import FAMILY

SIMULATED = Sources(scan="simulated twin", picture="sample photograph")


def job_of(dataset, model="pca", seed=0, variant=""):
    return Job("smoke", dataset, model, seed, variant)


def records_of(errors, kind="heldout_mse"):
    return {job: {"metrics": {kind: error}} for job, error in errors.items()}


# Pixels below dictionary learning


def test_share_of_pixels_below():
    """A pixel with the same error is not below."""
    assert share_below(np.array([0.5, 2.5, 2.5, 4.0]), np.array([1.0, 2.0, 3.0, 4.0])) == 0.5


def test_the_examples_are_the_reference_s_best_median_and_worst_pixel():
    """Ratios of 4, 0.5 and 0.1 there; the ratio of 100 elsewhere is not an example."""
    reference = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    errors = np.array([4.0, 200.0, 2.0, 800.0, 1.6])
    assert ratio_at_examples(errors, reference) == 4


def test_models_are_compared_seed_by_seed_and_on_the_scan_alone():
    """Dictionary learning of seed 1 has errors ten times those of seed 0."""
    jobs = [
        job_of(data, model, seed)
        for data in ("beps", "toy")
        for model in ("pca", "dictionary_learning")
        for seed in (0, 1)
    ]
    records = records_of(dict.fromkeys(jobs, 1.0), "gamut_mse")
    errors = {
        job: np.array([1.0, 3.0]) if job.model == "pca" else np.array([2.0, 2.0]) * 10**job.seed
        for job in jobs
        if job.domain == "beps"
    }
    compared = compare(records, errors)
    assert compared.keys() == records.keys()
    found = {str(job): metrics for job, metrics in compared.items() if metrics}
    assert found == {
        "beps/pca/seed0": {"share_below_dictionary": 0.5, "ratio_at_examples": 1.5},
        "beps/pca/seed1": {"share_below_dictionary": 1.0, "ratio_at_examples": 0.15},
    }


def test_no_dictionary_of_the_same_seed_to_compare_with():
    jobs = [job_of("beps"), job_of("beps", "dictionary_learning", 1)]
    compared = compare(
        records_of(dict.fromkeys(jobs, 1.0), "mse"), {job: np.ones(3) for job in jobs}
    )
    assert compared == {job: {} for job in jobs}


# Shuffled steps


def test_the_error_with_the_steps_shuffled_over_that_in_order():
    """Of each model and seed by itself."""
    for dataset, (shuffled, kind) in ORDERED.items():
        errors = {
            job_of(dataset): 2.0,
            job_of(shuffled): 3.0,
            job_of(dataset, seed=1): 4.0,
            job_of(shuffled, seed=1): 1.0,
            job_of(dataset, "lstm_vae"): 9.0,
        }
        compared = compare(records_of(errors, kind), {})
        changes = {job: metrics["shuffle_change"] for job, metrics in compared.items() if metrics}
        assert changes == {
            job_of(dataset): pytest.approx(0.5),
            job_of(dataset, seed=1): pytest.approx(-0.75),
        }


def test_every_shuffled_data_set_is_compared():
    assert {shuffled for shuffled, _ in ORDERED.values()} == {
        name for name in FAMILY.models if "shuffled" in name
    }


# Sensitivity


def test_the_spread_is_in_parts_of_the_error_of_the_study():
    assert spread([{"metrics": {"heldout_mse": error}} for error in (2.0, 1.5, 3.0, 2.5)]) == 0.75
    assert spread([{"metrics": {"heldout_mse": 2.0}}] * 3) == 0


def test_sensitivity_is_over_the_trials_of_a_model():
    """Not over its other sweeps, however wrong they are, nor over trials of another model."""
    errors = {
        job_of("beps_heldout", "dense_vae"): 2.0,
        job_of("beps_heldout", "dense_vae", 0, "hidden=64"): 1.0,
        job_of("beps_heldout", "dense_vae", 0, "learning_rate=0.004"): 2.5,
        job_of("beps_heldout", "dense_vae", 0, "latents=1"): 50.0,
        job_of("beps_heldout", "dense_vae", 0, "n_train=100"): 60.0,
        job_of("beps_heldout", "dense_vae", 1): 3.0,
        job_of("beps_heldout", "dense_ae"): 7.0,
        job_of("beps_heldout", "lstm_vae"): 1.0,
        job_of("beps_heldout", "lstm_vae", 0, "width=16"): 1.5,
    }
    compared = compare(records_of(errors), {})
    assert compared.keys() == {job for job in errors if not job.variant}
    assert {
        (job.model, job.seed): metrics["sensitivity"]
        for job, metrics in compared.items()
        if metrics
    } == {
        ("dense_vae", 0): 0.75,
        ("lstm_vae", 0): 0.5,
    }


# All of it in metrics.json


@pytest.fixture
def results(tmp_path):
    """Runs of PCA with errors written by hand: in order and shuffled, two seeds, and a sweep."""
    write(tmp_path, job_of("beps_heldout"), 2.0)
    write(tmp_path, job_of("beps_shuffled"), 3.0)
    write(tmp_path, job_of("beps_heldout", seed=1), 4.0)
    write(tmp_path, job_of("beps_heldout", "dictionary_learning"), 8.0)
    write(tmp_path, job_of("beps_heldout", "dictionary_learning", 0, "alpha=0.5"), 6.0)
    write(tmp_path, job_of("beps_heldout", variant="latents=1"), 16.0)
    return tmp_path


def write(results, job, error, **changes):
    run, config = Run.of(results, job), configuration(job, SIMULATED) | changes
    run.prepare(config)
    known = {
        "dataset": job.dataset,
        "model": job.model,
        "seed": job.seed,
        "provenance": config["provenance"],
    }
    known |= {"machine": {"cores": 2}, "versions": {"numpy": "1"}}
    run.finish(config, known | {"status": "complete", "metrics": {"heldout_mse": error}})


def test_what_is_compared_is_in_metrics_json_and_what_is_swept_is_not(results):
    path, document = collect("smoke", (0, 1), SIMULATED, results)
    assert read_metrics(path) == document
    found = {
        name: dict(zip(entry["seeds"], entry["values"]))
        for name, entry in document["metrics"].items()
    }
    assert found == {
        "beps_heldout.pca.heldout_mse": {0: 2.0, 1: 4.0},
        "beps_heldout.pca.shuffle_change": {0: 0.5},
        "beps_shuffled.pca.heldout_mse": {0: 3.0},
        "beps_heldout.dictionary_learning.heldout_mse": {0: 8.0},
        "beps_heldout.dictionary_learning.sensitivity": {0: 0.25},
    }
    table = pd.read_csv(path.parent / "sweeps.csv")
    rows = set(
        table[["sweep", "model", "setting", "value", "seed", "metric", "number"]].itertuples(
            index=False, name=None
        )
    )
    assert rows == {
        ("sensitivity", "dictionary_learning", "alpha", 0.5, 0, "heldout_mse", 6.0),
        ("rate-distortion", "pca", "latents", 1.0, 0, "heldout_mse", 16.0),
    }


def test_seeds_that_are_not_asked_for_and_runs_of_other_code_do_not_count(results):
    write(results, job_of("beps_shuffled"), 30.0, code="of before")
    _, document = collect("smoke", (0,), SIMULATED, results)
    assert document["metrics"]["beps_heldout.pca.heldout_mse"]["seeds"] == [0]
    assert (
        not {"beps_heldout.pca.shuffle_change", "beps_shuffled.pca.heldout_mse"}
        & document["metrics"].keys()
    )


def test_pixels_of_the_scan_are_compared_from_the_arrays(tmp_path):
    for model, errors in (("pca", [1.0, 3.0]), ("dictionary_learning", [2.0, 2.0])):
        write(tmp_path, job_of("beps", model), 1.0)
        write_npz(
            Run.of(tmp_path, job_of("beps", model)).folder / "arrays.npz", mse=np.array(errors)
        )
    path, document = collect("smoke", (0,), SIMULATED, tmp_path)
    assert document["metrics"]["beps.pca.share_below_dictionary"]["values"] == [0.5]
    assert "beps.dictionary_learning.share_below_dictionary" not in document["metrics"]
    assert len((path.parent / "sweeps.csv").read_text().splitlines()) == 1, "nothing was swept"


def test_nothing_to_collect(tmp_path, results):
    with pytest.raises(ReplicationError, match="no complete run"):
        collect("smoke", (7,), SIMULATED, results)
