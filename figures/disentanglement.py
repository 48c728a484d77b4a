"""Disentanglement where the truth is known: R, G and B of the toy problem, the maps and the clean spectra of the simulated twin."""

from __future__ import annotations

import sys
import textwrap

import numpy as np
from matplotlib.ticker import MaxNLocator, NullLocator

from figures.shared import benchmark as measured
from figures.shared import common, style
from replicate.study import jobs as study
from replicate.study.family import COMPONENTS, FIXED_BETA, LABELS

SCORES = {
    "mig": "MIG",
    "sap": "SAP",
    "dci_disentanglement": "DCI,\ndisentanglement",
    "dci_completeness": "DCI,\ncompleteness",
    "dci_informativeness": "DCI,\ninformativeness",
    "factors_r2": "R², boosted trees",
}
"""Of the latents in use, for R, G and B; 1 is best."""

AGAINST_BETA = {
    "gamut_mse": "MSE, fresh colours (z-score²)",
    "active_channels": "active channels (count)",
}
CHOOSING = ("conv_vae", "dense_vae", "lstm_vae")
"""Models whose schedule looks for as many active channels as there are factors."""

OF_TWIN = ("maps_r2", "clean_mse", "noise_mse")
NOTE = (
    "Small points: seeds. Lines and large points: their mean. Dotted: three true colours; as much error as noise. "
    "Twin: ratio on held-out blocks, maps on all pixels."
)


def draw(results, profile, _seed=0):
    """Draw what the latents of the family tell of the truth, on the toy problem and on the twin."""
    numbers = measured.load(results, profile)
    of_toy = (
        numbers["dataset"].eq("toy")
        & numbers["setting"].isin(["", "beta"])
        & numbers["kind"].isin([*SCORES, *AGAINST_BETA])
    )
    of_twin = (
        numbers["dataset"].eq("twin")
        & numbers["setting"].isin(["", "noise"])
        & numbers["kind"].isin(OF_TWIN)
    )
    measured.require(
        numbers[of_twin | (of_toy & numbers["kind"].isin(SCORES))],
        results,
        profile,
        "scores of disentanglement are",
    )
    toy, twin = numbers[of_toy], numbers[of_twin].fillna({"value": 1})
    fig = style.figure(height=6.8)
    above, *blocks = fig.subfigures(3, 1, height_ratios=[1.3, 1, 1])
    scores, beta, (choice, *of_truth) = (
        above.subplots(1, len(SCORES), sharey=True),
        *(block.subplots(1, 3) for block in blocks),
    )
    draw_scores(scores, toy[toy["setting"] == ""])
    above.suptitle(
        "toy, R, G and B from the latents in use. MIG: mutual information gap. SAP: separated attribute predictability"
    )
    draw_beta(beta, toy[toy["model"] == "lstm_vae_fixed"].fillna({"value": FIXED_BETA}))
    draw_choice(
        choice,
        toy[
            toy["setting"].eq("") & toy["kind"].eq("active_channels") & toy["model"].isin(CHOOSING)
        ],
    )
    draw_twin(of_truth, twin)
    for ax, name in zip((scores[0], beta[0], choice, of_truth[0]), "abcd"):
        style.letter(ax, name)
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
    measured.finish(fig, numbers[of_toy | of_twin], profile, NOTE)
    return fig


def draw_scores(axes, toy):
    """Draw the scores of every model, a panel each and a row a model."""
    models = [model for model in study.MODELS if model in set(toy["model"])]
    for ax, (kind, title) in zip(axes, SCORES.items()):
        for row, model in enumerate(models):
            values = toy.loc[toy["model"].eq(model) & toy["kind"].eq(kind), "number"]
            if len(values):
                ax.plot(
                    values,
                    np.full(len(values), row),
                    ".",
                    color=measured.COLOURS[model],
                    markersize=2,
                    alpha=0.5,
                )
                ax.plot(
                    values.mean(),
                    row,
                    measured.MARKERS[model],
                    color=measured.COLOURS[model],
                    markersize=3.5,
                )
        ax.set(title=title, xlim=(-0.04, 1.04), xticks=[0, 0.5, 1], xlabel="score (1 is best)")
        ax.grid(axis="y", linewidth=0.3)
    if models:
        axes[0].set(
            yticks=range(len(models)),
            yticklabels=[LABELS[model] for model in models],
            ylim=(len(models) - 0.5, -0.5),
        )


