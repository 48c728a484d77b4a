"""The command line: ``python -m replicate data | clean | run | figures | status``."""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import replicate
from replicate.errors import ReplicationError
from replicate.numbers.tables import caption, results_table
from replicate.study import jobs as study

FIGURES = ("toy", "fig2", "fig3", "fig4", "fig5", "descriptors", "table1", "violins", "cost")
SCAN_FIGURES = ("fig4", "fig5", "descriptors", "violins", "cost")
"""What is drawn of a scan of the user's own."""
BENCH_FIGURES = (
    "ablation",
    "rate_distortion",
    "generalisation",
    "disentanglement",
    "mechanism",
    "agreement",
)
"""What only a benchmark has the numbers for."""

MORE_FIGURES = ("supplement", "twin")
"""Drawn where they are named: the paper's supplement, and the twin beside the scan."""

ALL_FIGURES = FIGURES + BENCH_FIGURES + MORE_FIGURES

FIGURE_FOLDER = Path(__file__).resolve().parents[1] / "figures"
REPORT = FIGURE_FOLDER.parent / "benchmarks" / "report.py"


def main(arguments=None):
    """Parse the command line, run it, and return the exit code: 0, 1 for failed runs, 2 for a user's error, 130 for Ctrl-C."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options) or 0
    except ReplicationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "\nStopped. Nothing is lost: the same command goes on from the last epoch.",
            file=sys.stderr,
        )
        return 130


def _parser():
    parser = argparse.ArgumentParser(prog="python -m replicate", description=replicate.__doc__)
    parser.add_argument("--version", action="version", version=replicate.__version__)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    data = commands.add_parser("data", help="fetch and verify the data files of the manifest")
    data.add_argument(
        "--check", action="store_true", help="only verify what is here; use no network"
    )
    data.set_defaults(command=_data)

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
    limits_help = "credible resonance, kHz; values outside are missing (default: 1300 1340, for the paper's cantilever)"
    clean.add_argument(
        "--resonance-limits", nargs=2, type=float, metavar=("LOW", "HIGH"), help=limits_help
    )
    clean.set_defaults(command=_clean)

    texts = {"description": _RUN_HELP, "epilog": _SCAN_HELP}
    run = commands.add_parser(
        "run", help="fit, score and draw: the paper's figures and Table 1", **texts
    )
    _add_common(run)
    add_selection(run)
    scan_help = "a scan of your own (.npz, .h5, .mat) to run every model on, instead of the study; see below"
    run.add_argument("--scan", type=Path, metavar="FILE", help=scan_help)
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

    figures = commands.add_parser("figures", help="draw figures from the runs that are there")
    listed = f"of {', '.join(ALL_FIGURES)} (default: the first {len(FIGURES)})"
    figures.add_argument("names", nargs="*", metavar="NAME", help=listed)
    _add_common(figures)
    figures.set_defaults(command=_figures)

    status = commands.add_parser(
        "status", help="which runs are complete, failed, interrupted or missing"
    )
    _add_common(status)
    status.set_defaults(command=_status)
    return parser


_CLEAN_HELP = """Read raw loops from a MATLAB file (version 5 to 7.3), fill missing points, replace the three points of each loop that lie
farthest from a Savitzky-Golay fit, and standardise each channel: the recipe of the paper's data. OUT.npz gets the channels (pixels in C
order, float64) with grid, voltages, means and standard deviations; OUT.repairs.csv every point replaced, in the unit of the file."""

_RUN_HELP = """Runs that are complete are reused; an interrupted training goes on from its last epoch. Results are in RESULTS/PROFILE:
metrics.json, report.html, the figures, and a folder for each run."""

_SCAN_HELP = """The file of --scan has the arrays piezoresponse, (rows, cols, steps), in any unit, other channels of the same shape if there
are any, and voltages, (steps,), one cycle in V; pixels without a measurement are NaN. A USID (pycroscopy) file is read where pyUSID is
installed. Results of MY.npz are in RESULTS/MY/PROFILE: draw them again with `figures --results RESULTS/MY`."""


def add_place(parser):
    """Add the options that say which results are meant."""
    parser.add_argument(
        "--profile",
        choices=study.PROFILES,
        default="standard",
        help="a seed takes 2 minutes, 10 minutes, days",
    )
    parser.add_argument(
        "--results", type=Path, default=Path("results"), metavar="FOLDER", help="default: results"
    )


def add_selection(parser):
    """Add the options that say what is run, and on which data."""
    choices = ("auto", "measured", "simulated")
    parser.add_argument(
        "--data",
        choices=choices,
        default="auto",
        help="auto: simulated where the real cannot be had",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        default=(),
        metavar="NAME",
        help=f"of {', '.join((*study.DATASETS, *study.MODELS))}",
    )


def _add_common(parser):
    add_place(parser)
    parser.add_argument(
        "--seed", type=int, nargs="+", default=[0], metavar="N", help="one run a seed (default: 0)"
    )


def positive(text):
    """Read a whole number of 1 or more, for argparse."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def _data(options):
    from replicate.data.remote.fetch import verify_all
    from replicate.data.remote.manifest import read_manifest

    rows = verify_all(read_manifest().values(), fetch_missing=not options.check)
    for row in rows:
        print(
            f"{row.key:14} {row.status:9} {row.bytes or '':>9} {row.hash or '':80} {row.path or ''}"
        )
    for row in rows:
        if row.problem:
            print(f"\n{row.problem}", file=sys.stderr)
    return 1 if any(row.problem for row in rows) else 0


