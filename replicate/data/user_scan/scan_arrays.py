"""From the arrays of a user's own file to a `Scan`: what each must be, the voltage cycle, missing pixels, standardisation."""

from __future__ import annotations

import re

import numpy as np

from replicate.data.heldout import ChannelScaler
from replicate.data.scan import Scan, cycle_steps
from replicate.errors import ReplicationError

FIRST = "piezoresponse"
NOT_CHANNELS = ("voltages", "channels", "shape", "size_um")
TAKEN = ("median", "worst", "refined")
"""Words that a channel's name may not begin with: the metrics of some channel would be called like others."""

MIN_PIXELS = 25
MIN_STEPS = 10
"""Steps from one extreme of the voltage to the other, below which a loop cannot be described."""

MIN_HALF = 5
"""Voltages on either side of 0 V, at the least, for the same reason."""


def assemble(arrays, provenance, hashes):
    """Make a `Scan` of the arrays of a file by name.

    Parameters
    ----------
    arrays : dict of str to ndarray
        As `replicate.data.user_scan.scan_file` lists them.
    provenance : str
    hashes : dict of str to str

    Returns
    -------
    Scan

    Raises
    ------
    ReplicationError
        If something is missing, of a wrong shape, or cannot be used.
    """
    channels = _channels(arrays)
    shape = _grid(arrays)
    names = [_metric_name(channel) for channel in channels]
    if len(set(names)) < len(names):
        raise ReplicationError(
            f"channels {', '.join(channels)}: two would have the same name {', '.join(names)}. Rename one."
        )
    n_steps = np.shape(arrays[FIRST])[-1]
    axes = _voltages(arrays, channels, n_steps)
    merged = [
        _merge_repeats(axes[name], _values(arrays, name).reshape(-1, n_steps)) for name in channels
    ]
    for name, (axis, _) in zip(names, merged):
        _check_cycle(name, axis)
    if len({len(axis) for axis, _ in merged}) > 1:
        raise ReplicationError(
            "voltages: the channels do not run through the same cycle, so they cannot be aligned."
        )
    loops = np.stack([own for _, own in merged], axis=1)
    measured = _measured(loops, shape)
    return Scan(
        spectra=_standardised(loops, names, np.flatnonzero(measured), shape),
        shape=shape,
        voltages=np.stack([axis for axis, _ in merged]),
        provenance=provenance,
        channels=tuple(names),
        units=("z-score",) * len(names),
        size_um=_size(arrays),
        hashes=hashes,
        mask=None if measured.all() else measured.reshape(shape),
    )


def _channels(arrays):
    """Return the names of the channels, the piezoresponse first: those listed, or all arrays of the shape of the piezoresponse."""
    if FIRST not in arrays:
        raise ReplicationError(
            f"no array {FIRST!r}. {_contents(arrays)} Call the response that switches {FIRST!r}; of amplitude and phase it is A cos(phi)."
        )
    shape = np.shape(arrays[FIRST])
    found = [
        name
        for name, values in arrays.items()
        if name not in NOT_CHANNELS and np.shape(values) == shape
    ]
    listed = _texts(arrays["channels"]) if "channels" in arrays else found
    for name in (FIRST, *listed):
        if name not in arrays or name not in listed:
            raise ReplicationError(
                f"channels: {', '.join(listed)}: {name!r} is not listed or not there. {_contents(arrays)}"
            )
    return sorted(listed, key=FIRST.__ne__)


def _contents(arrays):
    return f"The file has {', '.join(f'{name} {np.shape(values)}' for name, values in arrays.items()) or 'no arrays'}."


def _texts(values):
    """Return an array of text as a list of str; HDF5 has bytes, MATLAB cells, and blanks at the end."""
    texts = [
        np.ravel(value)[0] if isinstance(value, np.ndarray) and value.size else value
        for value in np.ravel(values).tolist()
    ]
    return [
        (text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)).strip()
        for text in texts
    ]


