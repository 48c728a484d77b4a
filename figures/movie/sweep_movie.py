"""Movies S1, S3, S4 and S6: spectra generated while each latent goes over its range.

Each column of a frame is one latent, swept there and back by itself: its map, and the spectrum that
the model decodes, over the mean of the data in which the latent has about that value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures.movie.subjects import Subject
from figures.shared import stored_models, style
from replicate.analysis.latents import NEIGHBOURS, generate, nearest
from replicate.errors import ReplicationError
from replicate.running.runs import Run

#: Frames a second.
RATE = 20

#: How many values a latent takes from one end of its range to the other; each is a frame.
N_VALUES = 48

#: A faint line stays for the first of every so many values.
EVERY = 6


class Sweep(NamedTuple):
    """One latent over its range.

    Attributes
    ----------
    values : ndarray, shape (n_values,)
    decoded : ndarray, shape (n_values, n_channels, n_steps)
        The spectrum that the model decodes from each value.
    nearest : ndarray, shape (n_values, n_channels, n_steps)
        The mean of the data in which the latent is nearest to each value.
    """

    values: np.ndarray
    decoded: np.ndarray
    nearest: np.ndarray

    def drawn_by(self, sign: int) -> Sweep:
        """Return the sweep of the latent times 1 or -1, again from its least value upwards."""
        if sign > 0:
            return self
        return Sweep(-self.values[::-1], self.decoded[::-1], self.nearest[::-1])


def draw(
    run: Run, subject: Subject, model: str
) -> tuple[Figure, list[Callable[[int], Sequence[Artist]]], list[int]]:
    """Draw the parts of a movie that stay, and return figure, moves and order of the frames.

    `film.frames` takes them in this order.

    Raises
    ------
    ReplicationError
        If the weights of the run are of another run, or no latent is in use.
    """
    latents = run.arrays["latents"]
    components = run.arrays["components"]
    if len(components) == 0:
        raise ReplicationError(
            f"{run.folder}: no latent of this model is in use, so there is nothing to sweep. "
            "Train it longer."
        )
    fitted = stored_models.load(run, subject.train)
    stored_models.check(fitted, subject.spectra, run)
    heights = (1.2, *[1] * len(subject.ylabels))
    fig = style.figure(height=0.5 + 1.6 * sum(heights))
    fig.suptitle(style.model_title(model, run.record))
    axes = fig.subplots(
        len(heights),
        len(components),
        squeeze=False,
        sharey="row",
        height_ratios=heights,
    )
    columns = []
    for column_axes, component in zip(axes.T, components):
        column_axes[0].set_title(f"component {component}")
        sign = subject.sign(component)
        swept = sweep(fitted, latents, component, subject).drawn_by(sign)
        image = sign * latents[:, component][subject.pixels]
        label = style.LATENT_NAMES[model]
        columns.append(Column(fig, column_axes, subject, swept, image, label))
    for ax, label in zip(axes[1:, 0], subject.ylabels):
        ax.set_ylabel(label)
    style.note(
        fig,
        "Colour: decoded. Grey: data. "
        f"Other latents, and data, are the mean of the {NEIGHBOURS} nearest. {subject.note}",
    )
    there = range(N_VALUES)
    back = range(N_VALUES - 2, 0, -1)
    return fig, [column.move for column in columns], [*there, *back]


def sweep(fitted, latents: np.ndarray, component: int, subject: Subject) -> Sweep:
    """Decode a sweep of one latent, and average the spectra nearest to each of its values.

    Parameters
    ----------
    fitted : transformer
        The model, as `stored_models.load` returns it.
    latents : ndarray, shape (n, n_latents)
        The latents of the spectra of the subject.
    component : int
        Which latent is swept.
    subject : Subject
    """
    values, decoded = generate(fitted, latents, component, N_VALUES)
    means = []
    for value in values:
        neighbours = nearest(latents[:, component], value)
        means.append(subject.spectra[neighbours].mean(axis=0))
    return Sweep(values, subject.unfold(decoded), subject.unfold(np.array(means)))


class Column:
    """One latent on its axes: its map, and a panel a channel in which the spectrum moves.

    Parameters
    ----------
    fig : Figure
    axes : sequence of Axes
        One for the map, and one for each channel.
    subject : Subject
    swept : Sweep
    image : ndarray, shape (rows, cols)
        The latent of each pixel.
    label : str
        The label of the colour bar.
    """

    def __init__(
        self,
        fig: Figure,
        axes: Sequence[Axes],
        subject: Subject,
        swept: Sweep,
        image: np.ndarray,
        label: str,
    ):
        map_ax, *channel_axes = axes
        self.swept = swept
        self.norm = Normalize(swept.values[0], swept.values[-1])
        mapped = subject.draw_map(map_ax, image, norm=self.norm)
        bar = style.colour_bar(fig, mapped, map_ax, label, location="bottom", aspect=12)
        self.mark = bar.ax.axvline(swept.values[0], color="#C00000", linewidth=2.5, animated=True)
        self.lines = []
        for channel, ax in enumerate(channel_axes):
            data = swept.nearest[:, channel]
            decoded = swept.decoded[:, channel]
            self.lines.append(self._draw(ax, subject.x, data, decoded))
        axes[-1].set_xlabel(subject.xlabel)

    def _draw(
        self, ax: Axes, x: np.ndarray, data: np.ndarray, decoded: np.ndarray
    ) -> tuple[Line2D, Line2D]:
        """Draw the parts of one channel that stay, and return the two lines that move."""
        for value, spectrum in zip(self.swept.values[::EVERY], decoded[::EVERY]):
            ax.plot(x, spectrum, color=self._colour(value), linewidth=0.4, alpha=0.4)
        (data_line,) = ax.plot(
            x, data[0], color=style.DATA_COLOUR, linewidth=2, alpha=0.6, animated=True
        )
        (decoded_line,) = ax.plot(x, decoded[0], linewidth=1.2, animated=True)
        # Room for every value, not for the first alone.
        for extreme in (np.min, np.max):
            ax.update_datalim([(x[0], extreme([data, decoded]))])
        ax.autoscale_view()
        return data_line, decoded_line

    def move(self, number: int) -> list[Artist]:
        """Go to a value, given by its number, and return the artists that moved."""
        value = self.swept.values[number]
        self.mark.set_xdata([value, value])
        moved = [self.mark]
        for channel, (data_line, decoded_line) in enumerate(self.lines):
            data_line.set_ydata(self.swept.nearest[number, channel])
            decoded_line.set(ydata=self.swept.decoded[number, channel], color=self._colour(value))
            moved += [data_line, decoded_line]
        return moved

    def _colour(self, value: float) -> tuple[float, ...]:
        return style.LATENT_MAP(self.norm(value))
