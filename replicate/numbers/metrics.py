"""metrics.json: one flat table of numbers, each with unit, better direction, seeds and provenance; its schema, writer and reader."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from replicate.errors import ReplicationError
from replicate.files import check_schema, read_json, write_json
from replicate.numbers.kinds import KINDS, PER_CHANNEL, kind_of
from replicate.provenance import OWN_SCAN, TEXTS
from replicate.study.job import DATASETS

SCHEMA_VERSION = 2

OF_THE_PICTURE = (
    "painting_mse",
    "painting_mse_coded_at_1",
    "index_bias",
    "index_spread",
    "index_kurtosis",
    "shape_median",
    "shape_worst",
)
"""Kinds that the toy problem measures on the picture; its others are on colours drawn at random."""

_NUMBER = {"type": "number"}
_METRIC = {
    "type": "object",
    "properties": {
        "value": _NUMBER,
        "unit": {"type": "string"},
        "better": {"enum": ["lower", "higher", "none"]},
        "seeds": {"type": "array", "items": {"type": "integer"}, "minItems": 1},
        "values": {"type": "array", "items": _NUMBER, "minItems": 1},
        "interval": {
            "oneOf": [
                {"type": "null"},
                {"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2},
            ]
        },
        "provenance": {
            "anyOf": [
                {"enum": list(TEXTS)},
                {"type": "string", "pattern": rf"^{OWN_SCAN} [0-9a-f]{{12}}$"},
            ]
        },
    },
    "required": ["value", "unit", "better", "seeds", "values", "interval", "provenance"],
    "additionalProperties": False,
}
SCHEMA = {
    "type": "object",
    "properties": {
        "schema_version": {"const": SCHEMA_VERSION},
        "profile": {"type": "string"},
        "git_commit": {"type": "string"},
        "machine": {"type": "object"},
        "versions": {"type": "object"},
        "metrics": {
            "type": "object",
            "propertyNames": {
                "pattern": rf"^({'|'.join(DATASETS)})\.[a-z_]+\.({'|'.join(KINDS)}|({'|'.join(PER_CHANNEL)})_[a-z0-9_]+)$"
            },
            "additionalProperties": _METRIC,
            "minProperties": 1,
        },
    },
    "required": ["schema_version", "profile", "git_commit", "machine", "versions", "metrics"],
    "additionalProperties": False,
}


def summarise(records):
    """Gather the records of complete runs, one a seed and more than one data set and model, into metrics.

    Parameters
    ----------
    records : list of dict
        As in `record.json`.

    Returns
    -------
    dict of str to dict
        ``<data>.<model>.<metric>`` to an entry of the schema: the mean over the seeds, each value, and a 95 % t-interval where
        there is more than one.
    """
    gathered = {}
    for record in sorted(records, key=lambda record: record["seed"]):
        for kind, value in record["metrics"].items():
            name = f"{record['dataset']}.{record['model']}.{kind}"
            source = (
                "picture"
                if kind in OF_THE_PICTURE and "picture" in record["provenance"]
                else "spectra"
            )
            provenance = record["provenance"][source]
            gathered.setdefault(name, []).append((record["seed"], value, provenance))
    return {name: _entry(name, rows) for name, rows in sorted(gathered.items())}


def _entry(name, rows):
    seeds, values, provenances = zip(*rows)
    if len(set(provenances)) > 1:
        raise ReplicationError(
            f"{name}: its runs are on different data ({', '.join(sorted(set(provenances)))}). Run all seeds on one."
        )
    kind = kind_of(name)
    return {
        "value": float(np.mean(values)),
        "unit": kind.unit,
        "better": kind.better,
        "seeds": list(seeds),
        "values": list(values),
        "interval": interval(values),
        "provenance": provenances[0],
    }


def interval(values):
    """Return the 95 % t-interval of the mean of values; None of a single one."""
    if len(values) < 2:
        return None
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    return [float(np.mean(values) - half), float(np.mean(values) + half)]


def seeds_of(document):
    """Return every seed that some metric of a document has, in order."""
    return sorted({seed for entry in document["metrics"].values() for seed in entry["seeds"]})


def write_metrics(path, document):
    """Validate a metrics document and write it atomically."""
    _validate(path, document)
    write_json(path, document)


def read_metrics(path):
    """Read and validate a metrics document.

    Raises
    ------
    ReplicationError
        If it is missing, not JSON, of another schema version, or a field is wrong.
    """
    document = read_json(path)
    _validate(path, document)
    return document


def _validate(path, document):
    version = document.get("schema_version") if isinstance(document, dict) else None
    if isinstance(version, int) and version != SCHEMA_VERSION:
        raise ReplicationError(
            f"{path}: field schema_version: {version}, expected {SCHEMA_VERSION}. Make it anew with this version."
        )
    check_schema(path, document, SCHEMA)
    for name, entry in document["metrics"].items():
        if not all(
            map(math.isfinite, [entry["value"], *entry["values"], *(entry["interval"] or [])])
        ):
            raise ReplicationError(f"{path}: {name} is not finite.")
        if not len(entry["values"]) == len(entry["seeds"]) == len(set(entry["seeds"])):
            raise ReplicationError(
                f"{path}: {name}: field values: one for each of its seeds {entry['seeds']} is expected."
            )
