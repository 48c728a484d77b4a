"""Getting bytes from a server: time-outs, bounded retries with back-off, and the listing of a Zenodo record."""

from __future__ import annotations

import functools
import logging
import time
from dataclasses import dataclass
from types import SimpleNamespace

import pooch
import requests
from tqdm import tqdm

from replicate import __version__

# Identity, so that Content-Length counts the file's own bytes.
HEADERS = {
    "User-Agent": f"replicate/{__version__} (+https://doi.org/10.1002/adma.202202814)",
    "Accept-Encoding": "identity",
}

_log = logging.getLogger(__name__)


class SourceUnavailable(Exception):
    """One source cannot deliver the file; the next one may."""


class Truncated(Exception):
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


PATIENT = Patience()


def zenodo_url(doi, file, patience):
    """Return the address of the file in a record that has the MD5 of `file`."""
    if file.md5 is None:
        raise SourceUnavailable("the manifest has no MD5 to find the file by")
    try:
        listing = patiently(
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


@functools.cache  # one listing serves every file; a failure raises, so it is not kept
def zenodo_listing(doi, timeout):
    """Return the address of every file in a record, by MD5."""
    record = pooch.downloaders.doi_to_repository(doi, headers=HEADERS, timeout=timeout)
    names = SimpleNamespace(registry={})
    record.populate_registry(names)
    return {
        checksum.rpartition(":")[2].lower(): record.download_url(name)
        for name, checksum in names.registry.items()
    }


def download(url, path, file, progress, timeout):
    """Download once to `path`, and return how many bytes the server announced, or the manifest where it did not say."""
    # Pooch tests the bar's truth, which needs a total, and sets the total to Content-Length, 0 when the server does not say.
    with tqdm(
        total=file.bytes or 1,
        desc=file.name,
        unit="B",
        unit_scale=True,
        disable=None if progress else True,
    ) as bar:
        pooch.HTTPDownloader(progressbar=bar, chunk_size=1 << 16, headers=HEADERS, timeout=timeout)(
            url, path, None
        )
        return bar.total or file.bytes or 0


def patiently(action, origin, patience):
    """Return `action()`, called again after a pause each time the transport fails."""
    for attempt in range(1, patience.attempts + 1):
        try:
            return action()
        except (requests.RequestException, Truncated) as error:
            if attempt == patience.attempts or not _transient(error):
                raise SourceUnavailable(_brief(error)) from error
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
