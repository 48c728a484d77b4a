"""One run in a fresh process, as the process that starts it sees it; and the start of that process."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
from dataclasses import asdict

from replicate.running import machine

POLL = 0.5  # seconds between two looks at whether to stop
PATIENCE = 3.0  # seconds for a process to end by itself after Ctrl-C
AGAIN = 0.01  # seconds until a Ctrl-C that was lost is raised once more


def run_child(job, provenance, results, stopped, report=lambda **progress: None):
    """Run one job in a fresh process with every thread pool pinned to one thread, and follow it to its end.

    Parameters
    ----------
    job : Job
    provenance : dict of str to str
    results : path-like
    stopped : callable
        Tells whether to end the process now; a training then goes on from its last epoch the next time.
    report : callable
        Called with keywords ``done``, ``total`` and ``text`` as a training advances.

    Returns
    -------
    str or None
        What went wrong, or None.
    """
    request = {"job": asdict(job), "provenance": provenance, "results": str(results)}
    error = None
    process = subprocess.Popen(
        [sys.executable, "-m", "replicate.running.process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=machine.thread_environment(1),
    )
    with _ended_on_request(process, stopped):
        # A process that dies at its start is told from its exit code.
        with contextlib.suppress(BrokenPipeError), process.stdin:
            json.dump(request, process.stdin)
        for line in process.stdout:
            progress = json.loads(line)
            if "error" in progress:
                error = progress["error"]
            else:
                report(**progress)
    if process.wait() == 0:
        return None
    return error or f"the process ended with code {process.returncode}"


@contextlib.contextmanager
def _ended_on_request(process, stopped):
    """End a process when `stopped` says so, unless Ctrl-C in the terminal has reached it as well and it ends by itself."""
    finished = threading.Event()

    def watch():
        while not finished.wait(POLL):
            if stopped():
                if not finished.wait(PATIENCE):
                    process.terminate()
                return

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        finished.set()


def keep_interrupts():
    """Raise a Ctrl-C again that fell into a finaliser, such as MXNet's of an array: there Python prints it, and goes on."""

    def raise_later(unraisable):
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, AGAIN)
        else:
            sys.__unraisablehook__(unraisable)

    signal.signal(signal.SIGALRM, signal.default_int_handler)
    sys.unraisablehook = raise_later


def main():
    """Run the request on standard input, and return the exit code."""
    keep_interrupts()
    # What starts the process need not load what runs in it.
    from replicate.running import execute

    return execute.main()


if __name__ == "__main__":
    sys.exit(main())
