"""Movies S1, S3, S4 and S6: spectra generated while each latent goes over its range, from dictionary learning and the VAE; GIF and MP4.

Each column of a frame is one latent, swept there and back by itself: its map, and the spectrum that the model decodes, over the mean of the
data in which the latent has about that value.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

import common
import film
import numpy as np
import stored_models
from matplotlib.colors import Normalize
from tqdm import tqdm

from replicate import sources, style
from replicate.analysis.latents import NEIGHBOURS, generate
from replicate.data import toy
from replicate.errors import ReplicationError

MOVIES = {
    "movie_s1": ("toy", "dictionary_learning"),
    "movie_s3": ("toy", "lstm_vae"),
    "movie_s4": ("beps", "dictionary_learning"),
    "movie_s6": ("beps", "lstm_vae"),
}
"""Data set and model of each."""

N_VALUES = 48
"""Of a latent, from one end of its range to the other; a frame each, there and back."""

EVERY = 6
"""Every how many of these a faint line stays."""


class Subject(NamedTuple):
    """What a movie is about: spectra, their axis, and how they are drawn.

    Attributes
    ----------
    train, spectra : ndarray, shape (n, n_features)
        What the model was fitted to, and what the latents of its run are of.
    x : ndarray, shape (n_steps,)
    unfold : callable
        Turns spectra as the model has them into (n, n_channels, n_steps), against `x`.
    draw_map : callable
        Takes axes, a value for each of `spectra` and options of ``imshow``; returns the image.
    xlabel, ylabels, note : str, tuple of str, str
        One of `ylabels` a channel.
    """

    train: np.ndarray
    spectra: np.ndarray
    x: np.ndarray
    unfold: callable
    draw_map: callable
    xlabel: str
    ylabels: tuple[str, ...]
    note: str


class Sweep(NamedTuple):
    """One latent over its range: values (n_values,); spectra decoded, and of the data nearest, (n_values, n_channels, n_steps)."""

    values: np.ndarray
    decoded: np.ndarray
    nearest: np.ndarray


def toy_subject(run):
    """Return the toy problem: a spectrum in the units of the formula for every colour of the picture."""
    made = common.configuration(run)
    data = toy.make(sources.load_picture(made["provenance"]["picture"]), made["seed"], **made["data"])

    def unfold(spectra):
        return data.unscale(spectra)[:, None]

    def draw_map(ax, values, **options):
        return style.picture(ax, common.thinned(data.image.expand(values)), **options)

    return Subject(data.train, data.painting, toy.timesteps(), unfold, draw_map, "time step t (a.u.)", ("f (a.u.)",), "")


def scan_subject(run):
    """Return the scan: its channels aligned, each loop closed."""
    scan = sources.scan_of(run.record)

    def unfold(spectra):
        aligned, _ = scan.in_units(scan.align(spectra))
        return np.concatenate([aligned, aligned[..., :1]], axis=2)

    def draw_map(ax, values, **options):
        return style.scan_map(ax, scan.map(values), scan.size_um, **options)

    voltage = np.append(scan.voltages[0], scan.voltages[0][0])
    _, units = scan.in_units(scan.align(scan.spectra[:1]))
    ylabels = tuple(f"{name} ({unit})" for name, unit in zip(scan.channels, units))
    return Subject(scan.spectra, scan.spectra, voltage, unfold, draw_map, "voltage (V)", ylabels, common.alignment_note(scan))


SUBJECTS = {"toy": toy_subject, "beps": scan_subject}


def pictures(name, results, profile, seed=0):
    """Return the frames of a movie.

    Raises
    ------
    ReplicationError
        If its run is not complete, its weights are of another, or no latent is in use.
    """
    dataset, model = MOVIES[name]
    loaded, provenance = common.load(results, profile, dataset, seed, models=(model,))
    run = loaded[model]
    latents, components = run.arrays["latents"], run.arrays["components"]
    if not len(components):
        raise ReplicationError(f"{run.folder}: no latent of this model is in use, so there is nothing to sweep. Train it longer.")
    subject = SUBJECTS[dataset](run)
    fitted = stored_models.load(run, subject.train)
    stored_models.check(fitted, subject.spectra, run)
    sweeps = [sweep(fitted, latents, component, subject) for component in tqdm(components, f"{name}, latents", disable=None)]
    fig = style.figure(height=2.1 + 1.3 * len(subject.ylabels))
    fig.suptitle(style.title(model, run.record))
    columns = fig.subplots(1 + len(subject.ylabels), len(components), squeeze=False, sharey="row").T
    moving = []
    for axes, component, swept in zip(columns, components, sweeps):
        axes[0].set_title(f"component {component}")
        moving.append(Column(fig, axes, subject, swept, latents[:, component], model))
    for ax, label in zip(columns[0][1:], subject.ylabels):
        ax.set_ylabel(label)
    text = f"Colour: decoded. Grey: data. Other latents, and data, are the mean of the {NEIGHBOURS} nearest. "
    style.note(fig, text + subject.note)
    style.stamp(fig, provenance.values(), profile, seed)
    order = [*range(N_VALUES), *range(N_VALUES - 2, 0, -1)]
    return list(film.frames(fig, [column.move for column in moving], tqdm(order, f"{name}, frames", disable=None)))


def sweep(fitted, latents, component, subject):
    """Decode a sweep of one latent, and average the spectra nearest to each of its values."""
    values, decoded = generate(fitted, latents, component, N_VALUES)
    # Which are nearest is told as in `generate`: many codes of a dictionary are exactly 0, and equally near.
    orders = (np.argsort(np.abs(latents[:, component] - value), kind="stable") for value in values)
    nearest = np.array([subject.spectra[order[:NEIGHBOURS]].mean(axis=0) for order in orders])
    return Sweep(values, subject.unfold(decoded), subject.unfold(nearest))


class Column:
    """One latent on its axes: its map, and a panel a channel in which the spectrum moves."""

    def __init__(self, fig, axes, subject, swept, latent, model):
        self.swept, self.norm = swept, Normalize(swept.values[0], swept.values[-1])
        image = subject.draw_map(axes[0], latent, norm=self.norm)
        bar = style.colour_bar(fig, image, axes[0], style.LATENT_NAMES[model], location="bottom", aspect=12)
        self.mark = bar.ax.axvline(swept.values[0], color="#C00000", linewidth=2.5, animated=True)
        channels = [values.swapaxes(0, 1) for values in (swept.nearest, swept.decoded)]
        self.lines = [self._draw(ax, subject.x, *channel) for ax, *channel in zip(axes[1:], *channels)]
        axes[-1].set_xlabel(subject.xlabel)

    def _draw(self, ax, x, nearest, decoded):
        """Draw what stays of one channel, and return the lines that move."""
        for value, spectrum in zip(self.swept.values[::EVERY], decoded[::EVERY]):
            ax.plot(x, spectrum, color=self._colour(value), linewidth=0.4, alpha=0.4)
        (grey,) = ax.plot(x, nearest[0], color=style.DATA_COLOUR, linewidth=2.5, alpha=0.6, animated=True)
        (coloured,) = ax.plot(x, decoded[0], linewidth=1.8, animated=True)
        for extreme in (np.min, np.max):
            ax.update_datalim([(x[0], extreme([nearest, decoded]))])
        ax.autoscale_view()
        return grey, coloured

    def move(self, number):
        """Go to a value, given by its number, and return what moved."""
        value = self.swept.values[number]
        self.mark.set_xdata([value, value])
        for (grey, coloured), nearest, decoded in zip(self.lines, self.swept.nearest[number], self.swept.decoded[number]):
            grey.set_ydata(nearest)
            coloured.set(ydata=decoded, color=self._colour(value))
        return [self.mark, *(line for pair in self.lines for line in pair)]

    def _colour(self, value):
        return style.LATENT_MAP(self.norm(value))


def write(name, results, profile, seed=0):
    """Make a movie and return the paths of its files."""
    made, ffmpeg, stem = pictures(name, results, profile, seed), film.find_ffmpeg(), common.folder(results, profile) / name
    paths = [stem.with_suffix(".gif")]
    film.write_gif(paths[0], made)
    if ffmpeg is None:
        print(f"{name}: no MP4, for want of ffmpeg. Put it on the PATH, or `pip install imageio-ffmpeg`.", file=sys.stderr)
        return paths
    paths.append(stem.with_suffix(".mp4"))
    film.write_mp4(paths[1], made, ffmpeg)
    return paths


def main(argv=None):
    """Run the command line; a movie that cannot be made does not keep the others from it."""
    parser = common.parser(__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MOVIES)}; all where none is named")
    options = parser.parse_args(argv)
    code = 0
    for name in options.names or MOVIES:
        try:
            if name not in MOVIES:
                raise ReplicationError(f"{name}: no such movie. There are {', '.join(MOVIES)}.")
            print(*write(name, options.results, options.profile, options.seed), sep="\n", flush=True)
        except ReplicationError as error:
            print(f"error: {error}", file=sys.stderr)
            code = 2
    return code


if __name__ == "__main__":
    sys.exit(main())
