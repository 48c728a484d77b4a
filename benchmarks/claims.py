"""The claims ledger: what the paper states, and whether a set of metrics bears it out.

``claims.json`` holds the statements and their conditions. The conditions are judged here, so that a
verdict follows from numbers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from benchmarks import derived
from replicate.errors import ReplicationError
from replicate.files import check_schema, read_json, write_text
from replicate.numbers.kinds import KINDS
from replicate.provenance import PAPER_DATA
from replicate.study.family import LABELS
from replicate.study.job import N_FOLDS

#: File of the ledger.
LEDGER = Path(__file__).resolve().parent / "claims.json"

#: The verdicts on a claim.
VERDICTS = ("replicated", "partly", "not replicated", "not testable")

#: The six questions that the claims belong to, by a short name.
QUESTIONS = {
    "numbers": "Do the printed numbers come out?",
    "linearity": "Is dictionary learning worse, and is linearity the reason?",
    "order": "Does the order of the steps matter?",
    "channels": "Do β and its schedule find the number and the meaning of the channels?",
    "mechanism": "Does the VAE show a mechanism that dictionary learning hides?",
    "trust": "Is the method validated, robust and affordable?",
}

#: What a condition tests: the sentence itself, the sentence as the authors' program computed it,
#: the sentence beside models that it does not name, or the sentence on pixels that no model saw.
LAYERS = ("as said", "as computed", "as a comparison", "on unseen pixels")

#: The layers that the verdict on a claim follows from. Where a claim has neither, it follows from
#: all of its conditions.
DECISIVE = ("as said", "as computed")

#: The fields that a condition of each rule needs beside `says`, `metric` and `rule`.
RULES = {
    "within": ("value", "relative"),
    "at most": ("value",),
    "at least": ("value",),
    "equals": ("value",),
    "less than": ("than", "factor"),
    "more than": ("than", "factor"),
}

#: Name of each data set for a reader.
DATA_NAMES = {
    "toy": "toy",
    "toy_shuffled": "toy, steps shuffled",
    "beps": "BEPS training",
    "beps_heldout": "BEPS held-out",
    "beps_shuffled": "BEPS held-out, steps shuffled",
    "beps_aligned": "BEPS held-out, channels aligned",
    "beps_buffered": "BEPS held-out, large blocks with a gap",
    "beps_stripes": "BEPS held-out, stripes of rows",
    "twin": "simulated twin held-out",
}

#: What a text can ask of the values of all seeds. `low` and `high` are the limits of the 95 %
#: interval of a mean over folds.
OVER_SEEDS = {
    "min": min,
    "max": max,
    "n": len,
    "low": lambda values: derived.fold_interval(values, min(len(values), N_FOLDS))[0],
    "high": lambda values: derived.fold_interval(values, min(len(values), N_FOLDS))[1],
}

#: Those of `OVER_SEEDS` that need two values or more.
OF_INTERVAL = ("low", "high")

_TEXT = {"type": "string", "minLength": 1}
_CONDITION = {
    "type": "object",
    "properties": {
        "says": _TEXT,
        "metric": _TEXT,
        "rule": {"enum": list(RULES)},
        "value": {"type": "number"},
        "relative": {"type": "number"},
        "factor": {"type": "number"},
        "than": _TEXT,
        "layer": {"enum": list(LAYERS)},
    },
    "required": ["says", "layer", "metric", "rule"],
    "additionalProperties": False,
}
_CLAIM = {
    "type": "object",
    "properties": {
        "id": _TEXT,
        "question": {"enum": list(QUESTIONS)},
        "weight": {"enum": [0, 1, 2, 3]},
        "section": _TEXT,
        "place": _TEXT,
        "quote": _TEXT,
        "paper": _TEXT,
        "read": _TEXT,
        "reason": _TEXT,
        "bounds": _TEXT,
        "note": _TEXT,
        "reproduce": _TEXT,
        "verdict": {"enum": list(VERDICTS)},
        "conditions": {"type": "array", "items": _CONDITION},
        "beside": {"type": "array", "items": _TEXT},
    },
    "additionalProperties": False,
}
_CLAIM["required"] = list(_CLAIM["properties"])

#: JSON schema of the ledger.
SCHEMA = {
    "type": "object",
    "properties": {
        "schema_version": {"const": 2},
        "claims": {"type": "array", "items": _CLAIM, "minItems": 1},
    },
    "required": ["schema_version", "claims"],
    "additionalProperties": False,
}


def read(path: Path = LEDGER) -> list[dict]:
    """Return the claims of a ledger.

    Raises
    ------
    ReplicationError
        If the file is missing or a field is wrong.
    """
    document = read_json(path)
    check_schema(path, document, SCHEMA)
    for claim in document["claims"]:
        for condition in claim["conditions"]:
            missing = [field for field in RULES[condition["rule"]] if field not in condition]
            if missing:
                raise ReplicationError(
                    f"{path}: {claim['id']}: "
                    f"a condition `{condition['rule']}` needs the field {missing[0]}."
                )
    return document["claims"]


def write(ledger: Sequence[dict], path: Path = LEDGER) -> None:
    """Write the claims of a ledger, in the order of their fields."""
    document = {"schema_version": 2, "claims": ledger}
    write_text(path, json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def judge(claim: dict, document: dict, published: dict | None = None) -> dict:
    """Judge a claim by a set of metrics.

    A condition holds if it does so for all seeds but one, or for all of them where there are fewer
    than three. It is open if its metrics are missing or not from the paper's own data. An open
    condition is judged by the published metrics, and marked. If these leave it open as well, it
    says nothing.

    A claim is replicated if all of its decisive conditions hold that are not open, partly if some
    do, and not replicated if none does. It is not testable if none can be judged by the metrics
    themselves. Decisive are the conditions of the layers `DECISIVE`, or all where there are none of
    these. Every layer has a verdict of its own beside.

    Parameters
    ----------
    claim : dict
    document : dict
        As read from metrics.json.
    published : dict, optional
        The stored metrics, where `document` is another.

    Returns
    -------
    dict
        ``verdict``; ``layers``, the verdict of each layer that the claim has; ``conditions``, each
        with ``says``, ``layer``, ``measured`` (text), ``holds`` (True, False, or None if it is
        open) and ``is_published`` (whether it was judged by the published metrics); ``beside``,
        further metrics, each with ``label`` and ``value``; ``note``, with its numbers filled in.
    """
    metrics = document["metrics"]
    conditions = [
        _judge_condition(condition, metrics, published) for condition in claim["conditions"]
    ]
    beside = [
        {"label": label(name), "value": _text(metrics[name])}
        for name in claim["beside"]
        if name in metrics
    ]
    return {
        "verdict": verdict_of(decisive(conditions)),
        "layers": {
            layer: verdict_of([each for each in conditions if each["layer"] == layer])
            for layer in LAYERS
            if any(each["layer"] == layer for each in conditions)
        },
        "conditions": conditions,
        "beside": beside,
        "note": fill(claim["note"], metrics),
    }


def decisive(conditions: Sequence[dict]) -> list[dict]:
    """Return the conditions of a claim that its verdict follows from."""
    chosen = [each for each in conditions if each["layer"] in DECISIVE]
    return chosen or list(conditions)


def verdict_of(conditions: Sequence[dict]) -> str:
    """Return the verdict that follows from judged conditions.

    Parameters
    ----------
    conditions : sequence of dict
        Each with ``holds`` and ``is_published``.
    """
    outcomes = [each["holds"] for each in conditions if each["holds"] is not None]
    if not outcomes or all(each["is_published"] or each["holds"] is None for each in conditions):
        return "not testable"
    if all(outcomes):
        return "replicated"
    return "partly" if any(outcomes) else "not replicated"


def _judge_condition(condition, metrics, published):
    """Return what a condition says, what was measured, whether it holds, and by which metrics."""
    measured, holds = _measured(condition, metrics)
    is_published = False
    if published is None and is_of_sweeps(condition) and not _is_of_paper(metrics):
        measured, holds = "not of these data", None
    if published is not None and (holds is None or is_of_sweeps(condition)):
        measured, holds = _measured(condition, published["metrics"])
        measured, is_published = f"published: {measured}", holds is not None
    return {
        "says": condition["says"],
        "layer": condition["layer"],
        "measured": measured,
        "holds": holds,
        "is_published": is_published,
    }


def names_of(condition: dict) -> list[str]:
    """Return the one or two numbers that a condition judges."""
    return [condition[field] for field in ("metric", "than") if field in condition]


def is_of_sweeps(condition: dict) -> bool:
    """Return whether a condition judges numbers that are stored, and no run's own."""
    return any(derived.is_of_sweeps(name) for name in names_of(condition))


