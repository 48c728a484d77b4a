"""Movies S2 and S5: the maps of every latent of the VAE while beta rises, until few enough of them tell anything.

A map is one draw from the posterior of each pixel, so that a latent which tells nothing is Gaussian noise, as in the paper. The noise is
the same in each frame: what changes is the model.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from figures.shared import common, style
from replicate.errors import ReplicationError
from replicate.files import read_npz
from replicate.models.schedule import ACTIVE_KL, active
from replicate.reference import kl, network
from replicate.study.family import LABELS

RATE = 5
"""Frames a second."""

MOST = 60
"""Frames, evenly taken from the ramp where it is longer."""

HOLD = 10
"""How many more times the last frame is shown."""

SIDE = 150
"""Pixels of the longer side of a map, or a little more; of a larger picture rows and columns are left out."""

N_SPECTRA = 1000
"""Over which the KL of a latent is averaged: evenly taken from those fitted to, or a little more."""

COLUMNS = 4
LIMITS = {"vmin": -2.5, "vmax": 2.5}
"""Of the maps: draws of a latent are nearly standard normal over all pixels, which is the prior."""


class Ramp(NamedTuple):
    """The model at each beta of the ramp: beta (n,); KL of each latent, nats, (n, n_latent); its draws, (n, n_latent, rows, cols)."""

    beta: np.ndarray
    kl: np.ndarray
    draws: np.ndarray


def draw(run, subject, model):
    """Draw what stays of the movie of one run; return figure, moves and numbers of the frames, as `film.frames` takes them.

    Raises
    ------
    ReplicationError
        If the run has not kept the weights of its ramp.
    """
    ramp = read(run, subject)
    latents = np.argsort(-ramp.kl[-1], kind="stable")
    n_rows = -(-len(latents) // COLUMNS)
    rows, cols = ramp.draws.shape[2:]
    fig = style.figure(height=0.8 + n_rows * (1.1 * rows / cols + 0.3))
    fig.suptitle(f"{LABELS[model]}: every latent while β rises")
    left, right = fig.subfigures(1, 2, width_ratios=(2, 1))
    axes = left.subplots(n_rows, COLUMNS, squeeze=False).ravel()
    for ax in axes[len(latents) :]:
        ax.axis("off")
    maps = [Map(ax, subject, ramp, latent) for ax, latent in zip(axes, latents)]
    look = {"location": "bottom", "extend": "both", "shrink": 0.6, "aspect": 40}
    style.colour_bar(left, maps[0].image, list(axes), "one draw of the latent (a.u.)", **look)
    curves = Curves(right.subplots(2, 1, sharex=True), ramp, run)
    counted = f"Active: KL above {ACTIVE_KL} nats (broken line), mean over about {N_SPECTRA} of the spectra fitted to; others are grey."
    style.note(fig, f"{counted} In the order of the last KL.")
    numbers = list(range(len(ramp.beta)))
    return fig, [curves.move, *(one.move for one in maps)], numbers + numbers[-1:] * HOLD


def read(run, subject):
    """Encode the pixels of a map with the weights at each beta of the ramp of a run, a `Ramp`."""
    kept = run.snapshots
    if not kept:
        raise ReplicationError(
            f"{run.folder / 'ramp'}: no weights of the ramp. Delete {run.folder} and run it again."
        )
    chosen = np.linspace(0, len(kept) - 1, min(len(kept), MOST)).round().astype(int)
    patch = common.patch(run)
    pixels, few = (
        common.thinned(subject.pixels, SIDE),
        subject.train[:: max(1, len(subject.train) // N_SPECTRA)],
    )
    states = []
    for i in chosen:
        weights = read_npz(kept[i])
        beta, encoder = weights.pop("beta"), network(weights, np.float32, patch)
        states.append(
            (beta, kl(*encoder.encode(few)), draw_latents(encoder, subject.spectra, pixels))
        )
    return Ramp(*map(np.array, zip(*states)))


def draw_latents(encoder, spectra, pixels):
    """Return one draw from the posterior of each pixel, (n_latent, rows, cols), where `pixels` says which spectrum it has."""
    shown, pixel = np.unique(pixels, return_inverse=True)
    mean, log_variance = (values[pixel.ravel()] for values in encoder.encode(spectra[shown]))
    noise = np.random.default_rng(0).standard_normal(mean.shape, dtype=np.float32)
    return (mean + np.exp(log_variance / 2) * noise).T.reshape(-1, *pixels.shape)


class Map:
    """One latent on its axes, with its KL above, grey where it is not active."""

    def __init__(self, ax, subject, ramp, latent):
        self.draws, self.kl, self.latent = ramp.draws[:, latent], ramp.kl[:, latent], latent
        self.image = subject.draw_map(ax, self.draws[0], animated=True, **LIMITS)
        self.title = ax.set_title(" ", animated=True)

    def move(self, number):
        """Go to a beta, given by its number, and return what moved."""
        self.image.set_data(self.draws[number])
        colour = "black" if active(self.kl[number]) else "0.6"
        self.title.set(text=f"latent {self.latent}: {self.kl[number]:.2f} nats", color=colour)
        # The frame of the map again, for the map has been drawn over it.
        return [self.image, self.title, *self.image.axes.spines.values()]


class Curves:
    """KL of each latent, and the number of those that are active, against beta."""

    def __init__(self, axes, ramp, run):
        upper, lower = axes
        counts, last = active(ramp.kl).sum(axis=1), active(ramp.kl[-1])
        for values, is_active in sorted(zip(ramp.kl.T, last), key=lambda pair: pair[1]):
            upper.plot(ramp.beta, values, color=style.COLOURS["lstm_vae"] if is_active else "0.6")
        upper.axhline(ACTIVE_KL, color="black", linewidth=0.6, linestyle="--")
        upper.set(yscale="log", ylabel="KL of a latent (nats)", ylim=(ACTIVE_KL / 10, None))
        lower.plot(ramp.beta, counts, color=style.COLOURS["lstm_vae"], drawstyle="steps-post")
        target = common.configuration(run)["parameters"]["target_channels"]
        lower.axhline(
            target, color="black", linewidth=0.6, linestyle="--", label=f"wanted: {target}"
        )
        lower.set(xlabel="β (1)", ylabel="active latents (number)", ylim=(0, None))
        lower.legend(loc="lower left")
        self.beta, self.counts = ramp.beta, counts
        self.marks = [
            ax.axvline(ramp.beta[0], color="#C00000", linewidth=1.5, animated=True) for ax in axes
        ]
        self.title = upper.set_title(" ", animated=True)

    def move(self, number):
        """Go to a beta, given by its number, and return what moved."""
        for mark in self.marks:
            mark.set_xdata([self.beta[number]] * 2)
        self.title.set_text(f"β = {self.beta[number]:.4f}: {self.counts[number]} active")
        return [*self.marks, self.title]
