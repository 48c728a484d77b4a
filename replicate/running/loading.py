"""Whether MXNet can be loaded here, and if not, why."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from replicate import lifeline

#: Words in the error of an import, the cause in words, and the remedy.
FAULTS = (
    ("numpy", "another NumPy than it needs is installed", "pip install 'numpy==1.23.5'"),
    ("libgomp", "the library libgomp is missing", "apt-get install libgomp1"),
    ("libquadmath", "the library libquadmath is missing", "apt-get install libquadmath0"),
    ("GLIBC", "the C library of this system is too old", ""),
)

#: How long an import may take, seconds.
TIMEOUT = 120


#: What is run to try it. It ends with the command that asks, however that ends.
LOAD = "from replicate import lifeline; lifeline.hold(); import mxnet"


def fault_of_mxnet() -> str:
    """Return why MXNet cannot be loaded, with the remedy, in one line; "" where it can.

    It is loaded in another process: this one is to stay free of it, and a processor that lacks an
    instruction ends the process that meets it.
    """
    try:
        with lifeline.tied() as tie:
            done = subprocess.run(
                [sys.executable, "-c", LOAD],
                env=os.environ | tie.env,
                pass_fds=tie.pass_fds,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                timeout=TIMEOUT,
                check=False,
            )
    except subprocess.TimeoutExpired:
        return _sentence(f"its import takes more than {TIMEOUT} s")
    if done.returncode == 0:
        return ""
    if done.returncode == -signal.SIGILL:
        return _sentence("this processor lacks instructions that it was built for")
    said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    for word, cause, remedy in FAULTS:
        if word.lower() in said[-1].lower():
            return _sentence(f"{cause} ({said[-1].strip()})", remedy)
    return _sentence(said[-1].strip())


def _sentence(cause, remedy=""):
    """Return a cause and its remedy as a line."""
    way = f"`{remedy}` mends it, or use" if remedy else "Use"
    return (
        f"mxnet cannot be loaded: {cause}. {way} `nox -s replicate`, which installs all that the "
        "networks need; without networks: --only pca dictionary_learning."
    )
