"""Figure 1: the toy problem.

Spectra generated across the colours (a-c), and the picture whose colours the models are validated
on (d).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.shared import common, style
from replicate.data import sources, toy

#: The channels of a colour, in the order of their columns.
COLOUR_CHANNELS = ("R", "G", "B")

#: How many spectra are drawn in a panel.
N_LINES = 11


def draw(results: Path, profile: str, seed: int = 0) -> Figure:
    """Draw the toy problem on the picture that the stored runs were scored on."""
    _, provenance = common.load(results, profile, "toy", seed, models=("pca",))
    fig = style.figure(height=2.2)
    axes = fig.subplot_mosaic("abcd")
    for channel, name in enumerate("abc"):
        draw_spectra(axes[name], channel)
    axes["a"].set_ylabel("f (a.u.)")
    picture = sources.load_picture(provenance["picture"])
    style.picture(axes["d"], common.thinned(picture.expand(picture.colours)))
    axes["d"].set_title("picture")
    for name, ax in axes.items():
        style.letter(ax, name)
    style.note(
        fig,
        "a–c: each line has the colour its spectrum is generated from. "
        "d: each pixel is turned into such a spectrum.",
    )
    style.stamp(fig, provenance.values(), profile, seed)
    return fig


def draw_spectra(ax: Axes, channel: int) -> None:
    """Draw spectra while one channel of the colour goes from 0 to 1 and the others stay at 0.5."""
    colours = np.full((N_LINES, 3), 0.5)
    colours[:, channel] = np.linspace(0, 1, N_LINES)
    for colour, spectrum in zip(colours, toy.spectra(colours)):
        ax.plot(toy.timesteps(), spectrum, color=colour)
    changed = COLOUR_CHANNELS[channel]
    fixed = " = ".join(name for name in COLOUR_CHANNELS if name != changed)
    ax.set(
        title=f"{changed} from 0 to 1, {fixed} = 0.5",
        xlabel="time step t (a.u.)",
        ylim=(-2, 3.5),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    return common.script(draw, "toy", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
