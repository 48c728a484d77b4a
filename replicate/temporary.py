"""Temporary files beside what they become, named by their process and swept once it has died."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import tempfile
from pathlib import Path

import psutil

#: Name of this machine, as it stands in the name of a temporary file.
HOST = re.sub(r"[^A-Za-z0-9]", "_", socket.gethostname())

#: How a temporary file is named: what it becomes, whose it is, and some letters of chance.
NAME = re.compile(r"\..*\.(?P<host>\w+)-(?P<pid>\d+)-\w+(\.\w+)?")

#: So much of a name is kept, that the whole is no longer than a file system allows.
LONGEST = 100

#: Seconds by which the clocks of processes and files may differ.
SLACK = 60.0


def file_beside(path: Path) -> Path:
    """Make an empty temporary file in the folder of `path`, and return its path.

    What dead processes left in that folder is removed.

    Raises
    ------
    OSError
        If the folder cannot be written to.
    """
    sweep(path.parent)
    handle, name = tempfile.mkstemp(prefix=_prefix(path), suffix=path.suffix, dir=path.parent)
    os.close(handle)
    return Path(name)


def folder_beside(path: Path) -> tempfile.TemporaryDirectory:
    """Return a temporary folder in the folder of `path`, for a ``with`` statement.

    What dead processes left in that folder is removed.

    Raises
    ------
    OSError
        If the folder cannot be written to.
    """
    sweep(path.parent)
    return tempfile.TemporaryDirectory(prefix=_prefix(path), dir=path.parent)


def _prefix(path):
    return f".{path.name[:LONGEST]}.{HOST}-{os.getpid()}-"


def sweep(folder: Path) -> None:
    """Remove the temporary files and folders that dead processes of this machine left in a folder.

    Those of living processes and of other machines stay.
    """
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        found = NAME.fullmatch(path.name)
        if found and found["host"] == HOST and _is_orphan(path, int(found["pid"])):
            _remove(path)


def _is_orphan(path, pid):
    """Return whether the process that made a temporary file has ended."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return True
        # Another process may have the number of one that has ended.
        return process.create_time() > path.stat().st_mtime + SLACK
    except psutil.NoSuchProcess:
        return True
    except (OSError, psutil.Error):  # the file is gone already, or nothing can be told
        return False


def _remove(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    # Another process may have swept it, or it may not be ours to remove.
    with contextlib.suppress(OSError):
        path.unlink()
