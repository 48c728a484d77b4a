"""One run in a process of its own, from its configuration to its record.

``python -m replicate.running.process`` reads a request as JSON from standard input and prints its progress as one JSON object a line.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from dataclasses import asdict

import threadpoolctl

from replicate.data import sources
from replicate.errors import ReplicationError
from replicate.files import write_npz
from replicate.running import machine, runs
from replicate.running.evaluate import evaluate, weights
from replicate.study import family
from replicate.study import jobs as study


def configuration(job, provenance):
    """Return everything that the numbers of a job depend on.

    Parameters
    ----------
    job : Job
    provenance : dict of str to str
        Of ``scan`` and ``picture``, as `sources.resolve` returns it, or `sources.bring`.
    """
    scan = {"spectra": "simulated twin" if job.dataset == "twin" else provenance["scan"]}
    where = {"spectra": "formula", "picture": provenance["picture"]} if job.data == "toy" else scan
    hashes = {
        key: value for name in where.values() for key, value in sources.data_hashes(name).items()
    }
    packages = {
        name: version
        for name, version in machine.versions().items()
        if name in ("mxnet", "numpy", "scikit-learn")
    }
    described = study.describe(job, sources.own_scan(provenance["scan"]))
    return described | {
        "provenance": where,
        "data_sha256": hashes,
        "code": machine.code_hash(),
        "packages": packages,
    }


def execute(job, provenance, results, report=lambda **progress: None):
    """Run a job from start to record, or from its checkpoint.

    Parameters
    ----------
    job : Job
    provenance : dict of str to str
    results : path-like
    report : callable
        Called with keywords ``done``, ``total`` and ``text`` as a training advances.

    Raises
    ------
    Exception
        Whatever the run raised, after its record with status ``failed`` is written.
    """
    run, config = runs.Run.of(results, job), configuration(job, provenance)
    run.prepare(config)
    record = asdict(job) | {"provenance": config["provenance"]}
    record |= {"data_sha256": config["data_sha256"], "git_commit": machine.git_commit()}
    record |= {"machine": machine.hardware(), "versions": machine.versions()}
    start = time.perf_counter()
    try:
        machine.seed_everything(job.seed)
        model = family.build(job, sources.own_scan(provenance["scan"]))
        metrics, arrays = evaluate(model, config, run, report)
        write_npz(run.folder / "weights.npz", **weights(model))
        write_npz(run.folder / "arrays.npz", **arrays)
    except Exception:
        run.finish(
            config, record | {"status": "failed", "metrics": {}, "error": traceback.format_exc()}
        )
        raise
    metrics["peak_memory_mib"] = machine.peak_memory_mib()
    record |= {"status": "complete", "metrics": metrics, "seconds": time.perf_counter() - start}
    run.finish(config, record | {"thread_pools": threadpoolctl.threadpool_info()})


def main():
    """Run the request on standard input; a failure is reported as one line ``{"error": ...}`` and exit code 1."""
    # A request to end is handled as Ctrl-C is: at a point where no file is half-written.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    request = json.load(sys.stdin)

    def say(**progress):
        print(json.dumps(progress), flush=True)

    try:
        execute(study.Job(**request["job"]), request["provenance"], request["results"], say)
    except KeyboardInterrupt:
        # MXNet's own shutdown would be interrupted, with a traceback, by a second signal.
        os._exit(130)
    except Exception as error:
        say(error=str(error) if isinstance(error, ReplicationError) else traceback.format_exc())
        return 1
    return 0
