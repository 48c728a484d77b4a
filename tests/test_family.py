"""The family of models: each builds what it describes, and differs from the LSTM beta-VAE by nothing but what its name says."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from replicate import estimate, family, study, sweeps
from replicate.family import COMPONENTS, MODELS, NETWORKS
from replicate.models import linear
from replicate.models.schedule import BetaSchedule
from replicate.study import FAMILY_STUDY, PAPER_STUDY, Job

EVERY_JOB = [job for profile in study.PROFILES for job in study.jobs(profile, whole_family=True)]
every_job = pytest.mark.parametrize("job", EVERY_JOB, ids=lambda job: f"{job.profile}-{job}")
every_network = pytest.mark.parametrize(("profile", "dataset", "model"), [(*place, model) for place in
    [("standard", "toy"), ("standard", "beps_heldout"), ("smoke", "twin")] for model in NETWORKS])  # fmt: skip
SHAPE = {"hidden", "activation", "filters", "kernel_size", "n_embedding", "n_blocks", "n_layers", "width"}
"""What says how large a network is; some members have some of it."""

BY_NAME = {
    "linear_ae": {"variational", "n_components", "target_channels", "schedule", "linear_path"},
    "dense_ae": {"variational", "n_components", "target_channels", "schedule"},
    "dense_vae": set(),
    "conv_vae": set(),
    "lstm_ae": {"variational", "n_components", "target_channels", "schedule"},
    "lstm_vae_fixed": {"schedule"},
    "lstm_vae_plain": {"linear_path"},
    "lstm_vae": set(),
}
"""In what each network may differ from `lstm_vae`, beside its shape."""


def job_of(model="lstm_vae", dataset="beps_heldout", profile="standard", variant=""):
    return Job(profile, dataset, model, 0, variant)


def built(*arguments, **names):
    """Return the parameters of a built network, defaults and all."""
    pytest.importorskip("mxnet")
    return family.build(job_of(*arguments, **names)).get_params()


def differing(one, other):
    return {name for name in one | other if one.get(name) != other.get(name)}


# Building


@every_job
def test_a_job_builds_what_it_describes(job):
    if job.is_network:
        pytest.importorskip("mxnet")
    model, parameters = family.build(job), family.parameters(job)
    assert not [name for name in vars(model) if name.endswith("_")]
    assert {name: model.get_params()[name] for name in parameters} == parameters
    assert type(model).__name__ == MODELS[job.model].split(".")[1]


@every_job
def test_every_model_has_as_many_latents(job):
    """3 and 5; of a beta-VAE these are the active channels that its beta is to leave of 16."""
    if job.is_network:
        pytest.importorskip("mxnet")
    wanted, model = {"toy": 3, "toy_shuffled": 3}.get(job.dataset, 5), family.build(job)
    if job.is_network:
        assert model.n_channels == (1 if job.dataset.startswith("toy") else 2)
    if job.is_network and model.variational:
        assert (model.n_components, model.target_channels) == (16, wanted)
    else:
        assert model.n_components == wanted


@every_job
def test_a_description_is_plain(job):
    """It makes the round trip through the configuration file, and every number of the schedule is in it."""
    description = study.describe(job)
    assert json.loads(json.dumps(description, allow_nan=False)) == description
    assert {name: description[name] for name in ("profile", "dataset", "model", "seed", "variant")} == vars(job)
    if job.is_network:
        assert BetaSchedule(**description["parameters"]["schedule"]) == family.parameters(job)["schedule"]


@every_job
def test_the_seed_is_in_the_model_and_nowhere_else(job):
    first, second = (family.parameters(replace(job, seed=seed)) for seed in (0, 1))
    assert differing(first, second) == ({"random_state"} if job.model != "pca" else set())
    assert second.get("random_state", 1) == 1


def test_linear_models_are_those_of_one_module_and_networks_are_the_rest():
    assert {name: getattr(linear, place.split(".")[1]) for name, place in MODELS.items() if name not in NETWORKS} == {
        "pca": linear.PCA,
        "ica": linear.ICA,
        "nmf": linear.NMF,
        "sparse_pca": linear.SparsePCA,
        "dictionary_learning": linear.DictionaryLearning,
        "dictionary_omp": linear.OMPDictionaryLearning,
        "dictionary_positive": linear.PositiveDictionaryLearning,
    }
    assert set(NETWORKS) == set(BY_NAME)


# The paper's


@pytest.mark.parametrize(("dataset", "n_components", "penalty"), [("toy", 3, 0.57), ("beps", 5, 1.0), ("beps_heldout", 5, 1.0)])
@pytest.mark.parametrize("profile", study.PROFILES)
def test_dictionary_learning_is_the_paper_s_in_every_profile(profile, dataset, n_components, penalty):
    """And spectra are coded with the penalty of the fit, which the library did not do before version 1.2."""
    model = family.build(job_of("dictionary_learning", dataset, profile))
    assert (model.n_components, model.alpha, model.transform_alpha) == (n_components, penalty, None)


@pytest.mark.parametrize("dataset", ["toy", "beps", "beps_heldout", "twin"])
def test_dictionaries_differ_in_how_they_code_alone(dataset):
    """All are fitted with the paper's lambda."""
    names = [name for name in MODELS if name.startswith("dictionary")]
    first, *others = (family.parameters(job_of(name, dataset)) for name in names)
    assert len(names) == 3 and others == [first] * 2
    assert first["alpha"] == family.PAPER_LAMBDA["toy" if dataset == "toy" else "beps"]


