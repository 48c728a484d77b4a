"""Verified local copies of the remote files: the folder in `REPLICATE_DATA`, the cache, Zenodo, then the pinned public copies.

Every byte is verified whatever the source. A complete file with the wrong hash is fatal (`HashMismatch`); a source that cannot deliver
one is passed over for the next, and `DataUnavailable` says that none could.
"""

from __future__ import annotations

import errno
import functools
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pooch
import requests
from tqdm import tqdm

from replicate import __version__
from replicate.errors import ReplicationError
from replicate.files import atomic_path, file_hash

DATA_VARIABLE = "REPLICATE_DATA"
CACHE_VARIABLE = "REPLICATE_CACHE"
# Identity, so that Content-Length counts the file's own bytes.
HEADERS = {"User-Agent": f"replicate/{__version__} (+https://doi.org/10.1002/adma.202202814)", "Accept-Encoding": "identity"}

_log = logging.getLogger(__name__)


class HashMismatch(ReplicationError):
    """A complete file is not the one in the manifest."""


class DataUnavailable(ReplicationError):
    """No local copy, and no source can be reached."""


class _SourceUnavailable(Exception):
    """One source cannot deliver the file; the next one may."""


class _Truncated(Exception):
    """A download ended early."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server, and how often to ask again.

    Attributes
    ----------
    attempts : int
        Requests made to one source before it is given up.
    pause : float
        Seconds before the second request, doubled before each later one.
    timeout : tuple of float
        Seconds to wait for a connection, and for the next bytes.
    """

    attempts: int = 3
    pause: float = 1.0
    timeout: tuple[float, float] = (5.0, 30.0)


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


def fetch(file, *, progress=True, patience=Patience()):
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
            url = _zenodo_url(source.address, file, patience) if source.kind == "zenodo" else source.address
            return _download(url, file, progress, patience)
        except _SourceUnavailable as reason:
            reasons.append(f"  {source}: {reason}")
    raise DataUnavailable("\n".join([f"{file.name}: no source can deliver it.", *reasons, _help(file)]))


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
        raise DataUnavailable(f"{file.name}: not in {searched}. Fetch it with `nox -s data`. {_help(file)}")
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
    return [_row(file, functools.partial(fetch, progress=progress) if fetch_missing else check) for file in files]


def _row(file, get):
    try:
        path = get(file)
    except DataUnavailable as error:
        return Row(file.key, file.name, "missing", problem=str(error))
    return Row(file.key, file.name, "verified", path, path.stat().st_size, ":".join(file.expected_hash))


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
        raise ReplicationError(f"{DATA_VARIABLE}={named}: not a folder. Set it to the folder that holds the data files, or unset it.")
    return [folder, cache_folder()]


def _local(file):
    for folder in _folders():
        path = folder / file.name
        if os.path.lexists(path):
            return _verified(path, file, folder, f"Remove {path} to have it fetched again, or replace it with the right file.")
    return None


def _verified(path, file, origin, fix):
    """Return `path` when its hash and size are those of the manifest."""
    algorithm, expected = file.expected_hash
    try:
        found, size = file_hash(path, algorithm), path.stat().st_size
    except OSError as error:
        raise ReplicationError(f"{path}: cannot be read ({error.strerror}). Make it readable, or remove it.") from error
    if found != expected or size != (file.bytes or size):
        raise HashMismatch(
            f"{file.name} from {origin} is not the file in the manifest.\n"
            f"  expected {algorithm} {expected}, {file.bytes or 'unknown'} bytes\n"
            f"  found    {algorithm} {found}, {size} bytes\n{fix}"
        )
    return path


def _zenodo_url(doi, file, patience):
    """Return the address of the file in a record that has the MD5 of `file`."""
    if file.md5 is None:
        raise _SourceUnavailable("the manifest has no MD5 to find the file by")
    try:
        listing = _patiently(functools.partial(_zenodo_listing, doi, patience.timeout), f"Zenodo record {doi}", patience)
    except _SourceUnavailable:
        raise
    except Exception as error:  # Pooch raises many kinds on an odd answer
        raise _SourceUnavailable(f"its answer cannot be read ({type(error).__name__}: {error})") from error
    if file.md5 not in listing:
        raise _SourceUnavailable(f"none of its {len(listing)} files has the MD5 {file.md5}")
    return listing[file.md5]


@functools.cache  # one listing serves every file; a failure raises, so it is not kept
def _zenodo_listing(doi, timeout):
    """Return the address of every file in a record, by MD5."""
    record = pooch.downloaders.doi_to_repository(doi, headers=HEADERS, timeout=timeout)
    names = SimpleNamespace(registry={})
    record.populate_registry(names)
    return {checksum.rpartition(":")[2].lower(): record.download_url(name) for name, checksum in names.registry.items()}


def _download(url, file, progress, patience):
    """Download a file into the cache, verified before it gets its name there."""
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        with atomic_path(folder / file.name) as temporary:
            _patiently(
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
    # Pooch tests the bar's truth, which needs a total, and sets the total to Content-Length, 0 when the server does not say.
    with tqdm(total=file.bytes or 1, desc=file.name, unit="B", unit_scale=True, disable=None if progress else True) as bar:
        pooch.HTTPDownloader(progressbar=bar, chunk_size=1 << 16, headers=HEADERS, timeout=timeout)(url, temporary, None)
        announced = bar.total or file.bytes or 0
    try:
        _verified(
            temporary, file, url, f"Nothing was kept. Try another network, or put the right file into a folder and set {DATA_VARIABLE}."
        )
    except HashMismatch as mismatch:
        size = temporary.stat().st_size
        if size < announced:
            raise _Truncated(f"{size} of {announced} bytes arrived") from mismatch
        raise


def _patiently(action, origin, patience):
    """Return `action()`, called again after a pause each time the transport fails."""
    for attempt in range(1, patience.attempts + 1):
        try:
            return action()
        except (requests.RequestException, _Truncated) as error:
            if attempt == patience.attempts or not _transient(error):
                raise _SourceUnavailable(_brief(error)) from error
            pause = patience.pause * 2 ** (attempt - 1)
            _log.warning("%s: %s; trying again in %g s", origin, _brief(error), pause)
            time.sleep(pause)


def _transient(error):
    """Whether asking again may help: no answer, a broken one, or a server that says it is busy."""
    if isinstance(error, requests.HTTPError):
        return error.response.status_code == 429 or error.response.status_code >= 500
    return True


def _brief(error):
    """Return what went wrong in one line; requests and urllib3 wrap the reason twice over."""
    return f"{type(error).__name__.lstrip('_')}: {getattr(error.args[0], 'reason', error) if error.args else error}"


def _help(file):
    return f"Connect to the network, or put {file.name} into a folder and set {DATA_VARIABLE} to it; `--data simulated` does without it."
