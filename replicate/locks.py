"""A lock on a folder of results, which dies with its process."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from replicate.errors import ReplicationError

#: Name of the file that is locked. It stays: removing it would let two processes in.
NAME = ".lock"

#: What a file system answers that has no locks.
WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextlib.contextmanager
def held(folder: str | Path) -> Iterator[None]:
    """Keep other commands out of a folder, in a ``with`` statement.

    Where another process has the lock, this one says whose it is, and waits. The lock is the
    system's own (``flock``): it ends with its process, however that ends, and holds between the
    machines of a network file system as far as that knows locks.

    Parameters
    ----------
    folder : path-like
        It is made where it is missing.

    Raises
    ------
    ReplicationError
        If the folder cannot be written to.
    """
    try:
        import fcntl
    except ImportError:  # Windows has no such locks, and no MXNet
        yield
        return
    with _opened(Path(folder)) as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{folder}: {_holder(stream)} works here. Waiting for its end.", file=sys.stderr)
            fcntl.flock(stream, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in WITHOUT_LOCKS:
                raise
            print(f"{folder}: no locks here. Start one command at a time.", file=sys.stderr)
        _sign(stream)
        yield


def _opened(folder):
    """Open the file of a lock for reading and writing, with what is in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / NAME).open("a+", encoding="utf-8")
    except OSError as error:
        raise ReplicationError(
            f"{folder}: the folder cannot be written to ({error.strerror}). "
            "Make it writable, or choose another with --results."
        ) from error


def _holder(stream):
    """Return who has the lock, as that process wrote it."""
    stream.seek(0)
    return stream.read().strip() or "another process"


def _sign(stream):
    """Write who has the lock."""
    stream.truncate(0)
    stream.write(f"process {os.getpid()} on {socket.gethostname()}\n")
    stream.flush()
