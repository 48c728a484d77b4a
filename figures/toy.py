"""Figure 1: spectra generated across the colours (a-c), and the picture whose colours the models are validated on (d)."""

from __future__ import annotations

import sys

import numpy as np

from figures.shared import common, style
from replicate.data import sources, toy

CHANNELS = ("R", "G", "B")
N_LINES = 11


def draw(results, profile, seed=0):
    """Draw the toy problem on the picture that the stored runs were scored on."""
    _, provenance = common.load(results, profile, "toy", seed, models=("pca",))
    fig = style.figure(height=2.2)
    axes = fig.subplot_mosaic("abcd")
    for i, ax in enumerate(axes[name] for name in "abc"):
        draw_spectra(ax, i)
    axes["a"].set_ylabel("f (a.u.)")
    picture = sources.load_picture(provenance["picture"])
    style.picture(axes["d"], common.thinned(picture.expand(picture.colours)))
    axes["d"].set_title("picture")
    for name, ax in axes.items():
        style.letter(ax, name)
    style.note(
        fig,
        "a–c: each line has the colour its spectrum is generated from. d: each pixel is turned into such a spectrum.",
    )
    style.stamp(fig, provenance.values(), profile, seed)
    return fig


def draw_spectra(ax, channel):
    """Draw spectra while one channel of the colour goes from 0 to 1 and the others stay at 0.5."""
    colours = np.full((N_LINES, 3), 0.5)
    colours[:, channel] = np.linspace(0, 1, N_LINES)
    for colour, spectrum in zip(colours, toy.spectra(colours)):
        ax.plot(toy.timesteps(), spectrum, color=colour)
    fixed = " = ".join(CHANNELS[:channel] + CHANNELS[channel + 1 :])
    ax.set(
        title=f"{CHANNELS[channel]} from 0 to 1, {fixed} = 0.5",
        xlabel="time step t (a.u.)",
        ylim=(-2, 3.5),
    )


def main(argv=None):
    """Run the command line."""
    return common.script(draw, "toy", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