def _metric_name(channel):
    """Return the name of a channel in metrics: lower-case letters, digits and underscores."""
    name = re.sub(r"[^a-z0-9]+", "_", channel.lower()).strip("_")
    if not name or name.startswith(TAKEN):
        raise ReplicationError(
            f"channel {channel!r}: a name has letters or digits, and does not begin with {', '.join(TAKEN)}. Rename it."
        )
    return name


def _grid(arrays):
    """Return rows and columns."""
    found = np.shape(arrays[FIRST])
    shape = (
        found[:2]
        if len(found) == 3
        else tuple(np.ravel(arrays.get("shape", ())).astype(int).tolist())
    )
    if len(found) not in (2, 3) or len(shape) != 2:
        wanted = "(rows, cols, n_steps), or (n_pixels, n_steps) with an array 'shape' of rows and columns"
        raise ReplicationError(f"{FIRST}: shape {found}, expected {wanted}.")
    if np.prod(shape) != np.prod(found[:-1]):
        raise ReplicationError(
            f"{FIRST}: {found[0]} pixels do not lie on a grid of {shape}. Correct 'shape'."
        )
    if np.prod(shape) < MIN_PIXELS or min(shape) < 2:
        raise ReplicationError(
            f"{FIRST}: a grid of {shape}, expected two rows and columns and {MIN_PIXELS} pixels at least."
        )
    return shape


def _values(arrays, name):
    """Return a channel as float64."""
    values = np.asarray(arrays[name])
    if values.dtype.kind not in "fiu":
        raise ReplicationError(
            f"{name}: {values.dtype} values, expected real numbers; save real parts or amplitudes."
        )
    if values.shape != np.shape(arrays[FIRST]):
        raise ReplicationError(
            f"{name}: shape {values.shape}, expected {np.shape(arrays[FIRST])} as the {FIRST}."
        )
    return values.astype(np.float64)


def _voltages(arrays, channels, n_steps):
    """Return the voltage axis of each channel by its name, as stored, (n_steps,)."""
    if "voltages" not in arrays:
        raise ReplicationError(
            f"no array 'voltages', the voltage of each step in V. {_contents(arrays)}"
        )
    voltages = np.asarray(arrays["voltages"])
    if voltages.dtype.kind not in "fiu" or not np.isfinite(voltages).all():
        raise ReplicationError(
            "voltages: not real numbers, NaN or infinite. Save the voltage of each step in V."
        )
    if voltages.size == n_steps:
        return dict.fromkeys(channels, voltages.astype(np.float64).ravel())
    if voltages.shape != (len(channels), n_steps):
        raise ReplicationError(
            f"voltages: shape {voltages.shape}, expected ({n_steps},) or {(len(channels), n_steps)}."
        )
    if "channels" not in arrays:
        raise ReplicationError(
            "voltages: a row for each channel, but no array 'channels' says which. Add their names in that order."
        )
    return dict(zip(_texts(arrays["channels"]), voltages.astype(np.float64)))


def _size(arrays):
    """Return height and width, um, or None."""
    if "size_um" not in arrays:
        return None
    size = np.ravel(arrays["size_um"])
    if not (size.size == 2 and size.dtype.kind in "fiu" and np.all(np.isfinite(size) & (size > 0))):
        raise ReplicationError(
            "size_um: expected two numbers above 0, height and width of the scan in um."
        )
    return tuple(size.astype(float).tolist())


def _merge_repeats(voltage, values):
    """Average steps beside each other at one voltage, the last and the first among them, into one.

    Parameters
    ----------
    voltage : ndarray, shape (n_steps,)
    values : ndarray, shape (n, n_steps)

    Returns
    -------
    voltage, values
        The same where no step repeats the one before.
    """
    starts = np.flatnonzero(np.abs(voltage - np.roll(voltage, 1)) > 1e-6 * np.ptp(voltage))
    if len(starts) in (0, len(voltage)):
        return voltage, values
    counts = np.diff(starts, append=starts[0] + len(voltage))
    sums = np.add.reduceat(np.roll(values, -starts[0], axis=1), starts - starts[0], axis=1)
    return voltage[starts], sums / counts


