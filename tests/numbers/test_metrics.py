"""metrics.json: what its schema refuses, and means and intervals known from tables."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from replicate.errors import ReplicationError
from replicate.numbers.metrics import KINDS, SCHEMA_VERSION, read_metrics, summarise, write_metrics

FORMULA = {"spectra": "formula", "picture": "painting"}


def record(dataset="beps", model="pca", seed=0, provenance=None, **metrics):
    return {
        "dataset": dataset,
        "model": model,
        "seed": seed,
        "provenance": provenance or (FORMULA if dataset == "toy" else {"spectra": "measured"}),
        "metrics": metrics,
    }


def document(**changes):
    metrics = summarise(
        [record(seed=seed, mse=0.01 * (seed + 1), n_parameters=1152) for seed in range(3)]
    )
    whole = {
        "schema_version": SCHEMA_VERSION,
        "profile": "smoke",
        "git_commit": "0" * 40,
        "machine": {"cores": 2},
        "versions": {},
    }
    return whole | {"metrics": metrics} | changes


def changed(path, value):
    """A valid document with one field replaced, or removed where the value is `...`."""
    broken = copy.deepcopy(document())
    *parents, last = path
    inner = broken
    for parent in parents:
        inner = inner[parent]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return broken


# The document


def test_round_trip(tmp_path):
    write_metrics(tmp_path / "metrics.json", document())
    assert read_metrics(tmp_path / "metrics.json") == document()


ENTRY = ("metrics", "beps.pca.mse")
BROKEN = [
    (("schema_version",), SCHEMA_VERSION + 1, "schema_version"),
    (("schema_version",), ..., "schema_version"),
    (("profile",), ..., "profile"),
    (("git_commit",), None, "git_commit"),
    (("machine",), ..., "machine"),
    (("versions",), [], "versions"),
    (("unknown",), 1, "unknown"),
    (("metrics",), {}, "metrics"),
    (("metrics", "beps.pca.accuracy"), document()["metrics"]["beps.pca.mse"], "beps.pca.accuracy"),
    (("metrics", "mnist.pca.mse"), document()["metrics"]["beps.pca.mse"], "mnist.pca.mse"),
    (("metrics", "beps.PCA.mse"), document()["metrics"]["beps.pca.mse"], "beps.PCA.mse"),
    (("metrics", "beps.mse"), document()["metrics"]["beps.pca.mse"], "beps.mse"),
    *[((*ENTRY, field), ..., field) for field in document()["metrics"]["beps.pca.mse"]],
    ((*ENTRY, "value"), "0.01", "value"),
    ((*ENTRY, "value"), None, "value"),
    ((*ENTRY, "value"), True, "value"),
    ((*ENTRY, "better"), "smaller", "better"),
    ((*ENTRY, "provenance"), "simulated", "provenance"),
    ((*ENTRY, "seeds"), [], "seeds"),
    ((*ENTRY, "seeds"), [0, 1, 1], "beps.pca.mse: field values"),
    ((*ENTRY, "values"), [0.01, 0.02], "beps.pca.mse: field values"),
    ((*ENTRY, "seeds"), [0.5], "seeds"),
    ((*ENTRY, "values"), [], "values"),
    ((*ENTRY, "interval"), [0.1], "interval"),
    ((*ENTRY, "extra"), 1, "extra"),
    ((*ENTRY, "value"), float("nan"), "not finite|no number"),
    ((*ENTRY, "values"), [0.01, float("inf"), 0.03], "not finite|no number"),
    ((*ENTRY, "interval"), [float("-inf"), 1.0], "not finite|no number"),
]


@pytest.mark.parametrize(
    ("path", "value", "named"),
    BROKEN,
    ids=[f"{'.'.join(path)}={value!r:.20}" for path, value, _ in BROKEN],
)
def test_a_broken_document_is_neither_written_nor_read(tmp_path, path, value, named):
    file = tmp_path / "metrics.json"
    with pytest.raises(ReplicationError, match=f"metrics.json.*{named}"):
        write_metrics(file, changed(path, value))
    assert not file.exists()
    file.write_text(json.dumps(changed(path, value)))
    with pytest.raises(ReplicationError, match=f"metrics.json.*{named}"):
        read_metrics(file)


@pytest.mark.parametrize("content", ["", "[]", "null", '{"schema_version": 1', "1"])
def test_a_file_that_is_no_document(tmp_path, content):
    (tmp_path / "metrics.json").write_text(content)
    with pytest.raises(ReplicationError, match="metrics.json"):
        read_metrics(tmp_path / "metrics.json")


def test_a_refused_document_leaves_the_old_one(tmp_path):
    write_metrics(tmp_path / "metrics.json", document())
    with pytest.raises(ReplicationError):
        write_metrics(tmp_path / "metrics.json", document(metrics={}))
    assert read_metrics(tmp_path / "metrics.json") == document()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_fits_the_schema(tmp_path, kind):
    provenance = {"spectra": "measured", "picture": "painting"}
    write_metrics(
        tmp_path / "metrics.json",
        document(metrics=summarise([record(provenance=provenance, **{kind: 1.0})])),
    )
    (entry,) = read_metrics(tmp_path / "metrics.json")["metrics"].values()
    assert (entry["unit"], entry["better"]) == KINDS[kind][:2]


# Summaries


def test_one_seed():
    assert summarise([record(seed=7, mse=0.25)]) == {
        "beps.pca.mse": {
            "value": 0.25,
            "unit": "z-score squared",
            "better": "lower",
            "seeds": [7],
            "values": [0.25],
            "interval": None,
            "provenance": "measured",
        }
    }


@pytest.mark.parametrize(
    ("values", "mean", "half"),
    [
        (
            [1, 2, 3],
            2,
            4.302652729911275 / 3**0.5,
        ),  # t of two degrees of freedom, standard deviation 1
        ([1, 3], 2, 12.706204736174698),  # t of one, standard error 1
        ([5, 5, 5, 5], 5, 0),
        ([2, 4, 4, 4, 5, 5, 7, 9], 5, 2.3646242515927844 * (32 / 7 / 8) ** 0.5),
    ],
)
def test_mean_and_95_percent_interval(values, mean, half):
    (entry,) = summarise(
        [record(seed=seed, mse=value) for seed, value in enumerate(values)]
    ).values()
    assert entry["value"] == pytest.approx(mean)
    assert entry["interval"] == pytest.approx([mean - half, mean + half])
    assert (entry["seeds"], entry["values"]) == (list(range(len(values))), values)


@given(
    st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=10).filter(
        lambda values: np.std(values) > 1e-6
    )
)
def test_interval_against_scipy(values):
    (entry,) = summarise(
        [record(seed=seed, mse=value) for seed, value in enumerate(values)]
    ).values()
    expected = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
    assert entry["interval"] == pytest.approx(expected, rel=1e-6, abs=1e-9)


@given(
    st.permutations(
        [
            record(seed=seed, model=model, mse=seed + 0.5)
            for seed in range(3)
            for model in ("pca", "lstm_vae")
        ]
    )
)
def test_the_order_of_the_records_does_not_matter(records):
    summary = summarise(records)
    assert list(summary) == ["beps.lstm_vae.mse", "beps.pca.mse"]
    assert all(
        (entry["seeds"], entry["values"]) == ([0, 1, 2], [0.5, 1.5, 2.5])
        for entry in summary.values()
    )


def test_a_metric_that_some_seeds_lack():
    summary = summarise(
        [record(seed=0, mse=1.0), record(seed=1, mse=2.0, seconds_to_paper_mse=3.0)]
    )
    assert summary["beps.pca.seconds_to_paper_mse"]["seeds"] == [1]


def test_forms_of_a_data_set_stand_beside_each_other():
    summary = summarise(
        [record("beps", mse=0.1), record("beps_heldout", heldout_mse=0.2, mse=0.15)]
    )
    values = {name: entry["values"] for name, entry in summary.items()}
    assert values == {
        "beps.pca.mse": [0.1],
        "beps_heldout.pca.mse": [0.15],
        "beps_heldout.pca.heldout_mse": [0.2],
    }


def test_provenance_of_spectra_and_of_the_picture():
    photograph = {"spectra": "formula", "picture": "sample photograph"}
    summary = summarise([record("toy", provenance=photograph, gamut_mse=1.0, painting_mse=2.0)])
    assert summary["toy.pca.gamut_mse"]["provenance"] == "formula"
    assert summary["toy.pca.painting_mse"]["provenance"] == "sample photograph"


def test_seeds_on_different_data_are_not_averaged():
    twin = {"spectra": "simulated twin"}
    with pytest.raises(
        ReplicationError, match=r"beps.pca.mse.*different data \(measured, simulated twin\)"
    ):
        summarise([record(seed=0, mse=1.0), record(seed=1, provenance=twin, mse=1.0)])
    different_models = summarise(
        [record(model="pca", mse=1.0), record(model="lstm_vae", provenance=twin, mse=1.0)]
    )
    assert {entry["provenance"] for entry in different_models.values()} == {
        "measured",
        "simulated twin",
    }
