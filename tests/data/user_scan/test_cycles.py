"""Several cycles in one record: each is found, whatever its length and wherever it starts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import replicate
from replicate.data.user_scan import cycles
from replicate.errors import ReplicationError


def cycle(n, start=0.0, top=8.0):
    """A triangular cycle of n steps that begins at a part of it: 0 at 0 V, 0.25 at the top."""
    phase = (start + np.arange(n) / n) % 1
    return top * np.interp(phase, [0, 0.25, 0.75, 1], [0, 1, -1, 0])


@given(
    lengths=st.lists(st.integers(24, 60), min_size=1, max_size=4),
    start=st.sampled_from([0, 0.125, 0.25, 0.5, 0.75, 0.8]),
)
def test_the_cycles_are_found(lengths, start):
    """A turn may fall between two steps, so that a cycle may begin one step early or late."""
    if max(lengths) > 1.2 * min(lengths):
        lengths = [lengths[0]] * len(lengths)
    voltage = np.concatenate([cycle(n, start) for n in lengths])
    found = cycles.cut(voltage)
    assert len(found) == len(lengths)
    ends = np.cumsum([0, *lengths])
    assert [part.start for part in found] == pytest.approx(ends[:-1], abs=1)
    assert found[0].start == 0 and found[-1].stop == len(voltage)
    assert all(one.stop == other.start for one, other in zip(found, found[1:]))


def test_repeated_steps_are_no_turns():
    voltage = np.repeat(np.concatenate([cycle(40), cycle(40)]), 2)
    assert cycles.cut(voltage) == [slice(0, 80), slice(80, 160)]


@pytest.fixture
def record(rng):
    """Loops of two cycles, of 49 and 50 steps, on 6 x 5 pixels."""
    voltages = np.concatenate([cycle(49), cycle(50)])
    return voltages, rng.normal(size=(6, 5, 99))


@pytest.mark.parametrize(
    ("wanted", "steps", "note"),
    [
        (None, slice(49, 99), "cycle 2 of 2 is taken; --cycle 1 takes another"),
        (1, slice(0, 49), "cycle 1 of 2 is taken; --cycle 2 takes another"),
        (2, slice(49, 99), "cycle 2 of 2 is taken; --cycle 1 takes another"),
    ],
)
def test_one_cycle_is_taken_and_said(record, wanted, steps, note):
    voltages, loops = record
    scan = replicate.read(loops, voltages, cycle=wanted)
    alone = replicate.read(loops[..., steps], voltages[steps])
    np.testing.assert_array_equal(scan.spectra, alone.spectra)
    np.testing.assert_array_equal(scan.voltages, alone.voltages)
    assert scan.notes == (note, *alone.notes)


def test_a_cycle_that_was_broken_off_is_not_taken(record):
    voltages, loops = record
    scan = replicate.read(loops[..., :80], voltages[:80])
    np.testing.assert_array_equal(
        scan.spectra, replicate.read(loops[..., :49], voltages[:49]).spectra
    )
    with pytest.raises(ReplicationError, match="not one bipolar cycle"):
        replicate.read(loops[..., :80], voltages[:80], cycle=2)


@pytest.mark.parametrize("wanted", [0, 3])
def test_a_cycle_that_is_not_there(record, wanted):
    voltages, loops = record
    with pytest.raises(ReplicationError, match="the voltages run through 2 cycles. Choose 1 to 2"):
        replicate.read(loops, voltages, cycle=wanted)


def test_of_one_cycle_there_is_no_second(record):
    voltages, loops = record
    with pytest.raises(ReplicationError, match="--cycle 2: the voltages run through 1 cycles"):
        replicate.read(loops[..., :49], voltages[:49], cycle=2)
