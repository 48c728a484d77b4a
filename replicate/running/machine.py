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

PACKAGES = ("mxnet", "numpy", "scikit-learn", "scipy", "pandas", "pooch", "pillow")
PACKAGE_FOLDER = Path(__file__).resolve().parents[1]


def seed_everything(seed):
    """Seed python, numpy and, where it is loaded, mxnet."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - libraries draw from the global generator
    if "mxnet" in sys.modules:
        sys.modules["mxnet"].random.seed(seed)


def versions():
    """Return the versions of Python and of the packages that numbers depend on; those not installed are left out."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def hardware():
    """Return processor, cores and memory of this machine."""
    return {
        "system": platform.platform(),
        "processor": arithmetic.processor(),
        "cores": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
    }


def peak_memory_mib():
    """Return the peak resident memory of this process, MiB."""
    try:
        # Linux hands ru_maxrss on to a child process, through exec as well: it would be the parent's.
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**10
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
            2**20 if sys.platform == "darwin" else 2**10
        )


def git_commit():
    """Return the commit of the checkout, with ``+changes`` where files differ from it; ``"unknown"`` outside of one."""

    def git(*arguments):
        return subprocess.run(
            ["git", *arguments], cwd=PACKAGE_FOLDER, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + (
            "+changes" if git("status", "--porcelain", "--untracked-files=no") else ""
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
