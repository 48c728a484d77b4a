"""Many runs: worker processes with pinned threads, progress bars, Ctrl-C that loses nothing, and metrics.json at the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from replicate import machine
from replicate.errors import ReplicationError
from replicate.execute import configuration
from replicate.files import atomic_path
from replicate.metrics import SCHEMA_VERSION, summarise, write_metrics
from replicate.runs import Run

MAX_PROCESSES = 4
PATIENCE = 3.0  # seconds for a process to end by itself after Ctrl-C


def run_all(jobs, provenance, results, n_processes=None):
    """Run every job that is not complete yet, each in a fresh process of one thread.

    One thread a process keeps the bits of a run independent of how many run beside it.

    Parameters
    ----------
    jobs : list of Job
    provenance : dict of str to str
    results : path-like
    n_processes : int, optional
        By default one a core, four at the most.

    Returns
    -------
    list of tuple of Job and str
        The jobs that failed, each with its error.

    Raises
    ------
    ReplicationError
        If the results folder cannot be written to.
    KeyboardInterrupt
        On Ctrl-C, after every process has stopped; each training goes on from its last epoch the next time.
    """
    with atomic_path(Path(results) / ".writable"):
        pass
    (Path(results) / ".writable").unlink()
    waiting = [job for job in jobs if not Run.of(results, job).is_complete(configuration(job, provenance))]
    for job in jobs:
        if job not in waiting:
            tqdm.write(f"{job}: complete already, reused")
    workers = _Workers(provenance, results, len(waiting))
    with ThreadPoolExecutor(n_processes or min(os.cpu_count() or 1, MAX_PROCESSES)) as pool:
        try:
            outcomes = list(pool.map(workers.run, waiting))
        except KeyboardInterrupt:
            workers.stop()
            raise
        finally:
            workers.bar.close()
    return [(job, error) for job, error in zip(waiting, outcomes) if error]


class _Workers:
    """The processes of one sweep, and the bars that show how far each is."""

    def __init__(self, provenance, results, total):
        self.provenance, self.results = provenance, str(results)
        self.processes, self.stopped, self.lock = set(), False, threading.Lock()
        self.bar = tqdm(total=total, desc="runs", unit="run", disable=None if total else True)

    def stop(self):
        """Start no further process, and end those that Ctrl-C in the terminal has not reached as well."""
        with self.lock:
            self.stopped = True
            processes = list(self.processes)
        deadline = time.monotonic() + PATIENCE
        for process in processes:
            try:
                process.wait(max(0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.terminate()
                process.wait()

    def run(self, job):
        """Run one job to its end and return its error, or None."""
        request = {"job": asdict(job), "provenance": self.provenance, "results": self.results}
        with self.lock:
            if self.stopped:
                return None
            process = subprocess.Popen(
                [sys.executable, "-m", "replicate.execute"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=machine.thread_environment(1),
            )
            self.processes.add(process)
        process.stdin.write(json.dumps(request))
        process.stdin.close()
        error = self._follow(job, process)
        with self.lock:
            self.processes.discard(process)
        if not self.stopped:
            self.bar.update()
            tqdm.write(f"{job}: {'failed' if error else 'done'}")
        return error

    def _follow(self, job, process):
        """Draw the progress that a process reports, until it ends."""
        error = None
        with tqdm(desc=str(job), unit="epoch", leave=False, disable=None) as bar:
            for line in process.stdout:
                progress = json.loads(line)
                if "error" in progress:
                    error = progress["error"]
                    continue
                bar.total, bar.n = progress["total"], progress["done"]
                bar.set_postfix_str(progress["text"])
        if process.wait() == 0:
            return None
        return error or f"the process ended with code {process.returncode}"


def collect(jobs, provenance, results):
    """Write `metrics.json` of a profile from the complete and current runs among `jobs`, and return its path and content.

    Raises
    ------
    ReplicationError
        If no run is complete.
    """
    current = [job for job in jobs if Run.of(results, job).is_complete(configuration(job, provenance))]
    if not current:
        raise ReplicationError(f"{results}: no complete run to take metrics from.")
    records = [Run.of(results, job).record for job in current]
    document = {
        "schema_version": SCHEMA_VERSION,
        "profile": jobs[0].profile,
        "git_commit": machine.git_commit(),
        "machine": machine.hardware(),
        "versions": machine.versions(),
        "metrics": summarise(records),
    }
    path = Path(results) / jobs[0].profile / "metrics.json"
    write_metrics(path, document)
    return path, document
