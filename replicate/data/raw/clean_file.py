"""The command ``python -m replicate clean RAW.mat OUT.npz``.

It makes prepared arrays from raw loops, and lists what was repaired, point by point.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from replicate import temporary
from replicate.data.raw import clean
from replicate.data.raw.matlab import RawScan, open_raw
from replicate.errors import ReplicationError
from replicate.files import atomic_path, file_hash, write_npz

#: About how many loops are cleaned at once, so that memory does not grow with the scan.
LOOPS_AT_ONCE = 4096

#: The columns of the list of repairs: where a point is, why it was replaced, and both values.
COLUMNS = ("channel", "row", "column", "step", "why", "old", "new")

#: A resonance above this many times the highest credible one in kHz is taken to be in Hz.
HERTZ_FACTOR = 30


def repairs_path(out: str | Path) -> Path:
    """Return the path of the list of repaired points that is written beside the arrays `out`."""
    return Path(out).with_suffix(".repairs.csv")


def clean_file(
    raw: str | Path, out: str | Path, resonance_limits: tuple[float, float] | None = None
) -> list[str]:
    """Clean and standardise every channel of a raw file, in memory that does not grow with it.

    Parameters
    ----------
    raw : path-like
        A MATLAB file; see `replicate.data.raw.matlab`.
    out : path-like
        The `.npz` file to write. For each channel it has an array (n_pixels, n_steps), float64, in
        z-scores; a pixel without a measurement is NaN at all steps. It also has ``channels``,
        ``shape``, ``voltages`` (n_channels, n_steps) in V, ``mean`` and ``std`` of each channel in
        the units of the file, and ``sha256`` of the raw file. The list of repairs is written beside
        it, at `repairs_path`. Both files appear whole at the end, or neither does.
    resonance_limits : tuple of float, optional
        Lowest and highest credible resonance, kHz, also for a file in Hz;
        `clean.RESONANCE_LIMITS_KHZ` by default.

    Returns
    -------
    list of str
        A summary of one or two lines for each channel.

    Raises
    ------
    ReplicationError
        If the raw file cannot be used, the limits are not in order, or the results cannot be
        written.
    """
    raw, out = Path(raw), Path(out)
    if out.suffix != ".npz":
        raise ReplicationError(f"{out}: the name must end in .npz.")
    limits = tuple(resonance_limits or clean.RESONANCE_LIMITS_KHZ)
    low, high = limits
    if not 0 < low < high:
        raise ReplicationError(
            f"--resonance-limits: {low:g} {high:g}, "
            "expected two increasing numbers above 0, in kHz."
        )
    with open_raw(raw) as scan:
        try:
            with atomic_path(repairs_path(out)) as repairs:
                return _clean_scan(scan, limits, repairs, out)
        except (OSError, ReplicationError) as error:
            cause = error if isinstance(error, OSError) else error.__cause__
            # SciPy raises one without a number where the raw file is damaged.
            if not isinstance(cause, OSError) or cause.errno is None:
                raise
            raise ReplicationError(
                f"{out}: cannot be written ({cause.strerror}). "
                "Free some space, or choose another folder for OUT.npz."
            ) from error


def _clean_scan(scan: RawScan, resonance_limits, repairs: Path, out: Path) -> list[str]:
    """Write the cleaned channels to `out` and their repairs to `repairs`; return the summary."""
    pd.DataFrame(columns=COLUMNS).to_csv(repairs, index=False)
    arrays, levels, summary = {}, [], []
    # The folder of the result has room for as much again, which a temporary folder in memory may
    # not have.
    with temporary.folder_beside(out) as scratch:
        for channel in scan.channels:
            values = np.lib.format.open_memmap(
                Path(scratch) / f"{channel}.npy",
                mode="w+",
                dtype=np.float64,
                shape=(int(np.prod(scan.shape)), scan.n_steps),
            )
            limits = None
            if channel == "resonance":
                limits = _limits_in_unit_of_file(scan, resonance_limits)
            lines, measured = _clean_channel(scan, channel, limits, values, repairs)
            summary += lines
            try:
                levels.append(clean.standardise(values[: len(measured)]))
            except ReplicationError as error:
                raise ReplicationError(f"{scan.path}: {channel}: {error}") from error
            _spread(values, measured)
            arrays[channel] = values
        mean, std = np.transpose(levels)
        write_npz(
            out,
            **arrays,
            channels=np.array(scan.channels),
            shape=np.array(scan.shape),
            voltages=scan.voltages,
            mean=mean,
            std=std,
            sha256=np.array(file_hash(scan.path)),
        )
    return summary


def _limits_in_unit_of_file(scan, limits):
    """Return limits in kHz in the unit of the file, which is Hz where its values are that large."""
    first_row = scan.rows("resonance", 0, 1)
    finite = first_row[np.isfinite(first_row)]
    is_in_hertz = finite.size and np.median(finite) > HERTZ_FACTOR * limits[1]
    if is_in_hertz:
        return tuple(1000 * limit for limit in limits)
    return limits


def _clean_channel(scan, channel, limits, values, repairs):
    """Clean one channel, and append its repairs to the list.

    Loops with a measurement are written to the beginning of `values`, without gaps. The summary is
    returned, and the indices of the pixels of these loops.
    """
    rows, columns = scan.shape
    measured = []
    counts = np.zeros(len(clean.REASONS), dtype=int)
    n_constant = 0
    rows_at_once = max(1, LOOPS_AT_ONCE // columns)
    with tqdm(total=rows, desc=channel, unit="row", delay=2, disable=None) as bar:
        for start in range(0, rows, rows_at_once):
            stop = min(start + rows_at_once, rows)
            old = scan.rows(channel, start, stop).reshape(-1, scan.n_steps)
            pixels = start * columns + np.flatnonzero(np.isfinite(old).any(axis=1))
            old = old[pixels - start * columns]
            new, reasons = _clean_block(scan, channel, old, limits, pixels)
            values[len(measured) :][: len(new)] = new
            measured += pixels.tolist()
            counts += np.bincount(reasons.ravel(), minlength=len(counts))
            n_constant += np.count_nonzero(np.ptp(new, axis=1) == 0)
            block_repairs = _list_repairs(channel, pixels, columns, old, new, reasons)
            block_repairs.to_csv(repairs, mode="a", header=False, index=False, na_rep="nan")
            bar.update(stop - start)
    shape = (len(measured), scan.n_steps)
    summary = _summarise(channel, shape, counts, n_constant)
    blank = np.setdiff1d(np.arange(rows * columns), measured)
    if blank.size:
        summary.append(f"{channel}: {_blank_pixels(blank, columns)}")
    return summary, np.array(measured, dtype=int)


def _blank_pixels(pixels, columns):
    """Return a line on the pixels, by their indices, that have no measurement."""
    places = [f"row {pixel // columns}, column {pixel % columns}" for pixel in pixels[:5]]
    if len(pixels) > 5:
        places.append("...")
    counted = "1 pixel has" if len(pixels) == 1 else f"{len(pixels)} pixels have"
    return f"{counted} no measurement, and stay blank: {'; '.join(places)}"


def _spread(values, pixels):
    """Move the first loops of `values`, in place, to their pixels; the other pixels become NaN."""
    if len(pixels) == len(values):
        return
    for stop in range(len(pixels), 0, -LOOPS_AT_ONCE):
        start = max(0, stop - LOOPS_AT_ONCE)
        # A pixel never lies before its loop, so that no loop is lost that has not been moved.
        values[pixels[start:stop]] = values[start:stop].copy()
    values[np.setdiff1d(np.arange(len(values)), pixels)] = np.nan


def _clean_block(scan, channel, loops, limits, pixels):
    """Clean some loops of a channel, which are those of some pixels, by their indices."""

    def name_loop(loop):
        row, column = divmod(int(pixels[loop]), scan.shape[1])
        return f"row {row}, column {column}"

    try:
        return clean.clean(loops, limits, name_loop)
    except ReplicationError as error:
        hint = "" if limits is None else " Another cantilever needs other --resonance-limits."
        raise ReplicationError(f"{scan.path}: {channel}: {error}{hint}") from error


def _list_repairs(channel, pixels, columns, old, new, reasons):
    """Return a table of the points that were replaced in the loops of some pixels."""
    loop, step = np.nonzero(reasons)
    row, column = np.divmod(pixels[loop], columns)
    why = np.array(clean.REASONS)[reasons[loop, step]]
    content = (channel, row, column, step, why, old[loop, step], new[loop, step])
    return pd.DataFrame(dict(zip(COLUMNS, content)))


def _summarise(channel, shape, counts, n_constant):
    """Return a line on the repairs of a channel, and a second where it has constant loops."""
    n_loops, n_steps = shape
    replaced = ", ".join(
        f"{count} {reason}"
        for index, (count, reason) in enumerate(zip(counts, clean.REASONS))
        if count and index != clean.KEPT
    )
    summary = [f"{channel}: {n_loops} loops of {n_steps} steps; points replaced: {replaced}"]
    if n_constant:
        summary.append(f"{channel}: {n_constant} loops are constant")
    return summary
