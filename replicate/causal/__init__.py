"""Beyond correlation: evidence for mechanisms, laws, graphs and confounders, on aligned channels.

The libraries that it needs are the extra `causal`; they are imported when they are used.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

from replicate.errors import ReplicationError


def folder(results: str | Path) -> Path:
    """Return the folder of the record and its caches inside a results folder.

    Parameters
    ----------
    results : path-like

    Returns
    -------
    Path
    """
    return Path(results) / "causal"


def library(name: str) -> ModuleType:
    """Import a library of the extra ``causal`` when it is needed.

    Parameters
    ----------
    name : str
        Name of the module.

    Returns
    -------
    module

    Raises
    ------
    ReplicationError
        If it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ReplicationError(
            f"{name}: cannot be imported ({error}). "
            "Install the causal libraries: pip install '.[causal]'."
        ) from error
