"""Points are at the latents that a model really had; lines are of one fold, bars of all."""

from __future__ import annotations

import numpy as np
import pytest

from figures import rate_distortion
from replicate.analysis.residuals import noise_floor
from replicate.data import sources
from replicate.study.family import LABELS

#: The kinds of errors, in the order of the panels.
KINDS = [
    error + channel
    for error in rate_distortion.SCORED_ON
    for channel in ("", "_piezoresponse", "_resonance")
]

#: The factors between the planted errors of the panels, so that no panel can show another's.
SCALES = np.arange(1, 10)


def metrics():
    """Return errors of three folds of the study: PCA, and a VAE with 5, 4 and 6 active channels."""
    planted = {
        f"beps_heldout.pca.{kind}": scale * np.array([0.01, 0.02, 0.03])
        for kind, scale in zip(KINDS, SCALES)
    }
    planted |= {
        f"beps_heldout.lstm_vae.{kind}": scale * np.array([0.004, 0.005, 0.006])
        for kind, scale in zip(KINDS, SCALES)
    }
    return {name: values.tolist() for name, values in planted.items()} | {
        "beps_heldout.lstm_vae.active_channels": [5, 4, 6]
    }


def tried():
    """Return two more points of each; the VAE was asked for 2 and 16 channels and kept 3 and 11."""
    rows = []
    for model, latents, active, size in (
        ("pca", 1, None, 0.1),
        ("pca", 16, None, 0.001),
        ("lstm_vae", 2, 3, 0.05),
        ("lstm_vae", 16, 11, 5e-4),
    ):
        trial = ("beps_heldout", model, "latents", latents, 0, "simulated twin")
        rows += [(*trial, kind, scale * size) for kind, scale in zip(KINDS, SCALES)]
        if active is not None:
            rows.append((*trial, "active_channels", active))
    # Of other sweeps nothing is drawn.
    return [*rows, ("beps_heldout", "pca", "n_train", 100, 0, "simulated twin", "heldout_mse", 7)]


@pytest.fixture
def drawn(write_benchmark):
    return rate_distortion.draw(write_benchmark(metrics(), tried()), "standard")


def curve(ax, model):
    (line,) = [line for line in ax.get_lines() if line.get_label() == LABELS[model]]
    return line.get_xydata()


def test_each_panel_has_its_own_error_of_the_first_fold_over_the_latents_in_use(drawn):
    for ax, scale in zip(drawn.get_axes(), SCALES):
        np.testing.assert_allclose(
            curve(ax, "pca"), np.transpose([[1, 5, 16], scale * np.array([0.1, 0.01, 0.001])])
        )
        np.testing.assert_allclose(
            curve(ax, "lstm_vae"), np.transpose([[3, 5, 11], scale * np.array([0.05, 0.004, 5e-4])])
        )
    assert len(drawn.get_axes()) == 9


def test_bars_are_intervals_over_all_folds(drawn):
    bars = [line for line in drawn.get_axes()[3].get_lines() if line.get_linewidth() == 3]
    half = 4.302653 * 0.01 / np.sqrt(3)  # Student's t at 97.5 %, two degrees of freedom
    np.testing.assert_allclose(
        bars[0].get_ydata(), SCALES[3] * np.array([0.02 - half, 0.02 + half]), rtol=1e-6
    )
    assert len(bars) == 2 and all(4.3 < bar.get_xdata()[0] < 5.8 for bar in bars)


def test_the_noise_of_each_channel_is_a_line(drawn):
    floor = noise_floor(sources.load_scan("simulated twin").spectra, 2)
    axes = np.reshape(drawn.get_axes(), (3, 3))
    for ax, level in zip(axes.T, (floor.mean(), *floor)):
        for panel in ax:
            (line,) = [line for line in panel.get_lines() if line.get_linestyle() == ":"]
            assert line.get_ydata()[0] == pytest.approx(level)


def test_the_picture_says_what_is_shown(write_benchmark, save_and_draw):
    drawn, names = save_and_draw(rate_distortion, write_benchmark(metrics(), tried()))
    assert names == ["rate_distortion.png", "rate_distortion.pdf"]
    axes = np.reshape(drawn.get_axes(), (3, 3))
    assert [ax.get_title() for ax in axes[0]] == ["both channels", "piezoresponse", "resonance"]
    for ax, words in zip(axes[:, 0], ("training pixels", "held-out blocks", "best code")):
        assert words in ax.get_ylabel() and "(z-score²)" in ax.get_ylabel()
    foot = " ".join(text.get_text() for text in drawn.texts)
    assert (
        "seed 0, 1, 2" in foot
        and "fold 0" in foot
        and "simulated twin: not the paper's data" in foot
    )


def test_without_sweeps_the_points_of_the_study_are_drawn(write_benchmark):
    fig = rate_distortion.draw(write_benchmark(metrics()), "standard")
    np.testing.assert_allclose(curve(fig.get_axes()[3], "pca"), [[5, SCALES[3] * 0.01]])


def test_nothing_to_draw_is_said_in_one_line(write_benchmark, capsys):
    results = write_benchmark({"toy.pca.gamut_mse": [0.1]})
    assert rate_distortion.main(["--results", str(results)]) == 2
    message = capsys.readouterr().err
    assert (
        "metrics.json: errors on held-out blocks are missing" in message
        and "nox -s bench -- --profile standard" in message
    )
