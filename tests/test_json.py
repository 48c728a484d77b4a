"""Damaged JSON: every reader ends with an error that names the file, or with the right value."""

import contextlib
import json
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks import claims, rows
from benchmarks.store import ROOT
from replicate.data.remote.manifest import read_manifest
from replicate.data.user_scan.reading import SCHEMA as READING
from replicate.errors import ReplicationError
from replicate.files import parse_json, read_json
from replicate.numbers.metrics import read_metrics
from replicate.running import scan_results
from replicate.running.runs import Run
from replicate.study.studies import study_in

HOSTILE = {
    "depth": "[" * 100_000 + "]" * 100_000,
    "digits": '{"a": ' + "9" * 6000 + "}",
    "exponent": '{"a": 1e400}',
    "NaN": '{"a": NaN}',
    "infinity": '{"a": -Infinity}',
    "twice": '{"a": 1, "a": 2}',
    "empty": "",
    "torn": '{"a": [1, 2',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_sound_json_is_refused(tmp_path, name):
    (tmp_path / "x.json").write_text(HOSTILE[name])
    with pytest.raises(ReplicationError, match=r"x\.json: cannot be read as JSON"):
        read_json(tmp_path / "x.json")


def test_a_file_that_would_fill_the_memory_is_not_read(tmp_path):
    with (tmp_path / "x.json").open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(ReplicationError, match="more than 64 MiB"):
        read_json(tmp_path / "x.json")


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(10**30), 10**30)
        | st.text()
        | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    )
)
def test_sound_json_has_its_value(value):
    assert parse_json(json.dumps(value)) == value


RECORD = {"key": "0f", "status": "complete", "metrics": {"mse": 0.5}, "files": {}, "seal": "00"}
METRICS = {
    "schema_version": 2,
    "profile": "smoke",
    "git_commit": "0" * 40,
    "machine": {"cores": 2},
    "versions": {"numpy": "1"},
    "metrics": {
        "beps.pca.mse": {
            "value": 0.5,
            "unit": "z-score squared",
            "better": "lower",
            "seeds": [0],
            "values": [0.5],
            "interval": None,
            "provenance": "measured",
        }
    },
}
SCAN = {"file": "/a/MY.npz", "provenance": "own scan 0123456789ab", "options": ["--cycle", "1"]}
CONFIG = {"provenance": {"spectra": "own scan 0123456789ab"}, "parameters": {"n": 5}}
ROW = {"key": "0f", "status": "complete", "metrics": {"mse": 0.5}, "seed": 0, "model": "pca"}


def write(folder, place, text):
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    return path


def read_record(folder):
    run = Run(folder / "run")
    return run.status, run.damage and "record.json" in run.damage


def read_study(folder):
    return study_in(folder / "smoke").name


def read_ledger(folder):
    return len(claims.read(folder / "claims.json"))


READERS = {
    "record": ("run/record.json", RECORD, read_record),
    "metrics": ("metrics.json", METRICS, lambda folder: read_metrics(folder / "metrics.json")),
    "scan": ("scan.json", SCAN, lambda folder: scan_results.command(folder, "smoke")),
    "config": ("smoke/beps/pca/seed0/config.json", CONFIG, read_study),
    "row": ("bench.jsonl", ROW, lambda folder: rows.read(folder / "bench.jsonl")),
    "reading": (
        "reading.json",
        {"cycle": 1, "blank_outliers": True},
        lambda folder: read_json(folder / "reading.json", READING),
    ),
    "manifest": (
        "manifest.json",
        json.loads((ROOT / "data_manifest.json").read_text()),
        lambda folder: read_manifest(folder / "manifest.json"),
    ),
    "ledger": (
        "claims.json",
        json.loads((ROOT / "benchmarks" / "claims.json").read_text()),
        read_ledger,
    ),
}

PUT_IN = ["1e400", "9" * 500, '"text"', "null", "[]", "{}", "-1", "true", "NaN"]


def places(value, path=()):
    """Yield the path of everything in a document."""
    yield path
    if isinstance(value, (dict, list)):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


def changed(document, path, text):
    """Return a document as JSON, with a text in a place, or without the place for no text."""
    document = json.loads(json.dumps(document))
    if not path:
        return text or ""
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    if text is None:
        del inner[path[-1]]
        return json.dumps(document)
    inner[path[-1]] = "@here@"
    return json.dumps(document).replace('"@here@"', text)


@pytest.mark.parametrize("name", READERS)
@given(data=st.data())
@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_mutations_end_with_an_error_that_names_the_file(tmp_path, name, data):
    place, document, read = READERS[name]
    if data.draw(st.booleans()):
        path = data.draw(st.sampled_from(list(places(document))[:400]))
        text = changed(document, path, data.draw(st.sampled_from([None, *PUT_IN])))
    else:
        text = json.dumps(document)
        cut = data.draw(st.integers(0, len(text)))
        text = text[:cut] + data.draw(st.sampled_from(["", "\x00", "{", '"', "\udcff"]))
        text += data.draw(st.sampled_from(["", json.dumps(document)[cut:]]))
    if place.endswith(".jsonl"):
        text += "\n"
    file = write(tmp_path, place, text)
    if name == "config":
        write(tmp_path, "scan.json", json.dumps(SCAN))
    try:
        read(tmp_path)
    except ReplicationError as error:
        assert file.name in str(error)
    finally:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(tmp_path / place.split("/")[0], ignore_errors=True)
