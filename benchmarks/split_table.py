"""What a model's held-out error is on other splits of the scan, and how far it is from PCA's.

`benchmarks.splits` makes and stores the runs; here they are read and laid out for docs/splits.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np

from benchmarks.derived import change, fold_interval
from replicate.files import read_json
from replicate.study.family import LABELS, NETWORKS
from replicate.study.job import N_FOLDS

#: What is stored of the runs.
RECORD = Path(__file__).resolve().parent / "stored" / "splits.json"

#: The models that are compared, the quickest first.
MODELS = (
    "pca",
    "sparse_pca",
    "nmf",
    "dictionary_learning",
    "dense_ae",
    "dense_vae",
    "lstm_vae",
    "linear_ae",
    "lstm_vae_plain",
)

#: Seeds of each data set: two splits of five folds, and five stripes.
SEEDS = {"beps_buffered": range(10), "beps_stripes": range(5)}

#: The split of the benchmark itself, whose numbers are in metrics.json.
OLD = "beps_heldout"

#: The paper's form on shuffled steps, and its seeds.
SHUFFLED, SHUFFLED_MODEL, SHUFFLED_SEEDS = "beps_shuffled", "lstm_vae_plain", range(5)

#: What the splits are called in the tables.
NAMES = {OLD: "6 × 6 blocks", "beps_buffered": "buffered blocks", "beps_stripes": "stripes"}

#: What the two kinds of error are called.
KINDS = {"heldout_mse": "encoder", "heldout_mse_refined": "best code"}

#: The model that every network is compared with.
REFERENCE = "pca"

#: Side of the blocks that are drawn, pixels, and how many times all are drawn.
BLOCK = 12
N_DRAWS = 10_000


class Interval(NamedTuple):
    """A change of the held-out error, and its 95 % interval.

    Attributes
    ----------
    value, low, high : float
        As shares of PCA's error.
    """

    value: float
    low: float
    high: float


#: Errors by data set, model and kind, and there by seed.
Errors = Mapping[tuple[str, str, str], Mapping[int, float]]


def stored_runs(path: Path = RECORD) -> list[dict]:
    """Return the stored runs as `benchmarks.splits` describes them; none where none is stored."""
    return read_json(path)["runs"] if path.exists() else []


def stored_origins(path: Path = RECORD) -> list[dict]:
    """Return the machines, versions and commits that the stored runs were made by."""
    return read_json(path)["origins"] if path.exists() else []


def render(metrics: Mapping[str, dict], runs: Sequence[dict]) -> str:
    """Return the section of the page, in Markdown.

    Parameters
    ----------
    metrics : mapping of str to dict
        The ``metrics`` of metrics.json, which have the errors on the split of the benchmark.
    runs : sequence of dict
        As `stored_runs` returns them.
    """
    errors = _errors(metrics, runs)
    parts = ["**Held-out errors**", _error_table(errors), _error_caption(runs)]
    parts += ["**Differences from PCA, percent**", _difference_table(errors, runs)]
    parts += [_difference_caption(), _outcomes(errors, runs)]
    parts += ["**Order, for the paper's form**", _order_table(errors), _ORDER_CAPTION]
    return "\n\n".join(parts)


def _errors(metrics, runs):
    """Return every held-out error by data set, model and kind, and there by seed."""
    found = {}
    for model in MODELS:
        for kind in KINDS:
            entry = metrics.get(f"{OLD}.{model}.{kind}")
            if entry:
                found[OLD, model, kind] = dict(zip(entry["seeds"], entry["values"]))
    for run in runs:
        for kind in KINDS:
            place = found.setdefault((run["dataset"], run["model"], kind), {})
            place[run["seed"]] = run["metrics"][kind]
    return found


def _error_table(errors):
    """Return the mean errors as a table: a row for each model."""
    titles = [f"{name}, {coding}" for name in NAMES.values() for coding in KINDS.values()]
    lines = [f"| model | {' | '.join(titles)} |", f"| --- |{' ---: |' * len(titles)}"]
    for model in _in_order():
        cells = [_error(errors, dataset, model, kind) for dataset in NAMES for kind in KINDS]
        lines.append(f"| {LABELS[model]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _in_order():
    """List the models in the order of every other table."""
    return [model for model in LABELS if model in MODELS]


def _error(errors, dataset, model, kind):
    """Return a mean error as text, with the number of runs where not all are there."""
    values = list(errors.get((dataset, model, kind), {}).values())
    if not values:
        return "–"
    wanted = len(SEEDS.get(dataset, values))
    count = "" if len(values) == wanted else f" ({len(values)} of {wanted} runs)"
    return f"{fmean(values):.4f}{count}"


def _error_caption(runs):
    """Say what the errors are, and which of the runs were made."""
    datasets = {"beps_buffered": "buffered blocks", "beps_stripes": "stripes"}
    wanted = {name: len(MODELS) * len(SEEDS[name]) for name in datasets}
    made = {name: sum(run["dataset"] == name for run in runs) for name in datasets}
    counts = ", ".join(f"{made[name]} of {wanted[name]} on {datasets[name]}" for name in datasets)
    return (
        "Means over the runs, in z-scores squared, each channel scaled on the pixels fitted to. "
        "*6 × 6 blocks*: the split of the benchmark, five folds, from the stored metrics. "
        "*Buffered blocks*: blocks of 12 × 12 pixels, five folds, two splits; pixels within 2 "
        "pixels of a held-out one are left out of the fit. *Stripes*: five stripes of 12 rows, "
        "with the same buffer. *Encoder*: the latents that the model itself finds. *Best code*: "
        f"the best latents that its decoder has. Runs stored: {counts}."
    )


def _difference_table(errors, runs):
    """Return the differences from PCA as a table: two rows for each network."""
    titles = [f"{NAMES[OLD]}, folds"]
    titles += [f"{NAMES[dataset]}, {way}" for dataset in SEEDS for way in ("folds", "blocks")]
    lines = [f"| network | latents | {' | '.join(titles)} |"]
    lines.append(f"| --- | --- |{' ---: |' * len(titles)}")
    for model in _networks():
        for kind, coding in KINDS.items():
            cells = [_cell(over_folds(errors, OLD, model, kind))]
            for dataset in SEEDS:
                cells.append(_cell(over_folds(errors, dataset, model, kind)))
                cells.append(_cell(over_blocks(runs, dataset, model, kind)))
            lines.append(f"| {LABELS[model]} | {coding} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _networks():
    return [model for model in _in_order() if model in NETWORKS]


def _cell(interval):
    """Return a change with its interval in percent, as text."""
    if interval is None:
        return "–"
    value, low, high = (f"{100 * number:+.1f}" for number in interval)
    return f"{value} ({low} to {high})"


def _difference_caption():
    """Say what the differences and their two intervals are."""
    return (
        "Held-out error of the network over that of PCA with the same number of latents, less 1, "
        "in percent; negative where the network is better. *Folds*: the mean over the runs, each "
        "compared with PCA on the same pixels, and the 95 % interval of Nadeau and Bengio, which "
        "allows for what the folds share. *Blocks*: all held-out pixels together, and the 95 % "
        f"interval of {N_DRAWS} bootstrap draws of blocks of {BLOCK} × {BLOCK} pixels; it holds "
        "for these trained models, and does not say what another training would give. The stored "
        "metrics have no errors by block, so the first split has no such column."
    )


def over_folds(errors: Errors, dataset: str, model: str, kind: str) -> Interval | None:
    """Return the mean change of a model's error from PCA's over paired runs.

    Parameters
    ----------
    errors : mapping of (str, str, str) to mapping of int to float
        By data set, model and kind, and there by seed.
    dataset, model, kind : str

    Returns
    -------
    Interval or None
        With the interval of `derived.fold_interval`; None where fewer than two seeds are common.
    """
    ours = errors.get((dataset, model, kind), {})
    theirs = errors.get((dataset, REFERENCE, kind), {})
    changes = [change(ours[seed], theirs[seed]) for seed in sorted(ours) if seed in theirs]
    if len(changes) < 2:
        return None
    return Interval(fmean(changes), *fold_interval(changes, N_FOLDS))


def over_blocks(runs: Sequence[dict], dataset: str, model: str, kind: str) -> Interval | None:
    """Return the change of a model's error from PCA's over all pixels, with a bootstrap interval.

    The blocks are drawn anew, with replacement and as many as there are, and both models get the
    same ones. A block that several splits hold out is drawn with all of its errors.

    Parameters
    ----------
    runs : sequence of dict
        As `stored_runs` returns them.
    dataset, model, kind : str

    Returns
    -------
    Interval or None
        None where there is no common seed.
    """
    ours, theirs = (
        {run["seed"]: run["blocks"] for run in runs if _is_of(run, dataset, name)}
        for name in (model, REFERENCE)
    )
    common = sorted(set(ours) & set(theirs))
    if not common:
        return None
    sums, reference_sums = (
        _sums_of_blocks([table[seed] for seed in common], kind) for table in (ours, theirs)
    )
    drawn = np.random.default_rng(0).integers(len(sums), size=(N_DRAWS, len(sums)))
    changes = change(sums[drawn].sum(axis=1), reference_sums[drawn].sum(axis=1))
    low, high = np.percentile(changes, (2.5, 97.5))
    return Interval(*map(float, (change(sums.sum(), reference_sums.sum()), low, high)))


def _is_of(run, dataset, model):
    return run["dataset"] == dataset and run["model"] == model


def _sums_of_blocks(tables, kind):
    """Return the sum of the errors in each block over some runs, in the order of the blocks."""
    sums = {}
    for table in tables:
        for block, error in zip(table["block"], table[kind]):
            sums[block] = sums.get(block, 0) + error
    return np.array([sums[block] for block in sorted(sums)])


def _outcomes(errors, runs):
    """Say of every split and kind which networks are below PCA, which above, which undecided."""
    lines = []
    for dataset, name in NAMES.items():
        for kind, coding in KINDS.items():
            lines.append(f"- {name}, {coding}: {_sorted_out(errors, runs, dataset, kind)}.")
    head = "Where every interval of a row lies on one side of zero, and where not:"
    return "\n".join([head, "", *lines])


def _sorted_out(errors, runs, dataset, kind):
    groups = {"below PCA": [], "undecided": [], "above PCA": []}
    for model in _networks():
        intervals = list(_intervals(errors, runs, dataset, model, kind))
        if intervals:
            groups[_side(intervals)].append(LABELS[model])
    texts = [f"{side}: {', '.join(labels)}" for side, labels in groups.items() if labels]
    return "; ".join(texts) or "not run"


def _intervals(errors, runs, dataset, model, kind) -> Iterator[Interval]:
    """Yield the intervals that there are of a network's change from PCA."""
    for interval in (
        over_folds(errors, dataset, model, kind),
        over_blocks(runs, dataset, model, kind),
    ):
        if interval is not None:
            yield interval


