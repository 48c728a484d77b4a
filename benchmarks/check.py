"""Does it still come out the same? New metrics against the stored ones, by the rule of each kind.

``nox -s check`` prints a line a check, the timings, and a verdict.

Counts must be equal for every seed. Values are compared seed by seed, and the mean difference of
the seeds that both have must be as small as `benchmarks.noise` says: a thousandth where arithmetic
and packages are the same, otherwise within the prediction interval of the stored seeds. The order
of the models is judged on the new metrics alone. Time and memory are shown, and never a gate; but
whatever is stored must have been measured again. Weights are compared bit by bit, and it is said of
how many runs they are the same.
"""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.noise import FLOOR, LINEAR_FLOOR, PAIRED_TOLERANCE, TAIL, allowed, distance
from benchmarks.store import PROFILE, Store, jobs_with_weights
from replicate import own_model
from replicate.arithmetic import NATIVE, PINNED
from replicate.commands import command, parser_of
from replicate.errors import ReplicationError
from replicate.files import read_npz
from replicate.numbers.kinds import kind_of, model_of
from replicate.numbers.metrics import is_as_written, read_metrics
from replicate.running import runs
from replicate.running.runs import Run
from replicate.study.family import LABELS
from replicate.study.studies import PAPER

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

#: The two verdicts of a check.
OK, FAILED = "ok", "FAILED"

#: By these errors a model of the user's own is compared, on spectra that it was not fitted to.
COMPARED = (".gamut_mse", ".heldout_mse", ".heldout_mse_refined")

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
        `OK` or `FAILED`.
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
    is_same = have_same_bits(stored, new)
    checks = [*_missing_checks(before, after)]
    checks += _metric_checks(before, after, is_same)
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


def _metric_checks(before, after, is_same):
    """Yield a check of every metric that has a rule and was measured again."""
    for name in before:
        rule = kind_of(name).rule
        if name in after and rule != "reported":
            verdict, detail = _compare(name, before, after[name], is_same)
            yield Check(rule, name, verdict, detail)


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


def conditions(document: dict) -> dict[str, str | None]:
    """Return on what the bits of a document's numbers depend: arithmetic and a few packages."""
    versions = document["versions"]
    packages = ("python", "numpy", "scipy", "mxnet", "scikit-learn")
    arithmetic = document["machine"].get("arithmetic", NATIVE)
    return {"arithmetic": arithmetic, **{name: versions.get(name) for name in packages}}


def have_same_bits(stored: dict, new: dict) -> bool:
    """Return whether two documents should have the same numbers, bit by bit.

    Native arithmetic is never known to be the same: processors of one name may run other code.
    """
    return conditions(stored) == conditions(new) and conditions(new)["arithmetic"] == PINNED


def _by_seed(entry):
    return dict(zip(entry["seeds"], entry["values"]))


def _compare(name, before, new, is_same):
    """Return verdict and detail of one metric by its rule."""
    stored = before[name]
    if stored["provenance"] != new["provenance"]:
        detail = (
            f"on {new['provenance']} data, stored on {stored['provenance']}; "
            "run again: `nox -s bench -- --data measured`"
        )
        return FAILED, detail
    old_values, new_values = _by_seed(stored), _by_seed(new)
    seeds = sorted(old_values.keys() & new_values.keys())
    if not seeds:
        detail = (
            f"no common seed: stored {sorted(old_values)}, new {sorted(new_values)}; "
            "make one with `nox -s bench`"
        )
        return FAILED, detail
    pairs = {seed: (old_values[seed], new_values[seed]) for seed in seeds}
    if kind_of(name).rule == "exact":
        return _compare_counts(name, pairs)
    return _compare_values(name, pairs, allowed(name, before, seeds, is_same), is_same)


def _compare_counts(name, pairs):
    """Return verdict and detail of a count, which must be the same for every seed."""
    off = {seed: pair for seed, pair in pairs.items() if pair[0] != pair[1]}
    if not off:
        return OK, f"equal for {_seeds(pairs)}"
    worst = max(off, key=lambda seed: abs(off[seed][1] - off[seed][0]))
    difference = _difference(kind_of(name), *off[worst])
    return FAILED, f"{len(off)} of {len(pairs)} seeds, most at seed {worst}: {difference}"


def _compare_values(name, pairs, tolerance, is_same):
    """Return verdict and detail of a value: of each seed with the same bits, else of their mean."""
    differences = {seed: new - old for seed, (old, new) in pairs.items()}
    worst = max(differences, key=lambda seed: abs(differences[seed]))
    off = distance(list(differences.values()), is_same)
    if off <= tolerance:
        return OK, f"{off:.2g} apart for {_seeds(pairs)}, {tolerance:.2g} allowed"
    if is_same:
        difference = _difference(kind_of(name), *pairs[worst])
        return FAILED, f"more than {tolerance:.2g} apart at seed {worst}: {difference}"
    old, new = (statistics.fmean(values) for values in zip(*pairs.values()))
    difference = _difference(kind_of(name), old, new)
    return FAILED, f"means more than {tolerance:.2g} apart: {difference}"


