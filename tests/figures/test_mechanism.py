"""Maps of shoulders in data and reconstructions, and the scores of every model."""

from __future__ import annotations

import numpy as np
import pytest

from figures import mechanism
from replicate import seals
from replicate.analysis.loops import describe_spectra
from replicate.analysis.mechanism import shoulder, shoulder_limit
from replicate.data import twin
from replicate.files import write_json, write_npz
from replicate.running.runs import Run
from replicate.study.family import LABELS
from replicate.study.job import Job

PLANTED = {
    f"{dataset}.{model}.{kind}{suffix}": [0.2 + shift + better, 0.4 + shift + better]
    for dataset in mechanism.DATASET_TITLES
    for model, shift in (("pca", 0.0), ("lstm_vae", 0.5))
    for kind in mechanism.MECHANISM_SCORES
    for suffix, better in (("", 0.0), ("_refined", 0.05))
}


@pytest.fixture(scope="module")
def scan():
    return twin.simulate()


@pytest.fixture
def results(write_benchmark, scan):
    """A benchmark whose models flatten every loop, but for PCA, which keeps the data."""
    folder = write_benchmark(PLANTED)
    flat = np.repeat(
        scan.spectra[~scan.truth["band"].ravel()].mean(axis=0, keepdims=True),
        len(scan.spectra),
        axis=0,
    )
    for model in mechanism.MAPPED_MODELS:
        run = Run.of(folder, Job("standard", "beps", model, 0))
        write_npz(
            run.folder / "arrays.npz", reconstructions=scan.spectra if model == "pca" else flat
        )
        write_json(
            run.folder / "record.json",
            seals.sealed(
                {
                    "status": "complete",
                    "key": "",
                    "provenance": {"spectra": "simulated twin"},
                    "metrics": {},
                }
            ),
        )
    return folder


def test_the_script_writes_a_stamped_picture(results, save_and_draw):
    fig, names = save_and_draw(mechanism, results)
    assert names == ["mechanism.png", "mechanism.pdf"]
    foot = " ".join(text.get_text() for text in fig.texts)
    assert "standard profile · seed 0, 1" in foot and "simulated twin: not the paper's data" in foot


def test_maps_are_the_shoulders_and_say_how_many_are_above_the_limit_of_the_data(results, scan):
    fig = mechanism.draw(results, "standard")
    maps = {
        ax.get_title().replace("\n", " "): np.asarray(ax.images[0].get_array())
        for ax in fig.get_axes()
        if ax.images
    }
    data, switches = describe_spectra(scan, scan.spectra)
    expected = scan.map(shoulder(data))
    share = 100 * np.mean(expected > shoulder_limit(data, switches))
    np.testing.assert_allclose(maps[f"Data {share:.0f} % above the limit"], expected)
    np.testing.assert_allclose(maps[f"PCA {share:.0f} % above the limit"], expected, atol=1e-5)
    flat = [image for title, image in maps.items() if title.endswith(" 0 % above the limit")]
    assert len(flat) == len(mechanism.MAPPED_MODELS) - 1 and all(
        np.ptp(image) < 1e-5 for image in flat
    )


def test_each_score_has_its_seeds_and_means_encoder_filled_and_best_code_open(results):
    axes = [
        ax
        for ax in mechanism.draw(results, "standard").get_axes()
        if ax.get_xlabel() in mechanism.MECHANISM_SCORES.values()
    ]
    assert len(axes) == len(mechanism.MECHANISM_SCORES) * len(mechanism.DATASET_TITLES)
    for ax in axes:
        seeds, means = (
            [line.get_xdata().tolist() for line in ax.get_lines()[start::2]] for start in (0, 1)
        )
        wanted = [[0.2, 0.4], [0.25, 0.45], [0.7, 0.9], [0.75, 0.95]]
        np.testing.assert_allclose(seeds, wanted)
        np.testing.assert_allclose(np.ravel(means), np.mean(wanted, axis=1))
        assert [line.get_markerfacecolor() == "none" for line in ax.get_lines()[1::2]] == [
            False,
            True,
            False,
            True,
        ]
    labels = [text.get_text() for text in axes[0].get_yticklabels()]
    assert labels == [LABELS["pca"], LABELS["lstm_vae"]]
