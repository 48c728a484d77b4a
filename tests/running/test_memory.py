"""Memory of runs: what they need, and which of them run side by side."""

import contextlib
import threading

import pytest

from replicate.running.memory import SharedMemory, needed_mib
from replicate.study.family import ScanSizes
from replicate.study.job import Job


def job(model, dataset="beps", profile="standard"):
    return Job(profile, dataset, model, 0)


@pytest.mark.parametrize(
    ("this", "measured"),
    [
        (job("pca"), 213),
        (job("dense_vae"), 338),
        (job("lstm_vae"), 395),
        (job("lstm_vae_plain"), 711),
        (job("lstm_vae", "toy"), 836),
        (job("lstm_vae_paper", "toy"), 2703),
        (job("lstm_vae_paper"), 1919),
    ],
    ids=str,
)
def test_a_run_takes_no_more_than_is_counted_for_it(this, measured):
    """The peaks, MiB, are those of the first published runs and of networks of full size."""
    assert measured < needed_mib(this) < measured + 2000


def test_the_paper_s_network_is_counted_for_the_spectra_that_pass_at_once():
    """Batches of 300 pass in parts of 50: each step of a spectrum adds what these hold."""
    paper = job("lstm_vae", profile="paper")
    added = needed_mib(paper, ScanSizes(3600, 2, 192)) - needed_mib(paper)
    # 14 layers of 256 units, 96 steps more, 50 spectra, 45 numbers of 4 bytes.
    assert added == pytest.approx(14 * 256 * 96 * 50 * 45 * 4 / 2**20)


def run_beside(memory, mibs):
    """Run one thread for each need; return the greatest sum of needs at one time."""
    lock, now, most = threading.Lock(), [0.0], [0.0]
    together = threading.Barrier(len(mibs), timeout=0.2)

    def run(mib):
        with memory.taken("run", mib, lambda: False):
            with lock:
                now[0] += mib
                most[0] = max(most[0], now[0])
            with contextlib.suppress(threading.BrokenBarrierError):
                together.wait()
            with lock:
                now[0] -= mib

    threads = [threading.Thread(target=run, args=(mib,)) for mib in mibs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return most[0]


@pytest.mark.parametrize(
    ("total", "mibs", "most"), [(100, [40, 40], 80), (100, [60, 60], 60), (100, [150, 20], 150)]
)
def test_what_does_not_fit_waits(total, mibs, most):
    """A run that needs more than there is runs alone."""
    assert run_beside(SharedMemory(total), mibs) == most


def test_a_run_that_waits_ends_when_it_is_told_to():
    memory = SharedMemory(10)
    stop = threading.Event()

    def wait():
        with memory.taken("second", 10, stop.is_set):
            pass

    with memory.taken("first", 10, stop.is_set):
        waiting = threading.Thread(target=wait)
        waiting.start()
        stop.set()
        waiting.join(timeout=5)
        assert not waiting.is_alive()
