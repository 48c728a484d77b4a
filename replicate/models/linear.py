"""The linear models.

Dictionary learning is in a module of its own, `replicate.models.dictionary`, and can be imported
from here like the others.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from sklearn import decomposition
from sklearn.utils.validation import validate_data

from replicate.models.dictionary import (
    DictionaryLearning,
    OMPDictionaryLearning,
    PositiveDictionaryLearning,
    authors_rms,
    lambda_search,
)

__all__ = [
    "ICA",
    "NMF",
    "PCA",
    "DictionaryLearning",
    "OMPDictionaryLearning",
    "PositiveDictionaryLearning",
    "SparsePCA",
    "authors_rms",
    "lambda_search",
]


class _Centred:
    """A model that decodes by its components and the mean of the spectra that it was fitted to."""

    @property
    def n_parameters_(self) -> int:
        """Number of fitted numbers: components and mean."""
        return self.components_.size + self.mean_.size


class PCA(_Centred, decomposition.PCA):
    """scikit-learn's principal component analysis, which here also counts its parameters."""


class ICA(_Centred, decomposition.FastICA):
    """Independent component analysis.

    It has the subspace of PCA, turned so that the latents depend on each other as little as can be.
    The error is that of PCA with as many components; only the latents differ. It is scikit-learn's
    FastICA with its defaults, except for those of the parameters below.

    Parameters
    ----------
    n_components : int
        Number of components.
    max_iter : int
        Most iterations of the fit.
    random_state : int
        Seed of the start.
    """

    def __init__(self, n_components: int = 3, max_iter: int = 3000, random_state: int = 0):
        super().__init__(
            n_components=n_components,
            max_iter=max_iter,
            whiten="unit-variance",
            random_state=random_state,
        )


class SparsePCA(_Centred, decomposition.MiniBatchSparsePCA):
    """Components with many values that are 0, from scikit-learn's mini-batch sparse PCA.

    While fitting, spectra are divided by the root of their number. Then the penalty has the units
    of the spectra: a loading is dropped where the component moves that feature by less than
    `alpha`, in standard deviations of z-scores, whatever the number of spectra.

    Parameters
    ----------
    n_components : int
        Number of components.
    alpha : float
        Penalty on the loadings; 0 is PCA.
    max_iter : int
        Most iterations of the fit.
    random_state : int
        Seed of the start and of the batches.
    """

    def __init__(
        self,
        n_components: int = 3,
        alpha: float = 0.1,
        max_iter: int = 1000,
        random_state: int = 0,
    ):
        # The library's ridge of 0.01 shrinks every code by one percent, which is an error that PCA
        # does not have.
        super().__init__(
            n_components=n_components,
            alpha=alpha,
            ridge_alpha=1e-6,
            max_iter=max_iter,
            random_state=random_state,
        )

    def fit(self, X: ArrayLike, y: None = None) -> SparsePCA:
        """Learn the components from spectra, shape (n, n_features)."""
        X = validate_data(self, X, dtype=[np.float64, np.float32])
        scale = np.sqrt(X.dtype.type(len(X)))
        super().fit(X / scale)
        self.mean_ *= scale
        return self


class NMF(decomposition.NMF):
    """Non-negative matrix factorisation of spectra above the minimum of each feature.

    The minimum of each feature over the training spectra is subtracted first; a value of a new
    spectrum that is below it counts as the minimum. It is scikit-learn's NMF, by coordinate descent
    from its default start.

    Parameters
    ----------
    n_components : int
        Number of components.
    max_iter : int
        Most iterations of the fit.
    random_state : int
        Seed of the start.

    Attributes
    ----------
    shift_ : ndarray of shape (n_features,)
        The minimum of each feature over the training spectra.
    """

    #: No coefficient is below 0.
    has_positive_codes = True

    def __init__(self, n_components: int = 3, max_iter: int = 3000, random_state: int = 0):
        super().__init__(n_components=n_components, max_iter=max_iter, random_state=random_state)

    def fit(self, X: ArrayLike, y: None = None) -> NMF:
        """Learn the components from spectra, shape (n, n_features)."""
        X = validate_data(self, X, dtype=[np.float64, np.float32])
        self.shift_ = X.min(axis=0)
        super().fit_transform(X - self.shift_)
        return self

    def fit_transform(self, X: ArrayLike, y: None = None) -> np.ndarray:
        """Learn the components, and return the coefficients that `transform` gives."""
        return self.fit(X).transform(X)

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return coefficients, shape (n, n_components), of spectra, shape (n, n_features).

        Coefficients are never negative.
        """
        X = validate_data(self, X, dtype=self.components_.dtype, reset=False)
        return super().transform(np.maximum(X - self.shift_, 0))

    def inverse_transform(self, Z: ArrayLike) -> np.ndarray:
        """Return spectra, shape (n, n_features), for coefficients, shape (n, n_components)."""
        return np.asarray(Z) @ self.components_ + self.shift_

    @property
    def n_parameters_(self) -> int:
        """Number of fitted numbers: components and minimum of each feature."""
        return self.components_.size + self.shift_.size

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = False
        tags.input_tags.sparse = False
        return tags
