"""Make a command independent of what the environment of its user sets.

A command that is started from a notebook inherits variables that are meant for the notebook, such
as a backend of Matplotlib that this Python does not have.
"""

from __future__ import annotations

import os
import sys
import warnings

from replicate import arithmetic, lifeline

#: The variable that names Matplotlib's backend, and the one backend that writes files everywhere.
BACKEND_VARIABLE, BACKEND = "MPLBACKEND", "Agg"

#: The variable by which warnings of Python are turned into errors.
WARNINGS_VARIABLE = "PYTHONWARNINGS"


def prepare() -> None:
    """Pin the arithmetic and make this process, and those it starts, independent of the user's.

    A process that another command has started ends with that command from here on. This must be
    called before NumPy and Matplotlib are imported.
    """
    lifeline.hold()
    if sys.argv[:1] == ["-m"]:  # as it is while Python loads the package of `python -m`
        lifeline.end_quietly_on_interrupt()
    arithmetic.pin()
    _draw_into_files()
    _leave_warnings_warnings()
    _print_in_any_encoding()


def _draw_into_files():
    """Choose a backend that needs no display, unless a notebook imports this package."""
    if "IPython" not in sys.modules:
        os.environ[BACKEND_VARIABLE] = BACKEND


def _leave_warnings_warnings():
    """Undo a setting of the environment that turns warnings into errors.

    MXNet warns when it is imported, and could not be loaded.
    """
    if "error" in os.environ.get(WARNINGS_VARIABLE, ""):
        del os.environ[WARNINGS_VARIABLE]
        warnings.resetwarnings()
        for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning):
            warnings.simplefilter("ignore", category)
        warnings.simplefilter("ignore", ResourceWarning)


def _print_in_any_encoding():
    """Print a question mark where the terminal lacks a letter, such as that of the beta-VAE."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
