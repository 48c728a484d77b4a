"""Dictionary learning in three forms.

They are the one that the paper describes, one with scikit-learn's default coding, and one as the
authors' code sets it.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from sklearn import decomposition
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, validate_data


class _Dictionary(decomposition.DictionaryLearning):
    """scikit-learn's dictionary learning, which here also counts its parameters.

    Its codes are always those of `transform`, also those that `fit_transform` returns.
    """

    def fit(self, X: ArrayLike, y: None = None) -> _Dictionary:
        """Learn the atoms from spectra, shape (n, n_features)."""
        super().fit_transform(X)
        return self

    def fit_transform(self, X: ArrayLike, y: None = None) -> np.ndarray:
        """Learn the atoms, and return the codes that `transform` gives, (n, n_components).

        scikit-learn returns the codes of its last step, penalised by `alpha`, instead.
        """
        return self.fit(X).transform(X)

    def inverse_transform(self, Z: ArrayLike) -> np.ndarray:
        """Return spectra, shape (n, n_features), for codes, shape (n, n_components)."""
        return np.asarray(Z) @ self.components_

    @property
    def n_parameters_(self) -> int:
        """Number of fitted numbers: the atoms."""
        return self.components_.size


class DictionaryLearning(_Dictionary):
    """scikit-learn's dictionary learning with the coding penalty always stated.

    It minimises 0.5 ||x - D gamma||^2 + lambda ||gamma||_1 (paper Section 2) by coordinate descent,
    and codes new spectra by the lasso. Defaults are scikit-learn's, except for `n_components`,
    `random_state`, the algorithms, and the iterations of the coding.

    Parameters
    ----------
    n_components : int
        Atoms in the dictionary (paper: toy 3, BEPS 5).
    alpha : float
        lambda while fitting (paper: toy 0.57, BEPS 1).
    transform_alpha : float, optional
        lambda while coding; `alpha` where it is None. scikit-learn before 1.2 coded with 1 whatever
        `alpha` was.
    max_iter : int
        Most iterations of the fit and of the coding.
    random_state : int
        Seed of the fit.
    """

    def __init__(
        self,
        n_components: int = 3,
        alpha: float = 1.0,
        transform_alpha: float | None = None,
        max_iter: int = 1000,
        random_state: int = 0,
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

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return the codes, shape (n, n_components), of spectra, shape (n, n_features)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        penalty = self.alpha if self.transform_alpha is None else self.transform_alpha
        codes = code_by_lasso(X, self.components_, penalty, self.transform_max_iter)
        return codes.astype(X.dtype)


def code_by_lasso(
    spectra: np.ndarray,
    atoms: np.ndarray,
    penalty: float,
    max_iter: int = 1000,
    tolerance: float = 1e-4,
) -> np.ndarray:
    """Code spectra by the lasso, all at once: minimise 0.5 ||x - gamma D||^2 + lambda ||gamma||_1.

    Coordinate descent, which takes the steps of scikit-learn's and ends where that ends: each
    spectrum once its last step was small and its duality gap is less than `tolerance` of its own
    square. One spectrum at a time, as scikit-learn codes them, takes some twenty times longer.

    Parameters
    ----------
    spectra : ndarray of shape (n, n_features)
    atoms : ndarray of shape (n_components, n_features)
    penalty : float
        lambda.
    max_iter : int
        Most sweeps over the atoms.
    tolerance : float

    Returns
    -------
    ndarray of shape (n, n_components), float64
    """
    spectra, atoms = (np.asarray(array, dtype=np.float64) for array in (spectra, atoms))
    gram = atoms @ atoms.T
    correlations = spectra @ atoms.T
    squares = np.einsum("ij,ij->i", spectra, spectra)
    codes = np.zeros_like(correlations)
    going = np.arange(len(spectra))
    for _ in range(max_iter):
        moving, wanted = codes[going], correlations[going]
        largest_step = np.zeros(len(going))
        for j in np.flatnonzero(np.diag(gram)):
            rest = wanted[:, j] - moving @ gram[:, j] + moving[:, j] * gram[j, j]
            code = np.sign(rest) * np.maximum(np.abs(rest) - penalty, 0) / gram[j, j]
            largest_step = np.maximum(largest_step, np.abs(code - moving[:, j]))
            moving[:, j] = code
        codes[going] = moving
        is_small = largest_step <= tolerance * np.abs(moving).max(axis=1)
        gaps = _duality_gaps(moving, wanted, squares[going], gram, penalty)
        going = going[~(is_small & (gaps <= tolerance * squares[going]))]
        if not len(going):
            break
    return codes


def _duality_gaps(codes, correlations, squares, gram, penalty):
    """Return by how much the loss of each code can exceed the least one, shape (n,).

    Parameters
    ----------
    codes, correlations : ndarray of shape (n, n_components)
        Codes, and products of spectra and atoms.
    squares : ndarray of shape (n,)
        Square of each spectrum.
    gram : ndarray of shape (n_components, n_components)
        Products of the atoms.
    penalty : float
    """
    of_codes = codes @ gram
    explained = np.einsum("ij,ij->i", codes, correlations)
    residual = squares - 2 * explained + np.einsum("ij,ij->i", codes, of_codes)
    slope = np.abs(correlations - of_codes).max(axis=1)
    scale = np.minimum(1, penalty / np.maximum(slope, np.finfo(float).tiny))
    return (
        0.5 * residual * (1 + scale**2)
        + penalty * np.abs(codes).sum(axis=1)
        - scale * (squares - explained)
    )


class OMPDictionaryLearning(_Dictionary):
    """Dictionary learning whose codes are chosen by orthogonal matching pursuit.

    The atoms are those of `DictionaryLearning`. Each code is the least squares on a few of them.
    This is scikit-learn's default.

    Parameters
    ----------
    n_components : int
        Atoms in the dictionary.
    alpha : float
        lambda while fitting; the coding has no penalty.
    transform_n_nonzero_coefs : int, optional
        Atoms in a code. By default it is a tenth of the features, as in scikit-learn: 2 of the 3
        atoms of the toy problem, and all 5 of BEPS.
    max_iter : int
        Most iterations of the fit.
    random_state : int
        Seed of the fit.
    """

    def __init__(
        self,
        n_components: int = 3,
        alpha: float = 1.0,
        transform_n_nonzero_coefs: int | None = None,
        max_iter: int = 1000,
        random_state: int = 0,
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
    """Dictionary learning as the authors' code calls it: codes never negative, seeded by k-means.

    The spectra of the authors' code have physical units and no mean. Here they are z-scores as they
    are, like those of every other model (see `authors_rms`).

    Codes are those of scikit-learn's ``lasso_lars``, which is the authors' choice. Where all unused
    atoms correlate negatively with the rest, it shrinks a code below the minimum of the lasso,
    because its path then ends at a negative penalty instead of 0.

    Parameters
    ----------
    n_components : int
        Atoms in the dictionary.
    alpha : float
        lambda while fitting and while coding.
    max_iter : int
        Most iterations of the fit.
    random_state : int
        Seed of the clusters and of the fit.
    """

    #: No code is below 0.
    has_positive_codes = True

    def __init__(
        self,
        n_components: int = 5,
        alpha: float = 1.0,
        max_iter: int = 1000,
        random_state: int = 0,
    ):
        super().__init__(
            n_components=n_components,
            alpha=alpha,
            max_iter=max_iter,
            fit_algorithm="cd",
            transform_algorithm="lasso_lars",
            positive_code=True,
            random_state=random_state,
        )

    def fit(self, X: ArrayLike, y: None = None) -> PositiveDictionaryLearning:
        """Learn the atoms from spectra, shape (n, n_features)."""
        X = validate_data(self, X, dtype=[np.float64, np.float32])
        _, self.components_, self.n_iter_ = _learn_from_clusters(
            X, self.n_components, self.alpha, self.max_iter, self.random_state
        )
        return self


def _learn_from_clusters(spectra, n_components, alpha, max_iter, random_state):
    """Learn a dictionary that starts at the k-means clusters of the spectra and their centres.

    Returns
    -------
    codes : ndarray of shape (n, n_components)
    atoms : ndarray of shape (n_components, n_features)
    n_iter : int
        Number of steps.
    """
    clusters = KMeans(n_components, random_state=random_state, n_init=10).fit(spectra)
    with warnings.catch_warnings():
        # As in the authors' code, the last steps of the solver may stop short of its tolerance.
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


def authors_rms(
    spectra: np.ndarray,
    khz: float,
    n_components: int = 5,
    random_state: int = 0,
    n_channels: int = 2,
) -> float:
    """Return the root mean square error of dictionary learning as the authors' code sets it.

    These settings were read from their working repository: the mean of each channel of each
    spectrum is removed, the resonance is in kHz, codes are positive and seeded by k-means, and
    lambda is 1. The prepared arrays are z-scores, so that the units are an assumption; the
    piezoresponse is taken to have a standard deviation of 1.

    Parameters
    ----------
    spectra : ndarray of shape (n, n_channels * n_steps)
        Channel-major z-scores, the piezoresponse first.
    khz : float
        The standard deviation that the resonance is assumed to have, kHz.
    n_components : int
        Atoms in the dictionary.
    random_state : int
        Seed of the clusters and of the fit.
    n_channels : int
        Number of channels: the piezoresponse and the resonance.
    """
    channels = spectra.reshape(len(spectra), n_channels, -1).astype(np.float64)
    channels = (channels - channels.mean(axis=2, keepdims=True)) * np.array([1.0, khz])[:, None]
    stacked = channels.reshape(len(spectra), -1)
    codes, atoms, _ = _learn_from_clusters(
        stacked, n_components, alpha=1.0, max_iter=1000, random_state=random_state
    )
    return float(np.sqrt(np.mean((stacked - codes @ atoms) ** 2)))


def lambda_search(
    train: np.ndarray,
    validation: np.ndarray,
    lambdas: Sequence[float],
    n_components: int = 3,
    random_state: int = 0,
) -> dict[str, np.ndarray]:
    """Fit dictionary learning at each lambda and score it (paper Figure S3).

    Parameters
    ----------
    train, validation : ndarray of shape (n, n_features)
        Spectra to fit to, and spectra to score on.
    lambdas : sequence of float
        Penalties to try.
    n_components : int
        Atoms in the dictionary.
    random_state : int
        Seed of each fit.

    Returns
    -------
    dict of str to ndarray of shape (len(lambdas),)
        ``lambda`` has the penalties. ``mse`` is the error of the validation spectra coded with the
        penalty of the fit, and ``mse_coded_at_1`` their error coded with lambda = 1, the default of
        scikit-learn before 1.2. ``objective`` is the penalised loss of a validation spectrum.
    """
    scores = {"lambda": [], "mse": [], "mse_coded_at_1": [], "objective": []}
    for penalty in lambdas:
        model = DictionaryLearning(n_components, penalty, random_state=random_state).fit(train)
        codes = model.transform(validation)
        squared = (validation - model.inverse_transform(codes)) ** 2
        objective = 0.5 * squared.sum(axis=1).mean() + penalty * np.abs(codes).sum(axis=1).mean()
        model.transform_alpha = 1.0
        recoded = model.inverse_transform(model.transform(validation))
        scores["lambda"].append(penalty)
        scores["mse"].append(squared.mean())
        scores["mse_coded_at_1"].append(np.mean((validation - recoded) ** 2))
        scores["objective"].append(objective)
    return {name: np.array(values, dtype=float) for name, values in scores.items()}
