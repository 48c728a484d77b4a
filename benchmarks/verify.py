"""Is this what was published? Every stored metric computed again from stored weights, without training and without MXNet.

``nox -s verify``, or ``python -m benchmarks.verify`` where the package is installed. Data, weights,
metrics, tables, verdicts and pages: a line a check, and a verdict. The models of the paper's study are scored again; with ``--family`` all whose weights are kept.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from benchmarks import claims, pages
from benchmarks.store import PROFILE, Store, index_rows, kept
from replicate.causal.statements import judge_all
from replicate.data.remote.fetch import fetch
from replicate.data.remote.manifest import read_manifest
from replicate.errors import ReplicationError
from replicate.files import file_hash, read_json
from replicate.numbers.comparisons import compare
from replicate.numbers.kinds import kind_of
from replicate.numbers.metrics import interval
from replicate.reference.restore import restore
from replicate.running.execute import configuration
from replicate.study import jobs as study
from replicate.tasks import load_task

TOLERANCE = 1e-5
INDEX_TOLERANCE = 1e-5  # z-scores
PROVENANCE = {"scan": "measured", "picture": "painting"}


def data_checks():
    """Yield name, verdict and detail for every data file that the numbers depend on."""
    for file in read_manifest().values():
        if "replicate" in file.needed_by:
            path = fetch(file)
            yield f"data {file.name}", True, f"{file.expected_hash[0]} as in the manifest, {path}"


def weight_checks(store):
    """Yield name, verdict and detail for every file of stored weights: a small change in one may hardly move an error."""
    for name, expected in store.hashes().items():
        path = store.hashes_path.parent / name
        yield f"weights {name}", path.exists() and file_hash(path) == expected, f"sha256 {expected}"


def summary_checks(document):
    """Yield name, verdict and detail for the means and the intervals of the stored values."""
    wrong = [name for name, entry in document["metrics"].items() if not _is_summary(entry)]
    yield (
        "summaries",
        not wrong,
        f"means and intervals follow from the values{' but in ' if wrong else ''}{', '.join(wrong)}",
    )


def _is_summary(entry):
    expected = [float(np.mean(entry["values"])), *(interval(entry["values"]) or [])]
    found = [entry["value"], *(entry["interval"] or [])]
    return len(found) == len(expected) and np.allclose(found, expected, rtol=1e-9, atol=0)


def rescore(store, jobs):
    """Score stored models again, side by side in processes of one thread.

    Yields
    ------
    dataset : str
    seed : int
    metrics : dict of str to float
        By name of the metric.
    table : DataFrame or None
        The error at each index.
    """
    # What shares a task: of the toy problem, the models of the paper are scored on the painting, the others are not.
    groups = {}
    for job in jobs:
        groups.setdefault(
            (job.dataset, job.seed, job.model in study.PAPER_STUDY.get(job.dataset, ())), []
        ).append(job)
    # Those with the painting take longest: at the end they would leave a core idle.
    groups = dict(sorted(groups.items(), key=lambda group: group[0][0] != "toy"))
    with ProcessPoolExecutor(min(os.cpu_count() or 1, 4)) as pool:
        outcomes = pool.map(_rescore_group, [(store, listed) for listed in groups.values()])
        for (dataset, seed, _), outcome in zip(
            groups, tqdm(outcomes, total=len(groups), unit="group", disable=None)
        ):
            yield dataset, seed, *outcome


def _rescore_group(task):
    """Score the stored models of one data set and one seed again."""
    store, jobs = task
    with threadpool_limits(1):
        data = load_task(configuration(jobs[0], PROVENANCE))
        scores = {job: _rescore(data, job, store.weights(job)) for job in jobs}
    errors = {job: arrays["mse"] for job, (_, arrays) in scores.items() if job.dataset == "beps"}
    compared = compare({job: {"metrics": scored} for job, (scored, _) in scores.items()}, errors)
    metrics = {
        f"{job.dataset}.{job.model}.{kind}": value
        for job, (scored, _) in scores.items()
        for kind, value in (scored | compared[job]).items()
    }
    tables = [
        index_rows(job, arrays) for job, (_, arrays) in scores.items() if "index_bias" in arrays
    ]
    return metrics, pd.concat(tables) if tables else None


def _rescore(data, job, arrays):
    refined = {"refined": arrays.pop("refined")} if "refined" in arrays else {}
    return data.score(restore(job, arrays, data.train), **refined)


def model_checks(document, stored_table, scored):
    """Yield name, verdict and detail for every metric that follows from weights, and for the table of the error at each index.

    Parameters
    ----------
    document : dict
        The stored metrics.
    stored_table : DataFrame
    scored : iterable
        As `rescore` yields it.
    """
    for data, seed, metrics, table in scored:
        for name, value in metrics.items():
            yield f"{name} seed {seed}", *_compare(document["metrics"].get(name), seed, name, value)
        if table is not None:
            yield f"per_index.csv {data} seed {seed}", *_compare_tables(stored_table, table)


def _compare(entry, seed, name, value):
    if entry is None or seed not in entry["seeds"]:
        return False, f"computed {value:.6g}, but none is stored"
    stored, kind = entry["values"][entry["seeds"].index(seed)], kind_of(name)
    tolerance = 0 if kind.rule == "exact" else TOLERANCE
    return math.isclose(
        stored, value, rel_tol=tolerance, abs_tol=kind.rounding
    ), f"stored {stored:.8g}, computed {value:.8g}"


def _compare_tables(stored, table):
    if not table.index.isin(stored.index).all():
        return False, "rows are missing"
    off = float((stored.loc[table.index] - table).abs().to_numpy().max())
    return off <= INDEX_TOLERANCE, f"{len(table)} rows, at most {off:.1g} z-scores off"


def derived_checks(document, sweeps):
    """Yield name, verdict and detail for what is measured of one run against others, from the stored metrics and sweeps."""
    records = {}
    for name, entry in document["metrics"].items():
        dataset, model, kind = name.split(".")
        for seed, value in zip(entry["seeds"], entry["values"]):
            records.setdefault(study.Job(PROFILE, dataset, model, seed), {"metrics": {}})[
                "metrics"
            ][kind] = value
    for row in sweeps.itertuples():
        job = study.Job(PROFILE, row.dataset, row.model, row.seed, f"{row.setting}={row.value:g}")
        records.setdefault(job, {"metrics": {}})["metrics"][row.metric] = row.number
    for job, metrics in compare(records, {}).items():
        for kind, value in metrics.items():
            name = f"{job.dataset}.{job.model}.{kind}"
            yield (
                f"{name} seed {job.seed}",
                *_compare(document["metrics"].get(name), job.seed, name, value),
            )


def text_checks(store, document, ledger, texts):
    """Yield name, verdict and detail for the verdicts of both ledgers and for every page.

    Parameters
    ----------
    store : Store
    document : dict
        The stored metrics.
    ledger : list of dict
        The claims.
    texts : dict of str to str
        The pages as `pages.read` returns them.
    """
    stale = [
        claim["id"]
        for claim in ledger
        if claims.judge(claim, document)["verdict"] != claim["verdict"]
    ]
    yield (
        "claims.json",
        not stale,
        f"{len(ledger)} verdicts follow from the stored metrics"
        + (f" but {', '.join(stale)}" if stale else ""),
    )
    statements = store.statements()
    follows = judge_all(read_json(store.causal_path))["statements"] == statements
    yield (
        "causal/verdicts.json",
        follows,
        f"{len(statements)} verdicts follow from the stored record",
    )
    renewed = pages.renew(texts, document, ledger, statements)
    for path, text in texts.items():
        yield path, renewed[path] == text, "its numbers are the stored ones"


def verify(store, ledger, texts, jobs, rescore=rescore):
    """Run every check, print a line for each and a verdict, and tell whether all of them hold.

    Parameters
    ----------
    store : Store
    ledger : list of dict
        The claims.
    texts : dict of str to str
        The pages as `pages.read` returns them.
    jobs : list of Job
        Whose models are scored again.
    rescore : callable
        Takes the store and these jobs.
    """
    document, stored_table = store.metrics(), store.index_table()
    print(
        f"Stored metrics: commit {document['git_commit']}, profile {document['profile']}, {document['machine']['processor']}\n"
    )
    groups = (
        data_checks(),
        weight_checks(store),
        summary_checks(document),
        derived_checks(document, store.sweeps()),
    )
    failed, names = [], []
    for checks in (
        *groups,
        text_checks(store, document, ledger, texts),
        model_checks(document, stored_table, rescore(store, jobs)),
    ):
        for name, holds, detail in checks:
            tqdm.write(f"{'ok' if holds else 'FAILED':7} {name:58} {detail}")
            names.append(name)
            failed += [] if holds else [name]
    computed = {name.partition(" ")[0] for name in names}
    left = sorted({name.rpartition(".")[2] for name in document["metrics"].keys() - computed})
    print(f"\nNot computed again, all or in part: {', '.join(left)}.")
    print(
        f"{len(names)} checks, {len(failed)} failed. "
        + (f"NOT VERIFIED: {', '.join(failed)}" if failed else "VERIFIED.")
    )
    return not failed


def main():
    """Verify what is stored."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--family",
        action="store_true",
        help="score the whole family again, not the paper's study alone: 3 minutes",
    )
    options = parser.parse_args()
    try:
        jobs = kept(Store().metrics())
        if not options.family:
            jobs = [job for job in jobs if job.model in study.PAPER_STUDY.get(job.dataset, ())]
        return 0 if verify(Store(), claims.read(), pages.read(), jobs) else 1
    except ReplicationError as error:
        print(f"NOT VERIFIED: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
