"""How much memory a run takes, so that runs side by side do not ask for more than there is."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

import psutil
from tqdm import tqdm

from replicate.data import toy
from replicate.running.process import POLL
from replicate.study import family
from replicate.study.family import PAPER_SCAN, ScanSizes
from replicate.study.job import Job

#: What every run needs for libraries, data and scores, MiB: the most that the first published ones
#: took, and some more.
BASE_MIB = 900

#: Numbers of four bytes that a training holds for each unit of a recurrent layer, step and
#: spectrum: its states, its gates and their gradients. Records have between 25 and 45.
NUMBERS_PER_UNIT = 45

#: Numbers of four bytes that a training holds for each weight: gradients, moments, the model that
#: the ramp keeps, and what the libraries lay out for themselves.
NUMBERS_PER_WEIGHT = 50

#: Share of the available memory that runs may take.
SHARE = 0.9


def needed_mib(job: Job, scan: ScanSizes = PAPER_SCAN) -> float:
    """Return how much memory a run needs at the most, MiB.

    Parameters
    ----------
    job : Job
    scan : ScanSizes
        Sizes of the scan that it is fitted to.
    """
    chosen = family.parameters(job, scan)
    if "width" not in chosen:
        return BASE_MIB
    n_steps = (toy.N_STEPS if job.domain == "toy" else scan.n_steps) // chosen.get("patch", 1)
    n_layers = 2 * chosen["n_blocks"] * chosen["n_layers"] + 2
    n_spectra = min(chosen["batch_size"], chosen.get("at_once", chosen["batch_size"]))
    n_units = n_spectra * n_steps * n_layers * 2 * chosen["width"]
    # Two directions of four gates, each of which reads both directions of a layer and itself.
    n_weights = n_layers * 2 * 4 * chosen["width"] * 3 * chosen["width"]
    numbers = NUMBERS_PER_UNIT * n_units + NUMBERS_PER_WEIGHT * n_weights
    return BASE_MIB + 4 * numbers / 2**20


class SharedMemory:
    """The memory that runs side by side share.

    Parameters
    ----------
    mib : float, optional
        How much there is, MiB; by default most of what is available now.
    """

    def __init__(self, mib: float | None = None):
        available = psutil.virtual_memory().available / 2**20
        self._free = SHARE * available if mib is None else mib
        self._n_runs = 0
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def taken(self, name: str, mib: float, stopped: Callable[[], bool]) -> Iterator[None]:
        """Wait until a run fits beside the others, and hold its memory.

        A run that needs more than there is starts when it is alone.

        Parameters
        ----------
        name : str
            What is told where the run has to wait.
        mib : float
        stopped : callable
            Returns whether to wait no longer.
        """
        with self._changed:
            if not self._has_room(mib):
                tqdm.write(f"{name}: waits for {mib / 1024:.1f} GiB of memory")
            while not (self._has_room(mib) or stopped()):
                self._changed.wait(POLL)
            self._free -= mib
            self._n_runs += 1
        try:
            yield
        finally:
            with self._changed:
                self._free += mib
                self._n_runs -= 1
                self._changed.notify_all()

    def _has_room(self, mib):
        return self._n_runs == 0 or mib <= self._free
