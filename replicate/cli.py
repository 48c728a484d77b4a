"""The command line: ``python -m replicate data | clean | inspect | run | figures | status``."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import replicate
from replicate import arithmetic, catalogue, lifeline, locks, own_model
from replicate.commands import USER_ERROR, command
from replicate.data import sources as data_sources
from replicate.data.user_scan.reading import VOLTAGE_UNITS, Reading
from replicate.errors import ReplicationError
from replicate.files import read_npy
from replicate.provenance import Sources
from replicate.study.family import MODELS
from replicate.study.job import DATASETS, PROFILES, Job, describe
from replicate.study.studies import OWN_SCAN, PAPER, Study, study_in

#: The module that writes the report; it is named among the figures to be drawn last.
REPORT = "benchmarks.report"


@command()
def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run it.

    Returns
    -------
    int
        Exit code: 0, 1 for failed runs, 2 for a user's error, 130 for Ctrl-C.
    """
    options = _parser().parse_args(arguments)
    return options.command(options)


_CLEAN_HELP = """Read raw loops from a MATLAB file (version 5 to 7.3), fill missing points, replace
the three points of each loop that lie farthest from a Savitzky-Golay fit, and standardise each
channel: the recipe of the paper's data. OUT.npz gets the channels (pixels in C order, float64) with
grid, voltages, means and standard deviations. OUT.repairs.csv lists every point replaced, in the
unit of the file."""

_RUN_HELP = """Runs that are complete are reused; an interrupted training goes on from its last
epoch. Results are in RESULTS/PROFILE: metrics.json, report.html, the figures, and a folder for each
run."""

_INSPECT_HELP = """List the arrays in a file, with their types, shapes and units, what each is taken
as or why it is not, and the command that runs the scan. The exit code is 2 where the file cannot be
used."""

_SCAN_HELP = """The file of --scan has the arrays piezoresponse, (rows, cols, steps), in any unit,
other channels of the same shape if there are any, and voltages, (steps,), in V. Pixels
without a measurement are NaN. Files of USID (pycroscopy), NSID (sidpy) and hyperspy are read, too:
`inspect FILE` shows what is in a file. Results of MY.npz are in RESULTS/MY/PROFILE, or, where
another scan of that name has its results there, in RESULTS/MY-1a2b3c4d/PROFILE with the first
digits of its provenance. Draw them again with `figures --results RESULTS/MY`."""


def _parser():
    parser = argparse.ArgumentParser(prog="python -m replicate", description=replicate.__doc__)
    parser.add_argument("--version", action="version", version=replicate.__version__)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_data_command(commands)
    _add_clean_command(commands)
    _add_inspect_command(commands)
    _add_run_command(commands)
    _add_figures_command(commands)
    _add_status_command(commands)
    return parser


def _add_data_command(commands):
    data = commands.add_parser("data", help="fetch and verify the data files of the manifest")
    data.add_argument(
        "--check", action="store_true", help="only verify what is here; use no network"
    )
    data.set_defaults(command=_data)


def _add_clean_command(commands):
    clean = commands.add_parser(
        "clean", help="prepare raw loops of a MATLAB file", description=_CLEAN_HELP
    )
    clean.add_argument(
        "raw",
        type=Path,
        metavar="RAW.mat",
        help="variables named as in the paper's data, e.g. Loopdata_mixed",
    )
    clean.add_argument("out", type=Path, metavar="OUT.npz")
    clean.add_argument(
        "--resonance-limits",
        nargs=2,
        type=float,
        metavar=("LOW", "HIGH"),
        help="credible resonance, kHz; values outside are missing (default: 1300 1340, for the "
        "paper's cantilever)",
    )
    clean.set_defaults(command=_clean)


def _add_inspect_command(commands):
    inspect = commands.add_parser(
        "inspect",
        help="what is in the file of a scan, and what of it would be taken",
        description=_INSPECT_HELP,
    )
    inspect.add_argument("scan", type=Path, metavar="FILE")
    _add_reading(inspect)
    inspect.set_defaults(command=_inspect)


