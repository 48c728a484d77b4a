"""Maps of the descriptors of the switching loops (ours; not in the paper).

They show what each pixel of the scan does, measured without any model.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.shared import common, scan_units, style
from replicate.analysis.loops import DESCRIPTORS, OF_STEPS, describe_spectra, units
from replicate.analysis.spatial import morans_i
from replicate.data import sources
from replicate.data.scan import Scan

#: How many maps stand side by side.
MAPS_PER_ROW = 4

#: The height of a map that is as high as it is wide, in inches.
MAP_HEIGHT = 1.65

#: The height of title and colour bar of a map, in inches.
BAR_HEIGHT = 0.5

#: A map is at most this many times as high as it is wide.
MAX_ASPECT = 2


def draw(results: Path, profile: str, seed: int = 0) -> Figure:
    """Draw one map a descriptor of the scan that the runs of a profile were fitted to."""
    _, provenance = common.load(results, profile, "beps", seed, models=("pca",))
    fig = draw_scan(scan_units.physical(sources.load_scan(provenance["spectra"])))
    style.stamp(fig, provenance.values(), profile, seed)
    return fig


def draw_scan(scan: Scan) -> Figure:
    """Draw one map a descriptor of a scan."""
    descriptors, switches = describe_spectra(scan, scan.spectra)
    n_rows = -(-len(descriptors) // MAPS_PER_ROW)
    aspect = min(scan.shape[0] / scan.shape[1], MAX_ASPECT)
    fig = style.figure(height=n_rows * (BAR_HEIGHT + MAP_HEIGHT * aspect) + 0.4)
    axes = fig.subplots(n_rows, MAPS_PER_ROW, squeeze=False).ravel()
    for ax, (name, values), unit in zip(axes, descriptors.items(), units(scan).values()):
        if name in OF_STEPS:
            values = np.where(switches, values, np.nan)
        draw_map(fig, ax, scan, scan.map(values), name, unit)
    for ax in axes[len(descriptors) :]:
        ax.axis("off")
    fig.suptitle(figure_title(np.count_nonzero(~switches)))
    style.note(
        fig,
        "− and falling: the branch from + to − voltage. I: Moran's, between rook neighbours. "
        f"{common.alignment_note(scan)}",
    )
    return fig


def figure_title(n_still: int) -> str:
    """Return the title of the figure; `n_still` is the number of loops that do not switch."""
    if n_still:
        return f"Descriptors of the loops; {n_still} loops that do not switch are grey"
    return "Descriptors of the loops"


def draw_map(fig: Figure, ax: Axes, scan: Scan, values: np.ndarray, name: str, unit: str) -> None:
    """Draw the map of one descriptor; the colours leave out 1 % of the pixels at each end.

    Parameters
    ----------
    fig : Figure
    ax : Axes
    scan : Scan
    values : ndarray, shape (rows, cols)
        NaN where there is no value.
    name, unit : str
        The descriptor, one of `replicate.analysis.loops.DESCRIPTORS`, and its unit.
    """
    known = values[np.isfinite(values)]
    ax.set_facecolor("0.7")
    title = DESCRIPTORS[name].label
    if np.isfinite(values).all() and np.ptp(values) > 0:
        title += f", I = {morans_i(values):.2f}"
    ax.set_title(title)
    limits = style.limits(known) if known.size else {}
    image = style.scan_map(ax, values, scan.size_um, **limits)
    style.colour_bar(
        fig,
        image,
        ax,
        f"({unit})",
        location="bottom",
        extend="both",
        aspect=14,
        shrink=0.85,
        pad=0.02,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    return common.script(draw, "descriptors", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
