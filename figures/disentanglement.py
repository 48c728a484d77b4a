"""Disentanglement where the truth is known: on the toy problem and on the simulated twin.

The truth is R, G and B of the toy problem, and the maps and clean spectra of the twin.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from figures.shared import benchmark, common, style
from replicate.study.family import COMPONENTS, FIXED_BETA, LABELS, MODELS

#: The scores of the latents in use, for R, G and B, and their titles; 1 is best.
DISENTANGLEMENT_SCORES = {
    "mig": "MIG",
    "sap": "SAP",
    "dci_disentanglement": "DCI,\ndisentanglement",
    "dci_completeness": "DCI,\ncompleteness",
    "dci_informativeness": "DCI,\ninformativeness",
    "factors_r2": "R², boosted trees",
}

#: What else is drawn over beta, and the labels of these panels.
OVER_BETA = {
    "gamut_mse": "MSE, fresh colours (z-score²)",
    "active_channels": "active channels (count)",
}

#: The models whose schedule looks for as many active channels as there are factors.
CHOOSING_MODELS = ("conv_vae", "dense_vae", "lstm_vae")

#: The numbers that are drawn of the twin.
TWIN_KINDS = ("maps_r2", "clean_mse", "noise_mse")

NOTE = (
    "Small points: seeds. Lines and large points: their mean. "
    "Dotted: three true colours; as much error as noise. "
    "Twin: ratio on held-out blocks, maps on all pixels."
)


def draw(results: Path, profile: str, _seed: int = 0) -> Figure:
    """Draw what the latents of the family know of the truth, on the toy problem and on the twin."""
    numbers = benchmark.load(results, profile)
    is_score = numbers["dataset"].eq("toy") & numbers["kind"].isin(DISENTANGLEMENT_SCORES)
    is_over_beta = numbers["dataset"].eq("toy") & numbers["kind"].isin(OVER_BETA)
    of_toy = (is_score | is_over_beta) & numbers["setting"].isin(["", "beta"])
    of_twin = (
        numbers["dataset"].eq("twin")
        & numbers["kind"].isin(TWIN_KINDS)
        & numbers["setting"].isin(["", "noise"])
    )
    benchmark.require(
        numbers[of_twin | (of_toy & is_score)],
        results,
        profile,
        "scores of disentanglement are",
    )
    fig = style.figure(height=6.8)
    above, middle, below = fig.subfigures(3, 1, height_ratios=[1.3, 1, 1])
    score_axes = above.subplots(1, len(DISENTANGLEMENT_SCORES), sharey=True)
    beta_axes = middle.subplots(1, 3)
    choice_ax, *twin_axes = below.subplots(1, 3)
    toy = numbers[of_toy]
    toy_study = toy[toy["setting"] == ""]
    draw_scores(score_axes, toy_study)
    above.suptitle(
        "toy, R, G and B from the latents in use. MIG: mutual information gap. "
        "SAP: separated attribute predictability"
    )
    # The study itself is one point of each sweep: the fixed beta, and the twin's own noise.
    draw_beta(beta_axes, toy[toy["model"] == "lstm_vae_fixed"].fillna({"value": FIXED_BETA}))
    draw_choice(choice_ax, toy_study[toy_study["kind"] == "active_channels"])
    draw_twin(twin_axes, numbers[of_twin].fillna({"value": 1}))
    for ax, name in zip((score_axes[0], beta_axes[0], choice_ax, twin_axes[0]), "abcd"):
        style.letter(ax, name)
    mark_empty(fig)
    benchmark.finish(fig, numbers[of_toy | of_twin], profile, NOTE)
    return fig


def mark_empty(fig: Figure) -> None:
    """Write into every panel without data that this was not measured."""
    for ax in fig.get_axes():
        if not ax.has_data():
            ax.text(
                0.5,
                0.5,
                "not measured",
                transform=ax.transAxes,
                ha="center",
                va="center",
                color="0.6",
            )


def draw_scores(axes: Sequence[Axes], toy: pd.DataFrame) -> None:
    """Draw the scores of every model, a panel a score and a row a model.

    Parameters
    ----------
    axes : sequence of Axes
        One for each of `DISENTANGLEMENT_SCORES`.
    toy : DataFrame
        The numbers of the study on the toy problem.
    """
    models = [model for model in MODELS if model in set(toy["model"])]
    for ax, (kind, title) in zip(axes, DISENTANGLEMENT_SCORES.items()):
        for row, model in enumerate(models):
            values = toy.loc[toy["model"].eq(model) & toy["kind"].eq(kind), "number"]
            if len(values):
                colour = benchmark.FAMILY_COLOURS[model]
                marker = benchmark.FAMILY_MARKERS[model]
                rows = np.full(len(values), row)
                ax.plot(values, rows, ".", color=colour, markersize=2, alpha=0.5)
                ax.plot(values.mean(), row, marker, color=colour, markersize=3.5)
        ax.set(title=title, xlim=(-0.04, 1.04), xticks=[0, 0.5, 1], xlabel="score (1 is best)")
        ax.grid(axis="y", linewidth=0.3)
    if models:
        axes[0].set(
            yticks=range(len(models)),
            yticklabels=[LABELS[model] for model in models],
            ylim=(len(models) - 0.5, -0.5),
        )


def draw_beta(axes: Sequence[Axes], fixed: pd.DataFrame) -> None:
    """Draw scores, error and active channels of the LSTM beta-VAE with beta fixed, over this beta.

    Parameters
    ----------
    axes : sequence of Axes
        One for all scores, and one for each of `OVER_BETA`.
    fixed : DataFrame
        The numbers of ``lstm_vae_fixed`` on the toy problem, with beta in column ``value``.
    """
    model = "lstm_vae_fixed"
    colours = style.LATENT_MAP(np.linspace(0, 1, len(DISENTANGLEMENT_SCORES)))
    for (kind, title), colour in zip(DISENTANGLEMENT_SCORES.items(), colours):
        label = title.replace("\n", " ")
        draw_curve(axes[0], fixed[fixed["kind"] == kind], model, colour, label)
    for ax, kind in zip(axes[1:], OVER_BETA):
        draw_curve(ax, fixed[fixed["kind"] == kind], model)
    for ax, label in zip(axes, ("score (1 is best)", *OVER_BETA.values())):
        ax.set(
            xscale="log",
            xlabel="β, fixed (1)",
            ylabel=label,
            title=f"toy, {LABELS[model]}",
        )
    axes[0].legend(*axes[0].get_legend_handles_labels(), loc="upper left", bbox_to_anchor=(1, 1))
    axes[0].set(ylim=(-0.04, 1.04))
    axes[1].set(yscale="log")
    benchmark.label_decades(axes[1].yaxis)
    axes[2].yaxis.set_major_locator(MaxNLocator(integer=True))
    draw_reference(axes[2], COMPONENTS["toy"])


def draw_choice(ax: Axes, active: pd.DataFrame) -> None:
    """Draw how many active channels the schedule left each model, a point a seed.

    Parameters
    ----------
    ax : Axes
    active : DataFrame
        The numbers of active channels of the study on the toy problem.
    """
    for place, model in enumerate(CHOOSING_MODELS):
        values = active.loc[active["model"] == model, "number"]
        if len(values):
            # Side by side, for their counts are often the same.
            places = place + 0.1 * (np.arange(len(values)) - (len(values) - 1) / 2)
            ax.plot(places, values, "o", color=benchmark.FAMILY_COLOURS[model], markersize=3)
    ax.set(
        xticks=range(len(CHOOSING_MODELS)),
        xticklabels=[textwrap.fill(LABELS[model], 13) for model in CHOOSING_MODELS],
        xlim=(-0.5, len(CHOOSING_MODELS) - 0.5),
    )
    ax.set(title="toy, channels that the schedule chose", ylabel="active channels (count)")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    draw_reference(ax, COMPONENTS["toy"])
    ax.margins(y=0.2)
    ax.set_ylim(0)


def draw_twin(axes: Sequence[Axes], twin: pd.DataFrame) -> None:
    """Draw how well the latents give the true maps, and how much noise remains, over the noise.

    Parameters
    ----------
    axes : sequence of Axes
        One for the maps, and one for the error against the clean spectra over the noise.
    twin : DataFrame
        The numbers of the twin, with the noise in column ``value``, in units of the twin's own.
    """
    maps_ax, noise_ax = axes
    draw_over_noise(maps_ax, twin[twin["kind"] == "maps_r2"])
    draw_over_noise(noise_ax, shares_of_noise(twin))
    maps_ax.set(title="twin, maps it was made from", ylabel="R² of boosted trees (1 is best)")
    noise_ax.set(
        title="twin, below 1 noise is removed",
        ylabel="MSE to clean spectra over noise (1)",
        yscale="log",
    )
    benchmark.label_decades(noise_ax.yaxis)
    maps_ax.legend(*maps_ax.get_legend_handles_labels())
    draw_reference(noise_ax, 1)


def shares_of_noise(twin: pd.DataFrame) -> pd.DataFrame:
    """Return the error against the clean spectra over that of the noise, run by run."""
    numbers = twin.set_index(["model", "value", "seed"])
    clean = numbers.loc[numbers["kind"] == "clean_mse", "number"]
    noise = numbers.loc[numbers["kind"] == "noise_mse", "number"]
    return (clean / noise).dropna().reset_index()


def draw_over_noise(ax: Axes, rows: pd.DataFrame) -> None:
    """Draw numbers of every model over the noise of the twin, which is in column ``value``."""
    for model in MODELS:
        draw_curve(ax, rows[rows["model"] == model], model, label=LABELS[model])
    levels = sorted(rows["value"].unique())
    ax.set(
        xscale="log",
        xlabel="noise (times the twin's own)",
        xticks=levels,
        xticklabels=[f"{level:g}" for level in levels],
    )
    ax.xaxis.set_minor_locator(NullLocator())


def draw_curve(
    ax: Axes,
    rows: pd.DataFrame,
    model: str,
    colour: Sequence[float] | None = None,
    label: str | None = None,
) -> None:
    """Draw numbers over the value of a setting, each as a small point, and join their means.

    Parameters
    ----------
    ax : Axes
    rows : DataFrame
        With columns ``value`` and ``number``; nothing is drawn where there are no rows.
    model : str
        It gives the marker of the means, and the colour where there is no other.
    colour : sequence of float, optional
        Red, green, blue and opacity.
    label : str, optional
    """
    if len(rows) == 0:
        return
    if colour is None:
        colour = benchmark.FAMILY_COLOURS[model]
    means = rows.groupby("value")["number"].mean()
    ax.plot(
        means.index,
        means,
        marker=benchmark.FAMILY_MARKERS[model],
        markersize=3,
        color=colour,
        label=label,
    )
    ax.plot(rows["value"], rows["number"], ".", color=colour, markersize=2, alpha=0.5)


def draw_reference(ax: Axes, y: float) -> None:
    """Draw the value to compare with, where there is something to compare."""
    if ax.has_data():
        ax.axhline(y, color="black", linewidth=0.6, linestyle=":")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    return common.script(draw, "disentanglement", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