def _add_reading(parser):
    """Add the options that say how the file of a scan is read."""
    group = parser.add_argument_group("how a scan of your own is read")
    group.add_argument(
        "--dataset", metavar="PATH", help="the loops, or the group that has the arrays"
    )
    group.add_argument(
        "--voltages", type=Path, metavar="FILE", help="a .npy of the voltage of each step, in V"
    )
    group.add_argument(
        "--voltage-unit", choices=tuple(VOLTAGE_UNITS), help="where the file does not say it"
    )
    group.add_argument(
        "--field", choices=("in", "off"), help="of a USID file with both (default: off)"
    )
    group.add_argument(
        "--cycle", type=positive, metavar="N", help="of a record of several (default: last)"
    )
    group.add_argument(
        "--repeat",
        type=positive,
        metavar="N",
        help="which of the steps beside each other at one voltage (default: their mean)",
    )
    group.add_argument(
        "--blank-outliers",
        action="store_true",
        help="leave out pixels with values that cannot be measurements",
    )


def _reading(options) -> Reading:
    """Return how the file of a scan is read."""
    voltages = None
    if options.voltages is not None:
        voltages = tuple(read_npy(options.voltages).ravel().astype(float).tolist())
    return Reading(
        dataset=options.dataset,
        field=options.field,
        cycle=options.cycle,
        repeat=options.repeat,
        voltage_unit=options.voltage_unit,
        blank_outliers=options.blank_outliers,
        voltages=voltages,
        voltages_file=None if voltages is None else str(options.voltages.absolute()),
    )


def _add_run_command(commands):
    run = commands.add_parser(
        "run",
        help="fit, score and draw: the paper's figures and Table 1",
        description=_RUN_HELP,
        epilog=_SCAN_HELP,
    )
    _add_common(run)
    add_selection(run)
    run.add_argument(
        "--scan",
        type=Path,
        metavar="FILE",
        help="a scan of your own (.npz, .npy, .h5, .hspy, .mat) to run every model on, instead of "
        "the study; see below",
    )
    _add_reading(run)
    run.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="FILE.py:CLASS",
        help="a model of your own to fit beside ours; docs/your-model.md says what it must be. It "
        "runs with your rights",
    )
    run.add_argument(
        "--processes",
        type=positive,
        metavar="N",
        help="runs side by side, one thread each (default: one a core, at most 4)",
    )
    run.add_argument("--no-figures", action="store_true", help="leave figures and report out")
    run.add_argument(
        "--dry-run", action="store_true", help="print the study's configuration and stop"
    )
    run.set_defaults(command=_run)


def _add_figures_command(commands):
    figures = commands.add_parser("figures", help="draw figures from the runs that are there")
    figures.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"of {', '.join(catalogue.SCRIPTS)} (default: {', '.join(PAPER.figures)})",
    )
    _add_common(figures)
    figures.set_defaults(command=_figures)


def _add_status_command(commands):
    status = commands.add_parser(
        "status", help="which runs are complete, failed, interrupted or missing"
    )
    _add_common(status)
    status.set_defaults(command=_status)


