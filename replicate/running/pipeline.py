"""Many runs, side by side here or on a cluster: progress bars, and a Ctrl-C that loses nothing."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tqdm import tqdm

from replicate.files import atomic_path
from replicate.provenance import Sources
from replicate.running.cluster import run_on_cluster
from replicate.running.execute import configuration, scan_sizes
from replicate.running.memory import SharedMemory, needed_mib
from replicate.running.process import run_in_process
from replicate.running.runs import Run
from replicate.study.job import Job

MAX_PROCESSES = 4


def run_all(
    jobs: Sequence[Job],
    sources: Sources,
    results: Path,
    n_processes: int | None = None,
    cluster: str | None = None,
    on_done: Callable = lambda job, config, error: None,
) -> list[tuple[Job, str]]:
    """Run every job that is not complete yet, each in a fresh process of one thread.

    One thread a process keeps the bits of a run independent of how many run beside it.

    Parameters
    ----------
    jobs : list of Job
    sources : Sources
    results : path-like
    n_processes : int, optional
        By default one a core, four at the most.
    cluster : str, optional
        Address of a Dask scheduler: the processes then run on its workers, one a thread of theirs.
    on_done : callable
        Called in this process with each job, its configuration and its error or None, as the job
        ends. It is called at once for a run that is reused.

    Returns
    -------
    list of tuple of Job and str
        The jobs that failed, each with its error.

    Raises
    ------
    ReplicationError
        If the results folder cannot be written to, or the cluster cannot be used.
    KeyboardInterrupt
        On Ctrl-C, after every process here has stopped; each training goes on from its last epoch
        the next time.
    """
    results = Path(results).resolve()
    _check_writable(results)
    configs = {job: configuration(job, sources) for job in jobs}
    waiting = []
    for job, config in configs.items():
        run = Run.of(results, job)
        if run.damage:
            tqdm.write(f"{run.damage}. The run is made again.")
        if run.is_complete(config):
            tqdm.write(f"{job}: complete already, reused")
            on_done(job, config, None)
        else:
            waiting.append(job)
    if cluster is None:
        outcomes = _run_here(waiting, sources, results, n_processes)
    else:
        outcomes = run_on_cluster(cluster, waiting, sources, results)
    failed = []
    with contextlib.closing(outcomes), _bar(len(waiting)) as bar:
        for job, error in outcomes:
            error = error or _unrecorded(Run.of(results, job), configs[job])
            on_done(job, configs[job], error)
            if error:
                failed.append((job, error))
            bar.update()
            tqdm.write(f"{job}: {'failed' if error else 'done'}")
    return failed


def _check_writable(folder):
    path = folder / ".writable"
    with atomic_path(path):
        pass
    path.unlink()


def _bar(n_runs):
    """Return the progress bar of the runs, which shows on a terminal and only if there are any."""
    return tqdm(total=n_runs, desc="runs", unit="run", disable=None if n_runs else True)


def _run_here(jobs, sources, results, n_processes) -> Iterator[tuple[Job, str | None]]:
    """Run jobs in processes of this machine, and yield each with its error or None as it ends."""
    stop = threading.Event()
    memory = SharedMemory()
    scan = scan_sizes(sources.scan)

    def run(job):
        with memory.taken(str(job), needed_mib(job, scan), stop.is_set):
            return job, None if stop.is_set() else follow(job)

    def follow(job):
        with tqdm(desc=str(job), unit="epoch", leave=False, disable=None) as bar:

            def report(done, total, text):
                bar.total, bar.n = total, done
                bar.set_postfix_str(text)

            return run_in_process(job, sources, results, stop.is_set, report)

    with ThreadPoolExecutor(n_processes or min(os.cpu_count() or 1, MAX_PROCESSES)) as pool:
        try:
            for future in as_completed([pool.submit(run, job) for job in jobs]):
                yield future.result()
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def _unrecorded(run, config):
    """Return an error where a process ended well but its record is not in this results folder."""
    if run.is_complete(config):
        return None
    return (
        f"{run.folder}: the run ended, but its record is not here, or is of other code or "
        "packages. Workers of a cluster must share this folder and have the same packages; choose "
        "another folder with --results."
    )
