"""Sheets of the supplement on the scan: all maps and generated spectra (S5, S10), channels of the VAE (S7), latents and descriptors."""

from __future__ import annotations

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from scipy.stats import norm, spearmanr

from figures import fig5
from figures.shared import common, style
from replicate.analysis.loops import DESCRIPTORS, OF_STEPS, describe_spectra
from replicate.data import sources
from replicate.models.schedule import ACTIVE_KL

IN_ROW = 5
"""Maps of the VAE side by side."""


def draw_dictionary(results, profile, seed=0):
    """Draw all maps and generated spectra of dictionary learning (paper Figure S5)."""
    return _draw_generated(results, profile, seed, "dictionary_learning")


def draw_vae(results, profile, seed=0):
    """Draw all maps and generated spectra of the VAE (paper Figure S10)."""
    return _draw_generated(results, profile, seed, "lstm_vae")


def _draw_generated(results, profile, seed, model):
    loaded, provenance = common.load(results, profile, "beps", seed, models=(model,))
    run, scan = loaded[model], sources.load_scan(provenance["spectra"])
    n_latents = len(run.arrays["components"])
    fig = style.figure(height=0.6 + 1.45 * max(n_latents, 1))
    fig.suptitle(style.title(model, run.record))
    rows = (
        fig.subplots(
            n_latents,
            1 + scan.n_channels,
            squeeze=False,
            width_ratios=(1, *[1.5] * scan.n_channels),
        )
        if n_latents
        else ()
    )
    for i, row in enumerate(rows):
        fig5.draw_latent(fig, row, run, scan, i, style.LATENT_NAMES[model])
    for ax, lag in zip(rows[0][1:] if n_latents else (), scan.lags):
        ax.set_title("jump at 0 V: ends of its record" if lag else "")
    style.note(fig, fig5.note(scan))
    style.stamp(fig, provenance.values(), profile, seed)
    return fig


def draw_channels(results, profile, seed=0):
    """Draw how much each channel of the VAE tells, the maps of those that are in use, and their distributions (paper Figure S7)."""
    loaded, provenance = common.load(results, profile, "beps", seed, models=("lstm_vae",))
    run, scan = loaded["lstm_vae"], sources.load_scan(provenance["spectra"])
    kl = run.arrays["channel_kl"]
    order = np.argsort(-kl, kind="stable")
    in_use = order[kl[order] > 0]
    rows = [in_use[start : start + IN_ROW] for start in range(0, len(in_use), IN_ROW)]
    fig = style.figure(height=2 + 2.4 * len(rows))
    blocks = fig.subfigures(
        1 + len(rows), 1, squeeze=False, height_ratios=[1.3] + [2.4] * len(rows)
    )[:, 0]
    blocks[0].suptitle(style.title("lstm_vae", run.record))
    draw_kl(blocks[0].subplots(), kl, order)
    for block, channels in zip(blocks[1:], rows):
        for (upper, lower), channel in zip(_columns(block, len(channels)), channels):
            draw_channel(block, upper, lower, scan, run.arrays["latents"][:, channel])
            upper.set_title(f"channel {channel}: KL {kl[channel]:#.2g} nats")
    off = f"{len(kl) - len(in_use)} channels were switched off when the model was chosen, and are 0 in every pixel."
    style.note(fig, f"Black lines: the prior, a normal distribution. {off}")
    style.stamp(fig, provenance.values(), profile, seed)
    return fig


def _columns(block, n):
    """Return pairs of axes, a map over a distribution, for `n` channels; others are emptied."""
    axes = block.subplots(2, IN_ROW, height_ratios=(2.6, 1))
    for ax in axes[:, n:].ravel():
        ax.axis("off")
    axes[1, 0].set_ylabel("density\n(1/a.u.)")
    return axes.T


def draw_kl(ax, kl, order):
    """Draw how many nats each channel tells of a pixel, the most telling first."""
    ax.bar(range(len(order)), kl[order], color=style.COLOURS["lstm_vae"])
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


def draw_channel(block, upper, lower, scan, values):
    """Draw the map of a channel, and how its values are distributed."""
    label = style.LATENT_NAMES["lstm_vae"]
    image = style.scan_map(upper, scan.map(values), scan.size_um, **style.limits(values))
    style.colour_bar(block, image, upper, label, location="bottom", extend="both", aspect=12)
    lower.hist(values, bins=40, density=True, color=style.COLOURS["lstm_vae"], alpha=0.6)
    grid = np.linspace(min(values.min(), -3), max(values.max(), 3), 100)
    lower.plot(grid, norm.pdf(grid), color="black", linewidth=0.8)
    lower.set(xlabel=label, yticks=[])


def draw_correlations(results, profile, seed=0):
    """Draw how the latents of both models go with what is read off the measured loops: S10 in numbers, not in the paper."""
    loaded, provenance = common.load(
        results, profile, "beps", seed, models=("dictionary_learning", "lstm_vae")
    )
    scan = sources.load_scan(provenance["spectra"])
    descriptors, switches = describe_spectra(scan, scan.spectra)
    fig = style.figure(height=3.6)
    scale = ScalarMappable(Normalize(-1, 1), "RdBu_r")
    for ax, (model, run) in zip(fig.subplots(1, len(loaded)), loaded.items()):
        ax.set_title(style.title(model, run.record))
        components = run.arrays["components"]
        if not len(components):
            ax.axis("off")
            continue
        draw_table(
            ax, correlations(run.arrays["latents"][:, components], descriptors, switches), scale
        )
        ax.set_xticks(range(len(components)), components)
        ax.set_yticks(range(len(descriptors)), [DESCRIPTORS[name].label for name in descriptors])
        ax.set_xlabel("component (number)")
    style.colour_bar(fig, scale, ax, "Spearman's ρ (1)").set_ticks((-1, 0, 1))
    still = np.count_nonzero(~switches)
    left_out = (
        f", coercive voltages, imprint and shoulders without the {still} loops that do not switch"
        if still
        else ""
    )
    style.note(fig, f"Over all pixels{left_out}. {common.alignment_note(scan)}")
    style.stamp(fig, provenance.values(), profile, seed)
    return fig


def draw_table(ax, table, scale):
    """Draw correlations as numbers on their colours."""
    ax.imshow(table, cmap=scale.cmap, norm=scale.norm, aspect="auto")
    for (row, column), value in np.ndenumerate(table):
        colour = "white" if abs(value) > 0.6 else "black"
        ax.text(
            column,
            row,
            f"{round(value, 2) + 0.0:.2f}".replace("-", "−"),
            ha="center",
            va="center",
            color=colour,
            fontsize=5.5,
        )


def correlations(latents, descriptors, switches):
    """Return Spearman's rank correlation of each descriptor with each latent.

    Parameters
    ----------
    latents : ndarray, shape (n, n_latents)
    descriptors : dict of str to ndarray of shape (n,)
    switches : ndarray of bool, shape (n,)
        Loops for which the descriptors of steps mean something.

    Returns
    -------
    ndarray, shape (n_descriptors, n_latents)
        0 where either does not vary.
    """
    table = np.zeros((len(descriptors), latents.shape[1]))
    for row, (name, values) in zip(table, descriptors.items()):
        kept = switches if name in OF_STEPS else np.ones_like(switches)
        for i, latent in enumerate(latents[kept].T):
            if len(latent) and np.ptp(latent) and np.ptp(values[kept]):
                row[i] = spearmanr(latent, values[kept])[0]
    return table
