"""The linear models from one place: those of this module, and dictionary learning, which has its own."""

from __future__ import annotations

import numpy as np
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
    """A model that decodes by its components and the mean of the spectra it was fitted to."""

    @property
    def n_parameters_(self):
        """Number of fitted numbers: components and mean."""
        return self.components_.size + self.mean_.size


class PCA(_Centred, decomposition.PCA):
    """scikit-learn's PCA, which also counts its parameters."""


class ICA(_Centred, decomposition.FastICA):
    """Independent component analysis: the subspace of PCA, turned so that the latents depend on each other as little as can be.

    scikit-learn's FastICA, its defaults but for the two below. The error is that of PCA with as many components; only the latents differ.

    Parameters
    ----------
    n_components : int
    max_iter : int
    random_state : int
    """

    def __init__(self, n_components=3, max_iter=3000, random_state=0):
        super().__init__(
            n_components=n_components,
            max_iter=max_iter,
            whiten="unit-variance",
            random_state=random_state,
        )


class SparsePCA(_Centred, decomposition.MiniBatchSparsePCA):
    """Components of which many values are 0, found by scikit-learn's mini-batch sparse PCA.

    Spectra are divided by the root of their number while fitting, so that the penalty has their own units and a loading is dropped where
    the component moves that feature by less than `alpha`, in standard deviations of z-scores, whatever the number of spectra.

    Parameters
    ----------
    n_components : int
    alpha : float
        Penalty on the loadings; 0 is PCA.
    max_iter : int
    random_state : int
    """

    def __init__(self, n_components=3, alpha=0.1, max_iter=1000, random_state=0):
        # The library's ridge of 0.01 shrinks every code by one percent, which is an error PCA does not have.
        super().__init__(
            n_components=n_components,
            alpha=alpha,
            ridge_alpha=1e-6,
            max_iter=max_iter,
            random_state=random_state,
        )

    def fit(self, X, y=None):
        """Learn the components from spectra, shape (n, n_features)."""
        X = validate_data(self, X, dtype=[np.float64, np.float32])
        scale = np.sqrt(X.dtype.type(len(X)))
        super().fit(X / scale)
        self.mean_ *= scale
        return self


class NMF(decomposition.NMF):
    """Non-negative matrix factorisation of how far spectra are above the least that each feature had in training.

    scikit-learn's, by coordinate descent from its default start. Values of new spectra below that least are taken to be at it.

    Parameters
    ----------
    n_components : int
    max_iter : int
    random_state : int

    Attributes
    ----------
    shift_ : ndarray, shape (n_features,)
        The least of each feature over the training spectra.
    """

    def __init__(self, n_components=3, max_iter=3000, random_state=0):
        super().__init__(n_components=n_components, max_iter=max_iter, random_state=random_state)

    def fit(self, X, y=None):
        """Learn the components from spectra, shape (n, n_features)."""
        X = validate_data(self, X, dtype=[np.float64, np.float32])
        self.shift_ = X.min(axis=0)
        super().fit_transform(X - self.shift_)
        return self

    def fit_transform(self, X, y=None):
        """Learn the components and return the coefficients that `transform` gives."""
        return self.fit(X).transform(X)

    def transform(self, X):
        """Return coefficients, never negative, shape (n, n_components)."""
        X = validate_data(self, X, dtype=self.components_.dtype, reset=False)
        return super().transform(np.maximum(X - self.shift_, 0))

    def inverse_transform(self, Z):
        """Return spectra, shape (n, n_features), for coefficients, shape (n, n_components)."""
        return np.asarray(Z) @ self.components_ + self.shift_

    @property
    def n_parameters_(self):
        """Number of fitted numbers: components and shift."""
        return self.components_.size + self.shift_.size

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = tags.input_tags.sparse = False
        return tags
