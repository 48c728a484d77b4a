"""What each model costs: time to fit, time to encode and peak memory, every complete run a point, whatever its seed."""

from __future__ import annotations

import sys

import pandas as pd
import seaborn as sns
from matplotlib.ticker import LogFormatter

from figures.shared import all_seeds, common, style
from replicate.study.family import LABELS

COSTS = {
    "fit_seconds": "time to fit (s)",
    "transform_seconds": "time to encode (s)",
    "peak_memory_mib": "peak memory (MiB)",
}
TITLES = {
    "toy": "toy",
    "toy_shuffled": "toy,\nshuffled",
    "beps": "BEPS",
    "beps_heldout": "BEPS,\nheld-out fit",
}


def draw(results, profile, _seed=0):
    """Draw the costs of every run by data set and model."""
    loaded = {
        dataset: all_seeds.load(results, profile, dataset)
        for dataset in all_seeds.datasets(results, profile)
    }
    records = all_seeds.records(loaded)
    rows = [
        {
            "dataset": TITLES[record["dataset"]],
            "model": LABELS[record["model"]],
            **record["metrics"],
        }
        for record in records
    ]
    fig = style.figure(height=2.8)
    block = fig.subfigures()
    for ax, kind in zip(block.subplots(1, len(COSTS)), COSTS):
        draw_cost(ax, pd.DataFrame(rows), kind)
    block.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=len(LABELS))
    machines = sorted(
        {
            f"{record['machine']['processor']}, {record['machine']['cores']} cores"
            for record in records
        }
    )
    note = f"Each point a seed, one thread a run, on {' and '.join(machines)}. Encoded are the spectra fitted to."
    all_seeds.finish(fig, loaded, profile, note)
    return fig


def draw_cost(ax, table, kind):
    """Draw one cost of every run as a point, the seeds of a model over a violin."""
    palette = {
        LABELS[model]: colour
        for model, colour in style.COLOURS.items()
        if LABELS[model] in set(table["model"])
    }
    what = {
        "data": table,
        "x": "dataset",
        "y": kind,
        "hue": "model",
        "palette": palette,
        "hue_order": list(palette),
        "log_scale": True,
    }
    sns.violinplot(
        **what,
        inner=None,
        cut=0,
        density_norm="width",
        linewidth=0.3,
        alpha=0.3,
        legend=False,
        ax=ax,
    )
    sns.stripplot(
        **what, dodge=True, jitter=False, size=2.5, edgecolor="black", linewidth=0.3, ax=ax
    )
    ax.get_legend().set_visible(False)
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1, 0.5)))
    ax.set(xlabel="", ylabel=COSTS[kind])


def main(argv=None):
    """Run the command line."""
    return common.script(draw, "cost", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
