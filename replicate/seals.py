"""A seal: a document's own hash, by which an edit by hand is noticed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from replicate.errors import ReplicationError
from replicate.files import read_json, write_json

#: The field that a seal stands in.
FIELD = "seal"


def hash_of(value: Any) -> str:
    """Return the sha256 of a value as JSON with sorted keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def sealed(document: dict) -> dict:
    """Return a document with its seal."""
    return document | {FIELD: hash_of(unsealed(document))}


def unsealed(document: dict) -> dict:
    """Return a document without its seal."""
    return {name: value for name, value in document.items() if name != FIELD}


def is_intact(document: dict) -> bool:
    """Return whether a document is as it was when it was sealed."""
    return document.get(FIELD) == hash_of(unsealed(document))


def write(path: str | Path, document: dict) -> None:
    """Write a document as JSON, atomically, with its seal."""
    write_json(path, sealed(document))


def read(path: str | Path) -> dict:
    """Read a document that `write` wrote; its seal is left out.

    Raises
    ------
    ReplicationError
        If the file is missing, is not JSON, or is not as it was written.
    """
    document = read_json(path, {"type": "object"})
    if not is_intact(document):
        raise ReplicationError(
            f"{path}: is not as its command wrote it. Restore it, or delete it and make it again."
        )
    return unsealed(document)