@pytest.mark.parametrize(
    ("dataset", "n_channels", "target", "warmup", "epochs"),
    [("toy", 1, 3, 2000, 6500), ("beps", 2, 5, 1000, 20_000), ("beps_heldout", 2, 5, 1000, 20_000)],
)
def test_the_paper_s_numbers(dataset, n_channels, target, warmup, epochs):
    """3 blocks of 2 bidirectional layers of 128 units, 16 latents, ADAM at 3e-5, batches of 300; no settling."""
    parameters = family.parameters(job_of(dataset=dataset, profile="paper"))
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
    assert (schedule.kl_share, schedule.l1_scale, schedule.fixed_beta) == (0.6, 1e-5, None)


def test_the_paper_s_network_has_neither_noise_nor_decay_and_its_embedding_is_as_wide_as_its_latents():
    model = built(profile="paper")
    assert (model["variational"], model["input_noise"], model["weight_decay"], model["n_embedding"]) == (True, 0.0, 0.0, None)


@pytest.mark.parametrize("dataset", PAPER_STUDY)
def test_the_duration_of_every_training_of_the_paper_is_told(dataset):
    """Of the smallest network, whose first step also takes the longest."""
    pytest.importorskip("mxnet")
    short, long = (job_of(dataset=dataset, profile="smoke"), job_of(dataset=dataset, profile="smoke", variant="epochs=1000"))
    assert 0 < estimate.longest_seconds(short) * 20 < estimate.longest_seconds(long)


# One family


@every_network
def test_a_network_differs_from_ours_by_what_its_name_says(profile, dataset, model):
    """All see the same noise, take steps of the same length on batches of the same size, and start at the same components."""
    ours, this = built(dataset=dataset, profile=profile), built(model, dataset, profile)
    allowed = BY_NAME[model] - ({"linear_path"} if dataset == "toy" else set())
    assert differing(ours, this) - SHAPE == allowed


@every_network
def test_shapes_go_with_the_architecture(profile, dataset, model):
    """Variational or not, plain or not: the layers are those of the LSTM, of the dense or of the convolutional network."""
    whole = {"linear_ae": "dense_vae", "dense_ae": "dense_vae"}.get(model, "lstm_vae" if model.startswith("lstm") else model)
    shapes = [{name: value for name, value in built(one, dataset, profile).items() if name in SHAPE} for one in (model, whole)]
    assert differing(*shapes) == ({"hidden"} if model == "linear_ae" else set())


@pytest.mark.parametrize("dataset", FAMILY_STUDY)
@pytest.mark.parametrize("profile", ["smoke", "standard"])
def test_plain_autoencoders_and_fixed_beta_train_as_long_as_the_scheduled_does_around_its_ramp(profile, dataset):
    scheduled = family.parameters(job_of(dataset=dataset, profile=profile))["schedule"]
    assert scheduled.fixed_beta is None
    for model in ("linear_ae", "dense_ae", "lstm_ae", "lstm_vae_fixed"):
        schedule = family.parameters(job_of(model, dataset, profile))["schedule"]
        assert schedule.settle_epochs == scheduled.warmup_epochs + scheduled.settle_epochs
        assert (schedule.fixed_beta == scheduled.settle_beta) is (model == "lstm_vae_fixed")
        assert replace(schedule, settle_epochs=scheduled.settle_epochs, fixed_beta=None) == scheduled


def test_the_linear_autoencoder_is_linear():
    """No hidden layer, no path around it that would start it at the answer, nothing sampled."""
    for dataset in FAMILY_STUDY:
        model = family.parameters(job_of("linear_ae", dataset))
        assert (model["hidden"], model["linear_path"], model["variational"]) == ((), False, False)


