"""What each model costs: time to fit, time to encode and peak memory.

Every complete run is a point, whatever its seed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from figures.shared import all_seeds, common, style
from replicate import own_model
from replicate.study.family import LABELS

#: The metrics that are drawn, a panel each, and their labels.
COSTS = {
    "fit_seconds": "time to fit (s)",
    "transform_seconds": "time to encode (s)",
    "peak_memory_mib": "peak memory (MiB)",
}

#: What the axis calls each data set.
DATASET_NAMES = {
    "toy": "toy",
    "toy_shuffled": "toy,\nshuffled",
    "beps": "BEPS",
    "beps_heldout": "BEPS,\nheld-out fit",
}


def draw(results: Path, profile: str, _seed: int = 0) -> Figure:
    """Draw the costs of every run by data set and model."""
    loaded = {
        dataset: all_seeds.load(results, profile, dataset)
        for dataset in all_seeds.datasets(results, profile)
    }
    records = all_seeds.records(loaded)
    rows = []
    for record in records:
        row = {
            "dataset": DATASET_NAMES[record["dataset"]],
            "name": record["model"],
            "model": LABELS[record["model"]],
        }
        rows.append(row | record["metrics"])
    fig = style.figure(height=2.8)
    block = fig.subfigures()
    for ax, kind in zip(block.subplots(1, len(COSTS)), COSTS):
        draw_cost(ax, pd.DataFrame(rows), kind)
    block.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=len(LABELS))
    note = (
        f"Each point a seed, one thread a run, on {' and '.join(machines(records))}. "
        "Encoded are the spectra fitted to."
    )
    all_seeds.finish(fig, loaded, profile, note)
    return fig


def machines(records: Sequence[dict]) -> list[str]:
    """Return processor and number of cores of every machine that runs were made on, as text."""
    names = set()
    for record in records:
        machine = record["machine"]
        names.add(f"{machine['processor']}, {machine['cores']} cores")
    return sorted(names)


def draw_cost(ax: Axes, table: pd.DataFrame, kind: str) -> None:
    """Draw one cost of every run as a point, the seeds of a model over a violin.

    Parameters
    ----------
    ax : Axes
    table : DataFrame
        One row a run, with ``dataset``, ``name`` and ``model`` (its label), and the costs.
    kind : str
        One of `COSTS`.
    """
    known = [*style.MODEL_COLOURS, *own_model.own_among(table["name"])]
    palette = {
        LABELS[model]: style.MODEL_COLOURS[model] for model in known if model in set(table["name"])
    }
    variables = {
        "data": table,
        "x": "dataset",
        "y": kind,
        "hue": "model",
        "palette": palette,
        "hue_order": list(palette),
        "log_scale": True,
    }
    sns.violinplot(
        **variables,
        inner=None,
        cut=0,
        density_norm="width",
        linewidth=0.3,
        alpha=0.3,
        legend=False,
        ax=ax,
    )
    sns.stripplot(
        **variables,
        dodge=True,
        jitter=False,
        size=2.5,
        edgecolor="black",
        linewidth=0.3,
        ax=ax,
    )
    ax.get_legend().set_visible(False)
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1, 0.5)))
    ax.set(xlabel="", ylabel=COSTS[kind])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    return common.script(draw, "cost", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
