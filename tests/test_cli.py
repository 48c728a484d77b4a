"""The commands as a user types them; simulated data, linear models and the smallest network."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from replicate import cli
from replicate.data.remote import fetch
from replicate.numbers.kinds import KINDS
from replicate.numbers.metrics import read_metrics

ROOT = Path(__file__).resolve().parents[1]

RUN = ["run", "--profile", "smoke", "--data", "simulated", "--no-figures", "--processes", "1"]
NETWORK = [*RUN, "--only", "beps", "lstm_vae"]
DATASETS = ("beps", "beps_heldout")


def start(*arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "replicate", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    # Tests that a shell has put in the background ignore Ctrl-C, and so would every process that
    # they start.
    return subprocess.Popen(
        command, env=environment, start_new_session=True, preexec_fn=heed_ctrl_c, **pipes
    )


def heed_ctrl_c():
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def finish(process, timeout=240):
    output, _ = process.communicate(timeout=timeout)
    return process.returncode, output


def training(results, dataset):
    return results / "smoke" / dataset / "lstm_vae" / "seed0"


def weights(results, dataset):
    return dict(np.load(training(results, dataset) / "weights.npz"))


def numbers(results):
    """Return every value that is not of time or memory."""
    metrics = read_metrics(results / "smoke" / "metrics.json")["metrics"]
    return {
        name: entry["values"]
        for name, entry in metrics.items()
        if KINDS[name.rpartition(".")[2]].rule != "reported"
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A results folder whose training was never interrupted."""
    pytest.importorskip("mxnet")
    results = tmp_path_factory.mktemp("whole")
    code, output = finish(start(*NETWORK, "--results", results))
    assert code == 0, output
    return results


def test_run_ends_with_the_table_and_valid_metrics(whole):
    metrics = read_metrics(whole / "smoke" / "metrics.json")["metrics"]
    assert {
        "beps.lstm_vae.mse",
        "beps_heldout.lstm_vae.heldout_mse",
        "beps.lstm_vae.active_channels",
    } <= metrics.keys()
    assert all(entry["provenance"] == "simulated twin" for entry in metrics.values())


def test_complete_runs_are_reused(whole, tmp_path):
    results = shutil.copytree(whole, tmp_path / "results")
    records = [training(results, dataset) / "record.json" for dataset in DATASETS]
    before = [record.stat().st_mtime_ns for record in records]
    code, output = finish(start(*NETWORK, "--results", results))
    assert code == 0 and output.count("complete already, reused") == 2
    assert [record.stat().st_mtime_ns for record in records] == before
    assert numbers(results) == numbers(whole) != {}


def test_ctrl_c_loses_nothing_and_the_same_seed_gives_the_same_bits(whole, tmp_path):
    """Of the two runs one is interrupted and goes on, the other is simply made a second time."""
    process = start(*NETWORK, "--results", tmp_path)
    checkpoints = [training(tmp_path, dataset) / "checkpoint.npz" for dataset in DATASETS]
    while process.poll() is None and not any(checkpoint.exists() for checkpoint in checkpoints):
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    code, output = finish(process)
    assert code == 130, output
    assert "Stopped" in output and "Traceback" not in output
    assert not list(tmp_path.rglob(".*.npz")), "a half-written file was left"
    code, output = finish(start(*NETWORK, "--results", tmp_path))
    assert code == 0, output
    for dataset in DATASETS:
        found, expected = weights(tmp_path, dataset), weights(whole, dataset)
        assert found.keys() == expected.keys()
        for name, array in expected.items():
            np.testing.assert_array_equal(found[name], array)
    assert numbers(tmp_path) == numbers(whole) != {}
    assert not any(checkpoint.exists() for checkpoint in checkpoints)


def test_corrupt_checkpoint_is_a_failed_run_that_says_what_to_do(whole, tmp_path):
    folder = training(tmp_path, "beps_heldout")
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(
        (training(whole, "beps_heldout") / "config.json").read_text()
    )
    (folder / "checkpoint.npz").write_bytes(b"not a checkpoint")
    code, output = finish(
        start(*RUN, "--only", "beps_heldout", "lstm_vae", "pca", "--results", tmp_path)
    )
    assert code == 1
    assert "checkpoint.npz" in output and "Delete it" in output
    assert json.loads((folder / "record.json").read_text())["status"] == "failed"
    assert (tmp_path / "smoke" / "metrics.json").exists(), "the other run still counts"


