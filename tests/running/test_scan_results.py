"""Where the results of a user's own scan lie, and the command that makes what is missing there."""

from __future__ import annotations

import shlex
import shutil

import numpy as np
import pytest

from benchmarks import report
from figures.shared import all_seeds
from replicate import cli
from replicate.data import sources, twin
from replicate.errors import ReplicationError
from replicate.files import read_json, write_json
from replicate.running import runs, scan_results

FIRST, SECOND = "own scan 0123456789ab", "own scan fedcba987654"


@pytest.fixture
def scans(tmp_path, monkeypatch):
    """Return two different files of one name, in a folder whose name has a blank."""
    monkeypatch.setenv("REPLICATE_CACHE", str(tmp_path / "cache"))
    paths = []
    for seed in (0, 1):
        folder = tmp_path / f"folder {seed}"
        folder.mkdir()
        scan = twin.simulate(seed, (6, 8))
        loops = scan.map(scan.channel("piezoresponse"))
        np.savez(folder / "MY.npz", piezoresponse=loops, voltages=scan.voltages[0])
        paths.append(folder / "MY.npz")
    return paths


def run(path, results, *more):
    arguments = ["--profile", "smoke", "--only", "beps", "pca", "--no-figures"]
    return cli.main(["run", "--scan", str(path), "--results", str(results), *arguments, *more])


def test_two_files_of_one_name_do_not_replace_each_other(scans, tmp_path, capsys):
    results = tmp_path / "results"
    for path in (*scans, scans[0]):
        assert run(path, results) == 0
    assert "has other results already" in capsys.readouterr().err
    folders = sorted(folder.name for folder in results.iterdir())
    assert folders[0] == "MY" and folders[1].startswith("MY-") and len(folders) == 2
    for folder, path in zip(folders, scans):
        record = read_json(results / folder / "scan.json")
        stored = runs.load(results / folder, "smoke", "beps", "pca").record
        assert record["file"] == str(path)
        assert stored["provenance"]["spectra"] == record["provenance"]
    assert folders[1][3:] in read_json(results / folders[1] / "scan.json")["provenance"]


def test_a_missing_run_of_the_study_points_to_the_scans_of_the_user(tmp_path):
    assert "scan of your own" not in scan_results.advice(tmp_path, "smoke", ("beps", "pca"))
    for name in ("MY", "OTHER"):
        scan_results.remember(tmp_path / name, tmp_path / f"{name}.npz", FIRST)
    with pytest.raises(ReplicationError) as error:
        runs.load(tmp_path, "smoke", "beps", "pca")
    assert f"--results {tmp_path / 'MY'} or --results {tmp_path / 'OTHER'}." in str(error.value)
    assert (
        "--results" not in scan_results.advice(tmp_path / "MY", "smoke").partition("own, name")[2]
    )


def test_the_same_file_is_in_the_same_folder_wherever_it_lies(tmp_path):
    scan_results.remember(tmp_path / "MY", tmp_path / "MY.npz", FIRST)
    moved = tmp_path / "elsewhere" / "MY.npz"
    assert scan_results.folder_of(tmp_path, moved, FIRST) == tmp_path / "MY"
    assert scan_results.folder_of(tmp_path, moved, SECOND) == tmp_path / "MY-fedcba98"


def test_a_scan_is_never_taken_for_a_profile_of_the_study(tmp_path):
    path = tmp_path / "standard.npz"
    assert scan_results.folder_of(tmp_path, path, FIRST) == tmp_path / "standard-01234567"


def test_results_without_the_name_of_their_file_are_not_replaced(scans, tmp_path):
    config = {"provenance": {"spectra": FIRST}}
    write_json(tmp_path / "MY" / "smoke" / "beps" / "pca" / "seed0" / "config.json", config)
    assert scan_results.folder_of(tmp_path, scans[0], SECOND) == tmp_path / "MY-fedcba98"


def remedy(call, *arguments):
    """Return the arguments of the command that an error gives between backticks."""
    with pytest.raises(ReplicationError) as error:
        call(*arguments)
    _, command, _ = str(error.value).split("`")
    session, arguments = command.split(" -- ", 1)
    assert session == "nox -s replicate"
    return shlex.split(arguments)


@pytest.mark.parametrize(
    "call",
    [
        lambda results: runs.load(results, "smoke", "beps_heldout", "pca", 3),
        lambda results: all_seeds.load(results, "smoke", "beps_heldout"),
    ],
    ids=["a run", "all seeds"],
)
def test_the_remedy_for_a_scan_can_be_typed(call, scans, tmp_path, capsys):
    provenance = sources.bring(scans[1]).scan
    scan_results.remember(tmp_path / "MY", scans[0], FIRST)
    folder = scan_results.folder_of(tmp_path, scans[1], provenance)
    scan_results.remember(folder, scans[1], provenance)
    arguments = remedy(call, folder)
    assert arguments[arguments.index("--scan") + 1] == str(scans[1])
    assert arguments[arguments.index("--results") + 1] == str(tmp_path)
    assert cli.main(["run", *arguments, "--dry-run"]) == 0
    assert '"beps_heldout"' in capsys.readouterr().out


def test_the_remedy_for_the_report_names_the_scan(scans, tmp_path):
    scan_results.remember(tmp_path / "MY", scans[0], FIRST)
    arguments = remedy(report.write, tmp_path / "MY", "smoke")
    assert cli.main(["run", *arguments, "--dry-run"]) == 0
    assert arguments[arguments.index("--scan") + 1] == str(scans[0])


def test_toy_spectra_are_not_promised_for_a_scan(tmp_path):
    scan_results.remember(tmp_path / "MY", tmp_path / "MY.npz", FIRST)
    with pytest.raises(ReplicationError, match="never of toy spectra"):
        runs.load(tmp_path / "MY", "smoke", "toy", "pca")


def test_the_study_has_its_remedy_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = remedy(runs.load, "results", "smoke", "beps", "pca")
    assert "--results" not in arguments
    assert cli.main(["run", *arguments, "--dry-run", "--data", "simulated"]) == 0
    shutil.rmtree(tmp_path / "results", ignore_errors=True)
