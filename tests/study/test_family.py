"""The family of models: each builds what it describes.

Each differs from the LSTM beta-VAE by nothing but what its name says.
"""

from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest

from replicate.models import linear
from replicate.models.schedule import BetaSchedule
from replicate.running import estimate
from replicate.study import family, sweeps
from replicate.study.family import COMPONENTS, MODELS, NETWORKS
from replicate.study.job import N_FOLDS, PROFILES, Job, describe
from replicate.study.studies import FAMILY, PAPER

EVERY_JOB = [job for profile in PROFILES for job in FAMILY.jobs(profile)]
every_job = pytest.mark.parametrize("job", EVERY_JOB, ids=lambda job: f"{job.profile}-{job}")
#: In what each network differs, beside its shape and its schedule: from `lstm_vae` if it is
#: recurrent, and from `dense_vae` if it is not.
BY_NAME = {
    "linear_ae": {"variational", "n_components", "linear_path"},
    "dense_ae": {"variational", "n_components"},
    "dense_vae": set(),
    "conv_vae": set(),
    "lstm_ae": {"variational", "n_components"},
    "lstm_vae_fixed": set(),
    "lstm_vae_plain": {"linear_path", "batch_size", "input_noise", "weight_decay"},
    "lstm_vae": set(),
}


def every_network(test):
    """Run a test for every network at three places of the study."""
    places = pytest.mark.parametrize(
        ("profile", "dataset"),
        [("standard", "toy"), ("standard", "beps_heldout"), ("smoke", "twin")],
    )
    return places(pytest.mark.parametrize("model", BY_NAME)(test))


def job_of(model="lstm_vae", dataset="beps_heldout", profile="standard", variant=""):
    return Job(profile, dataset, model, 0, variant)


def built(*arguments, **names):
    """Return the parameters of a built network, with their defaults.

    They are in two parts: those of every autoencoder, and those of its shape.
    """
    pytest.importorskip("mxnet")
    from replicate.models.autoencoder import Autoencoder

    parameters = family.build(job_of(*arguments, **names)).get_params()
    common = {field.name for field in fields(Autoencoder)} - {"n_embedding"}
    return {name: parameters[name] for name in common}, {
        name: parameters[name] for name in parameters.keys() - common
    }


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
    assert type(model).__name__ == MODELS[job.model].place.split(".")[1]


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
    """It makes the round trip through the configuration file, with every number of the schedule."""
    description = describe(job)
    assert json.loads(json.dumps(description, allow_nan=False)) == description
    assert {
        name: description[name] for name in ("profile", "dataset", "model", "seed", "variant")
    } == vars(job)
    if job.is_network:
        assert (
            BetaSchedule(**description["parameters"]["schedule"])
            == family.parameters(job)["schedule"]
        )


@every_job
def test_the_seed_is_in_the_model_and_nowhere_else(job):
    first, second = (family.parameters(replace(job, seed=seed)) for seed in (0, 1))
    assert differing(first, second) == ({"random_state"} if job.model != "pca" else set())
    assert second.get("random_state", 1) == 1


def test_linear_models_are_those_of_one_module_and_networks_are_the_rest():
    assert {
        name: getattr(linear, design.place.split(".")[1])
        for name, design in MODELS.items()
        if name not in NETWORKS
    } == {
        "pca": linear.PCA,
        "ica": linear.ICA,
        "nmf": linear.NMF,
        "sparse_pca": linear.SparsePCA,
        "dictionary_learning": linear.DictionaryLearning,
        "dictionary_omp": linear.OMPDictionaryLearning,
        "dictionary_positive": linear.PositiveDictionaryLearning,
    }
    assert set(NETWORKS) == {*BY_NAME, *family.ON_REQUEST}


# The paper's


@pytest.mark.parametrize(
    ("dataset", "n_components", "penalty"),
    [("toy", 3, 0.57), ("beps", 5, 1.0), ("beps_heldout", 5, 1.0)],
)
@pytest.mark.parametrize("profile", PROFILES)
def test_dictionary_learning_is_the_paper_s_in_every_profile(
    profile, dataset, n_components, penalty
):
    """Spectra are coded with the penalty of the fit, as the library does from version 1.2 on."""
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
    """3 blocks of 2 bidirectional layers of 128 units, 16 latents, ADAM at 3e-5, batches of 300.

    There are no settling epochs.
    """
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
        "at_once": 50,
        "learning_rate": 3e-5,
        "batch_size": 300,
    }
    assert (schedule.warmup_epochs, schedule.max_epochs) == (warmup, epochs)
    assert (schedule.step_epochs, schedule.settle_epochs) == ({"toy": 100}.get(dataset, 1000), 0)
    assert (schedule.kl_share, schedule.l1_scale, schedule.fixed_beta) == (0.6, 1e-5, None)


