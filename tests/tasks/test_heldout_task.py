"""Folds of the scan, shuffled steps, fewer spectra and the simulated twin.

The models have known faults.
"""

from __future__ import annotations

import numpy as np
import pytest

from replicate.data import sources, twin
from replicate.data.heldout import spatial_folds
from replicate.models.linear import PCA, DictionaryLearning
from replicate.study.job import DATASETS, Job, describe
from replicate.tasks import TASKS, load_task
from replicate.tasks.scan import HeldoutTask
from replicate.tasks.twin import MAPS, TwinTask

FOLDS = spatial_folds()


def task_of(dataset="beps_heldout", seed=0, variant=""):
    job = Job("smoke", dataset, "pca", seed, variant)
    return load_task(describe(job) | {"provenance": {"spectra": "simulated twin"}})


def scaled(spectra, fold=0, like=None):
    """Scale each channel of spectra by the mean and the deviation of the other folds.

    Both are taken from `like` where that is another array.
    """
    others = (spectra if like is None else like)[fold != FOLDS].astype(float)
    mean, std = (
        np.repeat([function(others[:, :96]), function(others[:, 96:])], 96)
        for function in (np.mean, np.std)
    )
    return (spectra - mean) / std


class Known:
    """A model that decodes what is known of each pixel, whatever it is given."""

    n_parameters_ = 0
    active_ = np.zeros(1, dtype=bool)
    channel_kl_ = np.zeros(1)

    def __init__(self, spectra):
        self.spectra = spectra

    def transform(self, X):
        return np.arange(len(X), dtype=float)[:, None]

    def inverse_transform(self, Z):
        return self.spectra[np.rint(Z[:, 0]).astype(int)]


@pytest.fixture(scope="module")
def scan():
    return twin.simulate()


@pytest.fixture(scope="module")
def task():
    return task_of()


@pytest.fixture(scope="module")
def twin_task():
    return task_of("twin")


# Folds


def test_every_data_set_has_its_task():
    assert set(TASKS) == set(DATASETS)
    assert type(task_of("beps_shuffled")) is HeldoutTask
    assert type(task_of("twin")) is TwinTask


def test_five_seeds_hold_out_every_pixel_once(scan, monkeypatch):
    monkeypatch.setattr(sources, "load_scan", lambda provenance: scan)
    tasks = [task_of(seed=seed) for seed in range(6)]
    np.testing.assert_array_equal(
        sum(task.heldout.astype(int) for task in tasks[:5]), np.ones(3600)
    )
    np.testing.assert_array_equal(tasks[5].heldout, tasks[0].heldout)
    for task in tasks:
        assert not set(task.fitted) & set(np.flatnonzero(task.heldout))
        assert task.fitted.size + task.heldout.sum() == 3600


@pytest.mark.parametrize("dataset", ["beps_heldout", "beps_shuffled"])
def test_nothing_of_the_fold_left_out_reaches_a_model(scan, monkeypatch, dataset):
    """Neither as a spectrum nor by way of the scaling."""
    honest = task_of(dataset, seed=2)
    spoilt = twin.simulate()
    spoilt.spectra[honest.heldout] = 1e6
    monkeypatch.setattr(sources, "load_scan", lambda provenance: spoilt)
    np.testing.assert_array_equal(task_of(dataset, seed=2).train, honest.train)
    assert honest.train.max() < 100


@pytest.mark.parametrize("dataset", ["beps_buffered", "beps_stripes"])
def test_nothing_within_two_pixels_of_the_fold_left_out_reaches_a_model(scan, monkeypatch, dataset):
    """Neither as a spectrum nor by way of the scaling; what lies three pixels away does."""
    honest = task_of(dataset, seed=3)
    rows, columns = np.indices((60, 60)).reshape(2, -1)
    distances = np.maximum(
        np.abs(rows[:, None] - rows[honest.heldout]),
        np.abs(columns[:, None] - columns[honest.heldout]),
    ).min(axis=1)
    np.testing.assert_array_equal(honest.fitted, np.flatnonzero(distances > 2))
    spoilt = twin.simulate()
    spoilt.spectra[distances <= 2] = 1e6
    monkeypatch.setattr(sources, "load_scan", lambda provenance: spoilt)
    np.testing.assert_array_equal(task_of(dataset, seed=3).train, honest.train)


@pytest.mark.parametrize("dataset", ["beps_buffered", "beps_stripes"])
def test_five_seeds_hold_out_every_pixel_once_on_other_splits(scan, monkeypatch, dataset):
    monkeypatch.setattr(sources, "load_scan", lambda provenance: scan)
    for first in (0, 5):
        heldout = [task_of(dataset, seed=seed).heldout for seed in range(first, first + 5)]
        np.testing.assert_array_equal(np.sum(heldout, axis=0), np.ones(3600))


