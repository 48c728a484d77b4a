"""Figure 4: dictionary learning and VAE on the scan: maps (a-c, k-m), examples (d-f, h-j, n-s) and errors per pixel (t, u).

Panels v-x are ours: the errors on a scale of their own, with PCA, which is also the broken line of d-j. The paper names no panel g.
"""

from __future__ import annotations

import sys

import numpy as np

from figures.shared import common, style
from replicate.analysis.residuals import best_median_worst
from replicate.data import sources
from replicate.study.family import SHORT_LABELS

PAPER_LIMITS = {"vmin": 0, "vmax": 0.5}
DICTIONARY_PANELS = ("abc", "def", "hij")
VAE_PANELS = ("klm", "nop", "qrs")
"""Maps, then examples of the first channel and of the second; further ones, of a scan of the user's own, have no letters."""


def draw(results, profile, seed=0):
    """Draw the models on the scan they were fitted to."""
    loaded, provenance = common.load(results, profile, "beps", seed)
    scan = sources.load_scan(provenance["spectra"])
    fig = style.figure(height=3.2 + 1.7 * scan.n_channels)
    upper, lower = fig.subfigures(2, 1, height_ratios=(0.9 + scan.n_channels, 1))
    left, right = upper.subfigures(1, 2)
    panels = draw_model(
        left,
        "dictionary_learning",
        loaded,
        scan,
        DICTIONARY_PANELS,
        compared=("dictionary_learning", "lstm_vae", "pca"),
    )
    panels |= draw_model(right, "lstm_vae", loaded, scan, VAE_PANELS, compared=("lstm_vae",))
    share_limits([panels[name] for name in "defnop"])
    draw_errors(lower, loaded, scan)
    style.note(fig, common.alignment_note(scan))
    style.stamp(fig, provenance.values(), profile, seed)
    return fig


def draw_model(block, model, loaded, scan, letters, compared):
    """Draw the maps of three components of a model, and the pixels it reconstructs best, median and worst."""
    run = loaded[model]
    rows = [list(row) for row in letters[: 1 + scan.n_channels]]
    rows += [[f"{name}{channel}" for name in letters[0]] for channel in range(2, scan.n_channels)]
    axes = block.subplot_mosaic(rows, height_ratios=(0.9, *[1] * scan.n_channels))
    maps, *channels = [[axes[name] for name in row] for row in rows]
    block.suptitle(style.title(model, run.record))
    for ax, component in common.shown(maps, run):
        values = scan.map(run.arrays["latents"][:, component])
        image = style.scan_map(ax, values, scan.size_um, **style.limits(values))
        ax.set_title(f"component {component}")
        style.colour_bar(
            block, image, ax, style.LATENT_NAMES[model], location="bottom", extend="both", aspect=12
        )
    pixels = best_median_worst(run.arrays["mse"])
    for i, row in enumerate(channels):
        draw_examples(row, i, loaded, scan, pixels, compared)
    for ax, name, pixel in zip(channels[0], ("best", "median", "worst"), pixels):
        ax.set_title(f"{name}: MSE {run.arrays['mse'][pixel]:.2g}")
    block.legend(
        *channels[0][0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=1 + len(compared),
    )
    for name, ax in axes.items():
        style.letter(ax, name if len(name) == 1 else "")
    return axes


def share_limits(axes):
    """Give all axes the widest limits among them."""
    low, high = zip(*(ax.get_ylim() for ax in axes))
    for ax in axes:
        ax.set_ylim(min(low), max(high))


def draw_examples(axes, channel, loaded, scan, pixels, compared):
    """Draw one channel of three pixels, data and reconstructions, as closed loops over the voltage."""
    lines = {"data": (scan.spectra, {"color": style.DATA_COLOUR, "linewidth": 2})}
    for model in compared:
        # Thin and broken, for PCA often lies upon the VAE.
        look = {"linewidth": 0.8, "linestyle": (0, (3, 2))} if model == "pca" else {}
        lines[SHORT_LABELS[model]] = (
            loaded[model].arrays["reconstructions"],
            {"color": style.COLOURS[model], **look},
        )
    for ax, pixel in zip(axes, pixels):
        for label, (spectra, look) in lines.items():
            common.loop(ax, scan, scan.align(spectra[[pixel]])[0, channel], label=label, **look)
        ax.set_xlabel("voltage (V)")
    axes[0].set_ylabel(f"{scan.channels[channel]} ({scan.units[channel]})")


def draw_errors(block, loaded, scan):
    """Draw the error of every pixel on the paper's scale, and again on one that shows something."""
    zoomed = {"vmin": 0, "vmax": np.percentile(loaded["dictionary_learning"].arrays["mse"], 99)}
    left, right = block.subfigures(1, 2, width_ratios=(2, 3))
    left.suptitle("Error of every pixel, the paper's scale")
    right.suptitle("The same, zoomed, with PCA")
    draw_error_maps(
        left, dict(zip("tu", ("dictionary_learning", "lstm_vae"))), loaded, scan, PAPER_LIMITS
    )
    draw_error_maps(
        right, dict(zip("vwx", ("dictionary_learning", "lstm_vae", "pca"))), loaded, scan, zoomed
    )


def draw_error_maps(block, panels, loaded, scan, scale):
    """Draw the error of every pixel of some models on one scale."""
    axes = block.subplot_mosaic("".join(panels))
    for name, model in panels.items():
        errors = loaded[model].arrays["mse"]
        image = style.scan_map(
            axes[name], scan.map(errors), scan.size_um, cmap=style.ERROR_MAP, **scale
        )
        axes[name].set_title(f"{SHORT_LABELS[model]}: mean {errors.mean():.2g}")
        style.letter(axes[name], name)
    style.colour_bar(block, image, list(axes.values()), "MSE (z-score²)", extend="max", shrink=0.8)


def main(argv=None):
    """Run the command line."""
    return common.script(draw, "fig4", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
