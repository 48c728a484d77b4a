"""The benchmark sweep: rows outlive every interruption, and numbers are the same wherever it runs.

Data are simulated and models linear.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks import bench, rows
from replicate.errors import ReplicationError
from replicate.numbers.metrics import KINDS, read_metrics
from replicate.provenance import Sources
from replicate.running import cluster, collect, pipeline
from replicate.running.execute import configuration
from replicate.running.runs import Run, key
from replicate.study.job import Job
from replicate.study.studies import PAPER

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"

SIMULATED = Sources(scan="simulated twin", picture="sample photograph")
TOY = ["--profile", "smoke", "--data", "simulated", "--only", "toy_shuffled", "pca"]
JOBS = PAPER.jobs("smoke", ["toy_shuffled", "pca"], range(2))
FIELDS = {
    "dataset",
    "model",
    "seed",
    "profile",
    "status",
    "key",
    "metrics",
    "seconds",
    "machine",
    "thread_pools",
    "versions",
}
FIELDS |= {"git_commit", "data_sha256", "provenance", "finished"}


def path_of(results):
    return results / "smoke" / "bench.jsonl"


def read(results):
    return [json.loads(line) for line in path_of(results).read_text().splitlines()]


def keys(jobs):
    return sorted(key(configuration(job, SIMULATED)) for job in jobs)


@pytest.fixture(autouse=True)
def no_plots(monkeypatch):
    monkeypatch.setattr(bench.cli, "draw_study", lambda *what, **how: True)


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A results folder that was swept here, without interruption."""
    results = tmp_path_factory.mktemp("swept")
    path, failures = bench.sweep(JOBS, SIMULATED, results, n_processes=2)
    assert not failures and path == path_of(results)
    return results


def test_every_run_is_a_row_with_all_of_its_fields(swept):
    stored = read(swept)
    assert sorted(row["key"] for row in stored) == keys(JOBS)
    for row in stored:
        assert row.keys() == FIELDS and row["status"] == "complete"
        record = Run.of(
            swept, Job(row["profile"], row["dataset"], row["model"], row["seed"])
        ).record
        assert row["metrics"] == record["metrics"] and row["metrics"].keys() <= KINDS.keys()
        assert all(pool["num_threads"] == 1 for pool in row["thread_pools"])


def test_second_sweep_reuses_the_runs_and_ends_with_metrics_and_tables(swept, capsys):
    before = path_of(swept).read_bytes()
    assert bench.main([*TOY, "--seeds", "2", "--results", str(swept)]) == 0
    assert path_of(swept).read_bytes() == before
    entry = read_metrics(swept / "smoke" / "metrics.json")["metrics"]["toy_shuffled.pca.gamut_mse"]
    assert entry["seeds"] == [0, 1] and entry["value"] == pytest.approx(np.mean(entry["values"]))
    printed = capsys.readouterr().out
    for name in (
        "bench.jsonl",
        "metrics.json",
        "results_table.csv",
        "results_table.md",
        "results_table.tex",
    ):
        assert str(swept / "smoke" / name) in printed and (swept / "smoke" / name).exists()


def has_row(path):
    return path.exists() and path.read_bytes().endswith(b"\n")


