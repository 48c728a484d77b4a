"""Figure 3: the network of the LSTM beta-VAE as it was trained, on the toy problem (a) and on the scan (b), drawn from stored weights.

Which layers there are, the shape of what each makes of a spectrum and how many weights it has are read from the weights' names and shapes.
"""

from __future__ import annotations

import re
import sys
from typing import NamedTuple

import numpy as np
from matplotlib.patches import Patch, Rectangle

from figures.shared import common, style
from replicate.errors import ReplicationError
from replicate.files import read_npz
from replicate.reference import network
from replicate.study import family
from replicate.study.family import LABELS

COLOURS = {
    "recurrent layer": "#CFE3F2",
    "dense layer": "#FBE0B8",
    "linear path": "#DADADA",
    "no weights": "white",
}
TITLES = {"toy": "toy problem", "beps": "BEPS scan"}

ROWS = {"encoder": 1.45, "decoder": 0.0}
WIDTH, HEIGHT, APART = 0.8, 0.5, 0.56
"""Width of a box, in columns; height of a box, and how far two in one column are apart, in units of `ROWS`."""

LINEAR_PATH = {"encoder": 2.18, "decoder": 0.74}
"""Heights at which the linear paths run."""


class Layer(NamedTuple):
    """One box: its text, the shape of its output, the weights it has, what colour it is, and the residual block it is part of."""

    text: str
    shape: str
    part: str = ""
    kind: str = "no weights"
    block: int | None = None


def draw(results, profile, seed=0):
    """Draw the networks of one seed."""
    fig = style.figure(height=5.4)
    made_from = {}
    for block, letter, dataset in zip(fig.subfigures(2, 1), "ab", TITLES):
        loaded, provenance = common.load(results, profile, dataset, seed, models=("lstm_vae",))
        made_from[provenance["spectra"]] = None
        ax = block.subplots()
        draw_network(ax, loaded["lstm_vae"], TITLES[dataset])
        style.letter(ax, letter)
    handles = [
        Patch(facecolor=colour, edgecolor="black", linewidth=0.5, label=kind)
        for kind, colour in COLOURS.items()
    ]
    block.legend(handles=handles, loc="outside lower center", ncols=len(COLOURS))
    paper = "The paper's has {n_blocks} residual blocks of {n_layers} bidirectional LSTM layers of {width} units on each side."
    style.note(
        fig,
        "Boxes: shape of the output (steps × features), number of weights. "
        + paper.format(**family.PAPER_NETWORK),
    )
    style.stamp(fig, made_from, profile, seed)
    return fig


def draw_network(ax, run, title):
    """Draw the encoder of a run from left to right, and under it the decoder from right to left."""
    weights = read_npz(run.folder / "weights.npz")
    counts = count(weights, run)
    net = network(weights, np.float32, common.patch(run))
    n_steps = len(run.arrays["index_bias"]) // net.n_channels
    latents = Layer(
        "sampled\nlatents", f"{net.n_latent} ({run.record['metrics']['active_channels']} active)"
    )
    sides = {"encoder": [*encoder(net, n_steps), [latents]], "decoder": decoder(net, n_steps)[::-1]}
    end = max(map(len, sides.values())) - 1
    for side, columns in sides.items():
        places = np.linspace(0, end, len(columns))
        boxes = [
            draw_column(ax, x, ROWS[side], column, counts) for x, column in zip(places, columns)
        ]
        for left, right in zip(boxes, boxes[1:]):
            draw_arrows(ax, *((left, right) if side == "encoder" else (right, left)))
        draw_skips(ax, places, ROWS[side], columns, counts.get(f"{side}.blocks.0.skip"))
    draw_arrow(ax, (end, ROWS["encoder"] - HEIGHT / 2), (end, ROWS["decoder"] + HEIGHT / 2))
    if net.has_linear_path:
        heads = np.linspace(0, end, len(sides["encoder"]))[-2]
        draw_path(
            ax,
            LINEAR_PATH["encoder"],
            (0, ROWS["encoder"]),
            (heads, ROWS["encoder"] + APART / 2),
            counts["encoder.linear"],
        )
        draw_path(
            ax,
            LINEAR_PATH["decoder"],
            (end, LINEAR_PATH["decoder"]),
            (0, ROWS["decoder"]),
            counts["decoder.linear"],
        )
    shares = ", ".join(
        f"{side} {sum(n for part, n in counts.items() if part.startswith(side)):,}"
        for side in sides
    )
    ax.set_title(
        f"{LABELS['lstm_vae']}, {title}: {sum(counts.values()):,} weights ({shares})", loc="left"
    )
    ax.set(xlim=(-0.45, end + 0.45), ylim=(-0.58, 2.3))
    ax.axis("off")


def count(weights, run):
    """Return how many weights each part of a network has.

    Raises
    ------
    ReplicationError
        If there are not as many as the record of the run says.
    """
    counts, expected = {}, run.record["metrics"]["n_parameters"]
    for name, array in weights.items():
        part = re.sub(r"\.(lstm\..+|weight|bias)$", "", name)
        counts[part] = counts.get(part, 0) + array.size
    if sum(counts.values()) != expected:
        raise ReplicationError(
            f"{run.folder}: {sum(counts.values())} numbers in weights.npz, n_parameters {expected} in record.json. Run it again."
        )
    return counts


