"""Does it still come out the same? New metrics against the stored ones, each by the rule declared beside its kind.

``nox -s check``, or ``python benchmarks/check.py`` where the package is installed. A line a check, the timings, and a verdict.

Counts must be equal for every seed. Values are compared seed by seed where machine and versions are those of the stored metrics, otherwise
by the interval of the difference of their means. The order of the models is judged on the new metrics alone. Time and memory are shown, and
never a gate; but whatever is stored must have been measured again.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from pathlib import Path
from typing import NamedTuple

from scipy import stats

from benchmarks.store import Store
from replicate.errors import ReplicationError
from replicate.numbers.kinds import kind_of
from replicate.numbers.metrics import read_metrics
from replicate.study.studies import PAPER

STORED = Store().metrics_path

PAIRED_TOLERANCE = 1e-3
"""Relative. One machine and one set of versions give the same bits, so this forgives only another order of summation."""
CONFIDENCE, FLOOR, MIN_SEEDS = 0.99, 0.05, 5
"""Of the interval across machines: its level, its least half-width as a share of the stored mean, and the seeds it takes a side."""

ORDERS = (
    ("toy.lstm_vae.gamut_mse", "toy.pca.gamut_mse"),
    ("toy.pca.gamut_mse", "toy.dictionary_learning.gamut_mse"),
    ("beps.lstm_vae.mse", "beps.pca.mse"),
    ("beps.pca.mse", "beps.dictionary_learning.mse"),
    ("beps_heldout.lstm_vae.heldout_mse", "beps_heldout.pca.heldout_mse"),
    ("beps_heldout.pca.heldout_mse", "beps_heldout.dictionary_learning.heldout_mse"),
)
"""The first of each pair is the better one: the lower error."""

DERIVED = ("shuffle_change", "sensitivity")
"""Of one run against others, which may not have been made; they follow from metrics that are compared."""

OK, FAILED, FEW = "ok", "FAILED", "not enough seeds"
GROUPS = {
    "profile": "Profile",
    "missing": "Stored, but not measured again",
    "exact": "Counts: equal for every seed",
    "value": "Values",
    "order": "Order: better in every seed but one, of fewer than three in every one",
}


class Check(NamedTuple):
    """One line of the answer."""

    group: str
    name: str
    verdict: str
    detail: str


def check(stored, new):
    """Judge every gated metric.

    Parameters
    ----------
    stored, new : dict
        Metrics documents, as `read_metrics` returns them.

    Returns
    -------
    list of Check
        In the order of `GROUPS`; only the profile's where the profiles differ, for then nothing else can be compared.
    """
    if stored["profile"] != new["profile"]:
        advice = f"stored {stored['profile']}, new {new['profile']}; make the stored one: `nox -s bench -- --profile {stored['profile']}`"
        return [Check("profile", "profile", FAILED, advice)]
    before, after = stored["metrics"], new["metrics"]
    same_machine = machine_class(stored) == machine_class(new)
    gated = [name for name in before if name in after and kind_of(name).rule != "reported"]
    checks = [
        Check(
            "missing",
            name,
            FAILED,
            "make it with `nox -s bench`, or, if it is gone on purpose, `nox -s baseline`",
        )
        for name in before
        if name not in after and _is_expected(name, after)
    ]
    checks += [
        Check(
            kind_of(name).rule,
            name,
            *_compare(kind_of(name), before[name], after[name], same_machine),
        )
        for name in gated
    ]
    checks += [
        Check("order", f"{better} < {worse}", *_order(after.get(better), after.get(worse)))
        for better, worse in ORDERS
    ]
    return sorted(checks, key=lambda one: list(GROUPS).index(one.group))


def _is_expected(name, after):
    """Tell whether a metric must be there: of the paper's study always, of the rest of the family where that model was run on that data."""
    dataset, model, kind = name.split(".")
    was_run = any(other.startswith(f"{dataset}.{model}.") for other in after)
    return kind not in DERIVED and (was_run or model in PAPER.models.get(dataset, ()))


def machine_class(document):
    """Return what two documents must share for their numbers to be the same bit by bit: processor, kind of system, versions."""
    machine, versions = document["machine"], document["versions"]
    system = machine.get("system", "").partition("-")[0]
    packages = {name: versions.get(name) for name in ("python", "numpy", "mxnet", "scikit-learn")}
    return {"processor": machine.get("processor"), "system": system, **packages}


def interval_half_width(first, second):
    """Return half the width of the t-interval (Welch) of the difference of two means, 0 where neither sample varies."""
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
        return (
            FAILED,
            f"on {new['provenance']} data, stored on {stored['provenance']}; run again: `nox -s bench -- --data measured`",
        )
    if kind.rule == "value" and not same_machine:
        return _by_interval(kind, stored["values"], new["values"])
    return _by_seeds(kind, _by_seed(stored), _by_seed(new))


