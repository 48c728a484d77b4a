"""Does a model keep the physics? Descriptors of reconstructed loops against those of the data, and shoulders along a traversal.

The paper says that the VAE shows the two-step, three-state switching of the a1/a2 bands and that dictionary learning hides it (Section 2,
Figures 4 and 5). Here that is a measurement: whether the pixels with a shoulder can be told from the reconstruction alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from replicate.analysis.shapes import correlation
from replicate.errors import ReplicationError

SHOULDER_QUANTILE = 0.75
"""Of the measured shoulders, where no truth is known: the quarter of the pixels above it has one. Bands fill about a third of the scan."""


class Agreement(NamedTuple):
    """Pearson's correlation over the pixels (0 where one side is constant), and the mean of reconstruction less data."""

    correlation: float
    bias: float


class Detection(NamedTuple):
    """How well the pixels with a shoulder are told from their reconstructions.

    `auc` is the area under the ROC curve: 1 if every pixel with a shoulder has a greater one in its reconstruction than every pixel
    without, 0.5 if there is no telling. It looks at ranks alone, so that traces too small to be seen count. `kept` does not: it is the
    share of the pixels with a shoulder whose reconstruction has one above the limit of the data; `invented` is that share of the others.
    """

    auc: float
    kept: float
    invented: float


class Traversal(NamedTuple):
    """How the shoulder changes as one latent sweeps its range.

    `change` is the greatest less the least shoulder, `trend` Spearman's correlation with the latent (1 or -1 where the shoulder only
    grows or only shrinks, 0 where it is constant), `appears` whether the sweep goes through the limit above which a loop has a shoulder.
    """

    change: float
    trend: float
    appears: bool


def shoulder(values):
    """Return the shoulder of each loop, shape (n,), the mean of both branches, from descriptors as `loops.describe` returns them."""
    return (values["shoulder_negative"] + values["shoulder_positive"]) / 2


def agree(data, reconstructed, switches):
    """Compare each descriptor of reconstructed loops with that of the data, pixel by pixel.

    Parameters
    ----------
    data, reconstructed : dict of str to ndarray, each of shape (n,)
        As `loops.describe` returns them.
    switches : ndarray of bool, shape (n,)
        Loops of the data that switch. Only they are compared, with whatever became of them: a loop that switches no more in the
        reconstruction counts with its zeros.

    Returns
    -------
    dict of str to Agreement
        Of the descriptors of the data; the bias has the unit of the descriptor.

    Raises
    ------
    ReplicationError
        If a descriptor is missing from the reconstruction, the lengths differ, or fewer than two loops switch.
    """
    if missing := sorted(set(data) - set(reconstructed)):
        raise ReplicationError(
            f"reconstructed: no {', '.join(missing)}; describe the same channels as of the data."
        )
    if any(
        len(reconstructed[name]) != len(switches) or len(values) != len(switches)
        for name, values in data.items()
    ):
        raise ReplicationError(
            f"reconstructed: descriptors of another number of pixels than the {len(switches)} of the data."
        )
    if np.count_nonzero(switches) < 2:
        raise ReplicationError("data: fewer than two loops switch, so there is nothing to compare.")
    pairs = {
        name: (values[switches], reconstructed[name][switches]) for name, values in data.items()
    }
    return {
        name: Agreement(correlation(a, b), float(np.mean(b - a))) for name, (a, b) in pairs.items()
    }


def shoulder_limit(data, switches):
    """Return the shoulder above which a loop of the data counts as one with a shoulder, by `SHOULDER_QUANTILE` of those that switch."""
    return float(np.quantile(shoulder(data)[switches], SHOULDER_QUANTILE))


def detect(reconstructed, has_shoulder, limit):
    """Say how well the pixels with a shoulder are told from their reconstructions.

    Parameters
    ----------
    reconstructed : dict of str to ndarray, each of shape (n,)
        As `loops.describe` returns them.
    has_shoulder : ndarray of bool, shape (n,)
        On the twin from its truth; otherwise ``shoulder(data) > limit``.
    limit : float
        As `shoulder_limit` returns it.

    Returns
    -------
    Detection

    Raises
    ------
    ReplicationError
        If the lengths differ, or all pixels have a shoulder or none has.
    """
    shoulders, has_shoulder = shoulder(reconstructed), np.asarray(has_shoulder, dtype=bool)
    if shoulders.shape != has_shoulder.shape:
        raise ReplicationError(
            f"has_shoulder: shape {has_shoulder.shape}, expected {shoulders.shape}, one a pixel."
        )
    if has_shoulder.all() or not has_shoulder.any():
        raise ReplicationError(
            "has_shoulder: every pixel is of one kind, so there is nothing to detect."
        )
    kept, invented = (
        float(np.mean(shoulders[pixels] > limit)) for pixels in (has_shoulder, ~has_shoulder)
    )
    return Detection(float(roc_auc_score(has_shoulder, shoulders)), kept, invented)


def traverse(generated, limit):
    """Say whether a shoulder appears along a traversal.

    Parameters
    ----------
    generated : dict of str to ndarray, each of shape (n_values,)
        Descriptors of the spectra generated as one latent sweeps its range, in that order.
    limit : float
        As `shoulder_limit` returns it.

    Returns
    -------
    Traversal
    """
    shoulders = shoulder(generated)
    change = np.ptp(shoulders)
    trend = spearmanr(np.arange(len(shoulders)), shoulders)[0] if change > 0 else 0.0
    return Traversal(float(change), float(trend), bool(shoulders.min() < limit <= shoulders.max()))
