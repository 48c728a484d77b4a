"""How well a model keeps the two-step switching (ours; not in the paper).

Maps of the shoulder of its loops, and how well the pixels with a shoulder can be told by it.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from figures.shared import benchmark, common, style
from replicate.analysis.loops import describe_spectra
from replicate.analysis.mechanism import shoulder, shoulder_limit
from replicate.data import sources
from replicate.data.scan import Scan
from replicate.running.runs import Run
from replicate.study.family import LABELS, MODELS

#: The models whose reconstructions are mapped.
MAPPED_MODELS = ("pca", "dictionary_learning", "dense_vae", "lstm_vae")

#: The scores that are drawn, a panel each, and their labels.
MECHANISM_SCORES = {
    "shoulder_auc": "telling pixels with a shoulder,\nROC AUC (1 is best, 0.5 chance)",
    "shoulder_kept": "pixels with a shoulder that still\nhave one (share, 1 is best)",
    "shoulder_invented": "pixels without a shoulder that\nnow have one (share, 0 is best)",
    "descriptor_correlation": "descriptors, model with data\n(mean correlation, 1 is best)",
}

#: The data sets whose scores are drawn, a row of panels each, and the titles of the rows.
DATASET_TITLES = {
    "beps_heldout": "scan, held-out blocks",
    "twin": "twin, held-out blocks, true bands",
}

NOTE = (
    "Shoulder: of the piezoresponse, mean of both branches. Filled: the model's own encoder. "
    "Open: best code of its decoder. Small: seeds."
)


def draw(results: Path, profile: str, seed: int = 0) -> Figure:
    """Draw maps of the shoulder in data and reconstructions, and the scores of the whole family."""
    numbers = benchmark.load(results, profile)
    kinds = [*MECHANISM_SCORES, *(f"{kind}_refined" for kind in MECHANISM_SCORES)]
    scores = benchmark.require(
        numbers[
            numbers["dataset"].isin(DATASET_TITLES)
            & numbers["setting"].eq("")
            & numbers["kind"].isin(kinds)
        ],
        results,
        profile,
        "scores of shoulders are",
    )
    runs, provenance = common.load(results, profile, "beps", seed, MAPPED_MODELS)
    fig = style.figure(height=7.6)
    above, *blocks = fig.subfigures(1 + len(DATASET_TITLES), 1, height_ratios=[1, 1.75, 0.95])
    draw_maps(above, sources.load_scan(provenance["spectra"]), runs)
    for block, (dataset, title), letter in zip(blocks, DATASET_TITLES.items(), "bc"):
        axes = block.subplots(1, len(MECHANISM_SCORES), sharey=True)
        draw_scores(axes, scores[scores["dataset"] == dataset])
        style.letter(axes[0], letter)
        block.suptitle(title)
    benchmark.finish(fig, scores, profile, NOTE)
    return fig


def draw_maps(fig: SubFigure, scan: Scan, runs: dict[str, Run]) -> None:
    """Draw the shoulder of each pixel, of the data and of reconstructions, on one scale.

    Parameters
    ----------
    fig : SubFigure
    scan : Scan
    runs : dict of str to Run
        By model; all were fitted to all pixels.
    """
    data, switches = describe_spectra(scan, scan.spectra)
    shoulders = {"Data": shoulder(data)}
    for model, run in runs.items():
        reconstructed, _ = describe_spectra(scan, run.arrays["reconstructions"])
        shoulders[LABELS[model]] = shoulder(reconstructed)
    limit = shoulder_limit(data, switches)
    greatest = float(np.percentile(shoulders["Data"], 99))
    axes = fig.subplots(1, len(shoulders))
    for ax, (name, values) in zip(axes, shoulders.items()):
        image = style.scan_map(ax, scan.map(values), scan.size_um, vmin=0, vmax=greatest)
        share = 100 * np.mean(values > limit)
        ax.set_title(f"{textwrap.fill(name, 20)}\n{share:.0f} % above the limit")
    style.letter(axes[0], "a")
    style.colour_bar(fig, image, list(axes), "shoulder (1)", shrink=0.8, extend="max")


def draw_scores(axes: Sequence[Axes], scores: pd.DataFrame) -> None:
    """Draw every score of every model, a panel a score and a row a model."""
    models = [model for model in MODELS if model in set(scores["model"])]
    for ax, (kind, label) in zip(axes, MECHANISM_SCORES.items()):
        for row, model in enumerate(models):
            of_model = scores[scores["model"] == model]
            by_encoder = of_model.loc[of_model["kind"] == kind, "number"]
            colour = benchmark.FAMILY_COLOURS[model]
            draw_score(ax, by_encoder, row - 0.15, model, markerfacecolor=colour)
            best_code = of_model.loc[of_model["kind"] == f"{kind}_refined", "number"]
            draw_score(ax, best_code, row + 0.15, model, markerfacecolor="none")
        ax.set_xlabel(label)
        ax.grid(axis="y", linewidth=0.3)
    axes[0].set(
        yticks=range(len(models)),
        yticklabels=[LABELS[model] for model in models],
        ylim=(len(models) - 0.5, -0.5),
    )


def draw_score(ax: Axes, values: pd.Series, y: float, model: str, markerfacecolor: str) -> None:
    """Draw one score of one model at height y: a small point a seed, and their mean."""
    look = {"color": benchmark.FAMILY_COLOURS[model], "markerfacecolor": markerfacecolor}
    ax.plot(
        values,
        np.full(len(values), y),
        "o",
        markersize=1.3,
        linewidth=0,
        alpha=0.6,
        **look,
    )
    if len(values):
        ax.plot(
            values.mean(),
            y,
            benchmark.FAMILY_MARKERS[model],
            markersize=3.5,
            markeredgewidth=0.7,
            **look,
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    return common.script(draw, "mechanism", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
