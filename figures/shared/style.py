"""The look that all figures share: sizes, colours, maps with a scale, and the stamp.

The stamp is the line at the foot of a figure that says which data the figure is made from.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from replicate.files import atomic_path
from replicate.provenance import STAND_INS, stamp_text
from replicate.study.family import LABELS, ByModel

#: The width of every figure in inches: a double column of a journal.
WIDTH = 7.1

#: The height in inches of one line of text at the foot of a figure.
LINE = 0.13

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

#: Models of the user's own have this colour of Tol's.
OWN_COLOUR = "#882255"

#: Each model has one of the colours of Okabe and Ito, which colour-blind readers can tell apart.
MODEL_COLOURS = ByModel(
    {
        "pca": "#009E73",
        "dictionary_learning": "#D55E00",
        "dense_ae": "#CC79A7",
        "dense_vae": "#E69F00",
        "conv_vae": "#B5A800",
        "lstm_ae": "#333333",
        "lstm_vae": "#0072B2",
        "lstm_vae_plain": "#56B4E9",
        "lstm_vae_paper": "#1B4F72",
    },
    lambda model: OWN_COLOUR,
)

#: The data are drawn in this colour wherever a model is drawn beside them.
DATA_COLOUR = "0.45"

#: The labels of the latents of a model on colour bars, with their unit.
LATENT_NAMES = {
    "dictionary_learning": "coefficient (a.u.)",
    "lstm_vae": "latent mean (a.u.)",
}

#: Latents are drawn in viridis without its lightest end, which does not show as a line on white.
LATENT_MAP = ListedColormap(mpl.colormaps["viridis"](np.linspace(0, 0.92, 256)), name="latent")

#: The layout of a figure is rounded to so many digits, in shares of its width or height.
LAYOUT_DIGITS = 6

#: Errors are drawn in this colour map.
ERROR_MAP = mpl.colormaps["inferno"]


def figure(height: float) -> Figure:
    """Return an empty figure in the common style, with a strip left free for note and stamp.

    Parameters
    ----------
    height : float
        In inches; the width is `WIDTH`.
    """
    mpl.rcParams.update(RC)
    fig = Figure(figsize=(WIDTH, height), layout="constrained", facecolor="white")
    strip = 2 * LINE / height
    fig.get_layout_engine().set(
        rect=(0, strip, 1, 1 - strip),
        w_pad=0.03,
        h_pad=0.03,
        wspace=0.02,
        hspace=0.02,
    )
    return fig


def letter(ax: Axes, text: str) -> None:
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


def picture(ax: Axes, image: np.ndarray, **options) -> AxesImage:
    """Show one value a pixel, or one colour a pixel, without ticks.

    Parameters
    ----------
    ax : Axes
    image : ndarray, shape (rows, cols) or (rows, cols, 3)
    **options
        Options of ``imshow``.
    """
    # Anchored at the top, so that the layout knows where its title is.
    ax.set(xticks=[], yticks=[], anchor="N")
    return ax.imshow(image, **{"cmap": LATENT_MAP, **options})


def scan_map(
    ax: Axes, values: np.ndarray, size_um: tuple[float, float] | None, **options
) -> AxesImage:
    """Show a map of the scan, with a scale bar under it that is as wide as the map.

    Parameters
    ----------
    ax : Axes
    values : ndarray, shape (rows, cols)
    size_um : tuple of float or None
        Height and width of the scan in µm; where it is None, the scale bar counts pixels.
    **options
        Options of ``imshow``.
    """
    height, width = size_um or np.shape(values)
    unit = "µm" if size_um else "pixels"
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
    ax.set_xlabel(f"{width:.3g} {unit}", labelpad=6)
    return image


def limits(values: np.ndarray, percent: float = 1.0) -> dict[str, float]:
    """Return colour limits that leave out the extreme values at both ends.

    Parameters
    ----------
    values : ndarray
        NaN is ignored.
    percent : float
        How many per cent of the values are left out at each end.

    Returns
    -------
    dict of str to float
        ``vmin`` and ``vmax``, as ``imshow`` takes them.
    """
    low, high = np.nanpercentile(values, [percent, 100 - percent])
    if high <= low:
        high = low + 1
    return {"vmin": low, "vmax": high}


def colour_bar(
    fig: Figure, image: ScalarMappable, ax: Axes | list[Axes], label: str, **options
) -> Colorbar:
    """Add a labelled colour bar to one axes or to a list of axes; `options` go to ``colorbar``."""
    bar = fig.colorbar(image, ax=ax, label=label, panchor=False, **options)
    bar.outline.set_linewidth(0.4)
    bar.locator = MaxNLocator(3)
    bar.update_ticks()
    return bar


def stamp(fig: Figure, provenances: Iterable[str], profile: str, seed: int | str) -> None:
    """Write under a figure which data it is made from.

    A warning in red says so where a stand-in takes the place of the data of the paper.

    Parameters
    ----------
    fig : Figure
    provenances : collection of str
        The sources of the data, as docs/architecture.md lists them.
    profile : str
    seed : int or str
        The seed of the runs, or several seeds as text.
    """
    stand_ins = [name for name in provenances if name in STAND_INS]
    footer(fig, stamp_text(provenances, profile, seed), 0, fontsize=5.5, color="0.35")
    if stand_ins:
        fig.text(
            0.995,
            0.03 / fig.get_figheight(),
            f"{' and '.join(stand_ins)}: not the paper's data",
            ha="right",
            fontsize=9,
            fontweight="bold",
            color="#C00000",
        )


def note(fig: Figure, text: str) -> None:
    """Write a note in the line above the stamp."""
    footer(fig, text, 1, fontsize=6, color="0.2")


def footer(fig: Figure, text: str, line: int, **look) -> None:
    """Write one line at the foot of a figure; lines are counted from below, and start at 0."""
    height = (0.03 + line * LINE) / fig.get_figheight()
    fig.text(0.008, height, text, ha="left", va="bottom", **look)


def model_title(model: str, record: dict) -> str:
    """Return the name of a model, and for a VAE how many of its channels are active.

    ``by rank`` follows where no beta left so many, and the greatest KL decided.
    """
    active = record["metrics"].get("active_channels")
    if active is None:
        return LABELS[model]
    by_rank = ", by rank" if record["metrics"].get("selected_by_rank") else ""
    return f"{LABELS[model]}, {active} active channels{by_rank}"


def save(fig: Figure, folder: Path, name: str) -> list[Path]:
    """Write a figure as PNG and as PDF, and return both paths; each file is whole or not there."""
    lay_out(fig)
    paths = []
    # No date in the PDF: the same numbers give the same file.
    for suffix, metadata in (("png", None), ("pdf", {"CreationDate": None})):
        path = Path(folder) / f"{name}.{suffix}"
        with atomic_path(path) as temporary:
            fig.savefig(temporary, dpi=250, metadata=metadata)
        paths.append(path)
    return paths


def lay_out(fig: Figure) -> None:
    """Lay a figure out for good, and round where its parts lie.

    The last digits of the layout depend on where its solver finds its variables in memory. They
    could move a line by a pixel, and the same numbers would not give the same file.
    """
    fig.draw_without_rendering()
    fig.set_layout_engine("none")
    for part in _subfigures(fig):
        part.bbox_relative.set_points(part.bbox_relative.get_points().round(LAYOUT_DIGITS))
    for ax in fig.axes:
        bounds = np.array(ax.get_position(original=True).bounds)
        ax.set_position(bounds.round(LAYOUT_DIGITS))


def _subfigures(fig):
    """Yield the figures within a figure, and those within them."""
    for part in fig.subfigs:
        yield part
        yield from _subfigures(part)
