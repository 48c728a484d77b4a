"""A seal shows an edit, wherever it is made."""

from __future__ import annotations

import json

import pytest

from replicate import seals
from replicate.errors import ReplicationError

DOCUMENT = {"numbers": [1, 2.5], "nested": {"text": "a", "none": None}}


@pytest.fixture
def path(tmp_path):
    seals.write(tmp_path / "a.json", DOCUMENT)
    return tmp_path / "a.json"


def test_what_was_sealed_is_read(path):
    assert seals.read(path) == DOCUMENT


@pytest.mark.parametrize(
    "edit",
    [
        lambda document: document["numbers"].append(3),
        lambda document: document["nested"].update(text=1),
        lambda document: document.pop("nested"),
        lambda document: document.update(more=True),
        lambda document: document.pop("seal"),
        lambda document: document.update(seal="0"),
    ],
)
def test_an_edit_is_named(path, edit):
    document = json.loads(path.read_text())
    edit(document)
    path.write_text(json.dumps(document))
    with pytest.raises(ReplicationError, match=r"a\.json: is not as its command wrote it"):
        seals.read(path)


def test_another_order_of_the_fields_is_no_edit(path):
    document = json.loads(path.read_text())
    path.write_text(json.dumps(dict(reversed(document.items()))))
    assert seals.read(path) == DOCUMENT


def test_a_list_is_refused(path):
    path.write_text("[]")
    with pytest.raises(ReplicationError, match="a.json"):
        seals.read(path)
