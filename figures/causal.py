"""Beyond correlation: switching by steps, its evidence, its laws, and what confounds it.

This is ours, after the abstract on causal learning. Everything drawn is in the record that
`python -m replicate.causal` writes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import CenteredNorm
from matplotlib.figure import Figure, SubFigure

from figures.shared import common, style
from replicate import seals
from replicate.analysis.loops import DESCRIPTORS
from replicate.causal import folder
from replicate.causal.laws import rate_curve
from replicate.data.scan import SIZE_UM
from replicate.errors import ReplicationError
from replicate.files import read_npz
from replicate.study.family import LABELS

#: An edge is drawn that at least this share of the bootstrap graphs has.
MIN_SHARE = 0.5

#: How many pairs of descriptors are drawn whose correlation changes sign, the clearest first.
N_REVERSALS = 4

#: The box behind the number of an edge, so that it can be read.
NUMBER_BOX = {
    "boxstyle": "round,pad=0.1",
    "facecolor": "white",
    "edgecolor": "none",
    "alpha": 0.85,
}

#: What the axis calls the nodes of the causal graph: row and band of a pixel, and descriptors.
NODE_NAMES = {"row": "scan row", "band": "band"}
NODE_NAMES |= {name: descriptor.label for name, descriptor in DESCRIPTORS.items()}

#: What the drawing of the causal graph calls its nodes, where there is little room.
SHORT_NODE_NAMES = {
    "row": "scan row",
    "band": "band",
    "saturation": "saturation",
    "coercive_positive": "coercive\nvoltage +",
    "imprint": "imprint",
    "shoulder_positive": "shoulder +",
    "hardening_positive": "hardening +",
    "softening_positive": "softening +",
    "resonance_mean": "resonance,\nmean",
}

#: The look of a bar that stands for an interval.
BAR = {"alpha": 0.5, "solid_capstyle": "butt"}

BLUE = "#0072B2"
ORANGE = "#D55E00"


def load(results: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """Return the record of the causal extension, and its maps and curves.

    Raises
    ------
    ReplicationError
        If there is no record.
    """
    record_folder = folder(results)
    if not (record_folder / "causal.json").exists():
        raise ReplicationError(
            f"{record_folder}: no record here. "
            f"Make it with `python -m replicate.causal --results {results}`."
        )
    return seals.read(record_folder / "causal.json"), read_npz(record_folder / "maps.npz")


def draw(results: Path, profile: str, seed: int = 0) -> Figure:
    """Draw the four panels of the record in a results folder."""
    record, arrays = load(results)
    fig = style.figure(height=8.2)
    blocks = fig.subfigures(
        2, 2, width_ratios=[1, 1.12], height_ratios=[1, 1.12], wspace=0.03, hspace=0.03
    )
    draw_curves(blocks[0, 0], record, arrays)
    draw_evidence(blocks[0, 1], record, arrays)
    draw_laws(blocks[1, 0], record)
    draw_causes(blocks[1, 1], record)
    style.note(
        fig,
        "Hardening: quantiles of the rise of the resonance, rising branch. "
        "The resonance jumps at 0 V, where a cycle starts and ends. "
        "Bars: 95 %, blocks drawn again.",
    )
    style.stamp(fig, [record["provenance"]], profile, seed)
    return fig


def group_looks(record: dict) -> list[tuple[str, tuple]]:
    """Return label and colour of each group of pixels; groups are quantiles of the hardening."""
    quantiles = record["evidence"]["groups"]["quantiles"]
    labels = [f"{100 * low:g}–{100 * high:g} %" for low, high in quantiles]
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.85, len(quantiles)))
    return list(zip(labels, colours))


def draw_curves(block: SubFigure, record: dict, arrays: dict[str, np.ndarray]) -> None:
    """Draw how fast loops switch and their resonance, both over the voltage, by group."""
    rate_ax, resonance_ax = block.subplots(2, sharex=True)
    voltage = arrays["voltage"]
    half = len(voltage) // 2
    falling = slice(0, half + 1)
    rising = slice(half, None)
    for i, (label, colour) in enumerate(group_looks(record)):
        rate = arrays["rate"][i]
        resonance = arrays["resonance"][i]
        look = {"color": colour, "linewidth": 0.9}
        rate_ax.plot(voltage[falling], rate[falling], "--", **look)
        resonance_ax.plot(voltage[falling], resonance[falling], "--", **look)
        rate_ax.plot(voltage[rising], rate[rising], "-", label=label, **look)
        resonance_ax.plot(voltage[rising], resonance[rising], "-", **look)
    rate_ax.set_ylabel("rate of switching, dP/dV (z-score/V)")
    resonance_ax.set(ylabel="resonance (z-score)", xlabel="voltage (V)")
    rate_ax.legend(
        title="hardening",
        loc="upper center",
        bbox_to_anchor=(0.54, 1),
        handlelength=1,
        labelspacing=0.2,
    )
    rate_ax.set_title("mean loops: rising (solid) and falling (dashed)")
    rate_ax.set_ylim(bottom=0)
    style.letter(rate_ax, "a")


def draw_evidence(block: SubFigure, record: dict, arrays: dict[str, np.ndarray]) -> None:
    """Draw the evidence for two steps: of mean loops, row by row of the scan, and of each pixel."""
    evidence = record["evidence"]
    axes = block.subplot_mosaic([["groups", "rows"], ["map", "map"]], height_ratios=[1, 1.55])
    draw_group_evidence(axes["groups"], evidence, group_looks(record))
    style.letter(axes["groups"], "b")
    draw_prevalence(axes["rows"], evidence["map"])
    draw_evidence_map(block, axes["map"], arrays["log_bayes"], evidence["map"]["auc_band"])


def draw_group_evidence(ax: Axes, evidence: dict, looks: Sequence[tuple[str, tuple]]) -> None:
    """Draw the evidence for two steps of the mean loop of each group, by two methods."""
    groups = evidence["groups"]
    for i, (_, colour) in enumerate(looks):
        is_first = i == 0
        ax.plot([i, i], groups["interval"][i], color=colour, linewidth=3, **BAR)
        ax.plot(
            i,
            groups["log_bayes"][i],
            "o",
            color=colour,
            markersize=4,
            label="Laplace" if is_first else None,
        )
        ax.plot(
            i,
            evidence["nested"]["groups"][i]["nested"],
            "x",
            color="black",
            markersize=5,
            label="nested sampling" if is_first else None,
        )
    ax.axhline(0, color="0.6", linewidth=0.6)
    ax.set_xticks(range(len(looks)), [label for label, _ in looks], rotation=40, ha="right")
    ax.set(
        ylabel="ln B, two : one step (nat)",
        title="mean loops by hardening",
        xlim=(-0.5, len(looks) - 0.5),
    )
    ax.set_ylim(top=1.7 * max(high for _, high in groups["interval"]))
    ax.legend(handlelength=0.8, loc="upper left", borderaxespad=0.1)


def draw_prevalence(ax: Axes, evidence_map: dict) -> None:
    """Draw how prevalent three states seem after each row of the scan, and after all of them."""
    for (name, shares), colour in zip(evidence_map["by_row"].items(), (ORANGE, BLUE)):
        whole_scan = evidence_map["prevalence"][name]
        ends = [whole_scan["low"], whole_scan["high"]]
        ax.plot(np.arange(len(shares)), shares, color=colour, label=name)
        ax.plot([len(shares) + 1] * 2, ends, color=colour, linewidth=3, **BAR)
    ax.set(
        xlabel="scan rows seen (number)",
        ylabel="prevalence (1)",
        ylim=(0, 1),
        title="pixels of three states",
    )
    ax.legend(loc="lower right", borderaxespad=0.1)


def draw_evidence_map(block: SubFigure, ax: Axes, log_bayes: np.ndarray, auc_band: float) -> None:
    """Draw the evidence for two steps at every pixel.

    Parameters
    ----------
    block : SubFigure
    ax : Axes
    log_bayes : ndarray, shape (rows, cols)
        The logarithm of the Bayes factor, nat.
    auc_band : float
        How well it tells the bands, as the area under a ROC curve.
    """
    greatest = max(1, np.percentile(np.abs(log_bayes), 96))
    norm = CenteredNorm(0, greatest)
    image = style.scan_map(ax, log_bayes, SIZE_UM, cmap="RdBu_r", norm=norm)
    ax.set_title(f"ln B of every pixel, AUC for bands {auc_band:.2f}")
    ax.xaxis.labelpad = 8
    bar = block.colorbar(image, ax=ax, label="ln B (nat)", extend="both", aspect=18, pad=0.02)
    bar.outline.set_linewidth(0.4)


def draw_laws(block: SubFigure, record: dict) -> None:
    """Draw the laws of latents and positions of the toy spectra, and the rate laws of the scan."""
    upper, lower = block.subplots(2)
    draw_term_counts(upper, record["laws"])
    style.letter(upper, "c")
    draw_rate_laws(lower, record)


def draw_term_counts(ax: Axes, laws: dict) -> None:
    """Draw how many terms of the colours it takes to write coordinates of the toy spectra.

    Parameters
    ----------
    ax : Axes
    laws : dict
        The laws of the record of the causal extension.
    """
    toy = laws["toy"][0]
    rows = {
        "positions": (toy["terms"], toy["r2"]),
        "PCA, not scaled": (toy["pca_terms"], toy["pca_r2"]),
    }
    for model, law in laws["latents"].items():
        rows[LABELS[model]] = (law["terms"], law["r2"])
    for row, (n_terms, r2) in enumerate(rows.values()):
        colour = BLUE if row == 0 else "0.6"
        for i, (count, fit) in enumerate(zip(n_terms, r2)):
            y = row + 0.24 * (i - (len(n_terms) - 1) / 2)
            ax.plot([0, count], [y, y], color=colour, linewidth=1.5)
            ax.text(count + 0.3, y, f"{fit:.2f}", va="center", fontsize=5)
    ax.set_yticks(range(len(rows)), rows)
    ax.set(
        xlabel="terms of a cubic in R, G, B (number: R²)",
        xlim=(0, 22),
        xticks=range(0, 21, 5),
        title="toy spectra, law known",
    )
    ax.invert_yaxis()


def draw_rate_laws(ax: Axes, record: dict) -> None:
    """Draw the rate of switching over the fraction switched, on the rising branch, by group."""
    for (_, rising), (label, colour) in zip(record["laws"]["scan"], group_looks(record)):
        fraction, rate = rate_curve(np.array(rising["coefficients"]))
        ax.plot(fraction, rate, color=colour, label=f"{label}: {rising['valley']:.2f}")
    ax.set(
        xlabel="fraction switched, g (1)",
        ylabel="dg/dV (1/V)",
        title="rate law of the mean loops, rising",
    )
    ax.set_ylim(0, 1.45 * ax.get_ylim()[1])
    ax.legend(
        title="hardening: depth of the valley",
        loc="upper center",
        ncols=2,
        handlelength=1,
        labelspacing=0.2,
    )


def draw_causes(block: SubFigure, record: dict) -> None:
    """Draw the causal graph, and the pairs of descriptors whose correlation changes sign."""
    upper, lower = block.subplots(2, height_ratios=[1.5, 1])
    draw_graph(upper, record["graphs"])
    style.letter(upper, "d")
    draw_reversals(lower, record["graphs"]["reversals"])


def clearest_reversals(reversals: dict) -> list[dict]:
    """Return the pairs whose correlation changes sign within band and row, the clearest first."""
    within_band_and_row = [pair for pair in reversals["found"] if pair["held"] == "band and row"]

    def clearness(pair: dict) -> float:
        return min(abs(pair["pooled"]["z"]), abs(pair["within"]["z"]))

    return sorted(within_band_and_row, key=clearness, reverse=True)[:N_REVERSALS]


def draw_reversals(ax: Axes, reversals: dict) -> None:
    """Draw correlations that change sign, pooled and within band and row, a row a pair.

    Parameters
    ----------
    ax : Axes
    reversals : dict
        The reversals of the record of the causal extension.
    """
    pairs = clearest_reversals(reversals)
    for row, pair in enumerate(pairs):
        for name, label, colour, y in (
            ("pooled", "pooled", ORANGE, row - 0.1),
            ("within", "within band and row", BLUE, row + 0.1),
        ):
            correlation = pair[name]
            ends = [correlation["low"], correlation["high"]]
            ax.plot(ends, [y, y], color=colour, linewidth=2, **BAR)
            ax.plot(
                correlation["value"],
                y,
                "o",
                color=colour,
                markerfacecolor=colour if pair["survives"] else "white",
                markersize=3.5,
                label=label if row == 0 else None,
            )
    names = [",\n".join(NODE_NAMES[name] for name in pair["pair"]) for pair in pairs]
    ax.set_yticks(range(len(pairs)), names)
    ax.axvline(0, color="0.6", linewidth=0.6)
    ax.set(xlabel="correlation of normal scores (1)", ylim=(len(pairs) + 0.3, -0.5))
    ax.set_title(
        "pairs whose correlation changes sign\n"
        f"(filled: at 5 % over all {reversals['looks']} looks)"
    )
    if pairs:
        ax.legend(loc="lower left", ncols=2, handlelength=0.8, borderaxespad=0.1)


def draw_graph(ax: Axes, graphs: dict) -> None:
    """Draw the causal graph: its nodes on an ellipse, and the edges that bootstrap graphs agree on.

    Parameters
    ----------
    ax : Axes
    graphs : dict
        The graphs of the record of the causal extension.
    """
    nodes = graphs["nodes"]
    angles = 2 * np.pi * np.arange(len(nodes)) / len(nodes) + np.pi / 2
    x = 1.35 * np.cos(angles)
    y = np.sin(angles)
    one_pixel = np.array(graphs["pc_1"])
    nine_pixels = np.array(graphs["pc_9"])
    for i, j in zip(*np.triu_indices(len(nodes), 1)):
        share = max(one_pixel[i, j], nine_pixels[i, j])
        if share >= MIN_SHARE:
            colour = BLUE if one_pixel[i, j] >= MIN_SHARE else "0.65"
            # Off the middle to either side, for many edges cross there.
            number_at = 0.5 + 0.08 * (-1) ** (i + j)
            draw_edge(ax, x[[i, j]], y[[i, j]], share, colour, number_at)
    for node_x, node_y, name in zip(x, y, nodes):
        draw_node(ax, node_x, node_y, name)
    ax.set(
        xlim=(-1.7, 1.7),
        ylim=(-1.25, 1.25),
        title="PC: share of bootstrap graphs with an edge\n(blue: also from one pixel a block)",
    )
    ax.axis("off")


def draw_edge(
    ax: Axes, x: np.ndarray, y: np.ndarray, share: float, colour: str, number_at: float
) -> None:
    """Draw an edge as wide as it is often there, and its share as a number.

    Parameters
    ----------
    ax : Axes
    x, y : ndarray, shape (2,)
        Its ends.
    share : float
        The share of the bootstrap graphs that have it.
    colour : str
    number_at : float
        Where the number is: 1 is the first end, and 0 the second.
    """
    ax.plot(x, y, color=colour, linewidth=0.4 + 2.2 * share, alpha=0.8, zorder=1)
    ax.text(
        number_at * x[0] + (1 - number_at) * x[1],
        number_at * y[0] + (1 - number_at) * y[1],
        f"{share:.2f}",
        fontsize=5.5,
        ha="center",
        va="center",
        bbox=NUMBER_BOX,
        zorder=2,
    )


def draw_node(ax: Axes, x: float, y: float, name: str) -> None:
    """Draw a node of the causal graph; row and band, which are no descriptors, are yellow."""
    box = {
        "boxstyle": "round,pad=0.25",
        "facecolor": "#FFF3D6" if name in ("row", "band") else "white",
        "linewidth": 0.5,
    }
    ax.text(
        x,
        y,
        SHORT_NODE_NAMES[name],
        ha="center",
        va="center",
        fontsize=6,
        bbox=box,
        zorder=3,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    return common.script(draw, "causal", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
