"""Figure 1: spectra generated across the colours (a-c), and the picture whose colours the models are validated on (d)."""

from __future__ import annotations

import sys

import common
import numpy as np

from replicate import sources, style
from replicate.data import toy

VARIED = ("R", "G", "B")


def draw(results, profile, seed=0):
    """Draw the toy problem on the picture that the stored runs were scored on."""
    _, provenance = common.load(results, profile, "toy", seed, models=("pca",))
    fig = style.figure(height=2.1)
    axes = fig.subplot_mosaic("abcd", width_ratios=(1, 1, 1, 0.95))
    for i, (ax, name) in enumerate(zip(axes.values(), VARIED)):
        spectra_of_colour(ax, i, name)
    axes["a"].set_ylabel("f(t, R, G, B), arbitrary units")
    painting = sources.load_picture(provenance["picture"])
    style.picture(axes["d"], painting.expand(painting.colours)[::4, ::4])
    axes["d"].set_title("picture: one spectrum a pixel")
    for name, ax in axes.items():
        style.letter(ax, name)
    style.stamp(fig, provenance.values(), profile, seed)
    return fig


def spectra_of_colour(ax, channel, name, n=11):
    """Draw spectra while one colour channel goes from 0 to 1, the others staying at 0.5, each line in its colour."""
    colours = np.full((n, 3), 0.5)
    colours[:, channel] = np.linspace(0, 1, n)
    for colour, spectrum in zip(colours, toy.spectra(colours)):
        ax.plot(toy.timesteps(), spectrum, color=colour)
    fixed = " = ".join(other for other in VARIED if other != name)
    ax.set(title=f"{name} from 0 to 1, {fixed} = 0.5", xlabel="time step t, dimensionless", ylim=(-3.3, 3.6))


def main(argv=None):
    """Run the command line."""
    return common.script(draw, "toy", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
