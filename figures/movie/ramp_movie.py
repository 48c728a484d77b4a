"""Movies S2 and S5: the maps of every latent of the VAE while beta rises.

Beta rises until few enough latents tell anything of the spectra. A map is one draw from the
posterior of each pixel, so that a latent which tells nothing is Gaussian noise, as in the paper.
The noise is the same in each frame: what changes is the model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.movie.subjects import Subject
from figures.shared import common, style
from replicate.errors import ReplicationError
from replicate.files import read_npz
from replicate.models.schedule import ACTIVE_KL, active
from replicate.reference import kl, network
from replicate.reference.base import Network
from replicate.running.runs import Run
from replicate.study.family import LABELS

#: Frames a second.
RATE = 5

#: How many frames there are at most; of a longer ramp they are taken evenly.
MAX_FRAMES = 60

#: How many more times the last frame is shown.
HOLD = 10

#: The longer side of a map has about this many pixels; rows and columns beyond are left out.
SIDE = 150

#: The KL of a latent is averaged over about this many spectra, evenly taken from those fitted to.
N_KL_SPECTRA = 1000

#: How many maps stand side by side.
MAPS_PER_ROW = 4

#: The colours of the maps: draws of a latent are nearly standard normal over all pixels.
DRAW_LIMITS = {"vmin": -2.5, "vmax": 2.5}


class Ramp(NamedTuple):
    """The model at each beta of the ramp.

    Attributes
    ----------
    beta : ndarray, shape (n,)
    kl : ndarray, shape (n, n_latents)
        The KL of each latent, nats.
    draws : ndarray, shape (n, n_latents, rows, cols)
        One draw from the posterior of each pixel.
    """

    beta: np.ndarray
    kl: np.ndarray
    draws: np.ndarray


def draw(
    run: Run, subject: Subject, model: str
) -> tuple[Figure, list[Callable[[int], Sequence[Artist]]], list[int]]:
    """Draw the parts of a movie that stay, and return figure, moves and order of the frames.

    `film.frames` takes them in this order.

    Raises
    ------
    ReplicationError
        If the run has not stored the weights of its ramp.
    """
    ramp = read(run, subject)
    latents = np.argsort(-ramp.kl[-1], kind="stable")
    n_rows = -(-len(latents) // MAPS_PER_ROW)
    rows, cols = ramp.draws.shape[2:]
    fig = style.figure(height=0.8 + n_rows * (1.1 * rows / cols + 0.3))
    fig.suptitle(f"{LABELS[model]}: every latent while β rises")
    left, right = fig.subfigures(1, 2, width_ratios=(2, 1))
    axes = left.subplots(n_rows, MAPS_PER_ROW, squeeze=False).ravel()
    for ax in axes[len(latents) :]:
        ax.axis("off")
    maps = [Map(ax, subject, ramp, latent) for ax, latent in zip(axes, latents)]
    style.colour_bar(
        left,
        maps[0].image,
        list(axes),
        "one draw of the latent (a.u.)",
        location="bottom",
        extend="both",
        shrink=0.6,
        aspect=40,
    )
    curves = Curves(right.subplots(2, 1, sharex=True), ramp, run)
    style.note(
        fig,
        f"Active: KL above {ACTIVE_KL} nats (broken line), mean over about {N_KL_SPECTRA} of the "
        "spectra fitted to; others are grey. In the order of the last KL.",
    )
    numbers = list(range(len(ramp.beta)))
    moves = [curves.move, *(latent_map.move for latent_map in maps)]
    return fig, moves, numbers + numbers[-1:] * HOLD


def read(run: Run, subject: Subject) -> Ramp:
    """Encode the pixels of a map with the weights at each beta of the ramp of a run.

    Raises
    ------
    ReplicationError
        If the run has not stored these weights.
    """
    snapshots = run.snapshots
    if not snapshots:
        raise ReplicationError(
            f"{run.folder / 'ramp'}: no weights of the ramp. Delete {run.folder} and run it again."
        )
    n_frames = min(len(snapshots), MAX_FRAMES)
    chosen = np.linspace(0, len(snapshots) - 1, n_frames).round().astype(int)
    patch = common.patch(run)
    pixels = common.thinned(subject.pixels, SIDE)
    stride = max(1, len(subject.train) // N_KL_SPECTRA)
    sample = subject.train[::stride]
    betas = []
    divergences = []
    draws = []
    for i in chosen:
        weights = read_npz(snapshots[i])
        betas.append(weights.pop("beta"))
        encoder = network(weights, np.float32, patch)
        divergences.append(kl(*encoder.encode(sample)))
        draws.append(draw_latents(encoder, subject.spectra, pixels))
    return Ramp(np.array(betas), np.array(divergences), np.array(draws))


def draw_latents(encoder: Network, spectra: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Return one draw from the posterior of each pixel.

    Parameters
    ----------
    encoder : Network
    spectra : ndarray, shape (n, n_features)
    pixels : ndarray of int, shape (rows, cols)
        Which spectrum each pixel has.

    Returns
    -------
    ndarray, shape (n_latents, rows, cols)
    """
    in_map, place = np.unique(pixels, return_inverse=True)
    mean, log_variance = encoder.encode(spectra[in_map])
    mean = mean[place.ravel()]
    log_variance = log_variance[place.ravel()]
    noise = np.random.default_rng(0).standard_normal(mean.shape, dtype=np.float32)
    draws = mean + np.exp(log_variance / 2) * noise
    return draws.T.reshape(-1, *pixels.shape)


