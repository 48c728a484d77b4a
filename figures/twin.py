"""The simulated twin beside the measured scan.

Maps, distributions and spatial correlation of the descriptors of each loop.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import ks_2samp

from figures.shared import common, style
from replicate.analysis import loops
from replicate.data import sources, twin
from replicate.data.scan import Scan

#: The descriptors that are compared, one a row.
COMPARED_DESCRIPTORS = (
    "saturation",
    "coercive_negative",
    "coercive_positive",
    "area",
    "shoulder_positive",
    "resonance_mean",
    "softening_positive",
    "hardening_positive",
)

#: The twin is drawn in this colour wherever it is drawn beside the measured scan.
TWIN_COLOUR = "#C00000"

#: How many bins a distribution has.
N_BINS = 40

#: How many descriptors are named as those in which the twin differs most.
N_NAMED = 3

NOTE = (
    "KS: greatest distance between the cumulative distributions. "
    "Correlation: mean over the directions. "
    "Not drawn: the outermost 0.5 % at each end of a distribution."
)


def draw(_results: Path, profile: str, seed: int = 0) -> Figure:
    """Draw one row a descriptor: both maps on one scale, both distributions, both correlograms.

    The twin is simulated with `seed`.
    """
    scan = sources.load_scan("measured")
    measured = describe(scan)
    simulated = describe(twin.simulate(seed))
    units = loops.units(scan)
    pixel_um = scan.size_um[0] / scan.shape[0]
    fig = style.figure(height=0.8 + len(COMPARED_DESCRIPTORS))
    rows = fig.subplots(len(COMPARED_DESCRIPTORS), 4, width_ratios=(0.75, 1.15, 2.4, 2.4))
    for name, (*map_axes, distribution_ax, correlogram_ax) in zip(COMPARED_DESCRIPTORS, rows):
        draw_maps(fig, map_axes, measured[name], simulated[name], scan.size_um, units[name])
        draw_distributions(distribution_ax, measured[name], simulated[name])
        distribution_ax.set_xlabel(f"{loops.DESCRIPTORS[name].label} ({units[name]})")
        draw_correlograms(correlogram_ax, measured[name], simulated[name], pixel_um)
        correlogram_ax.tick_params(labelbottom=name == COMPARED_DESCRIPTORS[-1])
    titles = (
        "measured",
        "twin",
        "distribution over the pixels",
        "correlation of two pixels (1)",
    )
    for ax, title in zip(rows[0], titles):
        ax.set_title(title)
    rows[0, 2].legend(loc="upper left")
    rows[-1, 3].set_xlabel("distance (µm)")
    fig.suptitle(differences(measured, simulated))
    style.note(fig, NOTE)
    style.stamp(fig, ("measured", "simulated twin"), profile, seed)
    return fig


def differences(measured: dict[str, np.ndarray], simulated: dict[str, np.ndarray]) -> str:
    """Return in which descriptors two scans differ most, in distribution and in correlation.

    Parameters
    ----------
    measured, simulated : dict of str to ndarray, each of shape (rows, cols)
        Maps, as `describe` returns them.
    """
    distances = {}
    departures = {}
    for name in COMPARED_DESCRIPTORS:
        distances[name] = ks(measured[name], simulated[name])
        difference = correlogram(measured[name]) - correlogram(simulated[name])
        departures[name] = np.abs(difference).max()
    return (
        "The twin differs most\n"
        f"in distribution: {labels_of_greatest(distances)}\n"
        f"in correlation: {labels_of_greatest(departures)}"
    )


def labels_of_greatest(differences: dict[str, float]) -> str:
    """Return the labels of the descriptors that differ most, the greatest difference first."""
    names = sorted(differences, key=differences.get, reverse=True)[:N_NAMED]
    return "; ".join(loops.DESCRIPTORS[name].label for name in names)


def describe(scan: Scan) -> dict[str, np.ndarray]:
    """Return maps of the compared descriptors, (rows, cols), NaN where one means nothing."""
    descriptors, switches = loops.describe_spectra(scan, scan.spectra)
    maps = {}
    for name in COMPARED_DESCRIPTORS:
        values = descriptors[name]
        if name in loops.OF_STEPS:
            values = np.where(switches, values, np.nan)
        maps[name] = scan.map(values)
    return maps


def draw_maps(
    fig: Figure,
    axes: Sequence[Axes],
    measured: np.ndarray,
    simulated: np.ndarray,
    size_um: tuple[float, float],
    unit: str,
) -> None:
    """Draw the maps of one descriptor, both of shape (rows, cols), on one scale."""
    limits = style.limits(np.concatenate([finite(measured), finite(simulated)]))
    measured_ax, simulated_ax = axes
    style.scan_map(measured_ax, measured, size_um, **limits)
    image = style.scan_map(simulated_ax, simulated, size_um, **limits)
    style.colour_bar(fig, image, simulated_ax, f"({unit})", aspect=12, extend="both")


def draw_distributions(ax: Axes, measured: np.ndarray, simulated: np.ndarray) -> None:
    """Draw the density of the values of both maps, and write their Kolmogorov-Smirnov distance."""
    measured_values = finite(measured)
    simulated_values = finite(simulated)
    both = np.concatenate([measured_values, simulated_values])
    low, high = np.percentile(both, [0.5, 99.5])
    edges = np.linspace(low, high, N_BINS + 1)
    ax.hist(
        measured_values,
        edges,
        density=True,
        color=style.DATA_COLOUR,
        alpha=0.5,
        label="measured",
    )
    ax.hist(
        simulated_values,
        edges,
        density=True,
        color=TWIN_COLOUR,
        histtype="step",
        label="twin",
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
    ax.set(yticks=[], xlim=(low, high))


def finite(image: np.ndarray) -> np.ndarray:
    """Return the values of a map that are finite, (n,)."""
    return image[np.isfinite(image)]


def ks(measured: np.ndarray, simulated: np.ndarray) -> float:
    """Return the Kolmogorov-Smirnov distance of the values of two maps."""
    return ks_2samp(finite(measured), finite(simulated)).statistic


def draw_correlograms(
    ax: Axes, measured: np.ndarray, simulated: np.ndarray, pixel_um: float
) -> None:
    """Draw the correlation of two pixels against their distance, for both maps."""
    for image, look in (
        (measured, {"color": style.DATA_COLOUR, "linewidth": 2.5, "alpha": 0.6}),
        (simulated, {"color": TWIN_COLOUR}),
    ):
        correlation = correlogram(image)
        ax.plot(np.arange(len(correlation)) * pixel_um, correlation, **look)
    ax.axhline(0, color="black", linewidth=0.3)
    ax.set(ylim=(-0.55, 1.05), yticks=(-0.5, 0, 0.5, 1), xlim=(0, None))


def correlogram(image: np.ndarray) -> np.ndarray:
    """Return the correlation of the pixels of a map against their distance, over all directions.

    Parameters
    ----------
    image : ndarray, shape (rows, cols)
        NaN where there is no value.

    Returns
    -------
    ndarray, shape (n,)
        At distances of 0, 1, ... pixels, to half of the shorter side: the mean product of the
        departures from the mean, over all pairs at that distance to the nearest pixel, over the
        variance.
    """
    known = np.isfinite(image)
    departures = np.where(known, image - image[known].mean(), 0)
    n_lags = min(image.shape) // 2 + 1
    products = by_distance(autocorrelation(departures))[:n_lags]
    pairs = by_distance(autocorrelation(known.astype(float)))[:n_lags]
    return products / pairs / departures[known].var()


def autocorrelation(image: np.ndarray) -> np.ndarray:
    """Return the sum of the products of all pairs of pixels, by the shift between them.

    Parameters
    ----------
    image : ndarray, shape (rows, cols)

    Returns
    -------
    ndarray, shape (2 * rows, 2 * cols)
        Shifts are ordered as the frequencies of a Fourier transform: 0, 1, ..., -2, -1.
    """
    # Padded with zeros, so that no pixel is paired with one beyond the opposite edge.
    shape = [2 * n for n in image.shape]
    return np.fft.irfft2(np.abs(np.fft.rfft2(image, shape)) ** 2, shape)


def by_distance(sums: np.ndarray) -> np.ndarray:
    """Return sums by shift, as `autocorrelation` returns them, added up by distance in pixels."""
    row_shifts, col_shifts = (np.fft.fftfreq(n, 1 / n) for n in sums.shape)
    distance = np.rint(np.hypot(row_shifts[:, None], col_shifts)).astype(int)
    return np.bincount(distance.ravel(), sums.ravel())


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    return common.script(draw, "twin", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
