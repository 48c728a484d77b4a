"""Other films: the claims keep their rules there, and the floor is that of a known noise."""

from __future__ import annotations

import re

import numpy as np
import pytest

from benchmarks import carry, claims
from benchmarks.store import Store
from replicate import seals
from replicate.data import films
from replicate.study.job import N_FOLDS


def test_each_film_gets_the_same_runs():
    listed = carry.jobs()
    assert len(set(listed)) == len(listed)
    linear = [job for job in listed if job.model in carry.LINEAR and job.dataset == "beps_heldout"]
    assert {job.fold for job in linear} == set(range(N_FOLDS))
    assert {job.seed for job in listed if job.is_network} == {0}
    assert {job.seed for job in carry.jobs(3) if job.is_network} == {0, 1, 2}


def test_the_rules_are_those_of_the_ledger():
    """On the paper's own numbers they give the published verdicts."""
    metrics = Store().metrics()["metrics"]
    of_scan = {name: entry for name, entry in metrics.items() if name.startswith("beps")}
    verdicts = carry.judged(of_scan)
    names = {
        claim["id"]: sum(map(claims.names_of, claim["conditions"]), []) for claim in claims.read()
    }
    for claim in filter(carry.is_portable, claims.read()):
        if names[claim["id"]] and all(name in of_scan for name in names[claim["id"]]):
            assert verdicts[claim["id"]] == claim["verdict"], claim["id"]
        if names[claim["id"]] and all(name.startswith("toy") for name in names[claim["id"]]):
            assert verdicts[claim["id"]] == "not testable"


def test_a_cycle_of_the_voltage():
    volts = films.triangle(8, 2.0)
    np.testing.assert_allclose(volts, [0, 1, 2, 1, 0, -1, -2, -1])


@pytest.fixture
def measured_twice(rng, monkeypatch):
    """Two noisy measurements of 300 smooth loops; the second has one step more."""
    phase = np.arange(49) / 49
    loops = rng.normal(size=(300, 3)) @ np.stack(
        [np.sin(2 * np.pi * (k + 1) * phase) for k in range(3)]
    )
    first, second = (loops + 0.1 * rng.normal(size=loops.shape) for _ in range(2))
    both = np.concatenate([first, np.insert(second, 20, 50.0, axis=1)], axis=1)
    monkeypatch.setattr(films, "read_manifest", lambda: {"pto_110": None})
    monkeypatch.setattr(films, "fetch", lambda file: None)
    monkeypatch.setattr(films, "read_npy", lambda path: both.reshape(20, 15, 99))
    return first, second


def test_the_step_that_one_cycle_has_more_is_found(measured_twice):
    first, second = films.two_cycles()
    np.testing.assert_array_equal(first, measured_twice[0])
    np.testing.assert_array_equal(second, measured_twice[1])
    assert np.mean((first - second) ** 2) / 2 == pytest.approx(0.01, rel=0.05), "the noise"


def test_correlations_are_those_of_numpy(rng):
    first, second = rng.normal(size=(2, 5, 9))
    expected = [np.corrcoef(*pair)[0, 1] for pair in zip(first, second)]
    np.testing.assert_allclose(films.correlations(first, second), expected)


def test_the_page_is_written_from_the_record():
    record = seals.read(carry.RECORD)
    page = (carry.ROOT / carry.PAGE).read_text(encoding="utf-8")
    assert carry.section(record) in page
    floor = re.search(r"Floor: (\d\.\d+)", page).group(1)
    assert float(floor) == pytest.approx(record["repeat"]["floor"], abs=1e-4)
