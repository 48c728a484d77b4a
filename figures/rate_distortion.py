"""Rate and distortion: the error on the scan against the number of latents, for the whole family.

Of a beta-VAE the active channels count. The sweep holds out one fold of blocks; the study, at the
paper's number of latents, holds out each in turn.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from figures.shared import benchmark, common, style
from replicate.analysis.residuals import noise_floor
from replicate.data import sources
from replicate.data.scan import CHANNELS
from replicate.study.family import COMPONENTS, LABELS, MODELS

#: The data set whose errors are drawn.
DATASET = "beps_heldout"

#: The fold that the sweep over the number of latents leaves out.
FOLD = 0

#: The errors that are drawn, a row of panels each, and the spectra that the model is scored on.
SCORED_ON = {
    "mse": "training pixels",
    "heldout_mse": "held-out blocks",
    "heldout_mse_refined": "held-out blocks,\nbest code",
}

#: The ticks of the number of latents.
LATENT_TICKS = (1, 2, 3, 5, 8, 16)

NOTE = (
    f"Lines: fold {FOLD} held out. Bars: 95 % intervals over all folds. "
    "Dotted: noise of the scan. Best code: found by search."
)


def draw(results: Path, profile: str, _seed: int = 0) -> Figure:
    """Draw the errors, a row of panels an error, a column for both channels and for each."""
    numbers = benchmark.load(results, profile)
    rows = numbers[numbers["dataset"].eq(DATASET) & numbers["setting"].isin(["", "latents"])]
    errors = benchmark.require(
        with_latents(rows), results, profile, "errors on held-out blocks are"
    )
    floors = noise_floors(errors["provenance"].iloc[0])
    fig = style.figure(height=6.4)
    block = fig.subfigures()
    axes = block.subplots(len(SCORED_ON), len(floors), sharex=True, sharey=True)
    for panels, (error, scored_on) in zip(axes, SCORED_ON.items()):
        for ax, (suffix, noise) in zip(panels, floors.items()):
            draw_curves(ax, errors[errors["kind"] == error + suffix])
            ax.axhline(noise, color="black", linewidth=0.8, linestyle=":")
        panels[0].set_ylabel(f"MSE, {scored_on} (z-score²)")
    for ax, letter, title in zip(axes[0], "abc", ("both channels", *CHANNELS)):
        ax.set_title(title)
        style.letter(ax, letter)
    for ax in axes[-1]:
        ax.set_xlabel("latents (active channels)")
    axes[0, 0].set(xscale="log", yscale="log", xticks=LATENT_TICKS, xticklabels=LATENT_TICKS)
    axes[0, 0].xaxis.set_minor_locator(NullLocator())
    benchmark.label_decades(axes[0, 0].yaxis)
    block.legend(*axes[1, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    benchmark.finish(fig, errors, profile, NOTE)
    return fig


def noise_floors(provenance: str) -> dict[str, float]:
    """Return the error that the noise of a scan makes, in z-score².

    Returns
    -------
    dict of str to float
        By the suffix that the kind of an error has: empty for the mean over both channels,
        ``_piezoresponse`` and ``_resonance`` for each of them.
    """
    by_channel = noise_floor(sources.load_scan(provenance).spectra, len(CHANNELS))
    floors = {"": by_channel.mean()}
    for name, floor in zip(CHANNELS, by_channel):
        floors[f"_{name}"] = floor
    return floors


def with_latents(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of errors, with the number of latents of the model in column ``latents``.

    It is the number of active channels of a VAE, and the number of components of other models.
    """
    by_run = rows.set_index(["fit", "seed"])
    active = by_run.loc[by_run["kind"] == "active_channels", "number"].rename("latents")
    errors = rows[rows["kind"].str.contains("mse")].join(active, on=["fit", "seed"])
    # The value of a sweep is the number of latents; a row of the study has none.
    latents = errors["latents"].fillna(errors["value"]).fillna(COMPONENTS["beps"])
    return errors.assign(latents=latents)


def draw_curves(ax: Axes, errors: pd.DataFrame) -> None:
    """Draw one error of every model over the number of latents.

    A line joins the errors of one fold. A bar is the interval over all folds, where all were run.
    """
    for i, model in enumerate(MODELS):
        of_model = errors[errors["model"] == model]
        colour = benchmark.FAMILY_COLOURS[model]
        if len(of_model):
            of_fold = of_model[of_model["seed"] == FOLD].sort_values("latents")
            ax.plot(
                of_fold["latents"],
                of_fold["number"],
                marker=benchmark.FAMILY_MARKERS[model],
                markersize=2.5,
                linewidth=0.7,
                label=LABELS[model],
                color=colour,
            )
        of_study = of_model[of_model["setting"] == ""]
        if len(of_study) > 1:
            _, low, high = benchmark.mean_and_interval(of_study["number"])
            # Beside each other, or they would hide each other.
            place = of_study["latents"].mean() * np.exp(0.012 * (i - len(MODELS) / 2))
            ax.plot(
                [place, place],
                [low, high],
                linewidth=3,
                alpha=0.5,
                solid_capstyle="butt",
                color=colour,
            )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    return common.script(draw, "rate_distortion", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