def _by_seeds(kind, stored, new):
    seeds = sorted(stored.keys() & new.keys())
    if not seeds:
        return (
            FAILED,
            f"no common seed: stored {sorted(stored)}, new {sorted(new)}; make one with `nox -s bench`",
        )
    relative, absolute = (0, 0) if kind.rule == "exact" else (PAIRED_TOLERANCE, kind.rounding)
    off = [
        seed
        for seed in seeds
        if abs(new[seed] - stored[seed]) > max(relative * abs(stored[seed]), absolute)
    ]
    if not off:
        return OK, f"{len(seeds)} of {len(stored)} stored seeds compared"
    worst = max(off, key=lambda seed: abs(new[seed] - stored[seed]))
    return (
        FAILED,
        f"{len(off)} of {len(seeds)} seeds, most at seed {worst}: {_difference(kind, stored[worst], new[worst])}",
    )


def _by_interval(kind, stored, new):
    if min(len(stored), len(new)) < MIN_SEEDS:
        return (
            FEW,
            f"stored {len(stored)}, new {len(new)}; {MIN_SEEDS} a side are needed: `nox -s bench`",
        )
    before, after = statistics.fmean(stored), statistics.fmean(new)
    allowed = max(interval_half_width(stored, new), FLOOR * abs(before), kind.rounding)
    if abs(after - before) <= allowed:
        return OK, f"means {before:.4g} and {after:.4g}, {allowed:.2g} apart at the most"
    return FAILED, f"means more than {allowed:.2g} apart: {_difference(kind, before, after)}"


def _difference(kind, stored, new):
    falls, rises = {
        "lower": ("better", "worse"),
        "higher": ("worse", "better"),
        "none": ("lower", "higher"),
    }[kind.better]
    by = f"{100 * abs(new - stored) / abs(stored):.3g} %" if stored else f"{abs(new - stored):.3g}"
    return f"stored {stored:.8g}, new {new:.8g}, differs: {rises if new > stored else falls} by {by}; if meant, `nox -s baseline`"


def _order(better, worse):
    first, second = ({} if entry is None else _by_seed(entry) for entry in (better, worse))
    seeds = first.keys() & second.keys()
    if not seeds:
        return FAILED, "no seed has both; make one with `nox -s bench`"
    wins, needed = sum(first[seed] < second[seed] for seed in seeds), len(seeds) - (len(seeds) >= 3)
    return OK if wins >= needed else FAILED, f"in {wins} of {len(seeds)} seeds, {needed} needed"


def report(stored, new):
    """Print a line a check, the timings and a verdict, and tell whether all checks hold."""
    for label, document in (("Stored", stored), ("New", new)):
        print(
            f"{label + ':':7} commit {document['git_commit']}, profile {document['profile']}, {_machine(document)}"
        )
    checks, group = check(stored, new), None
    for one in checks:
        if one.group != group:
            group = one.group
            print(f"\n{GROUPS[group]}{_value_rule(stored, new) if group == 'value' else ''}")
        print(f"{one.verdict:{len(FEW)}} {one.name:58} {one.detail}")
    if stored["profile"] == new["profile"]:
        _print_reported(stored["metrics"], new["metrics"])
    failed, few = (
        [one.name for one in checks if one.verdict == verdict] for verdict in (FAILED, FEW)
    )
    print(
        f"\n{len(checks)} checks, {len(failed)} failed, {len(few)} without enough seeds. ", end=""
    )
    print(
        f"NOT THE SAME: {', '.join(failed)}"
        if failed
        else "NOT CHECKED: more seeds are needed."
        if few
        else "CHECKED."
    )
    return not failed and not few


def _machine(document):
    return ", ".join(f"{name} {value}" for name, value in machine_class(document).items())


def _value_rule(stored, new):
    if machine_class(stored) == machine_class(new):
        return f": same machine and versions, each seed within {100 * PAIRED_TOLERANCE:g} %"
    return f": other machine or versions, means within the {100 * CONFIDENCE:g} % t-interval of their difference, or {100 * FLOOR:g} %"


def _print_reported(stored, new):
    print(f"\n{'Reported, never a gate':58} {'stored median':>13} {'new median':>10} {'ratio':>6}")
    for name in sorted(
        name for name in stored.keys() & new.keys() if kind_of(name).rule == "reported"
    ):
        before, after = (statistics.median(metrics[name]["values"]) for metrics in (stored, new))
        ratio = after / before if before else math.nan
        print(f"{name:58} {before:13.4g} {after:10.4g} {ratio:6.2f} {kind_of(name).unit}")
    if added := sorted(new.keys() - stored.keys()):
        print(
            f"\nNot stored, and so not compared: {', '.join(added)}. `nox -s baseline` stores them."
        )


def main(argv=None):
    """Check the metrics of a results folder; return 1 where they differ from the stored ones, and 2 where there is nothing to read."""
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
                f"{path}: there is no such file. Run `nox -s replicate`, or `nox -s bench` for five seeds, first."
            )
        return 0 if report(read_metrics(STORED), read_metrics(path)) else 1
    except ReplicationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
