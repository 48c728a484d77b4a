"""From the arrays of a user's own file to a `Scan`.

Every array is checked; then steps at one voltage are averaged, missing pixels are left out, and
every channel is standardised.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from replicate.data.heldout import ChannelScaler
from replicate.data.raw.sho import on_one_axis
from replicate.data.scan import Scan, cycle_steps
from replicate.data.user_scan import cycles, outliers
from replicate.data.user_scan.contents import text
from replicate.data.user_scan.reading import Reading
from replicate.errors import ReplicationError

#: The name of the array that every file must have, and of the first channel.
PIEZORESPONSE = "piezoresponse"

#: The names of the arrays that are not channels, whatever their shape.
NOT_CHANNELS = ("voltages", "channels", "shape", "size_um", "units")

#: Words that the name of a channel may not begin with, because a metric of such a channel would
#: have the name of another metric.
RESERVED_WORDS = ("median", "worst", "refined")

#: No voltage of a scanning probe is above this, V; larger numbers are in mV.
LARGEST_VOLTAGE = 250

#: Such numbers are no voltages at all, whatever the user says of their unit, V.
IMPOSSIBLE_VOLTAGE = 1e5

#: A scan must have so many pixels.
MIN_PIXELS = 25

#: A loop with fewer steps from one extreme of the voltage to the other cannot be described.
MIN_STEPS = 10

#: A loop with fewer voltages below 0 V, or above it, cannot be described.
MIN_HALF = 5


@dataclass(frozen=True, eq=False)
class UserScan(Scan):
    """A scan of the user's own.

    Attributes
    ----------
    notes : tuple of str
        What was chosen, averaged or left out as the file was read.
    levels : tuple of tuple of float
        Mean and standard deviation of each channel, in the unit of the file.
    file_units : tuple of str
        The unit of each channel in the file; "" where the file does not say.
    """

    notes: tuple[str, ...] = ()
    levels: tuple[tuple[float, float], ...] = ()
    file_units: tuple[str, ...] = ()


def assemble(
    arrays: dict[str, np.ndarray],
    provenance: str,
    hashes: dict[str, str],
    reading: Reading = Reading(),  # noqa: B008 - it cannot be changed
    notes: tuple[str, ...] = (),
) -> UserScan:
    """Make a scan of the arrays of a file.

    Parameters
    ----------
    arrays : dict of str to ndarray
        The arrays by name, as `replicate.data.user_scan.scan_file` lists them.
    provenance : str
        The provenance of the scan.
    hashes : dict of str to str
        The SHA-256 of the file.
    reading : Reading
        How the user wants the file to be read.
    notes : tuple of str
        What was chosen already.

    Returns
    -------
    UserScan
        In z-scores.

    Raises
    ------
    ReplicationError
        If something is missing, has a wrong shape, or cannot be used.
    """
    channels = channels_of(arrays)
    shape = _grid(arrays)
    names = [_metric_name(channel) for channel in channels]
    if len(set(names)) < len(names):
        raise ReplicationError(
            f"channels {', '.join(channels)}: two would have the same name {', '.join(names)}. "
            "Rename one."
        )
    voltages, loops, said = _voltages_and_loops(arrays, channels, shape, reading)
    for name, voltage in zip(names, voltages):
        _check_cycle(name, voltage)
    if len({len(voltage) for voltage in voltages}) > 1:
        raise ReplicationError(
            "voltages: the channels do not run through the same cycle, so they cannot be aligned."
        )
    loops = np.stack(loops, axis=1)
    has_spectrum = _has_spectrum(loops, names, shape)
    spectra, levels = _standardised(loops, names, np.flatnonzero(has_spectrum), shape)
    return UserScan(
        spectra=spectra,
        shape=shape,
        voltages=np.stack(voltages),
        provenance=provenance,
        channels=tuple(names),
        units=("z-score",) * len(names),
        size_um=_size(arrays),
        hashes=hashes,
        mask=None if has_spectrum.all() else has_spectrum.reshape(shape),
        notes=(*notes, *said),
        levels=levels,
        file_units=_units(arrays, channels),
    )


def channels_of(arrays: dict[str, np.ndarray]) -> list[str]:
    """Return the names of the channels, the piezoresponse first.

    They are those that the file lists, or else all arrays of the shape of the piezoresponse.
    """
    if PIEZORESPONSE not in arrays:
        raise ReplicationError(
            f"no array {PIEZORESPONSE!r}. {_contents(arrays)} "
            f"Call the response that switches {PIEZORESPONSE!r}; "
            "of amplitude and phase it is A cos(phi)."
        )
    if "channels" in arrays:
        listed = _texts(arrays["channels"])
    else:
        shape = np.shape(arrays[PIEZORESPONSE])
        alike = [name for name, values in arrays.items() if np.shape(values) == shape]
        listed = [
            name
            for name in alike
            if name == PIEZORESPONSE or (name not in NOT_CHANNELS and _is_measured(arrays[name]))
        ]
    for name in (PIEZORESPONSE, *listed):
        if name not in arrays or name not in listed:
            raise ReplicationError(
                f"channels: {', '.join(listed)}: {name!r} is not listed or not there. "
                f"{_contents(arrays)}"
            )
    return sorted(listed, key=lambda name: name != PIEZORESPONSE)


def _units(arrays, channels):
    """Return the unit of each channel as the file has it, "" where it does not say."""
    units = _texts(arrays.get("units", [""] * len(channels)))
    if len(units) != len(channels):
        raise ReplicationError(
            f"units: {len(units)} of them for the channels {', '.join(channels)}. "
            "Save one for each."
        )
    return tuple(units)


def _is_measured(values):
    """Return whether an array has numbers, not texts or marks such as those of a mask."""
    return np.asarray(values).dtype.kind in "fiuc"


def _contents(arrays):
    """Return a sentence on the arrays of a file, for an error."""
    contents = ", ".join(f"{name} {np.shape(values)}" for name, values in arrays.items())
    return f"The file has {contents or 'no arrays'}."


def _texts(values):
    """Return an array of text as a list of str."""
    return [text(value) for value in np.ravel(values).tolist()]


def _metric_name(channel):
    """Return the name of a channel in metrics: lower-case letters, digits and underscores."""
    name = re.sub(r"[^a-z0-9]+", "_", channel.lower()).strip("_")
    if not name or name.startswith(RESERVED_WORDS):
        raise ReplicationError(
            f"channel {channel!r}: a name has letters or digits, "
            f"and does not begin with {', '.join(RESERVED_WORDS)}. Rename it."
        )
    return name


def _grid(arrays):
    """Return rows and columns."""
    stored = np.shape(arrays[PIEZORESPONSE])
    _refuse_steps_first(stored, arrays)
    shape = stored[:2] if len(stored) == 3 else _stored_grid(arrays)
    if len(stored) not in (2, 3) or len(shape) != 2:
        raise ReplicationError(
            f"{PIEZORESPONSE}: shape {stored}, expected (rows, cols, n_steps), "
            "or (n_pixels, n_steps) with an array 'shape' of rows and columns."
        )
    if np.prod(shape) != np.prod(stored[:-1]):
        raise ReplicationError(
            f"{PIEZORESPONSE}: {stored[0]} pixels do not lie on a grid of {shape}. Correct 'shape'."
        )
    if np.prod(shape) < MIN_PIXELS or min(shape) < 2:
        raise ReplicationError(
            f"{PIEZORESPONSE}: a grid of {shape}, "
            f"expected two rows and columns and {MIN_PIXELS} pixels at least."
        )
    return shape


def _refuse_steps_first(stored, arrays):
    """Refuse loops, of shape `stored`, with the steps along the first axis."""
    n_voltages = np.size(arrays.get("voltages", ()))
    is_line = n_voltages == max(np.shape(arrays.get("voltages", ())), default=0)
    if is_line and len(stored) > 1 and stored[0] == n_voltages != stored[-1]:
        raise ReplicationError(
            f"{PIEZORESPONSE}: shape {stored} has the {n_voltages} steps of 'voltages' along its "
            f"first axis. Save np.moveaxis({PIEZORESPONSE}, 0, -1), and other channels likewise."
        )


def _stored_grid(arrays):
    """Return rows and columns as the array ``shape`` has them; () where there is none."""
    if "shape" not in arrays:
        return ()
    stored = np.ravel(arrays["shape"])
    is_numbers = stored.dtype.kind in "fiu" and np.isfinite(stored).all()
    # A side may not have more pixels than the whole scan.
    most = len(arrays[PIEZORESPONSE])
    is_grid = (
        is_numbers and stored.size == 2 and np.all((stored == np.round(stored)) & (stored > 0))
    )
    if not is_grid or np.any(stored > most):
        listed = ", ".join(map(str, stored[:4].tolist()))
        raise ReplicationError(
            f"shape: {listed}, expected two whole numbers, rows and columns: "
            "save np.array([rows, cols])."
        )
    return tuple(stored.astype(int).tolist())


def _voltages_and_loops(arrays, channels, shape, reading):
    """Return the voltage axis, (n_steps,), and the loops, (n_pixels, n_steps), of each channel.

    Of several cycles one is taken. Steps that repeat a voltage are averaged into one, or one of
    them is taken, so that `n_steps` may differ between the channels. A complex piezoresponse is
    turned onto one axis. The third result are notes on all this and on outliers.
    """
    n_steps = np.shape(arrays[PIEZORESPONSE])[-1]
    stored_voltages = _stored_voltages(arrays, channels, n_steps, reading.voltage_unit)
    voltages, loops, notes = [], [], []
    for channel in channels:
        steps, chosen = cycles.choose(cycles.cut(stored_voltages[channel]), reading.cycle)
        stored_voltage = stored_voltages[channel][steps]
        stored_loops = _values(arrays, channel).reshape(-1, n_steps)[:, steps]
        if np.iscomplexobj(stored_loops):
            parts = np.abs(stored_loops), np.angle(stored_loops)
            stored_loops = on_one_axis(*parts, stored_voltage)
            notes.append(f"{channel}: complex numbers, as A cos(phi + theta)")
        stored_loops, blanked = outliers.blank(channel, stored_loops, shape, reading.blank_outliers)
        voltage, values = _merge_repeats(stored_voltage, stored_loops, reading.repeat)
        notes += [chosen] if chosen else []
        notes += blanked
        if len(voltage) < len(stored_voltage):
            notes.append(_merging(len(stored_voltage), len(voltage), reading.repeat))
        elif reading.repeat is not None:
            raise ReplicationError(
                f"--repeat {reading.repeat}: no steps beside each other have the same voltage. "
                "Leave it out."
            )
        voltages.append(voltage)
        loops.append(values)
    return voltages, loops, list(dict.fromkeys(notes))


def _merging(n_steps, n_merged, repeat):
    """Return a note on steps that were merged."""
    if repeat is None:
        return (
            f"{n_steps} steps became {n_merged}: those beside each other at one voltage are "
            "averaged; --repeat 1 or --repeat 2 takes one of them, such as that after the pulse"
        )
    return f"{n_steps} steps became {n_merged}: number {repeat} of those at one voltage is taken"


def _values(arrays, name):
    """Return a channel in double precision, in the shape it is stored in."""
    values = np.asarray(arrays[name])
    is_complex = values.dtype.kind == "c"
    if values.dtype.kind not in "fiu" and not (is_complex and name == PIEZORESPONSE):
        remedy = "real parts or amplitudes" if is_complex else "measured values"
        raise ReplicationError(
            f"{name}: {values.dtype} values, expected real numbers; save {remedy}."
        )
    if values.shape != np.shape(arrays[PIEZORESPONSE]):
        raise ReplicationError(
            f"{name}: shape {values.shape}, "
            f"expected {np.shape(arrays[PIEZORESPONSE])} as the {PIEZORESPONSE}."
        )
    return values.astype(np.complex128 if is_complex else np.float64)


def _stored_voltages(arrays, channels, n_steps, unit):
    """Return the voltage axis of each channel by its name, as stored, (n_steps,).

    Very large voltages are taken if the user says that their unit is V.
    """
    if "voltages" not in arrays:
        raise ReplicationError(
            f"no array 'voltages', the voltage of each step in V. {_contents(arrays)}"
        )
    voltages = np.asarray(arrays["voltages"])
    if voltages.dtype.kind not in "fiu":
        raise ReplicationError("voltages: not real numbers. Save the voltage of each step in V.")
    wrong = np.flatnonzero(~(np.abs(voltages.astype(float)) < IMPOSSIBLE_VOLTAGE))
    if wrong.size:
        raise ReplicationError(
            f"voltages: {voltages.flat[wrong[0]]:g} at step {wrong[0] % n_steps} is NaN, infinite "
            "or no voltage. Save the voltage of each step in V."
        )
    largest = np.abs(voltages).max(initial=0)
    if largest > LARGEST_VOLTAGE and unit != "V":
        raise ReplicationError(
            f"voltages: up to {largest:g} V, more than a probe can have ({LARGEST_VOLTAGE} V). "
            "If they are in mV, add --voltage-unit mV; if they are in V, --voltage-unit V."
        )
    if voltages.size == n_steps:
        return dict.fromkeys(channels, voltages.astype(np.float64).ravel())
    if voltages.shape != (len(channels), n_steps):
        raise ReplicationError(
            f"voltages: shape {voltages.shape}, "
            f"expected ({n_steps},) or {(len(channels), n_steps)}."
        )
    if "channels" not in arrays:
        raise ReplicationError(
            "voltages: a row for each channel, but no array 'channels' says which. "
            "Add their names in that order."
        )
    return dict(zip(_texts(arrays["channels"]), voltages.astype(np.float64)))


def _size(arrays):
    """Return height and width of the scan, um, or None where the file does not have them."""
    if "size_um" not in arrays:
        return None
    size = np.ravel(arrays["size_um"])
    are_numbers = size.size == 2 and size.dtype.kind in "fiu"
    if not are_numbers or not np.all(np.isfinite(size) & (size > 0)):
        raise ReplicationError(
            "size_um: expected two numbers above 0, height and width of the scan in um."
        )
    return tuple(size.astype(float).tolist())


def _merge_repeats(voltage, values, repeat=None):
    """Merge steps beside each other at one voltage into one step.

    The last step and the first are beside each other too.

    Parameters
    ----------
    voltage : ndarray of shape (n_steps,)
        V.
    values : ndarray of shape (n, n_steps)
    repeat : int, optional
        Which of the steps at one voltage is taken, counted from 1; their mean by default.

    Returns
    -------
    voltage, values
        With fewer steps, or as they are where no step repeats the voltage of the one before.
    """
    starts = np.flatnonzero(np.abs(voltage - np.roll(voltage, 1)) > 1e-6 * np.ptp(voltage))
    if len(starts) in (0, len(voltage)):
        return voltage, values
    counts = np.diff(starts, append=starts[0] + len(voltage))
    if repeat is None:
        sums = np.add.reduceat(np.roll(values, -starts[0], axis=1), starts - starts[0], axis=1)
        return voltage[starts], sums / counts
    if not 1 <= repeat <= counts.min():
        raise ReplicationError(
            f"--repeat {repeat}: some voltages have {counts.min()} steps beside each other. "
            f"Choose 1 to {counts.min()}, or leave it out."
        )
    return voltage[starts], values[:, (starts + repeat - 1) % len(voltage)]


def _check_cycle(name, voltage):
    """Refuse a voltage axis, (n_steps,), that is not one closed cycle of loops to describe."""
    fault = _fault_of_cycle(voltage)
    if fault:
        raise ReplicationError(f"voltages of {name}: not one bipolar cycle: {fault}.")


def _fault_of_cycle(voltage):
    """Return why a voltage axis is not one bipolar cycle, and the fix; None where it is one.

    The cycle must be closed, go through zero, and have enough steps to describe its loops.
    """
    low, high = voltage.min(), voltage.max()
    if not low < 0 < high:
        return f"it goes from {low:g} to {high:g} V. Save one from below to above 0 V"
    steps, turns = cycle_steps(voltage)
    largest_step = np.abs(steps).max()
    if largest_step >= np.ptp(voltage) / 4:
        return (
            f"it jumps by {largest_step:g} V. "
            "Save all steps of one cycle, in the order of acquisition"
        )
    if turns != 2:
        return f"it turns {turns} times, not twice. Save one cycle, in the order of acquisition"
    between_extremes = abs(int(np.argmax(voltage)) - int(np.argmin(voltage)))
    shorter_branch = min(between_extremes, len(voltage) - between_extremes)
    # The grid that loops are described on has as many voltages as the longer branch.
    even = np.linspace(low, high, len(voltage) - shorter_branch + 1)
    fewer_half = min(np.count_nonzero(even <= 0), np.count_nonzero(even >= 0))
    if shorter_branch < MIN_STEPS or fewer_half < MIN_HALF:
        return (
            f"{shorter_branch} steps from one extreme to the other, "
            f"{MIN_STEPS} each way and {MIN_HALF} on either side of 0 V are needed"
        )
    return None


def _has_spectrum(loops, names, shape):
    """Return whether each pixel has all channels, as bool of shape (n_pixels,).

    Loops have the shape (n_pixels, n_channels, n_steps).
    """
    missing = ~np.isfinite(loops)
    has_spectrum = ~missing.all(axis=2).any(axis=1)
    with_gaps = np.flatnonzero(has_spectrum & missing.any(axis=(1, 2)))
    if with_gaps.size:
        affected = missing[with_gaps].any(axis=(0, 2))
        listed = ", ".join(name for name, is_affected in zip(names, affected) if is_affected)
        raise ReplicationError(
            f"{np.count_nonzero(missing[has_spectrum])} points are NaN or infinite in loops of "
            f"{listed} that have others, {_places(with_gaps, shape)}. "
            "Interpolate them, or make such a pixel NaN at all steps to leave it out."
        )
    n_pixels = np.count_nonzero(has_spectrum)
    if n_pixels < MIN_PIXELS:
        counts = np.count_nonzero(~missing.all(axis=2), axis=0)
        listed = ", ".join(f"{name} {count}" for name, count in zip(names, counts))
        raise ReplicationError(
            f"{n_pixels} pixels have all channels, fewer than {MIN_PIXELS}. Pixels that have a "
            f"loop: {listed}. Leave a channel out that few pixels have, or save a larger scan."
        )
    return has_spectrum


def _standardised(loops, names, pixels, shape):
    """Return the spectra of some pixels in z-scores, and mean and deviation of each channel.

    The spectra have the shape (n_pixels, n_channels * n_steps), and are float32.
    """
    spectra = loops[pixels].reshape(len(pixels), -1)
    for name, channel in zip(names, loops[pixels].swapaxes(0, 1)):
        if np.ptp(channel) == 0:
            raise ReplicationError(
                f"{name}: every value is {channel.flat[0]:g}, so there is nothing to learn. "
                "Leave the channel out."
            )
    with np.errstate(over="ignore", invalid="ignore"):
        scaler = ChannelScaler(len(names)).fit(spectra)
    for name, mean, deviation in zip(names, scaler.mean_, scaler.scale_):
        # Of the 16 digits of a number, those that vary must be enough for single precision.
        if not (np.isfinite(deviation) and deviation > 1e-9 * abs(mean)):
            raise ReplicationError(
                f"{name}: values about {mean:.3g} vary by {deviation:.3g} only. "
                "Save it in another unit, or leave it out."
            )
    scaled = scaler.transform(spectra).astype(np.float32)
    channels = scaled.reshape(len(pixels), len(names), -1).swapaxes(0, 1)
    for name, channel in zip(names, channels):
        _refuse_constant(name, channel, pixels, shape)
    return scaled, tuple(zip(scaler.mean_.tolist(), scaler.scale_.tolist()))


def _refuse_constant(name, channel, pixels, shape):
    """Refuse a channel, (n_pixels, n_steps), with constant loops or one loop for all pixels."""
    constant = pixels[np.ptp(channel, axis=1) == 0]
    if constant.size:
        raise ReplicationError(
            f"{name}: loops are constant, {_places(constant, shape)}. "
            "Make these pixels NaN at all steps to leave them out."
        )
    if np.ptp(channel, axis=0).max() == 0:
        raise ReplicationError(
            f"{name}: the loops of all pixels are the same, so there is nothing to learn. "
            "Leave the channel out."
        )


def _places(indices, shape):
    """Return row and column of the first few of some pixels, given by their indices in C order."""
    places = []
    for index in indices[:3]:
        row, column = divmod(int(index), shape[1])
        places.append(f"row {row}, column {column}")
    text = f"at {', '.join(places)}"
    if len(indices) > 3:
        text += f" and {len(indices) - 3} more pixels"
    return text
