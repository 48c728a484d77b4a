"""Dictionary learning.

It is held against scikit-learn's other solvers, and against the conditions that define each kind
of code.
"""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from sklearn import decomposition
from sklearn.base import clone
from sklearn.linear_model import Lasso
from sklearn.utils.estimator_checks import parametrize_with_checks

from replicate.models.dictionary import (
    DictionaryLearning,
    OMPDictionaryLearning,
    PositiveDictionaryLearning,
    authors_rms,
    code_by_lasso,
    lambda_search,
)


@pytest.fixture(scope="module")
def spectra():
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 3)) @ rng.normal(size=(3, 12)) + 0.05 * rng.normal(size=(60, 12))


@pytest.fixture(scope="module")
def dictionary(spectra):
    return DictionaryLearning(n_components=3, alpha=0.4, transform_alpha=1.1, max_iter=100).fit(
        spectra
    )


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(
    [
        DictionaryLearning(n_components=2, max_iter=20),
        DictionaryLearning(alpha=0.5, transform_alpha=0.2, max_iter=20),
        OMPDictionaryLearning(n_components=2, max_iter=20),
        PositiveDictionaryLearning(n_components=2, max_iter=20),
    ]
)
def test_scikit_learn_convention(estimator, check):
    check(estimator)


def lasso_codes(spectra, atoms, penalty, positive=False):
    """Return codes that minimise 0.5 ||x - D g||^2 + penalty ||g||_1.

    They come from scikit-learn's other lasso, spectrum by spectrum.
    """
    lasso = Lasso(
        alpha=penalty / atoms.shape[1],
        fit_intercept=False,
        tol=1e-12,
        max_iter=100_000,
        positive=positive,
    )
    return np.array([lasso.fit(atoms.T, spectrum).coef_ for spectrum in spectra])


@pytest.mark.parametrize(
    ("transform_alpha", "penalty"), [(1.1, 1.1), (None, 0.4), (0.0625, 0.0625)]
)
def test_spectra_are_coded_with_the_penalty_that_is_stated(
    dictionary, spectra, transform_alpha, penalty
):
    model = clone(dictionary).set_params(transform_alpha=transform_alpha)
    model.components_ = dictionary.components_
    model.n_features_in_ = dictionary.n_features_in_
    np.testing.assert_allclose(
        model.transform(spectra), lasso_codes(spectra, dictionary.components_, penalty), atol=2e-3
    )


def test_codes_satisfy_the_conditions_of_a_minimum(dictionary, spectra):
    """The codes are at the minimum of the lasso.

    Where a code is not 0, the correlation of its atom with the residual is the penalty; elsewhere
    it is smaller.
    """
    codes = dictionary.transform(spectra)
    correlation = (spectra - dictionary.inverse_transform(codes)) @ dictionary.components_.T
    used = codes != 0
    assert 0.1 < used.mean() < 0.95
    np.testing.assert_allclose(correlation[used], 1.1 * np.sign(codes[used]), atol=5e-3)
    assert np.abs(correlation[~used]).max() <= 1.1 + 5e-3


@pytest.mark.parametrize("penalty", [0.01, 0.3, 1.0, 1e6])
def test_all_spectra_at_once_are_coded_as_scikit_learn_codes_them_one_by_one(
    dictionary, spectra, penalty
):
    atoms = dictionary.components_
    spectra = spectra.astype(np.float64)
    codes = code_by_lasso(spectra, atoms, penalty)
    expected = decomposition.sparse_encode(
        spectra, atoms.astype(np.float64), algorithm="lasso_cd", alpha=penalty, max_iter=1000
    )
    np.testing.assert_allclose(codes, expected, atol=1e-9)


def test_spectra_of_nothing_and_atoms_of_nothing_have_no_codes(dictionary):
    atoms = np.vstack([dictionary.components_, np.zeros_like(dictionary.components_[:1])])
    codes = code_by_lasso(np.vstack([np.zeros_like(atoms[:1]), 5 * atoms[:1]]), atoms, 0.1)
    assert not codes[0].any() and not codes[:, -1].any() and codes[1].any()


