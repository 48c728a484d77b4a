"""Beyond correlation: evidence for mechanisms, laws, graphs and confounders, on aligned channels; its libraries are the extra `causal`."""

from __future__ import annotations

import importlib
from pathlib import Path

from replicate.errors import ReplicationError


def folder(results):
    """Return where in a results folder the record and its caches are."""
    return Path(results) / "causal"


def library(name):
    """Import a library of the extra ``causal`` when it is needed.

    Raises
    ------
    ReplicationError
        If it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ReplicationError(
            f"{name}: cannot be imported ({error}). Install the causal libraries: pip install '.[causal]'."
        ) from error
