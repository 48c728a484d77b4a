import json
from dataclasses import replace

import numpy as np
import pytest

from replicate.analysis.residuals import per_spectrum_mse
from replicate.data import sources, toy
from replicate.data.heldout import spatial_folds
from replicate.errors import ReplicationError
from replicate.provenance import Sources
from replicate.running import execute, runs
from replicate.study.job import Job, toy_sizes

SIMULATED = Sources(scan="simulated twin", picture="sample photograph")


def run(job, tmp_path, report=lambda **progress: None):
    execute.execute(job, SIMULATED, tmp_path, report)
    return runs.Run.of(tmp_path, job)


def test_scan_run_scores_what_it_stores(tmp_path):
    finished = run(Job("smoke", "beps", "pca", 0), tmp_path)
    scan = sources.load_scan("simulated twin")
    errors = per_spectrum_mse(scan.spectra, finished.arrays["reconstructions"])
    metrics = finished.record["metrics"]
    assert metrics["mse"] == pytest.approx(errors.mean(), rel=1e-5)
    assert (metrics["mse_piezoresponse"] + metrics["mse_resonance"]) / 2 == pytest.approx(
        metrics["mse"], rel=1e-5
    )
    centred = scan.spectra - scan.spectra.mean(axis=0)
    discarded = np.linalg.svd(centred.astype(float), compute_uv=False)[5:]
    assert metrics["mse"] == pytest.approx((discarded**2).sum() / scan.spectra.size, rel=1e-4)
    assert finished.arrays["generated"].shape == (5, 9, scan.spectra.shape[1])
    assert finished.record["provenance"] == {"spectra": "simulated twin"}


def test_heldout_run_never_sees_the_pixels_it_is_scored_on(tmp_path, monkeypatch):
    job = Job("smoke", "beps_heldout", "pca", 0)
    honest = run(job, tmp_path / "a").record["metrics"]["heldout_mse"]
    scan = sources.load_scan("simulated twin")
    heldout = spatial_folds() == 0
    spoilt = scan.spectra.copy()
    spoilt[heldout] *= -1

    monkeypatch.setattr(sources, "load_scan", lambda provenance: replace(scan, spectra=spoilt))
    finished = run(job, tmp_path / "b")
    fitted = runs.Run.of(tmp_path / "a", job)
    for name, array in finished_weights(fitted).items():
        np.testing.assert_array_equal(array, finished_weights(finished)[name])
    assert finished.record["metrics"]["heldout_mse"] > 2 * honest
    assert finished.arrays["heldout"].sum() == 720


def finished_weights(finished):
    return dict(np.load(finished.folder / "weights.npz"))


def test_refined_latents_are_stored_and_decode_to_the_error_they_are_scored_by(tmp_path):
    """Of the fold of the seed, and without the model: components and mean are enough."""
    finished = run(Job("smoke", "beps_heldout", "pca", 3), tmp_path)
    fold = spatial_folds() == 3
    np.testing.assert_array_equal(finished.arrays["heldout"], fold)
    spectra, weights = (
        sources.load_scan("simulated twin").spectra.reshape(3600, 2, 96),
        finished_weights(finished),
    )
    mean, std = (
        function(spectra[~fold].astype(float), axis=(0, 2)) for function in (np.mean, np.std)
    )
    scaled = ((spectra - mean[:, None]) / std[:, None]).reshape(3600, 192)
    decoded = finished.arrays["refined"] @ weights["components_"] + weights["mean_"]
    error = np.mean((decoded - scaled[fold]) ** 2)
    assert finished.record["metrics"]["heldout_mse_refined"] == pytest.approx(error, rel=1e-4)


def test_the_twin_is_simulated_where_the_scan_is_measured(tmp_path):
    """And its record says so; no file is behind it."""
    job = Job("smoke", "twin", "pca", 0)
    execute.execute(job, Sources(scan="measured", picture="painting"), tmp_path)
    finished = runs.Run.of(tmp_path, job)
    assert (finished.record["provenance"], finished.record["data_sha256"]) == (
        {"spectra": "simulated twin"},
        {},
    )
    metrics = finished.record["metrics"]
    assert 0 < metrics["noise_mse"] < 0.001 < metrics["heldout_mse"]
    assert metrics["clean_mse"] < metrics["heldout_mse"], "what PCA leaves out is noise as well"
    assert metrics["maps_r2"] > 0.3


