"""Does a model hold on pixels it never saw? Held-out errors on the scan against the number of spectra fitted to, and fold by fold."""

from __future__ import annotations

import sys

from matplotlib.ticker import NullLocator

from figures.shared import benchmark as measured
from figures.shared import common, style
from replicate.study.family import LABELS, SPECTRA_OF_FOUR_FOLDS
from replicate.study.sweeps import COMPARED

DATASET, FOLD = "beps_heldout", 0
LINES = {"heldout_mse": "-", "heldout_mse_refined": ":"}
"""Of the error by the encoder, and of that with the best code."""

NOTE = (
    f"Folds of spatial blocks, each left out once. a: fold {FOLD}, spectra of the others drawn at random; networks see as many in all.\n"
    "Solid: by the encoder. Dotted, open: the best code that the decoder has for each spectrum, found by search."
)


def draw(results, profile, _seed=0):
    """Draw both panels: errors of one fold over the number of spectra, and errors of every fold."""
    numbers = measured.load(results, profile)
    ours = (
        numbers["dataset"].eq(DATASET)
        & numbers["model"].isin(COMPARED)
        & numbers["kind"].isin(LINES)
    )
    errors = measured.require(
        numbers[ours & numbers["setting"].isin(["", "n_train"])],
        results,
        profile,
        "errors on held-out blocks are",
    )
    fig = style.figure(height=3.6)
    block = fig.subfigures()
    over_spectra, over_folds = block.subplots(1, 2, sharey=True)
    fewer = errors[errors["seed"].eq(FOLD)].assign(
        x=lambda rows: rows["value"].fillna(SPECTRA_OF_FOUR_FOLDS)
    )
    draw_errors(over_spectra, fewer)
    draw_errors(over_folds, errors[errors["setting"].eq("")].assign(x=lambda rows: rows["seed"]))
    ticks = sorted(fewer["x"].astype(int).unique())
    over_spectra.set(xscale="log", yscale="log", xticks=ticks, xticklabels=ticks)
    over_spectra.xaxis.set_minor_locator(NullLocator())
    over_spectra.set(xlabel="spectra fitted to", ylabel="MSE, held-out blocks (z-score²)")
    over_folds.set(xlabel="fold left out", xticks=sorted(errors["seed"].unique()))
    measured.label_decades(over_spectra.yaxis)
    for ax, name, title in zip(
        (over_spectra, over_folds), "ab", ("fewer spectra to learn from", "each fold in turn")
    ):
        ax.set_title(title)
        style.letter(ax, name)
    block.legend(
        *over_folds.get_legend_handles_labels(), loc="outside lower center", ncols=len(COMPARED)
    )
    measured.finish(fig, errors, profile, NOTE, COMPARED)
    return fig


def draw_errors(ax, errors):
    """Draw the errors of every model over column ``x``, in both ways of coding."""
    for model in COMPARED:
        for kind, line in LINES.items():
            own = errors[errors["model"].eq(model) & errors["kind"].eq(kind)].sort_values("x")
            open_marker = (
                {"markerfacecolor": "white", "label": "_"}
                if kind.endswith("refined")
                else {"label": LABELS[model]}
            )
            ax.plot(
                own["x"],
                own["number"],
                line,
                marker="o",
                markersize=3.5,
                linewidth=0.9,
                color=style.COLOURS[model],
                **open_marker,
            )


def main(argv=None):
    """Run the command line."""
    return common.script(draw, "generalisation", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
