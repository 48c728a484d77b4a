"""Sheets of the supplement on the toy problem: lambda search (S3) and errors over the colour gamut (S4)."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.ticker import LogLocator
from replicate.study.jobs import N_SEARCH

from figures.shared import common, stored_models, style
from replicate.analysis.residuals import best_median_worst
from replicate.data import toy
from replicate.study import family
from replicate.study.family import LABELS, SHORT_LABELS
from replicate.tasks.scores import reconstruct

CODED = {"search_mse": "coded with the same λ", "search_mse_coded_at_1": "coded with λ = 1"}
PLANES = ("RG", "RB", "GB")
N_HEXAGONS = 12


def draw_lambda(results, profile, seed=0):
    """Draw error and loss of dictionary learning over lambda (paper Figure S3)."""
    loaded, provenance = common.load(
        results, profile, "toy", seed, models=("pca", "dictionary_learning")
    )
    search, found = (
        loaded["dictionary_learning"].arrays,
        loaded["dictionary_learning"].record["metrics"],
    )
    fig = style.figure(height=2.5)
    errors, losses = fig.subplots(1, 2)
    look, colour = (
        {"markersize": 3, "color": style.COLOURS["dictionary_learning"]},
        style.COLOURS["pca"],
    )
    for (name, label), marks in zip(CODED.items(), ("o-", "s:")):
        errors.plot(search["search_lambda"], search[name], marks, label=label, **look)
    errors.axhline(
        loaded["pca"].record["metrics"]["gamut_mse"],
        color=colour,
        linestyle="--",
        label="PCA, as many components",
    )
    losses.plot(search["search_lambda"], search["search_objective"], "o-", **look)
    for ax, label, name in (
        (errors, "MSE (z-score²)", "a"),
        (losses, "loss of a spectrum (z-score²)", "b"),
    ):
        ax.axvline(
            family.PAPER_LAMBDA["toy"],
            color="0.6",
            linewidth=0.8,
            label=f"the paper's λ = {family.PAPER_LAMBDA['toy']}",
        )
        ax.set(
            xscale="log",
            xlabel="λ (z-score)",
            ylabel=label,
            ylim=(0, None),
            xticks=search["search_lambda"][::3],
        )
        ax.xaxis.set_major_formatter("{x:g}")
        ax.minorticks_off()
        style.letter(ax, name)
    errors.set_title(f"Error: least at λ = {found['best_lambda']:g}")
    losses.set_title("What coding minimises: half the squared error + λ L1 of the code")
    errors.legend()
    fitted = (
        f"Fitted to {N_SEARCH[profile]} of the training colours at each λ, scored on fresh ones."
    )
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
        block.suptitle(
            f"{LABELS[model]}: MSE {run.record['metrics']['gamut_mse']:#.3g} over {len(errors)} fresh colours"
        )
        axes = block.subplots(1, 6)
        for ax, plane in zip(axes, PLANES):
            image = draw_plane(ax, plane, data.colours["gamut"], errors, scale)
        bar = style.colour_bar(block, image, list(axes[:3]), "MSE (z-score²)", extend="both")
        bar.locator = LogLocator()
        bar.update_ticks()
        fitted = stored_models.load(run, data.train)
        draw_examples(axes[3:], model, fitted, data.gamut, errors)
        block.legend(
            *axes[3].get_legend_handles_labels(), loc="outside right center", handlelength=1
        )
    style.note(
        fig,
        "Hexagons: mean over the third channel of the colour, on one logarithmic scale (1st to 99th percentile of all models).",
    )
    style.stamp(fig, [provenance["spectra"]], profile, seed)
    return fig


def draw_plane(ax, plane, colours, errors, scale):
    """Draw the mean error over two channels of the colour."""
    x, y = (colours[:, "RGB".index(channel)] for channel in plane)
    size = (N_HEXAGONS, round(N_HEXAGONS / np.sqrt(3)))
    image = ax.hexbin(
        x,
        y,
        C=errors,
        gridsize=size,
        extent=(0, 1, 0, 1),
        norm=scale,
        cmap=style.ERROR_MAP,
        linewidth=0.1,
    )
    labels = {
        "xlabel": f"{plane[0]} (1)",
        "ylabel": f"{plane[1]} (1)",
        "xticks": (0, 1),
        "yticks": (0, 1),
    }
    ax.set(**labels, xlim=(0, 1), ylim=(0, 1), box_aspect=1)
    return image


def draw_examples(axes, model, fitted, spectra, errors):
    """Draw the spectra of least, median and greatest error with their reconstructions."""
    shown = best_median_worst(errors)
    for ax, name, i, reconstruction in zip(
        axes, ("best", "median", "worst"), shown, reconstruct(fitted, spectra[shown])
    ):
        ax.plot(toy.timesteps(), spectra[i], color=style.DATA_COLOUR, linewidth=2, label="data")
        ax.plot(
            toy.timesteps(), reconstruction, color=style.COLOURS[model], label=SHORT_LABELS[model]
        )
        ax.set(title=f"{name}\nMSE {errors[i]:.2g}", xlabel="time step t (a.u.)", box_aspect=1)
    axes[0].set_ylabel("f (z-score)")
