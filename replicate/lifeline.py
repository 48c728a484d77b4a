"""A process that ends with the one that started it, however that one ends.

Both hold an end of a pipe. When the process that started the other is gone, even by ``kill -9``,
the system closes its end, and the other sees it at once.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import NamedTuple

#: The variable that gives a process its end of the pipe.
VARIABLE = "REPLICATE_LIFELINE"

#: The exit code of a process that has lost the one that started it, as after Ctrl-C.
LOST = 130


class Tie(NamedTuple):
    """What `subprocess` is given so that a process is tied to this one."""

    env: dict[str, str]
    pass_fds: tuple[int, ...]


@contextlib.contextmanager
def tied() -> Iterator[Tie]:
    """Tie the process that is started in a ``with`` statement to this one.

    Yields
    ------
    Tie
        Variables and open files that the process is to get. Windows hands on no files: there it is
        not tied.
    """
    if os.name != "posix":
        yield Tie({}, ())
        return
    reading, writing = os.pipe()
    try:
        yield Tie({VARIABLE: str(reading)}, (reading,))
    finally:
        os.close(reading)
        os.close(writing)


def end_quietly_on_interrupt() -> None:
    """End this process on Ctrl-C without a traceback, as long as it loads what it needs.

    A process that is not to hear Ctrl-C, such as a job in the background, still does not.
    """
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def hold() -> None:
    """End this process as soon as the one that started it is gone, if that one has tied it.

    Nothing is half-written: files appear whole or not at all.
    """
    end = os.environ.pop(VARIABLE, None)
    if end is not None:
        _end_by_signal(int(end))
        threading.Thread(target=_end_with, args=(int(end),), daemon=True).start()


def _end_by_signal(end):
    """Let the system end this process when the other end of the pipe is closed, where it can.

    A thread cannot run while a large library such as MXNet is loaded, which takes seconds.
    """
    if sys.platform == "linux":
        import fcntl  # not on Windows

        fcntl.fcntl(end, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(end, fcntl.F_SETFL, os.O_ASYNC)


def _end_with(end):
    """Wait until the other end of the pipe is closed, and leave."""
    with contextlib.suppress(OSError):
        os.read(end, 1)
    os._exit(LOST)
