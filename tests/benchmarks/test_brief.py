"""A scan in brief: words by their rule, the best model among equals, alike latents of seeds."""

import numpy as np
import pytest

from benchmarks import brief
from replicate.files import write_npz
from replicate.running.runs import Run
from replicate.study.job import Job


def metrics(**errors):
    """Return the entries of held-out errors, each of one seed, and of their features."""
    found = {}
    for model, error in errors.items():
        values = error if isinstance(error, list) else [error]
        entry = {"value": float(np.mean(values)), "values": values, "seeds": [*range(len(values))]}
        found[f"beps_heldout.{model}.heldout_mse"] = entry
    return found


def value(number):
    return {"value": number, "values": [number], "seeds": [0]}


@pytest.mark.parametrize(
    ("correlation", "word"),
    [
        (0.95, "kept (0.95)"),
        (0.9, "kept (0.90)"),
        (0.7, "mostly kept (0.70)"),
        (0.3, "lost (0.30)"),
    ],
)
def test_features_are_called_by_the_rule(tmp_path, correlation, word):
    entries = metrics(pca=0.5) | {"beps_heldout.pca.descriptor_correlation": value(correlation)}
    row = brief._row(entries, "pca", tmp_path)
    assert row.features == word and row.shoulders == "–" and row.over_pca == 1


def rows(tmp_path, entries):
    return [brief._row(entries, model, tmp_path) for model in ("pca", "dense_ae", "lstm_vae_fixed")]


def test_the_best_has_no_more_latents_than_the_others(tmp_path):
    entries = metrics(pca=[0.5, 0.7], dense_ae=0.45, lstm_vae_fixed=0.1)
    entries["beps_heldout.lstm_vae_fixed.active_channels"] = value(16)
    told = brief._on_models(entries, [row for row in rows(tmp_path, entries) if row])
    assert "Dense autoencoder has the lowest error" in told and "25 % below PCA's (2 folds)" in told


def test_none_better_than_pca_is_said(tmp_path):
    entries = metrics(pca=0.5, dense_ae=0.499)
    found = [row for row in rows(tmp_path, entries) if row]
    assert "No model describes loops" in brief._on_models(entries, found)
    assert brief._on_models(metrics(dense_ae=0.4), found) is None


def test_latents_of_seeds_are_compared(tmp_path, rng):
    latents = rng.normal(size=(50, 3))
    for seed in (0, 1):
        run = Run.of(tmp_path, Job("smoke", "beps", "pca", seed))
        run.prepare({"seed": seed})
        write_npz(run.folder / "arrays.npz", latents=latents[:, ::-1] * (-1) ** seed)
        run.finish({"seed": seed}, {"status": "complete", "metrics": {}})
    assert brief._alike(tmp_path / "smoke", "pca") == pytest.approx(1)
    run.folder.joinpath("arrays.npz").unlink()
    assert brief._alike(tmp_path / "smoke", "pca") is None
    assert brief._alike(tmp_path / "smoke", "ica") is None


def test_further_seeds_are_asked_for_once(tmp_path):
    told = brief._on_seeds(metrics(pca=0.5), tmp_path / "smoke")
    assert f"--results {tmp_path} --seed 0 1 2 3 4`" in told
    assert brief._on_seeds(metrics(pca=[0.5, 0.6]), tmp_path / "smoke") is None
