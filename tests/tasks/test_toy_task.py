"""What the toy tasks measure of a model whose faults are known."""

from __future__ import annotations

import numpy as np
import pytest

from replicate.analysis.disentanglement import disentangled
from replicate.data import sources, toy
from replicate.models.linear import PCA, DictionaryLearning
from replicate.numbers.kinds import KINDS
from replicate.study.job import Job, describe
from replicate.tasks import load_task
from replicate.tasks.toy import ColoursTask, PictureTask


def config(dataset, model="pca"):
    job = Job("smoke", dataset, model, 0)
    return describe(job) | {"provenance": {"spectra": "formula", "picture": "sample photograph"}}


@pytest.fixture(scope="module")
def task():
    return load_task(config("toy"))


class Identity:
    """Returns what it is given, moved by a number of steps or raised by a constant."""

    n_parameters_ = 0

    def __init__(self, shift=0, offset=0.0):
        self.shift, self.offset = shift, offset

    def transform(self, X):
        return X

    def inverse_transform(self, Z):
        return np.roll(Z, self.shift, axis=1) + self.offset


def test_a_perfect_model_has_no_fault(task):
    metrics, _ = task.score(Identity())
    for name in (
        "mse",
        "gamut_mse",
        "painting_mse",
        "index_bias",
        "index_spread",
        "shift_error",
        "encoder_nonlinearity",
        "decoder_nonlinearity",
    ):
        assert metrics[name] == pytest.approx(0, abs=1e-5)
    assert (metrics["shift_slope"], metrics["shape_worst"]) == (pytest.approx(1), pytest.approx(1))


def test_an_offset_is_an_offset_and_no_spread(task):
    metrics, arrays = task.score(Identity(offset=0.3))
    assert metrics["index_bias"] == pytest.approx(0.3, rel=1e-5)
    assert metrics["index_spread"] == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(arrays["index_bias"], 0.3, rtol=1e-5)


def test_a_model_that_is_late_by_two_steps(task):
    """Spectra are moved in z-scores and not in the units of the formula.

    So only the middle of the axis is exactly two steps late.
    """
    metrics, _ = task.score(Identity(shift=2))
    assert metrics["shift_error"] == pytest.approx(2, abs=0.5)


def test_a_constant_model_follows_no_shift(task):
    mean = PCA(1).fit(task.train)
    mean.components_ = np.zeros_like(mean.components_)
    metrics, _ = task.score(mean)
    assert metrics["shift_slope"] == pytest.approx(0, abs=1e-6)
    assert metrics["shift_error"] > 3


def test_the_old_default_codes_with_1_and_leaves_the_model_as_it_is(task):
    model = DictionaryLearning(3, 0.57).fit(task.train[:300])
    metrics, _ = task.score(model)
    assert metrics["gamut_mse_coded_at_1"] > metrics["gamut_mse"]
    assert model.transform_alpha is None
    old = model.set_params(transform_alpha=1.0).transform(task.data.gamut)
    assert np.mean((model.inverse_transform(old) - task.data.gamut) ** 2) == pytest.approx(
        metrics["gamut_mse_coded_at_1"]
    )


def test_shuffled_spectra_are_the_same_numbers_in_another_order(task):
    shuffled = load_task(config("toy_shuffled"))
    assert not np.array_equal(shuffled.train, task.train)
    np.testing.assert_array_equal(np.sort(shuffled.train, axis=1), np.sort(task.train, axis=1))
    order = [
        int(np.flatnonzero((task.train == column[:, None]).all(axis=0))[0])
        for column in shuffled.train.T
    ]
    np.testing.assert_array_equal(shuffled.data.gamut, task.data.gamut[:, order])


def test_pca_is_blind_to_order(task, colours):
    shuffled = load_task(config("toy_shuffled"))
    here, there = (form.score(PCA(3).fit(form.train))[0] for form in (colours, shuffled))
    assert there.keys() == here.keys()
    for name in ("mse", "gamut_mse", "gamut_mse_refined", "n_parameters"):
        assert there[name] == pytest.approx(here[name], rel=1e-5)


# Colours alone


@pytest.fixture(scope="module")
def colours():
    return load_task(config("toy", "ica"))


class Decoded:
    """A model that knows the colour behind every spectrum of a task, as some latents of it."""

    n_parameters_ = 0

    def __init__(self, task, latents):
        self.data, self.latents = task.data, latents

    def transform(self, X):
        return self.latents(self.data.colours["train" if X is self.data.train else "gamut"])

    def inverse_transform(self, Z):
        return self.data.standardise(toy.spectra(np.clip(Z, 0, 1)))


def test_the_picture_is_for_models_of_the_paper():
    """And is not even loaded for the others."""
    tasks = {
        (data, model): type(load_task(config(data, model)))
        for data in ("toy", "toy_shuffled")
        for model in ("lstm_vae", "dense_vae")
    }
    assert tasks.pop(("toy", "lstm_vae")) is PictureTask
    assert set(tasks.values()) == {ColoursTask}


def test_colours_alone_are_the_same_colours(task, colours, monkeypatch):
    monkeypatch.setattr(sources, "load_picture", None)
    np.testing.assert_array_equal(colours.train, task.train)
    assert colours.validation is None
    np.testing.assert_array_equal(task.validation, task.data.gamut[:1000])
    model = PCA(3).fit(task.train)
    (metrics, _), (with_picture, _) = colours.score(model), task.score(model)
    assert metrics == {name: with_picture[name] for name in metrics}
    assert {"painting_mse", "index_bias", "shift_slope"} <= with_picture.keys() - metrics.keys()


def test_a_model_whose_latents_are_the_colours(colours):
    """On 500 colours the measures fall short of 1 by what histograms and forests cannot tell."""
    metrics, _ = colours.score(Decoded(colours, lambda colours: colours))
    assert max(metrics["mse"], metrics["gamut_mse"], metrics["gamut_mse_refined"]) < 1e-10
    told = {name: metrics[name] for name in disentangled(np.eye(9), np.eye(9))}
    assert told.pop("mig_rotated") < 0.4, "a rotation mixes the colours"
    assert told.keys() < KINDS.keys()
    assert all(0.8 < value <= 1 for value in told.values())


def test_refined_latents_are_the_colours_again(colours):
    """Of an encoder that guesses each colour a little wrongly."""
    noise = np.random.default_rng(0).normal(scale=0.02, size=(1000, 3))
    metrics, arrays = colours.score(
        Decoded(colours, lambda colours: colours + noise[: len(colours)])
    )
    assert metrics["gamut_mse"] > 0.01
    assert metrics["gamut_mse_refined"] < 0.1 * metrics["gamut_mse"]
    assert np.median(np.abs(arrays["refined"] - colours.data.colours["gamut"])) < 1e-3


def test_latents_that_do_not_vary_tell_nothing(colours):
    metrics, arrays = colours.score(Decoded(colours, np.zeros_like))
    assert not {"mig", "sap", "factors_r2"} & metrics.keys()
    np.testing.assert_array_equal(arrays["refined"], 0)
    assert metrics["gamut_mse_refined"] == metrics["gamut_mse"]
