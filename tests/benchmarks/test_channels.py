"""How the ramps of many seeds ended: counted right, and never trained twice."""

import json

import pytest

from benchmarks import channels
from replicate.study.job import Job


def row(how="ramp", n_active=3, dataset="toy", model="dense_vae", beta=0.5, epochs=30):
    return {
        "dataset": dataset,
        "model": model,
        "arithmetic": "pinned",
        "how": how,
        "active_channels": n_active,
        "beta": beta,
        "epochs": epochs,
    }


@pytest.mark.parametrize(
    ("entry", "is_exact"),
    [
        (row(), True),
        (row("growth"), True),
        (row("rank"), False),
        (row(n_active=4), False),
        (row(n_active=5, dataset="beps"), True),
        (row(n_active=3, dataset="beps"), False),
    ],
)
def test_exact_is_the_number_asked_for_and_not_by_rank(entry, is_exact):
    assert channels.is_exact(entry) == is_exact


def test_the_table_counts_every_way():
    rows = [row(beta=0.1), row("growth", beta=1.5, epochs=50), row("rank", epochs=40)]
    rows = [entry | {"seed": seed} for seed, entry in enumerate(rows)]
    record = {
        "rows": [*rows, row(model="conv_vae") | {"seed": 0}],
        "machine": {"processor": "a processor"},
    }
    lines = channels.render(record).splitlines()
    assert lines[2] == "| Dense β-VAE, toy | pinned | 3 | 2 | 1 | 1 | 0 | 1 | 0.10 to 1.50 | 40 |"
    assert lines[3].startswith("| Convolutional β-VAE, toy | pinned | 1 | 1 |")
    assert "a processor" in lines[-1]


def test_the_note_counts_native_trainings_that_came_out_as_the_pinned_ones():
    pinned = [row(beta=0.1 * seed) | {"seed": seed} for seed in range(3)]
    native = [entry | {"arithmetic": "native"} for entry in pinned]
    native[1]["beta"] += 1e-15
    record = {"rows": [*pinned, *native], "machine": {"processor": "a processor"}}
    assert "Of 3 native trainings 2 ended with the pinned one's β" in channels.render(record)


@pytest.fixture
def trained(monkeypatch, tmp_path):
    """Trainings that were started, which take no time here."""
    started = []

    def run_fresh(module, arguments, name):
        started.append((name, *arguments[1:]))
        return {"how": "ramp", "active_channels": 3, "beta": 0.5, "epochs": 30}

    monkeypatch.setattr(channels, "run_fresh", run_fresh)
    monkeypatch.setattr(
        channels, "configuration", lambda job, sources: {"job": str(job), "code": "abc"}
    )
    monkeypatch.setattr(channels, "RECORD", tmp_path / "channels.json")
    return started


def test_what_has_a_row_is_not_trained_again(trained, tmp_path):
    path = tmp_path / "channels.jsonl"
    first = channels.measure(path, ["pinned"], 1)
    assert len(trained) == len(channels.NETWORKS)
    # A kill tears the last line.
    path.write_text(path.read_text()[:-20])
    again = channels.measure(path, ["pinned", "native"], 1)
    assert len(trained) == 2 * len(channels.NETWORKS) + 1
    assert again[: len(first)] == first
    assert {name for name, *_ in trained[-len(channels.NETWORKS) :]} == {"native"}


def test_what_is_complete_is_stored_without_training(trained, tmp_path):
    first = channels.measure(tmp_path / "channels.jsonl", ["pinned"], 1)
    trained.clear()
    both = ["pinned", "native"]
    assert channels.measure(tmp_path / "channels.jsonl", both, 2, trains=False) == first
    assert not trained


def test_rows_of_other_code_do_not_count(trained, tmp_path):
    path = tmp_path / "channels.jsonl"
    (found, *_) = channels.measure(path, ["pinned"], 1)
    lines = [json.dumps(found | {"key": "of code before"})]
    path.write_text("\n".join(lines) + "\n")
    channels.measure(path, ["pinned"], 1)
    assert len(trained) == 2 * len(channels.NETWORKS)


def test_what_is_stored_is_not_trained_again(trained, tmp_path):
    found = channels.measure(tmp_path / "first.jsonl", ["pinned"], 1)
    channels.RECORD.write_text(json.dumps({"rows": found}))
    assert channels.measure(tmp_path / "second.jsonl", ["pinned"], 1) == found
    assert len(trained) == len(channels.NETWORKS)


def test_stored_rows_of_other_code_hold_where_seed_0_is_the_same(trained, tmp_path):
    before = channels.measure(tmp_path / "first.jsonl", ["pinned"], 3)
    stale = [entry | {"key": f"stale {number}"} for number, entry in enumerate(before)]
    *_, other = [entry for entry in stale if entry["seed"] == 0]
    other["beta"] = 0.25
    channels.RECORD.write_text(json.dumps({"rows": stale}))
    trained.clear()
    assert channels.measure(tmp_path / "second.jsonl", ["pinned"], 3) == before
    again = [(model, seed) for _, _, model, seed in trained]
    zeros = [(model, "0") for _, model in channels.NETWORKS]
    assert again == [*zeros, (other["model"], "1"), (other["model"], "2")]


def test_a_training_ends_with_its_ramp():
    pytest.importorskip("mxnet")
    found = channels.train(Job("smoke", "toy_shuffled", "dense_vae", 0))
    assert found["active_channels"] == 3 and found["how"] in channels.WAYS
    assert found["epochs"] >= 3
