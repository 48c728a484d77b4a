"""The movies sweep each latent, or follow the ramp of beta; their files are whole or not there."""

from __future__ import annotations

import os
import subprocess

import numpy as np
import pytest
from PIL import Image

from figures import movies
from figures.movie import film, ramp_movie, subjects, sweep_movie
from figures.shared import stored_models
from replicate import seals
from replicate.data import toy, twin
from replicate.errors import ReplicationError
from replicate.files import write_json, write_npz
from replicate.running.runs import Run
from replicate.study.job import Job, describe

JOB = Job("smoke", "beps", "dictionary_learning", 0)
VAE = Job("smoke", "beps", "lstm_vae", 0)
SCALES = (1.0, 0.7, 0.1)
BETAS = (0.01, 0.02, 0.03)
needs_ffmpeg = pytest.mark.skipif(
    film.find_ffmpeg() is None, reason="needs ffmpeg, or the package imageio-ffmpeg"
)


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(sweep_movie, "N_VALUES", 5)
    monkeypatch.setattr(ramp_movie, "HOLD", 2)
    monkeypatch.setattr(film, "DPI", 50)


@pytest.fixture
def scan(monkeypatch):
    """Return a small scan, which is the one the runs are made on."""
    small = twin.simulate(shape=(10, 12))
    monkeypatch.setattr(subjects.sources, "load_scan", lambda _: small)
    return small


@pytest.fixture
def results(tmp_path, scan):
    """Return a folder with a run of dictionary learning.

    Its two atoms are the means of the channels, and its codes their lasso.
    """
    run = Run.of(tmp_path, JOB)
    atoms = np.repeat(np.eye(2), 96, axis=1) / np.sqrt(96)
    codes = scan.spectra @ atoms.T
    latents = np.sign(codes) * np.maximum(np.abs(codes) - 1, 0)
    write_npz(run.folder / "weights.npz", components_=atoms.astype(np.float32))
    write_npz(
        run.folder / "arrays.npz", latents=latents.astype(np.float32), components=np.array([1, 0])
    )
    write_json(run.folder / "config.json", describe(JOB))
    record = {
        "key": "0",
        "status": "complete",
        "provenance": {"spectra": "simulated twin"},
        "metrics": {},
    }
    write_json(run.folder / "record.json", seals.sealed(record))
    return tmp_path


@pytest.fixture
def ramp(tmp_path, scan):
    """Return a run of a VAE with two latents.

    The first is the first voltage step; the second, of the middle one, falls asleep as beta rises.
    """
    run = Run.of(tmp_path, VAE)
    picks = np.eye(192, dtype=np.float32)[[0, 96]]
    for number, (beta, scale) in enumerate(zip(BETAS, SCALES)):
        weights = {
            "encoder.mean.weight": picks * np.float32([[1], [scale]]),
            "encoder.mean.bias": np.zeros(2, np.float32),
            "encoder.log_variance.weight": 0 * picks,
            "encoder.log_variance.bias": np.float32([-20, 0]),
            "decoder.output.weight": picks.T,
            "decoder.output.bias": np.zeros(192, np.float32),
        }
        write_npz(run.snapshot(98 + number), beta=np.array(beta), **weights)
    write_npz(run.folder / "arrays.npz", channel_kl=np.array([1.0, 0.0]))
    write_json(run.folder / "config.json", describe(VAE) | {"parameters": {"target_channels": 1}})
    record = {
        "key": "0",
        "status": "complete",
        "provenance": {"spectra": "simulated twin"},
        "metrics": {"active_channels": 1},
    }
    write_json(run.folder / "record.json", seals.sealed(record))
    return run


@pytest.fixture
def frames(results):
    return movies.pictures("movie_s4", results, "smoke")


def test_a_sweep_decodes_the_latent_and_averages_the_nearest(scan, results, rng):
    class Twice:
        def inverse_transform(self, latents):
            return np.tile(2 * latents[:, [1]], (1, 192))

    latents = np.c_[rng.normal(size=120), np.arange(120.0)]
    subject = subjects.scan_subject(Run.of(results, JOB))
    swept = sweep_movie.sweep(Twice(), latents, 1, subject)
    np.testing.assert_allclose(swept.values, np.linspace(0, 119, 5))
    assert swept.decoded.shape == (5, 2, 97)
    np.testing.assert_allclose(
        swept.decoded, np.broadcast_to(2 * swept.values[:, None, None], swept.decoded.shape)
    )
    first, last = (
        scan.align(rows.mean(axis=0, keepdims=True))[0]
        for rows in (scan.spectra[:100], scan.spectra[20:])
    )
    np.testing.assert_allclose(swept.nearest[0, :, :96], first, atol=1e-5)
    np.testing.assert_allclose(swept.nearest[-1, :, :96], last, atol=1e-5)
    np.testing.assert_array_equal(swept.nearest[:, :, 96], swept.nearest[:, :, 0])


