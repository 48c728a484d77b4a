"""Beyond correlation: switching by steps, its evidence, its laws, and what confounds it (ours, after the abstract on causal learning).

Everything drawn is in the record that `python -m replicate.causal` writes.
"""

from __future__ import annotations

import sys

import matplotlib as mpl
import numpy as np
from matplotlib.colors import CenteredNorm

from figures.shared import common, style
from replicate.analysis.loops import DESCRIPTORS
from replicate.causal import folder
from replicate.causal.laws import rate_curve
from replicate.data.scan import SIZE_UM
from replicate.errors import ReplicationError
from replicate.files import read_json, read_npz
from replicate.study.family import LABELS

SHOWN = 0.5
"""Share of the bootstrap graphs from which an edge is drawn."""

PAPER = {"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
"""Behind the number of an edge, so that it can be read."""

NAMES = {
    "row": "scan row",
    "band": "band",
    **{name: own.label for name, own in DESCRIPTORS.items()},
}
SHORT = {
    **{
        "row": "scan row",
        "band": "band",
        "saturation": "saturation",
        "coercive_positive": "coercive\nvoltage +",
        "imprint": "imprint",
    },
    **{
        "shoulder_positive": "shoulder +",
        "hardening_positive": "hardening +",
        "softening_positive": "softening +",
    },
    "resonance_mean": "resonance,\nmean",
}


def load(results):
    """Return the record of the causal extension, and its maps and curves."""
    place = folder(results)
    if not (place / "causal.json").exists():
        raise ReplicationError(
            f"{place}: no record here. Make it with `python -m replicate.causal --results {results}`."
        )
    return read_json(place / "causal.json"), read_npz(place / "maps.npz")


def draw(results, profile, seed=0):
    """Draw the four panels of the record in a results folder."""
    record, arrays = load(results)
    fig = style.figure(height=8.2)
    block = fig.subfigures(
        2, 2, width_ratios=[1, 1.12], height_ratios=[1, 1.12], wspace=0.03, hspace=0.03
    )
    draw_curves(block[0, 0], record, arrays)
    draw_evidence(block[0, 1], record, arrays)
    draw_laws(block[1, 0], record)
    draw_causes(block[1, 1], record)
    groups = "Hardening: quantiles of the rise of the resonance, rising branch. The resonance jumps at 0 V, where a cycle starts and ends."
    style.note(fig, f"{groups} Bars: 95 %, blocks drawn again.")
    style.stamp(fig, [record["provenance"]], profile, seed)
    return fig


def group_looks(record):
    """Yield label and colour of each group of pixels."""
    quantiles = record["evidence"]["groups"]["quantiles"]
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.85, len(quantiles)))
    return [
        (f"{100 * low:g}–{100 * high:g} %", colour)
        for (low, high), colour in zip(quantiles, colours)
    ]


def draw_curves(fig, record, arrays):
    """Draw how fast loops switch and their resonance, both over the voltage, by group."""
    axes = fig.subplots(2, sharex=True)
    half = len(arrays["voltage"]) // 2
    for i, (label, colour) in enumerate(group_looks(record)):
        for part, line in ((slice(0, half + 1), "--"), (slice(half, None), "-")):
            for ax, name in zip(axes, ("rate", "resonance")):
                own = label if line == "-" and name == "rate" else None
                ax.plot(
                    arrays["voltage"][part],
                    arrays[name][i][part],
                    color=colour,
                    linestyle=line,
                    linewidth=0.9,
                    label=own,
                )
    axes[0].set_ylabel("rate of switching, dP/dV (z-score/V)")
    axes[1].set(ylabel="resonance (z-score)", xlabel="voltage (V)")
    axes[0].legend(
        title="hardening",
        loc="upper center",
        bbox_to_anchor=(0.54, 1),
        handlelength=1,
        labelspacing=0.2,
    )
    axes[0].set_title("mean loops: rising (solid) and falling (dashed)")
    axes[0].set_ylim(bottom=0)
    style.letter(axes[0], "a")


