import contextlib
import hashlib
import json
import multiprocessing
import os
import threading
import time
import zlib
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pooch
import pytest
import requests
from tqdm import tqdm

from replicate import __version__
from replicate.data.remote import transport
from replicate.data.remote.fetch import DataUnavailable, HashMismatch, check, verify_all
from replicate.data.remote.fetch import fetch as fetch_patiently
from replicate.data.remote.manifest import RemoteFile, Source, read_manifest
from replicate.data.remote.transport import Patience
from replicate.errors import ReplicationError

REAL_FOLDER = os.environ.get("REPLICATE_DATA")
GOOD = bytes(range(256)) * 40
WRONG = GOOD[::-1]
SHORT_WRONG = b"<html>please log in</html>"

fetch = partial(
    fetch_patiently, progress=False, patience=Patience(attempts=3, pause=0.01, timeout=(5.0, 1.0))
)


class Server(ThreadingHTTPServer):
    """A loopback server that answers each path from a list, the last answer again and again."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.seen, self.agents = {}, [], []

    def add(self, path, *answers):
        self.answers[path] = list(answers)
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.seen.append(self.path)
        self.server.agents.append(self.headers["User-Agent"])
        answers = self.server.answers[self.path]
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    def reply(self, status, body=b"", length=None):
        self.send_response(status)
        if length is not False:
            self.send_header("Content-Length", str(length or len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def good(handler):
    handler.reply(200, GOOD)


def wrong(handler):
    handler.reply(200, WRONG)


def login_page(handler):
    handler.reply(200, SHORT_WRONG)


def truncated(handler):
    handler.reply(200, GOOD[:100], length=len(GOOD))


def truncated_unannounced(handler):
    handler.reply(200, GOOD[:100], length=False)


def unannounced(handler):
    handler.reply(200, GOOD, length=False)


def slow(handler):
    time.sleep(1.6)


def status(code):
    return lambda handler: handler.reply(code)


@pytest.fixture
def server():
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("REPLICATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("REPLICATE_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    transport.zenodo_listing.cache_clear()
    return tmp_path / "cache"


@pytest.fixture
def local(tmp_path, monkeypatch):
    folder = tmp_path / "local"
    folder.mkdir()
    monkeypatch.setenv("REPLICATE_DATA", str(folder))
    return folder


def remote(*sources, **fields):
    """Return a manifest entry for GOOD with the given sources, URLs or Source objects."""
    fields = {
        "sha256": hashlib.sha256(GOOD).hexdigest(),
        "md5": hashlib.md5(GOOD).hexdigest(),
        "bytes": len(GOOD),
        **fields,
    }
    sources = tuple(
        source if isinstance(source, Source) else Source("url", source) for source in sources
    )
    texts = {"description": "d", "doi": "10.1234/x", "licence": "l", "citation": "c"}
    return RemoteFile(
        key="thing",
        name="thing.npy",
        sources=sources,
        compiles=(),
        needed_by=("replicate",),
        **texts,
        **fields,
    )


def assert_empty(folder):
    assert not folder.exists() or list(folder.iterdir()) == []


def test_good_download_is_kept_and_used_again(server, cache):
    file = remote(server.add("/a", good))
    path = fetch(file)
    assert path == cache / "thing.npy"
    assert path.read_bytes() == GOOD
    assert fetch(file) == check(file) == path
    assert server.seen == ["/a"]
    assert list(cache.iterdir()) == [path]


def test_user_agent_is_honest(server):
    fetch(remote(server.add("/a", good)))
    assert server.agents == [f"replicate/{__version__} (+https://doi.org/10.1002/adma.202202814)"]


@pytest.mark.parametrize("bad", [slow, truncated, truncated_unannounced, status(503), status(429)])
def test_asked_again_when_the_transport_fails(server, bad):
    assert fetch(remote(server.add("/a", bad, bad, good))).read_bytes() == GOOD
    assert server.seen == ["/a"] * 3


def test_no_content_length(server):
    assert fetch(remote(server.add("/a", unannounced), bytes=None)).read_bytes() == GOOD


@pytest.mark.parametrize(
    ("bad", "times"),
    [(status(404), 1), (status(403), 1), (status(500), 3), (truncated, 3), (slow, 3)],
)
def test_next_source_when_one_cannot_deliver(server, bad, times):
    assert fetch(remote(server.add("/a", bad), server.add("/b", good))).read_bytes() == GOOD
    assert server.seen == ["/a"] * times + ["/b"]


@pytest.mark.parametrize("answer", [wrong, login_page])
def test_wrong_bytes_are_fatal(server, cache, answer):
    body = WRONG if answer is wrong else SHORT_WRONG
    url = server.add("/a", answer)
    with pytest.raises(HashMismatch) as error:
        fetch(remote(url, server.add("/b", good)))
    message = str(error.value)
    for part in (
        "thing.npy",
        url,
        hashlib.sha256(GOOD).hexdigest(),
        hashlib.sha256(body).hexdigest(),
        "Try another network",
    ):
        assert part in message
    assert server.seen == ["/a"]
    assert_empty(cache)


def test_wrong_size_is_fatal(server, cache):
    with pytest.raises(HashMismatch, match="more than 10239 bytes"):
        fetch(remote(server.add("/a", good), bytes=len(GOOD) - 1))
    assert_empty(cache)


def endless(handler):
    handler.send_response(200)
    handler.end_headers()
    with contextlib.suppress(OSError):
        while True:
            handler.wfile.write(b"more" * 5000)


def bomb(handler):
    """A gigabyte of zeros, packed to a megabyte, whatever was asked for."""
    handler.send_response(200)
    handler.send_header("Content-Encoding", "gzip")
    handler.end_headers()
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    with contextlib.suppress(OSError):
        for _ in range(64):
            handler.wfile.write(packer.compress(bytes(1 << 24)))
        handler.wfile.write(packer.flush())


def dripping(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(GOOD)))
    handler.end_headers()
    with contextlib.suppress(OSError):
        for byte in GOOD:
            handler.wfile.write(bytes([byte]))
            time.sleep(0.02)


def announcing(text):
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", text)
        handler.end_headers()
        handler.wfile.write(GOOD)

    return answer


@pytest.mark.parametrize("bad", [endless, bomb])
def test_no_more_is_taken_than_the_file_has(server, cache, monkeypatch, bad):
    written = []
    check_limits = transport._check_limits
    monkeypatch.setattr(
        transport,
        "_check_limits",
        lambda n, *rest: (written.append(n), check_limits(n, *rest)),
    )
    with pytest.raises(HashMismatch, match="thing.npy from .*/bad .* more than 10240 bytes"):
        fetch(remote(server.add("/bad", bad)))
    assert max(written) < 100_000_000
    assert_empty(cache)


def test_a_source_that_drips_is_given_up(server, cache):
    patience = Patience(attempts=1, pause=0.01, timeout=(5.0, 2.0), grace=0.2, least_rate=1000)
    get = partial(fetch_patiently, progress=False, patience=patience)
    with pytest.raises(DataUnavailable, match="fewer than 1000 a second"):
        get(remote(server.add("/bad", dripping)))
    assert_empty(cache)
    file = remote(server.add("/bad", dripping), server.add("/good", good))
    assert get(file).read_bytes() == GOOD


@pytest.mark.parametrize("text", ["abc", "-5", "1e9", "9" * 400, ""])
def test_a_size_that_is_none(server, text):
    file = remote(server.add("/bad", announcing(text)), server.add("/good", good))
    assert fetch(file).read_bytes() == GOOD


def test_everything_down(server, cache):
    urls = server.add("/a", status(404)), server.add("/b", truncated), "http://127.0.0.1:9/closed"
    with pytest.raises(DataUnavailable) as error:
        fetch(remote(*urls))
    message = str(error.value)
    for part in (*urls, "404", "ConnectionError", "REPLICATE_DATA"):
        assert part in message
    assert_empty(cache)


def test_local_folder_comes_first(server, cache, local):
    cache.mkdir()
    for folder in (cache, local):
        (folder / "thing.npy").write_bytes(GOOD)
    assert fetch(remote(server.add("/a", good))) == local / "thing.npy"
    assert server.seen == []


def test_file_missing_from_the_local_folder(server, cache, local):
    assert fetch(remote(server.add("/a", good))) == cache / "thing.npy"
    assert_empty(local)


@pytest.mark.parametrize("place", ["local", "cache"])
def test_corrupt_local_copy_is_fatal(server, request, place):
    folder = request.getfixturevalue(place)
    folder.mkdir(exist_ok=True)
    (folder / "thing.npy").write_bytes(WRONG)
    file = remote(server.add("/a", good))
    for read in (fetch, check):
        with pytest.raises(HashMismatch, match="Remove .*thing.npy"):
            read(file)
    assert server.seen == []
    assert (folder / "thing.npy").read_bytes() == WRONG


def test_local_folder_is_not_a_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("REPLICATE_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(ReplicationError, match="REPLICATE_DATA=.*nowhere: not a folder"):
        fetch(remote("http://127.0.0.1:9/"))


def test_unreadable_copy(local):
    (local / "thing.npy").mkdir()
    with pytest.raises(ReplicationError, match="thing.npy: cannot be read"):
        check(remote("http://127.0.0.1:9/"))


def test_cache_that_cannot_be_made(server, cache):
    cache.write_text("in the way")
    with pytest.raises(ReplicationError, match="set REPLICATE_CACHE"):
        fetch(remote(server.add("/a", good)))


def test_cache_that_cannot_be_written_to(server, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *args: False)
    with pytest.raises(ReplicationError, match="Permission denied.*set REPLICATE_CACHE"):
        fetch(remote(server.add("/a", good)))
    assert server.seen == []


@pytest.mark.parametrize("answer", [good, unannounced])
def test_progress_bar(server, monkeypatch, capsys, answer):
    monkeypatch.setattr(transport, "tqdm", lambda **options: tqdm(**{**options, "disable": False}))
    fetch_patiently(remote(server.add("/a", answer), bytes=None))
    assert "thing.npy" in capsys.readouterr().err


def test_full_disk_is_not_a_missing_source(server, cache, monkeypatch):
    def full(response):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(transport, "_parts", full)
    with pytest.raises(ReplicationError, match="No space left") as error:
        fetch(remote(server.add("/a", good)))
    assert not isinstance(error.value, DataUnavailable)
    assert_empty(cache)


def test_interrupt_leaves_nothing(server, cache, monkeypatch):
    def interrupted(response):
        yield GOOD[:10]
        raise KeyboardInterrupt

    monkeypatch.setattr(transport, "_parts", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch(remote(server.add("/a", good)))
    assert_empty(cache)


def test_processes_at_once(server, cache):
    file = remote(server.add("/a", good))
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert set(pool.map(fetch, [file] * 4, chunksize=1)) == {cache / "thing.npy"}
    assert list(cache.iterdir()) == [check(file)]


def test_git_blob(server, cache):
    blob = hashlib.sha1(b"blob %d\0" % len(GOOD) + GOOD).hexdigest()
    file = remote(server.add("/a", wrong, good), sha256=None, md5=None, bytes=None, git_blob=blob)
    with pytest.raises(HashMismatch, match=f"expected git-blob {blob}, unknown bytes"):
        fetch(file)
    assert_empty(cache)
    assert fetch(file).read_bytes() == GOOD


ZENODO = Source("zenodo", "10.5281/zenodo.1")


@pytest.fixture
def record(server, monkeypatch):
    """Return a function that serves a Zenodo record, given the body of its JSON answer."""

    def serve(body):
        api = server.add("/records/1", lambda handler: handler.reply(200, body.encode()))
        monkeypatch.setattr(
            pooch.downloaders, "doi_to_url", lambda doi, **kwargs: "https://zenodo.org/records/1"
        )
        monkeypatch.setattr(
            pooch.downloaders.ZenodoRepository, "base_api_url", api.rpartition("/")[0]
        )

    return serve


def listing(url, content):
    """Return the JSON answer of a Zenodo record with one file."""
    checksum = f"md5:{hashlib.md5(content).hexdigest()}"
    entry = {"key": "another name.bin", "checksum": checksum, "links": {"self": url}}
    return json.dumps({"files": [entry]})


def test_zenodo_file_is_found_by_md5(server, record):
    record(listing(server.add("/z", good), GOOD))
    assert fetch(remote(ZENODO, server.add("/b", good))).read_bytes() == GOOD
    assert server.seen == ["/records/1", "/z"]
    assert set(server.agents) == {transport.HEADERS["User-Agent"]}


def test_zenodo_listing_is_read_once(server, record, cache):
    record(listing(server.add("/z", good), GOOD))
    for _ in range(2):
        fetch(remote(ZENODO)).unlink()
    assert server.seen.count("/records/1") == 1


def test_zenodo_wrong_bytes_are_fatal(server, record):
    record(listing(server.add("/z", wrong), GOOD))
    with pytest.raises(HashMismatch):
        fetch(remote(ZENODO, server.add("/b", good)))


@pytest.mark.parametrize(
    "body",
    [
        listing("http://127.0.0.1:9/", WRONG),
        '{"files": []}',
        '{"message": "busy"}',
        "[]",
        "<html>",
        "",
    ],
)
def test_zenodo_without_the_file(server, record, body):
    record(body)
    assert fetch(remote(ZENODO, server.add("/b", good))).read_bytes() == GOOD
    assert "/b" in server.seen


def test_zenodo_needs_an_md5(server, record):
    record(listing(server.add("/z", good), GOOD))
    fetch(remote(ZENODO, server.add("/b", good), md5=None))
    assert server.seen == ["/b"]


def test_zenodo_out_of_reach(server, monkeypatch):
    def refuse(doi, **kwargs):
        raise requests.ConnectionError("no route")

    monkeypatch.setattr(pooch.downloaders, "doi_to_url", refuse)
    with pytest.raises(DataUnavailable, match="Zenodo record 10.5281/zenodo.1: .*\n.*404"):
        fetch(remote(ZENODO, server.add("/b", status(404))))


def test_check_never_asks_the_network(server, cache):
    with pytest.raises(DataUnavailable, match="not in .*cache"):
        check(remote(server.add("/a", good)))
    assert server.seen == []
    assert_empty(cache)


def test_verify_all(server, cache):
    here, gone = (
        remote(server.add("/a", good)),
        remote(server.add("/b", status(404)), sha256="0" * 64),
    )
    assert [row.status for row in verify_all([here], fetch_missing=False)] == ["missing"]
    (row,) = verify_all([here], fetch_missing=True, progress=False)
    assert (row.key, row.name, row.status, row.bytes) == (
        "thing",
        "thing.npy",
        "verified",
        len(GOOD),
    )
    assert row.path == cache / "thing.npy"
    assert row.hash == f"sha256:{hashlib.sha256(GOOD).hexdigest()}"
    row.path.unlink()
    (row,) = verify_all([gone], fetch_missing=True, progress=False)
    assert row.status == "missing" and "404" in row.problem


@pytest.mark.skipif(
    not REAL_FOLDER, reason="REPLICATE_DATA is not set: the real files are not at hand"
)
def test_the_real_files(monkeypatch):
    monkeypatch.setenv("REPLICATE_DATA", REAL_FOLDER)
    rows = verify_all(
        [file for file in read_manifest().values() if "replicate" in file.needed_by],
        fetch_missing=False,
    )
    assert [row.status for row in rows] == ["verified"] * 4