def test_the_second_five_seeds_hold_out_other_blocks():
    first, second = (task_of("beps_buffered", seed=seed).heldout for seed in (0, 5))
    assert (first != second).any()
    for heldout in (first, second):
        blocks = heldout.reshape(5, 12, 5, 12).swapaxes(1, 2).reshape(25, 144)
        assert (blocks == blocks[:, :1]).all()
    np.testing.assert_array_equal(
        np.flatnonzero(task_of("beps_stripes", seed=6).heldout), np.arange(720, 1440)
    )


def test_channels_are_scaled_on_the_other_folds(scan, task):
    np.testing.assert_allclose(task.spectra, scaled(scan.spectra), atol=1e-5)
    np.testing.assert_array_equal(task.train, task.spectra[FOLDS != 0])


def test_errors_are_of_the_pixels_they_say(task):
    """A model that is off by one on the fold left out, and there by two on the resonance."""
    offset = np.zeros((3600, 192))
    offset[FOLDS == 0] = np.repeat([1, 2], 96)
    model = Known(task.spectra + offset)
    metrics, arrays = task.score(model, refined=np.flatnonzero(task.heldout)[:, None].astype(float))
    expected = {"heldout_mse": 2.5, "heldout_mse_piezoresponse": 1, "heldout_mse_resonance": 4}
    expected |= {name.replace("mse", "mse_refined"): value for name, value in expected.items()}
    expected |= {
        "mse": 0,
        "mse_piezoresponse": 0,
        "mse_resonance": 0,
        "index_bias": np.sqrt(2.5),
        "index_spread": 0,
    }
    assert {name: metrics[name] for name in expected} == pytest.approx(expected, abs=1e-6)
    np.testing.assert_allclose(arrays["mse"], 2.5 * (FOLDS == 0))
    np.testing.assert_array_equal(arrays["heldout"], FOLDS == 0)
    np.testing.assert_allclose(arrays["refined_mse"], np.full(720, 2.5), atol=1e-6)


# Refined latents


def test_codes_of_pca_are_the_best_already(task):
    metrics, arrays = task.score(PCA(5).fit(task.train))
    assert metrics["heldout_mse_refined"] == pytest.approx(metrics["heldout_mse"], rel=1e-5)
    assert (arrays["refined"].shape, arrays["refined"].dtype) == ((720, 5), np.float32)


def test_refined_codes_of_dictionary_learning_are_least_squares(task):
    """The penalty is gone; where the refined latents are known already, they are only decoded."""
    model = DictionaryLearning(5).fit(task.train[::20])
    metrics, arrays = task.score(model)
    new = task.spectra[task.heldout].astype(float)
    best = np.linalg.lstsq(model.components_.T.astype(float), new.T, rcond=None)[0].T
    left = np.mean((best @ model.components_ - new) ** 2)
    assert metrics["heldout_mse_refined"] == pytest.approx(left, rel=1e-4)
    assert left < metrics["heldout_mse"]
    both = metrics["heldout_mse_refined_piezoresponse"] + metrics["heldout_mse_refined_resonance"]
    assert both / 2 == pytest.approx(left, rel=1e-4)
    again, known = task.score(model, refined=arrays["refined"])
    assert again == metrics
    np.testing.assert_array_equal(known["refined"], arrays["refined"])


# Shuffled steps


def test_shuffled_steps_are_the_same_numbers_in_one_order_of_both_channels(task):
    shuffled = task_of("beps_shuffled")
    order = [
        int(np.flatnonzero((task.train[:, :96] == column[:, None]).all(axis=0))[0])
        for column in shuffled.train[:, :96].T
    ]
    assert sorted(order) == list(range(96)) != order
    for half in (0, 96):
        np.testing.assert_array_equal(
            shuffled.spectra[:, half : half + 96], task.spectra[:, half : half + 96][:, order]
        )
    np.testing.assert_array_equal(shuffled.heldout, task.heldout)
    np.testing.assert_array_equal(
        shuffled.columns, task_of("beps_shuffled", seed=3).columns, "every seed has the same order"
    )


def test_pca_is_blind_to_order(task):
    here, there = (
        form.score(PCA(5).fit(form.train))[0] for form in (task, task_of("beps_shuffled"))
    )
    assert {
        name for name in here if not name.startswith(("shoulder", "descriptor"))
    } == there.keys(), "loops out of order have no shoulders"
    for name in there:
        assert there[name] == pytest.approx(here[name], rel=1e-5, abs=1e-5)


# Aligned channels


def test_aligned_channels_are_on_one_voltage_axis(task, scan):
    aligned = task_of("beps_aligned")
    np.testing.assert_array_equal(aligned.heldout, task.heldout)
    np.testing.assert_array_equal(aligned.spectra, scan.align(task.spectra).reshape(3600, 192))
    assert (aligned.spectra != task.spectra).any()


def test_the_loops_of_aligned_channels_are_scored_in_the_order_of_the_scan(task):
    """PCA is blind to order, so its shoulders and descriptors are the same; no name is missing."""
    here, there = (
        form.score(PCA(5).fit(form.train))[0] for form in (task, task_of("beps_aligned"))
    )
    assert here.keys() == there.keys()
    for name in here:
        assert there[name] == pytest.approx(here[name], rel=1e-4, abs=1e-5), name