def _seeds(pairs):
    return f"{len(pairs)} seed{'s' if len(pairs) > 1 else ''}"


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
            f"{_described(document)}"
        )
    checks = check(stored, new)
    _print_checks(checks, _value_rule(stored, new))
    if stored["profile"] == new["profile"]:
        _print_reported(stored["metrics"], new["metrics"])
        _print_own(stored["metrics"], new["metrics"])
    failed = [one.name for one in checks if one.verdict == FAILED]
    conclusion = f"NOT THE SAME: {', '.join(failed)}" if failed else "CHECKED."
    print(f"\n{len(checks)} checks, {len(failed)} failed. {conclusion}")
    return not failed


def _print_checks(checks, value_rule):
    """Print a line a check, and a heading above each group."""
    group = None
    for one in checks:
        if one.group != group:
            group = one.group
            print(f"\n{GROUPS[group]}{value_rule if group == 'value' else ''}")
        print(f"{one.verdict:{len(FAILED)}} {one.name:58} {one.detail}")


def _described(document):
    return ", ".join(f"{name} {value}" for name, value in conditions(document).items())


def _value_rule(stored, new):
    """Return by which rule values are compared, to follow the heading of their group."""
    if have_same_bits(stored, new):
        return f": the same arithmetic and packages, each seed within {100 * PAIRED_TOLERANCE:g} %"
    return (
        ": another arithmetic or packages, the mean difference within the "
        f"{100 * (1 - 2 * TAIL):g} % prediction interval of the stored seeds, or "
        f"{100 * FLOOR:g} % ({100 * LINEAR_FLOOR:g} % for a linear model)"
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
    added = sorted(name for name in new.keys() - stored.keys() if not _is_of_own(name))
    if added:
        print(
            f"\nNot stored, and so not compared: {', '.join(added)}. `nox -s baseline` stores them."
        )


def _is_of_own(name):
    """Return whether a metric is of a model of the user's own."""
    return own_model.is_own(model_of(name))


def _print_own(stored, new):
    """Print the errors of models of the user's own, each beside the reference, which is PCA.

    They compare with what is published only where PCA has the published error on the same data.
    """
    own = [name for name in sorted(new) if _is_of_own(name) and name.endswith(COMPARED)]
    if own:
        print("\nModels of your own, beside the reference point: PCA, here and as stored")
    for name in own:
        dataset, model, kind = name.split(".")
        reference = f"{dataset}.pca.{kind}"
        known = (
            f"{entry['value']:.4f}" if entry else "–" for entry in _both(reference, stored, new)
        )
        print(
            f"{LABELS[model]:34} {dataset} {kind} {new[name]['value']:.4f}; "
            f"PCA {' and '.join(known)}: {_standing(reference, stored, new, new[name]['seeds'])}"
        )


def _both(name, stored, new):
    return new.get(name), stored.get(name)


def _standing(reference, stored, new, seeds):
    """Return in words whether a model compares with what is published."""
    here, before = (
        {} if entry is None else _by_seed(entry) for entry in _both(reference, stored, new)
    )
    lacking = [seed for seed in seeds if seed not in here]
    if lacking:
        return (
            f"PCA was not run with seed {lacking[0]}. Run it beside: `--only {_place(reference)}`"
        )
    if not all(
        seed in before and math.isclose(here[seed], before[seed], rel_tol=LINEAR_FLOOR)
        for seed in seeds
    ):
        return "NOT COMPARABLE: PCA has another error here, so that data or split are others"
    return "comparable with what is published"


def _place(reference):
    dataset, model, _ = reference.split(".")
    return f"{dataset} {model}"


def print_bits(store: Store, results: Path) -> None:
    """Print of how many runs the weights are the stored ones, bit by bit, and which are not."""
    is_same = {}
    for job in jobs_with_weights(store.metrics()):
        run = Run.of(results, job)
        if run.status == "complete":
            is_same[job] = _has_weights(run, store.weights(job))
    others = [str(job) for job, same in is_same.items() if not same]
    same = len(is_same) - len(others)
    print(f"\nWeights: the same bits as stored in {same} of {len(is_same)} runs", end="")
    print(f"; others in {', '.join(others)}" if others else "")


def _has_weights(run, stored):
    """Return whether the weights of a run are all among stored arrays, with the same bits."""
    weights = read_npz(run.folder / "weights.npz")
    return all(
        name in stored
        and (array.shape, array.dtype) == (stored[name].shape, stored[name].dtype)
        and array.tobytes() == stored[name].tobytes()
        for name, array in weights.items()
    )


def damages_in(folder: Path) -> list[str]:
    """Return what is not as its command wrote it: metrics.json of a profile, and files of runs."""
    path = folder / "metrics.json"
    edited = [] if is_as_written(path) else [f"{path}: is not as its command wrote it"]
    return edited + [run.damage for run in runs.ended(folder) if run.damage]


@command()
def main(argv: Sequence[str] | None = None) -> int:
    """Check the metrics of a results folder, and return the exit code.

    It is 1 where they differ from the stored ones, and 2 where there is nothing to read.
    """
    parser = parser_of(__doc__)
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
    if not path.exists():
        raise ReplicationError(
            f"{path}: there is no such file. "
            "Run `nox -s replicate`, or `nox -s bench` for five seeds, first."
        )
    store = Store()
    holds = report(store.metrics(), read_metrics(path))
    if options.profile == PROFILE:
        print_bits(store, options.results)
    damages = damages_in(path.parent)
    for damage in damages:
        print(f"DAMAGED {damage}")
    return 0 if holds and not damages else 1


if __name__ == "__main__":
    sys.exit(main())