def test_the_paper_s_network_has_neither_noise_nor_decay_and_an_embedding_as_wide_as_its_latents():
    model, shape = built(profile="paper")
    assert (
        model["variational"],
        model["input_noise"],
        model["weight_decay"],
        shape["n_embedding"],
    ) == (True, 0.0, 0.0, None)


@pytest.mark.parametrize("dataset", ["toy", "beps"])
def test_the_paper_s_size_has_the_layers_of_the_paper_s_network(dataset):
    """Of what it is trained with, only rate, batch and schedule are ours."""
    (paper, layers), (ours, same) = (
        built(dataset=dataset, profile="paper"),
        built("lstm_vae_paper", dataset),
    )
    assert same == layers
    assert differing(paper, ours) == {"learning_rate", "batch_size", "schedule"}


@pytest.mark.parametrize("dataset", PAPER.models)
def test_the_duration_of_every_training_of_the_paper_is_told(dataset):
    pytest.importorskip("mxnet")
    assert estimate.longest_seconds(job_of(dataset=dataset, profile="smoke")) > 0


# One family


@every_network
def test_a_network_differs_from_the_others_by_what_its_name_says(profile, dataset, model):
    """All see the same noise and start at the same components.

    They take steps of the same length on batches of the same size.
    """
    if model == "lstm_vae_plain" and dataset == "toy":
        pytest.skip("on the toy problem lstm_vae is the plain form")
    (first, _), (this, _) = (
        built("lstm_vae" if model.startswith("lstm") else "dense_vae", dataset, profile),
        built(model, dataset, profile),
    )
    # A plain autoencoder has no target.
    ignored = {"schedule"} if this["variational"] else {"schedule", "target_channels"}
    assert differing(first, this) - ignored == BY_NAME[model] - (
        {"linear_path"} if dataset == "toy" else set()
    )


@pytest.mark.parametrize(
    ("dataset", "changed"),
    [("toy", set()), ("beps", {"learning_rate"}), ("beps_heldout", {"learning_rate"})],
)
def test_without_recurrence_the_training_is_the_same_but_for_its_rate(dataset, changed):
    (recurrent, _), (feedforward, _) = built("lstm_vae", dataset), built("dense_vae", dataset)
    assert differing(recurrent, feedforward) - {"schedule"} == changed
    assert feedforward["learning_rate"] <= recurrent["learning_rate"]


@every_network
def test_shapes_go_with_the_architecture(profile, dataset, model):
    """Each is variational or not, with beta fixed or not.

    Only the linear one has no layers, and only the paper's form has neither patches nor features of
    each step.
    """
    whole = {"linear_ae": "dense_vae", "dense_ae": "dense_vae"}.get(
        model, "lstm_vae" if model.startswith("lstm") else model
    )
    (_, shape), (_, expected) = built(model, dataset, profile), built(whole, dataset, profile)
    changed = differing(shape, expected)
    if model == "lstm_vae_plain":
        assert changed <= {"patch", "n_own", "n_embedding"}
        assert (shape["patch"], shape["n_own"], shape["n_embedding"]) == (1, 0, 16)
    else:
        assert changed == ({"hidden"} if model == "linear_ae" else set())


@pytest.mark.parametrize("dataset", FAMILY.models)
@pytest.mark.parametrize("profile", ["smoke", "standard"])
def test_schedules_go_with_the_recurrence(profile, dataset):
    """Plain autoencoders and a fixed beta train as long as the others do around their ramp."""

    def schedule(model):
        return family.parameters(job_of(model, dataset, profile))["schedule"]

    recurrent, feedforward = schedule("lstm_vae"), schedule("dense_vae")
    assert schedule("conv_vae") == feedforward
    assert {one.fixed_beta for one in (recurrent, feedforward, schedule("lstm_vae_plain"))} == {
        None
    }
    assert (
        recurrent.settle_beta == feedforward.settle_beta == schedule("lstm_vae_plain").settle_beta
    )
    for model in ("linear_ae", "dense_ae", "lstm_ae", "lstm_vae_fixed"):
        scheduled = recurrent if model.startswith("lstm") else feedforward
        fixed = family.FIXED_BETA if model == "lstm_vae_fixed" else None
        epochs = scheduled.warmup_epochs + scheduled.settle_epochs
        assert schedule(model) == replace(scheduled, settle_epochs=epochs, fixed_beta=fixed)
    assert recurrent.settle_beta == family.FIXED_BETA


def test_the_linear_autoencoder_is_linear():
    """No hidden layer, no path around it that would start it at the answer, nothing sampled."""
    for dataset in FAMILY.models:
        model = family.parameters(job_of("linear_ae", dataset))
        assert (model["hidden"], model["linear_path"], model["variational"]) == ((), False, False)


