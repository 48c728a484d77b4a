"""Verified local copies of the remote files: the folder in `REPLICATE_DATA`, the cache, Zenodo, then the pinned public copies.

Every byte is verified whatever the source. A complete file with the wrong hash is fatal (`HashMismatch`); a source that cannot deliver
one is passed over for the next, and `DataUnavailable` says that none could.
"""

from __future__ import annotations

import errno
import functools
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pooch

from replicate.data.remote.transport import (
    PATIENT,
    SourceUnavailable,
    Truncated,
    download,
    patiently,
    zenodo_url,
)
from replicate.errors import ReplicationError
from replicate.files import atomic_path, file_hash

DATA_VARIABLE = "REPLICATE_DATA"
CACHE_VARIABLE = "REPLICATE_CACHE"


class HashMismatch(ReplicationError):
    """A complete file is not the one in the manifest."""


class DataUnavailable(ReplicationError):
    """No local copy, and no source can be reached."""


@dataclass(frozen=True)
class Row:
    """What `verify_all` found for one file.

    Attributes
    ----------
    key, name : str
    status : str
        ``"verified"`` or ``"missing"``.
    path : Path or None
        The verified copy.
    bytes : int or None
        Its size.
    hash : str or None
        Its hash, after the algorithm and a colon.
    problem : str
        Why the file is missing; empty for a verified one.
    """

    key: str
    name: str
    status: str
    path: Path | None = None
    bytes: int | None = None
    hash: str | None = None
    problem: str = ""


def fetch(file, *, progress=True, patience=PATIENT):
    """Return a verified local copy of `file`, downloading it into the cache when there is none.

    Parameters
    ----------
    file : RemoteFile
    progress : bool
        Draw a progress bar, when standard error is a terminal.
    patience : Patience

    Returns
    -------
    Path

    Raises
    ------
    HashMismatch
        If a local copy or a complete download has the wrong hash.
    DataUnavailable
        If no source delivers the file.
    ReplicationError
        If `REPLICATE_DATA` is not a folder, or the cache cannot be written to.
    """
    path = _local(file)
    if path is not None:
        return path
    reasons = []
    for source in file.sources:
        try:
            url = (
                zenodo_url(source.address, file, patience)
                if source.kind == "zenodo"
                else source.address
            )
            return _download(url, file, progress, patience)
        except SourceUnavailable as reason:
            reasons.append(f"  {source}: {reason}")
    raise DataUnavailable(
        "\n".join([f"{file.name}: no source can deliver it.", *reasons, _help(file)])
    )


def check(file):
    """Return a verified local copy of `file`, without using the network.

    Raises
    ------
    HashMismatch
        If the copy has the wrong hash.
    DataUnavailable
        If there is no copy.
    """
    path = _local(file)
    if path is None:
        searched = ", ".join(str(folder) for folder in _folders())
        raise DataUnavailable(
            f"{file.name}: not in {searched}. Fetch it with `nox -s data`. {_help(file)}"
        )
    return path


def verify_all(files, *, fetch_missing, progress=True):
    """Verify each file and return one `Row` for each, in order.

    A file that cannot be had is a row with status ``"missing"``, so that the table is complete; the caller decides
    whether that is a failure. A wrong hash is fatal and raises.

    Parameters
    ----------
    files : iterable of RemoteFile
    fetch_missing : bool
        Download what is not there; otherwise the network is not used.
    progress : bool

    Raises
    ------
    HashMismatch
        If a copy has the wrong hash.
    """
    return [
        _row(file, functools.partial(fetch, progress=progress) if fetch_missing else check)
        for file in files
    ]


def _row(file, get):
    try:
        path = get(file)
    except DataUnavailable as error:
        return Row(file.key, file.name, "missing", problem=str(error))
    return Row(
        file.key, file.name, "verified", path, path.stat().st_size, ":".join(file.expected_hash)
    )


def cache_folder():
    """Return the folder of downloaded files: `REPLICATE_CACHE`, or the system's cache for this project."""
    return Path(os.environ.get(CACHE_VARIABLE) or pooch.os_cache("replicate-qin2022")).expanduser()


def _folders():
    """Return the folders to search, in order."""
    named = os.environ.get(DATA_VARIABLE)
    if not named:
        return [cache_folder()]
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise ReplicationError(
            f"{DATA_VARIABLE}={named}: not a folder. Set it to the folder that holds the data files, or unset it."
        )
    return [folder, cache_folder()]


def _local(file):
    for folder in _folders():
        path = folder / file.name
        if os.path.lexists(path):
            return _verified(
                path,
                file,
                folder,
                f"Remove {path} to have it fetched again, or replace it with the right file.",
            )
    return None


def _verified(path, file, origin, fix):
    """Return `path` when its hash and size are those of the manifest."""
    algorithm, expected = file.expected_hash
    try:
        found, size = file_hash(path, algorithm), path.stat().st_size
    except OSError as error:
        raise ReplicationError(
            f"{path}: cannot be read ({error.strerror}). Make it readable, or remove it."
        ) from error
    if found != expected or size != (file.bytes or size):
        raise HashMismatch(
            f"{file.name} from {origin} is not the file in the manifest.\n"
            f"  expected {algorithm} {expected}, {file.bytes or 'unknown'} bytes\n"
            f"  found    {algorithm} {found}, {size} bytes\n{fix}"
        )
    return path


def _download(url, file, progress, patience):
    """Download a file into the cache, verified before it gets its name there."""
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        with atomic_path(folder / file.name) as temporary:
            patiently(
                functools.partial(_attempt, url, temporary, file, progress, patience.timeout),
                f"{file.name} from {urlsplit(url).netloc}",
                patience,
            )
    except OSError as error:
        raise ReplicationError(
            f"{folder}: {file.name} cannot be kept there ({error}). Make room, make it writable, or set {CACHE_VARIABLE} to another."
        ) from error
    return folder / file.name


def _attempt(url, temporary, file, progress, timeout):
    """Download once; a download that is both wrong and short was cut off, and may be tried again."""
    announced = download(url, temporary, file, progress, timeout)
    fix = f"Nothing was kept. Try another network, or put the right file into a folder and set {DATA_VARIABLE}."
    try:
        _verified(temporary, file, url, fix)
    except HashMismatch as mismatch:
        size = temporary.stat().st_size
        if size < announced:
            raise Truncated(f"{size} of {announced} bytes arrived") from mismatch
        raise


def _help(file):
    return f"Connect to the network, or put {file.name} into a folder and set {DATA_VARIABLE} to it; `--data simulated` does without it."
