"""Try in a child process what may crash or never end.

SciPy and HDF5 check little of what they read: a damaged file can make them crash, or loop for ever,
in compiled code, where no exception helps. A child process tries it first.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from replicate.errors import ReplicationError


def survive(path: str | Path, seconds: float, function: Callable, *arguments: Any) -> None:
    """Call a function in a child process, and refuse a file that it does not survive.

    What the function returns or raises is lost: call it again to have that.

    Parameters
    ----------
    path : path-like
        The file that the function reads.
    seconds : float
        Time on the processor after which the child is ended.
    function : callable
    *arguments
        Of the function.

    Raises
    ------
    ReplicationError
        If the child crashes, or needs more time.
    """
    child = os.fork()
    if child == 0:
        _try(seconds, function, arguments)
    try:
        _, status = os.waitpid(child, 0)
    except BaseException:  # Ctrl-C: nobody waits for the child any more
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        fault = f"it takes more than {seconds:g} s" if name == "SIGPROF" else f"a crash, {name}"
        raise ReplicationError(
            f"{path}: cannot be read ({fault}: the file is damaged). Copy or export it again."
        )


def _try(seconds, function, arguments):
    """Call a function without a word, and end this process."""
    try:
        faulthandler.disable()
        silent = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - closed as the process ends
        sys.stdout = sys.stderr = silent
        for number in (1, 2):
            os.dup2(silent.fileno(), number)
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, seconds)
        function(*arguments)
    finally:
        os._exit(0)
