"""What a reconstruction keeps of the shape of a spectrum: phase shift, dip and loop area."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def transitions(spectra: np.ndarray) -> np.ndarray:
    """Return where each spectrum rises most steeply, to a fraction of a step.

    A parabola through the finite differences around the steepest one gives the fraction.

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
    every = np.arange(len(rises))
    before = rises[every, steepest - 1]
    at = rises[every, steepest]
    after = rises[every, steepest + 1]
    curvature = before - 2 * at + after
    shift = np.divide(before - after, 2 * curvature, out=np.zeros_like(at), where=curvature < 0)
    return steepest + 0.5 + np.clip(shift, -1, 1)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Return Pearson's correlation of two arrays.

    Parameters
    ----------
    a, b : ndarray, shape (n,)

    Returns
    -------
    float
        0 where one of them is constant.
    """
    a = a - np.mean(a)
    b = b - np.mean(b)
    norm = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / norm) if norm > 0 else 0.0


def dip_depth(resonance: np.ndarray) -> np.ndarray:
    """Return how far the resonance dips below its mean: the softening at switching.

    Parameters
    ----------
    resonance : ndarray, shape (n, n_steps)

    Returns
    -------
    ndarray, shape (n,)
        In the unit of the resonance.
    """
    return resonance.mean(axis=1) - resonance.min(axis=1)


def loop_area(voltage: np.ndarray, piezoresponse: np.ndarray) -> np.ndarray:
    """Return the area that each loop encloses, without sign.

    Parameters
    ----------
    voltage : ndarray, shape (n_steps,)
        One cycle, V; the last step leads to the first.
    piezoresponse : ndarray, shape (n, n_steps)

    Returns
    -------
    ndarray, shape (n,)
        In V times the unit of the piezoresponse.
    """
    middle = (piezoresponse + np.roll(piezoresponse, -1, axis=1)) / 2
    return np.abs(middle @ (np.roll(voltage, -1) - voltage))


def nonlinearity(function: Callable[[np.ndarray], np.ndarray], points: np.ndarray) -> float:
    """Return how far a function is from an affine one, on pairs of points.

    The middle of two points has an image, and their two images have a middle. The nonlinearity is
    the distance between these two, over half the distance between the two images, both as root mean
    squares over the pairs.

    Parameters
    ----------
    function : callable
        Turns an array of one row a point, shape (n, n_features), into another.
    points : ndarray, shape (n, n_features)
        Each point of the first half is paired with one of the second.

    Returns
    -------
    float
        0 for an affine or a constant function; dimensionless.
    """
    half = len(points) // 2
    first = points[:half]
    second = points[half : 2 * half]
    image_of_middle = np.asarray(function((first + second) / 2), dtype=np.float64)
    images = np.asarray(function(np.concatenate([first, second])), dtype=np.float64)
    middle_of_images = (images[:half] + images[half:]) / 2
    distance = np.linalg.norm(image_of_middle - middle_of_images)
    scale = np.linalg.norm((images[:half] - images[half:]) / 2)
    return float(distance / scale) if scale > 0 else 0.0
