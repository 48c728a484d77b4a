"""Paired differences: what both models share cancels, and intervals hold what was planted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks import paired
from benchmarks.store import BLOCK_COLUMNS, BLOCK_KEYS, Store, block_rows
from replicate.study.job import Job


def blocks(**errors):
    """Return a table of two models on five folds of five blocks each, 144 pixels a block."""
    rows = [
        ("beps_heldout", model, fold, 5 * fold + i, 144, 144 * error, 144 * error)
        for model, of_block in errors.items()
        for (fold, i), error in zip(np.ndindex(5, 5), of_block)
    ]
    return pd.DataFrame(rows, columns=[*BLOCK_KEYS, *BLOCK_COLUMNS]).set_index(BLOCK_KEYS)


def metrics_of(table):
    found = {}
    for (dataset, model), rows in table.groupby(level=["dataset", "model"]):
        by_fold = rows.groupby(level="seed").sum()
        for column, kind in (("error", "heldout_mse"), ("refined", "heldout_mse_refined")):
            values = (by_fold[column] / by_fold["n_pixels"]).tolist()
            found[f"{dataset}.{model}.{kind}"] = {"seeds": list(by_fold.index), "values": values}
    return found


def test_how_hard_a_block_is_cancels(rng):
    """Blocks differ by a factor of ten; the model is 20 % better on each of them."""
    hard = rng.uniform(0.1, 1, 25)
    table = blocks(pca=hard, lstm_vae=0.8 * hard)
    (difference, *_) = [
        each for each in paired.differences(metrics_of(table), table) if each.model == "lstm_vae"
    ]
    assert difference.change == pytest.approx(-0.2)
    assert difference.folds == pytest.approx((-0.2, -0.2))
    assert difference.blocks == pytest.approx((-0.2, -0.2))
    assert difference.verdict == "stands"


def test_a_difference_of_chance_is_undecided(rng):
    base = np.ones(25)
    table = blocks(pca=base, lstm_vae=1 + rng.normal(scale=0.2, size=25))
    found = [
        each for each in paired.differences(metrics_of(table), table) if each.model == "lstm_vae"
    ]
    assert {each.verdict for each in found} == {"undecided"}


def test_the_interval_over_blocks_is_that_of_a_mean(rng):
    """Of equally hard blocks: the normal interval of the mean of their changes."""
    changes = rng.normal(scale=0.1, size=25)
    table = blocks(pca=np.ones(25), lstm_vae=1 + changes)
    low, high = paired.block_interval(table, "lstm_vae", "pca", "error")
    half = 1.96 * changes.std() / 5
    assert (low, high) == pytest.approx((changes.mean() - half, changes.mean() + half), abs=0.006)


def test_only_seeds_of_both_models_count():
    """Of one model two folds are missing: the other is not summed over them either."""
    table = blocks(pca=np.arange(1.0, 26), lstm_vae=0.8 * np.arange(1.0, 26))
    seeds = table.index.get_level_values("seed")
    is_missing = (table.index.get_level_values("model") == "lstm_vae") & (seeds > 2)
    ends = paired.block_interval(table[~is_missing], "lstm_vae", "pca", "error")
    assert ends == pytest.approx((-0.2, -0.2))


def test_errors_are_summed_by_block():
    """The first block of 12 x 12 pixels has the first 12 pixels of a row of the grid."""
    heldout = np.zeros(3600, dtype=bool)
    heldout[[0, 11, 12, 60]] = True
    mse = np.arange(3600.0)
    arrays = {"heldout": heldout, "mse": mse, "refined_mse": np.array([1.0, 2.0, 4.0, 8.0])}
    table = block_rows(Job("standard", "beps_heldout", "pca", 3), arrays)
    assert table.loc[("beps_heldout", "pca", 3, 0)].tolist() == [3, 71, 11]
    assert table.loc[("beps_heldout", "pca", 3, 1)].tolist() == [1, 12, 4]


def test_the_stored_blocks_are_the_stored_errors():
    """Sums over the blocks of a fold, over its pixels, are its held-out error."""
    table = Store().block_table().groupby(level=["dataset", "model", "seed"]).sum()
    metrics = Store().metrics()["metrics"]
    for (dataset, model, seed), row in table.iterrows():
        entry = metrics[f"{dataset}.{model}.heldout_mse"]
        stored = entry["values"][entry["seeds"].index(seed)]
        assert row["error"] / row["n_pixels"] == pytest.approx(stored, rel=1e-5)
    assert len(table) == 75, "fifteen models, five folds"