class Map:
    """One latent on its axes, with its KL above, grey where it is not active."""

    def __init__(self, ax: Axes, subject: Subject, ramp: Ramp, latent: int):
        self.latent = latent
        self.draws = ramp.draws[:, latent]
        self.kl = ramp.kl[:, latent]
        self.image = subject.draw_map(ax, self.draws[0], animated=True, **DRAW_LIMITS)
        self.title = ax.set_title(" ", animated=True)

    def move(self, number: int) -> list[Artist]:
        """Go to a beta, given by its number, and return the artists that moved."""
        self.image.set_data(self.draws[number])
        colour = "black" if active(self.kl[number]) else "0.6"
        self.title.set(text=f"latent {self.latent}: {self.kl[number]:.2f} nats", color=colour)
        # The frame of the map again, for the map has been drawn over it.
        return [self.image, self.title, *self.image.axes.spines.values()]


class Curves:
    """KL of each latent, and the number of those that are active, against beta."""

    def __init__(self, axes: Sequence[Axes], ramp: Ramp, run: Run):
        kl_ax, count_ax = axes
        self.beta = ramp.beta
        self.counts = active(ramp.kl).sum(axis=1)
        self._draw_kl(kl_ax, ramp)
        self._draw_counts(count_ax, common.configuration(run)["parameters"]["target_channels"])
        self.marks = [
            ax.axvline(ramp.beta[0], color="#C00000", linewidth=1.5, animated=True) for ax in axes
        ]
        self.title = kl_ax.set_title(" ", animated=True)

    def _draw_kl(self, ax: Axes, ramp: Ramp) -> None:
        """Draw the KL of each latent; those active at the end lie over the others."""
        is_active = active(ramp.kl[-1])
        for latent in np.argsort(is_active, kind="stable"):
            colour = style.MODEL_COLOURS["lstm_vae"] if is_active[latent] else "0.6"
            ax.plot(ramp.beta, ramp.kl[:, latent], color=colour)
        ax.axhline(ACTIVE_KL, color="black", linewidth=0.6, linestyle="--")
        ax.set(yscale="log", ylabel="KL of a latent (nats)", ylim=(ACTIVE_KL / 10, None))

    def _draw_counts(self, ax: Axes, target: int) -> None:
        """Draw the number of active latents, and a line at the number that training looks for."""
        colour = style.MODEL_COLOURS["lstm_vae"]
        ax.plot(self.beta, self.counts, color=colour, drawstyle="steps-post")
        ax.axhline(target, color="black", linewidth=0.6, linestyle="--", label=f"wanted: {target}")
        ax.set(xlabel="β (1)", ylabel="active latents (number)", ylim=(0, None))
        ax.legend(loc="lower left")

    def move(self, number: int) -> list[Artist]:
        """Go to a beta, given by its number, and return the artists that moved."""
        beta = self.beta[number]
        for mark in self.marks:
            mark.set_xdata([beta, beta])
        self.title.set_text(f"β = {beta:.4f}: {self.counts[number]} active")
        return [*self.marks, self.title]
