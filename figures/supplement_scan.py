"""Sheets of the supplement on the scan.

All maps and generated spectra (S5, S10), channels of the VAE (S7), latents and descriptors.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure
from scipy.stats import norm, spearmanr

from figures import fig5
from figures.shared import common, style
from replicate.analysis.loops import DESCRIPTORS, OF_STEPS, describe_spectra
from replicate.data import sources
from replicate.data.scan import Scan
from replicate.models.schedule import ACTIVE_KL
from replicate.running.runs import Run

#: How many maps of the channels of the VAE stand side by side.
MAPS_PER_ROW = 5


def draw_dictionary(results: Path, profile: str, seed: int = 0) -> Figure:
    """Draw all maps and generated spectra of dictionary learning (paper Figure S5)."""
    return _draw_generated(results, profile, seed, "dictionary_learning")


def draw_vae(results: Path, profile: str, seed: int = 0) -> Figure:
    """Draw all maps and generated spectra of the VAE (paper Figure S10)."""
    return _draw_generated(results, profile, seed, "lstm_vae")


def _draw_generated(results: Path, profile: str, seed: int, model: str) -> Figure:
    runs, provenance = common.load(results, profile, "beps", seed, models=(model,))
    run = runs[model]
    scan = sources.load_scan(provenance["spectra"])
    n_latents = len(run.arrays["components"])
    fig = style.figure(height=0.6 + 1.45 * max(n_latents, 1))
    fig.suptitle(style.model_title(model, run.record))
    if n_latents:
        draw_latents(fig, model, run, scan)
    style.note(fig, fig5.note(scan))
    style.stamp(fig, provenance.values(), profile, seed)
    return fig


def draw_latents(fig: Figure, model: str, run: Run, scan: Scan) -> None:
    """Draw the map of every latent of a run and the spectra generated along it, one a row."""
    rows = fig.subplots(
        len(run.arrays["components"]),
        1 + scan.n_channels,
        squeeze=False,
        width_ratios=(1, *[1.5] * scan.n_channels),
    )
    for i, row in enumerate(rows):
        fig5.draw_latent(fig, row, run, scan, i, style.LATENT_NAMES[model])
    for ax, lag in zip(rows[0][1:], scan.lags):
        ax.set_title("jump at 0 V: ends of its record" if lag else "")


def draw_channels(results: Path, profile: str, seed: int = 0) -> Figure:
    """Draw the channels of the VAE (paper Figure S7).

    The KL of every channel, and of those in use the map and the distribution of the values.
    """
    runs, provenance = common.load(results, profile, "beps", seed, models=("lstm_vae",))
    run = runs["lstm_vae"]
    scan = sources.load_scan(provenance["spectra"])
    kl = run.arrays["channel_kl"]
    order = np.argsort(-kl, kind="stable")
    in_use = order[kl[order] > 0]
    rows = [in_use[start : start + MAPS_PER_ROW] for start in range(0, len(in_use), MAPS_PER_ROW)]
    fig = style.figure(height=2 + 2.4 * len(rows))
    upper, *lower = fig.subfigures(
        1 + len(rows),
        1,
        squeeze=False,
        height_ratios=[1.3] + [2.4] * len(rows),
    )[:, 0]
    upper.suptitle(style.model_title("lstm_vae", run.record))
    draw_kl(upper.subplots(), kl, order)
    for block, channels in zip(lower, rows):
        axes = block.subplots(2, MAPS_PER_ROW, height_ratios=(2.6, 1))
        for ax in axes[:, len(channels) :].ravel():
            ax.axis("off")
        axes[1, 0].set_ylabel("density\n(1/a.u.)")
        for (map_ax, histogram_ax), channel in zip(axes.T, channels):
            values = common.sign(run, scan, channel) * run.arrays["latents"][:, channel]
            draw_channel(block, map_ax, histogram_ax, scan, values)
            map_ax.set_title(f"channel {channel}: KL {kl[channel]:#.2g} nats")
    n_off = len(kl) - len(in_use)
    style.note(
        fig,
        f"Black lines: the prior, a normal distribution. {n_off} channels were switched off when "
        "the model was chosen, and are 0 in every pixel.",
    )
    style.stamp(fig, provenance.values(), profile, seed)
    return fig


def draw_kl(ax: Axes, kl: np.ndarray, order: np.ndarray) -> None:
    """Draw the mean KL of every channel from the prior.

    Parameters
    ----------
    ax : Axes
    kl : ndarray, shape (n_channels,)
        In nats.
    order : ndarray of int, shape (n_channels,)
        The channels in the order in which they are drawn.
    """
    ax.bar(range(len(order)), kl[order], color=style.MODEL_COLOURS["lstm_vae"])
    ax.axhline(
        ACTIVE_KL,
        color="black",
        linewidth=0.6,
        linestyle="--",
        label=f"active above {ACTIVE_KL} nats",
    )
    ax.set_xticks(range(len(order)), order)
    ax.set(xlabel="channel (number)", ylabel="mean KL (nats)")
    ax.legend()


def draw_channel(
    block: SubFigure, map_ax: Axes, histogram_ax: Axes, scan: Scan, values: np.ndarray
) -> None:
    """Draw the map of a channel, and how its values, (n_pixels,), are distributed."""
    label = style.LATENT_NAMES["lstm_vae"]
    colour = style.MODEL_COLOURS["lstm_vae"]
    image = style.scan_map(map_ax, scan.map(values), scan.size_um, **style.limits(values))
    style.colour_bar(block, image, map_ax, label, location="bottom", extend="both", aspect=12)
    histogram_ax.hist(values, bins=40, density=True, color=colour, alpha=0.6)
    grid = np.linspace(min(values.min(), -3), max(values.max(), 3), 100)
    histogram_ax.plot(grid, norm.pdf(grid), color="black", linewidth=0.8)
    histogram_ax.set(xlabel=label, yticks=[])


def draw_correlations(results: Path, profile: str, seed: int = 0) -> Figure:
    """Draw the correlation of latents with descriptors of the measured loops, for both models.

    It is S10 in numbers; the paper does not have it.
    """
    runs, provenance = common.load(
        results, profile, "beps", seed, models=("dictionary_learning", "lstm_vae")
    )
    scan = sources.load_scan(provenance["spectra"])
    descriptors, switches = describe_spectra(scan, scan.spectra)
    labels = [DESCRIPTORS[name].label for name in descriptors]
    fig = style.figure(height=3.6)
    scale = ScalarMappable(Normalize(-1, 1), "RdBu_r")
    for ax, (model, run) in zip(fig.subplots(1, len(runs)), runs.items()):
        ax.set_title(style.model_title(model, run.record))
        components = run.arrays["components"]
        if len(components) == 0:
            ax.axis("off")
            continue
        latents = run.arrays["latents"][:, components]
        draw_table(ax, correlations(latents, descriptors, switches), scale)
        ax.set_xticks(range(len(components)), components)
        ax.set_yticks(range(len(descriptors)), labels)
        ax.set_xlabel("component (number)")
    bar = style.colour_bar(fig, scale, ax, "Spearman's ρ (1)")
    bar.set_ticks((-1, 0, 1))
    pixels = "Over all pixels"
    n_still = np.count_nonzero(~switches)
    if n_still:
        pixels += (
            ", coercive voltages, imprint and shoulders without the "
            f"{n_still} loops that do not switch"
        )
    style.note(fig, f"{pixels}. {common.alignment_note(scan)}")
    style.stamp(fig, provenance.values(), profile, seed)
    return fig


def draw_table(ax: Axes, table: np.ndarray, scale: ScalarMappable) -> None:
    """Draw a table of numbers, (rows, cols), as text on their colours."""
    ax.imshow(table, cmap=scale.cmap, norm=scale.norm, aspect="auto")
    for (row, column), value in np.ndenumerate(table):
        # Adding zero takes the sign off a rounded -0.0.
        text = f"{round(value, 2) + 0.0:.2f}".replace("-", "−")
        ax.text(
            column,
            row,
            text,
            ha="center",
            va="center",
            color="white" if abs(value) > 0.6 else "black",
            fontsize=5.5,
        )


def correlations(
    latents: np.ndarray, descriptors: dict[str, np.ndarray], switches: np.ndarray
) -> np.ndarray:
    """Return Spearman's rank correlation of each descriptor with each latent.

    Parameters
    ----------
    latents : ndarray, shape (n, n_latents)
    descriptors : dict of str to ndarray, each of shape (n,)
    switches : ndarray of bool, shape (n,)
        The loops that switch; for others the descriptors `OF_STEPS` mean nothing, and their pixels
        are left out.

    Returns
    -------
    ndarray, shape (n_descriptors, n_latents)
        0 where either does not vary.
    """
    table = np.zeros((len(descriptors), latents.shape[1]))
    for row, (name, values) in zip(table, descriptors.items()):
        pixels = switches if name in OF_STEPS else np.ones_like(switches)
        for i, latent in enumerate(latents[pixels].T):
            row[i] = rank_correlation(latent, values[pixels])
    return table


def rank_correlation(latent: np.ndarray, descriptor: np.ndarray) -> float:
    """Return Spearman's correlation of two arrays, (n,); 0 where either is empty or constant."""
    if len(latent) == 0 or np.ptp(latent) == 0 or np.ptp(descriptor) == 0:
        return 0.0
    return spearmanr(latent, descriptor)[0]
