"""The study: which jobs there are, in what order, and what data each has."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate.errors import ReplicationError
from replicate.running.evaluate import PAPER_TOY_MSE
from replicate.study.family import MODELS, ON_REQUEST
from replicate.study.job import DATASETS, PROFILES, SPLITS, Job, describe, toy_sizes
from replicate.study.studies import FAMILY, PAPER
from replicate.tasks.searches import LAMBDAS

NAMES = (*DATASETS, *MODELS)
every_study = pytest.mark.parametrize(
    ("profile", "study"),
    [(profile, study) for profile in PROFILES for study in (PAPER, FAMILY)],
    ids=lambda value: getattr(value, "name", value),
)
some = st.lists(st.sampled_from(NAMES), unique=True)


# Jobs


def test_results_may_have_runs_that_are_made_on_request():
    """A run of the paper's own network alone has metrics."""
    every = FAMILY.every_job("standard", [0])
    usual = FAMILY.jobs("standard")
    assert {job.model for job in set(every) - set(usual)} == set(ON_REQUEST)
    assert set(usual) < set(every)


@every_study
def test_the_longest_first(profile, study):
    """Networks come before linear models, and the scans of a model before its toy problem.

    A long job must not start last.
    """
    listed = study.jobs(profile)
    assert [job.is_network for job in listed] == sorted(
        (job.is_network for job in listed), reverse=True
    )
    for model in MODELS:
        order = [DATASETS.index(job.dataset) for job in listed if job.model == model]
        assert order == sorted(order, reverse=True)


@every_study
def test_every_data_set_has_both_linear_models_and_a_network(profile, study):
    listed = study.jobs(profile)
    assert {job.dataset for job in listed} == set(
        study.models if profile != "paper" else PAPER.models
    )
    for dataset in {job.dataset for job in listed}:
        assert {"pca", "dictionary_learning", "lstm_vae"} <= {
            job.model for job in listed if job.dataset == dataset
        }


@every_study
def test_no_two_networks_are_the_same_on_the_same_data(profile, study):
    """The paper's profile knows one form only."""
    described = []
    for job in study.jobs(profile):
        if job.is_network:
            description = describe(job) | {"model": MODELS[job.model].place}
            described.append(json.dumps(description, sort_keys=True))
    assert len(set(described)) == len(described) > 0


def test_the_family_s_study_contains_the_paper_s():
    """So that a sweep of the whole family leaves nothing of the paper out."""
    for dataset, models in PAPER.models.items():
        assert set(models) <= set(FAMILY.models[dataset])
    assert set(FAMILY.models["beps_heldout"]) == set(MODELS)
    assert not set(PAPER.jobs("smoke")) - set(FAMILY.jobs("smoke"))


def test_the_paper_s_profile_has_nothing_but_the_paper_s_model():
    listed = FAMILY.jobs("paper")
    assert listed == PAPER.jobs("paper")
    assert {job.model for job in listed} == {"pca", "dictionary_learning", "lstm_vae"}


@pytest.mark.parametrize("study", [PAPER, FAMILY], ids=lambda study: study.name)
def test_every_job_can_be_asked_for_by_its_names(study):
    """As the message of a missing run says, with or without the whole family."""
    for job in FAMILY.jobs("standard"):
        assert job in study.jobs("standard", [job.dataset, job.model], [job.seed])


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (
            ["pca"],
            {("toy", "pca"), ("toy_shuffled", "pca"), ("beps", "pca"), ("beps_heldout", "pca")},
        ),
        (["toy", "pca"], {("toy", "pca"), ("toy_shuffled", "pca")}),
        (["toy_shuffled", "pca"], {("toy_shuffled", "pca")}),
        (["beps", "pca"], {("beps", "pca"), ("beps_heldout", "pca")}),
        (["beps_heldout", "pca"], {("beps_heldout", "pca")}),
        (
            ["pca", "lstm_vae", "toy_shuffled"],
            {("toy_shuffled", "pca"), ("toy_shuffled", "lstm_vae")},
        ),
        (
            ["beps", "lstm_vae_plain"],
            {("beps", "lstm_vae_plain"), ("beps_heldout", "lstm_vae_plain")},
        ),
        (["ica"], {("toy", "ica"), ("beps_heldout", "ica")}),
        (
            ["beps", "lstm_vae_paper"],
            {(data, "lstm_vae_paper") for data in ("beps", "beps_heldout")},
        ),
        (["twin", "pca"], {("twin", "pca")}),
        (
            ["beps", "dense_vae"],
            {("beps", "dense_vae"), ("beps_heldout", "dense_vae"), ("beps_shuffled", "dense_vae")},
        ),
        (
            ["toy_shuffled", "pca", "dense_vae"],
            {("toy_shuffled", "pca"), ("toy_shuffled", "dense_vae")},
        ),
    ],
)
def test_only(only, expected):
    assert {(job.dataset, job.model) for job in PAPER.jobs("standard", only)} == expected


@every_study
def test_what_takes_hours_is_run_on_request_alone(profile, study):
    assert not [job for job in study.jobs(profile) if job.model in ON_REQUEST]


@given(
    some,
    st.sampled_from(PROFILES),
    st.lists(st.integers(0, 5), unique=True, min_size=1, max_size=3),
    st.sampled_from([PAPER, FAMILY]),
)
def test_a_filter_only_leaves_out(only, profile, seeds, study):
    is_wider = bool(set(only) - {*PAPER.models, *PAPER.models["beps"]})
    everything = (FAMILY if is_wider else study).jobs(profile, seeds=seeds)
    try:
        listed = study.jobs(profile, only, seeds)
    except ReplicationError:
        return
    on_request = {job for job in listed if job.model in ON_REQUEST}
    assert set(listed) - on_request <= set(everything)
    assert {job.model for job in on_request} <= set(only)
    assert len(set(listed)) == len(listed)
    assert {job.seed for job in listed} == set(seeds)
    models = {name for name in only if name in MODELS}
    assert {job.model for job in listed} <= (models or set(MODELS))


