"""The sign by which a latent is drawn: the same for a run and for its mirror image."""

import types

import numpy as np
import pytest

from figures.shared import common
from replicate.data import sources


@pytest.fixture(scope="module")
def scan():
    return sources.load_scan("simulated twin")


def run_with(latents):
    return types.SimpleNamespace(arrays={"latents": latents})


def test_mirror_images_are_drawn_alike(scan):
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(len(scan.spectra), 4))
    for component in range(4):
        one = common.sign(run_with(latents), scan, component)
        other = common.sign(run_with(-latents), scan, component)
        assert {one, other} == {1, -1}


def test_a_latent_grows_with_the_loops(scan):
    size = np.ptp(scan.channel("piezoresponse"), axis=1)[:, np.newaxis]
    latents = np.hstack([size - size.mean(), size.mean() - size, size.max() - size])
    signs = [common.sign(run_with(latents), scan, component) for component in range(3)]
    assert signs == [1, -1, 1], "a code that is never below 0 is drawn as it is"
