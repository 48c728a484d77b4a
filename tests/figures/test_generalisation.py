"""Errors stand over the number of spectra and over the fold they are of."""

from __future__ import annotations

import numpy as np
import pytest

from figures import generalisation
from figures.shared import style
from replicate.errors import ReplicationError

METRICS = {
    "beps_heldout.pca.heldout_mse": [0.03, 0.02, 0.01],
    "beps_heldout.pca.heldout_mse_refined": [0.003, 0.002, 0.001],
    "beps_heldout.lstm_vae.heldout_mse": [0.06, 0.05, 0.04],
    # Not of those that are compared, and not on held-out blocks.
    "beps_heldout.ica.heldout_mse": [0.7, 0.7, 0.7],
    "twin.pca.heldout_mse": [0.8, 0.8, 0.8],
}
TRIED = [
    ("beps_heldout", "pca", "n_train", 300, 0, "simulated twin", "heldout_mse", 0.08),
    ("beps_heldout", "pca", "n_train", 100, 0, "simulated twin", "heldout_mse", 0.09),
    ("beps_heldout", "pca", "latents", 1, 0, "simulated twin", "heldout_mse", 0.5),
]


def lines(ax, color):
    return {
        line.get_linestyle(): line.get_xydata()
        for line in ax.get_lines()
        if line.get_color() == color
    }


def test_errors_over_spectra_are_of_one_fold_and_errors_over_folds_of_the_whole(write_benchmark):
    fewer, folds = generalisation.draw(write_benchmark(METRICS, TRIED), "standard").get_axes()
    pca = lines(fewer, style.MODEL_COLOURS["pca"])
    np.testing.assert_allclose(pca["-"], [[100, 0.09], [300, 0.08], [2880, 0.03]])
    np.testing.assert_allclose(pca[":"], [[2880, 0.003]])
    np.testing.assert_allclose(
        lines(folds, style.MODEL_COLOURS["pca"])["-"], [[0, 0.03], [1, 0.02], [2, 0.01]]
    )
    np.testing.assert_allclose(
        lines(folds, style.MODEL_COLOURS["pca"])[":"][:, 1], [0.003, 0.002, 0.001]
    )
    drawn = np.concatenate([line.get_ydata() for ax in (fewer, folds) for line in ax.get_lines()])
    assert drawn.max() == 0.09, "other models, data and sweeps are not drawn"


def test_models_that_were_not_run_are_named(write_benchmark):
    fig = generalisation.draw(write_benchmark(METRICS, TRIED), "standard")
    assert (
        "Dense autoencoder on beps_heldout" in fig.get_suptitle()
        and "ICA" not in fig.get_suptitle()
    )


def test_without_a_benchmark_there_is_nothing_to_draw(write_benchmark):
    with pytest.raises(ReplicationError, match="nox -s bench"):
        generalisation.draw(write_benchmark({"toy.pca.gamut_mse": [1.0, 2.0]}), "standard")
