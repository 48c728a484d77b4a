"""Sections of a page that code writes, between markers."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks import sums
from replicate.errors import ReplicationError
from replicate.files import write_json, write_text


def insert(text, sections, page):
    """Return a text with what stands between the markers of each section replaced.

    Parameters
    ----------
    text : str
    sections : dict of str to str
        The new text of each section, by its name.
    page : str
        What the text is called in an error.

    Raises
    ------
    ReplicationError
        If the markers of a section do not stand in the text exactly once.
    """
    for name, section in sections.items():
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        parts = re.split(f"{begin}.*?{end}", text, flags=re.DOTALL)
        if len(parts) != 2:
            raise ReplicationError(
                f"{page}: the markers {begin} and {end} must stand there once. "
                "Restore them with git."
            )
        text = f"{parts[0]}{begin}\n{section}\n{end}{parts[1]}"
    return text


def write_section(path: Path, name: str, section: str) -> None:
    """Write one section of a page that stands between its markers anew.

    Parameters
    ----------
    path : Path
        The page.
    name : str
        Name of the section.
    section : str
        Its new text.

    Raises
    ------
    ReplicationError
        If the page cannot be read, or its markers do not stand there once.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ReplicationError(f"{path}: not readable ({error}). Restore it with git.") from error
    write_text(path, insert(text, {name: section}, f"{path.parent.name}/{path.name}"))


def publish(record: dict, path: Path, page: Path, name: str, section: str) -> None:
    """Store a record, and write the section of a page that shows it.

    Parameters
    ----------
    record : dict
    path : Path
        Where it is stored, within benchmarks/stored.
    page, name, section
        As `write_section` takes them.
    """
    write_json(path, record)
    sums.write(path.parent)
    write_section(page, name, section)
