"""Measure how often ``nox -s check`` reports a change, and how often it reports one that is none.

``python -m benchmarks.power`` draws stored and new metrics at random around the stored ones, with
the noise that `benchmarks.noise` tells, plants a change in the new ones, and judges them by the
rule of `benchmarks.check`. It writes the shares that are reported into docs/check-power.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.noise import FOLDED, allowed, distance, has_training_noise, noise_of, on_whole_scan
from benchmarks.sections import write_section
from benchmarks.store import ROOT, Store
from replicate.commands import command, parser_of
from replicate.numbers.kinds import kind_of
from replicate.study.family import NETWORKS
from replicate.study.studies import PAPER

#: The page that holds the tables, as a path in the repository.
PAGE = "docs/check-power.md"

#: Draws of the stored and of the new metrics.
DRAWS = 200

#: Seed of the draws.
SEED = 0

#: By how much the new values are changed, as a share of themselves.
PLANTED = (0.0, 0.02, 0.05, 0.10, 0.20)

#: By how much numbers differ where arithmetic and packages are the same, as a share of themselves.
ROUNDING = 1e-6

#: By how much an error of a linear model differs with another arithmetic, as a share of itself: a
#: third of the most that was seen.
LINEAR_ROUNDING = 2.5e-4

#: Kinds that describe the loops and single spectra, by the beginning of their names.
DESCRIPTORS = ("descriptor", "shoulder", "softening", "domain", "error_domain", "shape")


class Case(NamedTuple):
    """Which seeds are new, and in which of them a change is planted.

    Attributes
    ----------
    title : str
        A phrase for the table.
    n_seeds : int
        New seeds; a metric that has fewer stored ones has as many as are stored.
    in_one : bool
        Whether the change is planted in one of them, drawn at random, instead of in all.
    """

    title: str
    n_seeds: int
    in_one: bool


CASES = (
    Case("all of 5 seeds", 5, False),
    Case("one of 5 seeds", 5, True),
    Case("the only new seed", 1, False),
)


class Group(NamedTuple):
    """Metrics that have a row of the table together.

    Attributes
    ----------
    title : str
    names : tuple of str
        Names of the metrics.
    """

    title: str
    names: tuple[str, ...]


#: Titles of the groups, in the order of the table.
COUNTS = "counts"
LINEAR_SCAN = "errors of linear models, scan"
LINEAR_TOY = "errors of linear models, toy problem"
LINEAR_OTHER = "other numbers of linear models"
NETWORK_WHOLE = "errors of networks, fitted to the whole scan"
NETWORK_FOLDS = "errors of networks on folds, with the noise of the whole scan"
NETWORK_FOLDS_ALONE = "errors of networks on folds, with the scatter of the folds"
NETWORK_TOY = "errors of networks, toy problem"
NETWORK_DESCRIPTORS = "loops and shapes of networks"
NETWORK_OTHER = "other shares and numbers of networks"
ZERO = "zero but for rounding"
TITLES = (
    COUNTS,
    LINEAR_SCAN,
    LINEAR_TOY,
    LINEAR_OTHER,
    NETWORK_WHOLE,
    NETWORK_FOLDS,
    NETWORK_FOLDS_ALONE,
    NETWORK_TOY,
    NETWORK_DESCRIPTORS,
    NETWORK_OTHER,
    ZERO,
)


def gated(metrics: Mapping[str, dict]) -> list[str]:
    """List the metrics that can fail a check."""
    return [name for name in metrics if kind_of(name).rule != "reported"]


def groups(metrics: Mapping[str, dict]) -> list[Group]:
    """Sort the metrics that can fail a check into the rows of the table."""
    members = {title: [] for title in TITLES}
    for name in gated(metrics):
        members[_title(name, metrics)].append(name)
    return [Group(title, tuple(names)) for title, names in members.items() if names]


def _title(name, metrics):
    """Return the title of the group of a metric."""
    dataset, model, kind_name = name.split(".")
    kind = kind_of(name)
    if kind.rule == "exact":
        return COUNTS
    if abs(metrics[name]["value"]) <= kind.rounding:
        return ZERO
    is_error = kind.unit.startswith("z-score")
    is_toy = dataset.startswith("toy")
    if model not in NETWORKS:
        if not is_error:
            return LINEAR_OTHER
        return LINEAR_TOY if is_toy else LINEAR_SCAN
    if is_error:
        return NETWORK_TOY if is_toy else _title_of_network_error(name, metrics)
    return NETWORK_DESCRIPTORS if kind_name.startswith(DESCRIPTORS) else NETWORK_OTHER


def _title_of_network_error(name, metrics):
    """Return the title of the group of an error that a network makes on the scan."""
    if name.partition(".")[0] not in FOLDED:
        return NETWORK_WHOLE
    return NETWORK_FOLDS_ALONE if on_whole_scan(name, metrics) is None else NETWORK_FOLDS


class Power(NamedTuple):
    """How often something was reported, for each group and case.

    Attributes
    ----------
    shares : dict of (str, Case, float) to float
        Share of metrics and draws that were reported, by title of the group, case and planted
        change.
    alarms : dict of (str, int) to float
        Share of the draws in which at least one metric was reported although nothing was planted,
        by ``family`` or ``paper`` (all metrics, or those of the paper's study) and number of seeds.
    """

    shares: dict[tuple[str, Case, float], float]
    alarms: dict[tuple[str, int], float]


def simulate(
    metrics: Mapping[str, dict], is_same_arithmetic: bool, draws: int = DRAWS, seed: int = SEED
) -> Power:
    """Draw metrics, plant changes and count what a check reports.

    Parameters
    ----------
    metrics : dict of str to dict
        The ``metrics`` of the stored document.
    is_same_arithmetic : bool
        Whether stored and new ones are drawn as from the pinned arithmetic and the same packages.
    draws : int
    seed : int
        Of the generator of random numbers.
    """
    rng = np.random.default_rng(seed)
    stored = _draw(metrics, is_same_arithmetic, draws, rng)
    new = _draw(metrics, is_same_arithmetic, draws, rng)
    documents = list(_documents(metrics, stored, draws))
    judge = _Judge(documents, stored, new, is_same_arithmetic, rng)
    reported = {(name, case): judge.reported(name, case) for name in stored for case in CASES}
    shares = {
        (group.title, case, change): np.mean([reported[name, case][change] for name in group.names])
        for group in groups(metrics)
        for case in CASES
        for change in PLANTED
    }
    return Power(shares, _alarms(reported))


def _draw(metrics, is_same_arithmetic, draws, rng):
    """Return random values of every metric that can fail, arrays of shape (draws, n_seeds)."""
    return {
        name: _draw_values(name, metrics, is_same_arithmetic, draws, rng) for name in gated(metrics)
    }


def _draw_values(name, metrics, is_same_arithmetic, draws, rng):
    values = np.array(metrics[name]["values"], dtype=float)
    noise = rng.standard_normal((draws, len(values)))
    if kind_of(name).rule == "exact":
        return np.tile(values, (draws, 1))
    if is_same_arithmetic:
        return values * (1 + ROUNDING * noise)
    if not has_training_noise(name):
        return values * (1 + LINEAR_ROUNDING * noise)
    scatter = noise_of(name, metrics)
    if scatter is None:
        return np.tile(values, (draws, 1))
    # Where the noise is the scatter of these values themselves, all have one centre.
    centre = values.mean() if on_whole_scan(name, metrics) is None else values
    return centre + scatter.deviation * noise


def _documents(metrics, drawn, draws) -> Iterator[dict[str, dict]]:
    """Yield the metrics of each draw as a metrics document has them."""
    lists = {name: values.tolist() for name, values in drawn.items()}
    means = {name: values.mean(axis=1).tolist() for name, values in drawn.items()}
    for draw in range(draws):
        yield {
            name: {
                "value": means[name][draw],
                "values": lists[name][draw],
                "seeds": metrics[name]["seeds"],
            }
            for name in drawn
        }


class _Judge:
    """Judges the drawn metrics by the rule of a check."""

    def __init__(self, documents, stored, new, is_same_arithmetic, rng):
        self.documents = documents
        self.stored = stored
        self.new = new
        self.is_same_arithmetic = is_same_arithmetic
        self.rng = rng
        self._tolerances = {}

    def reported(self, name, case):
        """Return for each planted change in which draws a metric is reported, bool (draws,)."""
        stored = self.stored[name][:, : case.n_seeds]
        new = self.new[name][:, : case.n_seeds]
        where = self._where(new.shape, case)
        return {
            change: self._is_reported(name, stored, _planted(name, new, change * where))
            for change in PLANTED
        }

    def _where(self, shape, case):
        """Return 1 at the seeds in which a change is planted, and 0 elsewhere."""
        if not case.in_one:
            return np.ones(shape)
        chosen = self.rng.integers(shape[1], size=shape[0])
        return np.eye(shape[1])[chosen]

    def _is_reported(self, name, stored, new):
        if kind_of(name).rule == "exact":
            return (stored != new).any(axis=1)
        tolerance = self._tolerance(name, stored.shape[1])
        return distance(new - stored, self.is_same_arithmetic) > tolerance

    def _tolerance(self, name, n_seeds):
        """Return how far apart a metric may be in each draw, an array of shape (draws,)."""
        if (name, n_seeds) not in self._tolerances:
            seeds = self.documents[0][name]["seeds"][:n_seeds]
            self._tolerances[name, n_seeds] = np.array(
                [
                    allowed(name, document, seeds, self.is_same_arithmetic)
                    for document in self.documents
                ]
            )
        return self._tolerances[name, n_seeds]


def _planted(name, values, change):
    """Return values that are greater by a share; a count goes up to the next whole number."""
    changed = values * (1 + change)
    kind = kind_of(name)
    is_whole = kind.rule == "exact" and kind.unit == "count"
    return np.ceil(changed) if is_whole else changed


def _alarms(reported):
    """Return the share of draws with a false alarm, by study and number of new seeds."""
    alarms = {}
    for case in CASES:
        if case.in_one:
            continue
        family = {
            name: by_change[0.0] for (name, other), by_change in reported.items() if other == case
        }
        paper = {name: alarm for name, alarm in family.items() if _is_of_paper(name)}
        alarms["family", case.n_seeds] = _share_of_draws(family)
        alarms["paper", case.n_seeds] = _share_of_draws(paper)
    return alarms


def _share_of_draws(reported):
    """Return the share of draws in which some metric is reported."""
    return float(np.any(list(reported.values()), axis=0).mean())


def _is_of_paper(name):
    """Return whether a metric is of a run of the paper's study."""
    dataset, model, _ = name.split(".")
    return model in PAPER.models.get(dataset, ())


def render(document: dict, draws: int = DRAWS) -> str:
    """Return both tables in Markdown.

    Parameters
    ----------
    document : dict
        As read from metrics.json.
    draws : int
    """
    metrics = document["metrics"]
    same = simulate(metrics, True, draws)
    other = simulate(metrics, False, draws)
    n_paper = sum(map(_is_of_paper, gated(metrics)))
    parts = [
        f"From the stored metrics of commit `{document['git_commit']}`, {draws} draws. "
        "Each number is the share, in %, that is reported.",
        "### The same arithmetic and packages",
        _table(metrics, same),
        _alarm_sentence(same, n_paper),
        "### Another arithmetic or other packages",
        _table(metrics, other),
        _alarm_sentence(other, n_paper),
    ]
    return "\n\n".join(parts)


def _table(metrics, power):
    changes = ["nothing", *(f"{100 * change:g} %" for change in PLANTED[1:])]
    lines = [
        f"| numbers | how many | planted in | {' | '.join(changes)} |",
        f"|---|---:|---|{'---:|' * len(changes)}",
    ]
    for group in groups(metrics):
        for case in CASES:
            shares = (power.shares[group.title, case, change] for change in PLANTED)
            cells = " | ".join(f"{100 * share:.1f}" for share in shares)
            lines.append(f"| {group.title} | {len(group.names)} | {case.title} | {cells} |")
    return "\n".join(lines)


def _alarm_sentence(power, n_paper):
    """Return in words how often a whole check has a false alarm."""
    one, five = (100 * power.alarms["paper", n_seeds] for n_seeds in (1, 5))
    family = 100 * power.alarms["family", 5]
    return (
        f"With nothing planted, at least one of the {n_paper} numbers of the paper's study is "
        f"reported in {one:.1f} % of the draws with one new seed and in {five:.1f} % with five; "
        f"of the whole family, five seeds, in {family:.1f} %."
    )


def write(root: Path = ROOT, store: Store | None = None, draws: int = DRAWS) -> None:
    """Write the tables of the page of a repository anew.

    Parameters
    ----------
    root : Path
        The repository.
    store : Store, optional
        The stored metrics; those of this repository by default.
    draws : int

    Raises
    ------
    ReplicationError
        If the page is missing, or its markers do not stand there once.
    """
    path = Path(root) / PAGE
    section = render((store or Store()).metrics(), draws)
    write_section(path, "power", section)


@command()
def main(argv: Sequence[str] | None = None) -> int:
    """Write the tables, and return the exit code: 0, or 2 where something cannot be read."""
    parser = parser_of(__doc__)
    parser.parse_args(argv)
    write()
    print(f"{PAGE} is written.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