def test_a_sweep_drawn_by_minus_one_goes_up_again():
    sweep = sweep_movie.Sweep(np.array([-1.0, 2.0]), np.array([[[3]], [[4]]]), np.zeros((2, 1, 1)))
    turned = sweep.drawn_by(-1)
    assert turned.values.tolist() == [-2.0, 1.0]
    assert turned.decoded.ravel().tolist() == [4, 3]
    assert sweep.drawn_by(1) is sweep


def test_frames_go_there_and_back_and_only_lines_move(frames):
    assert len(frames) == 2 * 5 - 2
    for number in (1, 2, 3):
        np.testing.assert_array_equal(frames[number], frames[-number])
    moved = np.any(frames[0] != frames[4], axis=2)
    assert 0.001 < moved.mean() < 0.3
    assert all(n % 2 == 0 for n in frames[0].shape[:2])


def test_a_gif_holds_every_frame_and_is_the_same_each_time(frames, tmp_path):
    paths = [tmp_path / "films" / f"{i}.gif" for i in range(2)]
    for path in paths:
        film.write_gif(path, frames, 20)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert sorted((tmp_path / "films").iterdir()) == paths
    with Image.open(paths[0]) as image:
        assert (image.n_frames, image.info["duration"], image.info["loop"]) == (8, 50, 0)
        for number, frame in enumerate(frames):
            image.seek(number)
            stored = np.asarray(image.convert("RGB"))
            assert np.abs(stored.astype(int) - frame).mean() < 3
            np.testing.assert_array_equal(stored[0], 255)


