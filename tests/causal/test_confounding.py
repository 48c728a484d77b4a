"""Row and domain are told apart where it is known which a map follows.

Planted paradoxes are found, and none is found in noise.
"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from replicate.causal import confounding
from replicate.causal.pixels import Pixels
from replicate.data import twin
from replicate.data.heldout import square_blocks


@pytest.fixture(scope="module")
def pixels():
    return Pixels.of(twin.simulate(215))


def test_bands_are_told_from_the_loops(pixels):
    assert roc_auc_score(pixels.scan.truth["band"].ravel(), pixels.band) > 0.95


def test_the_band_score_leaves_out_a_pixels_own_row():
    values = np.zeros((12, 12))
    values[5] = 1
    score = confounding.band_score(values.ravel(), (12, 12)).reshape(12, 12)
    assert np.abs(score[5]).max() == 0 and score[8].max() > 0


def test_latents_follow_what_they_were_made_from(pixels):
    truth = {name: values.ravel().astype(float) for name, values in pixels.scan.truth.items()}
    noise = np.random.default_rng(0).normal(size=(2, len(pixels.rows)))
    latents = np.column_stack(
        [truth["drift"] + 0.3 * noise[0], truth["mechanism"] + 0.2 * noise[1], noise[0]]
    )
    drift, mechanism, chance = confounding.follow(
        latents,
        pixels.descriptors["saturation"],
        pixels.descriptors["resonance_mean"],
        pixels.scan.shape,
    )
    assert drift["follows"] == "row"
    assert drift["row_beyond_domain"] > 0.5 > 0.05 > drift["domain_beyond_row"]
    assert mechanism["follows"] == "domain" and mechanism["domain_beyond_row"] > 0.5
    assert chance["follows"] == "neither"
    assert abs(drift["resonance_given_row"]) < abs(drift["resonance"]) / 3


def test_a_planted_paradox_is_found_and_noise_has_none(rng):
    blocks = square_blocks((30, 30))
    rows = confounding.rows_of((30, 30))
    bands = rng.integers(0, 5, 900)
    x = bands + rng.normal(size=900)
    values = {
        "x": x,
        "y": 3.0 * bands - 1.2 * x + 0.5 * rng.normal(size=900),
        "z": rng.normal(size=900),
    }
    searched = confounding.reversals(values, rows, bands, blocks)
    assert searched["looks"] == 9
    paradoxes = searched["found"]
    assert {tuple(paradox["pair"]) for paradox in paradoxes} == {("x", "y")}
    assert paradoxes[0]["survives"]
    assert paradoxes[0]["pooled"]["value"] > 0 > paradoxes[0]["within"]["value"]


def test_weighted_correlations(rng):
    scores = rng.normal(size=(50, 3))
    weights = rng.integers(0, 3, (1, 50))
    expected = np.corrcoef(np.repeat(scores, weights[0], axis=0).T)
    np.testing.assert_allclose(confounding.correlations(scores, weights)[0], expected, atol=1e-12)


def test_a_block_is_a_square_of_neighbours():
    blocks = square_blocks((12, 18)).reshape(12, 18)
    assert len(np.unique(blocks)) == 6
    for top in (0, 6):
        for left in (0, 6, 12):
            block = blocks[top : top + 6, left : left + 6]
            assert (block == block[0, 0]).all() and (blocks == block[0, 0]).sum() == 36