def _is_of_paper(metrics):
    """Return whether some metric was measured on the paper's own data."""
    return any(entry["provenance"] in PAPER_DATA for entry in metrics.values())


def _measured(condition, metrics):
    """Return what was measured for a condition, and whether it holds; None if it is open."""
    names = names_of(condition)
    entries = [_entry(name, metrics) for name in names]
    missing = [name for name, entry in zip(names, entries) if entry is None]
    if missing:
        return f"{label(missing[0])}: not measured", None
    measured = "; ".join(f"{label(name)}: {_text(entry)}" for name, entry in zip(names, entries))
    other_data = {entry["provenance"] for entry in entries} - set(PAPER_DATA)
    if other_data:
        return f"{measured} on a {other_data.pop()}", None
    met = outcomes(condition, metrics)
    if not met:
        return f"{measured}, but on no common seed", None
    count = f"holds for {sum(met)} of {len(met)} seeds"
    return f"{measured} ({count})", sum(met) >= n_needed(len(met))


def n_needed(n_seeds: int) -> int:
    """Return for how many of so many seeds a condition must hold."""
    return n_seeds if n_seeds < 3 else n_seeds - 1


def outcomes(condition: dict, metrics: Mapping[str, dict]) -> list[bool]:
    """Return whether a condition holds, for each seed that its numbers have in common.

    Parameters
    ----------
    condition : dict
    metrics : mapping of str to dict
        The ``metrics`` of metrics.json.
    """
    return [is_met(condition, *of_seed) for of_seed in values(condition, metrics)]


