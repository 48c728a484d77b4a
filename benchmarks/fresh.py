"""A module of the harness in a fresh process, whose arithmetic is set before anything is loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from replicate import arithmetic, lifeline


def run_fresh(module: str, arguments: Sequence[str], name: str) -> Any:
    """Run a module in a fresh process of one thread, and return what it prints, read as JSON.

    Parameters
    ----------
    module : str
    arguments : sequence of str
    name : str
        The arithmetic: ``pinned`` or ``native``.

    Raises
    ------
    subprocess.CalledProcessError
        If the process fails.
    """
    variables = (*arithmetic.KERNELS, arithmetic.NUMPY_VARIABLE)
    plain = {key: value for key, value in os.environ.items() if key not in variables}
    with lifeline.tied() as tie:
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            env=plain | {arithmetic.VARIABLE: name} | tie.env,
            pass_fds=tie.pass_fds,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return json.loads(done.stdout)
