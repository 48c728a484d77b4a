"""A run folder: its key, and its status at every moment.

A new configuration removes what is there, and the same one keeps it.
"""

from __future__ import annotations

import copy
import json
import os
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from replicate.errors import ReplicationError
from replicate.files import read_json, write_json, write_npz
from replicate.running import runs
from replicate.study.job import Job

CONFIG = {
    "model": "pca",
    "seed": 0,
    "parameters": {"n_components": 5, "schedule": {"settle_beta": 2e-4}},
    "data_sha256": {"a": "0f"},
}
JOB = Job("smoke", "beps", "pca", 0)

leaf = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5)
)
configs = st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        leaf,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        ),
    ),
)


@pytest.fixture
def run(tmp_path):
    return runs.Run.of(tmp_path, JOB)


def names(run):
    return sorted(path.name for path in run.folder.iterdir())


def checkpoint(run):
    write_npz(run.checkpoint, x=np.zeros(1))


# Keys


def test_known_key():
    """From `sha256sum`, so that runs made before a change of code are still found after it."""
    assert runs.key({"b": [1, 2.5], "a": "x"}) == "0acd2d90f0cd6e85"


@given(configs)
def test_a_key_depends_on_content_alone(config):
    reversed_order = dict(reversed(list(config.items())))
    assert runs.key(config) == runs.key(reversed_order) == runs.key(copy.deepcopy(config))
    assert runs.key(config) == runs.key(json.loads(json.dumps(config)))
    assert len(runs.key(config)) == 16


@given(configs, configs)
def test_another_content_has_another_key(one, other):
    assume(json.dumps(one, sort_keys=True) != json.dumps(other, sort_keys=True))
    assert runs.key(one) != runs.key(other)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"parameters": {"n_components": 5, "schedule": {"settle_beta": 2.0001e-4}}},
        {"data_sha256": {"a": "0e"}},
        {"new": None},
    ],
)
def test_a_key_feels_every_leaf(change):
    assert runs.key(CONFIG | change) != runs.key(CONFIG)


# Folders


def test_the_folder_of_a_job(tmp_path):
    assert (
        runs.Run.of(str(tmp_path), Job("standard", "toy", "lstm_vae", 3)).folder
        == tmp_path / "standard" / "toy" / "lstm_vae" / "seed3"
    )
    swept = Job("smoke", "twin", "dense_ae", 0, "noise=3")
    assert (
        runs.Run.of(tmp_path, swept).folder
        == tmp_path / "smoke" / "twin" / "dense_ae" / "noise=3" / "seed0"
    )


def test_preparing_writes_the_configuration_only(run):
    run.prepare(CONFIG)
    assert names(run) == ["config.json"]
    assert read_json(run.folder / "config.json") == CONFIG


def test_a_checkpoint_is_kept_for_the_same_configuration(run):
    run.prepare(CONFIG)
    checkpoint(run)
    run.prepare(copy.deepcopy(CONFIG))
    assert names(run) == ["checkpoint.npz", "config.json"]
    assert run.status == "interrupted"


def test_another_configuration_removes_what_runs_write(run):
    run.prepare(CONFIG)
    checkpoint(run)
    run.write_history([{"epoch": 0}])
    write_npz(run.snapshot(3), x=np.zeros(1))
    run.finish(CONFIG, {"status": "complete"})
    checkpoint(run)
    (run.folder / "my notes.txt").write_text("seed 0 looks odd")
    run.prepare(CONFIG | {"seed": 1})
    assert names(run) == ["config.json", "my notes.txt", "ramp"] and not run.snapshots
    assert read_json(run.folder / "config.json")["seed"] == 1


@pytest.mark.parametrize("content", ["", "{", "[]", "null"])
def test_a_broken_configuration_is_another_one(run, content):
    run.prepare(CONFIG)
    checkpoint(run)
    (run.folder / "config.json").write_text(content)
    run.prepare(CONFIG)
    assert names(run) == ["config.json"]
    assert read_json(run.folder / "config.json") == CONFIG


def test_a_variant_does_not_touch_the_run_of_the_study(tmp_path, run):
    """Nor the other way round, whichever is made anew."""
    variant = runs.Run.of(tmp_path, Job("smoke", "beps", "pca", 0, "latents=2"))
    for one, other in ((run, variant), (variant, run)):
        for config in (CONFIG, CONFIG | {"seed": 9}):
            one.prepare(config)
            checkpoint(one)
        assert names(one) == ["checkpoint.npz", "config.json"]
        other.prepare(CONFIG)
        assert names(one) == ["checkpoint.npz", "config.json"]


