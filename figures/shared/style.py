"""One look for every figure: sizes, colours, maps with their scale, and the stamp that says what data a figure is made from."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from replicate.files import atomic_path
from replicate.provenance import STAND_INS, stamp_text
from replicate.study.family import LABELS

WIDTH = 7.1
"""Inches: a journal's double column."""

LINE = 0.13
"""Inches: a line of the foot of a figure."""

RC = {
    "font.family": "DejaVu Sans",
    "font.size": 6.5,
    "axes.titlesize": 6.5,
    "axes.labelsize": 6.5,
    "xtick.labelsize": 6,
    "ytick.labelsize": 6,
    "legend.fontsize": 6.5,
    "figure.titlesize": 7.5,
    "axes.titlepad": 3,
    "axes.labelpad": 2,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.0,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2,
    "ytick.major.size": 2,
    "xtick.major.pad": 2,
    "ytick.major.pad": 2,
    "legend.frameon": False,
    "legend.handlelength": 1.5,
    "image.interpolation": "nearest",
    "pdf.fonttype": 42,
}

# Okabe and Ito's colours, told apart by colour-blind readers.
COLOURS = {
    "pca": "#009E73",
    "dictionary_learning": "#D55E00",
    "dense_ae": "#CC79A7",
    "dense_vae": "#E69F00",
    "conv_vae": "#B5A800",
    "lstm_ae": "#333333",
    "lstm_vae": "#0072B2",
    "lstm_vae_plain": "#56B4E9",
}
LATENT_NAMES = {"dictionary_learning": "coefficient (a.u.)", "lstm_vae": "latent mean (a.u.)"}
DATA_COLOUR = "0.45"

# Without its lightest end, which does not show as a line on white.
LATENT_MAP = ListedColormap(mpl.colormaps["viridis"](np.linspace(0, 0.92, 256)), name="latent")
ERROR_MAP = mpl.colormaps["inferno"]


def figure(height, width=WIDTH):
    """Return an empty figure of the house style, inches, with a strip left free at the bottom for a note and the stamp."""
    mpl.rcParams.update(RC)
    fig = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    strip = 2 * LINE / height
    fig.get_layout_engine().set(
        rect=(0, strip, 1, 1 - strip), w_pad=0.03, h_pad=0.03, wspace=0.02, hspace=0.02
    )
    return fig


def letter(ax, text):
    """Write the letter of a panel above the left corner of its axes."""
    ax.annotate(
        text,
        (0, 1),
        xytext=(-13, 4),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=8.5,
        fontweight="bold",
    )


def picture(ax, image, **options):
    """Show values per pixel, (rows, cols), without axes; `options` go to ``imshow``."""
    # Anchored at the top, so that the layout knows where its title is.
    ax.set(xticks=[], yticks=[], anchor="N")
    return ax.imshow(image, **{"cmap": LATENT_MAP, **options})


def scan_map(ax, values, size_um, **options):
    """Show a map of the scan, (rows, cols), with a scale bar of its full width under it, in pixels where the size is None."""
    height, width = size_um or np.shape(values)
    image = picture(ax, values, extent=(0, width, height, 0), **options)
    ax.plot(
        [0, 1],
        [-0.04, -0.04],
        transform=ax.transAxes,
        color="black",
        linewidth=1.5,
        solid_capstyle="butt",
        clip_on=False,
    )
    ax.set_xlabel(f"{width:g} {'µm' if size_um else 'pixels'}", labelpad=6)
    return image


def limits(values, percent=1.0):
    """Return colour limits for latents, ``{"vmin": ..., "vmax": ...}``, that leave out `percent` of the pixels at each end."""
    low, high = np.nanpercentile(values, [percent, 100 - percent])
    return {"vmin": low, "vmax": high if high > low else low + 1}


def colour_bar(fig, image, ax, label, **options):
    """Add a labelled colour bar to one axes or a list of them; `options` go to ``colorbar``."""
    bar = fig.colorbar(image, ax=ax, label=label, panchor=False, **options)
    bar.outline.set_linewidth(0.4)
    bar.locator = MaxNLocator(3)
    bar.update_ticks()
    return bar


def stamp(fig, provenances, profile, seed):
    """Write under a figure what data it is made from; a stand-in for the paper's own data is shouted.

    Parameters
    ----------
    fig : Figure
    provenances : iterable of str
        See docs/architecture.md.
    profile : str
    seed : int
    """
    stand_ins = [name for name in provenances if name in STAND_INS]
    footer(fig, stamp_text(provenances, profile, seed), 0, fontsize=5.5, color="0.35")
    if stand_ins:
        text = f"{' and '.join(stand_ins)}: not the paper's data"
        fig.text(
            0.995,
            0.03 / fig.get_figheight(),
            text,
            ha="right",
            fontsize=9,
            fontweight="bold",
            color="#C00000",
        )


def footer(fig, text, line, **look):
    """Write a line at the foot of a figure, the lowest being number 0."""
    fig.text(
        0.008, (0.03 + line * LINE) / fig.get_figheight(), text, ha="left", va="bottom", **look
    )


def title(model, record):
    """Return the name of a model, and how many channels of a VAE are active."""
    active = record["metrics"].get("active_channels")
    return LABELS[model] + (f", {active} active channels" if active is not None else "")


def note(fig, text):
    """Write a note above the stamp."""
    footer(fig, text, 1, fontsize=6, color="0.2")


def save(fig, folder, name):
    """Write a figure as PNG and PDF, each whole or not at all, and return their paths."""
    paths = [Path(folder) / f"{name}.{suffix}" for suffix in ("png", "pdf")]
    # No date in the PDF: the same numbers give the same file.
    for path, metadata in zip(paths, (None, {"CreationDate": None})):
        with atomic_path(path) as temporary:
            fig.savefig(temporary, dpi=250, metadata=metadata)
        # Laid out once is enough.
        fig.set_layout_engine("none")
    return paths