def add_place(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which results are meant."""
    parser.add_argument(
        "--profile",
        choices=PROFILES,
        default="standard",
        help="a seed takes 2 minutes, 10 minutes, days",
    )
    add_results(parser)


def add_results(parser: argparse.ArgumentParser) -> None:
    """Add the option that says in which folder the results lie."""
    parser.add_argument(
        "--results", type=Path, default=Path("results"), metavar="FOLDER", help="default: results"
    )


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is run, and on which data."""
    parser.add_argument(
        "--data",
        choices=("auto", "measured", "simulated"),
        default="auto",
        help="auto: simulated where the real cannot be had",
    )
    parser.add_argument(
        "--arithmetic",
        choices=(arithmetic.PINNED, arithmetic.NATIVE),
        default=arithmetic.requested(),
        help="pinned: the same bits on every x86-64 processor with AVX2. native: what the "
        "libraries choose for this processor, at times faster; numbers then differ from machine "
        "to machine",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        default=(),
        metavar="NAME",
        help=f"of {', '.join((*DATASETS, *MODELS))}",
    )


def _add_common(parser):
    add_place(parser)
    parser.add_argument(
        "--seed",
        type=int,
        nargs="+",
        default=[0],
        metavar="N",
        help="one run a seed (default: 0)",
    )


def positive(text: str) -> int:
    """Read a whole number of 1 or more, for argparse."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def _data(options):
    from replicate.data.remote.fetch import verify_all
    from replicate.data.remote.manifest import read_manifest

    files = read_manifest().values()
    rows = verify_all(files, fetch_missing=not options.check)
    for row in rows:
        print(
            f"{row.key:14} {row.status:9} {row.bytes or '':>9} {row.hash or '':80} {row.path or ''}"
        )
    needed_by = {file.key: file.needed_by for file in files}
    needed = {key for key, users in needed_by.items() if "replicate" in users}
    problems = [row for row in rows if row.problem]
    for row in problems:
        print(f"\n{row.problem}", file=sys.stderr)
        if row.key not in needed:
            users = " and ".join(needed_by[row.key])
            print(f"The study does without this file; only {users} can use it.", file=sys.stderr)
    return 1 if any(row.key in needed for row in problems) else 0


def _clean(options):
    from replicate.data.raw.clean_file import clean_file, repairs_path

    summary = clean_file(options.raw, options.out, options.resonance_limits)
    print(*summary, "", options.out, repairs_path(options.out), sep="\n")


def _inspect(options):
    from replicate.data.user_scan.inspection import inspect

    text, can_be_run = inspect(options.scan, _reading(options))
    print(text)
    return 0 if can_be_run else USER_ERROR


def _run(options):
    if options.scan is None:
        _refuse_reading(options)
        return _run_study(options, PAPER)
    if options.data != "auto":
        raise ReplicationError(
            f"--data {options.data}: the data are those of --scan. Leave one of the two out."
        )
    return _run_study(options, OWN_SCAN)


def _refuse_reading(options):
    """Refuse options on how a scan is read, where there is none."""
    given = _reading(options).arguments()
    if given:
        raise ReplicationError(f"{given[0]}: only with --scan. Add --scan FILE, or leave it out.")


def _run_study(options, study: Study):
    """Run the jobs of a study, unless only their configuration is asked for."""
    set_arithmetic(options.arithmetic)
    study = study.with_models(map(own_model.bring, options.model))
    jobs = study.jobs(options.profile, options.only, options.seed)
    if options.dry_run:
        _print_configurations(options, jobs)
        return 0
    check_mxnet(jobs)
    sources = _sources(options)
    results = _results_folder(options, sources)
    announce(jobs, sources)
    if options.profile == "paper":
        _announce_duration(jobs, sources)
    with locks.held(results / options.profile):
        return _run_jobs(options, study, jobs, sources, results)


def _run_jobs(options, study, jobs, sources, results):
    """Run jobs, then write and print what came out; return the exit code."""
    from replicate.numbers.tables import caption, results_table
    from replicate.running.collect import collect
    from replicate.running.pipeline import run_all

    failures = run_all(jobs, sources, results, options.processes)
    print_failures(failures)
    path, document = collect(options.profile, options.seed, sources, results)
    is_drawn = options.no_figures or draw_study(
        study, results, options.profile, options.seed[0], is_partial=bool(options.only)
    )
    metrics = document["metrics"]
    table = results_table(metrics, study)
    if len(table):
        print(f"\n{table.to_string(index=False)}\n{caption(metrics, study)}")
    else:
        print("\nNo model of the results table was run; every number is in metrics.json.")
    made = [path, path.parent / "figures", path.parent / "report.html"]
    print("", *(file for file in made if file.exists()), sep="\n")
    # Of a selection of the runs, some figures cannot be drawn.
    return 0 if (is_drawn or options.only) and not failures else 1


def _sources(options) -> Sources:
    """Return the data to run on: those of --data, or the scan that the user brings."""
    if options.scan is None:
        return data_sources.resolve(options.data)
    from replicate.data.user_scan.scan_file import summary

    sources = data_sources.bring(options.scan, _reading(options))
    print(f"{options.scan}: {summary(data_sources.load_scan(sources.scan))}", file=sys.stderr)
    return sources


def _results_folder(options, sources) -> Path:
    """Return the results folder of the study, or that of a scan that the user brings."""
    if options.scan is None:
        return options.results
    from replicate.running import scan_results

    folder = scan_results.folder_of(options.results, options.scan, sources.scan)
    if folder.name != options.scan.stem:
        print(
            f"{options.results / options.scan.stem}: has other results already. "
            f"Those of {options.scan} are in {folder}.",
            file=sys.stderr,
        )
    reading = _reading(options)
    scan_results.remember(folder, options.scan, sources.scan, reading.arguments())
    return folder


def _print_configurations(options, jobs):
    from replicate.running.execute import scan_sizes
    from replicate.study.family import PAPER_SCAN

    sizes = PAPER_SCAN if options.scan is None else scan_sizes(_sources(options).scan)
    print(json.dumps([describe(job, sizes) for job in jobs], indent=2))


def check_mxnet(jobs: Iterable[Job]) -> None:
    """Refuse jobs that need MXNet where it is not installed or cannot be loaded.

    Raises
    ------
    ReplicationError
        With the cause and the remedy, in one line.
    """
    if not any(job.is_network for job in jobs):
        return
    if importlib.util.find_spec("mxnet") is None:
        raise ReplicationError(
            "mxnet is not installed, and the networks need it. Use `nox -s replicate`, which "
            "installs it on Python 3.11."
        )
    from replicate.running.loading import fault_of_mxnet

    fault = fault_of_mxnet()
    if fault:
        raise ReplicationError(fault)


def set_arithmetic(name: str) -> None:
    """Use an arithmetic in the runs of this process, and print what is lost by it, if anything."""
    arithmetic.choose(name)
    if arithmetic.note():
        print(f"Note: {arithmetic.note()}.", file=sys.stderr)


def announce(jobs: Sequence[Job], sources: Sources) -> None:
    """Print how many jobs are to run, and on which data."""
    print(f"{len(jobs)} runs, profile {jobs[0].profile}, {sources}", flush=True)


def print_failures(failures: Iterable[tuple[Job, str]]) -> None:
    """Print the error of every failed job."""
    for job, error in failures:
        print(f"\n{job} failed:\n{error}", file=sys.stderr)


def _announce_duration(jobs, sources):
    from replicate.running.estimate import longest_seconds
    from replicate.running.execute import scan_sizes

    print("Timing one step of each network ...", flush=True)
    total = 0.0
    for job in jobs:
        if job.is_network:
            seconds = longest_seconds(job, scan_sizes(sources.scan))
            total += seconds
            print(f"  {job}: at most {seconds / 3600:.1f} h")
    print(
        f"  all together at most {total / 86400:.1f} days of one core, less where the channels "
        "reach their target early.",
        flush=True,
    )


def _figures(options):
    unknown = [name for name in options.names if name not in catalogue.SCRIPTS]
    if unknown:
        raise ReplicationError(
            f"{unknown[0]}: no such figure. There are {', '.join(catalogue.SCRIPTS)}."
        )
    names = options.names or study_in(options.results / options.profile).figures
    is_drawn = draw(names, options.results, options.profile, options.seed[0])
    return 0 if is_drawn else USER_ERROR


def draw_study(
    study: Study, results: Path, profile: str, seed: int = 0, is_partial: bool = False
) -> bool:
    """Draw the figures of a study and write its report; return whether all of it was done.

    Of a part of the study some figures cannot be drawn. They are named in one line.
    """
    undrawn = _undrawn(study.figures, results, profile, seed, is_quiet=is_partial)
    if is_partial and undrawn:
        print(f"Not drawn, for --only left out runs that they show: {', '.join(undrawn)}.")
    return _run_module(REPORT, results, profile) and not undrawn


def draw(names: Iterable[str], results: Path, profile: str, seed: int = 0) -> bool:
    """Draw figures, each in a process of its own; return whether all of them were drawn."""
    return not _undrawn(names, results, profile, seed)


def _undrawn(names, results, profile, seed, is_quiet=False):
    """Draw figures, and return the names of those that could not be drawn."""
    options = ("--seed", str(seed))
    return [
        name
        for name in names
        if not _run_module(
            f"{catalogue.PACKAGE}.{name}", results, profile, *options, quiet=is_quiet
        )
    ]


def _run_module(module, results, profile, *more, quiet=False):
    """Run a module that reads the results of a profile; return whether it ended well.

    A quiet one does not say what the user can mend; a crash is told all the same.
    """
    command = [sys.executable, "-m", module, "--results", str(results), "--profile", profile, *more]
    with lifeline.tied() as tie:
        ended = subprocess.run(
            command,
            stderr=subprocess.PIPE if quiet else None,
            text=True,
            env=os.environ | tie.env,
            pass_fds=tie.pass_fds,
        )
    if quiet and ended.returncode not in (0, USER_ERROR):
        print(ended.stderr, file=sys.stderr)
    return ended.returncode == 0


def _status(options):
    from replicate.running.runs import Run

    study = study_in(options.results / options.profile)
    for job in study.jobs(options.profile, seeds=options.seed):
        run = Run.of(options.results, job)
        note = f"epoch {len(run.history)}" if run.history else ""
        print(f"{str(job):36} {run.status:12} {note}")