@needs_ffmpeg
def test_an_mp4_decodes_to_the_frames(frames, tmp_path):
    path = tmp_path / "film.mp4"
    film.write_mp4(path, frames, film.find_ffmpeg(), 20)
    source = ["-loglevel", "error", "-i", str(path)]
    command = [film.find_ffmpeg(), *source, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    content = subprocess.run(command, capture_output=True, check=True).stdout
    decoded = np.frombuffer(content, dtype=np.uint8).reshape(-1, *frames[0].shape)
    assert len(decoded) == len(frames)
    assert np.abs(decoded.astype(int) - frames).mean() < 4


def test_an_ffmpeg_that_fails_is_said_and_leaves_nothing(frames, tmp_path):
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\ncat > /dev/null\necho no such encoder >&2\nexit 1\n")
    os.chmod(broken, 0o755)
    with pytest.raises(ReplicationError, match="no such encoder"):
        film.write_mp4(tmp_path / "films" / "film.mp4", frames, str(broken), 20)
    assert list((tmp_path / "films").iterdir()) == []


def test_without_ffmpeg_there_is_the_gif(results, monkeypatch, capsys):
    monkeypatch.setattr(film, "find_ffmpeg", lambda: None)
    assert movies.main(["movie_s4", "--results", str(results), "--profile", "smoke"]) == 0
    printed = capsys.readouterr()
    assert printed.out.split() == [str(results / "smoke" / "figures" / "movie_s4.gif")]
    assert "imageio-ffmpeg" in printed.err


def test_a_movie_that_cannot_be_made_does_not_keep_the_others(results, monkeypatch, capsys):
    monkeypatch.setattr(film, "find_ffmpeg", lambda: None)
    assert (
        movies.main(
            ["movie_s6", "movie_s9", "movie_s4", "--results", str(results), "--profile", "smoke"]
        )
        == 2
    )
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
    run = Run.of(tmp_path, JOB)
    weights = {"decoder.output.bias": np.zeros(8), "encoder.mean.bias": np.zeros(3)}
    patches = []

    def network(weights, dtype, patch):
        patches.append(patch)

    write_npz(run.folder / "weights.npz", **weights)
    write_npz(run.folder / "arrays.npz", channel_kl=np.array([1.0, 0.0, 1.0]))
    write_json(run.folder / "config.json", describe(JOB) | {"parameters": {"patch": 6}})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("replicate.reference.restore.network", network)
        fitted = stored_models.load(run, np.zeros((2, 192)))
    assert patches == [6] and fitted.in_use.tolist() == [True, False, True]


def test_a_model_with_no_latent_in_use_is_an_error(results):
    run = Run.of(results, JOB)
    write_npz(
        run.folder / "arrays.npz", latents=np.zeros((120, 2)), components=np.zeros(0, dtype=int)
    )
    with pytest.raises(ReplicationError, match="nothing to sweep"):
        movies.pictures("movie_s4", results, "smoke")


def test_the_ramp_has_the_divergences_and_draws_of_its_weights(ramp, scan):
    """The draws of a latent of next to no variance are its means.

    The noise on the second latent is the same at each beta.
    """
    read = ramp_movie.read(ramp, subjects.scan_subject(ramp))
    first = scan.spectra[:, 0]
    second = np.outer(SCALES, scan.spectra[:, 96])
    np.testing.assert_array_equal(read.beta, BETAS)
    np.testing.assert_allclose(read.kl[:, 0], 0.5 * (np.mean(first**2) + 19), rtol=1e-4)
    np.testing.assert_allclose(read.kl[:, 1], 0.5 * np.mean(second**2, axis=1), rtol=1e-4)
    np.testing.assert_allclose(
        read.draws[:, 0], np.broadcast_to(scan.map(first), (3, 10, 12)), atol=1e-3
    )
    noise = read.draws[:, 1] - second.reshape(3, 10, 12)
    np.testing.assert_allclose(noise, np.broadcast_to(noise[0], noise.shape), atol=1e-5)
    assert noise[0].std() == pytest.approx(1, abs=0.2)


def test_a_pixel_has_noise_of_its_own_though_it_shares_its_spectrum(ramp, scan):
    subject = subjects.scan_subject(ramp)
    second = ramp_movie.read(ramp, subject._replace(pixels=np.full((4, 5), 7))).draws[0, 1]
    assert second.shape == (4, 5) and len(np.unique(second)) == 20


def test_a_long_ramp_is_thinned_from_its_first_beta_to_its_last(ramp, monkeypatch):
    monkeypatch.setattr(ramp_movie, "MAX_FRAMES", 2)
    np.testing.assert_array_equal(
        ramp_movie.read(ramp, subjects.scan_subject(ramp)).beta, [BETAS[0], BETAS[-1]]
    )


def test_the_frames_follow_beta_and_stay_on_the_last(ramp):
    fig, (curves, *maps), order = ramp_movie.draw(ramp, subjects.scan_subject(ramp), "lstm_vae")
    assert order == [0, 1, 2, 2, 2]
    moved = [(curves(number)[-1].get_text(), maps[1](number)[1].get_color()) for number in range(3)]
    assert moved == [
        ("β = 0.0100: 2 active", "black"),
        ("β = 0.0200: 2 active", "black"),
        ("β = 0.0300: 1 active", "0.6"),
    ]
    frames = movies.pictures("movie_s5", ramp.folder.parents[3], "smoke")
    reddish = [frame[..., 0] > frame[..., 1] + 40.0 for frame in frames]
    # The rightmost column with a line through a panel.
    marks = [np.flatnonzero(pixels.sum(axis=0) > 12).max() for pixels in reddish]
    assert len(frames) == 5 and marks[0] < marks[1] < marks[2]
    np.testing.assert_array_equal(frames[2], frames[4])


def test_a_run_that_kept_no_weights_of_its_ramp_is_an_error(ramp):
    for path in ramp.snapshots:
        path.unlink()
    with pytest.raises(ReplicationError, match="ramp: no weights.*Delete"):
        ramp_movie.draw(ramp, subjects.scan_subject(ramp), "lstm_vae")


def test_a_map_of_the_picture_has_its_pixels_and_spectra_are_those_of_the_formula(tmp_path):
    run = Run.of(tmp_path, Job("smoke", "toy", "pca", 0))
    config = {
        "seed": 0,
        "provenance": {"picture": "sample photograph"},
        "data": {"n_train": 50, "n_gamut": 5},
    }
    write_json(run.folder / "config.json", config)
    subject = subjects.toy_subject(run)
    picture = toy.sample_photograph()
    colours = picture.colours[subject.pixels]
    np.testing.assert_array_equal(colours, subjects.common.thinned(picture.expand(picture.colours)))
    np.testing.assert_allclose(
        subject.unfold(subject.spectra[:9])[:, 0], toy.spectra(picture.colours[:9]), atol=1e-5
    )
