"""Many runs: side by side here or on a cluster, progress bars, Ctrl-C that loses nothing, and metrics.json at the end."""

from __future__ import annotations

import contextlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tqdm import tqdm

from replicate.errors import ReplicationError
from replicate.files import atomic_path, write_text
from replicate.numbers.comparisons import compare
from replicate.numbers.metrics import SCHEMA_VERSION, summarise, write_metrics
from replicate.running import machine
from replicate.running.cluster import run_on_cluster
from replicate.running.execute import configuration
from replicate.running.process import run_child
from replicate.running.runs import Run
from replicate.study import jobs as study
from replicate.study import sweeps

MAX_PROCESSES = 4


def run_all(
    jobs,
    provenance,
    results,
    n_processes=None,
    cluster=None,
    on_done=lambda job, config, error: None,
):
    """Run every job that is not complete yet, each in a fresh process of one thread.

    One thread a process keeps the bits of a run independent of how many run beside it.

    Parameters
    ----------
    jobs : list of Job
    provenance : dict of str to str
    results : path-like
    n_processes : int, optional
        By default one a core, four at the most.
    cluster : str, optional
        Address of a Dask scheduler: the processes then run on its workers, one a thread of theirs.
    on_done : callable
        Called in this process with each job, its configuration and its error or None, as it ends; with a job that is reused, at once.

    Returns
    -------
    list of tuple of Job and str
        The jobs that failed, each with its error.

    Raises
    ------
    ReplicationError
        If the results folder cannot be written to, or the cluster cannot be used.
    KeyboardInterrupt
        On Ctrl-C, after every process here has stopped; each training goes on from its last epoch the next time.
    """
    results = Path(results).resolve()
    with atomic_path(results / ".writable"):
        pass
    (results / ".writable").unlink()
    configs = {job: configuration(job, provenance) for job in jobs}
    waiting, failed = [], []
    for job, config in configs.items():
        if Run.of(results, job).is_complete(config):
            tqdm.write(f"{job}: complete already, reused")
            on_done(job, config, None)
        else:
            waiting.append(job)
    if cluster is None:
        outcomes = _run_here(waiting, provenance, results, n_processes)
    else:
        outcomes = run_on_cluster(cluster, waiting, provenance, results)
    with (
        contextlib.closing(outcomes),
        tqdm(total=len(waiting), desc="runs", unit="run", disable=None if waiting else True) as bar,
    ):
        for job, error in outcomes:
            error = error or _unrecorded(Run.of(results, job), configs[job])
            on_done(job, configs[job], error)
            if error:
                failed.append((job, error))
            bar.update()
            tqdm.write(f"{job}: {'failed' if error else 'done'}")
    return failed


def _run_here(jobs, provenance, results, n_processes):
    """Run jobs in processes of this machine, and yield each with its error or None as it ends."""
    stop = threading.Event()

    def run(job):
        with tqdm(desc=str(job), unit="epoch", leave=False, disable=None) as bar:

            def show(done, total, text):
                bar.total, bar.n = total, done
                bar.set_postfix_str(text)

            return job, run_child(job, provenance, results, stop.is_set, show)

    with ThreadPoolExecutor(n_processes or min(os.cpu_count() or 1, MAX_PROCESSES)) as pool:
        try:
            for future in as_completed([pool.submit(run, job) for job in jobs]):
                yield future.result()
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def _unrecorded(run, config):
    """Say so where a process ended well but its record is not in this results folder."""
    if run.is_complete(config):
        return None
    return (
        f"{run.folder}: the run ended, but its record is not here, or is of other code or packages. "
        "Workers of a cluster must share this folder and have the same packages; choose another folder with --results."
    )


def collect(profile, seeds, provenance, results):
    """Write `metrics.json` of a profile from every complete and current run of these seeds, and return its path and content.

    The numbers of sweeps go into `sweeps.csv` beside it.

    Raises
    ------
    ReplicationError
        If no run is complete.
    """
    jobs = [*study.jobs(profile, seeds=seeds, whole_family=True), *sweeps.jobs(profile)]
    complete = [
        job
        for job in jobs
        if (run := Run.of(results, job)).status == "complete"
        and run.is_complete(configuration(job, provenance))
    ]
    records = {job: Run.of(results, job).record for job in complete}
    studied = {job: record for job, record in records.items() if not job.variant}
    if not studied:
        raise ReplicationError(f"{results}: no complete run to take metrics from.")
    folder = Path(results) / profile
    errors = {job: Run.of(results, job).arrays["mse"] for job in studied if job.dataset == "beps"}
    for job, compared in compare(records, errors).items():
        studied[job]["metrics"] |= compared
    document = {
        "schema_version": SCHEMA_VERSION,
        "profile": profile,
        "git_commit": machine.git_commit(),
        "machine": _united(record["machine"] for record in studied.values()),
        "versions": _united(record["versions"] for record in studied.values()),
        "metrics": summarise(studied.values()),
    }
    write_metrics(folder / "metrics.json", document)
    write_text(
        folder / "sweeps.csv", sweeps.table(records).to_csv(index=False, lineterminator="\n")
    )
    return folder / "metrics.json", document


def _united(tables):
    """Unite what each run was made on; where runs differ, as on a cluster, every value is listed."""
    values = {}
    for table in tables:
        for name, value in table.items():
            values.setdefault(name, {})[value] = None
    return {
        name: next(iter(found)) if len(found) == 1 else ", ".join(map(str, found))
        for name, found in values.items()
    }