def draw_beta(axes, fixed):
    """Draw scores, error and active channels of the LSTM beta-VAE over the one beta that it is trained at."""
    colours = style.LATENT_MAP(np.linspace(0, 1, len(SCORES)))
    for (kind, title), colour in zip(SCORES.items(), colours):
        draw_curve(
            axes[0],
            fixed[fixed["kind"] == kind],
            "lstm_vae_fixed",
            colour,
            title.replace("\n", " "),
        )
    for ax, kind in zip(axes[1:], AGAINST_BETA):
        draw_curve(ax, fixed[fixed["kind"] == kind], "lstm_vae_fixed")
    for ax, label in zip(axes, ("score (1 is best)", *AGAINST_BETA.values())):
        ax.set(
            xscale="log",
            xlabel="β, fixed (1)",
            ylabel=label,
            title=f"toy, {LABELS['lstm_vae_fixed']}",
        )
    axes[0].legend(*axes[0].get_legend_handles_labels(), loc="upper left", bbox_to_anchor=(1, 1))
    axes[0].set(ylim=(-0.04, 1.04))
    axes[1].set(yscale="log")
    measured.label_decades(axes[1].yaxis)
    axes[2].yaxis.set_major_locator(MaxNLocator(integer=True))
    draw_reference(axes[2], COMPONENTS["toy"])


def draw_choice(ax, active):
    """Draw how many active channels the schedule left each model, a point a seed."""
    for place, model in enumerate(CHOOSING):
        values = active.loc[active["model"] == model, "number"]
        if len(values):
            # Side by side, for their counts are often the same.
            places = place + 0.1 * (np.arange(len(values)) - (len(values) - 1) / 2)
            ax.plot(places, values, "o", color=measured.COLOURS[model], markersize=3)
    names = [textwrap.fill(LABELS[model], 13) for model in CHOOSING]
    ax.set(xticks=range(len(CHOOSING)), xticklabels=names, xlim=(-0.5, len(CHOOSING) - 0.5))
    ax.set(title="toy, channels that the schedule chose", ylabel="active channels (count)")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    draw_reference(ax, COMPONENTS["toy"])
    ax.margins(y=0.2)
    ax.set_ylim(0)


def draw_twin(axes, twin):
    """Draw how much of the true maps the latents tell, and the error against the clean spectra over the noise, as the noise grows."""
    runs = twin.set_index(["model", "value", "seed"])
    clean, noise = (runs.loc[runs["kind"] == kind, "number"] for kind in ("clean_mse", "noise_mse"))
    shares = (clean / noise).dropna().reset_index()
    for ax, rows in zip(axes, (twin[twin["kind"] == "maps_r2"], shares)):
        for model in study.MODELS:
            draw_curve(ax, rows[rows["model"] == model], model, label=LABELS[model])
        levels = sorted(rows["value"].unique())
        ax.set(
            xscale="log",
            xlabel="noise (times the twin's own)",
            xticks=levels,
            xticklabels=[f"{level:g}" for level in levels],
        )
        ax.xaxis.set_minor_locator(NullLocator())
    axes[0].set(title="twin, maps it was made from", ylabel="R² of boosted trees (1 is best)")
    axes[1].set(
        title="twin, below 1 noise is removed",
        ylabel="MSE to clean spectra over noise (1)",
        yscale="log",
    )
    measured.label_decades(axes[1].yaxis)
    axes[0].legend(*axes[0].get_legend_handles_labels())
    draw_reference(axes[1], 1)


def draw_curve(ax, rows, model, colour=None, label=None):
    """Draw numbers over the value of a setting: each as a small point, and a line through their means."""
    if len(rows):
        colour = measured.COLOURS[model] if colour is None else colour
        means = rows.groupby("value")["number"].mean()
        ax.plot(
            means.index,
            means,
            marker=measured.MARKERS[model],
            markersize=3,
            color=colour,
            label=label,
        )
        ax.plot(rows["value"], rows["number"], ".", color=colour, markersize=2, alpha=0.5)


def draw_reference(ax, y):
    """Draw the value to compare with, where there is something to compare."""
    if ax.has_data():
        ax.axhline(y, color="black", linewidth=0.6, linestyle=":")


def main(argv=None):
    """Run the command line."""
    return common.script(draw, "disentanglement", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
