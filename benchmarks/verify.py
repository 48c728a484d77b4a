"""Is this what was published? Every stored metric computed again from stored weights.

``nox -s verify``, or ``python -m benchmarks.verify`` where the package is installed. It takes
neither training nor MXNet. Data, weights, metrics, tables, verdicts and pages are checked: it
prints a line a check, and a verdict. The models of the paper's study are scored again; with
``--family`` all models whose weights are stored.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import pandas as pd
from tqdm import tqdm

from benchmarks import claims, pages, paper_network, sums
from benchmarks.evidence import complete
from benchmarks.rescore import Rescored, is_of_paper, rescore
from benchmarks.store import PROFILE, Store, jobs_with_weights
from replicate import seals
from replicate.causal.statements import judge_all
from replicate.commands import command, parser_of
from replicate.data.remote.fetch import fetch
from replicate.data.remote.manifest import read_manifest
from replicate.numbers.comparisons import compare
from replicate.numbers.kinds import kind_of
from replicate.numbers.metrics import interval, is_as_written
from replicate.study.job import Job

#: How far the computed error at an index may be off, z-scores.
INDEX_TOLERANCE = 1e-5

#: How far the computed sum of the errors of a block may be off, z-scores squared.
BLOCK_TOLERANCE = 1e-4

#: Name of a check, whether it holds, and what was compared.
Check = tuple[str, bool, str]


def data_checks() -> Iterator[Check]:
    """Yield a check of every data file that the numbers depend on."""
    for file in read_manifest().values():
        if "replicate" in file.needed_by:
            path = fetch(file)
            yield f"data {file.name}", True, f"{file.expected_hash[0]} as in the manifest, {path}"


def label_checks(document: dict) -> Iterator[Check]:
    """Yield a check of the unit and the better direction of every stored metric."""
    wrong = [
        name
        for name, entry in document["metrics"].items()
        if (entry["unit"], entry["better"]) != (kind_of(name).unit, kind_of(name).better)
    ]
    exception = f" but in {', '.join(wrong)}" if wrong else ""
    yield "units", not wrong, f"units and directions are those of their kinds{exception}"


def seal_checks(store: Store) -> Iterator[Check]:
    """Yield a check of whether somebody edited the stored metrics."""
    holds = is_as_written(store.metrics_path)
    yield "metrics.json", holds, "as `nox -s baseline` wrote it" if holds else "edited by hand"


def summary_checks(document: dict) -> Iterator[Check]:
    """Yield a check of the means and the intervals of the stored values."""
    wrong = [name for name, entry in document["metrics"].items() if not _is_summary(entry)]
    exception = f" but in {', '.join(wrong)}" if wrong else ""
    yield "summaries", not wrong, f"means and intervals follow from the values{exception}"


def _is_summary(entry):
    """Return whether the mean and the interval of an entry are those of its values."""
    computed = [float(np.mean(entry["values"])), *(interval(entry["values"]) or [])]
    stored = [entry["value"], *(entry["interval"] or [])]
    return len(stored) == len(computed) and np.allclose(stored, computed, rtol=1e-9, atol=0)


def model_checks(
    document: dict,
    stored_indices: pd.DataFrame,
    stored_blocks: pd.DataFrame,
    rescored: Iterable[Rescored],
) -> Iterator[Check]:
    """Yield a check of every metric that follows from weights, and of the tables of errors.

    Parameters
    ----------
    document : dict
        The stored metrics.
    stored_indices, stored_blocks : DataFrame
        The stored errors at each index, and in blocks of pixels.
    rescored : iterable of Rescored
    """
    for dataset, seed, metrics, indices, blocks in rescored:
        for name, value in metrics.items():
            holds, detail = _compare(document, name, seed, value)
            yield f"{name} seed {seed}", holds, detail
        if indices is not None:
            holds, off = _compare_tables(stored_indices, indices, INDEX_TOLERANCE)
            yield f"per_index.csv {dataset} seed {seed}", holds, f"{off} z-scores off"
        if blocks is not None:
            holds, off = _compare_tables(stored_blocks, blocks, BLOCK_TOLERANCE)
            yield f"blocks.csv {dataset} seed {seed}", holds, f"{off} z-scores squared off"


def _compare(document, name, seed, value):
    """Return whether a computed metric is the stored one, and both numbers as text."""
    entry = document["metrics"].get(name)
    if entry is None or seed not in entry["seeds"]:
        return False, f"computed {value:.6g}, but none is stored"
    stored = entry["values"][entry["seeds"].index(seed)]
    holds = kind_of(name).is_recomputed(stored, value)
    return holds, f"stored {stored:.8g}, computed {value:.8g}"


def _compare_tables(stored, table, tolerance):
    """Return whether a table is the stored one, and how far its numbers are off, in words."""
    if not table.index.isin(stored.index).all():
        return False, "rows are missing, none"
    off = float((stored.loc[table.index] - table).abs().to_numpy().max())
    return off <= tolerance, f"{len(table)} rows, at most {off:.1g}"


def derived_checks(document: dict, sweeps: pd.DataFrame) -> Iterator[Check]:
    """Yield a check of every metric that compares one run with others.

    They are computed from the stored metrics and sweeps.
    """
    records = _stored_records(document, sweeps)
    for job, metrics in compare(records, {}).items():
        for kind, value in metrics.items():
            name = f"{job.dataset}.{job.model}.{kind}"
            holds, detail = _compare(document, name, job.seed, value)
            yield f"{name} seed {job.seed}", holds, detail


def _stored_records(document, sweeps) -> Mapping[Job, dict]:
    """Return what the record of each run had as metrics, from the stored metrics and sweeps."""
    records = defaultdict(lambda: {"metrics": {}})
    for name, entry in document["metrics"].items():
        dataset, model, kind = name.split(".")
        for seed, value in zip(entry["seeds"], entry["values"]):
            job = Job(PROFILE, dataset, model, seed)
            records[job]["metrics"][kind] = value
    for row in sweeps.itertuples():
        job = Job(PROFILE, row.dataset, row.model, row.seed, f"{row.setting}={row.value:g}")
        records[job]["metrics"][row.metric] = row.number
    return dict(records)


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
    whole = complete(document)
    stale = [
        claim["id"] for claim in ledger if claims.judge(claim, whole)["verdict"] != claim["verdict"]
    ]
    yield (
        "claims.json",
        not stale,
        f"{len(ledger)} verdicts follow from the stored metrics"
        + (f" but {', '.join(stale)}" if stale else ""),
    )
    statements = store.statements()
    follows = judge_all(seals.read(store.causal_path))["statements"] == statements
    yield (
        "causal/verdicts.json",
        follows,
        f"{len(statements)} verdicts follow from the stored record",
    )
    renewed = pages.renew(texts, document, ledger, statements)
    for path, text in texts.items():
        yield path, renewed[path] == text, "its numbers are the stored ones"


def verify(
    store: Store,
    ledger: list[dict],
    texts: dict[str, str],
    jobs: list[Job],
    rescore: Callable[[Store, list[Job]], Iterable[Rescored]] = rescore,
) -> bool:
    """Run every check, print a line for each and a verdict, and return whether all of them hold.

    Parameters
    ----------
    store : Store
    ledger : list of dict
        The claims.
    texts : dict of str to str
        The pages as `pages.read` returns them.
    jobs : list of Job
        The jobs whose models are scored again.
    rescore : callable
        Takes the store and these jobs, and scores them.
    """
    document = store.metrics()
    print(
        f"Stored metrics: commit {document['git_commit']}, profile {document['profile']}, "
        f"{document['machine']['processor']}\n"
    )
    names, failed = _print_checks(_checks(store, document, ledger, texts, jobs, rescore))
    computed = {name.partition(" ")[0] for name in names}
    left = sorted({name.rpartition(".")[2] for name in document["metrics"].keys() - computed})
    conclusion = f"NOT VERIFIED: {', '.join(failed)}" if failed else "VERIFIED."
    print(f"\nNot computed again, all or in part: {', '.join(left)}.")
    print(f"{len(names)} checks, {len(failed)} failed. {conclusion}")
    return not failed


def _checks(store, document, ledger, texts, jobs, rescore):
    """Yield every check; models are scored in other processes beside the rest."""
    yield from data_checks()
    yield from sums.checks(store.folder)
    rescored = rescore(store, jobs)
    yield from label_checks(document)
    yield from seal_checks(store)
    yield from summary_checks(document)
    yield from derived_checks(document, store.sweeps())
    yield from paper_network.checks()
    yield from text_checks(store, document, ledger, texts)
    yield from model_checks(document, store.index_table(), store.block_table(), rescored)


def _print_checks(checks):
    """Print a line a check, and return the names of all and of those that fail."""
    names, failed = [], []
    for name, holds, detail in checks:
        tqdm.write(f"{'ok' if holds else 'FAILED':7} {name:58} {detail}")
        names.append(name)
        if not holds:
            failed.append(name)
    return names, failed


@command("NOT VERIFIED")
def main() -> int:
    """Verify what is stored, and return the exit code: 0, 1 for a failure, 2 for an error."""
    parser = parser_of(__doc__)
    parser.add_argument(
        "--family",
        action="store_true",
        help="score the whole family again, not the paper's study alone: 3 minutes",
    )
    options = parser.parse_args()
    jobs = jobs_with_weights(Store().metrics())
    if not options.family:
        jobs = [job for job in jobs if is_of_paper(job)]
    holds = verify(Store(), claims.read(), pages.read(), jobs)
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