def test_fit_transform_codes_with_the_stated_penalty_too(dictionary, spectra):
    np.testing.assert_array_equal(
        clone(dictionary).fit_transform(spectra), dictionary.transform(spectra)
    )


def test_fitting_does_not_depend_on_the_coding_penalty(dictionary, spectra):
    other = clone(dictionary).set_params(transform_alpha=0.01).fit(spectra)
    np.testing.assert_array_equal(other.components_, dictionary.components_)
    assert (other.transform(spectra) != 0).mean() > (dictionary.transform(spectra) != 0).mean()


def test_atoms_are_in_the_unit_ball(dictionary):
    assert np.linalg.norm(dictionary.components_, axis=1) == pytest.approx(1, abs=1e-6)


def test_inverse_is_a_sum_of_atoms(dictionary, rng):
    codes = rng.normal(size=(5, 3))
    by_hand = [sum(code * atom for code, atom in zip(row, dictionary.components_)) for row in codes]
    np.testing.assert_allclose(dictionary.inverse_transform(codes), by_hand)
    np.testing.assert_allclose(dictionary.inverse_transform(np.eye(3)), dictionary.components_)


def test_what_the_paper_does_not_state_is_scikit_learn_s_default():
    theirs = inspect.signature(decomposition.DictionaryLearning).parameters
    ours = DictionaryLearning()
    stated = (
        "n_components",
        "fit_algorithm",
        "transform_algorithm",
        "transform_max_iter",
        "random_state",
    )
    assert {name: getattr(ours, name) for name in theirs if name not in stated} == {
        name: parameter.default for name, parameter in theirs.items() if name not in stated
    }


@pytest.fixture(scope="module")
def pursuit(spectra):
    return OMPDictionaryLearning(3, alpha=0.4, transform_n_nonzero_coefs=3, max_iter=100).fit(
        spectra
    )


def test_pursuit_learns_the_same_atoms(pursuit, dictionary):
    np.testing.assert_allclose(pursuit.components_, dictionary.components_, atol=1e-6)


def test_pursuit_of_all_atoms_is_least_squares(pursuit, spectra):
    expected = np.linalg.lstsq(pursuit.components_.T, spectra.T, rcond=None)[0].T
    np.testing.assert_allclose(pursuit.transform(spectra), expected, atol=1e-8)


@pytest.mark.parametrize(("n_components", "n_features", "expected"), [(3, 25, 2), (5, 192, 5)])
def test_pursuit_takes_a_tenth_of_the_features_unless_told(rng, n_components, n_features, expected):
    spectra = rng.normal(size=(30, n_features))
    codes = OMPDictionaryLearning(n_components, max_iter=2).fit_transform(spectra)
    np.testing.assert_array_equal((codes != 0).sum(axis=1), expected)


def test_pursuit_keeps_the_best_single_atom(pursuit, spectra):
    codes = clone(pursuit).set_params(transform_n_nonzero_coefs=1).fit(spectra).transform(spectra)
    overlap = spectra @ pursuit.components_.T
    np.testing.assert_allclose(
        codes,
        np.where(np.abs(overlap) == np.abs(overlap).max(axis=1, keepdims=True), overlap, 0),
        atol=1e-8,
    )


@pytest.fixture(scope="module")
def positive(spectra):
    return PositiveDictionaryLearning(3, alpha=0.4).fit(spectra)


def test_positive_codes_of_atoms_at_right_angles(spectra):
    """Known answer: the part of the overlap with an atom that is beyond the penalty."""
    spectra = np.abs(spectra)
    model = PositiveDictionaryLearning(3, alpha=0.4)
    model.components_, model.n_features_in_ = np.eye(3, 12), 12
    np.testing.assert_allclose(
        model.transform(spectra), np.maximum(spectra[:, :3] - 0.4, 0), atol=1e-12
    )


