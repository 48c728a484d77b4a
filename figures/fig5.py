"""Figure 5: maps of three latents and the spectra generated along each, from dictionary learning (a-c) and the VAE (d-f)."""

from __future__ import annotations

import sys

from matplotlib.colors import Normalize

from figures.shared import common, style
from replicate.analysis.latents import NEIGHBOURS
from replicate.data import sources


def draw(results, profile, seed=0):
    """Draw what the models have learnt of the scan."""
    loaded, provenance = common.load(
        results, profile, "beps", seed, models=("dictionary_learning", "lstm_vae")
    )
    scan = sources.load_scan(provenance["spectra"])
    # More channels than two need the whole width for each model.
    rows = 1 if scan.n_channels < 3 else 2
    fig = style.figure(height=4.6 * rows)
    for block, (model, run), letters in zip(
        fig.subfigures(rows, 2 // rows), loaded.items(), ("abc", "def")
    ):
        draw_model(block, model, run, scan, letters)
    style.note(fig, note(scan))
    style.stamp(fig, provenance.values(), profile, seed)
    return fig


def note(scan):
    """Say what generated spectra of a scan are drawn with."""
    text = f"Lines: colours as in the map; other latents are the mean of the {min(NEIGHBOURS, len(scan.spectra))} nearest pixels. "
    return text + common.alignment_note(scan)


def draw_model(block, model, run, scan, letters):
    """Draw the three most important latents of a model, one a row."""
    block.suptitle(style.title(model, run.record))
    axes = block.subplots(3, 1 + scan.n_channels, width_ratios=(1.2, *[1] * scan.n_channels))
    for (i, row), name in zip(enumerate(axes), letters):
        if i < len(run.arrays["components"]):
            draw_latent(block, row, run, scan, i, style.LATENT_NAMES[model])
        else:
            for ax in row:
                ax.axis("off")
        style.letter(row[0], name)


def draw_latent(block, row, run, scan, i, label):
    """Draw the map of the i-th latent shown, and every channel of its generated spectra."""
    component = run.arrays["components"][i]
    values = scan.map(run.arrays["latents"][:, component])
    norm = Normalize(**style.limits(values, percent=0))
    image = style.scan_map(row[0], values, scan.size_um, norm=norm)
    row[0].set_title(f"component {component}")
    for value, spectrum in zip(
        run.arrays["generated_values"][i], scan.align(run.arrays["generated"][i])
    ):
        for ax, channel in zip(row[1:], spectrum):
            common.loop(ax, scan, channel, color=style.LATENT_MAP(norm(value)))
    for ax, name, unit in zip(row[1:], scan.channels, scan.units):
        ax.set(xlabel="voltage (V)", ylabel=f"{name} ({unit})")
    style.colour_bar(block, image, row[-1], label)


def main(argv=None):
    """Run the command line."""
    return common.script(draw, "fig5", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
