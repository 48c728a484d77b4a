"""Does a model keep the physics? Descriptors and shoulders of loops that it makes.

The paper says that the VAE shows the two-step, three-state switching of the a1/a2 bands and that
dictionary learning hides it (Section 2, Figures 4 and 5). Here that is measured: whether the pixels
with a shoulder can be told from the reconstruction alone, and whether a shoulder appears as one
latent sweeps its range.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score, roc_curve

from replicate.analysis.shapes import correlation
from replicate.errors import ReplicationError

#: Quantile of the measured shoulders above which a pixel counts as one with a shoulder, where no
#: truth is known: a quarter of the pixels. Bands fill about a third of the scan.
SHOULDER_QUANTILE = 0.75


class Agreement(NamedTuple):
    """How well one descriptor of reconstructed loops agrees with that of the data.

    Attributes
    ----------
    correlation : float
        Pearson's correlation over the pixels; 0 where one side is constant.
    bias : float
        Mean of reconstruction less data, in the unit of the descriptor.
    """

    correlation: float
    bias: float


class Detection(NamedTuple):
    """How well the pixels with a shoulder are told from their reconstructions.

    Attributes
    ----------
    auc : float
        Area under the ROC curve: 1 if every pixel with a shoulder has a greater one in its
        reconstruction than every pixel without, 0.5 for chance. It looks at ranks alone, so that
        traces too small to be seen count.
    kept : float
        Share of the pixels with a shoulder whose reconstruction has a shoulder above the limit of
        the data.
    invented : float
        Share of the pixels without a shoulder whose reconstruction has one above that limit.
    """

    auc: float
    kept: float
    invented: float


class Traversal(NamedTuple):
    """How the shoulder changes as one latent sweeps its range.

    Attributes
    ----------
    change : float
        The greatest less the least shoulder.
    trend : float
        Spearman's correlation of shoulder and latent: 1 or -1 where the shoulder only grows or only
        shrinks, 0 where it is constant.
    appears : bool
        Whether the sweep crosses the limit above which a loop has a shoulder.
    """

    change: float
    trend: float
    appears: bool


def shoulder(values: dict[str, np.ndarray]) -> np.ndarray:
    """Return the shoulder of each loop, the mean of both branches.

    Parameters
    ----------
    values : dict of str to ndarray, each of shape (n,)
        As `loops.describe` returns them.

    Returns
    -------
    ndarray, shape (n,)
        Dimensionless.
    """
    return (values["shoulder_negative"] + values["shoulder_positive"]) / 2


def agree(
    data: dict[str, np.ndarray], reconstructed: dict[str, np.ndarray], switches: np.ndarray
) -> dict[str, Agreement]:
    """Compare each descriptor of reconstructed loops with that of the data, pixel by pixel.

    Parameters
    ----------
    data, reconstructed : dict of str to ndarray, each of shape (n,)
        As `loops.describe` returns them.
    switches : ndarray of bool, shape (n,)
        Which loops of the data switch. Only these are compared. A loop that no longer switches in
        the reconstruction counts with its zeros.

    Returns
    -------
    dict of str to Agreement
        One for each descriptor of the data.

    Raises
    ------
    ReplicationError
        If a descriptor is missing from the reconstruction, the lengths differ, or fewer than two
        loops switch.
    """
    missing = sorted(set(data) - set(reconstructed))
    if missing:
        raise ReplicationError(
            f"reconstructed: no {', '.join(missing)}; describe the same channels as of the data."
        )
    lengths = {len(values) for values in data.values()}
    lengths |= {len(reconstructed[name]) for name in data}
    if lengths - {len(switches)}:
        raise ReplicationError(
            "reconstructed: descriptors of another number of pixels than the "
            f"{len(switches)} of the data."
        )
    if np.count_nonzero(switches) < 2:
        raise ReplicationError("data: fewer than two loops switch, so there is nothing to compare.")
    agreements = {}
    for name, values in data.items():
        measured = values[switches]
        rebuilt = reconstructed[name][switches]
        bias = float(np.mean(rebuilt - measured))
        agreements[name] = Agreement(correlation(measured, rebuilt), bias)
    return agreements


def shoulder_limit(data: dict[str, np.ndarray], switches: np.ndarray) -> float:
    """Return the shoulder above which a loop of the data counts as one with a shoulder.

    Parameters
    ----------
    data : dict of str to ndarray, each of shape (n,)
        As `loops.describe` returns them.
    switches : ndarray of bool, shape (n,)
        Which loops of the data switch.

    Returns
    -------
    float
        The quantile `SHOULDER_QUANTILE` of the shoulders of the loops that switch.
    """
    return float(np.quantile(shoulder(data)[switches], SHOULDER_QUANTILE))


def detect(
    reconstructed: dict[str, np.ndarray], has_shoulder: np.ndarray, limit: float
) -> Detection:
    """Measure how well the pixels with a shoulder are told from their reconstructions.

    Parameters
    ----------
    reconstructed : dict of str to ndarray, each of shape (n,)
        As `loops.describe` returns them.
    has_shoulder : ndarray of bool, shape (n,)
        From the truth of the twin; otherwise ``shoulder(data) > limit``.
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
    shoulders = shoulder(reconstructed)
    has_shoulder = np.asarray(has_shoulder, dtype=bool)
    if shoulders.shape != has_shoulder.shape:
        raise ReplicationError(
            f"has_shoulder: shape {has_shoulder.shape}, expected {shoulders.shape}, one a pixel."
        )
    if has_shoulder.all() or not has_shoulder.any():
        raise ReplicationError(
            "has_shoulder: every pixel is of one kind, so there is nothing to detect."
        )
    above = shoulders > limit
    return Detection(
        auc=float(roc_auc_score(has_shoulder, shoulders)),
        kept=float(np.mean(above[has_shoulder])),
        invented=float(np.mean(above[~has_shoulder])),
    )


def kept_at(shoulders: np.ndarray, has_shoulder: np.ndarray, invented: float) -> float:
    """Return which share of the shoulders is kept where a given share is invented.

    Models invent shoulders at different rates with the limit of the data. Here each model gets the
    limit at which it invents as many as the others, so that the shares kept can be compared.

    Parameters
    ----------
    shoulders : ndarray, shape (n,)
        As `shoulder` returns them, of reconstructions.
    has_shoulder : ndarray of bool, shape (n,)
        Pixels of both kinds.
    invented : float
        Share of the pixels without a shoulder whose reconstruction gets one, from 0 to 1.

    Returns
    -------
    float
        Read off the ROC curve, along its straight lines.
    """
    false_positive, true_positive, _ = roc_curve(has_shoulder, shoulders)
    return float(np.interp(invented, false_positive, true_positive))


def traverse(generated: dict[str, np.ndarray], limit: float) -> Traversal:
    """Measure whether a shoulder appears along a traversal of one latent.

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
    trend = 0.0
    if change > 0:
        trend = spearmanr(np.arange(len(shoulders)), shoulders)[0]
    appears = shoulders.min() < limit <= shoulders.max()
    return Traversal(float(change), float(trend), bool(appears))
