"""Descriptors of the switching loops as maps: what each pixel of the scan does, measured without any model (ours; not in the paper)."""

from __future__ import annotations

import sys

import numpy as np

from figures.shared import common, style
from replicate.analysis.loops import DESCRIPTORS, OF_STEPS, describe_spectra, units
from replicate.analysis.spatial import morans_i
from replicate.data import sources

COLUMNS = 4
FOOT, WIDTH = 0.5, 1.65
"""Inches: under a map, and of a map."""


def draw(results, profile, seed=0):
    """Draw one map a descriptor of the scan that the runs of a profile were fitted to."""
    _, provenance = common.load(results, profile, "beps", seed, models=("pca",))
    fig = draw_scan(sources.load_scan(provenance["spectra"]))
    style.stamp(fig, provenance.values(), profile, seed)
    return fig


def draw_scan(scan):
    """Draw one map a descriptor of a scan."""
    values, switches = describe_spectra(scan, scan.spectra)
    n_rows = -(-len(values) // COLUMNS)
    fig = style.figure(height=n_rows * (FOOT + WIDTH * min(scan.shape[0] / scan.shape[1], 2)) + 0.4)
    axes = fig.subplots(n_rows, COLUMNS, squeeze=False).ravel()
    for ax, name, unit in zip(axes, values, units(scan).values()):
        shown = np.where(switches, values[name], np.nan) if name in OF_STEPS else values[name]
        draw_map(fig, ax, scan, scan.map(shown), name, unit)
    for ax in axes[len(values) :]:
        ax.axis("off")
    still = np.count_nonzero(~switches)
    fig.suptitle(
        f"Descriptors of the loops{f'; {still} loops that do not switch are grey' if still else ''}"
    )
    style.note(
        fig,
        f"− and falling: the branch from + to − voltage. I: Moran's, between rook neighbours. {common.alignment_note(scan)}",
    )
    return fig


def draw_map(fig, ax, scan, values, name, unit):
    """Draw the map of one descriptor, (rows, cols), NaN where there is none; the colours leave out 1 % of the pixels at each end."""
    known = values[np.isfinite(values)]
    ax.set_facecolor("0.7")
    title = DESCRIPTORS[name].label
    if np.isfinite(values).all() and np.ptp(values) > 0:
        title += f", I = {morans_i(values):.2f}"
    ax.set_title(title)
    image = style.scan_map(ax, values, scan.size_um, **(style.limits(known) if known.size else {}))
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


def main(argv=None):
    """Run the command line."""
    return common.script(draw, "descriptors", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
