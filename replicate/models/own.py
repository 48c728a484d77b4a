"""A model of the user's own, held to the rules that every model of the study keeps.

It is a class with the methods of a scikit-learn transformer: ``fit(X)``; ``transform(X)``, which
returns latents; and ``inverse_transform(Z)``, which returns spectra. Where its ``__init__`` takes
``n_components`` or ``random_state``, it gets the number of latents of the study and the seed.
"""

from __future__ import annotations

import inspect
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin

from replicate import own_model
from replicate.errors import ReplicationError

#: Spectra that are encoded and decoded to see whether the rules are kept.
N_CHECKED = 50

#: How far what must be the same may differ, over its largest value: rounding in float32.
ROUNDING = 1e-3


class OwnModel(TransformerMixin, BaseEstimator):
    """A model of the user's own.

    It is fitted to copies of the training spectra, and is given no others before it is fitted.

    Parameters
    ----------
    name : str
        As `replicate.own_model.bring` returns it.
    n_components : int
        Most latents that the model may have: those that every model of the study has.
    random_state : int
        Seed.

    Attributes
    ----------
    model_ : object
        The fitted model.
    """

    def __init__(self, name: str, n_components: int = 5, random_state: int = 0):
        self.name = name
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: None = None) -> OwnModel:
        """Fit the model to spectra, shape (n, n_features), and check that it keeps the rules.

        Raises
        ------
        ReplicationError
            If the class lacks a method, or the model breaks a rule.
        """
        made = own_model.load(self.name)
        for method in ("fit", "transform", "inverse_transform"):
            if not callable(getattr(made, method, None)):
                raise self._fault(f"has no method {method}. Add it")
        self.n_features_in_ = np.shape(X)[1]
        self.model_ = made(**self._accepted(made))
        self.model_.fit(np.array(X))
        self._check(np.array(X[: 2 * N_CHECKED]))
        return self

    def _accepted(self, made):
        """Return those of the parameters of the study that the class takes."""
        offered = {"n_components": self.n_components, "random_state": self.random_state}
        taken = inspect.signature(made).parameters.values()
        if any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken):
            return offered
        return {each.name: offered[each.name] for each in taken if each.name in offered}

    def _check(self, spectra):
        """Refuse a model whose codes say more than the latents of one spectrum by itself."""
        first, second = np.array_split(spectra, 2)
        together = self.transform(spectra)[: len(first)]
        latents = self.transform(first[::-1])[::-1]
        if not _is_alike(latents, together):
            raise self._fault(
                "encodes a spectrum otherwise when others are beside it, so that held-out pixels "
                "would see each other. Encode each by itself"
            )
        decoded = self.inverse_transform(latents)
        # Whatever it keeps of the spectra encoded last, is of others from here on.
        self.transform(second)
        if not _is_alike(self.inverse_transform(latents[::-1])[::-1], decoded):
            raise self._fault(
                "decodes the same latents into other spectra the second time. Decode from the "
                "latents alone"
            )

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return the latents of spectra, shape (n, n_latents), float32 or float64.

        Raises
        ------
        ReplicationError
            If they are too many, are not finite, or have another shape.
        """
        latents = self._array(self.model_.transform(np.array(X)), "transform", len(X))
        if latents.shape[1] > self.n_components:
            raise self._fault(
                f"has {latents.shape[1]} latents, where every model of the study has "
                f"{self.n_components}. Take n_components in __init__, and keep to it"
            )
        return latents

    def inverse_transform(self, Z: ArrayLike) -> np.ndarray:
        """Return the spectra of latents, shape (n, n_features), float32 or float64.

        Raises
        ------
        ReplicationError
            If they are not finite or have another shape.
        """
        spectra = self._array(
            self.model_.inverse_transform(np.array(Z)), "inverse_transform", len(Z)
        )
        if spectra.shape[1] != self.n_features_in_:
            raise self._fault(
                f"decodes spectra of {spectra.shape[1]} values, expected {self.n_features_in_}. "
                "Return spectra as those fitted to"
            )
        return spectra

    def _array(self, values, method, n_rows):
        """Return what a method gave as an array of floating-point numbers."""
        values = np.asarray(values)
        if values.ndim != 2 or len(values) != n_rows or not values.shape[1]:
            raise self._fault(
                f"returns an array of shape {values.shape} from {method}, expected "
                f"({n_rows}, any). Return one row for each row given"
            )
        if values.dtype.kind not in "fiu" or not np.isfinite(values).all():
            raise self._fault(
                f"returns values from {method} that are not finite numbers. Return real numbers "
                "without NaN"
            )
        return values if values.dtype in (np.float32, np.float64) else values.astype(np.float64)

    def _fault(self, text):
        return ReplicationError(f"{own_model.label(self.name)}: the model {text}.")

    @cached_property
    def weights_(self) -> dict[str, np.ndarray]:
        """The learned arrays of the model: its attributes that are arrays of numbers."""
        attributes = vars(self.model_).items()
        return {
            name: value
            for name, value in attributes
            if isinstance(value, np.ndarray) and value.dtype.kind in "fiu"
        }

    @property
    def n_parameters_(self) -> int:
        """Number of fitted numbers: what the model says, or else the size of its arrays."""
        counted = sum(value.size for value in self.weights_.values())
        return int(getattr(self.model_, "n_parameters_", counted))


def _is_alike(values, expected):
    return np.abs(values - expected).max() <= ROUNDING * max(np.abs(expected).max(), 1e-12)
