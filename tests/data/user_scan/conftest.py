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


@pytest.fixture(scope="session")
def write_main():
    """Return the function that writes a main dataset of USID."""
    return _write_main


def _write_main(group, name, values, spectroscopic, quantity="Piezoresponse", shape=None):
    """Write a main dataset as BGlib lays it out, X fastest; `spectroscopic` is label, unit, row."""
    rows, columns = shape
    position = np.array([(row, column) for row in range(rows) for column in range(columns)])
    labels, units, table = zip(*spectroscopic)
    table = np.array(table, dtype=float)
    indices = np.array([np.unique(row, return_inverse=True)[1] for row in table])
    parts = {
        "Position_Indices": (position.astype(np.uint32), ["Y", "X"], ["um", "um"]),
        "Position_Values": (position.astype(float), ["Y", "X"], ["um", "um"]),
        "Spectroscopic_Indices": (indices.astype(np.uint32), labels, units),
        "Spectroscopic_Values": (table, labels, units),
    }
    group[name] = values
    group[name].attrs.update(quantity=np.bytes_(quantity), units="V")
    for part, (content, part_labels, part_units) in parts.items():
        group[part] = content
        group[part].attrs["labels"] = np.array(part_labels, dtype="S")
        group[part].attrs["units"] = np.array(part_units, dtype="S")
        group[name].attrs[part] = group[part].ref
