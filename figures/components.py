"""How many components pay: PCA's error on pixels fitted to, and predicting blocks left out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from figures.shared import common, style
from replicate.analysis.components import N_FOLDS, PAYS, by_components
from replicate.data import sources
from replicate.running import runs

#: The ticks of the number of components.
TICKS = (1, 2, 3, 5, 8, 12, 16)

NOTE = (
    f"Blocks left out, of {N_FOLDS} folds: every second step is predicted from those between. "
    f"Advised: the last before one that saves less than {100 * PAYS:.0f} %."
)


def draw(results: Path, profile: str, seed: int = 0) -> Figure:
    """Draw the error against the number of components, and what one more of them saves."""
    run = runs.load(results, profile, "beps", "pca", seed)
    provenance = run.record["provenance"]
    scan = sources.load_scan(provenance["spectra"])
    errors = by_components(scan)
    numbers = np.arange(1, len(errors.predicted) + 1)
    fig = style.figure(height=2.7)
    block = fig.subfigures()
    left, right = block.subplots(1, 2)
    left.plot(numbers, errors.fitted.mean(axis=1), color="0.6", label="pixels fitted to")
    left.plot(numbers, errors.predicted.mean(axis=1), color="#0072B2", label="blocks left out")
    left.plot(numbers, errors.predicted, ".", color="#0072B2", markersize=2, alpha=0.6)
    left.set(yscale="log", ylabel="mean squared error (z-score²)")
    saved = 100 * errors.saved
    right.bar(numbers[1:], saved.mean(axis=1), color="#0072B2", alpha=0.5)
    right.plot(numbers[1:], saved, ".", color="#0072B2", markersize=2)
    right.axhline(100 * PAYS, color="black", linewidth=0.5, linestyle=":")
    right.set(ylabel="error that it saves, blocks left out (%)")
    for ax, letter, label in ((left, "a", "components"), (right, "b", "one component more")):
        ax.axvline(errors.advised, color="#D55E00", linewidth=1, label=f"advised: {errors.advised}")
        ax.set(xlabel=label, xticks=TICKS)
        style.letter(ax, letter)
    left.legend(loc="upper right", framealpha=0.9)
    style.note(fig, NOTE)
    style.stamp(fig, provenance.values(), profile, seed)
    return fig


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the figure as the command line asks."""
    return common.script(draw, "components", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