def test_files_of_unknown_origin_are_removed(run):
    """A checkpoint without a configuration could be of anything."""
    run.folder.mkdir(parents=True)
    checkpoint(run)
    run.prepare(CONFIG)
    assert names(run) == ["config.json"]


def test_only_its_own_folder_is_touched(tmp_path, run):
    other = runs.Run.of(tmp_path, Job("smoke", "beps", "pca", 1))
    other.prepare(CONFIG)
    checkpoint(other)
    run.prepare(CONFIG)
    run.prepare(CONFIG | {"seed": 5})
    assert names(other) == ["checkpoint.npz", "config.json"]


def test_a_results_folder_that_is_a_file(tmp_path):
    (tmp_path / "results").write_text("a file")
    with pytest.raises(ReplicationError, match="cannot be written to"):
        runs.Run.of(tmp_path / "results", JOB).prepare(CONFIG)


# Status


def test_status_through_a_life(run):
    seen = [run.status]
    run.prepare(CONFIG)
    seen.append(run.status)
    checkpoint(run)
    seen.append(run.status)
    run.finish(CONFIG, {"status": "failed", "error": "it broke"})
    seen.append(run.status)
    run.prepare(CONFIG)
    seen.append(run.status)
    run.finish(CONFIG, {"status": "complete"})
    seen.append(run.status)
    assert seen == ["missing", "missing", "interrupted", "failed", "interrupted", "complete"]


def test_a_record_written_by_another_process_is_seen(tmp_path, run):
    run.prepare(CONFIG)
    run.finish(CONFIG, {"status": "failed"})
    assert not run.is_complete(CONFIG)
    runs.Run.of(tmp_path, JOB).finish(CONFIG, {"status": "complete"})
    assert run.is_complete(CONFIG)
    assert run.record["status"] == "complete"


def test_the_checkpoint_goes_when_the_run_completes_only(run):
    run.prepare(CONFIG)
    checkpoint(run)
    run.finish(CONFIG, {"status": "failed"})
    assert run.checkpoint.exists()
    run.finish(CONFIG, {"status": "complete"})
    assert not run.checkpoint.exists()


def test_complete_means_with_just_this_configuration(run):
    assert not run.is_complete(CONFIG)
    run.prepare(CONFIG)
    assert not run.is_complete(CONFIG)
    run.finish(CONFIG, {"status": "complete", "metrics": {"mse": 1.0}})
    assert run.is_complete(json.loads(json.dumps(CONFIG)))
    assert not run.is_complete(CONFIG | {"code": "changed"})
    assert run.record["key"] == runs.key(CONFIG)
    assert run.record["status"] == "complete" and run.record["metrics"] == {"mse": 1.0}


def test_a_failed_run_is_not_complete(run):
    run.prepare(CONFIG)
    run.finish(CONFIG, {"status": "failed"})
    assert not run.is_complete(CONFIG)


def test_a_corrupt_record_is_named(run):
    run.prepare(CONFIG)
    (run.folder / "record.json").write_text('{"status": "comp')
    assert run.status == "damaged" and "seed0/record.json" in run.damage


# Reading


def test_history_makes_the_round_trip(run):
    assert run.history == []
    run.prepare(CONFIG)
    rows = [{"epoch": epoch, "phase": "ramp", "mse": 1 / (epoch + 3)} for epoch in range(3)]
    run.write_history(rows)
    again = runs.Run(run.folder)
    assert [(int(row["epoch"]), row["phase"], float(row["mse"])) for row in again.history] == [
        tuple(row.values()) for row in rows
    ]


def test_arrays(run, rng):
    latents = rng.normal(size=(4, 2)).astype(np.float32)
    write_npz(run.folder / "arrays.npz", latents=latents)
    np.testing.assert_array_equal(run.arrays["latents"], latents)


def test_corrupt_arrays_are_named(run):
    run.prepare(CONFIG)
    (run.folder / "arrays.npz").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(ReplicationError, match="seed0/arrays.npz"):
        _ = run.arrays


