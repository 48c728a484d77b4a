"""The benchmark sweep: every data set, model and seed, one row a run in ``bench.jsonl``.

``nox -s bench``, or ``python -m benchmarks.bench`` where the package is installed. Each run has a
fresh process. Models are interleaved, seed by seed. A complete run is reused, an interrupted
training goes on from its last epoch, and no row is lost. metrics.json, the results table, every
figure and the report follow.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import rows
from replicate import cli, locks
from replicate.commands import command, parser_of
from replicate.data.sources import resolve
from replicate.numbers import tables
from replicate.provenance import Sources
from replicate.running.collect import collect
from replicate.running.pipeline import run_all
from replicate.running.runs import Run
from replicate.study import sweeps
from replicate.study.job import Job
from replicate.study.studies import FAMILY, PAPER


def sweep(
    jobs: Sequence[Job],
    sources: Sources,
    results: Path,
    n_processes: int | None = None,
    cluster: str | None = None,
) -> tuple[Path, list[tuple[Job, str]]]:
    """Run every job that is not complete yet, and see to it that each has its row.

    Parameters are those of `pipeline.run_all`.

    Returns
    -------
    path : Path
        Path of the rows.
    failures : list of tuple of Job and str
        The jobs that failed, each with its error.
    """
    path = Path(results) / jobs[0].profile / "bench.jsonl"
    rows.repair(path)
    stored = {row["key"]: row for row in rows.read(path)}

    def on_done(job, config, error):
        row = rows.row(job, config, Run.of(results, job), error)
        # The row of a run that is reused may be missing: a kill may fall between record and row.
        if error or stored.get(row["key"], {}).get("metrics") != row["metrics"]:
            rows.append(path, row)

    return path, run_all(jobs, sources, results, n_processes, cluster, on_done)


def bench(options: argparse.Namespace) -> int:
    """Sweep as the command line asks, and write and print what came out.

    Returns
    -------
    int
        Exit code: 0, or 1 where a run failed or a figure is missing.
    """
    seeds = range(options.seeds)
    jobs = FAMILY.jobs(options.profile, options.only, seeds)
    jobs += sweeps.jobs(options.profile, options.only)
    cli.set_arithmetic(options.arithmetic)
    cli.check_mxnet(jobs)
    sources = resolve(options.data)
    cli.announce(jobs, sources)
    with locks.held(options.results / options.profile):
        return _sweep_and_write(options, jobs, sources)


def _sweep_and_write(options, jobs, sources):
    """Sweep, write and print what came out, and return the exit code."""
    seeds = range(options.seeds)
    rows_path, failures = sweep(jobs, sources, options.results, options.jobs, options.dask)
    cli.print_failures(failures)
    metrics_path, document = collect(options.profile, seeds, sources, options.results)
    metrics, folder = document["metrics"], metrics_path.parent
    written = tables.write_tables(metrics, folder)
    is_drawn = cli.draw_study(
        FAMILY, options.results, options.profile, is_partial=bool(options.only)
    )
    print(f"\n{tables.results_table(metrics, PAPER).to_string(index=False)}")
    print(f"{tables.caption(metrics, PAPER)}\n")
    made = [rows_path, metrics_path, *written, folder / "figures", folder / "report.html"]
    print(*(path for path in made if path.exists()), sep="\n")
    # Of a selection of the runs, some figures cannot be drawn.
    return 0 if (is_drawn or options.only) and not failures else 1


def _parser():
    parser = parser_of(__doc__)
    cli.add_place(parser)
    parser.add_argument(
        "--seeds", type=cli.positive, default=5, metavar="N", help="seeds 0 to N - 1 (default: 5)"
    )
    cli.add_selection(parser)
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--jobs",
        type=cli.positive,
        metavar="N",
        help="runs side by side, one thread each (default: one a core, at most 4)",
    )
    where.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="of a Dask scheduler: run on the workers of its cluster, which share RESULTS",
    )
    return parser


@command()
def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, and sweep.

    Returns
    -------
    int
        Exit code: 0, 1 for failed runs, 2 for a user's error, 130 for Ctrl-C.
    """
    return bench(_parser().parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