def test_a_variant_is_a_run_of_its_own(tmp_path):
    """With its own folder, configuration and numbers."""
    jobs = [
        Job("smoke", "beps_heldout", "pca", 0, variant)
        for variant in ("", "latents=2", "n_train=100")
    ]
    studied, two, few = (run(job, tmp_path) for job in jobs)
    assert two.folder == tmp_path / "smoke" / "beps_heldout" / "pca" / "latents=2" / "seed0"
    assert [one.record["variant"] for one in (studied, two, few)] == [job.variant for job in jobs]
    assert [len(finished_weights(one)["components_"]) for one in (studied, two, few)] == [5, 2, 5]
    errors = [one.record["metrics"]["heldout_mse"] for one in (studied, two, few)]
    assert errors[0] < errors[2] < errors[1]
    assert len({one.record["key"] for one in (studied, two, few)}) == 3


def test_toy_run_weighs_every_pixel_of_the_picture(tmp_path):
    finished = run(Job("smoke", "toy", "pca", 0), tmp_path)
    data = toy.make(sources.load_picture("sample photograph"), 0, **toy_sizes("smoke"))
    arrays = finished.arrays
    by_pixel = data.image.expand(arrays["painting_mse"])
    assert finished.record["metrics"]["painting_mse"] == pytest.approx(by_pixel.mean())
    best, median, worst = arrays["painting_mse"][arrays["examples"]]
    assert best == by_pixel.min() and worst == by_pixel.max()
    assert median == pytest.approx(np.median(by_pixel), rel=1e-3)
    again = per_spectrum_mse(data.painting[arrays["examples"]], arrays["example_reconstructions"])
    np.testing.assert_allclose(again, [best, median, worst], rtol=1e-6)


def test_failed_run_keeps_its_record_and_its_traceback(tmp_path, monkeypatch):
    job = Job("smoke", "beps", "pca", 0)

    def broken(provenance):
        raise ReplicationError("the scan is gone")

    monkeypatch.setattr(sources, "load_scan", broken)
    with pytest.raises(ReplicationError, match="the scan is gone"):
        run(job, tmp_path)
    record = json.loads((runs.Run.of(tmp_path, job).folder / "record.json").read_text())
    assert record["status"] == "failed" and "the scan is gone" in record["error"]
    monkeypatch.undo()
    assert run(job, tmp_path).status == "complete"


def test_configuration_changes_with_what_the_numbers_depend_on():
    def key(job, provenance=SIMULATED):
        return runs.key(execute.configuration(job, provenance))

    job = Job("smoke", "beps", "pca", 0)
    changes = [
        ("standard", "beps", "pca", 0),
        ("smoke", "beps", "dictionary_learning", 0),
        ("smoke", "beps", "pca", 1),
    ]
    changes += [
        ("smoke", "beps", "pca", 0, "latents=2"),
        *(("smoke", name, "pca", 0) for name in ("beps_heldout", "beps_shuffled", "twin")),
    ]
    others = [Job(*change) for change in changes]
    keys = {key(job), key(job, replace(SIMULATED, scan="measured")), *map(key, others)}
    assert len(keys) == 9
    assert key(job) == key(job, replace(SIMULATED, picture="painting")), (
        "the scan does not depend on the picture"
    )
    twin = Job("smoke", "twin", "pca", 0)
    assert key(twin) == key(twin, replace(SIMULATED, scan="measured")), (
        "the twin does not depend on the scan"
    )


def test_weights_are_kept_at_each_beta_of_the_ramp_for_the_movies(tmp_path):
    """Only the LSTM beta-VAE on the data of the paper has them.

    Those of the selected beta are the ones that the training went on from.
    """
    pytest.importorskip("mxnet")
    filmed = run(Job("smoke", "beps", "lstm_vae", 0), tmp_path)
    ramp = [row for row in filmed.history if row["phase"] == "ramp"]
    kept = sorted((filmed.folder / "ramp").iterdir())
    assert [path.name for path in kept] == [f"epoch{int(row['epoch']):05d}.npz" for row in ramp]
    snapshots = [dict(np.load(path)) for path in kept]
    assert [float(snapshot.pop("beta")) for snapshot in snapshots] == [
        float(row["beta"]) for row in ramp
    ]
    final = finished_weights(filmed)
    for snapshot in snapshots:
        assert {name: array.shape for name, array in snapshot.items()} == {
            name: array.shape for name, array in final.items()
        }
        assert any((snapshot[name] != final[name]).any() for name in final)
    other = run(Job("smoke", "beps_heldout", "lstm_vae", 0), tmp_path)
    assert not (other.folder / "ramp").exists()
