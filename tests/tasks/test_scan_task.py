"""What the scan tasks measure of a model whose faults are known."""

from __future__ import annotations

import numpy as np
import pytest

from replicate.models.linear import PCA
from replicate.study.job import Job, describe
from replicate.tasks import load_task


@pytest.fixture(scope="module")
def task():
    job = Job("smoke", "beps", "pca", 0)
    return load_task(describe(job) | {"provenance": {"spectra": "simulated twin"}})


class Flattened(PCA):
    """PCA of all components, whose resonance is squeezed around its mean by a factor."""

    factor = 1.0

    def inverse_transform(self, Z):
        spectra = super().inverse_transform(Z)
        resonance = spectra[:, 96:]
        mean = resonance.mean(axis=1, keepdims=True)
        spectra[:, 96:] = mean + self.factor * (resonance - mean)
        return spectra


def test_softening_is_the_depth_that_is_left(task):
    model = Flattened(192).fit(task.train)
    assert task.score(model)[0]["softening_recovered"] == pytest.approx(1, abs=1e-3)
    model.factor = 0.6
    metrics, _ = task.score(model)
    assert metrics["softening_recovered"] == pytest.approx(0.6, abs=1e-3)
    assert metrics["shape_median_resonance"] == pytest.approx(1, abs=1e-3)
    assert metrics["mse_piezoresponse"] < 1e-6 < metrics["mse_resonance"]


def test_all_components_explain_the_domains_and_one_less_well(task):
    explained = [task.score(PCA(n).fit(task.train))[0]["domain_r2"] for n in (1, 5, 20)]
    assert explained == sorted(explained)
    assert explained[-1] > 0.99


def test_median_and_worst_are_of_the_errors(task):
    metrics, arrays = task.score(PCA(5).fit(task.train))
    assert metrics["mse_worst"] == arrays["mse"].max()
    assert metrics["mse_median"] == pytest.approx(np.median(arrays["mse"]))
    np.testing.assert_allclose(
        arrays["index_spread"] ** 2 + arrays["index_bias"] ** 2, _index_mse(task, arrays), rtol=1e-4
    )


def _index_mse(task, arrays):
    return np.mean((arrays["reconstructions"].astype(float) - task.train) ** 2, axis=0)


def test_softening_of_the_best_pixel_is_its_own(task):
    model = Flattened(192).fit(task.train)
    model.factor = 0.7
    metrics, _ = task.score(model)
    assert metrics["softening_best"] == pytest.approx(0.7, abs=1e-3)
    assert metrics["shape_typical_resonance"] == pytest.approx(1, abs=1e-3)
    assert metrics["shape_poor_piezoresponse"] == pytest.approx(1, abs=1e-3)
    assert metrics["large_errors"] > 0


def test_the_floor_of_the_domains_is_that_of_random_projections(task):
    """As many random projections as there are values say all; few say less."""
    floors = [task.score(PCA(n).fit(task.train))[0]["domain_r2_random"] for n in (1, 5, 5)]
    assert 0 < floors[0] < floors[1] == floors[2] < 1


def test_a_model_without_a_latent_in_use_is_scored_by_the_rest(task):
    """A VAE may end without an active channel: there is nothing to sweep, and no floor."""

    class Mean(PCA):
        active_ = np.zeros(2, dtype=bool)
        channel_kl_ = np.zeros(2)

    metrics, arrays = task.score(Mean(2).fit(task.train))
    assert metrics["mse"] > 0 and len(arrays["components"]) == 0
    swept = {"swept_concavity", "generated_distance", "domain_r2_random"}
    assert not swept & metrics.keys()


def test_generated_spectra_of_a_faithful_model_are_like_measured_ones(task):
    class Far(PCA):
        def inverse_transform(self, Z):
            return super().inverse_transform(Z) + 10

    near, far = (task.score(model(3).fit(task.train))[0] for model in (PCA, Far))
    assert near["generated_distance"] < 1 < far["generated_distance"]
    assert near["neighbour_distance"] == far["neighbour_distance"] > 0
    assert {"swept_concavity", "swept_hardening_negative", "swept_hardening_positive"} <= set(near)
