"""What a reconstruction keeps of the shape of a spectrum, beyond its squared error: the phase shift, the dip, the area of the loop."""

from __future__ import annotations

import numpy as np


def transitions(spectra):
    """Return where each spectrum rises most steeply, to a fraction of a step.

    The finite differences around the steepest one are met by a parabola.

    Parameters
    ----------
    spectra : ndarray, shape (n, n_steps)

    Returns
    -------
    ndarray, shape (n,)
        In steps from the first.
    """
    rises = np.diff(spectra, axis=1)
    steepest = np.clip(rises.argmax(axis=1), 1, rises.shape[1] - 2)
    before, at, after = (rises[np.arange(len(rises)), steepest + offset] for offset in (-1, 0, 1))
    curvature = before - 2 * at + after
    shift = np.divide(before - after, 2 * curvature, out=np.zeros_like(at), where=curvature < 0)
    return steepest + 0.5 + np.clip(shift, -1, 1)


def correlation(a, b):
    """Return Pearson's correlation of two spectra; 0 where one of them is flat."""
    a, b = a - np.mean(a), b - np.mean(b)
    norm = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / norm) if norm > 0 else 0.0


def dip_depth(resonance):
    """Return how far the resonance dips below its mean, shape (n,), for spectra of shape (n, n_steps): the softening at switching."""
    return resonance.mean(axis=1) - resonance.min(axis=1)


def loop_area(voltage, piezoresponse):
    """Return the area that each loop encloses, V times its own unit, without sign.

    Parameters
    ----------
    voltage : ndarray, shape (n_steps,)
        One cycle, whose last step leads to the first.
    piezoresponse : ndarray, shape (n, n_steps)

    Returns
    -------
    ndarray, shape (n,)
    """
    middle = (piezoresponse + np.roll(piezoresponse, -1, axis=1)) / 2
    return np.abs(middle @ (np.roll(voltage, -1) - voltage))


def nonlinearity(function, points):
    """Return how far a function is from an affine one, on pairs of points: 0 for an affine or a constant one.

    The distance of the image of the middle of two points from the middle of their images, over half the distance of these; root mean
    squares over the pairs.

    Parameters
    ----------
    function : callable
        Takes and returns arrays of one row a point.
    points : ndarray, shape (n, n_features)
        The first half of them is paired with the second.
    """
    half = len(points) // 2
    first, second = points[:half], points[half : 2 * half]
    image_of_middle = np.asarray(function((first + second) / 2), dtype=np.float64)
    images = np.asarray(function(np.concatenate([first, second])), dtype=np.float64)
    middle, chord = (images[:half] + images[half:]) / 2, (images[:half] - images[half:]) / 2
    scale = np.linalg.norm(chord)
    return float(np.linalg.norm(image_of_middle - middle) / scale) if scale > 0 else 0.0
