"""Sheets of the supplement: lambda search (S3), errors over the gamut (S4), and latents, maps, errors on the scan (S5, S7, S8, S10)."""

from __future__ import annotations

import sys

import common
import fig5
import numpy as np
import stored_models
import violins
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.ticker import LogLocator
from scipy.stats import norm, spearmanr

from replicate import family, sources, style
from replicate.analysis.latents import NEIGHBOURS
from replicate.analysis.loops import DESCRIPTORS, OF_STEPS, describe_spectra
from replicate.analysis.residuals import best_median_worst
from replicate.data import toy
from replicate.models.schedule import ACTIVE_KL
from replicate.study import N_SEARCH
from replicate.tasks.scores import reconstruct

CODED = {"search_mse": "coded with the same λ", "search_mse_coded_at_1": "coded with λ = 1"}
PLANES = ("RG", "RB", "GB")
N_HEXAGONS = 12
IN_ROW = 5
"""Maps of the VAE side by side."""


def draw_lambda(results, profile, seed=0):
    """Draw error and loss of dictionary learning over lambda (paper Figure S3)."""
    loaded, provenance = common.load(results, profile, "toy", seed, models=("pca", "dictionary_learning"))
    search, found = loaded["dictionary_learning"].arrays, loaded["dictionary_learning"].record["metrics"]
    fig = style.figure(height=2.5)
    errors, losses = fig.subplots(1, 2)
    look, colour = {"markersize": 3, "color": style.COLOURS["dictionary_learning"]}, style.COLOURS["pca"]
    for (name, label), marks in zip(CODED.items(), ("o-", "s:")):
        errors.plot(search["search_lambda"], search[name], marks, label=label, **look)
    errors.axhline(loaded["pca"].record["metrics"]["gamut_mse"], color=colour, linestyle="--", label="PCA, as many components")
    losses.plot(search["search_lambda"], search["search_objective"], "o-", **look)
    for ax, label, name in ((errors, "MSE (z-score²)", "a"), (losses, "loss of a spectrum (z-score²)", "b")):
        ax.axvline(family.PAPER_LAMBDA["toy"], color="0.6", linewidth=0.8, label=f"the paper's λ = {family.PAPER_LAMBDA['toy']}")
        ax.set(xscale="log", xlabel="λ (z-score)", ylabel=label, ylim=(0, None), xticks=search["search_lambda"][::3])
        ax.xaxis.set_major_formatter("{x:g}")
        ax.minorticks_off()
        style.letter(ax, name)
    errors.set_title(f"Error: least at λ = {found['best_lambda']:g}")
    losses.set_title("What coding minimises: half the squared error + λ L1 of the code")
    errors.legend()
    fitted = f"Fitted to {N_SEARCH[profile]} of the training colours at each λ, scored on fresh ones."
    style.note(fig, f"{fitted} scikit-learn before 1.2 coded with λ = 1 by default.")
    style.stamp(fig, [provenance["spectra"]], profile, seed)
    return fig


def draw_gamut(results, profile, seed=0):
    """Draw where in the colour gamut each model errs, and its best, median and worst spectrum there (paper Figure S4)."""
    loaded, provenance = common.load(results, profile, "toy", seed)
    data = toy.draw(seed, **common.configuration(loaded["pca"])["data"])
    scale = LogNorm(*np.percentile([run.arrays["gamut_mse"] for run in loaded.values()], [1, 99]))
    fig = style.figure(height=4.6)
    for block, (model, run) in zip(fig.subfigures(len(loaded), 1), loaded.items()):
        errors = run.arrays["gamut_mse"]
        block.suptitle(f"{style.LABELS[model]}: MSE {run.record['metrics']['gamut_mse']:.3g} over {len(errors)} fresh colours")
        axes = block.subplots(1, 6)
        for ax, plane in zip(axes, PLANES):
            image = draw_plane(ax, plane, data.colours["gamut"], errors, scale)
        bar = style.colour_bar(block, image, list(axes[:3]), "MSE (z-score²)", extend="both")
        bar.locator = LogLocator()
        bar.update_ticks()
        fitted = stored_models.load(run, data.train)
        draw_examples(axes[3:], model, fitted, data.gamut, errors)
        block.legend(*axes[3].get_legend_handles_labels(), loc="outside right center", handlelength=1)
    style.note(fig, "Hexagons: mean over the third channel of the colour, on one logarithmic scale (1st to 99th percentile of all models).")
    style.stamp(fig, [provenance["spectra"]], profile, seed)
    return fig