@pytest.mark.parametrize("dataset", ["toy", "beps_heldout"])
@pytest.mark.parametrize("model", NETWORKS)
def test_smoke_is_smaller_than_standard(dataset, model):
    (smoke, standard), shapes = zip(
        *(built(model, dataset, profile) for profile in ("smoke", "standard"))
    )
    sizes = [
        sum([*shape.get("hidden", ()), *shape.get("filters", ()), shape.get("width", 0)])
        for shape in shapes
    ]
    assert sizes[0] < sizes[1] or model == "linear_ae"
    assert smoke["schedule"].max_epochs * 4 < standard["schedule"].max_epochs
    assert differing(smoke, standard) == {"schedule"}


# One setting changed


TOUCHED = {"latents": {"n_components", "target_channels"}} | dict.fromkeys(
    ("beta", "kl_share", "epochs", "n_train"), {"schedule"}
)
"""What each setting changes of a model, if not the parameter of its name."""


@pytest.mark.parametrize("profile", ["smoke", "standard"])
@pytest.mark.parametrize(
    "sweep", sweeps.SWEEPS, ids=lambda sweep: f"{sweep.setting}-{sweep.models[0]}"
)
def test_a_sweep_builds_models_changed_in_its_setting_alone(sweep, profile):
    """Noise, and to how many spectra a linear model is fitted, are no parameters of a model."""
    for job in sweep.jobs(profile):
        if job.is_network:
            pytest.importorskip("mxnet")
        changed = differing(
            *(family.build(one).get_params() for one in (replace(job, variant=""), job))
        )
        of_data = sweep.setting == "noise" or (sweep.setting == "n_train" and not job.is_network)
        assert bool(changed) != of_data
        assert changed <= TOUCHED.get(sweep.setting, {sweep.setting})


@pytest.mark.parametrize("model", MODELS)
def test_latents_of_every_model_can_be_set(model):
    parameters = family.parameters(job_of(model, variant="latents=2"))
    chosen_by_beta = "target_channels" in parameters and model != "lstm_vae_fixed"
    assert parameters["target_channels" if chosen_by_beta else "n_components"] == 2
    assert differing(parameters, family.parameters(job_of(model))) <= {
        "target_channels",
        "n_components",
    }
    assert parameters["n_components"] == (16 if chosen_by_beta else 2)


@pytest.mark.parametrize(
    ("variant", "model", "name", "value"),
    [
        ("alpha=0.5", "dictionary_omp", "alpha", 0.5),
        ("hidden=64", "dense_ae", "hidden", (64, 64)),
        ("width=16", "lstm_vae", "width", 16),
        ("learning_rate=0.0015", "lstm_vae", "learning_rate", 0.0015),
        ("linear_path=0", "lstm_vae", "linear_path", False),
        ("n_own=0", "lstm_vae", "n_own", 0),
        ("input_noise=0.2", "dense_vae", "input_noise", 0.2),
    ],
)
def test_a_setting_has_the_value_it_is_given(variant, model, name, value):
    found = family.parameters(job_of(model, variant=variant))[name]
    assert (found, type(found)) == (value, type(value))


def changed_schedule(variant, model="lstm_vae", dataset="beps_heldout"):
    """Return the schedule as it is, and what of it changes."""
    before, after = (
        vars(family.parameters(job_of(model, dataset, variant=one))["schedule"])
        for one in ("", variant)
    )
    return before, {name: after[name] for name in differing(before, after)}


def test_settings_of_the_schedule():
    assert changed_schedule("kl_share=0.3")[1] == {"kl_share": 0.3}
    assert changed_schedule("beta=0.02", "lstm_vae_fixed", "toy")[1] == {"fixed_beta": 0.02}


FACTORS = {"epochs=3": 3, "epochs=0.33": 0.33, "n_train=1000": 2.88, "n_train=100": 28.8}


@pytest.mark.parametrize("variant", FACTORS)
@pytest.mark.parametrize("model", ["lstm_vae", "dense_ae"])
def test_epochs_are_multiplied_and_the_steps_of_the_ramp_are_not(variant, model):
    """Of fewer spectra a network has as many more epochs as there are fewer than 2880."""
    before, changed = changed_schedule(variant, model)
    longer = {
        name: max(1, round(before[name] * FACTORS[variant]))
        for name in ("warmup_epochs", "step_epochs", "settle_epochs")
    }
    assert changed == {name: value for name, value in longer.items() if value != before[name]}
    assert {"warmup_epochs", "settle_epochs"} <= changed.keys()


def test_a_linear_model_of_fewer_spectra_is_the_same():
    few, all_of_them = (
        family.parameters(job_of("pca", variant=variant)) for variant in ("n_train=100", "")
    )
    assert few == all_of_them == {"n_components": COMPONENTS["beps"]}


def test_four_folds_are_2880_spectra():
    assert family.SPECTRA_OF_FOUR_FOLDS == 3600 * (N_FOLDS - 1) // N_FOLDS