def test_nothing_is_listed_twice():
    """Two processes must never write to one folder."""
    listed = PAPER.jobs("smoke", ["pca", "beps", "pca"], seeds=(1, 1))
    assert [str(job) for job in listed] == ["beps_heldout/pca/seed1", "beps/pca/seed1"]


def test_one_job_a_seed():
    assert [str(job) for job in PAPER.jobs("smoke", ["beps_heldout", "pca"], seeds=(0, 3))] == [
        "beps_heldout/pca/seed0",
        "beps_heldout/pca/seed3",
    ]


def test_seeds_are_interleaved():
    """A machine that slows down in the middle of a sweep must not slow one model alone."""
    listed = PAPER.jobs("standard", seeds=(0, 1))
    half = len(listed) // 2
    assert [(job.dataset, job.model) for job in listed[:half]] == [
        (job.dataset, job.model) for job in listed[half:]
    ]
    assert {job.seed for job in listed[:half]} == {0}


@pytest.mark.parametrize("name", ["vae", "PCA", "", "fig2", "beps "])
def test_an_unknown_name_is_refused_with_those_there_are(name):
    with pytest.raises(ReplicationError, match=f"--only {name}: no such.*{', '.join(NAMES)}"):
        PAPER.jobs("standard", ["pca", name])


@pytest.mark.parametrize("only", [["lstm_vae_plain"], ["ica"], ["twin"], ["toy", "dense_ae"]])
def test_a_filter_that_leaves_nothing(only):
    with pytest.raises(ReplicationError, match="has no such run in the paper profile"):
        PAPER.jobs("paper", only)


# A job


@pytest.mark.parametrize(
    ("variant", "name", "setting"),
    [
        ("", "twin/pca/seed2", None),
        ("noise=3", "twin/pca/noise=3/seed2", ("noise", 3)),
        ("beta=2e-05", "twin/pca/beta=2e-05/seed2", ("beta", 2e-5)),
    ],
)
def test_a_variant_is_in_the_name_of_a_job(variant, name, setting):
    job = Job("smoke", "twin", "pca", 2, variant)
    assert (str(job), job.setting) == (name, setting)


@pytest.mark.parametrize(
    ("dataset", "domain"),
    [("toy", "toy"), ("toy_shuffled", "toy"), ("beps_shuffled", "beps"), ("twin", "beps")],
)
def test_the_domain_of_a_data_set(dataset, domain):
    assert Job("smoke", dataset, "pca", 0).domain == domain


def test_a_seed_holds_out_the_fold_of_its_number():
    """Seeds beyond the folds begin again at the first."""
    for dataset in ("beps_heldout", "beps_shuffled", "twin"):
        data = [describe(Job("smoke", dataset, "pca", seed))["data"] for seed in range(6)]
        assert [split.pop("fold") for split in data] == [0, 1, 2, 3, 4, 0]
        assert data == [data[0]] * 6
        assert (data[0]["block"], data[0]["n_folds"], data[0]["split_seed"]) == (6, 5, 0)
    assert describe(Job("smoke", "beps", "pca", 3))["data"] == {}


def test_a_seed_of_another_split_is_a_fold_of_it():
    """Five seeds are one split, and the next five another; every seed starts elsewhere."""
    for dataset in ("beps_buffered", "beps_stripes"):
        described = [describe(Job("smoke", dataset, "dense_ae", seed)) for seed in range(10)]
        assert [each["data"]["fold"] for each in described] == [0, 1, 2, 3, 4] * 2
        assert [each["data"]["split_seed"] for each in described] == [0] * 5 + [1] * 5
        assert [each["init_seed"] for each in described] == list(range(10))
        assert [each["parameters"]["random_state"] for each in described] == list(range(10))
        assert {each["data"]["buffer"] for each in described} == {2}


def test_only_a_held_out_run_has_a_seed_of_its_own_for_the_start():
    with_seed = {name for name in DATASETS if "init_seed" in describe(Job("smoke", name, "pca", 0))}
    assert (
        with_seed
        == set(SPLITS)
        == {name for name in DATASETS if "fold" in describe(Job("smoke", name, "pca", 0))["data"]}
    )


def test_no_study_has_the_other_splits():
    """`benchmarks.splits` runs them; no study becomes longer by them."""
    for study in (PAPER, FAMILY):
        assert not {"beps_aligned", "beps_buffered", "beps_stripes"} & set(study.models)


def test_a_shuffled_data_set_differs_by_its_order_alone():
    for dataset, shuffled in (("toy", "toy_shuffled"), ("beps_heldout", "beps_shuffled")):
        here, there = (
            describe(Job("standard", name, "lstm_vae", 1)) for name in (dataset, shuffled)
        )
        assert there["data"] == here["data"] | {"shuffle_seed": 0}
        assert there["parameters"] == here["parameters"]


# The paper's


def test_the_grid_of_the_lambda_search_has_the_paper_s_lambda():
    assert 0.57 in LAMBDAS
    assert list(LAMBDAS) == sorted(LAMBDAS)
    assert PAPER_TOY_MSE == 0.104


def test_the_toy_problem_has_the_paper_s_10_000_colours():
    assert toy_sizes("standard") == toy_sizes("paper") == {"n_train": 10_000, "n_gamut": 5_000}
    assert all(toy_sizes("smoke")[name] < size for name, size in toy_sizes("standard").items())
