"""Measures of disentanglement on codes whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from scipy.stats import rankdata
from sklearn.metrics import mutual_info_score

from replicate.analysis.disentanglement import (
    dci,
    disentangled,
    mutual_information_gap,
    nonlinear_r2,
    random_rotations,
    rotated_gap,
    sap,
)
from replicate.numbers.kinds import KINDS

N = 2000


def measure(latents, factors):
    """Return every measure by name."""
    return {
        "mig": mutual_information_gap(latents, factors),
        "sap": sap(latents, factors),
        "nonlinear_r2": nonlinear_r2(latents, factors),
        **dci(latents, factors),
    }


@pytest.fixture(scope="module")
def factors():
    return np.random.default_rng(0).uniform(size=(N, 3))


@pytest.fixture(scope="module")
def perfect(factors):
    return measure(factors, factors)


def test_a_perfect_code(perfect):
    assert set(perfect) == {
        "mig",
        "sap",
        "nonlinear_r2",
        "disentanglement",
        "completeness",
        "informativeness",
    }
    assert all(0.95 < value <= 1 for value in perfect.values())


def test_all_measures_by_the_names_of_their_metrics(factors):
    latents = factors + 0.3 * factors[:, [1, 2, 0]]
    measured = disentangled(latents, factors)
    expected = measure(latents, factors)
    assert measured == {
        "mig": expected["mig"],
        "mig_rotated": rotated_gap(latents, factors),
        "sap": expected["sap"],
        "factors_r2": expected["nonlinear_r2"],
        "dci_disentanglement": expected["disentanglement"],
        "dci_completeness": expected["completeness"],
        "dci_informativeness": expected["informativeness"],
    }
    better = {name: KINDS[name].better for name in measured}
    assert better.pop("mig_rotated") == "none"
    assert set(better.values()) == {"higher"}


def test_a_constant_code(factors):
    assert measure(np.full((N, 4), 0.1), factors) == dict.fromkeys(
        measure(np.zeros((N, 1)), factors), 0.0
    )


def test_a_code_of_noise(factors):
    measured = measure(np.random.default_rng(1).normal(size=(N, 3)), factors)
    assert all(value < 0.05 for value in measured.values())


def test_a_duplicated_code(factors):
    """Two latents a factor: nothing is lost, each latent is pure, but none is the only one."""
    measured = measure(np.hstack([factors, factors]), factors)
    assert measured["mig"] == pytest.approx(0, abs=1e-12)
    assert measured["sap"] == pytest.approx(0, abs=1e-12)
    assert (
        min(measured["informativeness"], measured["nonlinear_r2"], measured["disentanglement"])
        > 0.95
    )
    # Shared evenly by two of six latents: 1 - log 2 / log 6.
    assert measured["completeness"] == pytest.approx(0.613, abs=0.05)


def test_a_rotated_code(factors):
    """By a sixth of a turn about the grey diagonal, latents share each factor as 4 : 4 : 1."""
    diagonal = np.ones(3) / np.sqrt(3)
    rotation = Rotation.from_rotvec(np.pi / 3 * diagonal)
    latents = (factors - 0.5) @ rotation.as_matrix()
    measured = measure(latents, factors)
    assert min(measured["informativeness"], measured["nonlinear_r2"]) > 0.85
    assert max(measured["mig"], measured["sap"]) < 0.05
    assert max(measured["disentanglement"], measured["completeness"]) < 0.5


def test_a_code_that_lacks_one_factor(factors):
    measured = measure(factors[:, :2], factors)
    for name in ("mig", "sap", "nonlinear_r2", "informativeness"):
        assert measured[name] == pytest.approx(2 / 3, abs=0.03)


def test_latents_that_say_nothing_change_little(factors, perfect):
    """A constant channel and one of noise beside a perfect code."""
    noise = np.random.default_rng(1).normal(size=(N, 1))
    measured = measure(np.hstack([factors, noise, np.zeros((N, 1))]), factors)
    assert measured == pytest.approx(perfect, abs=0.02)


def test_order_and_sign_of_the_latents_do_not_matter(factors, perfect):
    assert measure(-factors[:, [2, 0, 1]], factors) == pytest.approx(perfect, abs=2e-3)


def test_a_monotone_function_matters_to_sap_alone(factors, perfect):
    measured = measure(np.exp(5 * factors), factors)
    assert measured.pop("sap") < 0.8
    others = {name: value for name, value in perfect.items() if name != "sap"}
    assert measured == pytest.approx(others, abs=5e-3)


def test_any_linear_scale_leaves_sap_alone(factors):
    latents = factors + 0.3 * factors[:, [1, 2, 0]]
    assert sap(latents * [1e-6, -1, 1e6] + 7, factors) == pytest.approx(
        sap(latents, factors), rel=1e-6
    )


def test_mutual_information_of_a_code_by_hand():
    """A factor of four values has two bits; a latent with one bit leaves half as the gap."""
    factor = np.repeat(np.arange(4), 100).astype(float)[:, None]
    assert mutual_information_gap(factor, factor) == pytest.approx(1)
    assert mutual_information_gap(np.hstack([factor, factor // 2]), factor) == pytest.approx(0.5)
    assert mutual_information_gap(factor // 2, factor) == pytest.approx(0.5)


def test_mutual_information_is_scikit_learn_s(rng):
    """The gap from the mutual information of a library, of latents that share two factors."""
    factors = rng.random((2000, 2))
    latents = factors @ rng.normal(size=(2, 3)) + 0.1 * rng.normal(size=(2000, 3))

    def bins(values):
        return (rankdata(values, axis=0) - 0.5) * 20 // len(values)

    information = [
        [mutual_info_score(factor, latent) for latent in bins(latents).T]
        for factor in bins(factors).T
    ]
    entropies = [mutual_info_score(factor, factor) for factor in bins(factors).T]
    gaps = [np.diff(np.sort(row)[-2:])[0] / own for row, own in zip(information, entropies)]
    assert mutual_information_gap(latents, factors) == pytest.approx(np.mean(gaps), rel=1e-9)


def test_sap_by_hand(rng):
    latents, factors = rng.normal(size=(50, 3)), rng.normal(size=(50, 2))
    squared = np.sort(np.corrcoef(latents.T, factors.T)[:3, 3:] ** 2, axis=0)
    assert sap(latents, factors) == pytest.approx(np.mean(squared[2] - squared[1]))


def test_the_same_bits_again(factors):
    latents = factors + 0.1 * factors[:, [1, 2, 0]]
    assert measure(latents, factors) == measure(latents, factors)


@pytest.mark.parametrize("function", [mutual_information_gap, sap, dci, nonlinear_r2])
@pytest.mark.parametrize(
    ("latents", "factors", "message"),
    [
        (np.zeros((9, 2)), np.eye(10), "inconsistent"),
        (np.full((10, 2), np.nan), np.eye(10), "NaN"),
        (np.zeros((10, 2)), np.eye(10)[:, [0, 1]] * [1, 0], "does not vary"),
    ],
)
def test_what_cannot_be_measured(function, latents, factors, message):
    with pytest.raises(ValueError, match=message):
        function(latents, factors)


def test_the_gap_of_chance_is_between_none_and_that_of_a_perfect_code(factors):
    assert rotated_gap(factors[:, :1], factors[:, :1]) == pytest.approx(1), "nothing to rotate"
    by_chance = rotated_gap(factors, factors)
    assert 0.05 < by_chance < 0.5
    assert by_chance == rotated_gap(factors, factors), "the same rotations again"


@pytest.mark.parametrize("n", [2, 3, 5])
def test_random_rotations_are_rotations(n):
    rotations = random_rotations(n, 40)
    np.testing.assert_allclose(
        rotations @ rotations.transpose(0, 2, 1), np.tile(np.eye(n), (40, 1, 1)), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(rotations), 1)


def test_random_rotations_favour_no_direction():
    """Entries have the mean and the variance of those of a uniform rotation: 0 and 1/n."""
    entries = random_rotations(3, 20_000)
    np.testing.assert_allclose(entries.mean(axis=0), 0, atol=0.02)
    np.testing.assert_allclose(entries.var(axis=0), 1 / 3, atol=0.01)


def test_random_rotations_are_those_of_the_published_numbers():
    """The first ones that `scipy.stats.special_ortho_group` of SciPy 1.15 draws from seed 0."""
    expected = [[-0.97522402, -0.22121958], [0.22121958, -0.97522402]]
    np.testing.assert_allclose(random_rotations(2, 20)[0], expected, atol=1e-8)
