"""The simulated twin beside the measured scan: maps, distributions and spatial correlation of what is read off each loop."""

from __future__ import annotations

import sys

import numpy as np
from scipy.stats import ks_2samp

from figures.shared import common, style
from replicate.analysis import loops
from replicate.data import sources, twin

SHOWN = (
    *("saturation", "coercive_negative", "coercive_positive", "area"),
    *("shoulder_positive", "resonance_mean", "softening_positive", "hardening_positive"),
)
TWIN_COLOUR = "#C00000"
N_BINS = 40

N_NAMED = 3
"""Descriptors that are named as those in which the twin differs most."""

NOTE = (
    "KS: greatest distance between the cumulative distributions. Correlation: mean over the directions. "
    "Not drawn: the outermost 0.5 % at each end of a distribution."
)


def draw(_results, profile, seed=0):
    """Draw one row a descriptor: both maps on one scale, both distributions, both correlograms; the twin is simulated with `seed`."""
    scans = {"measured": sources.load_scan("measured"), "simulated twin": twin.simulate(seed)}
    measured, simulated = (describe(scan) for scan in scans.values())
    scan = scans["measured"]
    units = loops.units(scan)
    fig = style.figure(height=0.8 + len(SHOWN))
    rows = fig.subplots(len(SHOWN), 4, width_ratios=(0.75, 1.15, 2.4, 2.4))
    for name, axes in zip(SHOWN, rows):
        draw_maps(fig, axes[:2], measured[name], simulated[name], scan.size_um, units[name])
        draw_distributions(axes[2], measured[name], simulated[name])
        axes[2].set_xlabel(f"{loops.DESCRIPTORS[name].label} ({units[name]})")
        draw_correlograms(axes[3], measured[name], simulated[name], scan.size_um[0] / scan.shape[0])
        axes[3].tick_params(labelbottom=name == SHOWN[-1])
    for ax, title in zip(
        rows[0],
        ("measured", "twin", "distribution over the pixels", "correlation of two pixels (1)"),
    ):
        ax.set_title(title)
    rows[0, 2].legend(loc="upper left")
    rows[-1, 3].set_xlabel("distance (µm)")
    fig.suptitle(differences(measured, simulated))
    style.note(fig, NOTE)
    style.stamp(fig, scans, profile, seed)
    return fig


def differences(measured, simulated):
    """Say in which descriptors two scans differ most, in distribution and in correlation."""
    measures = {
        "distribution": {name: ks(measured[name], simulated[name]) for name in SHOWN},
        "correlation": {
            name: np.abs(correlogram(measured[name]) - correlogram(simulated[name])).max()
            for name in SHOWN
        },
    }
    most = {
        of: sorted(found, key=found.get, reverse=True)[:N_NAMED] for of, found in measures.items()
    }
    named = (
        f"in {of}: {'; '.join(loops.DESCRIPTORS[name].label for name in names)}"
        for of, names in most.items()
    )
    return "The twin differs most\n" + "\n".join(named)


def describe(scan):
    """Return maps of the descriptors in `SHOWN`, NaN where one means nothing."""
    values, switches = loops.describe_spectra(scan, scan.spectra)
    return {
        name: scan.map(np.where(switches | (name not in loops.OF_STEPS), values[name], np.nan))
        for name in SHOWN
    }


def draw_maps(fig, axes, measured, simulated, size_um, unit):
    """Draw the maps of one descriptor on one scale."""
    both = np.concatenate([finite(measured), finite(simulated)])
    images = [
        style.scan_map(ax, values, size_um, **style.limits(both))
        for ax, values in zip(axes, (measured, simulated))
    ]
    style.colour_bar(fig, images[1], axes[1], f"({unit})", aspect=12, extend="both")


def draw_distributions(ax, measured, simulated):
    """Draw the density of the values of both maps, and write their Kolmogorov-Smirnov distance."""
    between = np.percentile(np.concatenate([finite(measured), finite(simulated)]), [0.5, 99.5])
    edges = np.linspace(*between, N_BINS + 1)
    ax.hist(
        finite(measured), edges, density=True, color=style.DATA_COLOUR, alpha=0.5, label="measured"
    )
    ax.hist(
        finite(simulated), edges, density=True, color=TWIN_COLOUR, histtype="step", label="twin"
    )
    ax.text(
        0.98,
        0.95,
        f"KS {ks(measured, simulated):.2f}",
        transform=ax.transAxes,
        ha="right",
        va="top",
    )
    ax.margins(y=0.3)
    ax.set(yticks=[], xlim=between)


def finite(values):
    """Return the values of a map that are there."""
    return values[np.isfinite(values)]


def ks(measured, simulated):
    """Return the Kolmogorov-Smirnov distance of the values of two maps."""
    return ks_2samp(finite(measured), finite(simulated)).statistic


def draw_correlograms(ax, measured, simulated, pixel_um):
    """Draw the correlation of both maps with themselves against distance."""
    for values, look in (
        (measured, {"color": style.DATA_COLOUR, "linewidth": 2.5, "alpha": 0.6}),
        (simulated, {"color": TWIN_COLOUR}),
    ):
        correlation = correlogram(values)
        ax.plot(np.arange(len(correlation)) * pixel_um, correlation, **look)
    ax.axhline(0, color="black", linewidth=0.3)
    ax.set(ylim=(-0.55, 1.05), yticks=(-0.5, 0, 0.5, 1), xlim=(0, None))


def correlogram(image):
    """Return the correlation of the pixels of a map against their distance, over all directions.

    Parameters
    ----------
    image : ndarray, shape (rows, cols)
        NaN where there is no value.

    Returns
    -------
    ndarray, shape (n,)
        At distances of 0, 1, ... pixels, to half of the shorter side: the mean product of the departures from the mean, over all pairs at
        that distance to the nearest pixel, over the variance.
    """
    known = np.isfinite(image)
    departures = np.where(known, image - image[known].mean(), 0)
    padded = [2 * n for n in image.shape]
    products, pairs = (
        np.fft.irfft2(np.abs(np.fft.rfft2(values, padded)) ** 2, padded)
        for values in (departures, known.astype(float))
    )
    lags = [np.fft.fftfreq(n, 1 / n) for n in padded]
    distance = np.rint(np.hypot(lags[0][:, None], lags[1])).astype(int).ravel()
    totals, counts = (
        np.bincount(distance, values.ravel())[: min(image.shape) // 2 + 1]
        for values in (products, pairs)
    )
    return totals / counts / departures[known].var()


def main(argv=None):
    """Run the command line."""
    return common.script(draw, "twin", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
