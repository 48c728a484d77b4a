"""The sweeps: what is tried beside the study, against which run of it, and the table of it all."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate.study import sweeps
from replicate.study.family import MODELS
from replicate.study.job import DATASETS, N_FOLDS, Job, describe
from replicate.study.studies import FAMILY
from replicate.study.sweeps import SWEEPS, Sweep

PROFILES = ("smoke", "standard")
every_sweep = pytest.mark.parametrize(
    "sweep", SWEEPS, ids=lambda sweep: f"{sweep.setting}-{sweep.models[0]}"
)
every_profile = pytest.mark.parametrize("profile", PROFILES)


def described(job):
    """Return the configuration of a job but for the name of its variant."""
    return json.dumps(describe(job) | {"variant": ""}, sort_keys=True)


# Jobs


@every_profile
@every_sweep
def test_every_job_has_a_run_of_the_study_to_be_compared_with(sweep, profile):
    """On the same data, with the same seed; and it is another run than that."""
    studied = FAMILY.jobs(profile, seeds=range(N_FOLDS))
    for job in sweep.jobs(profile):
        base = replace(job, variant="")
        assert base in studied
        assert described(job) != described(base)


@every_profile
def test_no_two_jobs_are_alike(profile):
    """Neither by their folder nor by what they do."""
    listed = sweeps.jobs(profile)
    assert (
        len({str(job) for job in listed}) == len({described(job) for job in listed}) == len(listed)
    )
    assert not set(listed) & set(FAMILY.jobs(profile, seeds=range(N_FOLDS)))


def test_the_paper_s_profile_has_none():
    """Its networks and schedules are the paper's, which tried nothing of it."""
    assert sweeps.jobs("paper") == []


@every_sweep
def test_a_job_knows_its_setting(sweep):
    """Through its name, which is a folder's as well."""
    listed = sweep.jobs("standard")
    assert {job.setting[0] for job in listed} == {sweep.setting}
    for model in sweep.models:
        values = [job.setting[1] for job in listed if (job.model, job.seed) == (model, 0)]
        assert values == pytest.approx(sweep.values, rel=1e-5)
    assert {job.seed for job in listed} == set(range(sweep.n_seeds))
    assert len(listed) == len(sweep.models) * len(sweep.values) * sweep.n_seeds


@every_sweep
def test_the_longest_first_and_seed_by_seed(sweep):
    order = [(job.seed, -list(MODELS).index(job.model)) for job in sweep.jobs("standard")]
    assert order == sorted(order)


def test_what_changes_the_data_is_in_their_description():
    def data(dataset, variant):
        return describe(Job("standard", dataset, "pca", 3, variant))["data"]

    assert data("twin", "noise=10") == data("twin", "") | {"noise": 10}
    assert data("twin", "")["noise"] == 1
    assert data("beps_heldout", "n_train=300") == data("beps_heldout", "") | {"n_train": 300}
    assert "n_train" not in data("beps_heldout", "")
    assert data("beps_heldout", "latents=2") == data("beps_heldout", "")


@given(st.lists(st.sampled_from([*DATASETS, *MODELS]), unique=True, max_size=4))
def test_a_filter_keeps_what_it_names(only):
    """As that of the study does."""
    kept, models, data = (
        sweeps.jobs("smoke", only),
        set(only) & set(MODELS),
        set(only) & set(DATASETS),
    )
    for job in sweeps.jobs("smoke"):
        wanted = (not models or job.model in models) and (
            not data or not data.isdisjoint({job.dataset, job.dataset.split("_")[0]})
        )
        assert (job in kept) is wanted


# Trials


def test_trials_change_one_hyperparameter_and_are_of_sensitivity_alone():
    """A model with fewer latents or fewer spectra is not another setting of the same."""
    found = {str(job) for job in sweeps.trials(Job("standard", "beps_heldout", "dense_vae", 0))}
    settings = ("hidden=64", "hidden=256", "learning_rate=0.001", "learning_rate=0.004")
    settings += ("input_noise=0.1", "input_noise=0.4", "kl_share=0.43", "kl_share=0.75")
    assert found == {f"beps_heldout/dense_vae/{setting}/seed0" for setting in settings}


@pytest.mark.parametrize("profile", PROFILES)
def test_trials_of_every_job_of_the_study(profile):
    tried = {job for sweep in SWEEPS if sweep.name == "sensitivity" for job in sweep.jobs(profile)}
    found = set()
    for job in FAMILY.jobs(profile, seeds=(0, 1)):
        trials = sweeps.trials(job)
        assert {replace(trial, variant="") for trial in trials} <= {job}
        assert len(set(trials)) == len(trials)
        found |= set(trials)
    assert found == (tried if profile != "paper" else set())


def test_a_trial_has_no_trials():
    assert not [job for trial in sweeps.jobs("smoke") for job in sweeps.trials(trial)]


# The table


def record(**metrics):
    return {"provenance": {"spectra": "simulated twin"}, "metrics": metrics}


def test_a_row_for_every_number_of_every_sweep_that_a_run_answers(monkeypatch):
    """One run of two sweeps; a run of a seed, or of the study, that no sweep asks for has none."""
    both = ("beps_heldout", ("pca",), "latents")
    monkeypatch.setattr(
        sweeps, "SWEEPS", (Sweep("one", *both, (1, 2)), Sweep("two", *both, (2,), 2))
    )
    variants = {
        ("latents=1", 0): 1.0,
        ("latents=2", 0): 2.0,
        ("latents=2", 1): 3.0,
        ("latents=1", 1): 4.0,
        ("", 0): 5.0,
    }
    records = {
        Job("smoke", "beps_heldout", "pca", seed, variant): record(heldout_mse=error, mse=error / 2)
        for (variant, seed), error in variants.items()
    }
    table = sweeps.table(records)
    assert tuple(table.columns) == sweeps.COLUMNS
    assert (
        table[["dataset", "model", "setting", "provenance"]]
        == ["beps_heldout", "pca", "latents", "simulated twin"]
    ).all(axis=None)
    rows = table[["sweep", "value", "seed", "metric", "number"]].itertuples(index=False, name=None)
    runs = [("one", 1, 0, 1.0), ("one", 2, 0, 2.0), ("two", 2, 0, 2.0), ("two", 2, 1, 3.0)]
    errors = (("heldout_mse", 1), ("mse", 0.5))
    assert sorted(rows) == sorted(
        (*run, name, error * part) for *run, error in runs for name, part in errors
    )


def test_the_table_of_every_sweep_has_every_job():
    """Each number here tells of which run it is."""
    records = {job: record(mse=float(number)) for number, job in enumerate(sweeps.jobs("standard"))}
    table = sweeps.table(records)
    assert set(table["sweep"]) == {sweep.name for sweep in SWEEPS}
    np.testing.assert_array_equal(np.unique(table["number"]), np.arange(len(records)))
    listed = list(records)
    for row in table.itertuples():
        job = listed[int(row.number)]
        assert (row.dataset, row.model, row.seed, row.setting, row.value) == (
            job.dataset,
            job.model,
            job.seed,
            *job.setting,
        )


def test_no_run_no_row():
    assert sweeps.table({}).empty
