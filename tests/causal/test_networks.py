"""Graphs where the truth is known, the case in which LiNGAM must fail, and Simpson's paradox."""

from __future__ import annotations

import numpy as np
import pytest

from replicate.causal import known_truth, networks

for _name in ("lingam", "causallearn"):
    pytest.importorskip(_name, reason="the causal libraries are not installed")

CHAIN = np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]])
COLLIDER = np.array([[0, 0, 1], [0, 0, 1], [0, 0, 0]])


def drawn(graph, rng, n=2000, uniform=True):
    shape = (n, len(graph))
    noise = rng.uniform(-1, 1, shape) if uniform else rng.normal(size=shape)
    return networks.simulate(0.9 * graph, noise)


def test_distance_counts_pairs():
    assert networks.hamming(CHAIN, CHAIN) == 0
    assert networks.hamming(CHAIN, CHAIN.T) == 2
    assert networks.hamming(CHAIN, networks.skeleton(CHAIN)) == 2
    assert networks.hamming(CHAIN, np.zeros_like(CHAIN)) == 2


def test_a_chain_has_no_direction_but_a_collider_has():
    np.testing.assert_array_equal(networks.equivalence(CHAIN), networks.skeleton(CHAIN))
    np.testing.assert_array_equal(networks.equivalence(COLLIDER), COLLIDER)


@pytest.mark.parametrize("graph", [CHAIN, COLLIDER])
def test_both_searches_find_three_variables(graph, rng):
    np.testing.assert_array_equal(networks.direct_lingam(drawn(graph, rng)), graph)
    np.testing.assert_array_equal(
        networks.pc(drawn(graph, rng, uniform=False)), networks.equivalence(graph)
    )


def test_what_comes_first_has_no_cause(rng):
    values = drawn(CHAIN, rng, uniform=False)
    np.testing.assert_array_equal(networks.pc(values, first=(0,)), CHAIN)
    assert not networks.direct_lingam(values, first=(0,))[:, 0].any()


def test_known_graphs_and_where_lingam_must_fail():
    assert known_truth.known_graphs("uniform", 1000, repeats=5)["lingam"] <= 0.5
    gaussian = known_truth.known_graphs("Gaussian", 3600, repeats=5)
    assert gaussian["lingam"] >= 4 > gaussian["pc"]


def test_simpsons_paradox_with_its_cause_seen_and_hidden():
    effects = known_truth.simpson(seeds=5)
    assert effects["naive"] > 0.4
    assert effects["hidden"] >= 0
    assert effects["hidden_right"] == 0
    assert effects["seen"] == pytest.approx(-0.5, abs=0.1)


def test_simpsons_paradox_on_a_fresh_twin():
    correlations = known_truth.twin_simpson(213)
    assert correlations["pooled"] > 0 > correlations["within_band_score"]


def test_nothing_is_found_where_nothing_is(rng):
    values = networks.placebo(drawn(np.triu(np.ones((6, 6)), 1), rng, 900), rng)
    assert not networks.pc(values).any() and not networks.direct_lingam(values).any()


def test_whole_blocks_are_drawn(rng):
    blocks = np.repeat(np.arange(20), 9)
    one = networks.block_sample(blocks, 1, rng)
    assert len(one) == 20 and len(np.unique(blocks[one])) < 20
    whole = networks.block_sample(blocks, 9, rng)
    assert len(whole) == 180 and (np.bincount(blocks[whole], minlength=20) % 9 == 0).all()


def test_a_fresh_twins_graph_from_one_pixel_a_block():
    search = known_truth.twin_graph(214, per_block=1)
    assert search["distance"] <= 4 and search["found"] >= 2
