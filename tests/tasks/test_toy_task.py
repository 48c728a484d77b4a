"""What the toy tasks measure of a model whose faults are known."""

from __future__ import annotations

import numpy as np
import pytest

from replicate import study
from replicate.models.linear import PCA, DictionaryLearning
from replicate.tasks import load_task


def config(dataset):
    job = study.Job("smoke", dataset, "pca", 0)
    return study.describe(job) | {"provenance": {"spectra": "formula", "picture": "sample photograph"}}


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
    """Moved in z-scores and not in the units of the formula, so that only the middle of the axis is exactly two steps late."""
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
    model.set_params(transform_alpha=1.0)
    assert task.score(model)[0]["gamut_mse"] == pytest.approx(metrics["gamut_mse_coded_at_1"])


def test_shuffled_spectra_are_the_same_numbers_in_another_order(task):
    shuffled = load_task(config("toy_shuffled"))
    assert not np.array_equal(shuffled.train, task.train)
    np.testing.assert_array_equal(np.sort(shuffled.train, axis=1), np.sort(task.train, axis=1))
    order = [int(np.flatnonzero((task.train == column[:, None]).all(axis=0))[0]) for column in shuffled.train.T]
    np.testing.assert_array_equal(shuffled.data.gamut, task.data.gamut[:, order])


def test_pca_is_blind_to_order(task):
    shuffled = load_task(config("toy_shuffled"))
    here, there = (form.score(PCA(3).fit(form.train))[0] for form in (task, shuffled))
    assert there["gamut_mse"] == pytest.approx(here["gamut_mse"], rel=1e-5)
    assert set(there) <= set(here)
