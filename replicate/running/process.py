"""One run in a fresh process: what starts and follows the process, and what runs in it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from replicate import lifeline

if __name__ == "__main__":
    # Before anything that takes time to load: to be told of the end of the one that started this
    # process, and to end without a traceback.
    lifeline.hold()
    lifeline.end_quietly_on_interrupt()

from tqdm import tqdm

from replicate import arithmetic
from replicate.commands import STOPPED
from replicate.errors import ReplicationError
from replicate.provenance import Sources
from replicate.study.job import Job

#: Seconds between two looks at whether to stop.
POLL = 0.1

#: Seconds for a process to end by itself after Ctrl-C.
PATIENCE = 0.5

#: Seconds until a Ctrl-C that was lost is raised once more.
AGAIN = 0.01


def run_in_process(
    job: Job,
    sources: Sources,
    results: Path,
    stopped: Callable[[], bool],
    report: Callable = lambda **progress: None,
) -> str | None:
    """Run one job in a fresh process of one thread, and follow it to its end.

    Parameters
    ----------
    job : Job
    sources : Sources
    results : path-like
    stopped : callable
        Returns whether to end the process now; a training then goes on from its last epoch the
        next time.
    report : callable
        Called with keywords ``done``, ``total`` and ``text`` as a training advances.

    Returns
    -------
    str or None
        What went wrong, or None.
    """
    request = {"job": asdict(job), "sources": asdict(sources), "results": str(results)}
    with lifeline.tied() as tie:
        process = subprocess.Popen(
            [sys.executable, "-m", "replicate.running.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | arithmetic.environment() | tie.env,
            pass_fds=tie.pass_fds,
        )
        error = follow(process, job, request, stopped, report)
    if process.wait() == 0:
        return None
    return error or f"the process ended with code {process.returncode}"


def follow(
    process: subprocess.Popen,
    job: Job,
    request: dict,
    stopped: Callable[[], bool],
    report: Callable,
) -> str | None:
    """Give a process its request, print its notes, and return what it says went wrong.

    Parameters
    ----------
    process : Popen
        With pipes of text at its input and output.
    job : Job
        What it runs.
    request : dict
        What it is given.
    stopped, report : callable
        As those of `run_in_process`.
    """
    error = None
    with _ended_on_request(process, stopped):
        # A process that dies at its start is told from its exit code.
        with contextlib.suppress(BrokenPipeError), process.stdin:
            json.dump(request, process.stdin)
        for line in process.stdout:
            progress = json.loads(line)
            if "error" in progress:
                error = progress["error"]
            elif "note" in progress:
                tqdm.write(f"{job}: note: {progress['note']}")
            else:
                report(**progress)
    return error


@contextlib.contextmanager
def _ended_on_request(process, stopped):
    """End a process when `stopped` says so, unless Ctrl-C has reached it and it ends by itself."""
    finished = threading.Event()

    def watch():
        while not finished.wait(POLL):
            if stopped():
                if not finished.wait(PATIENCE):
                    # No file is ever half-written, so that nothing is lost.
                    process.kill()
                return

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        finished.set()


def keep_interrupts():
    """Raise a Ctrl-C again that fell into a finaliser, such as MXNet's of an array.

    Python prints an exception there, and goes on.
    """

    def raise_later(unraisable):
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, AGAIN)
        else:
            sys.__unraisablehook__(unraisable)

    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    sys.unraisablehook = raise_later


def tell_warnings():
    """Say each warning of a library once, as a note in one line without a place in its code."""
    told = set()

    def tell(message, *_, **__):
        note = " ".join(str(message).split())
        if note not in told:
            told.add(note)
            _say(note=note)

    warnings.showwarning = tell


def main():
    """Run the request on standard input, and return the exit code.

    The request is one JSON object. Progress is printed as one JSON object a line; a warning as one
    line ``{"note": ...}``; a failure as one line ``{"error": ...}``, and the exit code is 1.
    """
    keep_interrupts()
    tell_warnings()
    # A request to end is handled as Ctrl-C is: at a point where no file is half-written.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        # What starts the process need not load what runs in it.
        from replicate.running.execute import execute

        request = json.load(sys.stdin)
        job, sources = Job(**request["job"]), Sources(**request["sources"])
        execute(job, sources, Path(request["results"]), _say)
    except KeyboardInterrupt:
        # MXNet's own shutdown would be interrupted, with a traceback, by a second signal.
        os._exit(STOPPED)
    except Exception as error:
        is_mendable = isinstance(error, ReplicationError)
        _say(error=str(error) if is_mendable else traceback.format_exc())
        return 1
    return 0


def _say(**progress):
    try:
        print(json.dumps(progress), flush=True)
    except BrokenPipeError:
        # Whoever started this process is gone. That is an interruption, and no failure of the run.
        os._exit(STOPPED)


if __name__ == "__main__":
    sys.exit(main())
