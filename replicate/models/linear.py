"""The linear models: dictionary learning as the paper uses it, and plain PCA, which the paper never shows."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn import decomposition
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning


class PCA(decomposition.PCA):
    """scikit-learn's PCA, which also counts its parameters."""

    @property
    def n_parameters_(self):
        """Number of fitted numbers: components and mean."""
        return self.components_.size + self.mean_.size


class DictionaryLearning(decomposition.DictionaryLearning):
    """scikit-learn's dictionary learning with an inverse, and with the coding penalty always stated.

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

    def __init__(self, n_components=3, alpha=1.0, transform_alpha=None, max_iter=1000, random_state=0):
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
        coded_at_1 = np.mean((validation - model.inverse_transform(model.transform(validation))) ** 2)
        rows.append((penalty, squared.mean(), coded_at_1, objective))
    return dict(zip(("lambda", "mse", "mse_coded_at_1", "objective"), np.array(rows, dtype=float).T))


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
    clusters = KMeans(n_components, random_state=random_state, n_init=10).fit(stacked)
    model = decomposition.DictionaryLearning(
        n_components,
        alpha=1.0,
        max_iter=1000,
        fit_algorithm="cd",
        transform_algorithm="lasso_lars",
        positive_code=True,
        code_init=np.eye(n_components)[clusters.labels_],
        dict_init=clusters.cluster_centers_,
        random_state=random_state,
    )
    with warnings.catch_warnings():
        # As in the authors' code the last steps of the solver may stop short of its tolerance.
        warnings.simplefilter("ignore", ConvergenceWarning)
        codes = model.fit_transform(stacked)
    return float(np.sqrt(np.mean((stacked - codes @ model.components_) ** 2)))