def test_sweep_killed_in_mid_write_loses_no_row(tmp_path):
    command = [
        sys.executable,
        str(BENCHMARKS / "bench.py"),
        *TOY,
        "--seeds",
        "2",
        "--jobs",
        "1",
        "--results",
        str(tmp_path),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 600
    while not has_row(path_of(tmp_path)) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    whole = read(tmp_path)
    assert 1 <= len(whole) < len(JOBS)
    with path_of(tmp_path).open("a") as stream:
        stream.write('{"dataset": "toy", "metr')
    assert bench.main([*TOY, "--seeds", "2", "--results", str(tmp_path)]) == 0
    assert read(tmp_path)[: len(whole)] == whole
    assert sorted(row["key"] for row in read(tmp_path)) == keys(JOBS)


def test_row_missing_after_its_record_is_written_and_rows_of_other_code_stay(swept, tmp_path):
    results = shutil.copytree(swept, tmp_path / "results")
    first, *others = read(results)
    old = first | {"key": "of other code"}
    path_of(results).write_text(
        "\n".join(map(json.dumps, (old, *others)))
    )  # the last row is whole, and only lacks the end of its line
    bench.sweep(JOBS, SIMULATED, results)
    *stored, added = read(results)
    assert stored == [old, *others]
    assert added | {"finished": None} == first | {"finished": None}


def test_line_that_is_no_row_is_named(tmp_path):
    path = tmp_path / "bench.jsonl"
    path.write_text('{"key": "a", "status": "complete", "metrics": {}}\n[1]\n')
    with pytest.raises(ReplicationError, match="bench.jsonl, line 2: not a row"):
        rows.read(path)


def test_failed_runs_are_rows_and_the_others_complete(swept, tmp_path, capfd):
    unscored, complete, unstarted = jobs = PAPER.jobs("smoke", ["toy_shuffled", "pca"], range(3))
    for job, ignored in ((unscored, ("record.json", "weights.npz")), (complete, ())):
        shutil.copytree(
            Run.of(swept, job).folder,
            Run.of(tmp_path, job).folder,
            ignore=shutil.ignore_patterns(*ignored),
        )
    (Run.of(tmp_path, unscored).folder / "weights.npz").mkdir()
    Run.of(tmp_path, unstarted).folder.write_text("not a folder")
    assert bench.main([*TOY, "--seeds", "3", "--results", str(tmp_path)]) == 1
    stored = {row["seed"]: row for row in read(tmp_path)}
    assert sorted(row["key"] for row in stored.values()) == keys(jobs)
    assert [stored[seed]["status"] for seed in range(3)] == ["failed", "complete", "failed"]
    assert "weights.npz" in stored[0]["error"] and stored[0]["versions"]["numpy"] == np.__version__
    assert "cannot be written to" in stored[2]["error"] and stored[2]["machine"] is None
    assert capfd.readouterr().err.count("failed:") == 2


def test_a_run_that_leaves_no_record_here_has_failed(tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "run_in_process", lambda *arguments: None)
    path, failures = bench.sweep(JOBS[:1], SIMULATED, tmp_path)
    assert "its record is not here" in failures[0][1]
    assert [row["status"] for row in rows.read(path)] == ["failed"]


def test_ctrl_c_is_130_and_reaches_every_process(tmp_path, monkeypatch):
    told = []

    def interrupted(job, sources, results, stopped, report):
        while not stopped():
            time.sleep(0.01)
        told.append(job)

    def first_look(futures):
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "run_in_process", interrupted)
    monkeypatch.setattr(pipeline, "as_completed", first_look)
    assert bench.main([*TOY, "--seeds", "2", "--jobs", "2", "--results", str(tmp_path)]) == 130
    assert sorted(map(str, told)) == sorted(map(str, JOBS[:2])), (
        "those in progress were told to stop, and no other was started"
    )


def test_peak_memory_is_that_of_the_run_itself(tmp_path):
    ballast = np.ones(2**27)  # 1 GiB in this process, far more than such a run needs
    job = Job("smoke", "beps", "pca", 0)
    bench.sweep([job], SIMULATED, tmp_path)
    assert Run.of(tmp_path, job).record["metrics"]["peak_memory_mib"] < ballast.nbytes / 2**20


def test_cluster_that_does_not_answer_is_named_within_seconds(tmp_path, capsys):
    pytest.importorskip("distributed", reason="the extra `distributed` is not installed")
    start = time.monotonic()
    assert bench.main([*TOY, "--dask", "tcp://127.0.0.1:1", "--results", str(tmp_path)]) == 2
    assert time.monotonic() - start < 20
    error = capsys.readouterr().err
    assert (
        "--dask tcp://127.0.0.1:1" in error
        and "dask scheduler" in error
        and "Traceback" not in error
    )


def test_distributed_not_installed_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setattr(cluster.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ReplicationError, match="extra `distributed`"):
        bench.sweep(JOBS, SIMULATED, tmp_path, cluster="tcp://127.0.0.1:1")


def test_cluster_measures_what_this_machine_does(swept, tmp_path, monkeypatch):
    distributed = pytest.importorskip(
        "distributed", reason="the extra `distributed` is not installed"
    )
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as local:
        monkeypatch.chdir(tmp_path)  # a relative folder is this process's, wherever a worker stands
        arguments = [
            *TOY,
            "--seeds",
            "2",
            "--results",
            "results",
            "--dask",
            local.scheduler_address,
        ]
        assert bench.main(arguments) == 0
        assert bench.main(arguments) == 0, "all reused"
        # The number of a process is another in each.
        monkeypatch.setattr(cluster, "package_hash", os.getpid)
        with pytest.raises(ReplicationError, match="another version of this package"):
            bench.sweep(JOBS, SIMULATED, tmp_path / "other", cluster=local.scheduler_address)
    here, there = (
        {row["key"]: row for row in read(results)} for results in (swept, tmp_path / "results")
    )
    assert here.keys() == there.keys() and len(read(tmp_path / "results")) == len(JOBS)
    for name, row in here.items():
        exact = {kind for kind in row["metrics"] if KINDS[kind].rule != "reported"}
        assert exact and {kind: there[name]["metrics"][kind] for kind in exact} == {
            kind: row["metrics"][kind] for kind in exact
        }


def test_metrics_name_every_machine_they_were_made_on():
    one, other = {"processor": "A", "cores": 2}, {"processor": "B", "cores": 2}
    assert collect._merged([one, one]) == one
    assert collect._merged([one, other, one]) == {"processor": "A, B", "cores": 2}


@pytest.mark.parametrize(
    "arguments",
    [["--seeds", "0"], ["--jobs", "0"], ["--jobs", "1", "--dask", "x"], ["--profile", "huge"]],
)
def test_bad_arguments_exit_with_2(arguments):
    with pytest.raises(SystemExit, match="2"):
        bench.main(arguments)
