"""A model of the user's own: one Python file, a copy of which is kept in the cache.

It is called ``own_<class>_<digits>``, with the first digits of the sha256 of its file, so that a
changed file is another model. The copy is what runs load: the file may be edited meanwhile. It is
code, and runs with the rights of the user, as it would if the user ran it. What a
model must be, says `replicate.models.own`.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path

from replicate.cache import CACHE_VARIABLE, cache_folder
from replicate.errors import ReplicationError
from replicate.files import file_hash, write_text

#: The names of such models begin so.
PREFIX = "own_"

#: How many digits of the hash of its file tell a model from others.
DIGITS = 8


def is_own(model: str) -> bool:
    """Return whether a model of this name is the user's own."""
    return model.startswith(PREFIX)


def own_among(models: Iterable[str]) -> list[str]:
    """Return those of some models that are the user's own, each once and in order."""
    return sorted({model for model in models if is_own(model)})


def label(model: str) -> str:
    """Return how readers are told of a model of the user's own."""
    return f"{_class_of(model)} (own, {model[-DIGITS:][:4]})"


def _class_of(model):
    return model[len(PREFIX) : -DIGITS - 1]


def bring(place: str) -> str:
    """Keep a copy of the file of a model, and return the name of the model.

    Nothing of the file is executed.

    Parameters
    ----------
    place : str
        ``FILE.py:CLASS``.

    Raises
    ------
    ReplicationError
        If the file cannot be read, is no Python, or has no such class, or no copy can be kept.
    """
    file, _, name = place.rpartition(":")
    if not file or not name.isidentifier():
        raise ReplicationError(
            f"--model {place}: not a file and a class. Write it as my_model.py:MyModel."
        )
    path = Path(file)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text in UTF-8"
        raise ReplicationError(
            f"{path}: cannot be read ({reason}). Name the Python file of your model."
        ) from error
    classes = _classes_in(path, text)
    if name not in classes:
        there = f"It has {', '.join(classes)}." if classes else "It has no class."
        raise ReplicationError(f"{path}: no class {name} at its top level. {there}")
    model = f"{PREFIX}{name}_{file_hash(path)[:DIGITS]}"
    try:
        write_text(_copy_of(model), text)
    except (OSError, ReplicationError) as error:
        raise ReplicationError(
            f"{_copy_of(model).parent}: a copy of the model cannot be kept here. "
            f"Set {CACHE_VARIABLE} to a folder that can be written to."
        ) from error
    return model


def _classes_in(path, text):
    """Return the names of the classes at the top level of a file."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise ReplicationError(f"{path}: line {line} is no Python ({error}).") from error
    return [node.name for node in tree.body if isinstance(node, ast.ClassDef)]


def _copy_of(model):
    return cache_folder() / "models" / f"{model}.py"


def load(model: str) -> type:
    """Return the class of a model of the user's own. This executes its file.

    Raises
    ------
    ReplicationError
        If the copy of the file is missing, or is not the file any more.
    """
    path = _copy_of(model)
    if not path.exists() or file_hash(path)[:DIGITS] != model[-DIGITS:]:
        raise ReplicationError(
            f"{path}: no copy of this model any more. Run with --model and its file again."
        )
    spec = importlib.util.spec_from_file_location(model, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[model] = module
    spec.loader.exec_module(module)
    return getattr(module, _class_of(model))
