"""Raw band-excitation spectra in a file of USID: an oscillator is fitted to each of them.

The spectra of a scan take minutes to hours to measure and seconds to fit. The fit is kept in the
cache, so that it is made once for a file and not by every run.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from replicate.cache import cache_folder
from replicate.data.raw import band_excitation, sho
from replicate.data.raw.band_excitation import Oscillator, response
from replicate.data.raw.clean import interpolate
from replicate.errors import ReplicationError
from replicate.files import file_hash, read_npz, write_npz

#: About so many bytes of spectra are read at a time.
BLOCK_BYTES = 32 << 20

#: Seconds to fit one value of a spectrum: 345 600 spectra of 80 bins took 9 s.
SECONDS_A_VALUE = 9 / (345_600 * 80)

#: A pixel with a larger share of spectra that show no line is blank.
LARGEST_GAP = 0.25


class Layout(NamedTuple):
    """Where the spectra of the steps that are taken stand in a main dataset.

    Attributes
    ----------
    columns : ndarray of int, shape (n_steps, n_bins)
        The column of each value.
    frequency : ndarray of shape (n_bins,)
        In rising order, in the unit of the file.
    voltages : ndarray of shape (n_steps,)
        V.
    """

    columns: np.ndarray
    frequency: np.ndarray
    voltages: np.ndarray


def layout(taken: np.ndarray, frequencies: np.ndarray, voltages: np.ndarray) -> Layout:
    """Find the spectra among the columns of a main dataset.

    Parameters
    ----------
    taken : ndarray of bool, shape (n_columns,)
        The columns of the field and the cycle that are wanted.
    frequencies, voltages : ndarray of shape (n_columns,)
        Of each column; voltages in V.

    Raises
    ------
    ReplicationError
        If the columns are not whole spectra of one band.
    """
    columns = np.flatnonzero(taken)
    band = np.unique(frequencies[columns])
    if len(columns) % len(band):
        raise ReplicationError(
            f"{len(columns)} values are not whole spectra of {len(band)} frequencies. "
            "Export the loops instead."
        )
    # The frequency varies fastest, or slowest.
    steps = columns.reshape(-1, len(band))
    if len(np.unique(frequencies[steps[0]])) < len(band):
        steps = columns.reshape(len(band), -1).T
    order = np.argsort(frequencies[steps], axis=1)
    steps = np.take_along_axis(steps, order, axis=1)
    if np.any(frequencies[steps] != band) or np.any(voltages[steps] != voltages[steps[:, :1]]):
        raise ReplicationError(
            "its frequencies do not run through the same band at every voltage. "
            "Export the loops instead."
        )
    return Layout(steps, band, voltages[steps[:, 0]])


def loops(item: Any, places: Layout) -> tuple[np.ndarray, np.ndarray, str]:
    """Return the loops that an oscillator fit of raw spectra gives.

    A spectrum without a line above the noise is filled from its neighbours in the loop, as missing
    points of the paper's data are. A pixel with too many of them is blank.

    Parameters
    ----------
    item : h5py.Dataset
        Complex, shape (n_pixels, n_columns).
    places : Layout

    Returns
    -------
    response : ndarray of shape (n_pixels, n_steps)
        A cos(phi + theta), with the angle of Section 2 of the paper.
    resonance : ndarray of shape (n_pixels, n_steps)
        In the unit of the frequencies.
    note : str
        What was fitted, how well, and what was left out.
    """
    fitted = _fit(item, places)
    oscillator = Oscillator(*(fitted[name] for name in Oscillator._fields))
    missing = np.isnan(oscillator.amplitude)
    blank = missing.mean(axis=1) > LARGEST_GAP
    values = sho.on_one_axis(oscillator.amplitude, oscillator.phase, places.voltages)
    filled = [_filled(each, missing, blank) for each in (values, oscillator.resonance)]
    n_filled = np.count_nonzero(missing[~blank])
    note = (
        f"an oscillator fitted to {missing.size} raw spectra, median R2 "
        f"{np.nanmedian(fitted['r2']):.3f}; {np.count_nonzero(missing)} show no line, of which "
        f"{n_filled} are filled from their neighbours; {np.count_nonzero(blank)} pixels with more "
        "than a quarter of such are blank"
    )
    return *filled, note


def _filled(values, missing, blank):
    """Return loops, (n_pixels, n_steps), with their gaps filled, and NaN where a pixel is blank."""
    whole = np.full(values.shape, np.nan)
    whole[~blank] = interpolate(values[~blank], missing[~blank])
    return whole


def _fit(item, places):
    """Return the parameters of every spectrum and its R2 by name, from the cache if they are there.

    Each has the shape (n_pixels, n_steps).
    """
    path = cache_folder() / "fits" / f"{_key(item, places)}.npz"
    if path.exists():
        try:
            return read_npz(path)
        except ReplicationError:  # a damaged copy is made anew
            path.unlink()
    shape = (len(item), len(places.voltages))
    fitted = {name: np.empty(shape) for name in (*Oscillator._fields, "r2")}
    start = time.perf_counter()
    with tqdm(total=shape[0] * shape[1], desc="oscillators", unit="fit", disable=None) as bar:
        for here, spectra in _blocks(item, places):
            oscillator, _ = sho.fit(places.frequency, spectra)
            for name, values in zip(Oscillator._fields, oscillator):
                fitted[name][here] = values
            fitted["r2"][here] = _r2(spectra, places.frequency, oscillator)
            bar.update(spectra.shape[0] * spectra.shape[1])
    seconds = time.perf_counter() - start
    tqdm.write(f"{bar.total} oscillators fitted in {seconds:.0f} s", file=sys.stderr)
    write_npz(path, **fitted)
    return fitted


def _key(item, places):
    """Return a name for the fit of some columns of a dataset: it is another one for other code."""
    parts = [
        file_hash(item.file.filename),
        *(file_hash(Path(module)) for module in (sho.__file__, band_excitation.__file__, __file__)),
        item.name,
        places.columns.tolist(),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _blocks(item, places) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield some pixels, and their spectra, (n, n_steps, n_bins), complex128."""
    first, last = places.columns.min(), places.columns.max() + 1
    n_pixels = max(1, BLOCK_BYTES // ((last - first) * 16))
    for start in range(0, len(item), n_pixels):
        here = slice(start, start + n_pixels)
        block = item[here, first:last].astype(np.complex128)
        yield here, block[:, places.columns - first]


def _r2(spectra, frequency, oscillator):
    """Return the share of the variance of each spectrum that its fit explains."""
    mean = spectra.mean(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        left = np.sum(np.abs(spectra - response(frequency, oscillator)) ** 2, axis=-1)
        return 1 - left / np.sum(np.abs(spectra - mean) ** 2, axis=-1)


def cost(item: Any, places: Layout) -> str:
    """Return in words how many values there are to fit, and about how long that takes."""
    n_values = len(item) * places.columns.size
    seconds = max(1, round(n_values * SECONDS_A_VALUE))
    return f"{n_values} values, fitted when it is run, in about {seconds} s"