@pytest.mark.parametrize("status", ["missing", "interrupted", "failed"])
def test_loading_a_run_that_is_not_complete_says_how_to_make_it(tmp_path, status):
    run = runs.Run.of(tmp_path, Job("smoke", "beps", "pca", 4))
    if status != "missing":
        run.prepare(CONFIG)
        checkpoint(run)
    if status == "failed":
        run.finish(CONFIG, {"status": "failed"})
    with pytest.raises(ReplicationError) as error:
        runs.load(tmp_path, "smoke", "beps", "pca", 4)
    message = str(error.value)
    assert message.startswith(f"{run.folder}: no complete run here ({status})")
    command = f"nox -s replicate -- --profile smoke --only beps pca --seed 4 --results {tmp_path}"
    assert f"`{command}`" in message


def test_loading_a_complete_run(tmp_path, run):
    run.prepare(CONFIG)
    run.finish(CONFIG, {"status": "complete"})
    assert runs.load(tmp_path, "smoke", "beps", "pca") == run


def test_writing_a_configuration_that_is_not_json(run):
    with pytest.raises((TypeError, ValueError)):
        run.prepare(CONFIG | {"parameters": {"schedule": object()}})
    write_json(run.folder / "config.json", CONFIG)
    assert names(run) == ["config.json"]


@pytest.mark.parametrize("record", [[], {}, {"status": "complete"}, "complete"])
def test_a_record_without_status_or_key_is_damaged(run, record):
    write_json(run.folder / "record.json", record)
    assert "record.json: status or key is missing" in run.damage
    assert not run.is_complete(CONFIG)


# Damage


@pytest.fixture
def complete(run):
    """A run with every kind of file."""
    run.prepare(CONFIG)
    write_npz(run.folder / "weights.npz", a=np.arange(3.0))
    write_npz(run.folder / "arrays.npz", mse=np.arange(4.0))
    write_npz(run.snapshot(7), a=np.ones(2))
    run.write_history([{"epoch": 0, "mse": 0.5}])
    run.finish(CONFIG, {"status": "complete", "metrics": {"mse": 0.25}})
    assert run.is_complete(CONFIG) and run.damage is None
    return run


FILES = ("config.json", "weights.npz", "arrays.npz", "history.csv", "ramp/epoch00007.npz")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_noticed(complete, name):
    (complete.folder / name).unlink()
    assert complete.damage == f"{complete.folder / name}: is missing"
    assert complete.status == "damaged" and not complete.is_complete(CONFIG)


@pytest.mark.parametrize("name", FILES)
@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
def test_one_changed_byte_is_noticed(complete, name, data):
    path = complete.folder / name
    content = path.read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    changed = bytearray(content)
    changed[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(changed)
    os.utime(path, ns=(place, data.draw(st.integers(0, 10**9))))
    assert complete.damage == f"{path}: is not as the run wrote it"
    write_bytes_as_new(path, content)
    assert complete.damage is None


def write_bytes_as_new(path, content):
    path.unlink()
    path.write_bytes(content)


@pytest.mark.parametrize(
    "change",
    [
        {"metrics": {"mse": 0.24}},
        {"status": "failed"},
        {"key": "0" * 16},
        {"files": {}},
        {"seal": "0" * 64},
        {"new": 1},
    ],
)
def test_an_edited_record_is_noticed(complete, change):
    write_json(complete.folder / "record.json", complete.record | change)
    assert complete.damage == f"{complete.folder / 'record.json'}: is not as the run wrote it"


def test_a_file_of_another_run_is_noticed(tmp_path, complete):
    other = runs.Run.of(tmp_path, Job("smoke", "beps", "pca", 1))
    shutil.copytree(complete.folder, other.folder)
    write_npz(other.folder / "weights.npz", a=np.arange(4.0))
    shutil.copy(other.folder / "weights.npz", complete.folder / "weights.npz")
    assert "weights.npz" in complete.damage


def test_loading_a_damaged_run_says_what_is_wrong(tmp_path, complete):
    (complete.folder / "arrays.npz").unlink()
    with pytest.raises(ReplicationError, match=r"arrays\.npz: is missing.*nox -s replicate"):
        runs.load(tmp_path, "smoke", "beps", "pca")


def test_a_run_folder_may_be_a_link(tmp_path, run):
    (tmp_path / "elsewhere").mkdir()
    run.folder.parent.mkdir(parents=True)
    run.folder.symlink_to(tmp_path / "elsewhere")
    for config in (CONFIG, CONFIG | {"seed": 1}):
        run.prepare(config)
        checkpoint(run)
    assert names(run) == ["checkpoint.npz", "config.json"]
