"""Write files whole or not at all, read them with checks, and hash what is on disk."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
from jsonschema import Draft202012Validator

from replicate import temporary
from replicate.errors import ReplicationError

#: A file is hashed in pieces of this many bytes, so that a large one does not fill the memory.
HASH_BLOCK = 1 << 20

#: A JSON file may have so many bytes, and a whole number in it so many digits.
LARGEST_JSON = 64 << 20
LONGEST_INTEGER = 40

#: What a full disk answers.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Write a file whole or not at all, in a ``with`` statement.

    Parameters
    ----------
    path : path-like
        Where the file is to appear. Its folder is made where it is missing.

    Yields
    ------
    Path
        A temporary path in the folder of `path`. When the block ends well, the temporary file
        takes the place of `path`; when the block raises, the temporary file is removed.

    Raises
    ------
    ReplicationError
        If the folder cannot be made or written to.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = temporary.file_beside(path)
    except OSError as error:
        raise ReplicationError(
            f"{path}: the folder cannot be written to ({error.strerror}). "
            "Make it writable, or choose another folder."
        ) from error
    try:
        yield unfinished
        # mkstemp makes files private; results are meant to be shared.
        os.chmod(unfinished, 0o666 & ~_umask())
        os.replace(unfinished, path)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise ReplicationError(
            f"{path}: cannot be written ({error.strerror}). Make room, and try again."
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)


def _umask() -> int:
    """Return the process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: str | Path, text: str) -> None:
    """Write a text file atomically, in UTF-8."""
    with atomic_path(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write a value atomically as JSON with sorted keys.

    Raises
    ------
    ValueError
        If the value holds NaN or infinity, which are not JSON.
    TypeError
        If the value holds an object that JSON has no form for.
    """
    write_text(path, json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: str | Path, schema: dict[str, Any] | None = None) -> Any:
    """Read a JSON file.

    Parameters
    ----------
    path : path-like
    schema : dict, optional
        A JSON schema that the content must fit.

    Raises
    ------
    ReplicationError
        If the file is missing, larger than `LARGEST_JSON` or not JSON as `parse_json` reads it, or
        if it does not fit the schema.
    """
    try:
        with Path(path).open("rb") as stream:
            content = stream.read(LARGEST_JSON + 1)
        if len(content) > LARGEST_JSON:
            raise ValueError(f"it has more than {LARGEST_JSON >> 20} MiB")
        document = parse_json(content.decode("utf-8"))
    except (OSError, ValueError) as error:
        raise ReplicationError(
            f"{path}: cannot be read as JSON ({error}). Restore it or delete it."
        ) from error
    if schema is not None:
        check_schema(path, document, schema)
    return document


def parse_json(text: str) -> Any:
    """Return the value of a JSON text whose numbers are numbers and whose names are there once.

    Raises
    ------
    ValueError
        If the text is not JSON or is nested too deeply, if a name stands twice in an object, or if
        a number is NaN, infinite, too large or longer than `LONGEST_INTEGER`.
    """
    try:
        return json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_short_integer,
            object_pairs_hook=_with_names_once,
        )
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _refuse_constant(text):
    raise ValueError(f"{text} is no number of JSON")


def _finite(text):
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is too large a number")
    return number


def _short_integer(text):
    if len(text) > LONGEST_INTEGER:
        raise ValueError(f"a whole number has {len(text)} digits")
    return int(text)


def _with_names_once(pairs):
    document = dict(pairs)
    if len(document) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice!r} stands twice in an object")
    return document


def listing(name: str) -> dict[str, Any]:
    """Return the JSON schema of an object that has a list of objects under a name."""
    rows = {"type": "array", "items": {"type": "object"}}
    return {"type": "object", "properties": {name: rows}, "required": [name]}


def check_schema(path: str | Path, document: Any, schema: dict[str, Any]) -> None:
    """Refuse a document that a JSON schema does not allow.

    Parameters
    ----------
    path : path-like
        The file that the document was read from, or is to be written to; the error names it.
    document : object
        The content of the file.
    schema : dict
        A JSON schema, draft 2020-12.

    Raises
    ------
    ReplicationError
        If the document does not fit the schema. The message names the file and the field.
    """
    error = next(Draft202012Validator(schema).iter_errors(document), None)
    if error is not None:
        field = ".".join(map(str, error.absolute_path)) or "at the top"
        raise ReplicationError(f"{path}: field {field}: {error.message}")


def write_npz(path: str | Path, **arrays: np.ndarray) -> None:
    """Write arrays atomically to a compressed `.npz` file.

    Raises
    ------
    TypeError
        If an array holds Python objects, which would be written as pickles.
    """
    for name, array in arrays.items():
        if np.asarray(array).dtype.hasobject:
            raise TypeError(f"array {name!r} holds Python objects")
    # `numpy.savez_compressed` leaves its archive open where the disk is full, with a traceback.
    with atomic_path(path) as unfinished, ZipFile(unfinished, "w", ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)


def read_npz(path: str | Path) -> dict[str, np.ndarray]:
    """Read every array of an `.npz` file by its name; pickles are refused.

    Raises
    ------
    ReplicationError
        If the file is missing, empty, truncated or corrupt.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except Exception as error:  # a damaged file makes zipfile, zlib and NumPy raise almost anything
        raise ReplicationError(
            f"{path}: not a readable .npz file ({error}). Delete it and run again."
        ) from error


def read_npy(path: str | Path, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Read one numeric `.npy` array; pickles are refused.

    Parameters
    ----------
    path : path-like
    shape : tuple of int, optional
        The shape that the array must have.

    Returns
    -------
    ndarray
        All values are finite.

    Raises
    ------
    ReplicationError
        If the file is missing, empty, truncated or not numeric, if the array has another shape,
        or if it holds NaN or infinity.
    """
    try:
        array = np.lib.format.read_array(io.BytesIO(Path(path).read_bytes()), allow_pickle=False)
        finite = np.isfinite(array)
    except Exception as error:  # a damaged file makes NumPy raise almost anything
        raise ReplicationError(
            f"{path}: not a readable .npy file ({error}). Fetch it again with `nox -s data`."
        ) from error
    if shape is not None and array.shape != tuple(shape):
        raise ReplicationError(f"{path}: shape {array.shape}, expected {tuple(shape)}.")
    if not finite.all():
        raise ReplicationError(f"{path}: {np.count_nonzero(~finite)} values are NaN or infinite.")
    return array


def file_hash(path: str | Path, algorithm: str = "sha256") -> str:
    """Return the hexadecimal hash of a file.

    Parameters
    ----------
    path : path-like
    algorithm : str
        Any name that `hashlib` knows, or ``"git-blob"`` for the name that Git gives the file.
    """
    path = Path(path)
    if algorithm == "git-blob":
        digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size)
    else:
        digest = hashlib.new(algorithm)
    with path.open("rb") as stream:
        for block in iter(lambda: stream.read(HASH_BLOCK), b""):
            digest.update(block)
    return digest.hexdigest()
