"""Does it still come out the same? New metrics against the stored ones, by the rule of each kind.

``nox -s check``, or ``python benchmarks/check.py`` where the package is installed. It prints a line
a check, the timings, and a verdict.

Counts must be equal for every seed. Values are compared seed by seed where machine and versions are
those of the stored metrics, otherwise by the interval of the difference of their means. The order
of the models is judged on the new metrics alone. Time and memory are shown, and never a gate; but
whatever is stored must have been measured again.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from scipy import stats

from benchmarks.store import Store
from replicate.errors import ReplicationError
from replicate.numbers.kinds import kind_of
from replicate.numbers.metrics import read_metrics
from replicate.study.studies import PAPER

#: The stored metrics.
STORED = Store().metrics_path

#: How far apart the same seed may be on the same machine, relative to the stored value. One machine
#: and one set of versions give the same bits, so this forgives only another order of summation.
PAIRED_TOLERANCE = 1e-3

#: Confidence level of the interval of the difference of two means, across machines.
CONFIDENCE = 0.99

#: Least half-width of that interval, as a share of the stored mean.
FLOOR = 0.05

#: Seeds that the stored and the new metrics must each have for that interval.
MIN_SEEDS = 5

#: The first of each pair is the better one: it has the lower error.
ORDERS = (
    ("toy.lstm_vae.gamut_mse", "toy.pca.gamut_mse"),
    ("toy.pca.gamut_mse", "toy.dictionary_learning.gamut_mse"),
    ("beps.lstm_vae.mse", "beps.pca.mse"),
    ("beps.pca.mse", "beps.dictionary_learning.mse"),
    ("beps_heldout.lstm_vae.heldout_mse", "beps_heldout.pca.heldout_mse"),
    ("beps_heldout.pca.heldout_mse", "beps_heldout.dictionary_learning.heldout_mse"),
)

#: Kinds that compare one run with others, which may not have been made. They follow from metrics
#: that are checked themselves.
DERIVED = ("shuffle_change", "sensitivity")

#: The three verdicts of a check.
OK, FAILED, FEW = "ok", "FAILED", "not enough seeds"

#: Heading of each group of checks, in the order in which they are printed.
GROUPS = {
    "profile": "Profile",
    "missing": "Stored, but not measured again",
    "exact": "Counts: equal for every seed",
    "value": "Values",
    "order": "Order: better in every seed but one, of fewer than three in every one",
}


class Check(NamedTuple):
    """One line of the answer.

    Attributes
    ----------
    group : str
        One of `GROUPS`.
    name : str
        The metric, or the pair of metrics.
    verdict : str
        `OK`, `FAILED` or `FEW`.
    detail : str
        What was compared, and what to do where it failed.
    """

    group: str
    name: str
    verdict: str
    detail: str


def check(stored: dict, new: dict) -> list[Check]:
    """Judge every gated metric.

    Parameters
    ----------
    stored, new : dict
        Metrics documents, as `read_metrics` returns them.

    Returns
    -------
    list of Check
        In the order of `GROUPS`. Where the profiles differ there is one check only, for then
        nothing else can be compared.
    """
    if stored["profile"] != new["profile"]:
        return [_profile_check(stored["profile"], new["profile"])]
    before, after = stored["metrics"], new["metrics"]
    same_machine = machine_class(stored) == machine_class(new)
    checks = [*_missing_checks(before, after)]
    checks += _metric_checks(before, after, same_machine)
    checks += _order_checks(after)
    return sorted(checks, key=lambda one: list(GROUPS).index(one.group))


def _profile_check(stored, new):
    detail = (
        f"stored {stored}, new {new}; make the stored one: `nox -s bench -- --profile {stored}`"
    )
    return Check("profile", "profile", FAILED, detail)


def _missing_checks(before, after):
    """Yield a failure for every metric that is stored and was not measured again."""
    advice = "make it with `nox -s bench`, or, if it is gone on purpose, `nox -s baseline`"
    for name in before:
        if name not in after and _is_expected(name, after):
            yield Check("missing", name, FAILED, advice)


def _metric_checks(before, after, same_machine):
    """Yield a check of every metric that has a rule and was measured again."""
    for name, stored in before.items():
        kind = kind_of(name)
        if name in after and kind.rule != "reported":
            verdict, detail = _compare(kind, stored, after[name], same_machine)
            yield Check(kind.rule, name, verdict, detail)


def _order_checks(after):
    for better, worse in ORDERS:
        verdict, detail = _order(after.get(better), after.get(worse))
        yield Check("order", f"{better} < {worse}", verdict, detail)


def _is_expected(name, after):
    """Return whether a metric must have been measured again.

    A metric of the paper's study must. Another one of the family must where its model was run on
    its data set.
    """
    dataset, model, kind = name.split(".")
    was_run = any(other.startswith(f"{dataset}.{model}.") for other in after)
    return kind not in DERIVED and (was_run or model in PAPER.models.get(dataset, ()))


def machine_class(document: dict) -> dict[str, str | None]:
    """Return what two documents must share for their numbers to be the same bit by bit.

    That is the processor, the kind of system, and the versions of a few packages.
    """
    machine, versions = document["machine"], document["versions"]
    shared = {
        "processor": machine.get("processor"),
        "system": machine.get("system", "").partition("-")[0],
    }
    for name in ("python", "numpy", "mxnet", "scikit-learn"):
        shared[name] = versions.get(name)
    return shared


def interval_half_width(first: Sequence[float], second: Sequence[float]) -> float:
    """Return half the width of Welch's t-interval of the difference of the means of two samples.

    It is 0 where neither sample varies.
    """
    samples = [
        (statistics.variance(values) / len(values), len(values) - 1) for values in (first, second)
    ]
    total = sum(squared_error for squared_error, _ in samples)
    if total == 0:
        return 0.0
    freedom = 1 / sum((squared_error / total) ** 2 / n for squared_error, n in samples)
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * math.sqrt(total)


def _by_seed(entry):
    return dict(zip(entry["seeds"], entry["values"]))


def _compare(kind, stored, new, same_machine):
    """Return verdict and detail of one metric by its rule."""
    if stored["provenance"] != new["provenance"]:
        detail = (
            f"on {new['provenance']} data, stored on {stored['provenance']}; "
            "run again: `nox -s bench -- --data measured`"
        )
        return FAILED, detail
    if kind.rule == "value" and not same_machine:
        return _by_interval(kind, stored["values"], new["values"])
    return _by_seeds(kind, _by_seed(stored), _by_seed(new))


def _by_seeds(kind, stored, new):
    """Return verdict and detail of one metric, compared seed by seed."""
    seeds = sorted(stored.keys() & new.keys())
    if not seeds:
        detail = (
            f"no common seed: stored {sorted(stored)}, new {sorted(new)}; "
            "make one with `nox -s bench`"
        )
        return FAILED, detail
    off = [seed for seed in seeds if not _is_same(kind, stored[seed], new[seed])]
    if not off:
        return OK, f"{len(seeds)} of {len(stored)} stored seeds compared"
    worst = max(off, key=lambda seed: abs(new[seed] - stored[seed]))
    difference = _difference(kind, stored[worst], new[worst])
    return FAILED, f"{len(off)} of {len(seeds)} seeds, most at seed {worst}: {difference}"


def _is_same(kind, stored, new):
    """Return whether two values of one seed are equal, or within the tolerance of their kind."""
    if kind.rule == "exact":
        return new == stored
    return abs(new - stored) <= max(PAIRED_TOLERANCE * abs(stored), kind.rounding)


def _by_interval(kind, stored, new):
    """Return verdict and detail of one metric, compared by the means over its seeds."""
    if min(len(stored), len(new)) < MIN_SEEDS:
        detail = (
            f"stored {len(stored)}, new {len(new)}; {MIN_SEEDS} a side are needed: `nox -s bench`"
        )
        return FEW, detail
    before, after = statistics.fmean(stored), statistics.fmean(new)
    allowed = max(interval_half_width(stored, new), FLOOR * abs(before), kind.rounding)
    if abs(after - before) <= allowed:
        return OK, f"means {before:.4g} and {after:.4g}, {allowed:.2g} apart at the most"
    return FAILED, f"means more than {allowed:.2g} apart: {_difference(kind, before, after)}"


def _difference(kind, stored, new):
    """Return in words how a new value differs from the stored one."""
    if stored:
        amount = f"{100 * abs(new - stored) / abs(stored):.3g} %"
    else:
        amount = f"{abs(new - stored):.3g}"
    falls, rises = {
        "lower": ("better", "worse"),
        "higher": ("worse", "better"),
        "none": ("lower", "higher"),
    }[kind.better]
    direction = rises if new > stored else falls
    return (
        f"stored {stored:.8g}, new {new:.8g}, differs: {direction} by {amount}; "
        "if meant, `nox -s baseline`"
    )


def _order(better, worse):
    """Return verdict and detail of the order of two metrics, either of which may be missing."""
    lower = {} if better is None else _by_seed(better)
    higher = {} if worse is None else _by_seed(worse)
    seeds = lower.keys() & higher.keys()
    if not seeds:
        return FAILED, "no seed has both; make one with `nox -s bench`"
    wins = sum(lower[seed] < higher[seed] for seed in seeds)
    needed = len(seeds) - 1 if len(seeds) >= 3 else len(seeds)
    verdict = OK if wins >= needed else FAILED
    return verdict, f"in {wins} of {len(seeds)} seeds, {needed} needed"


def report(stored: dict, new: dict) -> bool:
    """Print a line a check, the timings and a verdict, and return whether all checks hold.

    Parameters
    ----------
    stored, new : dict
        Metrics documents, as `read_metrics` returns them.
    """
    for label, document in (("Stored:", stored), ("New:", new)):
        print(
            f"{label:7} commit {document['git_commit']}, profile {document['profile']}, "
            f"{_machine(document)}"
        )
    checks = check(stored, new)
    _print_checks(checks, _value_rule(stored, new))
    if stored["profile"] == new["profile"]:
        _print_reported(stored["metrics"], new["metrics"])
    failed = [one.name for one in checks if one.verdict == FAILED]
    few = [one.name for one in checks if one.verdict == FEW]
    counts = f"{len(checks)} checks, {len(failed)} failed, {len(few)} without enough seeds."
    print(f"\n{counts} {_conclusion(failed, few)}")
    return not failed and not few


def _print_checks(checks, value_rule):
    """Print a line a check, and a heading above each group."""
    group = None
    for one in checks:
        if one.group != group:
            group = one.group
            print(f"\n{GROUPS[group]}{value_rule if group == 'value' else ''}")
        print(f"{one.verdict:{len(FEW)}} {one.name:58} {one.detail}")


def _conclusion(failed, few):
    if failed:
        return f"NOT THE SAME: {', '.join(failed)}"
    if few:
        return "NOT CHECKED: more seeds are needed."
    return "CHECKED."


def _machine(document):
    return ", ".join(f"{name} {value}" for name, value in machine_class(document).items())


def _value_rule(stored, new):
    """Return by which rule values are compared, to follow the heading of their group."""
    if machine_class(stored) == machine_class(new):
        return f": same machine and versions, each seed within {100 * PAIRED_TOLERANCE:g} %"
    return (
        f": other machine or versions, means within the {100 * CONFIDENCE:g} % t-interval "
        f"of their difference, or {100 * FLOOR:g} %"
    )


def _print_reported(stored, new):
    """Print time and memory, stored and new, and the names of metrics that are not stored."""
    print(f"\n{'Reported, never a gate':58} {'stored median':>13} {'new median':>10} {'ratio':>6}")
    reported = [name for name in stored.keys() & new.keys() if kind_of(name).rule == "reported"]
    for name in sorted(reported):
        before = statistics.median(stored[name]["values"])
        after = statistics.median(new[name]["values"])
        ratio = after / before if before else math.nan
        print(f"{name:58} {before:13.4g} {after:10.4g} {ratio:6.2f} {kind_of(name).unit}")
    added = sorted(new.keys() - stored.keys())
    if added:
        print(
            f"\nNot stored, and so not compared: {', '.join(added)}. `nox -s baseline` stores them."
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Check the metrics of a results folder, and return the exit code.

    It is 1 where they differ from the stored ones, and 2 where there is nothing to read.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=Path("results"),
        metavar="FOLDER",
        help="where the runs are (default: results)",
    )
    parser.add_argument(
        "--profile",
        default="standard",
        help="of the runs to check (default: standard, which is what is stored)",
    )
    options = parser.parse_args(argv)
    path = options.results / options.profile / "metrics.json"
    try:
        if not path.exists():
            raise ReplicationError(
                f"{path}: there is no such file. "
                "Run `nox -s replicate`, or `nox -s bench` for five seeds, first."
            )
        holds = report(read_metrics(STORED), read_metrics(path))
    except ReplicationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
