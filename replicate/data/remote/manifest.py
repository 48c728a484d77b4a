"""The manifest `data_manifest.json` of remote files.

It lists every remote file, where it may be had, and how its bytes are recognised.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from jsonschema import Draft202012Validator

from replicate.errors import ReplicationError

#: The manifest at the root of the checkout that this package is in.
MANIFEST = Path(__file__).resolve().parents[3] / "data_manifest.json"

_TEXT = {"type": "string", "minLength": 1}
_DOI = {"type": "string", "pattern": r"^10\.\d{4,9}/\S+$"}

_SOURCE = {
    "type": "object",
    "properties": {
        "kind": {"enum": ["zenodo", "url"]},
        "doi": _DOI,
        "url": {"type": "string", "pattern": "^https?://"},
    },
    "required": ["kind"],
    "additionalProperties": False,
    "if": {"properties": {"kind": {"const": "zenodo"}}},
    "then": {"required": ["doi"]},
    "else": {"required": ["url"]},
}

_FILE = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": r"^\w[\w.-]*$"},
        "description": _TEXT,
        "doi": _DOI,
        "compiles": {"type": "array", "items": _DOI},
        "sources": {"type": "array", "items": _SOURCE, "minItems": 1},
        "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "md5": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        "git_blob": {"type": "string", "pattern": "^[0-9a-f]{40}$"},
        "bytes": {"type": ["integer", "null"], "minimum": 1},
        "licence": _TEXT,
        "citation": _TEXT,
        "needed_by": {"type": "array", "items": _TEXT, "minItems": 1},
    },
    "required": [
        "name",
        "description",
        "sources",
        "bytes",
        "licence",
        "citation",
        "needed_by",
    ],
    "additionalProperties": False,
    # A file without a Git object name must have both hashes: the SHA-256 to verify it, and the MD5
    # to find it in the Zenodo record.
    "if": {"not": {"required": ["git_blob"]}},
    "then": {"required": ["sha256", "md5"]},
}

_SCHEMA = {
    "type": "object",
    "properties": {
        "schema_version": {"const": 1},
        "files": {"type": "object", "additionalProperties": _FILE, "minProperties": 1},
    },
    "required": ["schema_version", "files"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Source:
    """One place to fetch a file from.

    Attributes
    ----------
    kind : str
        ``"zenodo"`` or ``"url"``.
    address : str
        The DOI of the Zenodo record, or the URL.
    """

    kind: str
    address: str

    def __str__(self):
        return f"Zenodo record {self.address}" if self.kind == "zenodo" else self.address


@dataclass(frozen=True)
class RemoteFile:
    """One entry of the manifest.

    Attributes
    ----------
    key, name : str
        The entry's name in the manifest, and the file's name in a local folder.
    description, licence, citation : str
        What the file holds, on which terms it may be used, and what to cite.
    sources : tuple of Source
        Where to fetch the file from, in order.
    bytes : int or None
        Size; None where it is not known.
    needed_by : tuple of str
        The commands and figures that read the file.
    doi : str or None
        The record that the file belongs to, where there is one.
    compiles : tuple of str
        The DOIs which that record compiles.
    sha256, md5, git_blob : str or None
        Hexadecimal hashes; at least one of `sha256` and `git_blob` is there.
    """

    key: str
    name: str
    description: str
    sources: tuple[Source, ...]
    bytes: int | None
    licence: str
    citation: str
    needed_by: tuple[str, ...]
    doi: str | None = None
    compiles: tuple[str, ...] = ()
    sha256: str | None = None
    md5: str | None = None
    git_blob: str | None = None

    @property
    def expected_hash(self) -> tuple[str, str]:
        """The algorithm, as `replicate.files.file_hash` names it, and the file's hash."""
        if self.sha256:
            return "sha256", self.sha256
        return "git-blob", self.git_blob


def read_manifest(path: str | Path = MANIFEST) -> dict[str, RemoteFile]:
    """Read and validate the manifest.

    Parameters
    ----------
    path : path-like
        By default the manifest at the root of the checkout that this package is in.

    Returns
    -------
    dict of str to RemoteFile
        Every entry by its key, in the order of the manifest.

    Raises
    ------
    ReplicationError
        If the file is missing, is not JSON, or a field is missing, unknown or wrong.
    """
    path = Path(path)
    if not path.is_file():
        raise ReplicationError(
            f"{path}: no such file. Run inside a checkout of the repository, "
            "or install it with `pip install -e .`."
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReplicationError(
            f"{path}: cannot be read as JSON ({error}). "
            f"Restore it with `git checkout -- {path.name}`."
        ) from error
    error = next(Draft202012Validator(_SCHEMA).iter_errors(content), None)
    if error is not None:
        raise ReplicationError(f"{path}: {_explain(error)}")
    return {key: _remote_file(key, entry) for key, entry in content["files"].items()}


def _remote_file(key, entry):
    """Return an entry of the manifest as a `RemoteFile`."""
    fields = dict(entry)
    fields["sources"] = tuple(_source(source) for source in entry["sources"])
    fields["compiles"] = tuple(entry.get("compiles", ()))
    fields["needed_by"] = tuple(entry["needed_by"])
    return RemoteFile(key=key, **fields)


def _source(entry):
    """Return a source in the manifest as a `Source`."""
    kind = entry["kind"]
    address = entry["doi"] if kind == "zenodo" else entry["url"]
    return Source(kind, address)


def _explain(error):
    """Return the entry, the field and the fix of a jsonschema error."""
    place = list(error.absolute_path)
    if error.validator == "required":
        missing = next(name for name in error.validator_value if name not in error.instance)
        place.append(missing)
        fix = "the field is missing. Add it."
    elif error.validator == "additionalProperties":
        unknown = next(name for name in error.instance if name not in error.schema["properties"])
        place.append(unknown)
        fix = "the field is unknown. Remove it, or correct its spelling."
    else:
        fix = f"{error.message}. Correct it."
    entry = ""
    if place[:1] == ["files"] and len(place) > 1:
        entry = f"entry {place[1]!r}, "
        place = place[2:]
    field = ".".join(str(part) for part in place) or "the whole"
    return f"{entry}field {field!r}: {fix}"
