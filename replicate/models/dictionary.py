"""Dictionary learning: as the paper uses it, with the library's default coding, and as the authors' code sets it."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn import decomposition
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import validate_data


class _Dictionary(decomposition.DictionaryLearning):
    """scikit-learn's dictionary learning, whose codes are those of `transform` wherever they come from, and which counts its parameters."""

    def fit(self, X, y=None):
        """Learn the atoms from spectra, shape (n, n_features)."""
        super().fit_transform(X)
        return self

    def fit_transform(self, X, y=None):
        """Learn the atoms and return the codes that `transform` gives; scikit-learn's are of its last step, penalised by `alpha`."""
        return self.fit(X).transform(X)

    def inverse_transform(self, Z):
        """Return spectra, shape (n, n_features), for coefficients, shape (n, n_components)."""
        return np.asarray(Z) @ self.components_

    @property
    def n_parameters_(self):
        """Number of fitted numbers: the atoms."""
        return self.components_.size


class DictionaryLearning(_Dictionary):
    """scikit-learn's dictionary learning with the coding penalty always stated.

    Minimises 0.5 ||x - D gamma||^2 + lambda ||gamma||_1 (paper Section 2) by coordinate descent, and codes new spectra by the lasso.
    Defaults are scikit-learn's but for the two below.

    Parameters
    ----------
    n_components : int
        Atoms in the dictionary (paper: toy 3, BEPS 5).
    alpha : float
        lambda while fitting (paper: toy 0.57, BEPS 1).
    transform_alpha : float, optional
        lambda while coding; `alpha` where it is None. scikit-learn before 1.2 coded with 1 whatever `alpha` was.
    max_iter : int
    random_state : int
    """

    def __init__(
        self, n_components=3, alpha=1.0, transform_alpha=None, max_iter=1000, random_state=0
    ):
        super().__init__(
            n_components=n_components,
            alpha=alpha,
            max_iter=max_iter,
            fit_algorithm="cd",
            transform_algorithm="lasso_cd",
            transform_alpha=transform_alpha,
            transform_max_iter=max_iter,
            random_state=random_state,
        )


class OMPDictionaryLearning(_Dictionary):
    """The same atoms, but each code is the least squares on a few of them, chosen by orthogonal matching pursuit: scikit-learn's default.

    Parameters
    ----------
    n_components : int
    alpha : float
        lambda while fitting; the coding has no penalty.
    transform_n_nonzero_coefs : int, optional
        Atoms in a code. By default the library's: a tenth of the features, which is 2 of the 3 atoms of the toy problem and all 5 of BEPS.
    max_iter : int
    random_state : int
    """

    def __init__(
        self,
        n_components=3,
        alpha=1.0,
        transform_n_nonzero_coefs=None,
        max_iter=1000,
        random_state=0,
    ):
        super().__init__(
            n_components=n_components,
            alpha=alpha,
            max_iter=max_iter,
            fit_algorithm="cd",
            transform_algorithm="omp",
            transform_n_nonzero_coefs=transform_n_nonzero_coefs,
            transform_max_iter=max_iter,
            random_state=random_state,
        )


class PositiveDictionaryLearning(_Dictionary):
    """Dictionary learning with codes that are never negative, seeded by k-means, as the authors' code calls it.

    Their spectra have physical units and no mean; here they are z-scores as they are, like those of every other model (see `authors_rms`).
    Codes are those of scikit-learn's ``lasso_lars``, the authors' choice, which shrinks a code below the minimum of the lasso where all
    unused atoms correlate negatively with the rest: its path then ends at a negative penalty instead of 0.

    Parameters
    ----------
    n_components : int
    alpha : float
        lambda while fitting and while coding.
    max_iter : int
    random_state : int
    """

    def __init__(self, n_components=5, alpha=1.0, max_iter=1000, random_state=0):
        super().__init__(
            n_components=n_components,
            alpha=alpha,
            max_iter=max_iter,
            fit_algorithm="cd",
            transform_algorithm="lasso_lars",
            positive_code=True,
            random_state=random_state,
        )

    def fit(self, X, y=None):
        """Learn the atoms from spectra, shape (n, n_features)."""
        X = validate_data(self, X, dtype=[np.float64, np.float32])
        _, self.components_, self.n_iter_ = _learn_from_clusters(
            X, self.n_components, self.alpha, self.max_iter, self.random_state
        )
        return self


def _learn_from_clusters(spectra, n_components, alpha, max_iter, random_state):
    """Return codes, atoms and the number of steps, beginning at the centres of k-means and the clusters of the spectra."""
    clusters = KMeans(n_components, random_state=random_state, n_init=10).fit(spectra)
    with warnings.catch_warnings():
        # As in the authors' code the last steps of the solver may stop short of its tolerance.
        warnings.simplefilter("ignore", ConvergenceWarning)
        codes, atoms, _, n_iter = decomposition.dict_learning(
            spectra,
            n_components,
            alpha=alpha,
            max_iter=max_iter,
            method="cd",
            positive_code=True,
            code_init=np.eye(n_components, dtype=spectra.dtype)[clusters.labels_],
            dict_init=clusters.cluster_centers_,
            random_state=random_state,
            return_n_iter=True,
        )
    return codes, atoms, n_iter


def authors_rms(spectra, khz, n_components=5, random_state=0, n_channels=2):
    """Return the root mean square error of dictionary learning as the authors' code sets it, for an assumed unit of the resonance.

    As read from their working repository: the mean of each channel of each spectrum removed, resonance in kHz, positive codes seeded by
    k-means, lambda = 1. The prepared arrays are z-scores, so the units are an assumption, the piezoresponse's standard deviation being 1.

    Parameters
    ----------
    spectra : ndarray, shape (n, n_channels * n_steps)
        Channel-major z-scores, the piezoresponse first.
    khz : float
        Standard deviation that the resonance is assumed to have, kHz.
    """
    channels = spectra.reshape(len(spectra), n_channels, -1).astype(np.float64)
    channels = (channels - channels.mean(axis=2, keepdims=True)) * np.array([1.0, khz])[:, None]
    stacked = channels.reshape(len(spectra), -1)
    codes, atoms, _ = _learn_from_clusters(
        stacked, n_components, alpha=1.0, max_iter=1000, random_state=random_state
    )
    return float(np.sqrt(np.mean((stacked - codes @ atoms) ** 2)))


def lambda_search(train, validation, lambdas, n_components=3, random_state=0):
    """Fit dictionary learning at each lambda and score it (paper Figure S3).

    Parameters
    ----------
    train, validation : ndarray, shape (n, n_features)
    lambdas : sequence of float

    Returns
    -------
    dict of str to ndarray, each of shape (len(lambdas),)
        ``lambda``; ``mse`` on the validation spectra coded with the same lambda; ``mse_coded_at_1`` coded with lambda = 1 (the
        library's default before scikit-learn 1.2); ``objective``, the penalised loss per validation spectrum.
    """
    rows = []
    for penalty in lambdas:
        model = DictionaryLearning(n_components, penalty, random_state=random_state).fit(train)
        codes = model.transform(validation)
        squared = (validation - model.inverse_transform(codes)) ** 2
        objective = 0.5 * squared.sum(axis=1).mean() + penalty * np.abs(codes).sum(axis=1).mean()
        model.transform_alpha = 1.0
        coded_at_1 = np.mean(
            (validation - model.inverse_transform(model.transform(validation))) ** 2
        )
        rows.append((penalty, squared.mean(), coded_at_1, objective))
    return dict(
        zip(("lambda", "mse", "mse_coded_at_1", "objective"), np.array(rows, dtype=float).T)
    )
