"""The correlogram by a second computation, and a figure of no difference where there is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from figures import twin as figure
from figures.shared import style
from replicate.data import sources
from replicate.data.remote.fetch import DataUnavailable
from replicate.data.twin import simulate


def by_pairs(image):
    """The correlogram from every pair of pixels, one at a time."""
    places = np.argwhere(np.isfinite(image))
    departures = image[tuple(places.T)] - np.nanmean(image)
    distance = np.rint(np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))).astype(int)
    products = np.outer(departures, departures)
    return [
        products[distance == lag].mean() / np.nanvar(image)
        for lag in range(min(image.shape) // 2 + 1)
    ]


def test_correlogram_is_that_of_all_pairs(rng):
    image = rng.normal(size=(9, 12)).cumsum(axis=1)
    np.testing.assert_allclose(figure.correlogram(image), by_pairs(image), atol=1e-12)
    image[2, 3:7] = np.nan
    np.testing.assert_allclose(figure.correlogram(image), by_pairs(image), atol=1e-12)


def test_correlogram_of_noise_and_of_stripes(rng):
    noise = figure.correlogram(rng.normal(size=(60, 60)))
    assert noise[0] == pytest.approx(1)
    assert np.abs(noise[1:]).max() < 0.1
    stripes = np.cos(2 * np.pi * np.indices((60, 60))[0] / 10)
    assert (
        3 <= figure.correlogram(stripes).argmin() <= 6
        and figure.correlogram(stripes)[:3].min() > 0.4
    )


def test_a_descriptor_without_meaning_is_left_out():
    scan = simulate(shape=(6, 6))
    flat = scan.spectra.copy()
    flat[7, : scan.n_steps] = 0.5
    maps = figure.describe(replace(scan, spectra=flat))
    for name, values in maps.items():
        missing = np.flatnonzero(np.isnan(values))
        assert missing.tolist() == ([7] if name in figure.loops.OF_STEPS else []), name


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Return the figure of the twin of seed 3 beside itself, and the folder it was saved in."""
    folder = tmp_path_factory.mktemp("results")
    saved = []
    save = style.save
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "load_scan", lambda provenance: simulate(3))
        patch.setattr(style, "save", lambda fig, *rest: saved.append(fig) or save(fig, *rest))
        assert figure.main(["--results", str(folder), "--profile", "smoke", "--seed", "3"]) == 0
    return saved[0], folder / "smoke" / "figures"


def test_no_difference_between_a_scan_and_itself(drawn):
    fig, _ = drawn
    distances = [text.get_text() for ax in fig.get_axes() for text in ax.texts]
    assert distances == ["KS 0.00"] * len(figure.COMPARED_DESCRIPTORS)
    for ax in fig.get_axes()[3 : 4 * len(figure.COMPARED_DESCRIPTORS) : 4]:
        measured, simulated, _zero = ax.lines
        np.testing.assert_array_equal(measured.get_ydata(), simulated.get_ydata())


def test_the_figure_is_stamped_and_labelled(drawn):
    fig, _ = drawn
    foot = " ".join(text.get_text() for text in fig.texts)
    assert (
        "measured BEPS data" in foot
        and "simulated twin: not the paper's data" in foot
        and "seed 3" in foot
    )
    labels = [
        ax.get_xlabel() for ax in fig.get_axes()[2 : 4 * len(figure.COMPARED_DESCRIPTORS) : 4]
    ]
    assert len(set(labels)) == len(figure.COMPARED_DESCRIPTORS) and all(
        label.endswith(("(z-score)", "(V)", "(z-score V)", "(1)")) for label in labels
    )


def test_the_script_writes_both_files(drawn):
    _, folder = drawn
    assert sorted(path.name for path in folder.iterdir()) == ["twin.pdf", "twin.png"]
    with Image.open(folder / "twin.png") as image:
        assert image.width == pytest.approx(style.WIDTH * 250, abs=1)
        assert (np.asarray(image.convert("L")) < 128).mean() > 0.05


def test_without_the_measured_scan_it_says_so(tmp_path, monkeypatch, capsys):
    def unavailable(provenance):
        raise DataUnavailable("the measured arrays cannot be had")

    monkeypatch.setattr(sources, "load_scan", unavailable)
    assert figure.main(["--results", str(tmp_path)]) == 2
    assert "error: the measured arrays cannot be had" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
