"""The linear models: dictionary learning as the paper uses it, and plain PCA, which the paper never shows."""

from __future__ import annotations

import numpy as np
from sklearn import decomposition


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
