"""Figure 5: maps of three latents, and the spectra generated along each of them.

Dictionary learning (a-c) and the VAE (d-f), both on the scan.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure

from figures.shared import common, scan_units, style
from replicate.analysis.latents import NEIGHBOURS
from replicate.data import sources
from replicate.data.scan import Scan
from replicate.running.runs import Run

#: The letters of the rows of each model.
ROW_LETTERS = {"dictionary_learning": "abc", "lstm_vae": "def"}


def draw(results: Path, profile: str, seed: int = 0) -> Figure:
    """Draw what the latents of both models stand for on the scan."""
    runs, provenance = common.load(results, profile, "beps", seed, models=list(ROW_LETTERS))
    scan = sources.load_scan(provenance["spectra"])
    # More channels than two need the whole width for each model.
    n_rows = 1 if scan.n_channels < 3 else 2
    fig = style.figure(height=4.6 * n_rows)
    blocks = fig.subfigures(n_rows, 2 // n_rows)
    for block, (model, letters) in zip(blocks, ROW_LETTERS.items()):
        draw_model(block, model, runs[model], scan, letters)
    style.note(fig, note(scan))
    style.stamp(fig, provenance.values(), profile, seed)
    return fig


def note(scan: Scan) -> str:
    """Return the note on how the generated spectra of a scan are made and drawn."""
    n_neighbours = min(NEIGHBOURS, len(scan.spectra))
    return (
        "Lines: colours as in the map, which grows with the size of the loops; "
        f"other latents are the mean of the {n_neighbours} nearest pixels. "
        f"{common.alignment_note(scan)}"
    )


def draw_model(block: SubFigure, model: str, run: Run, scan: Scan, letters: str) -> None:
    """Draw the three most important latents of a model, one a row."""
    block.suptitle(style.model_title(model, run.record))
    axes = block.subplots(3, 1 + scan.n_channels, width_ratios=(1.2, *[1] * scan.n_channels))
    for i, (row, name) in enumerate(zip(axes, letters)):
        if i < len(run.arrays["components"]):
            draw_latent(block, row, run, scan, i, style.LATENT_NAMES[model])
        else:
            for ax in row:
                ax.axis("off")
        style.letter(row[0], name)


def draw_latent(
    block: Figure | SubFigure, row: Sequence[Axes], run: Run, scan: Scan, i: int, label: str
) -> None:
    """Draw the map of one latent, and every channel of the spectra generated along it.

    Parameters
    ----------
    block : Figure or SubFigure
    row : sequence of Axes
        One for the map, and one for each channel.
    run : Run
    scan : Scan
    i : int
        The rank of the latent among the important ones; 0 is the most important.
    label : str
        The label of the colour bar.
    """
    component = run.arrays["components"][i]
    sign = common.sign(run, scan, component)
    values = scan.map(sign * run.arrays["latents"][:, component])
    norm = Normalize(**style.limits(values, percent=0))
    image = style.scan_map(row[0], values, scan.size_um, norm=norm)
    row[0].set_title(f"component {component}")
    generated = scan.align(run.arrays["generated"][i])
    for value, spectrum in zip(run.arrays["generated_values"][i], generated):
        for channel, ax in enumerate(row[1:]):
            values = scan_units.in_unit(scan, channel, spectrum[channel])
            common.draw_loop(ax, scan, values, color=style.LATENT_MAP(norm(sign * value)))
    for channel, ax in enumerate(row[1:]):
        unit = scan_units.unit_of(scan, channel)
        ax.set(xlabel="voltage (V)", ylabel=f"{scan.channels[channel]} ({unit})")
    style.colour_bar(block, image, row[-1], label)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    return common.script(draw, "fig5", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
