"""Evidence for steps: marginal likelihoods against a second computation, and known truths.

Also how prevalent a mechanism is.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_t

from replicate.causal import evidence, known_truth, maps
from replicate.causal.loop_models import MODELS, PARAMETERS, Prior, Quarters, design, natural
from replicate.causal.marginal import LINES, LINES_SD, NOISE, integrate
from replicate.data.twin_physics import voltage_cycle

QUARTERS, STEPS = Quarters.of(voltage_cycle())


def test_only_the_quarters_on_which_loops_switch():
    voltage = voltage_cycle()[STEPS]
    assert len(STEPS) == 49 and np.array_equal(voltage, QUARTERS.voltage)
    assert (voltage[~QUARTERS.rising] <= 0).all() and (np.diff(voltage[~QUARTERS.rising]) < 0).all()
    assert (voltage[QUARTERS.rising] >= 0).all() and (np.diff(voltage[QUARTERS.rising]) > 0).all()


@pytest.mark.parametrize("model", MODELS)
def test_lines_and_noise_are_integrated_out(model, rng):
    """Gaussian lines and inverse gamma noise make the loop a multivariate t, as SciPy has it."""
    u = rng.normal(size=len(PARAMETERS[model]))
    loop = rng.normal(size=49)
    prior = Prior()
    parameters = natural(model, u, prior)
    columns = design(model, parameters, QUARTERS)
    i = np.arange(49)
    together = QUARTERS.rising[:, None] == QUARTERS.rising
    correlation = together * np.tanh(parameters[0]) ** np.abs(i[:, None] - i)
    scale = NOISE[1] / NOISE[0] * (correlation + LINES_SD**2 * columns @ columns.T)
    expected = multivariate_t(columns @ LINES, scale, df=2 * NOISE[0]).logpdf(loop)
    assert integrate(model, u, loop, QUARTERS, prior).log_likelihood == pytest.approx(
        expected, rel=1e-6
    )


def test_two_steps_just_resolved_have_two_peaks():
    loop = known_truth.draw_loops("two", 200, 0.0, np.random.default_rng(2))[:, QUARTERS.rising]
    assert np.isfinite(loop).all()
    parameters = natural("two", np.array([0, 0, 0, -1.0, -1.0, 1, 1, 0]), Prior())
    step = design("two", parameters, QUARTERS)[QUARTERS.rising, 2]
    slope = np.diff(step)
    assert np.count_nonzero((slope[1:-1] > slope[:-2]) & (slope[1:-1] > slope[2:])) == 2


def test_derivatives_of_a_quadratic():
    matrix = np.array([[2.0, 0.5, 0], [0.5, 3, -1], [0, -1, 4]])
    u = np.array([[1.0, -2, 0.5]])
    _, gradient, hessian = evidence.derivatives(
        lambda each: -np.einsum("...i,ij,...j->...", each, matrix, each) / 2, u
    )
    np.testing.assert_allclose(gradient, -u @ matrix, rtol=1e-6)
    np.testing.assert_allclose(hessian[0], -matrix, rtol=1e-4, atol=1e-4)


def test_one_step_is_told_from_two_where_the_truth_is_known():
    assert known_truth.synthetic_evidence(0.025)["accuracy"] >= 0.95


def test_the_mechanism_of_a_fresh_twin_is_told():
    assert known_truth.twin_evidence(211, n=20)["accuracy"] >= 0.95


def test_laplace_is_near_nested_sampling():
    pytest.importorskip("dynesty", reason="the causal libraries are not installed")
    loop = known_truth.draw_loops("one", 1, 0.025, np.random.default_rng(5))
    fits = evidence.laplace(loop, QUARTERS)
    log_evidence, error = evidence.nested("one", loop[0], QUARTERS, n_live=60)
    assert abs(fits["one"].log_evidence[0] - log_evidence) < 3 + error


def test_what_is_believed_changes_with_the_data():
    loops = known_truth.draw_loops("two", 40, 0.01, np.random.default_rng(3))
    log_evidence = evidence.stacked(evidence.laplace(loops, QUARTERS))
    strongest = loops[np.argmax(evidence.log_bayes_factor(log_evidence))]
    believed, coercive = evidence.arrival(strongest, QUARTERS, [4, 49])
    assert 0.2 < believed[0] < 0.8 and believed[1] > 0.99
    assert coercive[0, 1] > 3 * coercive[1, 1], "the rising quarter was not known at first"


def test_a_model_predicts_its_own_loops():
    loop = known_truth.draw_loops("one", 1, 0.02, np.random.default_rng(4))
    fit = evidence.laplace(loop, QUARTERS)["one"]
    drawn = evidence.replicate_loops("one", fit, 0, loop[0], QUARTERS, np.random.default_rng(0))
    assert np.abs(drawn.mean(axis=0) - loop[0]).max() < 0.1
    assert 0.01 < (drawn - drawn.mean(axis=0)).std() < 0.05


def test_the_map_is_made_once(tmp_path, monkeypatch):
    loops = known_truth.draw_loops("one", 3, 0.02, np.random.default_rng(6))
    path = tmp_path / "evidence.npz"
    first = maps.evidence_map(loops, QUARTERS, path)
    monkeypatch.setattr(evidence, "laplace", None)
    np.testing.assert_array_equal(maps.evidence_map(loops, QUARTERS, path), first)
    with pytest.raises(TypeError):
        maps.evidence_map(loops, QUARTERS, path, Prior().scaled(2))


def test_prevalence_and_what_blocks_know(rng):
    """Blocks of one kind say as much as one pixel each; exchangeable pixels would claim more."""
    blocks = np.repeat(np.arange(100), 36)
    kind = np.repeat(rng.random(100) < 0.3, 36)
    odds = np.where(kind, 4.0, -4.0) + rng.normal(size=len(kind))
    in_blocks = maps.prevalence(odds, blocks)
    interval = in_blocks["high"] - in_blocks["low"]
    assert in_blocks["low"] < 0.3 < in_blocks["high"]
    assert in_blocks["mean"] == pytest.approx(kind.mean(), abs=0.03)
    assert interval > 3 * 2 * 1.96 * in_blocks["sd"]
    shuffled = maps.prevalence(rng.permutation(odds), blocks)
    assert shuffled["high"] - shuffled["low"] < interval / 3


def test_the_prevalence_is_updated_row_by_row(rng):
    odds = rng.normal(3, 1, 400) * rng.choice([-1, 1], 400, p=[0.8, 0.2])
    rows = np.repeat(np.arange(20), 20)
    after_each_row = maps.updated(odds, rows)
    assert len(after_each_row) == 20
    assert after_each_row[-1] == pytest.approx(maps.prevalence(odds, rows)["mean"])
