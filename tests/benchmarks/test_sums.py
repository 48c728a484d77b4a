"""Any change of a stored file is noticed: of its bytes, of its name, of its being there."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from benchmarks import sums
from replicate.errors import ReplicationError


@pytest.fixture
def folder(tmp_path):
    """Return a copy of what is stored, with the ledger beside it."""
    shutil.copy(sums.FOLDER / sums.LEDGER, tmp_path / "claims.json")
    return shutil.copytree(sums.FOLDER, tmp_path / "stored")


def failed(folder):
    return {name.removeprefix("stored ") for name, holds, _ in sums.checks(folder) if not holds}


def test_what_is_stored_has_its_hashes():
    assert failed(sums.FOLDER) == set()


def test_a_flipped_bit_is_noticed_in_every_file(folder, rng):
    """Values, weights, units, hashes and verdicts all stand in these files."""
    changed = sums.files(folder)
    for path in changed.values():
        content = bytearray(path.read_bytes())
        content[rng.integers(len(content))] ^= 1 << rng.integers(8)
        path.write_bytes(content)
    assert failed(folder) == set(changed)


def test_files_that_are_missing_added_or_exchanged_are_noticed(folder):
    (folder / "metrics.json").unlink()
    (folder / "weights" / "another.npz").write_bytes(b"")
    first, second = folder / "blocks.csv", folder / "per_index.csv"
    content = first.read_bytes(), second.read_bytes()
    second.write_bytes(content[0])
    first.write_bytes(content[1])
    expected = {"metrics.json", "weights/another.npz", "blocks.csv", "per_index.csv"}
    assert failed(folder) == expected


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="sha256sum is not installed")
def test_the_list_is_one_that_sha256sum_reads(folder):
    command = ["sha256sum", "--check", "--quiet", "--strict", sums.NAME]
    assert subprocess.run(command, cwd=folder).returncode == 0
    (folder / "sweeps.csv").write_text("")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == "sweeps.csv: FAILED\n"


@pytest.mark.parametrize("line", ["abc  metrics.json", "0" * 64, "0" * 64 + " metrics.json"])
def test_a_damaged_list_is_named(folder, line):
    (folder / sums.NAME).write_text(f"{line}\n")
    with pytest.raises(ReplicationError, match="SHA256SUMS: line 1 is not"):
        sums.read(folder)


def test_a_list_written_anew_names_what_is_there(folder):
    (folder / "metrics.json").write_text("{}")
    (folder / ".metrics.json.abc12345.json").write_text("left by a kill")
    sums.write(folder)
    assert failed(folder) == set()
    assert sums.read(folder)["metrics.json"].startswith("44136fa355b3678a")
