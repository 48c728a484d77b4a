"""The movies sweep each latent there and back, and their files are whole or not there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from replicate import study
from replicate.data import twin
from replicate.errors import ReplicationError
from replicate.files import write_json, write_npz
from replicate.runs import Run

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "figures"))
import film  # noqa: E402
import movies  # noqa: E402

JOB = study.Job("smoke", "beps", "dictionary_learning", 0)
needs_ffmpeg = pytest.mark.skipif(film.find_ffmpeg() is None, reason="needs ffmpeg, or the package imageio-ffmpeg")


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(movies, "N_VALUES", 5)
    monkeypatch.setattr(film, "DPI", 50)


@pytest.fixture
def scan(monkeypatch):
    """Return a small scan, which is the one the runs are made on."""
    small = twin.simulate(shape=(10, 12))
    monkeypatch.setattr(movies.sources, "load_scan", lambda _: small)
    return small


@pytest.fixture
def results(tmp_path, scan):
    """Return a folder with a run of dictionary learning, whose two atoms are the means of the channels and its codes their lasso."""
    run = Run.of(tmp_path, JOB)
    atoms = np.repeat(np.eye(2), 96, axis=1) / np.sqrt(96)
    codes = scan.spectra @ atoms.T
    latents = np.sign(codes) * np.maximum(np.abs(codes) - 1, 0)
    write_npz(run.folder / "weights.npz", components_=atoms.astype(np.float32))
    write_npz(run.folder / "arrays.npz", latents=latents.astype(np.float32), components=np.array([1, 0]))
    write_json(run.folder / "config.json", study.describe(JOB))
    record = {"key": "0", "status": "complete", "provenance": {"spectra": "simulated twin"}, "metrics": {}}
    write_json(run.folder / "record.json", record)
    return tmp_path


@pytest.fixture
def made(results):
    return movies.pictures("movie_s4", results, "smoke")


def test_a_sweep_decodes_the_latent_and_averages_the_nearest(scan, results, rng):
    class Twice:
        def inverse_transform(self, latents):
            return np.tile(2 * latents[:, [1]], (1, 192))

    latents = np.c_[rng.normal(size=120), np.arange(120.0)]
    subject = movies.scan_subject(Run.of(results, JOB))
    swept = movies.sweep(Twice(), latents, 1, subject)
    np.testing.assert_allclose(swept.values, np.linspace(0, 119, 5))
    assert swept.decoded.shape == (5, 2, 97)
    np.testing.assert_allclose(swept.decoded, np.broadcast_to(2 * swept.values[:, None, None], swept.decoded.shape))
    first, last = (scan.align(rows.mean(axis=0, keepdims=True))[0] for rows in (scan.spectra[:100], scan.spectra[20:]))
    np.testing.assert_allclose(swept.nearest[0, :, :96], first, atol=1e-5)
    np.testing.assert_allclose(swept.nearest[-1, :, :96], last, atol=1e-5)
    np.testing.assert_array_equal(swept.nearest[:, :, 96], swept.nearest[:, :, 0])


def test_frames_go_there_and_back_and_only_lines_move(made):
    assert len(made) == 2 * 5 - 2
    for number in (1, 2, 3):
        np.testing.assert_array_equal(made[number], made[-number])
    moved = np.any(made[0] != made[4], axis=2)
    assert 0.001 < moved.mean() < 0.3
    assert all(n % 2 == 0 for n in made[0].shape[:2])


def test_a_gif_holds_every_frame_and_is_the_same_each_time(made, tmp_path):
    paths = [tmp_path / "films" / f"{i}.gif" for i in range(2)]
    for path in paths:
        film.write_gif(path, made)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert sorted((tmp_path / "films").iterdir()) == paths
    with Image.open(paths[0]) as image:
        assert (image.n_frames, image.info["duration"], image.info["loop"]) == (8, 50, 0)
        for number, frame in enumerate(made):
            image.seek(number)
            shown = np.asarray(image.convert("RGB"))
            assert np.abs(shown.astype(int) - frame).mean() < 3
            np.testing.assert_array_equal(shown[0], 255)


@needs_ffmpeg
def test_an_mp4_decodes_to_the_frames(made, tmp_path):
    path = tmp_path / "film.mp4"
    film.write_mp4(path, made, film.find_ffmpeg())
    command = [film.find_ffmpeg(), "-loglevel", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    decoded = np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, dtype=np.uint8).reshape(-1, *made[0].shape)
    assert len(decoded) == len(made)
    assert np.abs(decoded.astype(int) - made).mean() < 4


def test_an_ffmpeg_that_fails_is_said_and_leaves_nothing(made, tmp_path):
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\ncat > /dev/null\necho no such encoder >&2\nexit 1\n")
    os.chmod(broken, 0o755)
    with pytest.raises(ReplicationError, match="no such encoder"):
        film.write_mp4(tmp_path / "films" / "film.mp4", made, str(broken))
    assert list((tmp_path / "films").iterdir()) == []


def test_without_ffmpeg_there_is_the_gif(results, monkeypatch, capsys):
    monkeypatch.setattr(film, "find_ffmpeg", lambda: None)
    assert movies.main(["movie_s4", "--results", str(results), "--profile", "smoke"]) == 0
    printed = capsys.readouterr()
    assert printed.out.split() == [str(results / "smoke" / "figures" / "movie_s4.gif")]
    assert "imageio-ffmpeg" in printed.err


def test_a_movie_that_cannot_be_made_does_not_keep_the_others(results, monkeypatch, capsys):
    monkeypatch.setattr(film, "find_ffmpeg", lambda: None)
    assert movies.main(["movie_s6", "movie_s9", "movie_s4", "--results", str(results), "--profile", "smoke"]) == 2
    printed = capsys.readouterr()
    assert "smoke/beps/lstm_vae" in printed.err and "movie_s9: no such movie" in printed.err
    assert printed.out.endswith("movie_s4.gif\n")


def test_weights_that_do_not_give_the_latents_are_refused(results):
    run = Run.of(results, JOB)
    write_npz(run.folder / "arrays.npz", **run.arrays | {"latents": run.arrays["latents"] + 0.1})
    with pytest.raises(ReplicationError, match="does not give the latents"):
        movies.pictures("movie_s4", results, "smoke")


def test_a_network_is_put_together_in_the_form_it_was_trained_in(tmp_path):
    """Its patch stands in the configuration of the run; the family may have another by now."""
    run, weights = Run.of(tmp_path, JOB), {"decoder.output.bias": np.zeros(8), "encoder.mean.bias": np.zeros(3)}
    asked = []

    def network(weights, dtype, patch):
        asked.append(patch)

    write_npz(run.folder / "weights.npz", **weights)
    write_npz(run.folder / "arrays.npz", channel_kl=np.array([1.0, 0.0, 1.0]))
    write_json(run.folder / "config.json", study.describe(JOB) | {"parameters": {"patch": 6}})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("replicate.stored.network", network)
        fitted = movies.stored_models.load(run, np.zeros((2, 192)))
    assert asked == [6] and fitted.in_use.tolist() == [True, False, True]


def test_a_model_with_no_latent_in_use_is_an_error(results):
    run = Run.of(results, JOB)
    write_npz(run.folder / "arrays.npz", latents=np.zeros((120, 2)), components=np.zeros(0, dtype=int))
    with pytest.raises(ReplicationError, match="nothing to sweep"):
        movies.pictures("movie_s4", results, "smoke")
