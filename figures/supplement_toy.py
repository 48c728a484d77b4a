"""Sheets of the supplement on the toy problem.

The search for lambda (S3), and errors over the gamut of colours (S4).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from figures.shared import common, stored_models, style
from replicate.analysis.residuals import best_median_worst
from replicate.data import toy
from replicate.study import family
from replicate.study.family import LABELS, SHORT_LABELS
from replicate.tasks.scores import reconstruct
from replicate.tasks.searches import N_SEARCH

#: The pairs of channels of the colour over which errors are drawn.
PLANES = ("RG", "RB", "GB")

#: How many hexagons lie side by side over a channel.
N_HEXAGONS = 12


def draw_lambda(results: Path, profile: str, seed: int = 0) -> Figure:
    """Draw error and loss of dictionary learning over lambda (paper Figure S3)."""
    runs, provenance = common.load(
        results, profile, "toy", seed, models=("pca", "dictionary_learning")
    )
    search = runs["dictionary_learning"].arrays
    best_lambda = runs["dictionary_learning"].record["metrics"]["best_lambda"]
    fig = style.figure(height=2.5)
    error_ax, loss_ax = fig.subplots(1, 2)
    look = {"markersize": 3, "color": style.MODEL_COLOURS["dictionary_learning"]}
    lambdas = search["search_lambda"]
    error_ax.plot(lambdas, search["search_mse"], "o-", label="coded with the same λ", **look)
    error_ax.plot(lambdas, search["search_mse_coded_at_1"], "s:", label="coded with λ = 1", **look)
    error_ax.axhline(
        runs["pca"].record["metrics"]["gamut_mse"],
        color=style.MODEL_COLOURS["pca"],
        linestyle="--",
        label="PCA, as many components",
    )
    loss_ax.plot(lambdas, search["search_objective"], "o-", **look)
    for ax in (error_ax, loss_ax):
        label_lambda(ax, lambdas)
    error_ax.set(
        ylabel="MSE (z-score²)",
        ylim=(0, None),
        title=f"Error: least at λ = {best_lambda:g}",
    )
    style.letter(error_ax, "a")
    loss_ax.set(
        ylabel="loss of a spectrum (z-score²)",
        ylim=(0, None),
        title="What coding minimises: half the squared error + λ L1 of the code",
    )
    style.letter(loss_ax, "b")
    error_ax.legend()
    style.note(
        fig,
        f"Fitted to {N_SEARCH[profile]} of the training colours at each λ, scored on fresh ones. "
        "scikit-learn before 1.2 coded with λ = 1 by default.",
    )
    style.stamp(fig, [provenance["spectra"]], profile, seed)
    return fig


def label_lambda(ax: Axes, lambdas: np.ndarray) -> None:
    """Make the horizontal axis one of lambda, with a line at the paper's; `lambdas` are (n,)."""
    paper_lambda = family.PAPER_LAMBDA["toy"]
    ax.axvline(paper_lambda, color="0.6", linewidth=0.8, label=f"the paper's λ = {paper_lambda}")
    ax.set(xscale="log", xlabel="λ (z-score)", xticks=lambdas[::3])
    ax.xaxis.set_major_formatter("{x:g}")
    ax.minorticks_off()


def draw_gamut(results: Path, profile: str, seed: int = 0) -> Figure:
    """Draw where in the gamut of colours each model errs, and examples (paper Figure S4).

    The examples are the spectra of least, median and greatest error.
    """
    runs, provenance = common.load(results, profile, "toy", seed)
    data = toy.draw(seed, **common.configuration(runs["pca"])["data"])
    errors_of_all = [run.arrays["gamut_mse"] for run in runs.values()]
    scale = LogNorm(*np.percentile(errors_of_all, [1, 99]))
    fig = style.figure(height=4.6)
    for block, (model, run) in zip(fig.subfigures(len(runs), 1), runs.items()):
        errors = run.arrays["gamut_mse"]
        mean = run.record["metrics"]["gamut_mse"]
        block.suptitle(f"{LABELS[model]}: MSE {mean:#.3g} over {len(errors)} fresh colours")
        axes = block.subplots(1, 6)
        plane_axes = axes[:3]
        example_axes = axes[3:]
        for ax, plane in zip(plane_axes, PLANES):
            image = draw_plane(ax, plane, data.colours["gamut"], errors, scale)
        bar = style.colour_bar(block, image, list(plane_axes), "MSE (z-score²)", extend="both")
        bar.locator = LogLocator()
        bar.update_ticks()
        fitted = stored_models.load(run, data.train)
        draw_examples(example_axes, model, fitted, data.gamut, errors)
        block.legend(
            *example_axes[0].get_legend_handles_labels(),
            loc="outside right center",
            handlelength=1,
        )
    style.note(
        fig,
        "Hexagons: mean over the third channel of the colour, on one logarithmic scale "
        "(1st to 99th percentile of all models).",
    )
    style.stamp(fig, [provenance["spectra"]], profile, seed)
    return fig


def draw_plane(
    ax: Axes, plane: str, colours: np.ndarray, errors: np.ndarray, scale: LogNorm
) -> PolyCollection:
    """Draw the mean error over two channels of the colour, and return the hexagons.

    Parameters
    ----------
    ax : Axes
    plane : str
        One of `PLANES`.
    colours : ndarray, shape (n, 3)
        In [0, 1].
    errors : ndarray, shape (n,)
        The error at each colour.
    scale : LogNorm
    """
    x, y = (colours[:, "RGB".index(channel)] for channel in plane)
    image = ax.hexbin(
        x,
        y,
        C=errors,
        gridsize=(N_HEXAGONS, round(N_HEXAGONS / np.sqrt(3))),
        extent=(0, 1, 0, 1),
        norm=scale,
        cmap=style.ERROR_MAP,
        linewidth=0.1,
    )
    ax.set(
        xlabel=f"{plane[0]} (1)",
        ylabel=f"{plane[1]} (1)",
        xticks=(0, 1),
        yticks=(0, 1),
        xlim=(0, 1),
        ylim=(0, 1),
        box_aspect=1,
    )
    return image


def draw_examples(
    axes: Sequence[Axes], model: str, fitted, spectra: np.ndarray, errors: np.ndarray
) -> None:
    """Draw the spectra of least, median and greatest error with their reconstructions.

    Parameters
    ----------
    axes : sequence of Axes
        Three, one for each spectrum.
    model : str
    fitted : transformer
        The model, as `stored_models.load` returns it.
    spectra : ndarray, shape (n, n_features)
    errors : ndarray, shape (n,)
        The error of each spectrum.
    """
    examples = best_median_worst(errors)
    reconstructions = reconstruct(fitted, spectra[examples])
    for ax, name, i, reconstruction in zip(
        axes, ("best", "median", "worst"), examples, reconstructions
    ):
        ax.plot(toy.timesteps(), spectra[i], color=style.DATA_COLOUR, linewidth=2, label="data")
        ax.plot(
            toy.timesteps(),
            reconstruction,
            color=style.MODEL_COLOURS[model],
            label=SHORT_LABELS[model],
        )
        ax.set(title=f"{name}\nMSE {errors[i]:.2g}", xlabel="time step t (a.u.)", box_aspect=1)
    axes[0].set_ylabel("f (z-score)")