def encoder(net, n_steps):
    """Return columns of layers from the spectrum to mean and log-variance of its latents."""
    columns = [
        [Layer("spectrum", f"{n_steps} × {net.n_channels}")],
        *_cut(net, n_steps),
        *_blocks("encoder", net, n_steps),
    ]
    columns.append(
        [
            Layer(
                f"BiLSTM {net.width},\nlast state",
                f"{2 * net.width}",
                "encoder.summary",
                "recurrent layer",
            )
        ]
    )
    heads = {"mean": "mean", "log-variance": "log_variance"}
    heads = [
        Layer(text, f"{net.n_latent}", f"encoder.{part}", "dense layer")
        for text, part in heads.items()
    ]
    return [*columns, *_embedding("encoder", net), heads]


def decoder(net, n_steps):
    """Return columns of layers from the latents to the reconstruction."""
    steps = n_steps // net.patch
    inputs = [Layer("same at\neach step", f"{steps} × {net.n_embedding or net.n_latent}")]
    if net.n_own:
        inputs.append(
            Layer("of each\nstep's own", f"{steps} × {net.n_own}", "decoder.own", "dense layer")
        )
    columns = [*_embedding("decoder", net), inputs]
    columns.append(
        [
            Layer(
                f"BiLSTM {net.width}",
                f"{steps} × {2 * net.width}",
                "decoder.first",
                "recurrent layer",
            )
        ]
    )
    columns += _blocks("decoder", net, n_steps)
    columns.append(
        [Layer("dense", f"{steps} × {net.n_channels * net.patch}", "decoder.output", "dense layer")]
    )
    return [*columns, [Layer("recon-\nstruction", f"{n_steps} × {net.n_channels}")]]


def _cut(net, n_steps):
    return (
        [
            [
                Layer(
                    f"{net.patch} steps\nas one",
                    f"{n_steps // net.patch} × {net.n_channels * net.patch}",
                )
            ]
        ]
        if net.patch > 1
        else []
    )


def _embedding(side, net):
    return (
        [[Layer("embedding", f"{net.n_embedding}", f"{side}.embedding", "dense layer")]]
        if net.n_embedding
        else []
    )


def _blocks(side, net, n_steps):
    parts = [
        (block, f"{side}.blocks.{block}.layers.{layer}")
        for block in range(net.n_blocks)
        for layer in range(net.n_layers)
    ]
    shape = f"{n_steps // net.patch} × {2 * net.width}"
    return [
        [Layer(f"BiLSTM {net.width}", shape, part, "recurrent layer", block)]
        for block, part in parts
    ]


def draw_column(ax, x, y, column, counts):
    """Draw one layer, or two side by side in the network as one above the other, and return the middle of each box."""
    heights = [y] if len(column) == 1 else [y + APART / 2, y - APART / 2]
    for layer, height in zip(column, heights):
        draw_box(
            ax,
            x,
            height,
            layer.kind,
            "\n".join(
                filter(None, (layer.text, layer.shape, layer.part and f"{counts[layer.part]:,}"))
            ),
        )
    return [(x, height) for height in heights]


def draw_box(ax, x, y, kind, text, width=WIDTH, height=HEIGHT):
    """Draw a box around its middle."""
    look = {"facecolor": COLOURS[kind], "edgecolor": "black", "linewidth": 0.5, "zorder": 2}
    ax.add_patch(Rectangle((x - width / 2, y - height / 2), width, height, **look))
    ax.text(x, y, text, ha="center", va="center", fontsize=5.3, linespacing=1.1)


def draw_arrows(ax, sources, targets):
    """Draw an arrow from each of some boxes to each of others, given by their middles."""
    for source in sources:
        for target in targets:
            side = np.sign(target[0] - source[0]) * WIDTH / 2
            draw_arrow(ax, (source[0] + side, source[1]), (target[0] - side, target[1]))


def draw_arrow(ax, start, end):
    """Draw an arrow between two points."""
    look = {
        "arrowstyle": "-|>",
        "linewidth": 0.5,
        "mutation_scale": 5,
        "shrinkA": 0,
        "shrinkB": 0,
        "color": "black",
    }
    ax.annotate("", end, start, arrowprops=look)


def draw_skips(ax, places, y, columns, n_linear):
    """Frame each residual block and draw its skip connection; the first is a linear map where there are weights for one."""
    blocks = [column[0].block for column in columns]
    for block in set(blocks) - {None}:
        xs = [x for x, own in zip(places, blocks) if own == block]
        left, right, top = min(xs) - 0.5, max(xs) + 0.5, y + HEIGHT / 2 + 0.14
        ax.plot(
            [left, left, right, right],
            [y, top, top, y],
            color="black",
            linewidth=0.5,
            linestyle=(0, (3, 1.5)),
            zorder=1,
        )
        skip = f"skip, linear: {n_linear:,}" if block == 0 and n_linear else "skip"
        ax.text(
            (left + right) / 2,
            top + 0.02,
            f"block {block + 1}: {skip}",
            ha="center",
            va="bottom",
            fontsize=5.3,
        )


def draw_path(ax, y, start, end, n):
    """Draw the linear path along a height, from one box to another."""
    (x, bottom), (to, target) = start, end
    ax.plot([x, x, to], [bottom, y, y], color="black", linewidth=0.5, zorder=1)
    draw_arrow(ax, (to, y), (to, target + HEIGHT / 2))
    draw_box(ax, (x + to) / 2, y, "linear path", f"linear path: {n:,}", width=2 * WIDTH, height=0.2)


def main(argv=None):
    """Run the command line."""
    return common.script(draw, "fig3", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
