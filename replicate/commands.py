"""How a command is described, and how it ends.

It ends with an exit code, and in one line where the user can mend what is wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator

from replicate.errors import ReplicationError

#: The exit code of what the user can mend.
USER_ERROR = 2

#: The exit code after Ctrl-C, or after a request to end.
STOPPED = 130

#: The exit code where whoever reads the output has left, as a shell gives it.
NOBODY_READS = 128 + signal.SIGPIPE if hasattr(signal, "SIGPIPE") else 1

#: What is said after Ctrl-C.
STOPPED_TEXT = "\nStopped. No file is half-written: the same command goes on."

#: Errors of the system that a user can mend, and no fault of the code.
MENDABLE = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
    errno.EMFILE,
    errno.ENAMETOOLONG,
)


def command(fault: str = "error") -> Callable[[Callable[..., int | None]], Callable[..., int]]:
    """Make a main function end as every command does.

    Parameters
    ----------
    fault : str
        The word before the message of an error.

    Returns
    -------
    callable
        A decorator. The function that it makes returns the exit code of the one it is given, where
        None counts as 0; `USER_ERROR` and one line for a `ReplicationError`, a full disk or a
        folder that cannot be written to; `STOPPED` after Ctrl-C or SIGTERM; `NOBODY_READS` where
        the output is piped to a program that has ended.
    """

    def decorate(main):
        @functools.wraps(main)
        def ended(*arguments, **options):
            try:
                with _terminated_as_interrupted():
                    code = main(*arguments, **options) or 0
                    sys.stdout.flush()
                    return code
            except BrokenPipeError:
                _print_to_nobody()
                return NOBODY_READS
            except ReplicationError as error:
                return _refused(fault, error)
            except OSError as error:
                if error.errno not in MENDABLE:
                    raise
                return _refused(fault, f"{error}. Make room or choose another folder.")
            except KeyboardInterrupt:
                print(STOPPED_TEXT, file=sys.stderr)
                return STOPPED

        return ended

    return decorate


def _refused(fault, error):
    """Print an error in one line, and return its exit code."""
    print(f"{fault}: {error}", file=sys.stderr)
    return USER_ERROR


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Handle SIGTERM as Ctrl-C is handled, in a ``with`` statement."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGTERM, signal.SIGINT)
    # A job that a script puts in the background is not to hear Ctrl-C.
    heard = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, signal.default_int_handler) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print_to_nobody():
    """Send what is still to be printed nowhere, or Python would complain of the pipe at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(OSError, ValueError):
        os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def parser_of(description: str) -> argparse.ArgumentParser:
    """Return a parser without options, whose help is a description with its lines as they are."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
