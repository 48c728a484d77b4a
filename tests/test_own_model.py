"""``run --model``: a model of the user's own goes through runs, metrics, tables and figures."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from benchmarks import report
from figures import cost, violins
from figures.shared import all_seeds, style
from replicate import cli, own_model
from replicate.numbers.metrics import read_metrics
from replicate.numbers.tables import results_table
from replicate.study.family import LABELS, MODELS
from replicate.study.studies import PAPER

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "quadratic_pca.py"
PLACE = f"{EXAMPLE}:QuadraticPCA"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run the example beside PCA, as the command does; return its name and the results folder."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("own")
        patch.setenv("REPLICATE_CACHE", str(folder / "cache"))
        options = ["--profile", "smoke", "--data", "simulated", "--results", str(folder)]
        selection = ["--only", "toy", "beps_heldout", "pca", "--no-figures"]
        assert cli.main(["run", "--model", PLACE, *options, *selection]) == 0
        yield own_model.bring(PLACE), folder


def test_it_has_numbers_and_a_row(run):
    name, folder = run
    metrics = read_metrics(folder / "smoke" / "metrics.json")["metrics"]
    own, pca = (metrics[f"beps_heldout.{model}.heldout_mse"]["value"] for model in (name, "pca"))
    assert 0 < own < pca, "on the twin a decoder that bends gains"
    rows = list(results_table(metrics, PAPER)["model"])
    assert rows == ["PCA", LABELS[name]]


def test_it_stands_in_the_report(run):
    name, folder = run
    assert report.main(["--results", str(folder), "--profile", "smoke"]) == 0
    assert LABELS[name] in (folder / "smoke" / "report.html").read_text(encoding="utf-8")


def test_it_is_drawn(run):
    name, folder = run
    loaded = all_seeds.load(folder, "smoke", "beps_heldout")
    assert list(loaded) == ["pca", name]
    drawn = violins.draw_toy(folder, "smoke").axes
    assert [ax.get_title().partition(", 1 seed")[0] for ax in drawn] == ["PCA", LABELS[name]]
    ax = style.figure(height=2).subplots()
    violins.draw_distributions(ax, loaded)
    assert "QuadraticPCA" in ax.get_xticklabels()[1].get_text()
    rows = [
        {"dataset": "BEPS", "name": model, "model": LABELS[model], **runs[0].record["metrics"]}
        for model, runs in loaded.items()
    ]
    ax = style.figure(height=2).subplots()
    cost.draw_cost(ax, pd.DataFrame(rows), "fit_seconds")
    assert ax.get_legend_handles_labels()[1] == ["PCA", LABELS[name]]


def test_it_is_fitted_to_every_data_set_of_the_study(run):
    name, _ = run
    study = PAPER.with_models([name])
    added = set(study.jobs("smoke")) - set(PAPER.jobs("smoke"))
    assert {(job.dataset, job.model) for job in added} == {(data, name) for data in PAPER.models}
    assert {job.model for job in study.jobs("smoke", ["beps", "pca"])} == {name, "pca"}


def test_only_models_of_the_study_are_listed():
    own = "own_Mine_1a2b3c4d"
    assert MODELS[own].label == LABELS[own] == "Mine (own, 1a2b)"
    assert own not in MODELS and own not in list(LABELS)
    with pytest.raises(KeyError):
        MODELS["mine"]