def draw_evidence(fig, record, arrays):
    """Draw the evidence for two steps: of the mean loops, at every pixel, and how prevalent three states seem row by row."""
    evidence = record["evidence"]
    axes = fig.subplot_mosaic([["groups", "rows"], ["map", "map"]], height_ratios=[1, 1.55])
    ax = axes["groups"]
    for i, (_, colour) in enumerate(group_looks(record)):
        ax.plot(
            [i, i],
            evidence["groups"]["interval"][i],
            color=colour,
            linewidth=3,
            alpha=0.5,
            solid_capstyle="butt",
        )
        ax.plot(
            i,
            evidence["groups"]["log_bayes"][i],
            "o",
            color=colour,
            markersize=4,
            label="Laplace" if i == 0 else None,
        )
        ax.plot(
            i,
            evidence["nested"]["groups"][i]["nested"],
            "x",
            color="black",
            markersize=5,
            label="nested sampling" if i == 0 else None,
        )
    ax.axhline(0, color="0.6", linewidth=0.6)
    ax.set_xticks(
        range(len(group_looks(record))),
        [label for label, _ in group_looks(record)],
        rotation=40,
        ha="right",
    )
    ax.set(
        ylabel="ln B, two : one step (nat)",
        title="mean loops by hardening",
        xlim=(-0.5, len(group_looks(record)) - 0.5),
    )
    ax.set_ylim(top=1.7 * max(high for _, high in evidence["groups"]["interval"]))
    ax.legend(handlelength=0.8, loc="upper left", borderaxespad=0.1)
    style.letter(ax, "b")
    ax = axes["rows"]
    for (name, shares), colour in zip(evidence["map"]["by_row"].items(), ("#D55E00", "#0072B2")):
        whole = evidence["map"]["prevalence"][name]
        ax.plot(np.arange(len(shares)), shares, color=colour, label=name)
        ax.plot(
            [len(shares) + 1] * 2,
            [whole["low"], whole["high"]],
            color=colour,
            linewidth=3,
            alpha=0.5,
            solid_capstyle="butt",
        )
    ax.set(
        xlabel="scan rows seen (number)",
        ylabel="prevalence (1)",
        ylim=(0, 1),
        title="pixels of three states",
    )
    ax.legend(loc="lower right", borderaxespad=0.1)
    ax = axes["map"]
    norm = CenteredNorm(0, max(1, np.percentile(np.abs(arrays["log_bayes"]), 96)))
    image = style.scan_map(ax, arrays["log_bayes"], SIZE_UM, cmap="RdBu_r", norm=norm)
    ax.set_title(f"ln B of every pixel, AUC for bands {evidence['map']['auc_band']:.2f}")
    ax.xaxis.labelpad = 8
    bar = fig.colorbar(image, ax=ax, label="ln B (nat)", extend="both", aspect=18, pad=0.02)
    bar.outline.set_linewidth(0.4)


def draw_laws(fig, record):
    """Draw how many terms it takes to write coordinates of the toy spectra in the colours, and the rate laws of the scan."""
    upper, lower = fig.subplots(2)
    toy = record["laws"]["toy"][0]
    rows = {
        "positions": (toy["terms"], toy["r2"]),
        "PCA, not scaled": (toy["pca_terms"], toy["pca_r2"]),
    }
    rows |= {
        LABELS[model]: (own["terms"], own["r2"]) for model, own in record["laws"]["latents"].items()
    }
    for y, (terms, r2) in enumerate(rows.values()):
        for shift, (count, fit) in enumerate(zip(terms, r2)):
            place = y + 0.24 * (shift - (len(terms) - 1) / 2)
            upper.plot(
                [0, count], [place, place], color="#0072B2" if y == 0 else "0.6", linewidth=1.5
            )
            upper.text(count + 0.3, place, f"{fit:.2f}", va="center", fontsize=5)
    upper.set_yticks(range(len(rows)), rows)
    upper.set(
        xlabel="terms of a cubic in R, G, B (number: R²)",
        xlim=(0, 22),
        xticks=range(0, 21, 5),
        title="toy spectra, law known",
    )
    upper.invert_yaxis()
    style.letter(upper, "c")
    for own, (label, colour) in zip(record["laws"]["scan"], group_looks(record)):
        rising = own[1]
        lower.plot(
            *rate_curve(np.array(rising["coefficients"])),
            color=colour,
            label=f"{label}: {rising['valley']:.2f}",
        )
    lower.set(
        xlabel="fraction switched, g (1)",
        ylabel="dg/dV (1/V)",
        title="rate law of the mean loops, rising",
    )
    lower.set_ylim(0, 1.45 * lower.get_ylim()[1])
    lower.legend(
        title="hardening: depth of the valley",
        loc="upper center",
        ncols=2,
        handlelength=1,
        labelspacing=0.2,
    )


