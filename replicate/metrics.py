"""metrics.json: one flat table of numbers, each with unit, better direction, seeds and provenance; its schema, writer and reader."""

from __future__ import annotations

import math

import numpy as np
from jsonschema import Draft202012Validator
from scipy import stats

from replicate.errors import ReplicationError
from replicate.files import read_json, write_json

SCHEMA_VERSION = 1
ERROR_UNIT = "z-score squared"

# name -> (unit, better, what it is)
KINDS = {
    "mse": (ERROR_UNIT, "lower", "mean squared error on the spectra the model was fitted to"),
    "mse_piezoresponse": (ERROR_UNIT, "lower", "the same, piezoresponse only"),
    "mse_resonance": (ERROR_UNIT, "lower", "the same, resonance only"),
    "heldout_mse": (ERROR_UNIT, "lower", "mean squared error on spatial blocks the model never saw"),
    "heldout_mse_piezoresponse": (ERROR_UNIT, "lower", "the same, piezoresponse only"),
    "heldout_mse_resonance": (ERROR_UNIT, "lower", "the same, resonance only"),
    "heldout_train_mse": (ERROR_UNIT, "lower", "mean squared error of that fit on its own training blocks"),
    "heldout_active_channels": ("count", "none", "active channels of that fit"),
    "gamut_mse": (ERROR_UNIT, "lower", "mean squared error on fresh random colours"),
    "painting_mse": (ERROR_UNIT, "lower", "mean squared error over every pixel of the picture"),
    "active_channels": ("count", "none", "channels whose KL from the prior exceeds 0.1 nats"),
    "principal_share": ("1", "none", "variance of the active latents that as many principal components explain linearly, R2"),
    "selected_beta": ("1", "none", "beta at which the number of active channels was nearest its target"),
    "selected_active_channels": ("count", "none", "active channels at that beta"),
    "seconds_to_paper_mse": ("s", "lower", "training time until the error on 1000 fresh colours first fell to 0.104"),
    "best_lambda": ("1", "none", "lambda of the least error in the search"),
    "n_parameters": ("count", "none", "fitted numbers"),
    "fit_seconds": ("s", "lower", "time to fit, one thread"),
    "transform_seconds": ("s", "lower", "time to encode the spectra, one thread"),
    "inverse_seconds": ("s", "lower", "time to decode them, one thread"),
    "peak_memory_mib": ("MiB", "lower", "peak resident memory of the process of the run"),
}

_NUMBER = {"type": "number"}
_METRIC = {
    "type": "object",
    "properties": {
        "value": _NUMBER,
        "unit": {"type": "string"},
        "better": {"enum": ["lower", "higher", "none"]},
        "seeds": {"type": "array", "items": {"type": "integer"}, "minItems": 1},
        "values": {"type": "array", "items": _NUMBER, "minItems": 1},
        "interval": {"oneOf": [{"type": "null"}, {"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2}]},
        "provenance": {"enum": ["measured", "simulated twin", "formula", "painting", "sample photograph"]},
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
            "propertyNames": {"pattern": rf"^(toy|beps)\.[a-z_]+\.({'|'.join(KINDS)})$"},
            "additionalProperties": _METRIC,
            "minProperties": 1,
        },
    },
    "required": ["schema_version", "profile", "git_commit", "machine", "versions", "metrics"],
    "additionalProperties": False,
}


def summarise(records):
    """Gather the records of complete runs, one a seed and more than one data set and model, into metrics.

    A held-out run stands beside the run on all spectra under one name, and adds its held-out metrics only.

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
        dataset, _, heldout = record["dataset"].partition("_")
        for kind, value in record["metrics"].items():
            if heldout and not kind.startswith(heldout):
                continue
            name = f"{dataset}.{record['model']}.{kind}"
            provenance = record["provenance"]["picture" if kind == "painting_mse" else "spectra"]
            gathered.setdefault(name, []).append((record["seed"], value, provenance))
    return {name: _entry(name, rows) for name, rows in sorted(gathered.items())}


def _entry(name, rows):
    seeds, values, provenances = zip(*rows)
    if len(set(provenances)) > 1:
        raise ReplicationError(f"{name}: its runs are on different data ({', '.join(sorted(set(provenances)))}). Run all seeds on one.")
    unit, better, _ = KINDS[name.rpartition(".")[2]]
    return {
        "value": float(np.mean(values)),
        "unit": unit,
        "better": better,
        "seeds": list(seeds),
        "values": list(values),
        "interval": _interval(values),
        "provenance": provenances[0],
    }


def _interval(values):
    if len(values) < 2:
        return None
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    return [float(np.mean(values) - half), float(np.mean(values) + half)]


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
    error = next(Draft202012Validator(SCHEMA).iter_errors(document), None)
    if error is not None:
        raise ReplicationError(f"{path}: field {'.'.join(map(str, error.absolute_path)) or 'at the top'}: {error.message}")
    for name, entry in document["metrics"].items():
        if not all(map(math.isfinite, [entry["value"], *entry["values"], *(entry["interval"] or [])])):
            raise ReplicationError(f"{path}: {name} is not finite.")