def values(condition: dict, metrics: Mapping[str, dict]) -> list[list[float]]:
    """Return the one or two values that a condition judges, for each seed that they share.

    Parameters
    ----------
    condition : dict
    metrics : mapping of str to dict
        The ``metrics`` of metrics.json.
    """
    entries = [_entry(name, metrics) for name in names_of(condition)]
    return [] if None in entries else list(_by_seed(entries))


def _entry(name, metrics):
    """Return the entry of a metric or of a derived number, None where it was not measured."""
    if name.startswith("derived."):
        return derived.entry(name.removeprefix("derived."), metrics)
    return metrics.get(name)


def is_met(condition: dict, value: float, than: float | None = None) -> bool:
    """Return whether the value of a metric meets a condition.

    `than` is the value of the other metric, where the condition compares two.
    """
    rule = condition["rule"]
    if rule == "within":
        allowed = condition["relative"] * abs(condition["value"])
        return abs(value - condition["value"]) <= allowed
    if rule == "at most":
        return value <= condition["value"]
    if rule == "at least":
        return value >= condition["value"]
    if rule == "equals":
        return value == condition["value"]
    if rule == "less than":
        return value < condition["factor"] * than
    return value > condition["factor"] * than


def _by_seed(entries):
    """Yield the values of each seed that all entries have, in the order of the first entry."""
    tables = [dict(zip(entry["seeds"], entry["values"])) for entry in entries]
    for seed in entries[0]["seeds"]:
        if all(seed in table for table in tables):
            yield [table[seed] for table in tables]


def label(name: str) -> str:
    """Return the name of a number for a reader: data set, model and kind, or what is derived."""
    if name.startswith("derived."):
        return derived.TABLE[name.removeprefix("derived.")].label
    dataset, model, kind = name.split(".")
    return f"{DATA_NAMES[dataset]}, {LABELS[model]}, {kind.replace('_', ' ')}"


def _text(entry):
    """Return the value of a metric with its unit, and its range over the seeds if it varies."""
    unit = entry["unit"].replace(" squared", "²")
    text = f"{entry['value']:.3g}"
    if unit not in ("1", "count"):
        text += f" {unit}"
    low, high = min(entry["values"]), max(entry["values"])
    if high > low:
        text += f" ({low:.3g} to {high:.3g})"
    return text


def fill(text: str, metrics: Mapping[str, dict]) -> str:
    """Fill every ``{name:format}`` of a text; a number that was not measured is a dash.

    The name is that of a metric, or ``derived.NAME`` for a number of `benchmarks.derived`. It
    stands for the mean over the seeds. With one of `OVER_SEEDS` after it, as in ``NAME.min``, it
    stands for that number of the values of all seeds.

    Raises
    ------
    ReplicationError
        If the name is neither one that a run could measure, nor one that is derived.
    """

    def number(match):
        name, form = match.groups()
        value = _number(name, metrics)
        return "–" if value is None else format(value, form)

    return re.sub(r"{([\w.]+):([^}]+)}", number, text)


def _number(name, metrics):
    """Return the number of a name that `fill` reads, or None if it was not measured."""
    stem, _, last = name.rpartition(".")
    if last in OVER_SEEDS:
        values = _values(stem, metrics)
        n_needed = 2 if last in OF_INTERVAL else 1
        return OVER_SEEDS[last](values) if len(values) >= n_needed else None
    if name in metrics:
        return metrics[name]["value"]
    values = _values(name, metrics)
    return fmean(values) if values else None


def _values(name, metrics):
    """Return the values of a metric or a derived number, one for each seed."""
    group, _, last = name.rpartition(".")
    if group == "derived" and last in derived.TABLE:
        return derived.values(last, metrics)
    if group == "derived" or last not in KINDS:
        raise ReplicationError(
            f"{name}: no run measures this, and it is not derived; "
            "see replicate/numbers/kinds.py and benchmarks/derived.py."
        )
    return metrics[name]["values"] if name in metrics else []
