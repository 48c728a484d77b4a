"""What the stored models score, computed again from their weights, without MXNet."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import pandas as pd
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from benchmarks.store import PROFILE, SOURCES, Store, block_rows, index_rows
from replicate.files import file_hash
from replicate.numbers.comparisons import compare
from replicate.numbers.kinds import kind_of
from replicate.numbers.metrics import summarise
from replicate.reference.restore import restore
from replicate.running.execute import configuration
from replicate.study.job import Job
from replicate.study.studies import PAPER
from replicate.tasks import load_task


class Rescored(NamedTuple):
    """What the stored models of one data set and one seed score.

    Attributes
    ----------
    dataset : str
    seed : int
    metrics : dict of str to float
        By the name of the metric.
    indices, blocks : DataFrame or None
        The error at each index and in each block of pixels, as `benchmarks.store.index_rows` and
        `benchmarks.store.block_rows` make them; None where they are not measured.
    """

    dataset: str
    seed: int
    metrics: dict[str, float]
    indices: pd.DataFrame | None
    blocks: pd.DataFrame | None


def rescore(store: Store, jobs: Iterable[Job]) -> Iterator[Rescored]:
    """Score stored models again, side by side in processes of one thread, which start at once.

    Returns
    -------
    iterator of Rescored
        One for each data set and seed; on the toy problem one for the models of the paper, and one
        for the others.
    """
    groups = _by_task(jobs)
    pool = ProcessPoolExecutor(min(os.cpu_count() or 1, 4))
    outcomes = pool.map(_rescore_group, [(store, group) for group in groups])
    return _in_turn(pool, outcomes, len(groups))


def _in_turn(pool, outcomes, n_groups):
    """Yield the outcomes of all groups, and close the pool of processes."""
    with pool:
        for rescored in tqdm(outcomes, total=n_groups, unit="group", disable=None):
            yield from rescored


def _by_task(jobs):
    """Group jobs that share a task, the longest group first.

    All seeds are fitted to the same spectra of the whole scan. On the toy problem the models of the
    paper are scored on the painting, the others are not. What takes longest would leave a core idle
    at the end.
    """
    groups = {}
    for job in jobs:
        seed = None if job.dataset == "beps" else job.seed
        groups.setdefault((job.dataset, seed, is_of_paper(job)), []).append(job)
    order = {"beps": 0, "toy": 1}
    return sorted(groups.values(), key=lambda group: order.get(group[0].dataset, len(order)))


def is_of_paper(job: Job) -> bool:
    """Return whether a job belongs to the paper's study."""
    return job.model in PAPER.models.get(job.dataset, ())


def _rescore_group(group):
    """Score the stored models of one task again, and return what those of each seed score."""
    store, jobs = group
    with threadpool_limits(1):
        task = load_task(configuration(jobs[0], SOURCES))
        scores = _scores(store, task, jobs)
    errors = {job: arrays["mse"] for job, (_, arrays) in scores.items() if job.dataset == "beps"}
    compared = compare({job: {"metrics": scored} for job, (scored, _) in scores.items()}, errors)
    return [
        _rescored([job for job in jobs if job.seed == seed], scores, compared)
        for seed in dict.fromkeys(job.seed for job in jobs)
    ]


def _scores(store, task, jobs):
    """Return metrics and arrays of each job; models of the same weights are scored once."""
    known, scores = {}, {}
    for job in jobs:
        arrays = store.weights(job)
        weights = (job.model, file_hash(store.weights_path(job)))
        if weights not in known:
            known[weights] = _rescore(task, job, arrays)
        scores[job] = known[weights]
    return scores


def _rescored(jobs, scores, compared):
    """Return what the models of one data set and one seed score."""
    metrics = {
        f"{job.dataset}.{job.model}.{kind}": value
        for job in jobs
        for kind, value in (scores[job][0] | compared[job]).items()
    }
    arrays = {job: scores[job][1] for job in jobs}
    indices = [index_rows(job, arrays[job]) for job in jobs if "index_bias" in arrays[job]]
    blocks = [block_rows(job, arrays[job]) for job in jobs if job.dataset == "beps_heldout"]
    return Rescored(
        jobs[0].dataset,
        jobs[0].seed,
        metrics,
        pd.concat(indices) if indices else None,
        pd.concat(blocks) if blocks else None,
    )


def _rescore(task, job, arrays):
    """Score one stored model on its task, with its stored refined latents where it has some."""
    if "refined" not in arrays:
        return task.score(restore(job, arrays, task.train))
    refined = arrays.pop("refined")
    return task.score(restore(job, arrays, task.train), refined=refined)


def renewed(document: dict, rescored: Iterable[Rescored]) -> dict:
    """Return a metrics document with what follows from the stored weights.

    A number that is stored and follows from them, within the tolerance of its kind, stays as it is.
    So do the numbers of seeds of which no weights are stored.

    Parameters
    ----------
    document : dict
        The stored metrics.
    rescored : iterable of Rescored
        Of every stored model.
    """
    stored = document["metrics"]
    records = [record for each in rescored for record in _records(each)]
    scored = summarise([*records, *_kept(stored, records)])
    changed = {
        name: entry for name, entry in scored.items() if not _follows(name, stored.get(name), entry)
    }
    return document | {"metrics": dict(sorted((stored | changed).items()))}


def _kept(stored, records):
    """Yield the stored numbers of what was scored with other seeds, as the records of runs."""
    seeds = {}
    for record in records:
        for kind in record["metrics"]:
            name = f"{record['dataset']}.{record['model']}.{kind}"
            seeds.setdefault(name, set()).add(record["seed"])
    for name in seeds.keys() & stored.keys():
        dataset, model, kind = name.split(".")
        for seed, value in zip(stored[name]["seeds"], stored[name]["values"]):
            if seed not in seeds[name]:
                yield _record(dataset, model, seed, {kind: value})


def _records(rescored):
    """Yield what was scored as the records of runs."""
    by_model = {}
    for name, value in rescored.metrics.items():
        dataset, model, kind = name.split(".")
        by_model.setdefault((dataset, model), {})[kind] = value
    for (dataset, model), metrics in by_model.items():
        yield _record(dataset, model, rescored.seed, metrics)


def _record(dataset, model, seed, metrics):
    job = Job(PROFILE, dataset, model, seed)
    return {
        "dataset": dataset,
        "model": model,
        "seed": seed,
        "metrics": metrics,
        "provenance": configuration(job, SOURCES)["provenance"],
    }


def _follows(name, stored, entry):
    """Return whether every value of a stored entry follows from the weights."""
    if stored is None or stored["seeds"] != entry["seeds"]:
        return False
    pairs = zip(stored["values"], entry["values"])
    return all(kind_of(name).is_recomputed(*pair) for pair in pairs)
