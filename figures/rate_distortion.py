"""Rate and distortion: the error on the scan against the number of latents, of a beta-VAE its active channels, for the whole family.

The sweep holds out one fold of blocks; the study, at the paper's number of latents, holds out each in turn.
"""

from __future__ import annotations

import sys

import numpy as np
from matplotlib.ticker import NullLocator

from figures.shared import benchmark as measured
from figures.shared import common, style
from replicate.analysis.residuals import noise_floor
from replicate.data import sources
from replicate.data.scan import CHANNELS
from replicate.study import jobs as study
from replicate.study.family import COMPONENTS, LABELS

DATASET, FOLD = "beps_heldout", 0
ERRORS = {
    "mse": "training pixels",
    "heldout_mse": "held-out blocks",
    "heldout_mse_refined": "held-out blocks,\nbest code",
}
"""What the model is scored on, a row of panels each."""

TICKS = (1, 2, 3, 5, 8, 16)
NOTE = f"Lines: fold {FOLD} held out. Bars: 95 % intervals over all folds. Dotted: noise of the scan. Best code: found by search."


def draw(results, profile, _seed=0):
    """Draw the errors, a row of panels for what is scored, a column for both channels and for each."""
    numbers = measured.load(results, profile)
    rows = numbers[numbers["dataset"].eq(DATASET) & numbers["setting"].isin(["", "latents"])]
    errors = measured.require(with_latents(rows), results, profile, "errors on held-out blocks are")
    floor = noise_floor(sources.load_scan(errors["provenance"].iloc[0]).spectra, len(CHANNELS))
    floors = {"": floor.mean(), **{f"_{name}": value for name, value in zip(CHANNELS, floor)}}
    fig = style.figure(height=6.4)
    block = fig.subfigures()
    axes = block.subplots(len(ERRORS), len(floors), sharex=True, sharey=True)
    for line, (error, scored) in zip(axes, ERRORS.items()):
        for ax, (suffix, noise) in zip(line, floors.items()):
            draw_curves(ax, errors[errors["kind"] == error + suffix])
            ax.axhline(noise, color="black", linewidth=0.8, linestyle=":")
        line[0].set_ylabel(f"MSE, {scored} (z-score²)")
    for ax, name, suffix in zip(axes[0], "abc", floors):
        ax.set_title(suffix[1:] or "both channels")
        style.letter(ax, name)
    for ax in axes[-1]:
        ax.set_xlabel("latents (active channels)")
    axes[0, 0].set(xscale="log", yscale="log", xticks=TICKS, xticklabels=TICKS)
    axes[0, 0].xaxis.set_minor_locator(NullLocator())
    measured.label_decades(axes[0, 0].yaxis)
    block.legend(*axes[1, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    measured.finish(fig, errors, profile, NOTE)
    return fig


def with_latents(rows):
    """Return the rows of errors, and in column ``latents`` how many the model had: active channels of a VAE, components of the others."""
    by_run = rows.set_index(["fit", "seed"])
    active = by_run.loc[by_run["kind"] == "active_channels", "number"].rename("latents")
    errors = rows[rows["kind"].str.contains("mse")].join(active, on=["fit", "seed"])
    return errors.assign(
        latents=errors["latents"].fillna(errors["value"]).fillna(COMPONENTS["beps"])
    )


def draw_curves(ax, errors):
    """Draw one error of every model over the latents: a line of one fold, and an interval over all of them where they were run."""
    for i, model in enumerate(study.MODELS):
        own, look = errors[errors["model"] == model], {"color": measured.COLOURS[model]}
        fold = own[own["seed"] == FOLD].sort_values("latents")
        studied = own[own["setting"] == ""]
        if len(own):
            ax.plot(
                fold["latents"],
                fold["number"],
                marker=measured.MARKERS[model],
                markersize=2.5,
                linewidth=0.7,
                label=LABELS[model],
                **look,
            )
        if len(studied) > 1:
            _, *ends = measured.interval_of(studied["number"])
            # Beside each other, or they would hide each other.
            place = studied["latents"].mean() * np.exp(0.012 * (i - len(study.MODELS) / 2))
            ax.plot([place, place], ends, linewidth=3, alpha=0.5, solid_capstyle="butt", **look)


def main(argv=None):
    """Run the command line."""
    return common.script(draw, "rate_distortion", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
