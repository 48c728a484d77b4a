"""Is this what was published? Every stored metric computed again from stored weights, without training and without MXNet.

``nox -s verify``, or ``python benchmarks/verify.py`` where the package is installed. Data hashes, metrics, README: a line a check, and a
verdict.
"""

from __future__ import annotations

import argparse
import math
import sys

import publish

from replicate import study
from replicate.data.fetch import fetch
from replicate.data.manifest import read_manifest
from replicate.errors import ReplicationError
from replicate.files import file_hash, read_json, read_npz
from replicate.metrics import read_metrics
from replicate.stored import restore
from replicate.tasks import load_task

TOLERANCE = 1e-5
SEED = 0
PROVENANCE = {
    "toy": {"spectra": "formula", "picture": "painting"},
    "beps": {"spectra": "measured"},
    "beps_heldout": {"spectra": "measured"},
}


def data_checks():
    """Yield name, verdict and detail for every data file that the numbers depend on."""
    for file in read_manifest().values():
        if "replicate" in file.needed_by:
            path = fetch(file)
            yield f"data {file.name}", True, f"{file.expected_hash[0]} as in the manifest, {path}"


def weight_checks():
    """Yield name, verdict and detail for every file of stored weights: a small change in one may hardly move an error."""
    for name, expected in read_json(publish.hashes_path()).items():
        path = publish.hashes_path().parent / f"{name}.npz"
        yield f"weights {path.name}", path.exists() and file_hash(path) == expected, f"sha256 {expected}"


def metric_checks(document):
    """Yield name, verdict and detail for every metric that follows from weights."""
    metrics = document["metrics"]
    for dataset in study.DATASETS:
        jobs = [job for job in study.jobs(document["profile"], [dataset], [SEED]) if job.dataset == dataset]
        task = load_task(study.describe(jobs[0]) | {"provenance": PROVENANCE[dataset]})
        for job in jobs:
            model = restore(job, read_npz(publish.weights_path(job)), task.train)
            for kind, value in task.score(model)[0].items():
                name = f"{dataset.split('_')[0]}.{job.model}.{kind}"
                yield name, *_compare(metrics.get(name), value)


def _compare(entry, value):
    if entry is None or SEED not in entry["seeds"]:
        return False, f"computed {value:.6g}, but none is stored"
    stored = entry["values"][entry["seeds"].index(SEED)]
    tolerance = 0 if entry["unit"] == "count" else TOLERANCE
    return math.isclose(stored, value, rel_tol=tolerance), f"stored {stored:.8g}, computed {value:.8g}"


def readme_checks(document):
    """Yield name, verdict and detail for the numbers in the README."""
    text = publish.README.read_text(encoding="utf-8")
    yield "README.md", publish.insert(text, publish.render(document)) == text, "its numbers are the stored ones"


def verify():
    """Run every check, print a line for each and a verdict, and tell whether all of them hold."""
    document = read_metrics(publish.STORED)
    print(f"Stored metrics: commit {document['git_commit']}, profile {document['profile']}, {document['machine']['processor']}\n")
    failed, names = [], set()
    for checks in (data_checks(), weight_checks(), metric_checks(document), readme_checks(document)):
        for name, holds, detail in checks:
            print(f"{'ok' if holds else 'FAILED':7} {name:44} {detail}", flush=True)
            names.add(name)
            failed += [] if holds else [name]
    left = sorted({name.rpartition(".")[2] for name in document["metrics"].keys() - names})
    print(f"\nNot a matter of weights, and so not computed again: {', '.join(left)}.")
    print(f"{len(names)} checks, {len(failed)} failed. " + (f"NOT VERIFIED: {', '.join(failed)}" if failed else "VERIFIED."))
    return not failed


def main():
    """Verify the stored metrics."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    try:
        return 0 if verify() else 1
    except ReplicationError as error:
        print(f"NOT VERIFIED: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
