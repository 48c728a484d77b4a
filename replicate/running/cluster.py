"""Runs spread over a Dask cluster, through joblib's Dask backend.

Every worker needs this package in the same version, the data, and the results folder under the same
path.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path

import joblib

from replicate import arithmetic
from replicate.errors import ReplicationError
from replicate.provenance import Sources
from replicate.running.code import package_hash
from replicate.running.process import run_in_process
from replicate.study.job import Job

#: Seconds for the scheduler to answer, and again for a first worker.
TIMEOUT = 4


def run_on_cluster(
    address: str, jobs: Iterable[Job], sources: Sources, results: Path
) -> Iterator[tuple[Job, str | None]]:
    """Run jobs on the workers of a cluster, one job a thread of theirs.

    Parameters
    ----------
    address : str
        Address of the scheduler, such as ``tcp://10.0.0.1:8786``.
    jobs : iterable of Job
    sources : Sources
    results : Path
        Absolute, on a file system that the workers share.

    Yields
    ------
    job : Job
        In the order in which the jobs end.
    error : str or None
        What went wrong.

    Raises
    ------
    ReplicationError
        If the cluster cannot be reached, has no workers, has workers with other code than this, or
        is lost on the way.
    """
    with _connect(address) as client:
        with joblib.parallel_config(backend="dask", client=client):
            parallel = joblib.Parallel(return_as="generator_unordered", batch_size=1)
        try:
            yield from parallel(
                joblib.delayed(_on_worker)(job, sources, results, arithmetic.requested())
                for job in jobs
            )
        except CancelledError as error:
            raise ReplicationError(
                f"--dask {address}: the scheduler was lost. "
                "The same command goes on once it is back."
            ) from error


def _on_worker(job, sources, results, chosen):
    from distributed import get_worker

    arithmetic.choose(chosen)
    worker = get_worker()
    task = worker.state.tasks[worker.get_current_task()]
    # The scheduler cancels the tasks of a sweep that was stopped or has died.
    return job, run_in_process(job, sources, results, stopped=lambda: task.state == "cancelled")


@contextlib.contextmanager
def _connect(address):
    """Yield a client of a cluster that has workers, with the same code as this process."""
    if importlib.util.find_spec("distributed") is None:
        raise ReplicationError(
            "--dask: distributed is not installed. "
            "Use `nox -s bench`, or install the extra `distributed`."
        )
    from distributed import Client
    from distributed.comm import connect

    async def greet():
        comm = await asyncio.wait_for(connect(address), TIMEOUT)
        await comm.close()

    try:
        # A client that fails to connect takes long to give up, and leaves a traceback.
        asyncio.run(greet())
    # Another kind of server seems to announce absurd sizes, which end in a MemoryError.
    except (OSError, ValueError, MemoryError, asyncio.TimeoutError) as error:
        raise ReplicationError(
            f"--dask {address}: no Dask scheduler answers there ({str(error) or 'timed out'}). "
            "Start one with `dask scheduler` and give the address it prints, "
            "such as tcp://10.0.0.1:8786."
        ) from error
    with Client(address, timeout=TIMEOUT, set_as_default=False) as client:
        _check_workers(address, client)
        yield client


def _check_workers(address, client):
    """Raise an error unless a cluster has workers and all of them have this code."""
    try:
        client.wait_for_workers(1, timeout=TIMEOUT)
        code = client.run(package_hash)
    except TimeoutError as error:
        raise ReplicationError(
            f"--dask {address}: the cluster has no workers. "
            f"Start some with `dask worker {address}`."
        ) from error
    except ImportError as error:
        raise ReplicationError(
            f"--dask {address}: a worker cannot import this package ({error}). Install it there."
        ) from error
    outdated = [worker for worker, its_hash in code.items() if its_hash != package_hash()]
    if outdated:
        raise ReplicationError(
            f"--dask {address}: worker {outdated[0]} has another version of this package. "
            "Install this one there."
        )
