"""How well a model holds on pixels that it never saw.

Held-out errors on the scan against the number of spectra fitted to (a), and fold by fold (b).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from figures.shared import benchmark, common, style
from replicate.study.family import LABELS, SPECTRA_OF_FOUR_FOLDS
from replicate.study.sweeps import COMPARED

#: The data set whose errors are drawn.
DATASET = "beps_heldout"

#: The fold that the sweep over the number of spectra leaves out.
FOLD = 0

#: The error with the latents of the encoder, which is drawn solid.
ENCODER_ERROR = "heldout_mse"

#: The error with the best code that the decoder has, which is drawn dotted and open.
BEST_CODE_ERROR = "heldout_mse_refined"

NOTE = (
    f"Folds of spatial blocks, each left out once. a: fold {FOLD}, spectra of the others drawn at "
    "random; networks see as many in all.\n"
    "Solid: by the encoder. Dotted, open: the best code that the decoder has for each spectrum, "
    "found by search."
)


def draw(results: Path, profile: str, _seed: int = 0) -> Figure:
    """Draw errors of one fold over the number of spectra, and errors of every fold."""
    numbers = benchmark.load(results, profile)
    errors = benchmark.require(
        numbers[
            numbers["dataset"].eq(DATASET)
            & numbers["model"].isin(COMPARED)
            & numbers["kind"].isin([ENCODER_ERROR, BEST_CODE_ERROR])
            & numbers["setting"].isin(["", "n_train"])
        ],
        results,
        profile,
        "errors on held-out blocks are",
    )
    of_one_fold = errors[errors["seed"] == FOLD]
    n_spectra = of_one_fold["value"].fillna(SPECTRA_OF_FOUR_FOLDS)
    of_study = errors[errors["setting"] == ""]
    fig = style.figure(height=3.6)
    block = fig.subfigures()
    over_spectra, over_folds = block.subplots(1, 2, sharey=True)
    draw_errors(over_spectra, of_one_fold.assign(x=n_spectra))
    draw_errors(over_folds, of_study.assign(x=of_study["seed"]))
    ticks = sorted(n_spectra.astype(int).unique())
    over_spectra.set(xscale="log", yscale="log", xticks=ticks, xticklabels=ticks)
    over_spectra.xaxis.set_minor_locator(NullLocator())
    over_spectra.set(xlabel="spectra fitted to", ylabel="MSE, held-out blocks (z-score²)")
    over_folds.set(xlabel="fold left out", xticks=sorted(errors["seed"].unique()))
    benchmark.label_decades(over_spectra.yaxis)
    over_spectra.set_title("fewer spectra to learn from")
    style.letter(over_spectra, "a")
    over_folds.set_title("each fold in turn")
    style.letter(over_folds, "b")
    block.legend(
        *over_folds.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=len(COMPARED),
    )
    benchmark.finish(fig, errors, profile, NOTE, COMPARED)
    return fig


def draw_errors(ax: Axes, errors: pd.DataFrame) -> None:
    """Draw the errors of every model over column ``x``, by the encoder and with the best code."""
    for model in COMPARED:
        of_model = errors[errors["model"] == model]
        by_encoder = of_model[of_model["kind"] == ENCODER_ERROR].sort_values("x")
        best_code = of_model[of_model["kind"] == BEST_CODE_ERROR].sort_values("x")
        look = {
            "marker": "o",
            "markersize": 3.5,
            "linewidth": 0.9,
            "color": style.MODEL_COLOURS[model],
        }
        ax.plot(by_encoder["x"], by_encoder["number"], "-", label=LABELS[model], **look)
        ax.plot(
            best_code["x"],
            best_code["number"],
            ":",
            markerfacecolor="white",
            label="_",
            **look,
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    return common.script(draw, "generalisation", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
