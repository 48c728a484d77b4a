"""PCA, ICA, sparse PCA and NMF.

Known answers, the property that makes each model what it is, and every linear model from its stored
arrays.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from replicate.models import linear
from replicate.models.linear import ICA, NMF, PCA, SparsePCA

EVERY_MODEL = [
    getattr(linear, name)(n_components=3) for name in linear.__all__ if name[0].isupper()
]


def error(model, spectra):
    return np.mean((spectra - model.inverse_transform(model.transform(spectra))) ** 2)


@pytest.fixture(scope="module")
def sources():
    """Three independent sources, far from Gaussian."""
    return np.random.default_rng(0).uniform(-1, 1, size=(400, 3))


@pytest.fixture(scope="module")
def spectra(sources):
    rng = np.random.default_rng(1)
    return (sources @ rng.normal(size=(3, 12)) + 0.05 * rng.normal(size=(400, 12))).astype(
        np.float32
    )


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(
    [
        PCA(n_components=1),
        ICA(n_components=1),
        SparsePCA(n_components=1, max_iter=20),
        NMF(n_components=1),
    ]
)
def test_scikit_learn_convention(estimator, check):
    check(estimator)


@pytest.mark.parametrize("model", EVERY_MODEL, ids=lambda model: type(model).__name__)
def test_a_model_is_its_stored_arrays(model, spectra):
    model = clone(model).fit(spectra[:60])
    restored = clone(model)
    restored.n_features_in_ = spectra.shape[1]
    for name in ("components_", "mean_", "explained_variance_", "mixing_", "shift_"):
        if hasattr(model, name):
            setattr(restored, name, getattr(model, name).copy())
    latents = restored.transform(spectra[:20])
    np.testing.assert_allclose(latents, model.transform(spectra[:20]), atol=1e-5)
    np.testing.assert_allclose(
        restored.inverse_transform(latents), model.inverse_transform(latents), atol=1e-5
    )
    assert restored.n_parameters_ == model.n_parameters_


@pytest.mark.parametrize("model", EVERY_MODEL, ids=lambda model: type(model).__name__)
def test_same_seed_same_latents(model, spectra):
    first, second = (
        clone(model).set_params(random_state=1).fit(spectra[:60]).transform(spectra)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)
    assert first.shape == (400, 3)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("model", EVERY_MODEL, ids=lambda model: type(model).__name__)
def test_parameters_are_counted(model, rng):
    """Atoms and, where the model has an offset, one spectrum more."""
    fitted = clone(model).fit(rng.normal(size=(30, 25)))
    assert fitted.n_parameters_ == (3 if "Dictionary" in type(model).__name__ else 4) * 25


@given(st.integers(1, 8))
def test_pca_leaves_the_trailing_singular_values(n_components):
    """Known answer: PCA leaves the sum of the squared singular values beyond its components."""
    spectra = np.random.default_rng(n_components).normal(size=(20, 8))
    model = PCA(n_components).fit(spectra)
    singular = np.linalg.svd(spectra - spectra.mean(axis=0), compute_uv=False)
    left = ((spectra - model.inverse_transform(model.transform(spectra))) ** 2).sum()
    assert left == pytest.approx((singular[n_components:] ** 2).sum(), abs=1e-9)


@pytest.mark.parametrize("n_components", [1, 2, 3])
def test_ica_leaves_what_pca_leaves(spectra, n_components):
    assert error(ICA(n_components).fit(spectra), spectra) == pytest.approx(
        error(PCA(n_components).fit(spectra), spectra), rel=1e-3
    )


def test_ica_finds_the_sources_and_pca_does_not(spectra, sources):
    def match(model):
        """Return the greatest correlation of each source with a latent."""
        return np.abs(np.corrcoef(model.fit_transform(spectra).T, sources.T)[:3, 3:]).max(axis=0)

    assert match(ICA(3)).min() > 0.98
    assert match(PCA(3)).min() < 0.9


def test_sparse_pca_without_a_penalty_is_pca(spectra):
    assert error(SparsePCA(3, alpha=0.0).fit(spectra), spectra) == pytest.approx(
        error(PCA(3).fit(spectra), spectra), rel=0.05
    )


def test_a_penalty_makes_components_sparse_and_costs(spectra):
    models = [SparsePCA(3, alpha).fit(spectra) for alpha in (0.0, 0.1, 0.3)]
    zeros = [np.mean(model.components_ == 0) for model in models]
    assert zeros[0] == 0 and zeros[1] < zeros[2]
    assert np.all(np.diff([error(model, spectra) for model in models]) > 0)


def test_sparse_pca_drops_what_moves_less_than_its_penalty():
    """One source moves four features by 1, 0.5, 0.15 and 0.05 standard deviations.

    The last is dropped, whether there are few or many spectra.
    """
    loadings = np.array([[1, 0.5, 0.15, 0.05]])
    for n in (50, 5000):
        model = SparsePCA(1, alpha=0.1).fit(np.tile([[1.0], [-1.0]], (n // 2, 1)) @ loadings)
        np.testing.assert_array_equal(model.components_ != 0, [[True, True, True, False]])


def test_sparse_pca_codes_are_least_squares(spectra):
    model = SparsePCA(3).fit(spectra)
    expected = np.linalg.lstsq(model.components_.T, (spectra - spectra.mean(axis=0)).T, rcond=None)[
        0
    ].T
    np.testing.assert_allclose(model.transform(spectra), expected, atol=1e-3)


def test_nmf_of_as_many_parts_as_there_are_is_nearly_exact():
    """The offset is recovered too.

    Each part is absent from some spectrum, so the minimum of each feature is shared by all of them.
    """
    rng = np.random.default_rng(2)
    parts, offset = rng.uniform(size=(3, 12)), rng.normal(size=12)
    amounts = rng.exponential(size=(200, 3))
    amounts[0] = 0
    spectra = amounts @ parts + offset
    model = NMF(3).fit(spectra)
    np.testing.assert_allclose(model.shift_, offset)
    assert error(model, spectra) < 1e-4 * spectra.var()


def test_nmf_codes_are_the_best_that_are_not_negative(spectra):
    model = NMF(3).fit(spectra[:200])
    new = spectra[200:] - 0.5
    clipped = np.maximum(new - model.shift_, 0)
    assert (clipped == 0).any()
    codes = model.transform(new)
    expected = [
        nnls(model.components_.T.astype(float), spectrum)[0] for spectrum in clipped.astype(float)
    ]
    assert codes.min() == 0
    np.testing.assert_allclose(codes @ model.components_, expected @ model.components_, atol=0.02)
    np.testing.assert_allclose(
        model.inverse_transform(codes), codes @ model.components_ + model.shift_, rtol=1e-6
    )
