"""The packages that are installed: licence, dates of their releases, known vulnerabilities.

``nox -s packages``, or ``python -m benchmarks.packages AUDIT`` where the package is installed and
AUDIT is what ``pip-audit`` wrote as JSON. It looks at every package of requirements.lock, and
writes ``benchmarks/stored/packages.json`` and docs/packages.md.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from email.message import Message
from importlib.metadata import metadata
from pathlib import Path

import requests
from packaging.utils import InvalidSdistFilename, InvalidWheelFilename
from packaging.utils import parse_sdist_filename as parse_sdist
from packaging.utils import parse_wheel_filename as parse_wheel
from packaging.version import InvalidVersion, Version
from tqdm import tqdm

from benchmarks.sections import publish
from benchmarks.store import ROOT
from replicate.commands import command, parser_of
from replicate.errors import ReplicationError
from replicate.files import listing, read_json

LOCK = ROOT / "requirements.lock"
RECORD = ROOT / "benchmarks" / "stored" / "packages.json"
PAGE = "docs/packages.md"

#: Name of the generated section of the page.
SECTION = "packages"

#: Where the files of a package are listed, with the time of their upload (PEP 691 and 700).
INDEX = "https://pypi.org/simple/{name}/"
FORMAT = "application/vnd.pypi.simple.v1+json"

#: Seconds to wait for the index.
TIMEOUT = 30

#: What is said where a package does not state its licence.
NOT_STATED = "not stated"


def locked(path: Path = LOCK) -> dict[str, str]:
    """Return the version of every package of a lock, by its name."""
    return dict(
        re.findall(r"^([\w.-]+)==([^\s;]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    )


def licence(of_package: Message) -> str:
    """Return the licence that the metadata of a package state.

    Parameters
    ----------
    of_package : Message
        As `importlib.metadata.metadata` returns it.
    """
    expression = of_package.get("License-Expression")
    if expression:
        return expression
    classifiers = of_package.get_all("Classifier") or []
    names = [name.rpartition(" :: ")[2] for name in classifiers if name.startswith("License ::")]
    if names:
        return ", ".join(names)
    first_line, _, _ = (of_package.get("License") or "").strip().partition("\n")
    return first_line or NOT_STATED


def releases(listed: Mapping) -> dict[Version, str]:
    """Return the day of every release of a package, by its version.

    Parameters
    ----------
    listed : mapping
        What the index answers: its files, with their names and the times of their upload.
    """
    days = {}
    for file in listed["files"]:
        version = _version_of(file["filename"])
        if version is not None and not file.get("yanked"):
            day = file["upload-time"][:10]
            days[version] = min(day, days.get(version, day))
    return days


def _version_of(name):
    """Return the version of a file by its name; None for another kind of file."""
    try:
        return parse_wheel(name)[1] if name.endswith(".whl") else parse_sdist(name)[1]
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        return None


def describe(name: str, version: str, listed: Mapping, vulnerabilities: list | None) -> dict:
    """Return what is stored of a package.

    Parameters
    ----------
    name, version : str
    listed : mapping
        As for `releases`.
    vulnerabilities : list of str or None
        The names of those that are known; None where that could not be found out.
    """
    days = releases(listed)
    finished = {each: day for each, day in days.items() if not each.is_prerelease}
    latest = max(finished, default=None)
    return {
        "name": name,
        "version": version,
        "licence": licence(metadata(name)),
        "released": days.get(Version(version), ""),
        "latest": str(latest or ""),
        "latest_released": finished.get(latest, ""),
        "vulnerabilities": vulnerabilities,
    }


def audited(report: Mapping) -> dict[str, list[str]]:
    """Return the known vulnerabilities of every package that was audited, by its name.

    Parameters
    ----------
    report : mapping
        What pip-audit wrote.
    """
    return {
        entry["name"]: [each["id"] for each in entry["vulns"]]
        for entry in report["dependencies"]
        if "vulns" in entry
    }


def render(record: Mapping) -> str:
    """Return the record as a table in Markdown, with a sentence on the audit."""
    packages = record["packages"]
    lines = [
        "| package | version | licence | released | latest | its release |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    columns = ("name", "version", "licence", "released", "latest", "latest_released")
    lines += [f"| {' | '.join(entry[name] or '–' for name in columns)} |" for entry in packages]
    return "\n".join([*lines, "", f"Looked up on {record['day']}. {_audit_in_words(packages)}"])


def _audit_in_words(packages):
    """Say how many packages were audited, and which have known vulnerabilities."""
    known = [entry for entry in packages if entry["vulnerabilities"] is not None]
    hit = [
        f"{each['name']} ({', '.join(each['vulnerabilities'])})"
        for each in known
        if each["vulnerabilities"]
    ]
    if not known:
        return (
            "Known vulnerabilities: not looked up, for the advisories could not be reached "
            "from where this was made."
        )
    found = f"known vulnerabilities in {'; '.join(hit)}" if hit else "no known vulnerability"
    return f"Audited by pip-audit: {len(known)} of {len(packages)} packages, {found}."


def _listed(name):
    """Return what the index lists of a package."""
    url = INDEX.format(name=name)
    try:
        response = requests.get(url, headers={"Accept": FORMAT}, timeout=TIMEOUT)
        response.raise_for_status()
        return response.json()
    except (requests.RequestException, ValueError) as error:
        raise ReplicationError(f"{url}: no list of files ({error}). Try again later.") from error


@command()
def main(arguments: Sequence[str] | None = None) -> int:
    """Look the packages up, store what is found, and write the page.

    Returns
    -------
    int
        0, or 1 where a vulnerability is known.
    """
    parser = parser_of(__doc__)
    parser.add_argument("audit", type=Path, metavar="AUDIT", help="what pip-audit wrote, as JSON")
    options = parser.parse_args(arguments)
    vulnerabilities = audited(read_json(options.audit, listing("dependencies")))
    packages = [
        describe(name, version, _listed(name), vulnerabilities.get(name))
        for name, version in tqdm(locked().items(), unit="package", disable=None)
    ]
    record = {"day": date.today().isoformat(), "packages": packages}
    publish(record, RECORD, ROOT / PAGE, SECTION, render(record))
    print(_audit_in_words(packages))
    return 1 if any(entry["vulnerabilities"] for entry in packages) else 0


if __name__ == "__main__":
    sys.exit(main())
