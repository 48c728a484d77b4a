"""A run's key hashes the modules that its task, its model and its reader import, and no others."""

from __future__ import annotations

from functools import partial

import pytest

from replicate.provenance import Sources
from replicate.running import code, execute
from replicate.study.job import Job

STUDY = Sources(scan="simulated twin", picture="sample photograph")


def modules(dataset, model, provenance=None):
    """Return the modules behind a run of the smoke profile, as names without the package."""
    config = execute.configuration(Job("smoke", dataset, model, 0), STUDY)
    if provenance is not None:
        config["provenance"] = {"spectra": provenance}
    names = code.modules_behind(code.roots_of(config))
    return {name.partition(".")[2] for name in names}


def forget():
    code.imported.cache_clear()
    code._hash_of.cache_clear()


@pytest.fixture
def touched(monkeypatch):
    """Return a function that runs another while one module of the package has another content."""
    path = code._path

    def with_change(module, function, tmp_path):
        changed = tmp_path / f"{module}.py"
        changed.write_bytes(path(module).read_bytes() + b"\n# Changed.\n")
        read = code._read
        monkeypatch.setattr(
            code, "_read", lambda file: (changed if file == path(module) else file).read_bytes()
        )
        forget()
        try:
            return function()
        finally:
            monkeypatch.setattr(code, "_read", read)
            forget()

    return with_change


def key(dataset, model):
    return execute.configuration(Job("smoke", dataset, model, 0), STUDY)["code"]


@pytest.mark.parametrize(
    ("module", "dataset", "model", "matters"),
    [
        ("replicate.models.training", "beps", "lstm_vae", True),
        ("replicate.models.training", "beps", "pca", False),
        ("replicate.models.dense_vae", "beps", "dense_vae", True),
        ("replicate.models.dense_vae", "beps", "lstm_vae", False),
        ("replicate.tasks.toy", "toy", "pca", True),
        ("replicate.tasks.toy", "beps", "pca", False),
        ("replicate.analysis.loops", "beps_heldout", "pca", True),
        ("replicate.analysis.loops", "toy", "pca", False),
        ("replicate.tasks.searches", "toy", "dictionary_learning", True),
        ("replicate.tasks.searches", "toy", "pca", False),
        ("replicate.data.twin", "beps", "pca", True),  # the scan is simulated here
        ("replicate.data.user_scan.scan_file", "beps", "pca", False),
        ("replicate.data.user_scan.usid", "beps", "pca", False),
        ("replicate.data.remote.fetch", "beps", "pca", False),
        ("replicate.study.family", "beps", "lstm_vae", False),
        ("replicate.catalogue", "beps", "lstm_vae", False),
    ],
)
def test_a_change_of_code_makes_those_runs_stale_that_it_concerns(
    touched, tmp_path, module, dataset, model, matters
):
    now = key(dataset, model)
    then = touched(module, partial(key, dataset, model), tmp_path)
    assert (then != now) == matters
    assert key(dataset, model) == now


def test_a_scan_of_ones_own_depends_on_its_reader_and_the_study_does_not():
    own = modules("beps", "pca", "own scan 0123456789ab")
    assert {"data.user_scan.scan_file", "data.user_scan.usid"} <= own
    assert not any(name.startswith("data.user_scan") for name in modules("beps", "pca"))
    assert not any(name.startswith("data.user_scan") for name in modules("beps", "pca", "measured"))


def test_what_fits_and_what_is_fitted_is_always_among_them():
    assert {"running.evaluate", "tasks.scan", "tasks.physics", "models.linear"} <= modules(
        "beps", "pca"
    )
    assert {"models.lstm_vae", "models.autoencoder", "models.network"} <= modules("toy", "lstm_vae")