@pytest.mark.parametrize("dataset", FAMILY_STUDY)
@pytest.mark.parametrize("model", NETWORKS)
def test_smoke_is_smaller_than_standard(dataset, model):
    smoke, standard = (family.parameters(job_of(model, dataset, profile)) for profile in ("smoke", "standard"))
    sizes = [sum(map(sum, [parameters.get("hidden", ()), parameters.get("filters", ()), [parameters.get("width", 0)]]))
             for parameters in (smoke, standard)]  # fmt: skip
    assert sizes[0] < sizes[1] or model in ("linear_ae", "conv_vae")
    assert smoke["schedule"].max_epochs * 10 < standard["schedule"].max_epochs
    assert differing(smoke, standard) - SHAPE == {"schedule"}


# One setting changed


@pytest.mark.parametrize("profile", ["smoke", "standard"])
@pytest.mark.parametrize("sweep", sweeps.SWEEPS, ids=lambda sweep: f"{sweep.setting}-{sweep.models[0]}")
def test_a_sweep_changes_its_setting_alone(sweep, profile):
    """In the built model, where it is asked to; `noise` and `n_train` change the data, and `n_train` the epochs of a network with it."""
    names = {"latents": {"n_components", "target_channels"}, "beta": {"schedule"}, "kl_share": {"schedule"}, "epochs": {"schedule"}}
    for job in sweep.jobs(profile):
        if job.is_network:
            pytest.importorskip("mxnet")
        study_s, changed = (family.build(one).get_params() for one in (replace(job, variant=""), job))
        data = "schedule" if sweep.setting == "n_train" and job.is_network else None
        expected = names.get(sweep.setting, {sweep.setting}) if sweep.setting not in ("noise", "n_train") else {data} - {None}
        assert differing(study_s, changed) and differing(study_s, changed) <= expected or not expected


@pytest.mark.parametrize("model", MODELS)
def test_latents_of_every_model_can_be_set(model):
    parameters = family.parameters(job_of(model, variant="latents=2"))
    assert parameters.get("target_channels", parameters["n_components"]) == 2
    assert differing(parameters, family.parameters(job_of(model))) <= {"target_channels", "n_components"}
    assert parameters["n_components"] == (16 if "target_channels" in parameters else 2)


@pytest.mark.parametrize(
    ("variant", "model", "name", "value"),
    [
        ("alpha=0.5", "dictionary_omp", "alpha", 0.5),
        ("hidden=64", "dense_ae", "hidden", (64, 64)),
        ("width=16", "lstm_vae", "width", 16),
        ("learning_rate=0.0015", "lstm_vae", "learning_rate", 0.0015),
        ("input_noise=0.2", "dense_vae", "input_noise", 0.2),
    ],
)
def test_a_setting_has_the_value_it_is_given(variant, model, name, value):
    assert family.parameters(job_of(model, variant=variant))[name] == value


def changed_schedule(variant, model="lstm_vae", dataset="beps_heldout"):
    """Return the schedule as it is, and what of it changes."""
    before, after = (vars(family.parameters(job_of(model, dataset, variant=one))["schedule"]) for one in ("", variant))
    return before, {name: after[name] for name in differing(before, after)}


def test_settings_of_the_schedule():
    assert changed_schedule("kl_share=0.3")[1] == {"kl_share": 0.3}
    assert changed_schedule("beta=0.02", "lstm_vae_fixed", "toy")[1] == {"fixed_beta": 0.02}


@pytest.mark.parametrize(("variant", "factor"), [("epochs=6", 6), ("epochs=0.166667", 1 / 6), ("n_train=1000", 2.88), ("n_train=100", 28.8)])
@pytest.mark.parametrize("model", ["lstm_vae", "dense_ae"])
def test_epochs_are_multiplied_and_the_steps_of_the_ramp_are_not(variant, factor, model):
    """Of fewer spectra a network makes as many updates as of all 2880."""
    before, changed = changed_schedule(variant, model)
    names = {"warmup_epochs", "step_epochs", "settle_epochs"}
    assert changed == {name: max(1, round(before[name] * factor)) for name in names if round(before[name] * factor) > 1}
    assert {"warmup_epochs", "settle_epochs"} <= changed.keys() <= names


def test_a_linear_model_of_fewer_spectra_is_the_same():
    assert family.parameters(job_of("pca", variant="n_train=100")) == family.parameters(job_of("pca")) == {"n_components": COMPONENTS["beps"]}


def test_four_folds_are_2880_spectra():
    assert family.SPECTRA_OF_FOUR_FOLDS == 3600 * (study.N_FOLDS - 1) // study.N_FOLDS