def _check_cycle(name, voltage):
    """Refuse a voltage axis, shape (n_steps,), that is not one closed cycle through zero in which loops can be described."""
    steps, turns = cycle_steps(voltage)
    apart = abs(int(np.argmax(voltage)) - int(np.argmin(voltage)))
    least = min(apart, len(voltage) - apart)
    even = np.linspace(voltage.min(), voltage.max(), len(voltage) - least + 1)
    if not voltage.min() < 0 < voltage.max():
        found = f"it goes from {voltage.min():g} to {voltage.max():g} V. Save one from below to above 0 V"
    elif np.abs(steps).max() >= np.ptp(voltage) / 4:
        found = f"it jumps by {np.abs(steps).max():g} V. Save all steps of one cycle, in the order of acquisition"
    elif turns != 2:
        found = f"it turns {turns} times, not twice. Save one cycle, in the order of acquisition"
    elif (
        least < MIN_STEPS
        or min(np.count_nonzero(even <= 0), np.count_nonzero(even >= 0)) < MIN_HALF
    ):
        found = f"{least} steps from one extreme to the other, {MIN_STEPS} each way and {MIN_HALF} on either side of 0 V are needed"
    else:
        return
    raise ReplicationError(f"voltages of {name}: not one bipolar cycle: {found}.")


def _measured(loops, shape):
    """Tell which pixels have all channels, bool, shape (n_pixels,), for loops of shape (n_pixels, n_channels, n_steps)."""
    missing = ~np.isfinite(loops)
    measured = ~missing.all(axis=2).any(axis=1)
    gaps = np.flatnonzero(measured & missing.any(axis=(1, 2)))
    if gaps.size:
        raise ReplicationError(
            f"{np.count_nonzero(missing[measured])} points are NaN or infinite in loops that have others, {_places(gaps, shape)}. "
            "Interpolate them, or make such a pixel NaN at all steps to leave it out."
        )
    if np.count_nonzero(measured) < MIN_PIXELS:
        raise ReplicationError(
            f"{np.count_nonzero(measured)} pixels have all channels, fewer than {MIN_PIXELS}."
        )
    return measured


def _standardised(loops, names, pixels, shape):
    """Return spectra in z-scores, (n_pixels, n_channels * n_steps), float32, of some of the pixels."""
    spectra = loops[pixels].reshape(len(pixels), -1)
    with np.errstate(over="ignore", invalid="ignore"):
        scaler = ChannelScaler(len(names)).fit(spectra)
    for name, mean, deviation in zip(names, scaler.mean_, scaler.scale_):
        # Of 16 digits, those that differ must be enough for single precision.
        if not (np.isfinite(deviation) and deviation > 1e-9 * abs(mean)):
            raise ReplicationError(
                f"{name}: values about {mean:.3g} vary by {deviation:.3g} only. Save it in another unit, or leave it out."
            )
    scaled = scaler.transform(spectra).astype(np.float32)
    for i, name in enumerate(names):
        channel = scaled.reshape(len(pixels), len(names), -1)[:, i]
        constant = pixels[np.ptp(channel, axis=1) == 0]
        if constant.size:
            where = _places(constant, shape)
            raise ReplicationError(
                f"{name}: loops are constant, {where}. Make these pixels NaN at all steps to leave them out."
            )
        if np.ptp(channel, axis=0).max() == 0:
            raise ReplicationError(
                f"{name}: the loops of all pixels are the same, so there is nothing to learn. Leave the channel out."
            )
    return scaled


def _places(indices, shape):
    """Name the first few of some pixels, given by their place in C order."""
    named = ", ".join(
        "row {}, column {}".format(*divmod(int(index), shape[1])) for index in indices[:3]
    )
    return f"at {named}" + (f" and {len(indices) - 3} more pixels" if len(indices) > 3 else "")
