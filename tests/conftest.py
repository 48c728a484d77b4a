"""What every test shares: the pinned arithmetic of one thread, and one seed."""

from __future__ import annotations

import os
import random
import sys

from replicate import arithmetic

# Before NumPy is loaded.
arithmetic.pin()

import hypothesis  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402

SEED = int(os.environ.get("REPLICATE_TEST_SEED", "0"))

hypothesis.settings.register_profile("fixed", derandomize=True, deadline=None)
hypothesis.settings.load_profile("fixed")


@pytest.fixture(autouse=True)
def seed():
    """Seed every global generator; a failing test shows how to run it again."""
    print(f"seed {SEED}; to reproduce: REPLICATE_TEST_SEED={SEED} pytest ...")
    random.seed(SEED)
    np.random.seed(SEED)  # noqa: NPY002 - libraries draw from the global generator
    if mxnet := sys.modules.get("mxnet"):
        mxnet.random.seed(SEED)
    return SEED


@pytest.fixture
def rng(seed):
    """Return a generator of its own for each test."""
    return np.random.default_rng(seed)
