"""The toy problem against an independent scalar computation, and the unique colours."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from replicate.data import toy
from replicate.errors import ReplicationError

DATA = os.environ.get("REPLICATE_DATA")
unit = st.floats(0, 1)


def scalar_formula(t, red, green, blue):
    shifted = t - 2 * (green - 0.5)
    scaled_elu = 1.0507009873554805 * (
        shifted if shifted > 0 else 1.6732632423543772 * (math.exp(shifted) - 1)
    )
    return (
        math.tanh(20 * (t - 2 * (red - 0.5)))
        + scaled_elu
        + 1 / (1 + math.exp(20 * (t - (blue - 0.5))))
    )


def write_png(path, rows=7, cols=9, n_colours=5, seed=0):
    """Write a small picture of few colours; return its pixels."""
    rng = np.random.default_rng(seed)
    palette = rng.integers(0, 256, size=(n_colours, 3), dtype=np.uint8)
    pixels = palette[rng.integers(0, n_colours, size=(rows, cols))]
    Image.fromarray(pixels).save(path)
    return pixels


@pytest.fixture
def painting(tmp_path):
    write_png(tmp_path / "picture.png", n_colours=20)
    return toy.read_painting(tmp_path / "picture.png")


def test_time_steps():
    t = toy.timesteps()
    assert t.shape == (25,)
    np.testing.assert_allclose(np.diff(t), 1 / 12)
    assert (t[0], t[12], t[24]) == (-1, 0, 1)


@pytest.mark.parametrize(
    ("colour", "step", "value"),
    [
        ((0.5, 0.5, 0.5), 12, 0.5),
        ((0.5, 0.5, 0.5), 24, 1 + 1.0507009873554805),
        ((0.5, 0.5, 0.5), 0, -1.0507009873554805 * 1.6732632423543772 * (1 - math.exp(-1))),
        ((1, 0, 0), 24, 0 + 2 * 1.0507009873554805 + 0),
        ((0, 1, 1), 0, 0 - 1.7580993408473766 * (1 - math.exp(-2)) + 1),
    ],
)
def test_formula_by_hand(colour, step, value):
    spectrum = toy.spectra([colour])
    assert spectrum.shape == (1, 25)
    assert spectrum.dtype == np.float64
    assert spectrum[0, step] == pytest.approx(value, abs=1e-8)


@given(red=unit, green=unit, blue=unit)
def test_formula_everywhere(red, green, blue):
    expected = [scalar_formula(-1 + i / 12, red, green, blue) for i in range(25)]
    np.testing.assert_allclose(toy.spectra([(red, green, blue)])[0], expected, atol=1e-9)


def test_selu_leaves_a_standard_normal_standard():
    z = np.linspace(-12, 12, 200_001)
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) * (z[1] - z[0])
    assert np.sum(density * toy.selu(z)) == pytest.approx(0, abs=1e-6)
    assert np.sum(density * toy.selu(z) ** 2) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    "colours", [np.zeros(3), np.zeros((4, 4)), [[0, 0, 255]], [[0, -0.1, 0]], [[0, np.nan, 0]]]
)
def test_colours_outside_the_gamut_are_refused(colours):
    with pytest.raises(ReplicationError, match="colours"):
        toy.spectra(colours)


def test_sampled_colours_are_uniform_and_seeded():
    colours = toy.sample_colours(10_000, 3)
    assert colours.shape == (10_000, 3)
    np.testing.assert_array_equal(colours, toy.sample_colours(10_000, 3))
    assert not np.array_equal(colours, toy.sample_colours(10_000, 4))
    counts = np.histogram(colours, bins=10, range=(0, 1))[0]
    assert counts.sum() == colours.size
    np.testing.assert_allclose(counts, 3000, rtol=0.1)


def test_painting_round_trip(tmp_path):
    pixels = write_png(tmp_path / "picture.png")
    painting = toy.read_painting(str(tmp_path / "picture.png"))
    assert painting.shape == (7, 9)
    assert painting.provenance == "painting"
    assert painting.inverse.dtype == np.int32
    assert painting.counts.sum() == 63
    np.testing.assert_array_equal(painting.expand(painting.colours), pixels / 255)
    assert (
        len(np.unique(painting.colours, axis=0))
        == len(painting.colours)
        == len(np.unique(pixels.reshape(-1, 3), axis=0))
    )


def test_unique_colours_weighted_are_all_pixels(tmp_path):
    pixels = write_png(tmp_path / "picture.png")
    painting = toy.read_painting(tmp_path / "picture.png")
    every_pixel = toy.spectra(pixels.reshape(-1, 3) / 255)
    per_colour = toy.spectra(painting.colours)
    np.testing.assert_allclose(painting.mean(per_colour), every_pixel.mean(axis=0))
    np.testing.assert_allclose(painting.expand(per_colour), every_pixel.reshape(7, 9, 25))
    assert abs(per_colour.mean() - every_pixel.mean()) > 1e-3, (
        "the unweighted mean is another number"
    )


def test_expand_refuses_values_of_another_picture(painting):
    with pytest.raises(ValueError, match="unique colours"):
        painting.expand(np.zeros(len(painting.colours) + 1))


def test_sample_photograph():
    photograph = toy.sample_photograph()
    assert photograph.provenance == "sample photograph"
    assert photograph.shape == (427, 640)
    assert photograph.counts.sum() == len(photograph.inverse) == 427 * 640
    assert photograph.colours.min() >= 0 and photograph.colours.max() == 1


@pytest.mark.parametrize("damage", ["missing", "empty", "text", "truncated", "folder"])
def test_bad_pictures(tmp_path, damage):
    path = tmp_path / "picture.png"
    write_png(path, 40, 40, 500)
    whole = path.read_bytes()
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage != "missing":
        path.write_bytes(
            {"empty": b"", "text": b"no picture", "truncated": whole[: len(whole) // 2]}[damage]
        )
    with pytest.raises(ReplicationError, match="picture.png"):
        toy.read_painting(path)


def test_standardised_on_the_training_spectra_alone(painting):
    data = toy.make(painting, seed=0, n_train=2000, n_gamut=500)
    assert (data.train.shape, data.gamut.shape, data.painting.shape) == (
        (2000, 25),
        (500, 25),
        (len(painting.colours), 25),
    )
    assert {data.train.dtype, data.gamut.dtype, data.painting.dtype} == {np.dtype(np.float32)}
    np.testing.assert_allclose(data.train.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(data.train.std(axis=0), 1, atol=1e-5)
    assert np.abs(data.gamut.mean(axis=0)).max() > 1e-3
    for name in ("train", "gamut", "painting"):
        np.testing.assert_allclose(
            data.unscale(getattr(data, name)), toy.spectra(data.colours[name]), atol=1e-5
        )


def test_train_and_gamut_are_independent_streams(painting):
    data = toy.make(painting, seed=0, n_train=300, n_gamut=300)
    again = toy.make(painting, seed=0, n_train=100, n_gamut=300)
    other = toy.make(painting, seed=1, n_train=300, n_gamut=300)
    assert not np.array_equal(data.colours["train"], data.colours["gamut"])
    np.testing.assert_array_equal(again.colours["gamut"], data.colours["gamut"])
    np.testing.assert_array_equal(again.colours["train"], data.colours["train"][:100])
    assert not np.array_equal(other.colours["gamut"], data.colours["gamut"])


def test_colours_drawn_alone_are_those_of_the_whole_data_set(painting):
    drawn, whole = (
        toy.draw(seed=4, n_train=200, n_gamut=50),
        toy.make(painting, seed=4, n_train=200, n_gamut=50),
    )
    for name in ("train", "gamut", "mean", "scale"):
        np.testing.assert_array_equal(getattr(drawn, name), getattr(whole, name))
    assert drawn.colours.keys() == {"train", "gamut"}
    assert whole.colours.keys() == {"train", "gamut", "painting"}
    np.testing.assert_array_equal(drawn.standardise(toy.spectra(painting.colours)), whole.painting)
    np.testing.assert_allclose(
        drawn.unscale(drawn.gamut), toy.spectra(drawn.colours["gamut"]), atol=1e-5
    )


def test_provenance_of_each_part(painting):
    provenance = toy.make(painting, seed=0, n_train=10, n_gamut=10).provenance
    assert provenance == {"train": "formula", "gamut": "formula", "painting": "painting"}


@pytest.mark.skipif(
    not DATA or not Path(DATA, "nala.jpg").exists(), reason="REPLICATE_DATA does not hold nala.jpg"
)
def test_the_painting():
    painting = toy.read_painting(Path(DATA, "nala.jpg"))
    assert painting.shape == (2048, 1594)
    assert len(painting.colours) == 317_600
    assert painting.counts.sum() == 2048 * 1594
