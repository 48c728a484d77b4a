import copy
import json
import re

import pytest

from replicate.data.remote.manifest import MANIFEST, Source, read_manifest
from replicate.errors import ReplicationError

#: Files of the paper, and of other films.
PAPER = ["piezoresponse", "resonance", "voltage", "painting", "raw_loops", "raw_full"]
KEYS = [*PAPER, "pto_beps", "pto_110"]


@pytest.fixture
def content():
    return copy.deepcopy(json.loads(MANIFEST.read_text(encoding="utf-8")))


@pytest.fixture
def refusal(tmp_path):
    """Return the message with which a manifest of the given content is refused."""

    def read(content):
        path = tmp_path / "manifest.json"
        path.write_text(
            content if isinstance(content, str) else json.dumps(content), encoding="utf-8"
        )
        with pytest.raises(ReplicationError) as error:
            read_manifest(path)
        assert str(path) in str(error.value)
        return str(error.value)

    return read


def test_the_files():
    files = read_manifest()
    assert list(files) == KEYS
    assert all(file.key == key for key, file in files.items())
    assert files["piezoresponse"].bytes == 2764928
    assert files["voltage"].expected_hash == (
        "sha256",
        "9e7eb548053b5e1d0a7c75a163e6bb2448fbf91ba2c350f6dc4ef69052a58498",
    )
    assert files["raw_full"].expected_hash == (
        "git-blob",
        "9cbd0a614c6b33b2b61399f72880e5519d68d6d2",
    )
    assert files["raw_full"].bytes is None
    assert [key for key, file in files.items() if "replicate" in file.needed_by] == KEYS[:4]


def test_local_names_stay_apart_on_case_insensitive_file_systems():
    assert len({file.name.lower() for file in read_manifest().values()}) == len(KEYS)


def test_zenodo_comes_first_then_pinned_copies():
    files = read_manifest()
    for file in (files[key] for key in PAPER):
        assert file.sources[0] == Source("zenodo", "10.5281/zenodo.6321172")
        assert len(file.sources) == (3 if file.key == "painting" else 2)
        assert all(
            source.address.startswith("https://raw.githubusercontent.com/")
            for source in file.sources[1:]
        )


def test_the_other_films_are_pinned():
    """By commit and by hash, and belong to no record."""
    files = read_manifest()
    beginnings = {"pto_beps": "6aebbfd6639c4fc3", "pto_110": "7216bbb14e42353613"}
    for key, beginning in beginnings.items():
        (source,) = files[key].sources
        assert re.search(r"/[0-9a-f]{40}/", source.address)
        assert files[key].sha256.startswith(beginning)
        assert files[key].doi is None


def test_the_painting_is_not_ours():
    painting = read_manifest()["painting"]
    assert painting.licence == "copyrighted art by Irene Dogmatic, not redistributable"


@pytest.mark.parametrize(
    "field",
    ["name", "sources", "sha256", "md5", "bytes", "licence", "citation", "needed_by"],
)
def test_missing_field(content, refusal, field):
    del content["files"]["resonance"][field]
    assert f"entry 'resonance', field '{field}': the field is missing. Add it." in refusal(content)


def test_missing_address_of_a_source(content, refusal):
    del content["files"]["painting"]["sources"][2]["url"]
    assert "entry 'painting', field 'sources.2.url': the field is missing" in refusal(content)


def test_unknown_field(content, refusal):
    content["files"]["voltage"]["sha265"] = "0"
    assert "entry 'voltage', field 'sha265': the field is unknown. Remove it" in refusal(content)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "../x"),
        ("sha256", "abc"),
        ("bytes", "896"),
        ("bytes", 0),
        ("sources", []),
        ("doi", "zenodo"),
    ],
)
def test_wrong_value(content, refusal, field, value):
    content["files"]["voltage"][field] = value
    assert f"entry 'voltage', field '{field}'" in refusal(content)


def test_top_level(content, refusal):
    assert "field 'schema_version'" in refusal({**content, "schema_version": 2})
    assert "field 'schema_version': the field is missing" in refusal({"files": content["files"]})
    assert "field 'files'" in refusal({**content, "files": {}})
    assert "the whole" in refusal([])


@pytest.mark.parametrize("text", ["", "{", "not JSON"])
def test_not_json(refusal, text):
    assert "cannot be read as JSON" in refusal(text)


def test_outside_a_checkout(tmp_path):
    with pytest.raises(ReplicationError, match="no such file. Run inside a checkout"):
        read_manifest(tmp_path / "data_manifest.json")
