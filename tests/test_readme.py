import json
import sys
from pathlib import Path

import pytest

from replicate.errors import ReplicationError
from replicate.metrics import read_metrics
from replicate.tables import markdown, results_table

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))
import publish  # noqa: E402


@pytest.fixture
def stored():
    return read_metrics(publish.STORED)


def test_readme_numbers_are_the_stored_ones(stored):
    text = publish.README.read_text(encoding="utf-8")
    assert publish.insert(text, publish.render(stored)) == text, "the README is stale: run `nox -s publish`"


def test_a_changed_number_would_make_the_readme_stale(stored):
    text = publish.README.read_text(encoding="utf-8")
    changed = json.loads(json.dumps(stored))
    changed["metrics"]["beps.pca.mse"]["value"] *= 1.1
    assert publish.insert(text, publish.render(changed)) != text


def test_stored_metrics_are_of_the_real_data(stored):
    assert {entry["provenance"] for entry in stored["metrics"].values()} <= set(publish.REAL)
    assert stored["profile"] == "standard"


def test_simulated_numbers_are_not_published(stored, tmp_path):
    stored["metrics"]["beps.pca.mse"]["provenance"] = "simulated twin"
    (tmp_path / "standard").mkdir()
    (tmp_path / "standard" / "metrics.json").write_text(json.dumps(stored))
    before = publish.README.read_bytes(), publish.STORED.read_bytes()
    with pytest.raises(ReplicationError, match="beps.pca.mse is not from the real data"):
        publish.publish(tmp_path)
    assert (publish.README.read_bytes(), publish.STORED.read_bytes()) == before


def test_missing_markers_are_an_error():
    with pytest.raises(ReplicationError, match="markers"):
        publish.insert("no markers here", {"results": "x"})


def test_table_has_one_row_a_model_and_dashes_for_what_is_missing(stored):
    table = results_table(stored["metrics"])
    row = table.set_index("model").loc["PCA"]
    assert row["BEPS training"] == f"{stored['metrics']['beps.pca.mse']['value']:.4f}"
    assert row["BEPS channels"] == "–"
    assert markdown(table).count("\n") == len(table) + 1
