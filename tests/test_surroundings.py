"""What a user's environment sets does not break a command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

#: Settings of notebooks, of shells and of continuous integration.
SETTINGS = {
    "a notebook's backend": {"MPLBACKEND": "module://matplotlib_inline.backend_inline"},
    "a backend with windows": {"MPLBACKEND": "TkAgg", "DISPLAY": ""},
    "warnings are errors": {"PYTHONWARNINGS": "error"},
    "no colour, narrow": {"NO_COLOR": "1", "COLUMNS": "40"},
    "ASCII": {"LANG": "C", "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
    "startup file": {"PYTHONSTARTUP": "absent.py"},
}


def python(settings, *arguments):
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), **settings},
        capture_output=True,
        text=True,
        timeout=240,
    )


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize(
    "command",
    ["replicate run --dry-run --profile smoke --data simulated", "figures.fig4 --help"],
)
def test_a_command_runs_whatever_is_set(name, command):
    ended = python(SETTINGS[name], "-m", *command.split())
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("package", ["figures", "benchmarks", "replicate.__main__"])
def test_every_entry_draws_into_files(package):
    code = f"import {package}, matplotlib.pyplot as plt; plt.figure(); print(plt.get_backend())"
    ended = python(SETTINGS["a notebook's backend"], "-c", code)
    assert ended.stdout.strip().lower() == "agg", ended.stderr


def test_mxnet_can_be_loaded_where_warnings_are_errors():
    pytest.importorskip("mxnet")
    code = "import figures, subprocess, sys; import mxnet"
    child = "; sys.exit(subprocess.call([sys.executable, '-c', 'import mxnet']))"
    ended = python(SETTINGS["warnings are errors"], "-c", code + child)
    assert ended.returncode == 0, ended.stderr


def test_a_letter_that_the_terminal_lacks_is_replaced():
    ended = python(SETTINGS["ASCII"], "-c", "import figures; print('\\u03b2')")
    assert (ended.returncode, ended.stdout) == (0, "?\n")


def test_a_notebook_that_imports_the_figures_keeps_its_backend():
    code = "import sys; sys.modules['IPython'] = sys; import figures, os"
    ended = python({"MPLBACKEND": "svg"}, "-c", code + "; print(os.environ['MPLBACKEND'])")
    assert ended.stdout == "svg\n", ended.stderr
