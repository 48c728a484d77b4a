"""Figure 4: dictionary learning and VAE on the scan.

Maps (a-c, k-m), examples (d-f, h-j, n-s) and errors per pixel (t, u). Panels v-x are ours: the
errors on a scale of their own, with PCA, which is also the broken line of d-j. The paper names no
panel g.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from figures.shared import common, scan_units, style
from replicate.analysis.residuals import best_median_worst
from replicate.data import sources
from replicate.data.scan import Scan
from replicate.running.runs import Run
from replicate.study.family import SHORT_LABELS

#: The colours of the paper's maps of the error go from 0 to this.
PAPER_LIMITS = {"vmin": 0, "vmax": 0.5}

#: The letters of the maps of dictionary learning, then those of its examples, channel by channel.
DICTIONARY_PANELS = ("abc", "def", "hij")

#: The letters of the maps of the VAE, then those of its examples, channel by channel.
VAE_PANELS = ("klm", "nop", "qrs")

SIGN_NOTE = "Latents are drawn so that they grow with the size of the loops."


def draw(results: Path, profile: str, seed: int = 0) -> Figure:
    """Draw the models on the scan they were fitted to."""
    runs, provenance = common.load(results, profile, "beps", seed)
    scan = sources.load_scan(provenance["spectra"])
    fig = style.figure(height=3.2 + 1.7 * scan.n_channels)
    upper, lower = fig.subfigures(2, 1, height_ratios=(0.9 + scan.n_channels, 1))
    left, right = upper.subfigures(1, 2)
    linear = draw_model(
        left,
        "dictionary_learning",
        runs,
        scan,
        DICTIONARY_PANELS,
        compared=("dictionary_learning", "lstm_vae", "pca"),
    )
    vae = draw_model(right, "lstm_vae", runs, scan, VAE_PANELS, compared=("lstm_vae",))
    for examples in zip(linear, vae):
        share_limits(*examples)
    draw_errors(lower, runs, scan)
    style.note(fig, f"{SIGN_NOTE} {common.alignment_note(scan)}")
    style.stamp(fig, provenance.values(), profile, seed)
    return fig


def panel_names(letters: Sequence[str], n_channels: int) -> list[list[str]]:
    """Return the names of the panels of a model, row by row: maps, then examples of each channel.

    Channels beyond the second, of a user's scan, have no letters; their panels are called ``a2``,
    ``b2``, ``c2`` and so on.
    """
    rows = [list(row) for row in letters[: 1 + n_channels]]
    for channel in range(2, n_channels):
        rows.append([f"{name}{channel}" for name in letters[0]])
    return rows


def draw_model(
    block: SubFigure,
    model: str,
    runs: dict[str, Run],
    scan: Scan,
    letters: Sequence[str],
    compared: Sequence[str],
) -> list[list[Axes]]:
    """Draw maps and examples of one model, and return the axes of the examples, by channel.

    Parameters
    ----------
    block : SubFigure
    model : str
        Its three most important components are mapped, and the pixels that it reconstructs best,
        median and worst are the examples.
    runs : dict of str to Run
        By model.
    scan : Scan
    letters : sequence of str
        The letters of the maps, then those of the examples, channel by channel.
    compared : sequence of str
        The models whose reconstructions of the examples are drawn.
    """
    run = runs[model]
    rows = panel_names(letters, scan.n_channels)
    axes = block.subplot_mosaic(rows, height_ratios=(0.9, *[1] * scan.n_channels))
    maps, *channels = [[axes[name] for name in row] for row in rows]
    block.suptitle(style.model_title(model, run.record))
    for ax, component in common.axes_of_components(maps, run):
        sign = common.sign(run, scan, component)
        values = scan.map(sign * run.arrays["latents"][:, component])
        image = style.scan_map(ax, values, scan.size_um, **style.limits(values))
        ax.set_title(f"component {component}")
        style.colour_bar(
            block,
            image,
            ax,
            style.LATENT_NAMES[model],
            location="bottom",
            extend="both",
            aspect=12,
        )
    pixels = best_median_worst(run.arrays["mse"])
    for channel, row in enumerate(channels):
        draw_examples(row, channel, runs, scan, pixels, compared)
    for ax, name, pixel in zip(channels[0], ("best", "median", "worst"), pixels):
        ax.set_title(f"{name}: MSE {run.arrays['mse'][pixel]:.2g}")
    block.legend(
        *channels[0][0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=1 + len(compared),
    )
    for name, ax in axes.items():
        has_letter = len(name) == 1
        style.letter(ax, name if has_letter else "")
    return channels


def share_limits(*rows: Sequence[Axes]) -> None:
    """Give the best and the median examples of a channel the widest vertical limits among them.

    The worst ones, whose loops may be many times as large, share others.

    Parameters
    ----------
    *rows : sequence of Axes
        Best, median and worst example, one row a model.
    """
    for group in ([ax for row in rows for ax in row[:2]], [row[2] for row in rows]):
        low, high = zip(*(ax.get_ylim() for ax in group))
        for ax in group:
            ax.set_ylim(min(low), max(high))
    for _, median, _ in rows:
        median.tick_params(labelleft=False)


def draw_examples(
    axes: Sequence[Axes],
    channel: int,
    runs: dict[str, Run],
    scan: Scan,
    pixels: Sequence[int],
    compared: Sequence[str],
) -> None:
    """Draw one channel of three pixels, data and reconstructions, as closed loops."""
    for ax, pixel in zip(axes, pixels):
        data = scan_units.in_unit(scan, channel, scan.align(scan.spectra[[pixel]])[0, channel])
        common.draw_loop(ax, scan, data, label="data", color=style.DATA_COLOUR, linewidth=2)
        for model in compared:
            reconstruction = runs[model].arrays["reconstructions"][[pixel]]
            values = scan_units.in_unit(scan, channel, scan.align(reconstruction)[0, channel])
            common.draw_loop(ax, scan, values, label=SHORT_LABELS[model], **line_look(model))
        ax.set_xlabel("voltage (V)")
    axes[0].set_ylabel(f"{scan.channels[channel]}\n({scan_units.unit_of(scan, channel)})")


def line_look(model: str) -> dict:
    """Return colour and line of a reconstruction; PCA is thin and broken, as it hides the VAE."""
    look = {"color": style.MODEL_COLOURS[model]}
    if model == "pca":
        look |= {"linewidth": 0.8, "linestyle": (0, (3, 2))}
    return look


def draw_errors(block: SubFigure, runs: dict[str, Run], scan: Scan) -> None:
    """Draw the error of every pixel on the paper's scale, and again on one of its own."""
    zoomed = {"vmin": 0, "vmax": np.percentile(runs["dictionary_learning"].arrays["mse"], 99)}
    left, right = block.subfigures(1, 2, width_ratios=(2, 3))
    left.suptitle("Error of every pixel, the paper's scale")
    right.suptitle("The same, zoomed, with PCA")
    models = {"t": "dictionary_learning", "u": "lstm_vae"}
    draw_error_maps(left, models, runs, scan, PAPER_LIMITS)
    models = {"v": "dictionary_learning", "w": "lstm_vae", "x": "pca"}
    draw_error_maps(right, models, runs, scan, zoomed)


def draw_error_maps(
    block: SubFigure,
    models: dict[str, str],
    runs: dict[str, Run],
    scan: Scan,
    limits: dict[str, float],
) -> None:
    """Draw the error of every pixel, one panel a model, all on one scale.

    Parameters
    ----------
    block : SubFigure
    models : dict of str to str
        The model of each panel, by the letter of the panel.
    runs : dict of str to Run
        By model.
    scan : Scan
    limits : dict of str to float
        ``vmin`` and ``vmax`` of the colours.
    """
    axes = block.subplot_mosaic("".join(models))
    for name, model in models.items():
        errors = runs[model].arrays["mse"]
        image = style.scan_map(
            axes[name],
            scan.map(errors),
            scan.size_um,
            cmap=style.ERROR_MAP,
            **limits,
        )
        axes[name].set_title(f"{SHORT_LABELS[model]}: mean {errors.mean():.2g}")
        style.letter(axes[name], name)
    style.colour_bar(block, image, list(axes.values()), "MSE (z-score²)", extend="max", shrink=0.8)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    return common.script(draw, "fig4", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
