"""Verified local copies of the remote files.

They come from the folder in `REPLICATE_DATA`, the cache, Zenodo, or the pinned public copies, in
this order. Every byte is verified whatever the source. A complete file with the wrong hash is fatal
(`HashMismatch`). A source that cannot deliver a complete file is passed over for the next one, and
`DataUnavailable` says that none could.
"""

from __future__ import annotations

import errno
import functools
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from replicate.cache import CACHE_VARIABLE, cache_folder
from replicate.data.remote.manifest import RemoteFile, Source
from replicate.data.remote.transport import (
    DEFAULT_PATIENCE,
    Patience,
    SourceUnavailable,
    TooLong,
    Truncated,
    call_with_retries,
    download,
    zenodo_url,
)
from replicate.errors import ReplicationError
from replicate.files import atomic_path, file_hash

#: The environment variable that names a folder of data files.
DATA_VARIABLE = "REPLICATE_DATA"


class HashMismatch(ReplicationError):
    """A complete file is not the one in the manifest."""


class DataUnavailable(ReplicationError):
    """There is no local copy of a file, and no source can be reached."""


@dataclass(frozen=True)
class FileStatus:
    """Whether a file is there, as `verify_all` reports it.

    Attributes
    ----------
    key, name : str
        Name of the file in the manifest, and in a local folder.
    status : str
        ``"verified"`` or ``"missing"``.
    path : Path or None
        The verified copy.
    bytes : int or None
        Size of the copy.
    hash : str or None
        Hash of the copy, after the algorithm and a colon.
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


def fetch(
    file: RemoteFile, *, progress: bool = True, patience: Patience = DEFAULT_PATIENCE
) -> Path:
    """Return a verified local copy of a file, downloading it into the cache when there is none.

    Parameters
    ----------
    file : RemoteFile
    progress : bool
        Draw a progress bar, when standard error is a terminal.
    patience : Patience
        How long to wait for a server, and how often to ask again.

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
            url = _address(source, file, patience)
            return _download(url, file, progress, patience)
        except SourceUnavailable as reason:
            reasons.append(f"  {source}: {reason}")
    raise DataUnavailable(
        "\n".join([f"{file.name}: no source can deliver it.", *reasons, _help(file)])
    )


def check(file: RemoteFile) -> Path:
    """Return a verified local copy of a file, without using the network.

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


def verify_all(
    files: Iterable[RemoteFile], *, fetch_missing: bool, progress: bool = True
) -> list[FileStatus]:
    """Verify each file.

    A file that cannot be had gets the status ``"missing"``, so that the list is complete; the
    caller decides whether that is a failure. A wrong hash is fatal.

    Parameters
    ----------
    files : iterable of RemoteFile
    fetch_missing : bool
        Download what is not there; otherwise the network is not used.
    progress : bool
        Draw a progress bar, when standard error is a terminal.

    Returns
    -------
    list of FileStatus
        One for each file, in the order of `files`.

    Raises
    ------
    HashMismatch
        If a copy has the wrong hash.
    """

    def find(file):
        if fetch_missing:
            return fetch(file, progress=progress)
        return check(file)

    return [_status(file, find) for file in files]


def _status(file, find):
    """Return the status of a file, whose verified copy ``find(file)`` gives."""
    try:
        path = find(file)
    except DataUnavailable as error:
        return FileStatus(file.key, file.name, "missing", problem=str(error))
    return FileStatus(
        key=file.key,
        name=file.name,
        status="verified",
        path=path,
        bytes=path.stat().st_size,
        hash=":".join(file.expected_hash),
    )


def _folders():
    """Return the folders to search, in order."""
    named = os.environ.get(DATA_VARIABLE)
    if not named:
        return [cache_folder()]
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise ReplicationError(
            f"{DATA_VARIABLE}={named}: not a folder. "
            "Set it to the folder that holds the data files, or unset it."
        )
    return [folder, cache_folder()]


def _local(file):
    """Return the verified copy of a file in the folders to search, or None where there is none."""
    for folder in _folders():
        path = folder / file.name
        if os.path.lexists(path):
            fix = f"Remove {path} to have it fetched again, or replace it with the right file."
            return _verified(path, file, folder, fix)
    return None


def _verified(path, file, origin, fix):
    """Return `path` when its hash and size are those of the manifest."""
    algorithm, expected = file.expected_hash
    try:
        actual = file_hash(path, algorithm)
        size = path.stat().st_size
    except OSError as error:
        raise ReplicationError(
            f"{path}: cannot be read ({error.strerror}). Make it readable, or remove it."
        ) from error
    if actual != expected or size != (file.bytes or size):
        raise HashMismatch(
            f"{file.name} from {origin} is not the file in the manifest.\n"
            f"  expected {algorithm} {expected}, {file.bytes or 'unknown'} bytes\n"
            f"  found    {algorithm} {actual}, {size} bytes\n{fix}"
        )
    return path


def _address(source: Source, file: RemoteFile, patience: Patience) -> str:
    """Return the URL of a file at one of its sources."""
    if source.kind == "zenodo":
        return zenodo_url(source.address, file, patience)
    return source.address


def _download(url, file, progress, patience):
    """Download a file into the cache, where it gets its name once it is verified."""
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        with atomic_path(folder / file.name) as temporary:
            attempt = functools.partial(_attempt, url, temporary, file, progress, patience)
            call_with_retries(attempt, f"{file.name} from {urlsplit(url).netloc}", patience)
    except OSError as error:
        raise ReplicationError(
            f"{folder}: {file.name} cannot be kept there ({error}). "
            f"Make room, make it writable, or set {CACHE_VARIABLE} to another."
        ) from error
    return folder / file.name


def _attempt(url, temporary, file, progress, patience):
    """Download a file once.

    A download that is both wrong and short was cut off, and may be tried again.
    """
    fix = (
        "Nothing was kept. Try another network, "
        f"or put the right file into a folder and set {DATA_VARIABLE}."
    )
    try:
        announced = download(url, temporary, file, progress, patience)
        _verified(temporary, file, url, fix)
    except TooLong as error:
        raise HashMismatch(
            f"{file.name} from {url} is not the file in the manifest: {error}.\n{fix}"
        ) from error
    except HashMismatch as mismatch:
        size = temporary.stat().st_size
        if size < announced:
            raise Truncated(f"{size} of {announced} bytes arrived") from mismatch
        raise


def _help(file):
    """Return what a user can do about a file that cannot be had."""
    return (
        f"Connect to the network, or put {file.name} into a folder and set {DATA_VARIABLE} to it."
    )
