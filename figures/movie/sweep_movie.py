"""Movies S1, S3, S4 and S6: spectra generated while each latent goes over its range.

Each column of a frame is one latent, swept there and back by itself: its map, and the spectrum that the model decodes, over the mean of the
data in which the latent has about that value.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.colors import Normalize

from figures.shared import stored_models, style
from replicate.analysis.latents import NEIGHBOURS, generate, nearest
from replicate.errors import ReplicationError

RATE = 20
"""Frames a second."""

N_VALUES = 48
"""Of a latent, from one end of its range to the other; a frame each, there and back."""

EVERY = 6
"""Every how many of these a faint line stays."""


class Sweep(NamedTuple):
    """One latent over its range: values (n_values,); spectra decoded, and of the data nearest, (n_values, n_channels, n_steps)."""

    values: np.ndarray
    decoded: np.ndarray
    nearest: np.ndarray


def draw(run, subject, model):
    """Draw what stays of the movie of one run; return figure, moves and numbers of the frames, as `film.frames` takes them.

    Raises
    ------
    ReplicationError
        If the weights of the run are of another, or no latent is in use.
    """
    latents, components = run.arrays["latents"], run.arrays["components"]
    if not len(components):
        raise ReplicationError(
            f"{run.folder}: no latent of this model is in use, so there is nothing to sweep. Train it longer."
        )
    fitted = stored_models.load(run, subject.train)
    stored_models.check(fitted, subject.spectra, run)
    heights = (1.2, *[1] * len(subject.ylabels))
    fig = style.figure(height=0.5 + 1.6 * sum(heights))
    fig.suptitle(style.title(model, run.record))
    axes = fig.subplots(
        len(heights), len(components), squeeze=False, sharey="row", height_ratios=heights
    )
    columns = []
    for column, component in zip(axes.T, components):
        column[0].set_title(f"component {component}")
        swept = sweep(fitted, latents, component, subject)
        columns.append(
            Column(
                fig,
                column,
                subject,
                swept,
                latents[:, component][subject.pixels],
                style.LATENT_NAMES[model],
            )
        )
    for ax, label in zip(axes[1:, 0], subject.ylabels):
        ax.set_ylabel(label)
    text = f"Colour: decoded. Grey: data. Other latents, and data, are the mean of the {NEIGHBOURS} nearest. "
    style.note(fig, text + subject.note)
    return fig, [column.move for column in columns], [*range(N_VALUES), *range(N_VALUES - 2, 0, -1)]


def sweep(fitted, latents, component, subject):
    """Decode a sweep of one latent, and average the spectra nearest to each of its values."""
    values, decoded = generate(fitted, latents, component, N_VALUES)
    data = np.array(
        [subject.spectra[nearest(latents[:, component], value)].mean(axis=0) for value in values]
    )
    return Sweep(values, subject.unfold(decoded), subject.unfold(data))


class Column:
    """One latent on its axes: its map, and a panel a channel in which the spectrum moves."""

    def __init__(self, fig, axes, subject, swept, image, label):
        self.swept, self.norm = swept, Normalize(swept.values[0], swept.values[-1])
        image = subject.draw_map(axes[0], image, norm=self.norm)
        bar = style.colour_bar(fig, image, axes[0], label, location="bottom", aspect=12)
        self.mark = bar.ax.axvline(swept.values[0], color="#C00000", linewidth=2.5, animated=True)
        channels = [values.swapaxes(0, 1) for values in (swept.nearest, swept.decoded)]
        self.lines = [
            self._draw(ax, subject.x, *channel) for ax, *channel in zip(axes[1:], *channels)
        ]
        axes[-1].set_xlabel(subject.xlabel)

    def _draw(self, ax, x, nearest, decoded):
        """Draw what stays of one channel, and return the lines that move."""
        for value, spectrum in zip(self.swept.values[::EVERY], decoded[::EVERY]):
            ax.plot(x, spectrum, color=self._colour(value), linewidth=0.4, alpha=0.4)
        (grey,) = ax.plot(
            x, nearest[0], color=style.DATA_COLOUR, linewidth=2, alpha=0.6, animated=True
        )
        (coloured,) = ax.plot(x, decoded[0], linewidth=1.2, animated=True)
        for extreme in (np.min, np.max):
            ax.update_datalim([(x[0], extreme([nearest, decoded]))])
        ax.autoscale_view()
        return grey, coloured

    def move(self, number):
        """Go to a value, given by its number, and return what moved."""
        value = self.swept.values[number]
        self.mark.set_xdata([value, value])
        for (grey, coloured), data, decoded in zip(
            self.lines, self.swept.nearest[number], self.swept.decoded[number]
        ):
            grey.set_ydata(data)
            coloured.set(ydata=decoded, color=self._colour(value))
        return [self.mark, *(line for pair in self.lines for line in pair)]

    def _colour(self, value):
        return style.LATENT_MAP(self.norm(value))
