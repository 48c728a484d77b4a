"""Which source files the numbers of a run depend on, and their hash.

A run depends on the modules that its task, its model and the reader of its data import, and on
the module that fits and scores. What the study says of a run stands in its configuration, and the
bytes of its data are hashed there: a change in `replicate.study`, in the downloads or in the
reader of other data leaves a finished run as it is.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from replicate.data.sources import reader
from replicate.running.machine import PACKAGE_FOLDER
from replicate.study.family import MODELS
from replicate.tasks import task_place

#: The module that fits a model, and scores it.
FITTING = "replicate.running.evaluate"

#: What dictionary learning is searched for beside its fit.
SEARCHES = "replicate.tasks.searches"

#: Modules that are not followed: what they contribute to a run is in its configuration.
BOUNDARY = (
    "replicate.data.sources",
    "replicate.errors",
    "replicate.files",
    "replicate.provenance",
    "replicate.running.runs",
    "replicate.study",
    "replicate.tasks",
    SEARCHES,
)


def code_hash(config: dict) -> str:
    """Return the hash of the source files that the numbers of a configuration depend on.

    Parameters
    ----------
    config : dict
        With ``dataset``, ``model``, ``data`` and ``provenance``, as `execute.configuration` has
        them.
    """
    return _hash_of(modules_behind(roots_of(config)))


def roots_of(config: dict) -> list[str]:
    """Return the modules from which those behind a configuration are reached."""
    roots = [
        FITTING,
        f"replicate.tasks.{task_place(config).partition('.')[0]}",
        f"replicate.models.{MODELS[config['model']].place.partition('.')[0]}",
        reader(config["provenance"]["spectra"]),
    ]
    if config["model"] == "dictionary_learning":
        roots.append(SEARCHES)
    return roots


def package_hash() -> str:
    """Return the hash of every source file of the package, which the workers of a cluster share."""
    return _hash_files(sorted(PACKAGE_FOLDER.rglob("*.py")))


def modules_behind(roots: Iterable[str]) -> tuple[str, ...]:
    """Return the names of some modules of the package and of all that they import, in order."""
    reached, waiting = set(), list(roots)
    while waiting:
        module = waiting.pop()
        if module not in reached:
            reached.add(module)
            waiting += imported(module)
    return tuple(sorted(reached))


@cache
def imported(module: str) -> tuple[str, ...]:
    """Return the modules of the package that a module imports, at its top or inside of a function.

    Modules of `BOUNDARY` are left out.
    """
    tree = ast.parse(_read(_path(module)))
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names += [_module_of(node.module, alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return tuple(name for name in dict.fromkeys(names) if _is_followed(name))


def _module_of(module: str, name: str) -> str:
    """Return what ``from module import name`` loads: the module of that name, or the first one."""
    whole = f"{module}.{name}"
    return whole if whole.startswith("replicate.") and _path(whole).exists() else module


def _is_followed(module: str) -> bool:
    is_ours = module.startswith("replicate.")
    return is_ours and not any(
        module == outer or (outer == "replicate.study" and module.startswith(f"{outer}."))
        for outer in BOUNDARY
    )


def _path(module: str) -> Path:
    """Return the source file of a module of the package."""
    path = PACKAGE_FOLDER.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _read(path: Path) -> bytes:
    return path.read_bytes()


@cache
def _hash_of(modules: tuple[str, ...]) -> str:
    return _hash_files(map(_path, modules))


def _hash_files(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.relative_to(PACKAGE_FOLDER).as_posix().encode())
        digest.update(_read(path))
    return digest.hexdigest()[:16]
