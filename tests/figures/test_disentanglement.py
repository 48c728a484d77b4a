"""The scores of the benchmark are drawn; a panel says so where nothing was measured."""

from __future__ import annotations

import numpy as np
import pytest

from figures import disentanglement
from replicate.study.family import FIXED_BETA, LABELS

PLANTED = dict(
    zip(
        disentanglement.DISENTANGLEMENT_SCORES,
        ([0.1, 0.3], [0.2, 0.2], [0.4, 0.5], [0.5, 0.6], [0.7, 0.8], [0.9, 1.0]),
    )
)
SCORES = {
    f"toy.{model}.{kind}": values
    for model in ("pca", "lstm_vae_fixed", "lstm_vae")
    for kind, values in PLANTED.items()
}
CHOICE = {
    "toy.lstm_vae.active_channels": [3, 4],
    "toy.lstm_vae_fixed.active_channels": [16, 15],
    "toy.lstm_vae_fixed.gamut_mse": [1e-3, 3e-3],
}
TWIN = {
    "twin.pca.maps_r2": [0.5, 0.7],
    "twin.pca.clean_mse": [2e-3, 6e-3],
    "twin.pca.noise_mse": [1e-3, 2e-3],
}
BETA = [
    ("toy", "lstm_vae_fixed", "beta", 0.02, 0, "formula", kind, number)
    for kind, number in (("mig", 0.6), ("active_channels", 4), ("gamut_mse", 0.05))
]
NOISE = [
    ("twin", "pca", "noise", 10, 0, "simulated twin", kind, number)
    for kind, number in (("clean_mse", 0.05), ("noise_mse", 0.1))
]


def lines(ax, label=None):
    """Return the points of every line with a marker that joins means, or of that with a label."""
    joined = [
        line
        for line in ax.get_lines()
        if line.get_linestyle() == "-" and line.get_marker() != "None"
    ]
    return [line.get_xydata() for line in joined if label in (None, line.get_label())]


@pytest.fixture
def axes(write_benchmark):
    return disentanglement.draw(
        write_benchmark(SCORES | CHOICE | TWIN, BETA + NOISE), "standard"
    ).get_axes()


def test_the_script_writes_a_stamped_picture(write_benchmark, save_and_draw):
    fig, names = save_and_draw(
        disentanglement, write_benchmark(SCORES | CHOICE | TWIN, BETA + NOISE)
    )
    assert names == ["disentanglement.png", "disentanglement.pdf"]
    foot = " ".join(text.get_text() for text in fig.texts)
    assert "standard profile · seed 0, 1" in foot and "simulated twin: not the paper's data" in foot
    assert all(
        "(" in label
        for ax in fig.get_axes()
        for label in (ax.get_xlabel(), ax.get_ylabel())
        if label
    )


def test_each_panel_has_the_seeds_and_the_mean_of_its_score(axes):
    for ax, values in zip(axes, PLANTED.values()):
        points = [line.get_xdata().tolist() for line in ax.get_lines()]
        assert points == [values, pytest.approx([np.mean(values)])] * 3
    assert [text.get_text() for text in axes[0].get_yticklabels()] == [
        LABELS[model] for model in ("pca", "lstm_vae_fixed", "lstm_vae")
    ]


def test_the_study_is_one_point_of_the_curves_over_beta(axes):
    scores, error, active = axes[6:9]
    np.testing.assert_allclose(lines(scores, "MIG"), [[[FIXED_BETA, 0.2], [0.02, 0.6]]])
    np.testing.assert_allclose(lines(error), [[[FIXED_BETA, 2e-3], [0.02, 0.05]]])
    np.testing.assert_allclose(lines(active), [[[FIXED_BETA, 15.5], [0.02, 4]]])


def test_the_choice_of_channels_is_a_point_a_seed_beside_the_truth(axes):
    *_, points, truth = axes[9].get_lines()
    assert (
        points.get_ydata().tolist() == [3, 4]
        and np.allclose(points.get_xdata(), 2, atol=0.2)
        and len(set(points.get_xdata())) == 2
    )
    assert set(truth.get_ydata()) == {3}
    low, high = axes[9].get_ylim()
    assert low == 0 and high > 4


def test_the_share_of_noise_is_taken_run_by_run(axes):
    maps, shares = axes[10:]
    np.testing.assert_allclose(lines(maps), [[[1, 0.6]]])
    # The mean of 2 and 3, not the ratio of the means.
    np.testing.assert_allclose(lines(shares), [[[1, 2.5], [10, 0.5]]])
    assert maps.get_legend().get_texts()[0].get_text() == "PCA"


@pytest.mark.parametrize("metrics, empty", [(SCORES, 5), (TWIN, 10), ({"toy.pca.mig": [0.1]}, 11)])
def test_what_was_not_measured_is_said(metrics, empty, write_benchmark):
    fig = disentanglement.draw(write_benchmark(metrics), "standard")
    texts = [text.get_text() for ax in fig.get_axes() for text in ax.texts]
    assert texts.count("not measured") == empty


def test_nothing_to_draw_is_said_in_one_line(write_benchmark, capsys):
    results = write_benchmark(
        {"toy.lstm_vae.gamut_mse": [0.1], "toy.lstm_vae.active_channels": [3]}
    )
    assert disentanglement.main(["--results", str(results)]) == 2
    assert "scores of disentanglement are missing" in capsys.readouterr().err
