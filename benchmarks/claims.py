"""The claims ledger: what the paper states, the rule by which each statement is judged, and the judgement of a set of metrics.

``claims.json`` holds the statements; their conditions are judged here, so that a verdict follows from numbers.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from replicate.errors import ReplicationError
from replicate.files import check_schema, read_json, write_text
from replicate.numbers.kinds import KINDS
from replicate.provenance import PAPER_DATA
from replicate.study.family import LABELS

LEDGER = Path(__file__).resolve().parent / "claims.json"
VERDICTS = ("replicated", "partly", "not replicated", "not testable")

# rule -> the fields it needs beside `says` and `metric`, and whether a value meets it
RULES = {
    "within": (
        ("value", "relative"),
        lambda rule, value: abs(value - rule["value"]) <= rule["relative"] * abs(rule["value"]),
    ),
    "at most": (("value",), lambda rule, value: value <= rule["value"]),
    "at least": (("value",), lambda rule, value: value >= rule["value"]),
    "equals": (("value",), lambda rule, value: value == rule["value"]),
    "less than": (("than", "factor"), lambda rule, value, than: value < rule["factor"] * than),
    "more than": (("than", "factor"), lambda rule, value, than: value > rule["factor"] * than),
}
DATA_NAMES = {
    "toy": "toy",
    "toy_shuffled": "toy, steps shuffled",
    "beps": "BEPS training",
    "beps_heldout": "BEPS held-out",
    "beps_shuffled": "BEPS held-out, steps shuffled",
    "twin": "simulated twin held-out",
}

_TEXT = {"type": "string", "minLength": 1}
_CONDITION = {
    "type": "object",
    "properties": {
        "says": _TEXT,
        "metric": _TEXT,
        "rule": {"enum": list(RULES)},
        **{name: {"type": "number"} for name in ("value", "relative", "factor")},
        "than": _TEXT,
    },
    "required": ["says", "metric", "rule"],
    "additionalProperties": False,
}
_CLAIM = {
    "type": "object",
    "properties": {
        **dict.fromkeys(
            ("id", "section", "place", "quote", "paper", "read", "reason", "note", "reproduce"),
            _TEXT,
        ),
        "verdict": {"enum": list(VERDICTS)},
        "conditions": {"type": "array", "items": _CONDITION},
        "beside": {"type": "array", "items": _TEXT},
    },
    "additionalProperties": False,
}
_CLAIM["required"] = list(_CLAIM["properties"])
SCHEMA = {
    "type": "object",
    "properties": {
        "schema_version": {"const": 1},
        "claims": {"type": "array", "items": _CLAIM, "minItems": 1},
    },
    "required": ["schema_version", "claims"],
    "additionalProperties": False,
}


def read(path=LEDGER):
    """Return the claims of a ledger, a list of dict.

    Raises
    ------
    ReplicationError
        If the file is missing or a field is wrong.
    """
    document = read_json(path)
    check_schema(path, document, SCHEMA)
    for claim in document["claims"]:
        for condition in claim["conditions"]:
            missing = [field for field in RULES[condition["rule"]][0] if field not in condition]
            if missing:
                raise ReplicationError(
                    f"{path}: {claim['id']}: a condition `{condition['rule']}` needs the field {missing[0]}."
                )
    return document["claims"]


def write(ledger, path=LEDGER):
    """Write the claims of a ledger, in the order of their fields."""
    write_text(
        path,
        json.dumps({"schema_version": 1, "claims": ledger}, indent=2, ensure_ascii=False) + "\n",
    )


def judge(claim, document):
    """Judge a claim by a set of metrics.

    A condition holds when it does for all seeds but one (for all of them where there are fewer than three), and is open when its metrics
    are missing or not from the paper's own data. All conditions hold: replicated. Some: partly. None: not replicated. All are open: not
    testable.

    Parameters
    ----------
    claim : dict
    document : dict
        As read from metrics.json.

    Returns
    -------
    dict
        ``verdict``; ``conditions``, each with ``says``, ``measured`` (text) and ``holds`` (True, False or None); ``beside``, each with
        ``label`` and ``value``; ``note``, its numbers filled in.
    """
    metrics = document["metrics"]
    conditions = [_judge_condition(condition, metrics) for condition in claim["conditions"]]
    outcomes = [condition["holds"] for condition in conditions]
    if all(outcome is None for outcome in outcomes):
        verdict = "not testable"
    else:
        verdict = "replicated" if all(outcomes) else "partly" if any(outcomes) else "not replicated"
    beside = [
        {"label": label(name), "value": _text(metrics[name])}
        for name in claim["beside"]
        if name in metrics
    ]
    return {
        "verdict": verdict,
        "conditions": conditions,
        "beside": beside,
        "note": fill(claim["note"], metrics),
    }


def _judge_condition(condition, metrics):
    names = [condition[field] for field in ("metric", "than") if field in condition]
    missing = [name for name in names if name not in metrics]
    if missing:
        return {
            "says": condition["says"],
            "measured": f"{label(missing[0])}: not measured",
            "holds": None,
        }
    measured = "; ".join(f"{label(name)}: {_text(metrics[name])}" for name in names)
    others = {metrics[name]["provenance"] for name in names} - set(PAPER_DATA)
    if others:
        return {
            "says": condition["says"],
            "measured": f"{measured} on a {others.pop()}",
            "holds": None,
        }
    meets = RULES[condition["rule"]][1]
    outcomes = [
        meets(condition, *values) for values in _by_seed(*(metrics[name] for name in names))
    ]
    if not outcomes:
        return {
            "says": condition["says"],
            "measured": f"{measured}, but on no common seed",
            "holds": None,
        }
    needed = len(outcomes) if len(outcomes) < 3 else len(outcomes) - 1
    count = f"holds for {sum(outcomes)} of {len(outcomes)} seeds"
    return {
        "says": condition["says"],
        "measured": f"{measured} ({count})",
        "holds": sum(outcomes) >= needed,
    }


def _by_seed(first, *others):
    """Yield the values of each seed that all entries have."""
    tables = [dict(zip(entry["seeds"], entry["values"])) for entry in (first, *others)]
    for seed in first["seeds"]:
        if all(seed in table for table in tables):
            yield [table[seed] for table in tables]


def label(name):
    """Return the name of a metric for a reader: data, model and kind."""
    data, model, kind = name.split(".")
    return f"{DATA_NAMES[data]}, {LABELS[model]}, {kind.replace('_', ' ')}"


def _text(entry):
    low, high = min(entry["values"]), max(entry["values"])
    value, unit = (
        format(entry["value"], ".3g"),
        "" if entry["unit"] in ("1", "count") else f" {entry['unit'].replace(' squared', '²')}",
    )
    return f"{value}{unit}" + (f" ({low:.3g} to {high:.3g})" if high > low else "")


def fill(text, metrics):
    """Fill every ``{metric:format}`` of a text; a metric that was not measured is a dash.

    Raises
    ------
    ReplicationError
        If the name is not one that a run could measure.
    """

    def number(match):
        name, form = match.groups()
        if name.rpartition(".")[2] not in KINDS:
            raise ReplicationError(f"{name}: no run measures this; see replicate/kinds.py.")
        return format(metrics[name]["value"], form) if name in metrics else "–"

    return re.sub(r"{([\w.]+):([^}]+)}", number, text)
