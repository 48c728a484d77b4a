"""How far a metric may be from the stored one when nothing is wrong.

Where both were made with the pinned arithmetic and the same packages, they are the same but for
the order of a summation. Otherwise a training ends elsewhere, as it does with another seed: the
stored seeds say how far. On data sets whose seeds are folds the difficulty of the folds is no part
of that; there the noise is taken from the same model fitted to the whole scan, where a seed is
only a start.
"""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from replicate.numbers.kinds import kind_of, model_of
from replicate.study.family import NETWORKS
from replicate.study.job import SPLITS

#: How far apart the same seed may be with the same arithmetic and packages, relative to the stored
#: value.
PAIRED_TOLERANCE = 1e-3

#: How far apart a linear model may be with another arithmetic, relative to the stored value. It has
#: no noise of training: with other kernels no error was off by more than 7.6e-4.
LINEAR_FLOOR = 2e-3

#: How far apart a network may be at the least with another arithmetic, relative to the stored
#: value.
FLOOR = 0.01

#: Probability on either side of the prediction interval. A run of the study has some 300 checks,
#: which should not report one of them for nothing.
TAIL = 1e-4

#: The unit of errors, which a linear model has without noise; its scores hang on limits and trees.
ERROR = "z-score squared"

#: Data sets of which a seed is a fold of the scan.
FOLDED = tuple(SPLITS)

#: The data set that tells the noise of those: the same models, fitted to the whole scan.
WHOLE_SCAN = "beps"

#: Stored seeds that are needed to tell the noise of a training.
MIN_SEEDS = 3


class Noise(NamedTuple):
    """By how much a metric scatters from one training to the next.

    Attributes
    ----------
    deviation : float
        Standard deviation, in the unit of the metric.
    freedom : int
        Degrees of freedom with which it is known.
    """

    deviation: float
    freedom: int

    def half_width(self, n_pairs: int) -> float:
        """Return half the prediction interval of the mean difference of so many pairs of runs.

        Both runs of a pair have the noise.
        """
        return _quantile(self.freedom) * self.deviation * math.sqrt(2 / n_pairs)


@functools.cache
def _quantile(freedom: int) -> float:
    """Return the quantile of Student's t that leaves `TAIL` above it."""
    return float(stats.t.ppf(1 - TAIL, freedom))


def has_training_noise(name: str) -> bool:
    """Return whether a metric scatters from one training to the next.

    The error of a linear model does not. Its scores do as well as those of a network, for they hang
    on limits and trees.
    """
    return model_of(name) in NETWORKS or kind_of(name).unit != ERROR


def noise_of(name: str, stored: Mapping[str, dict]) -> Noise | None:
    """Return the noise of a metric, or None where the stored seeds do not tell it.

    Parameters
    ----------
    name : str
        ``<data set>.<model>.<kind>``.
    stored : dict of str to dict
        The ``metrics`` of the stored document.
    """
    entry = stored[name]
    whole_name = on_whole_scan(name, stored)
    if whole_name is None:
        return _scatter(entry["values"])
    whole = stored[whole_name]
    scatter = _scatter(whole["values"])
    if kind_of(name).unit.startswith("z-score") and whole["value"]:
        # An error scatters in proportion to itself.
        return scatter._replace(deviation=scatter.deviation * abs(entry["value"] / whole["value"]))
    return scatter


def on_whole_scan(name: str, stored: Mapping[str, dict]) -> str | None:
    """Return the metric of fits to the whole scan that has the noise of a metric on folds.

    It is None for a metric whose seeds are no folds, and where the same model was not fitted to the
    whole scan with enough seeds.

    Parameters
    ----------
    name : str
    stored : dict of str to dict
        The ``metrics`` of the stored document.
    """
    dataset, model, kind = name.split(".")
    kind = kind.replace("heldout_", "").replace("_refined", "")
    whole_name = f"{WHOLE_SCAN}.{model}.{kind}"
    if dataset not in FOLDED or whole_name not in stored:
        return None
    has_enough = len(stored[whole_name]["values"]) >= MIN_SEEDS
    return whole_name if has_enough else None


def _scatter(values: Sequence[float]) -> Noise | None:
    if len(values) < MIN_SEEDS:
        return None
    return Noise(statistics.stdev(values), len(values) - 1)


def allowed(
    name: str, stored: Mapping[str, dict], seeds: Sequence[int], is_same_arithmetic: bool
) -> float:
    """Return how far the mean over some seeds may be from the stored mean over the same seeds.

    Parameters
    ----------
    name : str
    stored : dict of str to dict
        The ``metrics`` of the stored document.
    seeds : sequence of int
        Those that both have.
    is_same_arithmetic : bool
        Whether both were made with the pinned arithmetic and the same packages.
    """
    kind, entry = kind_of(name), stored[name]
    values = dict(zip(entry["seeds"], entry["values"]))
    size = abs(statistics.fmean(values[seed] for seed in seeds))
    if is_same_arithmetic:
        return max(PAIRED_TOLERANCE * size, kind.rounding)
    if not has_training_noise(name):
        return max(LINEAR_FLOOR * size, kind.rounding)
    floor = FLOOR if model_of(name) in NETWORKS else LINEAR_FLOOR
    noise = noise_of(name, stored)
    spread = noise.half_width(len(seeds)) if noise else 0.0
    return max(floor * size, kind.rounding, kind.elsewhere, spread)


def distance(differences: ArrayLike, is_same_arithmetic: bool) -> np.ndarray:
    """Return how far apart pairs of runs are: the number that `allowed` bounds.

    Parameters
    ----------
    differences : array_like, shape (..., n_pairs)
        New less stored values of the same seeds.
    is_same_arithmetic : bool
        Whether both were made with the pinned arithmetic and the same packages.

    Returns
    -------
    ndarray, shape (...)
        The greatest difference where arithmetic and packages are the same, otherwise the mean.
    """
    if is_same_arithmetic:
        return np.abs(differences).max(axis=-1)
    return np.abs(np.mean(differences, axis=-1))
