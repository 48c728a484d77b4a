"""metrics.json: its schema, writer and reader.

The file is one flat table of numbers, each with unit, better direction, seeds and provenance.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from scipy import stats

from replicate import own_model, seals
from replicate.errors import ReplicationError
from replicate.files import check_schema, read_json
from replicate.numbers.kinds import KINDS, PER_CHANNEL, kind_of
from replicate.provenance import OWN_SCAN, TEXTS
from replicate.study.job import DATASETS

#: Version of the schema of metrics.json.
SCHEMA_VERSION = 2

#: Kinds that the toy problem measures on the picture. It measures all others on random colours.
PICTURE_KINDS = (
    "painting_mse",
    "painting_mse_coded_at_1",
    "index_bias",
    "index_spread",
    "index_kurtosis",
    "shape_median",
    "shape_worst",
)

#: A model of the study, or of the user's own.
_MODEL_PATTERN = rf"([a-z_]+|{own_model.PREFIX}\w+_[0-9a-f]{{{own_model.DIGITS}}})"

#: A kind of number, or the kind of a channel of any name.
_KIND_PATTERN = rf"({'|'.join(KINDS)}|({'|'.join(PER_CHANNEL)})_[a-z0-9_]+)"
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

#: JSON schema of metrics.json.
SCHEMA = {
    "type": "object",
    "properties": {
        "schema_version": {"const": SCHEMA_VERSION},
        "profile": {"type": "string"},
        "git_commit": {"type": "string"},
        "machine": {"type": "object"},
        "versions": {"type": "object"},
        seals.FIELD: {"type": "string"},
        "metrics": {
            "type": "object",
            "propertyNames": {
                "pattern": rf"^({'|'.join(DATASETS)})\.{_MODEL_PATTERN}\.{_KIND_PATTERN}$"
            },
            "additionalProperties": _METRIC,
            "minProperties": 1,
        },
    },
    "required": ["schema_version", "profile", "git_commit", "machine", "versions", "metrics"],
    "additionalProperties": False,
}


def summarise(records: Iterable[dict]) -> dict[str, dict]:
    """Gather the records of complete runs into metrics.

    Parameters
    ----------
    records : iterable of dict
        As in `record.json`, one a run, of any data sets, models and seeds.

    Returns
    -------
    dict of str to dict
        ``<data>.<model>.<metric>`` to an entry of the schema: the mean over the seeds, the value of
        each seed, and a 95 % t-interval where there is more than one.

    Raises
    ------
    ReplicationError
        If the seeds of a metric were measured on different data.
    """
    gathered = {}
    for record in sorted(records, key=lambda record: record["seed"]):
        for kind, value in record["metrics"].items():
            name = f"{record['dataset']}.{record['model']}.{kind}"
            row = (record["seed"], value, _provenance(record, kind))
            gathered.setdefault(name, []).append(row)
    return {name: _entry(name, rows) for name, rows in sorted(gathered.items())}


def _provenance(record, kind):
    """Return the provenance of what a kind of number was measured on."""
    provenance = record["provenance"]
    if kind in PICTURE_KINDS and "picture" in provenance:
        return provenance["picture"]
    return provenance["spectra"]


def _entry(name, rows):
    seeds, values, provenances = zip(*rows)
    different = sorted(set(provenances))
    if len(different) > 1:
        raise ReplicationError(
            f"{name}: its runs are on different data ({', '.join(different)}). "
            "Run all seeds on one."
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


def interval(values: Sequence[float]) -> list[float] | None:
    """Return the two ends of the 95 % t-interval of the mean of values, or None for one value."""
    if len(values) < 2:
        return None
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    return [float(np.mean(values) - half), float(np.mean(values) + half)]


def seeds_of(document: dict) -> list[int]:
    """Return every seed that some metric of a metrics document has, in ascending order."""
    return sorted({seed for entry in document["metrics"].values() for seed in entry["seeds"]})


def write_metrics(path: Path, document: dict) -> None:
    """Validate a metrics document and write it atomically, with its seal.

    Raises
    ------
    ReplicationError
        If a field is wrong.
    """
    _validate(path, document)
    seals.write(path, document)


def read_metrics(path: Path) -> dict:
    """Read and validate a metrics document; its seal is left out.

    Raises
    ------
    ReplicationError
        If the file is missing, not JSON, of another schema version, or a field is wrong.
    """
    document = read_json(path)
    _validate(path, document)
    return seals.unsealed(document)


def is_as_written(path: Path) -> bool:
    """Return whether a file of metrics is just as `write_metrics` wrote it.

    Raises
    ------
    ReplicationError
        If the file is missing, or is not JSON.
    """
    document = read_json(path)
    return isinstance(document, dict) and seals.is_intact(document)


def _validate(path, document):
    version = document.get("schema_version") if isinstance(document, dict) else None
    if isinstance(version, int) and version != SCHEMA_VERSION:
        raise ReplicationError(
            f"{path}: field schema_version: {version}, expected {SCHEMA_VERSION}. "
            "Make it anew with this version."
        )
    check_schema(path, document, SCHEMA)
    for name, entry in document["metrics"].items():
        numbers = [entry["value"], *entry["values"], *(entry["interval"] or [])]
        if not all(math.isfinite(number) for number in numbers):
            raise ReplicationError(f"{path}: {name} is not finite.")
        if not len(entry["values"]) == len(entry["seeds"]) == len(set(entry["seeds"])):
            raise ReplicationError(
                f"{path}: {name}: field values: "
                f"one for each of its seeds {entry['seeds']} is expected."
            )
