"""Several cycles of the voltage in one record: where each of them begins."""

from __future__ import annotations

import numpy as np

from replicate.errors import ReplicationError

#: A cycle with fewer of the steps of the longest was broken off.
WHOLE = 0.75


def cut(voltage: np.ndarray) -> list[slice]:
    """Cut a voltage axis into its cycles.

    A cycle begins where the voltage comes back to where it began, on its way in the same direction.
    Cycles need not have the same number of steps.

    Parameters
    ----------
    voltage : ndarray of shape (n_steps,)
        V, in the order of acquisition.

    Returns
    -------
    list of slice
        The steps of each cycle; one slice of all steps where there is one cycle.
    """
    turns = _turns(voltage)
    starts = [0]
    for first, last in zip(turns[1::2], [*turns[2::2], len(voltage) - 1]):
        distance = np.abs(voltage[first : last + 1] - voltage[0])
        starts.append(first + int(np.argmin(distance)))
    # The way back to the first voltage belongs to the last cycle.
    if len(starts) > 1 and len(voltage) - starts[-1] < starts[1] / 2:
        starts.pop()
    return [slice(*ends) for ends in zip(starts, [*starts[1:], len(voltage)])]


def _turns(voltage):
    """Return the steps at which the voltage turns, as a list of int."""
    signs = np.sign(np.diff(voltage))
    moves = np.flatnonzero(signs)
    turned = np.flatnonzero(np.diff(signs[moves]))
    return moves[turned + 1].tolist()


def _last_whole(cycles):
    """Return the number of the last cycle that was not broken off."""
    lengths = [part.stop - part.start for part in cycles]
    return max(n + 1 for n, length in enumerate(lengths) if length >= WHOLE * max(lengths))


def choose(cycles: list[slice], wanted: int | None) -> tuple[slice, str | None]:
    """Return the cycle that is taken, and a note where there are several.

    Parameters
    ----------
    cycles : list of slice
    wanted : int or None
        The number of the cycle, counted from 1; the last whole one by default.

    Raises
    ------
    ReplicationError
        If there is no such cycle.
    """
    number = _last_whole(cycles) if wanted is None else wanted
    if not 1 <= number <= len(cycles):
        raise ReplicationError(
            f"--cycle {wanted}: the voltages run through {len(cycles)} cycles. "
            f"Choose 1 to {len(cycles)}, or leave it out."
        )
    if len(cycles) == 1:
        return cycles[0], None
    others = " or ".join(f"--cycle {n + 1}" for n in range(len(cycles)) if n + 1 != number)
    return cycles[number - 1], f"cycle {number} of {len(cycles)} is taken; {others} takes another"
