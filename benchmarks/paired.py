"""Differences of two models on the scan, paired pixel by pixel and fold by fold, with intervals.

What varies most between folds is how hard their pixels are, which both models share. So two models
are compared on the same pixels, and the interval is of their difference. There are two: that of
Nadeau and Bengio over the folds, and a bootstrap over blocks of 12 x 12 pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks.derived import fold_interval
from replicate.study.family import LABELS

#: Draws of blocks, and their seed.
N_DRAWS = 10_000
SEED = 0

#: The comparisons: a model, the one it is compared with, and by which code.
COMPARISONS = (
    ("pca", "dictionary_learning", "error"),
    ("sparse_pca", "pca", "error"),
    ("nmf", "pca", "error"),
    ("lstm_vae_plain", "pca", "error"),
    ("lstm_vae_plain", "dictionary_learning", "error"),
    ("lstm_vae", "pca", "error"),
    ("lstm_vae", "pca", "refined"),
    ("dense_ae", "pca", "error"),
    ("dense_ae", "linear_ae", "error"),
    ("dense_ae", "linear_ae", "refined"),
    ("dense_vae", "lstm_vae", "error"),
    ("dense_vae", "lstm_vae", "refined"),
    ("dense_vae", "dense_ae", "error"),
    ("dense_vae", "dense_ae", "refined"),
    ("lstm_vae", "lstm_ae", "error"),
    ("lstm_vae", "lstm_ae", "refined"),
)

#: The codes for a reader, and the metric of each.
CODES = {
    "error": ("encoder", "heldout_mse"),
    "refined": ("best code", "heldout_mse_refined"),
}


class Difference(NamedTuple):
    """By how much the held-out error of a model differs from another's, as a share of the latter.

    Attributes
    ----------
    model, other, code : str
    change : float
        Mean over the folds.
    folds, blocks : tuple of float
        The 95 % intervals, over folds and over blocks.
    n_folds : int
    """

    model: str
    other: str
    code: str
    change: float
    folds: tuple[float, float]
    blocks: tuple[float, float]
    n_folds: int

    @property
    def verdict(self) -> str:
        """Whether both intervals lie on one side of zero."""
        ends = (*self.folds, *self.blocks)
        return "stands" if min(ends) > 0 or max(ends) < 0 else "undecided"


def differences(metrics: Mapping[str, dict], blocks: pd.DataFrame) -> Iterator[Difference]:
    """Yield every comparison whose models were measured on two folds or more.

    Parameters
    ----------
    metrics : mapping of str to dict
        The ``metrics`` of metrics.json.
    blocks : DataFrame
        As `benchmarks.store.Store.block_table` returns it.
    """
    for model, other, code in COMPARISONS:
        kind = CODES[code][1]
        changes = changes_by_fold(
            metrics, f"beps_heldout.{model}.{kind}", f"beps_heldout.{other}.{kind}"
        )
        if len(changes) > 1:
            yield Difference(
                model,
                other,
                code,
                float(np.mean(changes)),
                fold_interval(changes),
                block_interval(blocks, model, other, code),
                len(changes),
            )


def changes_by_fold(metrics: Mapping[str, dict], name: str, other: str) -> list[float]:
    """Return by which share one metric is greater than another, for each seed of both.

    Parameters
    ----------
    metrics : mapping of str to dict
        The ``metrics`` of metrics.json.
    name, other : str
        Names of the two metrics; there is no change where one was not measured.
    """
    new, old = (
        dict(zip(entry["seeds"], entry["values"])) if entry else {}
        for entry in map(metrics.get, (name, other))
    )
    return [new[seed] / old[seed] - 1 for seed in new if seed in old]


def block_interval(
    blocks: pd.DataFrame, model: str, other: str, code: str, dataset: str = "beps_heldout"
) -> tuple[float, float]:
    """Return the 95 % bootstrap interval over blocks of the change of a sum of errors.

    Blocks are drawn with replacement. Both models are summed over the same blocks.

    Parameters
    ----------
    blocks : DataFrame
        As `benchmarks.store.Store.block_table` returns it.
    model, other : str
    code : str
        ``error`` or ``refined``.
    dataset : str
    """
    both = [blocks.sort_index().loc[(dataset, name), code] for name in (model, other)]
    # Of seeds, and so of pixels, that both have; a pixel counts once for each split.
    new, old = (sums.groupby(level="block").sum() for sums in both[0].align(both[1], join="inner"))
    rng = np.random.default_rng(SEED)
    counts = rng.multinomial(len(new), np.full(len(new), 1 / len(new)), size=N_DRAWS)
    changes = (counts @ new.to_numpy()) / (counts @ old.to_numpy()) - 1
    low, high = np.quantile(changes, (0.025, 0.975))
    return float(low), float(high)


def table(metrics: Mapping[str, dict], blocks: pd.DataFrame) -> str:
    """Return all comparisons as a table in Markdown; parameters are those of `differences`."""
    lines = [
        "| model | against | code | change of the error | over folds | over blocks | |",
        "| --- | --- | --- | ---: | ---: | ---: | --- |",
    ]
    lines += [_row(each) for each in differences(metrics, blocks)]
    return "\n".join(lines)


def _row(difference):
    cells = (
        LABELS[difference.model],
        LABELS[difference.other],
        CODES[difference.code][0],
        f"{difference.change:+.1%}",
        _interval(difference.folds),
        _interval(difference.blocks),
        difference.verdict,
    )
    return f"| {' | '.join(cells)} |"


def _interval(ends):
    return "{:+.1%} to {:+.1%}".format(*ends)
