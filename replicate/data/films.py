"""Two more films, on which the claims are tried that do not need the paper's own sample.

They are read as scans of the user's own are, each by fixed choices. Neither choice is tuned to what
models score.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from replicate.data import sources
from replicate.data.remote.fetch import fetch
from replicate.data.remote.manifest import read_manifest
from replicate.data.user_scan.reading import Reading
from replicate.files import read_npy
from replicate.provenance import Sources

#: Steps of the two cycles of the film `pto_110`, and its greatest voltage, about so many V: the
#: file does not have its voltages.
CYCLES, GREATEST = (49, 50), 8.0


class Film(NamedTuple):
    """A film: its name for readers, and how its file is read."""

    label: str
    reading: Reading


def triangle(n_steps: int, greatest: float) -> np.ndarray:
    """Return one bipolar cycle of the voltage, V, shape (n_steps,), from 0 up."""
    return greatest * np.interp(np.arange(n_steps) / n_steps, (0, 0.25, 0.75, 1), (0, 1, -1, 0))


_VOLTAGES = np.concatenate([triangle(n_steps, GREATEST) for n_steps in CYCLES])

#: The films by their key in the manifest.
FILMS = {
    "pto_beps": Film("PbTiO₃, BEPS", Reading(blank_outliers=True)),
    "pto_110": Film("PbTiO₃ (110)", Reading(voltages=tuple(_VOLTAGES.tolist()), cycle=1)),
}


def bring(key: str) -> Sources:
    """Fetch the file of a film, check it, and return its provenance, that of a scan one brings.

    Raises
    ------
    DataUnavailable
        If the file cannot be had.
    """
    return sources.bring(fetch(read_manifest()[key]), FILMS[key].reading)


def two_cycles() -> tuple[np.ndarray, np.ndarray]:
    """Return the loops of both cycles of `pto_110`, each of shape (n_pixels, 49), as in the file.

    The second cycle has one step more. It is the one without which the two are most alike, by the
    correlation of the median pixel.
    """
    loops = read_npy(fetch(read_manifest()["pto_110"])).astype(np.float64)
    first, second = np.split(loops.reshape(-1, sum(CYCLES)), [CYCLES[0]], axis=1)
    shorter = [np.delete(second, step, axis=1) for step in range(CYCLES[1])]
    return first, max(shorter, key=lambda cycle: np.median(correlations(first, cycle)))


def correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the correlation of each row of two arrays, (n, n_steps), as an array of shape (n,)."""
    first, second = (rows - rows.mean(axis=1, keepdims=True) for rows in (first, second))
    sizes = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return np.sum(first * second, axis=1) / sizes