def draw_causes(fig, record):
    """Draw the edges that bootstrap graphs agree on, and the pairs of descriptors whose correlation changes sign."""
    upper, lower = fig.subplots(2, height_ratios=[1.5, 1])
    draw_graph(upper, record["graphs"])
    style.letter(upper, "d")
    found = [
        each for each in record["graphs"]["reversals"]["found"] if each["held"] == "band and row"
    ]
    found = sorted(
        found, key=lambda each: -min(abs(each["pooled"]["z"]), abs(each["within"]["z"]))
    )[:4]
    for y, each in enumerate(found):
        for shift, (name, colour) in enumerate((("pooled", "#D55E00"), ("within", "#0072B2"))):
            own, place = each[name], y + 0.2 * (shift - 0.5)
            lower.plot(
                [own["low"], own["high"]],
                [place, place],
                color=colour,
                linewidth=2,
                alpha=0.5,
                solid_capstyle="butt",
            )
            label = {"pooled": "pooled", "within": "within band and row"}[name]
            face = colour if each["survives"] else "white"
            lower.plot(
                own["value"],
                place,
                "o",
                color=colour,
                markerfacecolor=face,
                markersize=3.5,
                label=label if y == 0 else None,
            )
    lower.set_yticks(
        range(len(found)), [",\n".join(NAMES[name] for name in each["pair"]) for each in found]
    )
    lower.axvline(0, color="0.6", linewidth=0.6)
    lower.set(xlabel="correlation of normal scores (1)", ylim=(len(found) + 0.3, -0.5))
    lower.set_title(
        f"pairs whose correlation changes sign\n(filled: at 5 % over all {record['graphs']['reversals']['looks']} looks)"
    )
    if found:
        lower.legend(loc="lower left", ncols=2, handlelength=0.8, borderaxespad=0.1)


def draw_graph(ax, graphs):
    """Draw edges as wide as they are often found, dark where they are so with one pixel a block as well."""
    angles = 2 * np.pi * np.arange(len(graphs["nodes"])) / len(graphs["nodes"]) + np.pi / 2
    x, y = 1.35 * np.cos(angles), np.sin(angles)
    strict, loose = (np.array(graphs[name]) for name in ("pc_1", "pc_9"))
    for i, j in zip(*np.triu_indices(len(x), 1)):
        share = max(strict[i, j], loose[i, j])
        if share >= SHOWN:
            colour = "#0072B2" if strict[i, j] >= SHOWN else "0.65"
            ax.plot(
                x[[i, j]], y[[i, j]], color=colour, linewidth=0.4 + 2.2 * share, alpha=0.8, zorder=1
            )
            here = 0.5 + 0.08 * (-1) ** (i + j)
            place = [here * end[i] + (1 - here) * end[j] for end in (x, y)]
            ax.text(
                *place, f"{share:.2f}", fontsize=5.5, ha="center", va="center", bbox=PAPER, zorder=2
            )
    for place, name in zip(zip(x, y), graphs["nodes"]):
        look = {
            "boxstyle": "round,pad=0.25",
            "facecolor": "#FFF3D6" if name in ("row", "band") else "white",
            "linewidth": 0.5,
        }
        ax.text(*place, SHORT[name], ha="center", va="center", fontsize=6, bbox=look, zorder=3)
    ax.set(
        xlim=(-1.7, 1.7),
        ylim=(-1.25, 1.25),
        title="PC: share of bootstrap graphs with an edge\n(blue: also from one pixel a block)",
    )
    ax.axis("off")


def main(argv=None):
    """Run the command line."""
    return common.script(draw, "causal", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
