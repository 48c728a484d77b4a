"""Does a model keep the two-step switching? Maps of the shoulder of its loops, and how well pixels with one are told (not in the paper)."""

from __future__ import annotations

import sys
import textwrap

import numpy as np

from figures.shared import benchmark as measured
from figures.shared import common, style
from replicate.analysis.loops import describe_spectra
from replicate.analysis.mechanism import shoulder, shoulder_limit
from replicate.data import sources
from replicate.study import jobs as study
from replicate.study.family import LABELS

MAPPED = ("pca", "dictionary_learning", "dense_vae", "lstm_vae")
KINDS = {
    "shoulder_auc": "telling pixels with a shoulder,\nROC AUC (1 is best, 0.5 chance)",
    "shoulder_kept": "pixels with a shoulder that still\nhave one (share, 1 is best)",
    "shoulder_invented": "pixels without a shoulder that\nnow have one (share, 0 is best)",
    "descriptor_correlation": "descriptors, model with data\n(mean correlation, 1 is best)",
}
DATASETS = {"beps_heldout": "scan, held-out blocks", "twin": "twin, held-out blocks, true bands"}
NOTE = "Shoulder: of the piezoresponse, mean of both branches. Filled: the model's own encoder. Open: best code of its decoder. Small: seeds."


def draw(results, profile, seed=0):
    """Draw maps of the shoulder in the data and in what models make of them, and the scores of the whole family."""
    numbers = measured.load(results, profile)
    kinds = [kind + suffix for kind in KINDS for suffix in ("", "_refined")]
    of_study = (
        numbers["dataset"].isin(DATASETS) & numbers["setting"].eq("") & numbers["kind"].isin(kinds)
    )
    scores = measured.require(numbers[of_study], results, profile, "scores of shoulders are")
    loaded, provenance = common.load(results, profile, "beps", seed, MAPPED)
    fig = style.figure(height=7.6)
    above, *blocks = fig.subfigures(1 + len(DATASETS), 1, height_ratios=[1, 1.75, 0.95])
    draw_maps(above, sources.load_scan(provenance["spectra"]), loaded)
    for block, (dataset, title), letter in zip(blocks, DATASETS.items(), "bc"):
        axes = block.subplots(1, len(KINDS), sharey=True)
        draw_scores(axes, scores[scores["dataset"] == dataset])
        style.letter(axes[0], letter)
        block.suptitle(title)
    measured.finish(fig, scores, profile, NOTE)
    return fig


def draw_maps(fig, scan, loaded):
    """Draw the shoulder of each pixel of the data and of its reconstruction by models fitted to all pixels, on one scale."""
    data, switches = describe_spectra(scan, scan.spectra)
    shoulders = {"data": shoulder(data)}
    shoulders |= {
        name: shoulder(describe_spectra(scan, run.arrays["reconstructions"])[0])
        for name, run in loaded.items()
    }
    limit, limits = (
        shoulder_limit(data, switches),
        {"vmin": 0, "vmax": float(np.percentile(shoulders["data"], 99))},
    )
    axes = fig.subplots(1, len(shoulders))
    for ax, (name, values) in zip(axes, shoulders.items()):
        image = style.scan_map(ax, scan.map(values), scan.size_um, **limits)
        ax.set_title(
            textwrap.fill(LABELS.get(name, "Data"), 20)
            + f"\n{100 * np.mean(values > limit):.0f} % above the limit"
        )
    style.letter(axes[0], "a")
    style.colour_bar(fig, image, list(axes), "shoulder (1)", shrink=0.8, extend="max")


def draw_scores(axes, scores):
    """Draw every score of every model, a panel each and a row a model."""
    models = [model for model in study.MODELS if model in set(scores["model"])]
    for ax, (kind, label) in zip(axes, KINDS.items()):
        for row, model in enumerate(models):
            for suffix, filled, shift in (
                ("", measured.COLOURS[model], -0.15),
                ("_refined", "none", 0.15),
            ):
                values = scores.loc[
                    scores["model"].eq(model) & scores["kind"].eq(kind + suffix), "number"
                ]
                look = {"color": measured.COLOURS[model], "markerfacecolor": filled}
                ax.plot(
                    values,
                    np.full(len(values), row + shift),
                    "o",
                    markersize=1.3,
                    linewidth=0,
                    alpha=0.6,
                    **look,
                )
                if len(values):
                    ax.plot(
                        values.mean(),
                        row + shift,
                        measured.MARKERS[model],
                        markersize=3.5,
                        markeredgewidth=0.7,
                        **look,
                    )
        ax.set_xlabel(label)
        ax.grid(axis="y", linewidth=0.3)
    axes[0].set(
        yticks=range(len(models)),
        yticklabels=[LABELS[model] for model in models],
        ylim=(len(models) - 0.5, -0.5),
    )


def main(argv=None):
    """Run the command line."""
    return common.script(draw, "mechanism", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
