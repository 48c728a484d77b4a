"""Figure 3: the network of the LSTM beta-VAE as it was trained, drawn from stored weights.

On the toy problem (a) and on the scan (b). Which layers there are, the shape of what each makes of
a spectrum and how many weights it has are read from the names and shapes of the weights.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from figures.shared import common, style
from replicate.errors import ReplicationError
from replicate.files import read_npz
from replicate.reference import network
from replicate.reference.base import Network
from replicate.running.runs import Run
from replicate.study import family
from replicate.study.family import LABELS

#: Each kind of layer has a colour of its own.
LAYER_COLOURS = {
    "recurrent layer": "#CFE3F2",
    "dense layer": "#FBE0B8",
    "linear path": "#DADADA",
    "no weights": "white",
}

#: The data sets whose networks are drawn, and what the titles call them.
DATASET_NAMES = {"toy": "toy problem", "beps": "BEPS scan"}

#: The heights at which encoder and decoder are drawn; other heights are in the same unit.
ROW_HEIGHTS = {"encoder": 1.45, "decoder": 0.0}

#: The heights at which the linear paths run.
PATH_HEIGHTS = {"encoder": 2.18, "decoder": 0.74}

#: The width of a box; the columns of the longer row are 1 apart.
BOX_WIDTH = 0.8

#: The height of a box.
BOX_HEIGHT = 0.5

#: How far apart the middles of two boxes in one column are.
BOX_DISTANCE = 0.56

#: The size of the text in boxes and beside skip connections, in points.
TEXT_SIZE = 5.3


class Layer(NamedTuple):
    """One box of the drawing.

    Attributes
    ----------
    text : str
        What the layer is called.
    shape : str
        The shape of its output.
    part : str
        The part of the network whose weights it has; empty for no weights.
    kind : str
        One of `LAYER_COLOURS`.
    block : int or None
        The residual block that it belongs to, if any.
    """

    text: str
    shape: str
    part: str = ""
    kind: str = "no weights"
    block: int | None = None


def draw(results: Path, profile: str, seed: int = 0) -> Figure:
    """Draw the networks of one seed."""
    fig = style.figure(height=5.4)
    provenances = {}
    for block, letter, dataset in zip(fig.subfigures(2, 1), "ab", DATASET_NAMES):
        runs, provenance = common.load(results, profile, dataset, seed, models=("lstm_vae",))
        provenances[provenance["spectra"]] = None
        ax = block.subplots()
        draw_network(ax, runs["lstm_vae"], DATASET_NAMES[dataset])
        style.letter(ax, letter)
    handles = [
        Patch(facecolor=colour, edgecolor="black", linewidth=0.5, label=kind)
        for kind, colour in LAYER_COLOURS.items()
    ]
    block.legend(handles=handles, loc="outside lower center", ncols=len(LAYER_COLOURS))
    paper = (
        "The paper's has {n_blocks} residual blocks of {n_layers} bidirectional LSTM layers of "
        "{width} units on each side."
    ).format(**family.PAPER_NETWORK)
    style.note(fig, f"Boxes: shape of the output (steps × features), number of weights. {paper}")
    style.stamp(fig, provenances, profile, seed)
    return fig


def draw_network(ax: Axes, run: Run, name: str) -> None:
    """Draw the encoder of a run from left to right, and under it the decoder from right to left.

    Parameters
    ----------
    ax : Axes
    run : Run
    name : str
        What the title calls the data set.

    Raises
    ------
    ReplicationError
        If the weights are not those of the run.
    """
    weights = read_npz(run.folder / "weights.npz")
    counts = count_weights(weights, run)
    net = network(weights, np.float32, common.patch(run))
    n_steps = len(run.arrays["index_bias"]) // net.n_channels
    n_active = run.record["metrics"]["active_channels"]
    latents = Layer("sampled\nlatents", f"{net.n_latent} ({n_active} active)")
    encoder = [*encoder_columns(net, n_steps), [latents]]
    decoder = decoder_columns(net, n_steps)[::-1]
    end = max(len(encoder), len(decoder)) - 1
    draw_row(ax, "encoder", encoder, end, counts)
    draw_row(ax, "decoder", decoder, end, counts)
    draw_arrow(
        ax,
        (end, ROW_HEIGHTS["encoder"] - BOX_HEIGHT / 2),
        (end, ROW_HEIGHTS["decoder"] + BOX_HEIGHT / 2),
    )
    if net.has_linear_path:
        draw_linear_paths(ax, encoder, end, counts)
    ax.set_title(f"{LABELS['lstm_vae']}, {name}: {sizes(counts)}", loc="left")
    ax.set(xlim=(-0.45, end + 0.45), ylim=(-0.58, 2.3))
    ax.axis("off")


def count_weights(weights: dict[str, np.ndarray], run: Run) -> dict[str, int]:
    """Return how many weights each part of a network has.

    Raises
    ------
    ReplicationError
        If there are not as many as the record of the run says.
    """
    counts = {}
    for name, array in weights.items():
        part = re.sub(r"\.(lstm\..+|weight|bias)$", "", name)
        counts[part] = counts.get(part, 0) + array.size
    total = sum(counts.values())
    expected = run.record["metrics"]["n_parameters"]
    if total != expected:
        raise ReplicationError(
            f"{run.folder}: {total} numbers in weights.npz, "
            f"n_parameters {expected} in record.json. Run it again."
        )
    return counts


def sizes(counts: dict[str, int]) -> str:
    """Return how many weights a network has, and how many of them encoder and decoder have."""
    of_encoder = sum(n for part, n in counts.items() if part.startswith("encoder"))
    of_decoder = sum(n for part, n in counts.items() if part.startswith("decoder"))
    total = sum(counts.values())
    return f"{total:,} weights (encoder {of_encoder:,}, decoder {of_decoder:,})"


def encoder_columns(net: Network, n_steps: int) -> list[list[Layer]]:
    """Return columns of layers from the spectrum to mean and log-variance of its latents."""
    columns = [[Layer("spectrum", f"{n_steps} × {net.n_channels}")]]
    if net.patch > 1:
        shape = f"{n_steps // net.patch} × {net.n_channels * net.patch}"
        columns.append([Layer(f"{net.patch} steps\nas one", shape)])
    columns += _block_columns("encoder", net, n_steps)
    summary = Layer(
        f"BiLSTM {net.width},\nlast state",
        f"{2 * net.width}",
        "encoder.summary",
        "recurrent layer",
    )
    columns.append([summary])
    columns += _embedding_columns("encoder", net)
    mean = Layer("mean", f"{net.n_latent}", "encoder.mean", "dense layer")
    log_variance = Layer("log-variance", f"{net.n_latent}", "encoder.log_variance", "dense layer")
    columns.append([mean, log_variance])
    return columns


def decoder_columns(net: Network, n_steps: int) -> list[list[Layer]]:
    """Return columns of layers from the latents to the reconstruction."""
    n_patches = n_steps // net.patch
    columns = _embedding_columns("decoder", net)
    n_repeated = net.n_embedding or net.n_latent
    inputs = [Layer("same at\neach step", f"{n_patches} × {n_repeated}")]
    if net.n_own:
        shape = f"{n_patches} × {net.n_own}"
        inputs.append(Layer("of each\nstep's own", shape, "decoder.own", "dense layer"))
    columns.append(inputs)
    first = Layer(
        f"BiLSTM {net.width}",
        f"{n_patches} × {2 * net.width}",
        "decoder.first",
        "recurrent layer",
    )
    columns.append([first])
    columns += _block_columns("decoder", net, n_steps)
    shape = f"{n_patches} × {net.n_channels * net.patch}"
    columns.append([Layer("dense", shape, "decoder.output", "dense layer")])
    columns.append([Layer("recon-\nstruction", f"{n_steps} × {net.n_channels}")])
    return columns


def _embedding_columns(side: str, net: Network) -> list[list[Layer]]:
    """Return the column of the embedding of encoder or decoder, if the network has one."""
    if not net.n_embedding:
        return []
    return [[Layer("embedding", f"{net.n_embedding}", f"{side}.embedding", "dense layer")]]


def _block_columns(side: str, net: Network, n_steps: int) -> list[list[Layer]]:
    """Return one column for each recurrent layer in the residual blocks of encoder or decoder."""
    shape = f"{n_steps // net.patch} × {2 * net.width}"
    columns = []
    for block in range(net.n_blocks):
        for i in range(net.n_layers):
            part = f"{side}.blocks.{block}.layers.{i}"
            columns.append([Layer(f"BiLSTM {net.width}", shape, part, "recurrent layer", block)])
    return columns


def draw_row(
    ax: Axes, side: str, columns: list[list[Layer]], end: float, counts: dict[str, int]
) -> None:
    """Draw boxes, arrows and skip connections of encoder or decoder.

    Parameters
    ----------
    ax : Axes
    side : str
        ``encoder``, whose arrows point to the right, or ``decoder``, whose arrows point back.
    columns : list of list of Layer
        From left to right.
    end : float
        Where the last column is; the first is at 0.
    counts : dict of str to int
        How many weights each part of the network has.
    """
    places = np.linspace(0, end, len(columns))
    boxes = [
        draw_column(ax, x, ROW_HEIGHTS[side], column, counts) for x, column in zip(places, columns)
    ]
    for left, right in zip(boxes, boxes[1:]):
        if side == "encoder":
            draw_arrows(ax, left, right)
        else:
            draw_arrows(ax, right, left)
    draw_skips(ax, side, places, columns, counts.get(f"{side}.blocks.0.skip"))


def draw_column(
    ax: Axes, x: float, y: float, column: Sequence[Layer], counts: dict[str, int]
) -> list[tuple[float, float]]:
    """Draw one layer, or two parallel layers one above the other, and return their middles."""
    heights = [y]
    if len(column) > 1:
        heights = [y + BOX_DISTANCE / 2, y - BOX_DISTANCE / 2]
    for layer, height in zip(column, heights):
        lines = [layer.text, layer.shape]
        if layer.part:
            lines.append(f"{counts[layer.part]:,}")
        draw_box(ax, x, height, layer.kind, "\n".join(lines))
    return [(x, height) for height in heights]


def draw_box(
    ax: Axes,
    x: float,
    y: float,
    kind: str,
    text: str,
    width: float = BOX_WIDTH,
    height: float = BOX_HEIGHT,
) -> None:
    """Draw a box with its middle at x and y, in the colour of its kind."""
    ax.add_patch(
        Rectangle(
            (x - width / 2, y - height / 2),
            width,
            height,
            facecolor=LAYER_COLOURS[kind],
            edgecolor="black",
            linewidth=0.5,
            zorder=2,
        )
    )
    ax.text(x, y, text, ha="center", va="center", fontsize=TEXT_SIZE, linespacing=1.1)


def draw_arrows(
    ax: Axes, sources: list[tuple[float, float]], targets: list[tuple[float, float]]
) -> None:
    """Draw an arrow from each source to each target; both are boxes, given by their middles."""
    for source in sources:
        for target in targets:
            half_width = np.sign(target[0] - source[0]) * BOX_WIDTH / 2
            start = (source[0] + half_width, source[1])
            end = (target[0] - half_width, target[1])
            draw_arrow(ax, start, end)


def draw_arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
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


def draw_skips(
    ax: Axes,
    side: str,
    places: Sequence[float],
    columns: list[list[Layer]],
    n_linear: int | None,
) -> None:
    """Frame each residual block of encoder or decoder, and say what its skip connection is.

    Parameters
    ----------
    ax : Axes
    side : str
        ``encoder`` or ``decoder``.
    places : sequence of float
        Where each column is.
    columns : list of list of Layer
    n_linear : int or None
        How many weights the skip connection of the first block has, if it is a linear map.
    """
    y = ROW_HEIGHTS[side]
    blocks = [column[0].block for column in columns]
    for block in set(blocks) - {None}:
        layers = [x for x, block_of_x in zip(places, blocks) if block_of_x == block]
        left = min(layers) - 0.5
        right = max(layers) + 0.5
        top = y + BOX_HEIGHT / 2 + 0.14
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
            fontsize=TEXT_SIZE,
        )


def draw_linear_paths(
    ax: Axes, encoder: list[list[Layer]], end: float, counts: dict[str, int]
) -> None:
    """Draw the linear paths from spectrum to mean, and from latents to reconstruction."""
    heads = np.linspace(0, end, len(encoder))[-2]
    draw_path(
        ax,
        PATH_HEIGHTS["encoder"],
        (0, ROW_HEIGHTS["encoder"]),
        (heads, ROW_HEIGHTS["encoder"] + BOX_DISTANCE / 2),
        counts["encoder.linear"],
    )
    draw_path(
        ax,
        PATH_HEIGHTS["decoder"],
        (end, PATH_HEIGHTS["decoder"]),
        (0, ROW_HEIGHTS["decoder"]),
        counts["decoder.linear"],
    )


def draw_path(
    ax: Axes, y: float, start: tuple[float, float], target: tuple[float, float], n: int
) -> None:
    """Draw a linear path of n weights that runs at height y from a point to the top of a box."""
    start_x, start_y = start
    target_x, target_y = target
    ax.plot(
        [start_x, start_x, target_x],
        [start_y, y, y],
        color="black",
        linewidth=0.5,
        zorder=1,
    )
    draw_arrow(ax, (target_x, y), (target_x, target_y + BOX_HEIGHT / 2))
    middle = (start_x + target_x) / 2
    text = f"linear path: {n:,}"
    draw_box(ax, middle, y, "linear path", text, width=2 * BOX_WIDTH, height=0.2)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    return common.script(draw, "fig3", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
