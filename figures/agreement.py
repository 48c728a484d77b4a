"""Which descriptors of the loops a model keeps (ours; not in the paper).

The descriptors of its reconstructions are compared with those of the data, pixel by pixel.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from figures.shared import common, style
from figures.supplement_scan import draw_table
from replicate.analysis.loops import DESCRIPTORS, describe_spectra
from replicate.analysis.mechanism import agree
from replicate.data import sources
from replicate.data.scan import Scan
from replicate.study.family import LABELS

#: The models that are compared: those that the benchmark fits to all pixels of the scan.
COMPARED_MODELS = ("pca", "dictionary_learning", "dense_vae", "lstm_vae_plain", "lstm_vae")

#: The label of each measure, and the ends at which its values may go beyond the colours.
MEASURES = {
    "correlation": ("correlation over the pixels (1)", "neither"),
    "bias": ("bias, over the spread of the data (1)", "both"),
}

NOTE = "Models fitted to all pixels. Bias: mean of model less data. Loops of the data that switch. "


def draw(results: Path, profile: str, seed: int = 0) -> Figure:
    """Draw the correlation and the bias of every descriptor, a row each and a column a model."""
    runs, provenance = common.load(results, profile, "beps", seed, COMPARED_MODELS)
    scan = sources.load_scan(provenance["spectra"])
    reconstructions = {model: run.arrays["reconstructions"] for model, run in runs.items()}
    tables = agreements(scan, reconstructions)
    fig = style.figure(height=4.2)
    axes = fig.subplots(1, len(MEASURES), sharey=True)
    for ax, name, (measure, (label, beyond)) in zip(axes, "ab", MEASURES.items()):
        scale = ScalarMappable(Normalize(-1, 1), "RdBu_r")
        draw_table(ax, tables[measure], scale)
        ax.set_xticks(range(len(runs)), [textwrap.fill(LABELS[model], 11) for model in runs])
        style.letter(ax, name)
        bar = style.colour_bar(fig, scale, ax, label, location="bottom", shrink=0.8, extend=beyond)
        bar.set_ticks((-1, 0, 1))
    labels = [DESCRIPTORS[name].label for name in tables["names"]]
    axes[0].set_yticks(range(len(labels)), labels)
    style.note(fig, NOTE + common.alignment_note(scan))
    style.stamp(fig, provenance.values(), profile, seed)
    return fig


def agreements(scan: Scan, reconstructions: dict[str, np.ndarray]) -> dict:
    """Compare descriptors of reconstructions with those of a scan.

    Parameters
    ----------
    scan : Scan
    reconstructions : dict of str to ndarray, each of shape (n_pixels, n_channels * n_steps)
        By model.

    Returns
    -------
    dict
        ``names`` of the descriptors; ``correlation`` and ``bias``, each of shape
        (n_descriptors, n_models). The bias is in units of the standard deviation of the descriptor
        over the pixels.
    """
    data, switches = describe_spectra(scan, scan.spectra)
    correlation = np.empty((len(data), len(reconstructions)))
    bias = np.empty_like(correlation)
    for column, spectra in enumerate(reconstructions.values()):
        reconstructed, _ = describe_spectra(scan, spectra)
        comparison = agree(data, reconstructed, switches)
        for row, name in enumerate(data):
            correlation[row, column] = comparison[name].correlation
            bias[row, column] = comparison[name].bias
    spread = np.array([values[switches].std() for values in data.values()])
    # What is the same everywhere has no spread, and stays in its unit.
    spread[spread == 0] = 1
    return {"names": list(data), "correlation": correlation, "bias": bias / spread[:, None]}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    return common.script(draw, "agreement", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
