"""Spatial statistics of maps with known answers: a chequer, a wave, blocks, noise."""

from __future__ import annotations

import numpy as np
import pytest

from replicate.analysis.spatial import morans_i, variance_explained
from replicate.data.heldout import spatial_folds
from replicate.errors import ReplicationError

CHEQUER = np.indices((6, 6)).sum(axis=0) % 2


def by_hand(values, reach):
    """Moran's I from its definition, pixel by pixel; neighbours lie within `reach`, squared."""
    places = np.argwhere(np.ones(values.shape))
    squared = ((places[:, None] - places[None]) ** 2).sum(axis=2)
    weights = (squared > 0) & (squared <= reach)
    deviations = values.ravel() - values.mean()
    covariance = deviations @ weights @ deviations / weights.sum()
    variance = deviations @ deviations / len(places)
    return covariance / variance


@pytest.mark.parametrize(("neighbours", "reach"), [("rook", 1), ("queen", 2)])
def test_moran_is_its_definition(neighbours, reach, rng):
    maps = rng.normal(size=(3, 5, 8))
    np.testing.assert_allclose(morans_i(maps, neighbours), [by_hand(each, reach) for each in maps])
    assert morans_i(7 - 3 * maps[0], neighbours) == pytest.approx(morans_i(maps[0], neighbours))


def test_moran_of_a_chequer_and_of_a_smooth_map():
    assert morans_i(CHEQUER) == pytest.approx(-1)
    assert morans_i(CHEQUER, "queen") == pytest.approx((-60 + 50) / 110)
    assert morans_i(np.sin(np.indices((60, 60)).sum(axis=0) / 10)) > 0.98


@pytest.fixture
def folds():
    return spatial_folds(shape=(36, 36))


def test_variance_is_explained_where_there_is_a_reason(folds, rng):
    area, tilt, other = rng.normal(size=(3, 1296))
    assert variance_explained(np.sin(2 * area) + tilt, {"area": area, "tilt": tilt}, folds) > 0.9
    assert variance_explained(area + other, {"area": area}, folds) == pytest.approx(0.45, abs=0.1)
    assert variance_explained(other, {"area": area, "tilt": tilt}, folds) < 0.02


def test_a_neighbour_does_not_tell(folds, rng):
    """The number of a block explains a map of blocks, but nothing of a block not seen."""
    blocks = np.kron(np.arange(36).reshape(6, 6), np.ones((6, 6), dtype=int)).ravel()
    values = rng.normal(size=36)[blocks]
    assert variance_explained(values, {"block": blocks}, folds) < 0.3
    assert variance_explained(values, {"block": blocks}, np.arange(1296) % 5) > 0.9


@pytest.mark.parametrize(
    "values", [np.ones((4, 4)), np.full((4, 4), np.nan), np.arange(4.0), np.arange(4.0)[None]]
)
def test_maps_that_have_no_structure_to_measure(values):
    with pytest.raises(ReplicationError, match="map: "):
        morans_i(values)


def test_values_that_cannot_be_explained():
    with pytest.raises(ReplicationError, match="no variance"):
        variance_explained(np.ones(10), {"area": np.arange(10.0)}, np.arange(10) % 2)
    with pytest.raises(ReplicationError, match="10 pixels"):
        variance_explained(np.arange(10.0), {"area": np.arange(9.0)}, np.arange(10) % 2)
