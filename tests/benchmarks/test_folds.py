"""The published folds are those that models are scored on."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA

from benchmarks import folds
from benchmarks.store import Store
from replicate.provenance import Sources
from replicate.running.execute import configuration
from replicate.study.job import Job
from replicate.tasks import load_task


def test_the_stored_table_is_up_to_date():
    assert folds.PATH.read_text() == folds.table().to_csv(lineterminator="\n")


@pytest.mark.parametrize(
    ("column", "dataset", "seed"),
    [
        ("beps_heldout", "beps_heldout", 3),
        ("beps_buffered_0", "beps_buffered", 1),
        ("beps_buffered_1", "beps_buffered", 7),
        ("beps_stripes", "beps_stripes", 4),
    ],
)
def test_a_task_leaves_out_the_pixels_of_its_fold(column, dataset, seed):
    table = pd.read_csv(folds.PATH, index_col="pixel")
    sources = Sources("simulated twin", "sample photograph")  # of the same grid
    task = load_task(configuration(Job("smoke", dataset, "pca", seed), sources))
    np.testing.assert_array_equal(task.heldout, table[column] == seed % 5)
    assert not np.any(table[column].to_numpy()[task.fitted] == seed % 5)


def test_the_page_gives_the_published_error_without_our_code():
    """The three steps of docs/your-model.md, in NumPy and scikit-learn alone."""
    folder = Path(os.environ.get("REPLICATE_DATA", "nowhere"))
    if not (folder / "resonance.npy").exists():
        pytest.skip("the measured scan is not here: set REPLICATE_DATA")
    channels = [np.load(folder / f"{name}.npy") for name in ("piezoresponse", "resonance")]
    joined = np.stack([channel.reshape(3600, 96) for channel in channels], axis=1)
    fold = pd.read_csv(folds.PATH)["beps_heldout"].to_numpy()
    errors = []
    for number in range(5):
        fitted = joined[fold != number]
        mean, spread = (of(fitted, axis=(0, 2), keepdims=True) for of in (np.mean, np.std))
        scaled = ((joined - mean) / spread).reshape(3600, 192)
        pca = PCA(5).fit(scaled[fold != number])
        left_out = scaled[fold == number]
        errors.append(np.mean((pca.inverse_transform(pca.transform(left_out)) - left_out) ** 2))
    stored = Store().metrics()["metrics"]["beps_heldout.pca.heldout_mse"]["values"]
    np.testing.assert_allclose(errors, stored, rtol=1e-4)
