"""Whole files or none: atomic writes, and hashes of what is on disk."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import tempfile
from pathlib import Path

import numpy as np
from jsonschema import Draft202012Validator

from replicate.errors import ReplicationError


@contextlib.contextmanager
def atomic_path(path):
    """Yield a temporary path in the same folder; move it onto `path` on success, remove it on failure.

    Raises
    ------
    ReplicationError
        If the folder cannot be made or written to.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent
        )
    except OSError as error:
        raise ReplicationError(
            f"{path}: the folder cannot be written to ({error.strerror}). Make it writable, or choose another with --results."
        ) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files private; results are meant to be shared.
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path, text):
    """Write `text` to `path` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path, value):
    """Write `value` to `path` atomically as JSON with sorted keys; NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_json(path):
    """Read a JSON file.

    Raises
    ------
    ReplicationError
        If the file is missing or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ReplicationError(
            f"{path}: cannot be read as JSON ({error}). Restore it or delete it."
        ) from error


def write_npz(path, **arrays):
    """Write arrays to a compressed `.npz` atomically; object arrays are refused (they would be pickles)."""
    for name, array in arrays.items():
        if np.asarray(array).dtype.hasobject:
            raise TypeError(f"array {name!r} holds Python objects")
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, **arrays)


def check_schema(path, document, schema):
    """Refuse a document, read from `path` or to be written there, that a JSON schema does not allow.

    Raises
    ------
    ReplicationError
        Naming the file, the field and what is wrong.
    """
    error = next(Draft202012Validator(schema).iter_errors(document), None)
    if error is not None:
        raise ReplicationError(
            f"{path}: field {'.'.join(map(str, error.absolute_path)) or 'at the top'}: {error.message}"
        )


def read_npz(path):
    """Read every array of an `.npz` file into a dict, refusing pickles.

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


def read_npy(path, shape=None):
    """Read one numeric `.npy` array, refusing pickles, wrong shapes and values that are not finite.

    Parameters
    ----------
    path : path-like
    shape : tuple of int, optional
        The shape the array must have.

    Raises
    ------
    ReplicationError
        If the file is missing, empty, truncated, not numeric, of another shape, or holds NaN or infinity.
    """
    try:
        array = np.lib.format.read_array(io.BytesIO(Path(path).read_bytes()), allow_pickle=False)
        finite = np.isfinite(array)
    except Exception as error:  # see read_npz
        raise ReplicationError(
            f"{path}: not a readable .npy file ({error}). Fetch it again with `nox -s data`."
        ) from error
    if shape is not None and array.shape != tuple(shape):
        raise ReplicationError(f"{path}: shape {array.shape}, expected {tuple(shape)}.")
    if not finite.all():
        raise ReplicationError(f"{path}: {np.count_nonzero(~finite)} values are NaN or infinite.")
    return array


def file_hash(path, algorithm="sha256"):
    """Return the hexadecimal hash of a file.

    Parameters
    ----------
    path : path-like
    algorithm : str
        Any name that hashlib knows, or ``"git-blob"`` for Git's object name of the file.
    """
    path = Path(path)
    digest = (
        hashlib.sha1(b"blob %d\0" % path.stat().st_size)
        if algorithm == "git-blob"
        else hashlib.new(algorithm)
    )
    with path.open("rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
