"""What a movie is about: the toy problem or the scan, its spectra, their axis, and how its maps are drawn."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from figures.shared import common, style
from replicate.data import sources, toy


class Subject(NamedTuple):
    """Spectra, their axis, and how they are drawn.

    Attributes
    ----------
    train, spectra : ndarray, shape (n, n_features)
        What the model was fitted to, and what the latents of its run are of.
    pixels : ndarray of int, shape (rows, cols)
        Which of `spectra` each pixel of a map has.
    x : ndarray, shape (n_steps,)
    unfold : callable
        Turns spectra as the model has them into (n, n_channels, n_steps), against `x`.
    draw_map : callable
        Takes axes, values, (rows, cols), and options of ``imshow``; returns the image.
    xlabel, ylabels, note : str, tuple of str, str
        One of `ylabels` a channel.
    """

    train: np.ndarray
    spectra: np.ndarray
    pixels: np.ndarray
    x: np.ndarray
    unfold: callable
    draw_map: callable
    xlabel: str
    ylabels: tuple[str, ...]
    note: str


def toy_subject(run):
    """Return the toy problem: a spectrum in the units of the formula for every colour of the picture."""
    made = common.configuration(run)
    data = toy.make(
        sources.load_picture(made["provenance"]["picture"]), made["seed"], **made["data"]
    )
    pixels = common.thinned(data.image.inverse.reshape(data.image.shape))

    def unfold(spectra):
        return data.unscale(spectra)[:, np.newaxis]

    return Subject(
        data.train,
        data.painting,
        pixels,
        toy.timesteps(),
        unfold,
        style.picture,
        "time step t (a.u.)",
        ("f (a.u.)",),
        "",
    )


def scan_subject(run):
    """Return the scan: its channels aligned, each loop closed."""
    scan = sources.load_scan(run.record["provenance"]["spectra"])

    def unfold(spectra):
        return common.closed(scan.align(spectra))

    def draw_map(ax, values, **options):
        return style.scan_map(ax, values, scan.size_um, **options)

    pixels = scan.map(np.arange(len(scan.spectra)))
    ylabels = tuple(f"{name} ({unit})" for name, unit in zip(scan.channels, scan.units))
    shown = (
        common.closed(scan.voltages[0]),
        unfold,
        draw_map,
        "voltage (V)",
        ylabels,
        common.alignment_note(scan),
    )
    return Subject(scan.spectra, scan.spectra, pixels, *shown)


SUBJECTS = {"toy": toy_subject, "beps": scan_subject}
