"""Which descriptors of the loops does a model keep? Its reconstructions against the data, pixel by pixel (not in the paper)."""

from __future__ import annotations

import sys
import textwrap

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from figures.shared import common, style
from figures.supplement_scan import draw_table
from replicate.analysis.loops import DESCRIPTORS, describe_spectra
from replicate.analysis.mechanism import agree
from replicate.data import sources
from replicate.study.family import LABELS

MODELS = ("pca", "dictionary_learning", "dense_vae", "lstm_vae_plain", "lstm_vae")
SCORES = {
    "correlation": ("correlation over the pixels (1)", "neither"),
    "bias": ("bias, over the spread of the data (1)", "both"),
}
"""What is compared: its label, and on which ends its values may go beyond the colours."""


def draw(results, profile, seed=0):
    """Draw the correlation and the bias of every descriptor, a row each, for models fitted to all pixels, a column each."""
    loaded, provenance = common.load(results, profile, "beps", seed, MODELS)
    scan = sources.load_scan(provenance["spectra"])
    tables = agreements(
        scan, {model: run.arrays["reconstructions"] for model, run in loaded.items()}
    )
    fig = style.figure(height=4.2)
    axes = fig.subplots(1, len(SCORES), sharey=True)
    for ax, name, (score, (label, beyond)) in zip(axes, "ab", SCORES.items()):
        scale = ScalarMappable(Normalize(-1, 1), "RdBu_r")
        draw_table(ax, tables[score], scale)
        ax.set_xticks(range(len(loaded)), [textwrap.fill(LABELS[model], 11) for model in loaded])
        style.letter(ax, name)
        style.colour_bar(
            fig, scale, ax, label, location="bottom", shrink=0.8, extend=beyond
        ).set_ticks((-1, 0, 1))
    axes[0].set_yticks(
        range(len(tables["names"])), [DESCRIPTORS[name].label for name in tables["names"]]
    )
    note = "Models fitted to all pixels. Bias: mean of model less data. Loops of the data that switch. "
    style.note(fig, note + common.alignment_note(scan))
    style.stamp(fig, provenance.values(), profile, seed)
    return fig


def agreements(scan, reconstructions):
    """Compare descriptors of reconstructions with those of a scan.

    Parameters
    ----------
    scan : Scan
    reconstructions : dict of str to ndarray, each of shape (n_pixels, n_channels * n_steps)
        By model.

    Returns
    -------
    dict
        ``names`` of the descriptors; ``correlation`` and ``bias``, each of shape (n_descriptors, n_models), the latter over the standard
        deviation of the descriptor over the pixels.
    """
    data, switches = describe_spectra(scan, scan.spectra)
    found = [
        agree(data, describe_spectra(scan, spectra)[0], switches)
        for spectra in reconstructions.values()
    ]
    spread = np.array([values[switches].std() for values in data.values()])
    # What is the same everywhere has no spread, and stays in its unit.
    spread[spread == 0] = 1
    columns = {
        score: np.array([[getattr(own[name], score) for own in found] for name in data])
        for score in SCORES
    }
    return {
        "names": list(data),
        "correlation": columns["correlation"],
        "bias": columns["bias"] / spread[:, None],
    }


def main(argv=None):
    """Run the command line."""
    return common.script(draw, "agreement", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
