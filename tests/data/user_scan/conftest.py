"""Loops of a small film, whose values can be computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

SHAPE, STEPS = (6, 7), 24


@pytest.fixture
def volts():
    """Return one cycle of a triangle, V."""
    quarter = np.linspace(0, 10, STEPS // 4, endpoint=False)
    return np.concatenate([quarter, 10 - quarter, -quarter, quarter - 10])


@pytest.fixture
def loops(volts):
    """Return loops of shape (6, 7, 24), each of another width and height."""
    rng = np.random.default_rng(0)
    coercive = rng.uniform(2, 4, (*SHAPE, 1))
    rising = np.diff(volts, append=volts[:1]) > 0
    branch = np.where(rising, volts - coercive, volts + coercive)
    return rng.uniform(0.8, 1.2, (*SHAPE, 1)) * np.tanh(branch) + rng.normal(
        0, 0.02, (*SHAPE, STEPS)
    )