def _clean(options):
    from replicate.data.raw.clean_file import clean_file, repairs_path

    summary = clean_file(options.raw, options.out, options.resonance_limits)
    print(*summary, "", options.out, repairs_path(options.out), sep="\n")


def _run(options):
    from replicate.running import pipeline

    own, scan = _bring(options)
    results = options.results / options.scan.stem if own else options.results
    jobs = (study.jobs_on_own if own else study.jobs)(options.profile, options.only, options.seed)
    if options.dry_run:
        print(json.dumps([study.describe(job, scan) for job in jobs], indent=2))
        return 0
    provenance = announce(jobs, options.data, own)
    if options.profile == "paper":
        _announce_duration(jobs, scan)
    failures = pipeline.run_all(jobs, provenance, results, options.processes)
    print_failures(failures)
    path, document = pipeline.collect(options.profile, options.seed, provenance, results)
    names = [*(SCAN_FIGURES if own else FIGURES), REPORT.stem]
    drawn = (
        options.no_figures
        or draw(names, results, options.profile, options.seed[0])
        or bool(options.only)
    )
    print(f"\n{results_table(document['metrics']).to_string(index=False)}")
    print(caption(document["metrics"]))
    made = [path, *(path.parent / name for name in ("figures", "report.html"))]
    print("", *(one for one in made if one.exists()), sep="\n")
    return 0 if drawn and not failures else 1


def _bring(options):
    """Take in the scan that the user brings, and return its provenance and itself; None and None where there is none."""
    from replicate.data import sources
    from replicate.data.user_scan.scan_file import summary

    if options.scan is None:
        return None, None
    if options.data != "auto":
        raise ReplicationError(
            f"--data {options.data}: the data are those of --scan. Leave one of the two out."
        )
    own = sources.bring(options.scan)
    scan = sources.load_scan(own["scan"])
    print(f"{options.scan}: {summary(scan)}", file=sys.stderr)
    return own, scan


def announce(jobs, data, own=None):
    """Say how many jobs are to run and on which data, and return the provenance of these: `own`, of a scan that the user brings, if given.

    Raises
    ------
    ReplicationError
        If jobs need MXNet and it is not installed, or the data cannot be had.
    """
    from replicate.data import sources

    if any(job.is_network for job in jobs) and importlib.util.find_spec("mxnet") is None:
        raise ReplicationError(
            "mxnet is not installed, and the LSTM needs it. Use `nox -s replicate`, which installs it on Python 3.11."
        )
    provenance = own or sources.resolve(data)
    picture = "" if own else f", picture: {provenance['picture']}"
    print(
        f"{len(jobs)} runs, profile {jobs[0].profile}, scan: {provenance['scan']}{picture}",
        flush=True,
    )
    return provenance


def print_failures(failures):
    """Print the error of every failed job."""
    for job, error in failures:
        print(f"\n{job} failed:\n{error}", file=sys.stderr)


def _announce_duration(jobs, scan=None):
    from replicate.running.estimate import longest_seconds

    print("Timing one step of each network ...", flush=True)
    total = 0.0
    for job in jobs:
        if job.is_network:
            seconds = longest_seconds(job, scan)
            total += seconds
            print(f"  {job}: at most {seconds / 3600:.1f} h")
    print(
        f"  all together at most {total / 86400:.1f} days of one core, less where the channels reach their target early.",
        flush=True,
    )


def _figures(options):
    unknown = [name for name in options.names if name not in ALL_FIGURES]
    if unknown:
        raise ReplicationError(f"{unknown[0]}: no such figure. There are {', '.join(ALL_FIGURES)}.")
    every = SCAN_FIGURES if _is_own(options) else FIGURES
    return (
        0 if draw(options.names or every, options.results, options.profile, options.seed[0]) else 2
    )


def _is_own(options):
    """Tell whether the results that are meant are of a scan of the user's own."""
    from replicate.data import sources

    return sources.has_own(options.results / options.profile)


def draw(names, results, profile, seed=0):
    """Draw figures, and the report where it is among the names, in processes of their own; tell whether all of them were drawn."""
    codes = []
    for name in names:
        script, more = (
            (REPORT, [])
            if name == REPORT.stem
            else (FIGURE_FOLDER / f"{name}.py", ["--seed", str(seed)])
        )
        command = [
            sys.executable,
            str(script),
            "--results",
            str(results),
            "--profile",
            profile,
            *more,
        ]
        codes.append(subprocess.run(command).returncode)
    return not any(codes)


def _status(options):
    from replicate.running.runs import Run

    for job in (study.jobs_on_own if _is_own(options) else study.jobs)(
        options.profile, seeds=options.seed
    ):
        run = Run.of(options.results, job)
        note = f"epoch {len(run.history)}" if run.history else ""
        print(f"{str(job):36} {run.status:12} {note}")
