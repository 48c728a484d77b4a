"""The folder on this machine for what is fetched, or kept from one command to the next."""

from __future__ import annotations

import os
from pathlib import Path

import pooch

#: The variable that names the folder.
CACHE_VARIABLE = "REPLICATE_CACHE"


def cache_folder() -> Path:
    """Return the folder: the one named by `REPLICATE_CACHE`, or the system's cache."""
    return Path(os.environ.get(CACHE_VARIABLE) or pooch.os_cache("replicate-qin2022")).expanduser()
