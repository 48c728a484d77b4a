"""The numbers of many runs in two files: metrics.json of a study, sweeps.csv of its sweeps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from replicate.errors import ReplicationError
from replicate.files import write_text
from replicate.numbers.comparisons import compare
from replicate.numbers.metrics import SCHEMA_VERSION, summarise, write_metrics
from replicate.provenance import Sources
from replicate.running import machine
from replicate.running.execute import configuration
from replicate.running.runs import Run
from replicate.study import sweeps
from replicate.study.job import Job
from replicate.study.studies import FAMILY, own_models_in


def collect(
    profile: str, seeds: Sequence[int], sources: Sources, results: Path
) -> tuple[Path, dict]:
    """Write `metrics.json` of a profile from every complete and current run of these seeds.

    The numbers of sweeps go into `sweeps.csv` beside it.

    Returns
    -------
    path : Path
        Path of metrics.json.
    document : dict
        Its content.

    Raises
    ------
    ReplicationError
        If no run is complete.
    """
    study = FAMILY.with_models(own_models_in(Path(results) / profile))
    jobs = [*study.every_job(profile, seeds), *sweeps.jobs(profile)]
    runs = {job: Run.of(results, job) for job in jobs}
    current = {job: run for job, run in runs.items() if _is_current(job, run, sources)}
    records = {job: run.record for job, run in current.items()}
    studied = {job: record for job, record in records.items() if not job.variant}
    if not studied:
        raise ReplicationError(f"{results}: no complete run to take metrics from.")
    errors = {job: current[job].arrays["mse"] for job in studied if job.dataset == "beps"}
    for job, compared in compare(records, errors).items():
        studied[job]["metrics"] |= compared
    document = {
        "schema_version": SCHEMA_VERSION,
        "profile": profile,
        "git_commit": machine.git_commit(),
        "machine": _merged(record["machine"] for record in studied.values()),
        "versions": _merged(record["versions"] for record in studied.values()),
        "metrics": summarise(studied.values()),
    }
    folder = Path(results) / profile
    table = sweeps.table(records)
    write_metrics(folder / "metrics.json", document)
    write_text(folder / "sweeps.csv", table.to_csv(index=False, lineterminator="\n"))
    return folder / "metrics.json", document


def _is_current(job: Job, run: Run, sources: Sources) -> bool:
    return run.status == "complete" and run.is_complete(configuration(job, sources))


def _merged(tables: Iterable[dict]) -> dict:
    """Merge tables of machines or versions; where runs differ, list every value."""
    values = {}
    for table in tables:
        for name, value in table.items():
            values.setdefault(name, {})[value] = None
    return {name: _one_or_all(list(distinct)) for name, distinct in values.items()}


def _one_or_all(values):
    return values[0] if len(values) == 1 else ", ".join(map(str, values))
