"""``python -m replicate clean RAW.mat OUT.npz``: prepared arrays from raw loops, and what was repaired, pixel by pixel."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from replicate.data.raw import clean
from replicate.data.raw.matlab import open_raw
from replicate.errors import ReplicationError
from replicate.files import atomic_path, file_hash, write_npz

LOOPS_AT_ONCE = 4096
COLUMNS = ("channel", "row", "column", "step", "why", "old", "new")


def repairs_path(out):
    """Return where the list of repaired points goes."""
    return Path(out).with_suffix(".repairs.csv")


def clean_file(raw, out, resonance_limits=None):
    """Clean and standardise every channel of a raw file, in memory that does not grow with the scan.

    Parameters
    ----------
    raw, out : path-like
        A MATLAB file, and the `.npz` to write: for each channel an array (n_pixels, n_steps), float64, in z-scores, and ``channels``,
        ``shape``, ``voltages`` (n_channels, n_steps) in V, ``mean`` and ``std`` in the units of the file, ``sha256`` of the raw file.
        Beside it `repairs_path` is written. Both appear whole at the end, or neither.
    resonance_limits : tuple of float, optional
        Lowest and highest credible resonance, kHz, also where the file is in Hz; `clean.RESONANCE_LIMITS_KHZ` where None.

    Returns
    -------
    list of str
        A summary, a line or two for each channel.

    Raises
    ------
    ReplicationError
        If the raw file is not usable, or the results cannot be written.
    """
    raw, out = Path(raw), Path(out)
    if out.suffix != ".npz":
        raise ReplicationError(f"{out}: the name must end in .npz.")
    low, high = limits = tuple(resonance_limits or clean.RESONANCE_LIMITS_KHZ)
    if not 0 < low < high:
        raise ReplicationError(
            f"--resonance-limits: {low:g} {high:g}, expected two increasing numbers above 0, in kHz."
        )
    with open_raw(raw) as scan, atomic_path(repairs_path(out)) as repairs:
        try:
            return _clean_scan(scan, limits, repairs, out)
        except OSError as error:
            raise ReplicationError(
                f"{out}: cannot be written ({error.strerror}). Free some space, or choose another folder."
            ) from error


def _clean_scan(scan, resonance_limits, repairs, out):
    pd.DataFrame(columns=COLUMNS).to_csv(repairs, index=False)
    arrays, levels, summary = {}, [], []
    # Next to the result: there is room for as much again, which a temporary folder in memory may not have.
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
        for channel in scan.channels:
            values = np.lib.format.open_memmap(
                Path(scratch) / f"{channel}.npy",
                mode="w+",
                dtype=np.float64,
                shape=(int(np.prod(scan.shape)), scan.n_steps),
            )
            limits = (
                _limits_in_file_unit(scan, resonance_limits) if channel == "resonance" else None
            )
            summary += _clean_channel(scan, channel, limits, values, repairs)
            try:
                levels.append(clean.standardise(values))
            except ReplicationError as error:
                raise ReplicationError(f"{scan.path}: {channel}: {error}") from error
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


def _limits_in_file_unit(scan, limits):
    first = scan.rows("resonance", 0, 1)
    finite = first[np.isfinite(first)]
    in_hertz = finite.size and np.median(finite) > 30 * limits[1]
    return tuple(1000 * limit for limit in limits) if in_hertz else limits


def _clean_channel(scan, channel, limits, values, repairs):
    """Clean one channel into `values`, append its repairs to the list, and return its summary."""
    rows, columns = scan.shape
    counts, constant = np.zeros(len(clean.REASONS), dtype=int), 0
    at_once = max(1, LOOPS_AT_ONCE // columns)
    with tqdm(total=rows, desc=channel, unit="row", delay=2, disable=None) as bar:
        for start in range(0, rows, at_once):
            old = scan.rows(channel, start, min(start + at_once, rows)).reshape(-1, scan.n_steps)
            new, reasons = _clean_block(scan, channel, old, limits, start * columns)
            values[start * columns :][: len(new)] = new
            counts += np.bincount(reasons.ravel(), minlength=len(counts))
            constant += np.count_nonzero(np.ptp(new, axis=1) == 0)
            listed = _list_repairs(channel, start, columns, old, new, reasons)
            listed.to_csv(repairs, mode="a", header=False, index=False, na_rep="nan")
            bar.update(len(new) // columns)
    found = [
        f"{count} {reason}"
        for reason, count in zip(clean.REASONS, counts)
        if count and reason != clean.REASONS[clean.KEPT]
    ]
    summary = [
        f"{channel}: {len(values)} loops of {scan.n_steps} steps; points replaced: {', '.join(found)}"
    ]
    return summary + [f"{channel}: {constant} loops are constant"] * bool(constant)


def _clean_block(scan, channel, loops, limits, first):
    def name(loop):
        return "row {}, column {}".format(*divmod(first + loop, scan.shape[1]))

    try:
        return clean.clean(loops, limits, name)
    except ReplicationError as error:
        hint = "" if limits is None else " Another cantilever needs other --resonance-limits."
        raise ReplicationError(f"{scan.path}: {channel}: {error}{hint}") from error


def _list_repairs(channel, first_row, columns, old, new, reasons):
    loop, step = np.nonzero(reasons)
    row, column = np.divmod(loop, columns)
    why = np.array(clean.REASONS)[reasons[loop, step]]
    content = (channel, first_row + row, column, step, why, old[loop, step], new[loop, step])
    return pd.DataFrame(dict(zip(COLUMNS, content)))
