"""The list of packages: what their metadata, the index and the audit say."""

from __future__ import annotations

from email.message import Message

import pytest
from packaging.version import Version

from benchmarks import packages
from benchmarks.store import ROOT
from replicate.files import listing, read_json


def stated(*pairs):
    message = Message()
    for name, value in pairs:
        message[name] = value
    return message


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        (stated(("License-Expression", "MIT"), ("License", "other")), "MIT"),
        (
            stated(("License", "text"), ("Classifier", "License :: OSI Approved :: BSD License")),
            "BSD License",
        ),
        (stated(("License", "Apache 2.0\nwhole text"), ("Classifier", "Topic :: A")), "Apache 2.0"),
        (stated(("Name", "a")), packages.NOT_STATED),
    ],
)
def test_the_licence_is_the_most_exact_one_that_is_stated(metadata, expected):
    assert packages.licence(metadata) == expected


LISTED = {
    "files": [
        {"filename": "a-1.0-py3-none-any.whl", "upload-time": "2020-02-03T10:00:00Z"},
        {"filename": "a-1.0.tar.gz", "upload-time": "2020-02-01T10:00:00Z"},
        {"filename": "a-2.0rc1.tar.gz", "upload-time": "2021-01-01T10:00:00Z"},
        {"filename": "a-3.0.tar.gz", "upload-time": "2022-01-01T10:00:00Z", "yanked": "broken"},
        {"filename": "a-0.9.win32.exe", "upload-time": "2019-01-01T10:00:00Z"},
    ]
}


def test_a_release_has_the_day_of_its_first_file():
    assert packages.releases(LISTED) == {
        Version("1.0"): "2020-02-01",
        Version("2.0rc1"): "2021-01-01",
    }


def test_the_latest_release_is_a_finished_one():
    entry = packages.describe("numpy", "1.0", LISTED, [])
    assert (entry["released"], entry["latest"], entry["latest_released"]) == (
        "2020-02-01",
        "1.0",
        "2020-02-01",
    )
    assert "BSD" in entry["licence"]


def test_a_package_that_was_skipped_was_not_audited():
    report = {
        "dependencies": [
            {"name": "a", "version": "1", "vulns": [{"id": "CVE-1"}, {"id": "CVE-2"}]},
            {"name": "b", "version": "1", "vulns": []},
            {"name": "c", "skip_reason": "not found"},
        ]
    }
    found = packages.audited(report)
    assert found == {"a": ["CVE-1", "CVE-2"], "b": []}
    entries = [packages.describe("numpy", "1.0", LISTED, found.get(name)) for name in "abc"]
    said = packages.render({"day": "2026-01-01", "packages": entries})
    assert "2 of 3 packages, known vulnerabilities in numpy (CVE-1, CVE-2)." in said
    unknown = packages.render({"day": "2026-01-01", "packages": entries[2:]})
    assert "not looked up" in unknown


def test_the_stored_list_is_that_of_the_lock_and_of_the_page():
    record = read_json(packages.RECORD, listing("packages"))
    stored = {entry["name"]: entry["version"] for entry in record["packages"]}
    assert stored == packages.locked()
    page = (ROOT / packages.PAGE).read_text(encoding="utf-8")
    assert packages.render(record) in page