def draw_plane(ax, plane, colours, errors, scale):
    """Draw the mean error over two channels of the colour."""
    x, y = (colours[:, "RGB".index(channel)] for channel in plane)
    size = (N_HEXAGONS, round(N_HEXAGONS / np.sqrt(3)))
    image = ax.hexbin(x, y, C=errors, gridsize=size, extent=(0, 1, 0, 1), norm=scale, cmap=style.ERROR_MAP, linewidth=0.1)
    labels = {"xlabel": f"{plane[0]} (1)", "ylabel": f"{plane[1]} (1)", "xticks": (0, 1), "yticks": (0, 1)}
    ax.set(**labels, xlim=(0, 1), ylim=(0, 1), box_aspect=1)
    return image


def draw_examples(axes, model, fitted, spectra, errors):
    """Draw the spectra of least, median and greatest error with their reconstructions."""
    shown = best_median_worst(errors)
    for ax, name, i, reconstruction in zip(axes, ("best", "median", "worst"), shown, reconstruct(fitted, spectra[shown])):
        ax.plot(toy.timesteps(), spectra[i], color=style.DATA_COLOUR, linewidth=2, label="data")
        ax.plot(toy.timesteps(), reconstruction, color=style.COLOURS[model], label=style.SHORT_LABELS[model])
        ax.set(title=f"{name}\nMSE {errors[i]:.2g}", xlabel="time step t (a.u.)", box_aspect=1)
    axes[0].set_ylabel("f (z-score)")


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
    rows = fig.subplots(n_latents, 1 + scan.n_channels, squeeze=False, width_ratios=(1, *[1.5] * scan.n_channels)) if n_latents else ()
    for i, row in enumerate(rows):
        fig5.draw_latent(fig, row, run, scan, i, style.LATENT_NAMES[model])
    text = f"Lines: colours as in the map; other latents are the mean of the {NEIGHBOURS} nearest pixels. "
    style.note(fig, text + common.alignment_note(scan))
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
    blocks = fig.subfigures(1 + len(rows), 1, squeeze=False, height_ratios=[1.3] + [2.4] * len(rows))[:, 0]
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
    ax.axhline(ACTIVE_KL, color="black", linewidth=0.6, linestyle="--", label=f"active above {ACTIVE_KL} nats")
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
    loaded, provenance = common.load(results, profile, "beps", seed, models=("dictionary_learning", "lstm_vae"))
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
        draw_table(ax, correlations(run.arrays["latents"][:, components], descriptors, switches), scale)
        ax.set_xticks(range(len(components)), components)
        ax.set_yticks(range(len(descriptors)), [DESCRIPTORS[name].label for name in descriptors])
        ax.set_xlabel("component (number)")
    style.colour_bar(fig, scale, ax, "Spearman's ρ (1)").set_ticks((-1, 0, 1))
    still = np.count_nonzero(~switches)
    left_out = f", coercive voltages, imprint and shoulders without the {still} loops that do not switch" if still else ""
    style.note(fig, f"Over all pixels{left_out}. {common.alignment_note(scan)}")
    style.stamp(fig, provenance.values(), profile, seed)
    return fig


def draw_table(ax, table, scale):
    """Draw correlations as numbers on their colours."""
    ax.imshow(table, cmap=scale.cmap, norm=scale.norm, aspect="auto")
    for (row, column), value in np.ndenumerate(table):
        colour = "white" if abs(value) > 0.6 else "black"
        ax.text(column, row, f"{round(value, 2) + 0.0:.2f}".replace("-", "−"), ha="center", va="center", color=colour, fontsize=5.5)


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


FIGURES = {
    "s3_lambda": draw_lambda,
    "s4_gamut": draw_gamut,
    "s5_dictionary": draw_dictionary,
    "s7_channels": draw_channels,
    "violins_beps": violins.draw_scan,  # S8
    "s10_vae": draw_vae,
    "s10_descriptors": draw_correlations,
}


def main(argv=None):
    """Run the command line; a sheet that cannot be drawn does not keep the others from it."""
    return max([common.script(draw, name, __doc__, argv) for name, draw in FIGURES.items()])


if __name__ == "__main__":
    sys.exit(main())