# Fewer spectra


def test_fewer_spectra_are_some_of_the_same(task):
    """Of the four folds, scaled as all of them are; every seed has others."""
    few, other = task_of(variant="n_train=100"), task_of(seed=5, variant="n_train=100")
    assert few.train.shape == (100, 192)
    assert len(set(few.fitted)) == 100
    assert not few.heldout[few.fitted].any()
    np.testing.assert_array_equal(few.spectra, task.spectra)
    np.testing.assert_array_equal(few.train, task.spectra[few.fitted])
    np.testing.assert_array_equal(few.fitted, task_of(variant="n_train=100").fitted)
    np.testing.assert_array_equal(other.heldout, few.heldout)
    assert set(other.fitted) != set(few.fitted)


def test_fewer_spectra_are_fitted_better_and_others_worse(task):
    """The training error is that of the spectra fitted to, not of all that are not left out."""
    few = task_of(variant="n_train=20")
    (of_all, errors), (metrics, arrays) = (
        form.score(PCA(5).fit(form.train)) for form in (task, few)
    )
    assert metrics["mse"] == pytest.approx(arrays["mse"][few.fitted].mean())
    assert metrics["mse"] < errors["mse"][few.fitted].mean()
    assert metrics["heldout_mse"] > of_all["heldout_mse"]


# The twin


@pytest.mark.parametrize("noise", [1, 3])
def test_a_model_that_takes_the_noise_away(noise):
    """What it decodes comes from another simulation, scaled by hand as the noisy spectra are."""
    task = task_of("twin", seed=1, variant=f"noise={noise}" if noise > 1 else "")
    parameters = twin.TwinParameters(
        noise=tuple(noise * level for level in twin.TwinParameters().noise)
    )
    noisy, clean = (
        twin.simulate(noise=with_noise, parameters=parameters).spectra
        for with_noise in (True, False)
    )
    np.testing.assert_allclose(task.spectra, scaled(noisy, 1), atol=1e-5)
    refined = np.flatnonzero(task.heldout)[:, None].astype(float)
    metrics, _ = task.score(Known(scaled(clean, 1, like=noisy)), refined)
    assert metrics["clean_mse"] == pytest.approx(0, abs=1e-9)
    assert metrics["heldout_mse"] == pytest.approx(metrics["noise_mse"], rel=1e-4)
    assert "maps_r2" not in metrics, "no latent is in use"


def test_a_model_that_takes_no_noise_away(twin_task, scan):
    """The noise is what the twin says, in units of the standard deviation of the other folds."""
    metrics, _ = twin_task.score(
        Known(twin_task.spectra), np.flatnonzero(twin_task.heldout)[:, None].astype(float)
    )
    assert metrics["clean_mse"] == metrics["noise_mse"]
    units = [half.std() for half in np.split(scan.spectra[FOLDS != 0].astype(float), 2, axis=1)]
    assert metrics["noise_mse"] == pytest.approx(
        np.mean(np.square(twin.TwinParameters().noise) / np.square(units)), rel=0.02
    )


def test_three_times_the_noise(twin_task):
    """The mean square is nine times as great, but for the unit of the z-scores.

    That unit grows with the noise, by less than 1 %.
    """
    once, thrice = (
        form.score(Known(form.spectra), np.zeros((720, 1)))[0]["noise_mse"]
        for form in (twin_task, task_of("twin", variant="noise=3"))
    )
    assert thrice / once == pytest.approx(9, rel=0.02)
    assert thrice / once < 9


def test_the_twin_is_simulated_whatever_the_study_runs_on():
    job = Job("smoke", "twin", "pca", 0)
    measured = load_task(describe(job) | {"provenance": {"spectra": "measured"}})
    assert measured.scan.provenance == "simulated twin"


@pytest.mark.parametrize(
    ("latents", "low", "high"), [("maps", 0.97, 1), ("mixed", 0.9, 1), ("noise", 0, 0.02)]
)
def test_maps_that_latents_tell_of(twin_task, latents, low, high):
    """The maps themselves, a rotation of them, and nothing of them."""
    maps = np.stack([twin_task.scan.truth[name].ravel() for name in MAPS], axis=1).astype(float)
    rng = np.random.default_rng(0)
    standard = (maps - maps.mean(axis=0)) / maps.std(axis=0)
    mixing = np.linalg.qr(rng.normal(size=(len(MAPS), len(MAPS))))[0]
    known = {"maps": maps, "mixed": standard @ mixing, "noise": rng.normal(size=(3600, 3))}[latents]

    class Encoder(Known):
        active_ = np.ones(known.shape[1], dtype=bool)

        def transform(self, X):
            return known

        def inverse_transform(self, Z):
            return np.zeros((len(Z), 192))

    metrics, _ = twin_task.score(Encoder(None), np.zeros((720, known.shape[1])))
    assert low <= metrics["maps_r2"] <= high
