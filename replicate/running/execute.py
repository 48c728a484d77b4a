"""One run in a process of its own, from its configuration to its record."""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path

import threadpoolctl

from replicate import arithmetic, locks
from replicate.data.sources import data_hashes, load_scan
from replicate.errors import ReplicationError
from replicate.files import write_npz
from replicate.provenance import Sources, is_own_scan
from replicate.running import machine
from replicate.running.code import code_hash
from replicate.running.evaluate import evaluate, weights
from replicate.running.runs import Run
from replicate.study import family
from replicate.study.family import PAPER_SCAN, ScanSizes
from replicate.study.job import Job, describe

#: Packages whose version is part of a run's key.
KEYED_PACKAGES = ("mxnet", "numpy", "scikit-learn")


@cache
def scan_sizes(provenance: str) -> ScanSizes:
    """Return the sizes of the scan of a provenance; the twin is as large as the paper's scan."""
    return ScanSizes.of(load_scan(provenance)) if is_own_scan(provenance) else PAPER_SCAN


def configuration(job: Job, sources: Sources) -> dict:
    """Return everything that the numbers of a job depend on."""
    provenance = sources.of(job)
    hashes = {}
    for name in provenance.values():
        hashes |= data_hashes(name)
    versions = machine.versions()
    config = describe(job, scan_sizes(sources.scan)) | {
        "provenance": provenance,
        "data_sha256": hashes,
        "arithmetic": arithmetic.described(),
        "packages": {name: versions[name] for name in KEYED_PACKAGES if name in versions},
    }
    return config | {"code": code_hash(config)}


def execute(
    job: Job,
    sources: Sources,
    results: Path,
    report: Callable = lambda **progress: None,
) -> None:
    """Run a job from start to record, or from its checkpoint.

    Parameters
    ----------
    job : Job
    sources : Sources
    results : path-like
    report : callable
        Called with keywords ``done``, ``total`` and ``text`` as a training advances.

    Raises
    ------
    Exception
        Whatever the run raised, after its record with status ``failed`` is written.
    """
    run = Run.of(results, job)
    with locks.held(run.folder):
        _execute(job, sources, run, report)


def _execute(job, sources, run, report):
    """Run a job in the folder of its run, which no other process uses."""
    config = configuration(job, sources)
    run.prepare(config)
    record = asdict(job) | {
        "provenance": config["provenance"],
        "data_sha256": config["data_sha256"],
        "git_commit": machine.git_commit(),
        "machine": machine.hardware() | {"arithmetic": config["arithmetic"]},
        "versions": machine.versions(),
    }
    start = time.perf_counter()
    try:
        machine.seed_everything(job.init_seed)
        model = family.build(job, scan_sizes(sources.scan))
        metrics, arrays = evaluate(model, config, run, report)
        write_npz(run.folder / "weights.npz", **weights(model))
        write_npz(run.folder / "arrays.npz", **arrays)
    except Exception:
        failed = {"status": "failed", "metrics": {}, "error": traceback.format_exc()}
        # Where the disk is full, the record cannot be written either.
        with contextlib.suppress(ReplicationError):
            run.finish(config, record | failed)
        raise
    metrics["peak_memory_mib"] = machine.peak_memory_mib()
    complete = {
        "status": "complete",
        "metrics": metrics,
        "seconds": time.perf_counter() - start,
        "selected": getattr(model, "selected_", None),
        "thread_pools": threadpoolctl.threadpool_info(),
    }
    run.finish(config, record | complete)