def test_status_tells_complete_from_missing(whole, capsys):
    assert cli.main(["status", "--profile", "smoke", "--results", str(whole)]) == 0
    lines = {line.split()[0]: line.split()[1] for line in capsys.readouterr().out.splitlines()}
    assert lines["beps/lstm_vae/seed0"] == "complete" and lines["beps/pca/seed0"] == "missing"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--only", "transformer"], "transformer: no such data set or model"),
        (["figures", "fig9"], "fig9: no such figure"),
        (["figures", "fig4", "--profile", "smoke", "--results", "nowhere"], "nowhere"),
    ],
)
def test_unknown_names_and_missing_runs_exit_with_2(arguments, message, capfd):
    assert cli.main(arguments) == 2
    captured = capfd.readouterr()
    assert message in captured.err and "Traceback" not in captured.err


@pytest.mark.parametrize(
    ("end", "is_told"), [("raise RuntimeError('a crash')", True), ("sys.exit(2)", False)]
)
def test_of_a_part_of_the_study_only_a_crash_of_a_figure_is_told(
    end, is_told, tmp_path, monkeypatch, capfd
):
    (tmp_path / "drawing.py").write_text(f"import sys; print('said', file=sys.stderr); {end}")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert not cli._run_module("drawing", tmp_path, "smoke", quiet=True)
    captured = capfd.readouterr()
    assert ("said" in captured.err) == ("a crash" in captured.err) == is_told


def test_results_folder_that_cannot_be_written_to(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    code = cli.main(
        [
            "run",
            "--profile",
            "smoke",
            "--data",
            "simulated",
            "--only",
            "pca",
            "--results",
            str(tmp_path / "file" / "results"),
        ]
    )
    assert code == 2
    assert "cannot be written to" in capsys.readouterr().err


def test_dry_run_prints_the_study_and_writes_nothing(tmp_path, capsys):
    assert cli.main(["run", "--dry-run", "--profile", "paper", "--results", str(tmp_path)]) == 0
    study = json.loads(capsys.readouterr().out)
    network = next(
        job["parameters"]
        for job in study
        if job["model"] == "lstm_vae" and job["dataset"] == "beps"
    )
    assert (network["n_blocks"], network["n_layers"], network["width"]) == (3, 2, 128)
    assert network["learning_rate"] == 3e-5 and network["batch_size"] == 300
    assert not list(tmp_path.iterdir())


def test_models_and_data_sets_that_the_paper_leaves_out_are_run_where_they_are_named(tmp_path):
    """One run in a process of its own, its metrics and its table."""
    code, output = finish(start(*RUN, "--only", "beps_shuffled", "pca", "--results", tmp_path))
    assert code == 0, output
    metrics = read_metrics(tmp_path / "smoke" / "metrics.json")["metrics"]
    assert {name.rpartition(".")[0] for name in metrics} == {"beps_shuffled.pca"}


def test_dry_run_of_a_model_of_the_family(capsys):
    assert cli.main(["run", "--dry-run", "--only", "twin", "dense_ae", "--seed", "2"]) == 0
    (job,) = json.loads(capsys.readouterr().out)
    assert (job["dataset"], job["model"], job["variant"]) == ("twin", "dense_ae", "")
    assert job["data"] == {"block": 6, "n_folds": 5, "fold": 2, "split_seed": 0, "noise": 1}
    assert job["parameters"]["hidden"] == [128, 128] and job["parameters"]["variational"] is False


def test_missing_mxnet_is_said_before_anything_is_fitted(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(cli.importlib.util, "find_spec", lambda name: None)
    assert (
        cli.main(["run", "--profile", "smoke", "--data", "simulated", "--results", str(tmp_path)])
        == 2
    )
    assert "mxnet is not installed" in capsys.readouterr().err


def test_data_check_reports_missing_files(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("REPLICATE_CACHE", str(tmp_path))
    monkeypatch.delenv("REPLICATE_DATA", raising=False)
    assert cli.main(["data", "--check"]) == 1
    assert capsys.readouterr().out.count("missing") == 8


def test_data_check_does_not_fail_for_a_file_that_the_study_does_without(monkeypatch, capsys):
    def verify_all(files, **_):
        unneeded = [file for file in files if "replicate" not in file.needed_by]
        return [
            fetch.FileStatus(file.key, file.name, "missing", problem="gone") for file in unneeded
        ]

    monkeypatch.setattr(fetch, "verify_all", verify_all)
    assert cli.main(["data", "--check"]) == 0
    assert capsys.readouterr().err.count("The study does without this file") == 4
