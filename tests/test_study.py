"""The study: which jobs there are, in what order, and the paper's numbers where the paper is replicated."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate import study
from replicate.errors import ReplicationError
from replicate.models.linear import PCA, DictionaryLearning
from replicate.models.schedule import BetaSchedule
from replicate.study import DATASETS, MODELS, PROFILES, Job, jobs

EVERY_JOB = [job for profile in PROFILES for job in jobs(profile)]
every_job = pytest.mark.parametrize("job", EVERY_JOB, ids=lambda job: f"{job.profile}-{job}")
some = st.lists(st.sampled_from(DATASETS + MODELS), unique=True)


# Jobs


@pytest.mark.parametrize("profile", PROFILES)
def test_the_longest_first(profile):
    """Networks before linear models, and of each model the scans before the toy: a long job must not start last."""
    listed = jobs(profile)
    assert [job.is_network for job in listed] == sorted((job.is_network for job in listed), reverse=True)
    for model in MODELS:
        order = [DATASETS.index(job.dataset) for job in listed if job.model == model]
        assert order == sorted(order, reverse=True)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_data_set_has_both_linear_models_and_a_network(profile):
    for dataset in DATASETS:
        models = {job.model for job in jobs(profile, [dataset]) if job.dataset == dataset}
        assert {"pca", "dictionary_learning", "lstm_vae"} <= models


@pytest.mark.parametrize("profile", PROFILES)
def test_no_two_jobs_are_the_same_model_on_the_same_data(profile):
    described = []
    for job in jobs(profile):
        description = study.describe(job)
        del description["model"]
        described.append((job.is_network, json.dumps(description, sort_keys=True)))
    linear = [text for network, text in described if not network]
    networks = [text for network, text in described if network]
    assert len(set(networks)) == len(networks)
    assert len(set(linear)) == len(linear)


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (["pca"], {("toy", "pca"), ("toy_shuffled", "pca"), ("beps", "pca"), ("beps_heldout", "pca")}),
        (["toy", "pca"], {("toy", "pca"), ("toy_shuffled", "pca")}),
        (["toy_shuffled", "pca"], {("toy_shuffled", "pca")}),
        (["beps", "pca"], {("beps", "pca"), ("beps_heldout", "pca")}),
        (["beps_heldout", "pca"], {("beps_heldout", "pca")}),
        (["pca", "lstm_vae", "toy_shuffled"], {("toy_shuffled", "pca"), ("toy_shuffled", "lstm_vae")}),
        (["beps", "lstm_vae_plain"], {("beps", "lstm_vae_plain"), ("beps_heldout", "lstm_vae_plain")}),
    ],
)
def test_only(only, expected):
    assert {(job.dataset, job.model) for job in jobs("standard", only)} == expected


@given(some, st.sampled_from(PROFILES), st.lists(st.integers(0, 5), unique=True, min_size=1, max_size=3))
def test_a_filter_only_leaves_out(only, profile, seeds):
    everything = jobs(profile, seeds=seeds)
    try:
        listed = jobs(profile, only, seeds)
    except ReplicationError:
        return
    assert set(listed) <= set(everything)
    assert len(set(listed)) == len(listed)
    assert {job.seed for job in listed} == set(seeds)
    models = {name for name in only if name in MODELS}
    assert {job.model for job in listed} <= (models or set(MODELS))


def test_nothing_is_listed_twice():
    """Two processes must never write to one folder."""
    listed = jobs("smoke", ["pca", "beps", "pca"], seeds=(1, 1))
    assert [str(job) for job in listed] == ["beps_heldout/pca/seed1", "beps/pca/seed1"]


def test_one_job_a_seed():
    assert [str(job) for job in jobs("smoke", ["beps_heldout", "pca"], seeds=(0, 3))] == [
        "beps_heldout/pca/seed0",
        "beps_heldout/pca/seed3",
    ]


def test_seeds_are_interleaved():
    """A machine that slows down in the middle of a sweep must not slow one model alone."""
    listed = jobs("standard", seeds=(0, 1))
    half = len(listed) // 2
    assert [(job.dataset, job.model) for job in listed[:half]] == [(job.dataset, job.model) for job in listed[half:]]
    assert {job.seed for job in listed[:half]} == {0}


@pytest.mark.parametrize("name", ["vae", "PCA", "", "fig2", "beps "])
def test_an_unknown_name_is_refused_with_those_there_are(name):
    with pytest.raises(ReplicationError, match=f"--only {name}: no such.*{', '.join(DATASETS + MODELS)}"):
        jobs("standard", ["pca", name])


def test_a_filter_that_leaves_nothing():
    with pytest.raises(ReplicationError, match="paper profile has no such run"):
        jobs("paper", ["lstm_vae_plain"])


# Models


@every_job
def test_a_job_builds_what_it_describes(job):
    if job.is_network:
        pytest.importorskip("mxnet")
    model, parameters = study.build(job), study.model_parameters(job)
    assert not [name for name in vars(model) if name.endswith("_")]
    assert {name: model.get_params()[name] for name in parameters} == parameters
    wanted = {"toy": 3, "toy_shuffled": 3, "beps": 5, "beps_heldout": 5}[job.dataset]
    if job.is_network:
        assert (model.n_components, model.target_channels, model.n_channels) == (16, wanted, 1 if job.dataset.startswith("toy") else 2)
        assert model.random_state == job.seed
    else:
        assert type(model) is {"pca": PCA, "dictionary_learning": DictionaryLearning}[job.model]
        assert model.n_components == wanted


@every_job
def test_a_description_is_plain(job):
    """It makes the round trip through the configuration file, and every number of the schedule is in it."""
    description = study.describe(job)
    assert json.loads(json.dumps(description, allow_nan=False)) == description
    assert {name: description[name] for name in ("profile", "dataset", "model", "seed")} == vars(job)
    if job.is_network:
        assert BetaSchedule(**description["parameters"]["schedule"]) == study.model_parameters(job)["schedule"]


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("model", ["dictionary_learning", "lstm_vae"])
def test_the_seed_is_in_the_model(dataset, model):
    first, second = (study.model_parameters(Job("standard", dataset, model, seed)) for seed in (0, 1))
    assert {name for name in first if first[name] != second[name]} == {"random_state"}


@pytest.mark.parametrize(("dataset", "n_components", "penalty"), [("toy", 3, 0.57), ("beps", 5, 1.0), ("beps_heldout", 5, 1.0)])
@pytest.mark.parametrize("profile", PROFILES)
def test_dictionary_learning_is_the_paper_s_in_every_profile(profile, dataset, n_components, penalty):
    """And spectra are coded with the penalty of the fit, which the library did not do before version 1.2."""
    model = study.build(Job(profile, dataset, "dictionary_learning", 0))
    assert (model.n_components, model.alpha, model.transform_alpha) == (n_components, penalty, penalty)


@pytest.mark.parametrize(
    ("dataset", "n_channels", "target", "warmup", "epochs"),
    [("toy", 1, 3, 2000, 6500), ("beps", 2, 5, 1000, 20_000), ("beps_heldout", 2, 5, 1000, 20_000)],
)
def test_the_paper_s_numbers(dataset, n_channels, target, warmup, epochs):
    """3 blocks of 2 bidirectional layers of 128 units, 16 latents, ADAM at 3e-5, batches of 300; no settling."""
    parameters = study.model_parameters(Job("paper", dataset, "lstm_vae", 0))
    schedule = parameters.pop("schedule")
    assert parameters == {
        "n_components": 16,
        "target_channels": target,
        "n_channels": n_channels,
        "random_state": 0,
        "n_blocks": 3,
        "n_layers": 2,
        "width": 128,
        "linear_path": False,
        "learning_rate": 3e-5,
        "batch_size": 300,
    }
    assert (schedule.warmup_epochs, schedule.max_epochs) == (warmup, epochs)
    assert (schedule.step_epochs, schedule.settle_epochs) == ({"toy": 100}.get(dataset, 1000), 0)
    assert (schedule.kl_share, schedule.l1_scale) == (0.6, 1e-5)


def test_the_grid_of_the_lambda_search_has_the_paper_s_lambda():
    assert 0.57 in study.LAMBDAS
    assert list(study.LAMBDAS) == sorted(study.LAMBDAS)
    assert study.PAPER_TOY_MSE == 0.104


@pytest.mark.parametrize("dataset", DATASETS)
def test_plain_is_the_same_without_the_linear_path(dataset):
    ours, plain = (study.model_parameters(Job("standard", dataset, model, 0)) for model in ("lstm_vae", "lstm_vae_plain"))
    assert plain["linear_path"] is False
    assert {name for name in ours if ours[name] != plain[name]} <= {"linear_path"}


@pytest.mark.parametrize("dataset", DATASETS)
def test_smoke_is_smaller_than_standard(dataset):
    smoke, standard = (study.model_parameters(Job(profile, dataset, "lstm_vae", 0)) for profile in ("smoke", "standard"))
    assert smoke["width"] < standard["width"]
    assert smoke["schedule"].max_epochs * 10 < standard["schedule"].max_epochs
    assert smoke["linear_path"] == standard["linear_path"]
    sizes = study.data_sizes("smoke"), study.data_sizes("standard")
    assert all(sizes[0][name] < sizes[1][name] for name in sizes[1])


def test_the_toy_problem_has_the_paper_s_10_000_colours():
    assert study.data_sizes("standard") == study.data_sizes("paper") == {"n_train": 10_000, "n_gamut": 5_000}