def test_positive_codes_of_slanted_atoms_may_stop_short(positive, spectra):
    """Codes are never negative, and mostly at the minimum.

    The solver of the authors' choice shrinks the others too much.
    """

    def loss(codes):
        return 0.5 * ((spectra - codes @ positive.components_) ** 2).sum(axis=1) + 0.4 * np.abs(
            codes
        ).sum(axis=1)

    codes, best = (
        positive.transform(spectra),
        lasso_codes(spectra, positive.components_, 0.4, positive=True),
    )
    assert codes.min() == 0 and (codes > 0).any()
    assert (loss(codes) > loss(best) - 1e-9).all()
    assert loss(codes).mean() < 0.8 * loss(np.zeros((60, 3))).mean()
    assert np.median(loss(codes) - loss(best)) < 1e-6


def test_positive_atoms_begin_at_the_cluster_centres(spectra):
    """After one step with no penalty to speak of, separate clusters are their directions."""
    directions = np.eye(3, 12)
    clusters = np.repeat(5 * directions, 20, axis=0) + 0.01 * spectra
    atoms = PositiveDictionaryLearning(3, alpha=1e-3, max_iter=1).fit(clusters).components_
    np.testing.assert_allclose(np.sort(atoms @ directions.T, axis=0)[-1], 1, atol=1e-3)


def test_authors_rms_against_a_direct_computation(spectra):
    """The error of the seeded atoms is computed anew.

    Channels have no mean, and the resonance is multiplied by its unit.
    """
    channels = spectra.reshape(60, 2, 6)
    stacked = ((channels - channels.mean(axis=2, keepdims=True)) * [[1.0], [4.0]]).reshape(60, 12)
    atoms = PositiveDictionaryLearning(3).fit(stacked).components_
    expected = np.sqrt(
        np.mean((stacked - lasso_codes(stacked, atoms, 1.0, positive=True) @ atoms) ** 2)
    )
    assert authors_rms(spectra, 4.0, n_components=3) == pytest.approx(expected, rel=1e-3)


LAMBDAS = (0.1, 0.4, 2.0)


@pytest.fixture(scope="module")
def search(spectra):
    return lambda_search(spectra[:40], spectra[40:], LAMBDAS)


def test_lambda_search_gives_one_value_a_lambda(search):
    assert set(search) == {"lambda", "mse", "mse_coded_at_1", "objective"}
    np.testing.assert_array_equal(search["lambda"], LAMBDAS)
    assert all(values.shape == (3,) and np.isfinite(values).all() for values in search.values())


@pytest.mark.parametrize("index", range(3))
def test_lambda_search_against_a_direct_computation(search, spectra, index):
    train, validation, penalty = spectra[:40], spectra[40:], LAMBDAS[index]
    atoms = DictionaryLearning(3, penalty, penalty, random_state=0).fit(train).components_
    codes = {coding: lasso_codes(validation, atoms, coding) for coding in (penalty, 1.0)}
    left = {coding: validation - codes[coding] @ atoms for coding in codes}
    assert search["mse"][index] == pytest.approx(np.mean(left[penalty] ** 2), rel=1e-2)
    assert search["mse_coded_at_1"][index] == pytest.approx(np.mean(left[1.0] ** 2), rel=1e-2)
    objective = np.mean(
        0.5 * (left[penalty] ** 2).sum(axis=1) + penalty * np.abs(codes[penalty]).sum(axis=1)
    )
    assert search["objective"][index] == pytest.approx(objective, rel=1e-3)


def test_a_greater_penalty_costs_more(search):
    assert (np.diff(search["mse"]) > 0).all()
    assert (np.diff(search["objective"]) > 0).all()


def test_lambda_search_fits_the_training_spectra_only(spectra, monkeypatch):
    fitted = []
    original = DictionaryLearning.fit
    monkeypatch.setattr(
        DictionaryLearning, "fit", lambda self, X: fitted.append(X) or original(self, X)
    )
    lambda_search(spectra[:40], spectra[40:], [2.0])
    assert len(fitted) == 1
    np.testing.assert_array_equal(fitted[0], spectra[:40])
