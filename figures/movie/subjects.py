"""The subjects of the movies, toy problem and scan: spectra, their axis, and how maps are drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from figures.shared import common, scan_units, style
from replicate.data import sources, toy
from replicate.running.runs import Run


class Subject(NamedTuple):
    """Spectra, their axis, and how they are drawn.

    Attributes
    ----------
    train : ndarray, shape (n_train, n_features)
        The spectra that the model was fitted to.
    spectra : ndarray, shape (n, n_features)
        The spectra whose latents its run has stored.
    pixels : ndarray of int, shape (rows, cols)
        Which of `spectra` each pixel of a map has.
    x : ndarray, shape (n_steps,)
        The axis of a spectrum.
    unfold : callable
        Turns spectra as the model has them into (n, n_channels, n_steps), against `x`.
    draw_map : callable
        Takes axes, values, (rows, cols), and options of ``imshow``; returns the image.
    xlabel : str
    ylabels : tuple of str
        One for each channel.
    sign : callable
        Takes a latent, and returns the sign by which it is drawn: 1 or -1.
    note : str
        What the note of the movie says of the subject.
    """

    train: np.ndarray
    spectra: np.ndarray
    pixels: np.ndarray
    x: np.ndarray
    unfold: Callable[[np.ndarray], np.ndarray]
    draw_map: Callable[..., AxesImage]
    xlabel: str
    ylabels: tuple[str, ...]
    sign: Callable[[int], int]
    note: str


def toy_subject(run: Run) -> Subject:
    """Return the toy problem: a spectrum in the units of the formula for every colour."""
    config = common.configuration(run)
    picture = sources.load_picture(config["provenance"]["picture"])
    data = toy.make(picture, config["seed"], **config["data"])

    def unfold(spectra: np.ndarray) -> np.ndarray:
        return data.unscale(spectra)[:, np.newaxis]

    return Subject(
        train=data.train,
        spectra=data.painting,
        pixels=common.thinned(data.image.inverse.reshape(data.image.shape)),
        x=toy.timesteps(),
        unfold=unfold,
        draw_map=style.picture,
        xlabel="time step t (a.u.)",
        ylabels=("f (a.u.)",),
        sign=lambda component: 1,
        note="",
    )


def scan_subject(run: Run) -> Subject:
    """Return the scan: its channels aligned, each loop closed."""
    scan = sources.load_scan(run.record["provenance"]["spectra"])

    def unfold(spectra: np.ndarray) -> np.ndarray:
        return common.closed(scan.align(scan_units.in_units(scan, spectra)))

    def draw_map(ax: Axes, values: np.ndarray, **options) -> AxesImage:
        return style.scan_map(ax, values, scan.size_um, **options)

    return Subject(
        train=scan.spectra,
        spectra=scan.spectra,
        pixels=scan.map(np.arange(len(scan.spectra))),
        x=common.closed(scan.voltages[0]),
        unfold=unfold,
        draw_map=draw_map,
        xlabel="voltage (V)",
        ylabels=tuple(
            f"{name} ({scan_units.unit_of(scan, channel)})"
            for channel, name in enumerate(scan.channels)
        ),
        sign=lambda component: common.sign(run, scan, component),
        note=common.alignment_note(scan),
    )


#: The function that makes the subject from a run, for each data set.
SUBJECTS = {"toy": toy_subject, "beps": scan_subject}