def _side(intervals):
    """Return on which side of zero all of some intervals lie."""
    if all(interval.high < 0 for interval in intervals):
        return "below PCA"
    if all(interval.low > 0 for interval in intervals):
        return "above PCA"
    return "undecided"


def _order_table(errors):
    """Return the errors of the paper's form in order and on shuffled steps, fold by fold."""
    folds = " | ".join(f"fold {seed}" for seed in SHUFFLED_SEEDS)
    lines = [f"| steps | latents | {folds} |", f"| --- | --- |{' ---: |' * len(SHUFFLED_SEEDS)}"]
    for name, dataset in (("in order", OLD), ("shuffled", SHUFFLED)):
        for kind, coding in KINDS.items():
            values = errors.get((dataset, SHUFFLED_MODEL, kind), {})
            cells = [f"{values[seed]:.4f}" if seed in values else "–" for seed in SHUFFLED_SEEDS]
            lines.append(f"| {name} | {coding} | {' | '.join(cells)} |")
    return "\n".join(lines)


_ORDER_CAPTION = (
    f"Held-out errors of {LABELS[SHUFFLED_MODEL]}, on the split of the benchmark, one training "
    "each. *In order*: from the stored metrics. *Shuffled*: the voltage steps of all spectra in "
    "one other order."
)
