"""What a number was measured on, and the seeds and threads that it depends on."""

from __future__ import annotations

import importlib.metadata
import platform
import random
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil

from replicate import arithmetic

#: Packages whose versions are recorded with each number.
PACKAGES = ("mxnet", "numpy", "scikit-learn", "scipy", "pandas", "pooch", "pillow")

#: Folder of the package `replicate`.
PACKAGE_FOLDER = Path(__file__).resolve().parents[1]


def seed_everything(seed: int) -> None:
    """Seed python, numpy and, where it is loaded, mxnet."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - libraries draw from the global generator
    if "mxnet" in sys.modules:
        sys.modules["mxnet"].random.seed(seed)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that numbers depend on.

    Packages that are not installed are left out.
    """
    installed = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            installed[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return installed


def hardware() -> dict[str, str | int | float]:
    """Return system, processor, number of cores and memory, GiB, of this machine."""
    return {
        "system": platform.platform(),
        "processor": arithmetic.processor(),
        "cores": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
    }


def peak_memory_mib() -> float:
    """Return the peak resident memory of this process, MiB."""
    try:
        # On Linux a child process inherits ru_maxrss, through exec as well: it would be the
        # parent's.
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        peak_kib = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return _peak_memory_of_rusage()
    return peak_kib / 2**10


def _peak_memory_of_rusage():
    """Return the peak resident memory, MiB, where there is no /proc; macOS counts in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def git_commit() -> str:
    """Return the commit of the checkout.

    ``+changes`` follows where files differ from the commit. Outside of a checkout it is
    ``"unknown"``.
    """
    try:
        commit = _git("rev-parse", "HEAD")
        is_changed = _git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{commit}+changes" if is_changed else commit


def _git(*arguments):
    """Return what git prints in the folder of the package."""
    return subprocess.run(
        ["git", *arguments], cwd=PACKAGE_FOLDER, capture_output=True, text=True, check=True
    ).stdout.strip()
