"""Get bytes from a server: time-outs, bounded retries, and the listing of a Zenodo record."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TypeVar

import pooch
import requests
import urllib3
from tqdm import tqdm

from replicate import __version__
from replicate.data.remote.manifest import RemoteFile

#: The headers of every request. They say who asks, and that the bytes of the file itself are
#: wanted, so that Content-Length counts those.
HEADERS = {
    "User-Agent": f"replicate/{__version__} (+https://doi.org/10.1002/adma.202202814)",
    "Accept-Encoding": "identity",
}

#: Bytes of a download that are written at once.
CHUNK_BYTES = 1 << 16

#: A file whose size the manifest does not say may have so many bytes.
LARGEST = 1 << 31

_log = logging.getLogger(__name__)

Result = TypeVar("Result")


class SourceUnavailable(Exception):
    """One source cannot deliver the file; the next one may."""


class Truncated(Exception):
    """A download ended early."""


class TooLong(Exception):
    """A source sends more bytes than the file has, so that it is another file."""


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
    grace : float
        Seconds that any download may take.
    least_rate : float
        Bytes that must arrive in every further second.
    """

    attempts: int = 3
    pause: float = 1.0
    timeout: tuple[float, float] = (5.0, 30.0)
    grace: float = 60.0
    least_rate: float = 1e4


#: How patient a download is by default.
DEFAULT_PATIENCE = Patience()


def zenodo_url(doi: str, file: RemoteFile, patience: Patience) -> str:
    """Return the address of a file in a Zenodo record, where it is known by its MD5.

    Parameters
    ----------
    doi : str
        The DOI of the record.
    file : RemoteFile
        The file, whose name in the record may be another one.
    patience : Patience

    Raises
    ------
    SourceUnavailable
        If the manifest has no MD5 of the file, if the record cannot be read, or if it has no such
        file.
    """
    if file.md5 is None:
        raise SourceUnavailable("the manifest has no MD5 to find the file by")
    try:
        listing = call_with_retries(
            functools.partial(zenodo_listing, doi, patience.timeout),
            f"Zenodo record {doi}",
            patience,
        )
    except SourceUnavailable:
        raise
    except Exception as error:  # Pooch raises many kinds on an odd answer
        raise SourceUnavailable(
            f"its answer cannot be read ({type(error).__name__}: {error})"
        ) from error
    if file.md5 not in listing:
        raise SourceUnavailable(f"none of its {len(listing)} files has the MD5 {file.md5}")
    return listing[file.md5]


@functools.cache  # one listing serves every file; a failure raises, so it is not cached
def zenodo_listing(doi: str, timeout: tuple[float, float]) -> dict[str, str]:
    """Return the address of every file in a Zenodo record, by MD5.

    Parameters
    ----------
    doi : str
        The DOI of the record.
    timeout : tuple of float
        Seconds to wait for a connection, and for the next bytes.
    """
    record = pooch.downloaders.doi_to_repository(doi, headers=HEADERS, timeout=timeout)
    names = SimpleNamespace(registry={})
    record.populate_registry(names)
    return {
        checksum.rpartition(":")[2].lower(): record.download_url(name)
        for name, checksum in names.registry.items()
    }


def download(url: str, path: Path, file: RemoteFile, progress: bool, patience: Patience) -> int:
    """Download a file once, and no more than its size.

    Parameters
    ----------
    url : str
        Where the file is.
    path : Path
        Where to write it.
    file : RemoteFile
        The file's entry in the manifest, with its name and size.
    progress : bool
        Draw a progress bar, when standard error is a terminal.
    patience : Patience

    Returns
    -------
    int
        How many bytes the server announced, or the manifest where the server did not say.

    Raises
    ------
    TooLong
        If more bytes come than the file has.
    SourceUnavailable
        If they come too slowly, or if the size that is announced is none.
    """
    begin = time.monotonic()
    with (
        requests.get(url, headers=HEADERS, timeout=patience.timeout, stream=True) as response,
        path.open("wb") as stream,
    ):
        response.raise_for_status()
        announced = _announced(response)
        bar = tqdm(
            total=announced or file.bytes,
            desc=file.name,
            unit="B",
            unit_scale=True,
            disable=None if progress else True,
        )
        with bar:
            for part in _parts(response):
                stream.write(part)
                bar.update(len(part))
                _check_limits(stream.tell(), time.monotonic() - begin, file, patience)
    return announced or file.bytes or 0


def _announced(response):
    """Return how many bytes a server announces; None where it does not say."""
    text = response.headers.get("Content-Length")
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise SourceUnavailable(f"its Content-Length is {text[:40]!r}, which is no size")
    return int(text)


def _parts(response):
    """Yield what a server sends as it comes, without waiting for more."""
    try:
        while part := response.raw.read1(CHUNK_BYTES, decode_content=True):
            yield part
    except urllib3.exceptions.HTTPError as error:
        raise requests.ConnectionError(error) from error


def _check_limits(n_bytes, seconds, file, patience):
    """Stop where a source sends more than the file has, or too slowly."""
    most = file.bytes or LARGEST
    if n_bytes > most:
        raise TooLong(f"it sends more than {most} bytes")
    longest = patience.grace + n_bytes / patience.least_rate
    if seconds > longest:
        raise SourceUnavailable(
            f"{n_bytes} bytes arrived in {seconds:.0f} s, "
            f"fewer than {patience.least_rate:g} a second"
        )


def call_with_retries(action: Callable[[], Result], origin: str, patience: Patience) -> Result:
    """Return what a function returns, calling it again after a pause when the transport fails.

    Parameters
    ----------
    action : callable
        Makes one request.
    origin : str
        Where the answer comes from, for the warning before a retry.
    patience : Patience

    Raises
    ------
    SourceUnavailable
        If the last attempt fails, or if asking again cannot help.
    """
    for attempt in range(1, patience.attempts + 1):
        try:
            return action()
        except (requests.RequestException, Truncated) as error:
            if attempt == patience.attempts or not _is_transient(error):
                raise SourceUnavailable(_reason(error)) from error
            pause = patience.pause * 2 ** (attempt - 1)
            _log.warning("%s: %s; trying again in %g s", origin, _reason(error), pause)
            time.sleep(pause)


def _is_transient(error):
    """Return whether asking again may help.

    It may after no answer, after a broken one, or when a server says that it is busy.
    """
    if isinstance(error, requests.HTTPError):
        return error.response.status_code == 429 or error.response.status_code >= 500
    return True


def _reason(error):
    """Return in one line why a request failed; requests and urllib3 wrap the reason twice over."""
    kind = type(error).__name__.lstrip("_")
    if not error.args:
        return f"{kind}: {error}"
    return f"{kind}: {getattr(error.args[0], 'reason', error)}"
