"""How many components pay: what PCA predicts on blocks of pixels that it was not fitted to."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from replicate.data.heldout import ChannelScaler, spatial_folds
from replicate.data.scan import Scan

#: The most components that are tried.
MOST = 16

#: A component pays that saves so much of the error in predicting.
PAYS = 0.1

#: Folds of blocks of pixels, each left out once.
N_FOLDS = 5


class ByComponents(NamedTuple):
    """Errors of PCA by the number of components and the fold, in z-score².

    Attributes
    ----------
    fitted : ndarray of shape (n_components, n_folds)
        On the pixels fitted to; the first row is that of one component.
    predicted : ndarray of shape (n_components, n_folds)
        On the pixels left out, of every second step from the steps between.
    """

    fitted: np.ndarray
    predicted: np.ndarray

    @property
    def saved(self) -> np.ndarray:
        """Share of the error in predicting that each further component saves.

        It has the shape (n_components - 1, n_folds); the first row is that of the second component.
        """
        return 1 - self.predicted[1:] / self.predicted[:-1]

    @property
    def advised(self) -> int:
        """The number of components after which a further one does not pay.

        It does not pay where it saves less than `PAYS` of the error in the mean over the folds, or
        where more components predict no better than to one standard error of the differences
        between folds.
        """
        pays = self.saved.mean(axis=1) >= PAYS
        first_idle = int(np.argmin(np.append(pays, False))) + 1
        return min(first_idle, self._as_good_as_best)

    @property
    def _as_good_as_best(self):
        """The fewest components that predict as well as the best number, to one standard error."""
        best = int(self.predicted.mean(axis=1).argmin())
        differences = self.predicted - self.predicted[best]
        errors = differences.std(axis=1, ddof=1) / np.sqrt(differences.shape[1])
        return int(np.argmax(differences.mean(axis=1) <= errors)) + 1


def by_components(scan: Scan, most: int = MOST) -> ByComponents:
    """Fit PCA of 1, 2, 3, ... components to each four folds of a scan, and score it on the fifth.

    The error of a reconstruction falls with every component, also on pixels that are left out, for
    a component more describes more of their noise. So the components of a pixel that is left out
    are found from every second step alone, and the steps between are predicted: what describes
    noise then predicts worse (bi-cross-validation; Owen and Perry, Ann. Appl. Stat. 3, 564, 2009).

    Parameters
    ----------
    scan : Scan
    most : int
        The most components.
    """
    folds = spatial_folds(scan.shape, n_folds=N_FOLDS, mask=scan.mask)
    is_even = np.tile(np.arange(scan.n_steps) % 2 == 0, scan.n_channels)
    numbers = range(1, min(most, np.count_nonzero(is_even)) + 1)
    fitted, predicted = [], []
    for fold in range(N_FOLDS):
        scaler = ChannelScaler(scan.n_channels).fit(scan.spectra[folds != fold])
        spectra = scaler.transform(scan.spectra).astype(np.float64)
        spectra -= spectra[folds != fold].mean(axis=0)
        train, test = spectra[folds != fold], spectra[folds == fold]
        _, axes = np.linalg.eigh(train.T @ train)
        axes = axes[:, ::-1]
        fitted.append([_error(train, train @ axes[:, :n] @ axes[:, :n].T) for n in numbers])
        predicted.append([_error(test, _predicted(test, axes[:, :n], is_even)) for n in numbers])
    return ByComponents(np.transpose(fitted), np.transpose(predicted))


def _error(spectra, others):
    return np.mean((spectra - others) ** 2)


def _predicted(spectra, axes, is_even):
    """Return every value of spectra as predicted from the steps before and after it."""
    values = np.empty_like(spectra)
    for here in (is_even, ~is_even):
        weights = np.linalg.pinv(axes[~here])
        values[:, here] = spectra[:, ~here] @ weights.T @ axes[here].T
    return values


def stability(runs: list[np.ndarray]) -> float:
    """Return how alike the latents of several runs are, from 0 to 1.

    The latents of two runs are matched one to one, so that the sum of their absolute correlations
    is greatest. The value is the median of these correlations over all matches and all pairs.

    Parameters
    ----------
    runs : list of ndarray of shape (n_spectra, n_components)
        Latents of the same spectra, of two runs or more. A latent that never changes counts as 0.
    """
    found = []
    for number, one in enumerate(runs):
        for other in runs[number + 1 :]:
            alike = _absolute_correlations(one, other)
            found += alike[linear_sum_assignment(-alike)].tolist()
    return float(np.median(found))


def _absolute_correlations(one, other):
    """Return the absolute correlation of each latent of one run with each of another."""
    normalised = []
    for latents in (one, other):
        centred = latents - latents.mean(axis=0)
        length = np.linalg.norm(centred, axis=0)
        normalised.append(centred / np.where(length > 0, length, 1))
    return np.abs(normalised[0].T @ normalised[1])
