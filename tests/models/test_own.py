"""A model of the user's own: it is held to the rules, and nothing of it is run to look at it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

from replicate import own_model
from replicate.errors import ReplicationError
from replicate.models.own import OwnModel
from replicate.running import evaluate

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "quadratic_pca.py"

#: A linear model of two latents. `{0}` stands at the start of each method of the name.
FILE = """
import numpy as np

class Mine:
    def __init__(self{init}):
        pass

    def fit(self, X):
        {fit}
        self.mean = X.mean(axis=0)
        self.axes = np.linalg.svd(X - self.mean, full_matrices=False)[2][:2]

    def transform(self, X):
        {transform}
        return (X - self.mean) @ self.axes.T

    def inverse_transform(self, Z):
        {inverse}
        return Z @ self.axes + self.mean
"""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("REPLICATE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def spectra(rng):
    """Spectra of two components and some noise, so that two latents nearly suffice."""
    return (rng.normal(size=(120, 2)) @ rng.normal(size=(2, 12))).astype(np.float32)


def brought(folder, **parts):
    """Bring a model with these lines in its methods, and return its name."""
    path = folder / "mine.py"
    lines = {"init": "", "fit": "", "transform": "", "inverse": ""} | parts
    path.write_text(FILE.format(**lines))
    return own_model.bring(f"{path}:Mine")


def test_it_is_known_by_class_and_file(tmp_path):
    first, second = brought(tmp_path), brought(tmp_path, fit="# changed")
    assert first.startswith("own_Mine_") and second.startswith("own_Mine_") and first != second
    assert own_model.is_own(first) and not own_model.is_own("pca")
    assert own_model.own_among(["pca", second, first, first]) == sorted({first, second})
    assert own_model.label(first) != own_model.label(second)


def test_a_sound_model_is_fitted_and_has_its_arrays(tmp_path, spectra):
    model = clone(OwnModel(brought(tmp_path), n_components=2)).fit(spectra)
    np.testing.assert_allclose(
        model.inverse_transform(model.transform(spectra)), spectra, atol=1e-4
    )
    assert model.n_parameters_ == 3 * 12
    assert set(evaluate.weights(model)) == {"mean", "axes"}


def test_it_gets_seed_and_latents_where_it_takes_them(tmp_path, spectra):
    name = brought(tmp_path, init=", n_components, random_state=5")
    made = OwnModel(name, n_components=2, random_state=3)
    assert made._accepted(own_model.load(name)) == {"n_components": 2, "random_state": 3}
    assert made.fit(spectra).transform(spectra).shape == (120, 2)


@pytest.mark.parametrize(
    ("parts", "fault"),
    [
        ({"transform": "return X"}, "has 12 latents"),
        ({"transform": "return (X - X.mean(axis=0)) @ self.axes.T"}, "others are beside it"),
        ({"transform": "return X[:3]"}, "from transform, expected"),
        ({"transform": "return np.full((len(X), 1), np.nan)"}, "not finite"),
        ({"transform": "return np.full((len(X), 1), 'a')"}, "not finite"),
        ({"inverse": "return Z"}, "decodes spectra of 2 values"),
        ({"inverse": "return np.random.normal(size=(len(Z), 12))"}, "the second time"),
        # The spectra are passed on beside the latents.
        ({"transform": "self.last = X", "inverse": "return self.last"}, "the second time"),
    ],
)
def test_what_breaks_a_rule_is_refused(tmp_path, spectra, parts, fault):
    name = brought(tmp_path, **parts)
    with pytest.raises(ReplicationError, match=fault):
        OwnModel(name, n_components=2).fit(spectra)


def test_the_spectra_fitted_to_cannot_be_changed(tmp_path, spectra):
    before = spectra.copy()
    OwnModel(brought(tmp_path, fit="X *= 0; X += np.eye(*X.shape)", transform="X += 1"), 2).fit(
        spectra
    )
    np.testing.assert_array_equal(spectra, before)


def test_a_class_without_a_method_is_refused(tmp_path, spectra):
    path = tmp_path / "half.py"
    path.write_text("class Half:\n    def fit(self, X): pass\n")
    with pytest.raises(ReplicationError, match="no method transform"):
        OwnModel(own_model.bring(f"{path}:Half")).fit(spectra)


@pytest.mark.parametrize(
    ("content", "place", "fault"),
    [
        (None, "missing.py:Mine", "cannot be read"),
        (b"class Mine: pass", "mine.py", "my_model.py:MyModel"),
        (b"class Mine: pass", "mine.py:Other", "It has Mine"),
        (b"x = 1", "mine.py:Mine", "It has no class"),
        (b"class Mine pass", "mine.py:Mine", "line 1 is no Python"),
        (b"\xff\xfe", "mine.py:Mine", "UTF-8"),
        (b"\0", "mine.py:Mine", "no Python"),
    ],
)
def test_a_file_that_is_no_model_is_refused(tmp_path, content, place, fault):
    if content is not None:
        (tmp_path / "mine.py").write_bytes(content)
    with pytest.raises(ReplicationError, match=fault):
        own_model.bring(str(tmp_path / place))


def test_nothing_is_executed_where_the_file_is_brought(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Mine: pass\n")
    own_model.load(own_model.bring(f"{path}:Mine"))
    assert (tmp_path / "ran").exists()
    (tmp_path / "ran").unlink()
    own_model.bring(f"{path}:Mine")
    assert not (tmp_path / "ran").exists()


def test_another_copy_than_the_one_named_is_not_run(tmp_path, cache):
    name = brought(tmp_path)
    (copy,) = (cache / "models").iterdir()
    copy.write_text(copy.read_text() + "\n# edited")
    with pytest.raises(ReplicationError, match="Run with --model"):
        own_model.load(name)


def test_the_example_bends():
    """Spectra that are quadratic in one number need its square, which PCA of one latent lacks."""
    number = np.linspace(-1, 1, 120)[:, None]
    square = 0.1 * number**2 @ (np.arange(12) - 5.5)[None]
    curves = np.float32(number @ np.ones((1, 12)) + square)
    model = OwnModel(own_model.bring(f"{EXAMPLE}:QuadraticPCA"), n_components=1).fit(curves)
    errors = model.inverse_transform(model.transform(curves)) - curves
    mean, axis = curves.mean(axis=0), model.model_.pca_.components_
    linear = mean + (curves - mean) @ axis.T @ axis - curves
    assert np.mean(errors**2) < 0.2 * np.mean(linear**2)
