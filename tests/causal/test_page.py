"""The stored record, the page made of it, the figure drawn from it, and the command line."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from replicate import seals
from replicate.causal import command, page, statements
from replicate.errors import ReplicationError

ROOT = Path(__file__).resolve().parents[2]

STORED = ROOT / "benchmarks" / "stored" / "causal"


@pytest.fixture(scope="module")
def record():
    return seals.read(STORED / "causal.json")


def test_the_page_is_that_of_the_stored_record(record):
    assert (ROOT / "docs" / "causal.md").read_text(encoding="utf-8") == page.render(record)


def test_the_verdicts_are_those_of_the_stored_record(record):
    assert seals.read(STORED / "verdicts.json") == statements.judge_all(record)


def test_a_number_that_changes_changes_the_verdict(record):
    values = statements.numbers(record) | {"simpson_error": 0.5, "twin_simpson": 0.1}
    verdicts = {
        statement["id"]: statements.judge(statement, values)["verdict"]
        for statement in statements.STATEMENTS
    }
    assert verdicts["simpson"] == "not supported" and verdicts["frozen"] == "not testable"


def test_numbers_for_a_reader():
    assert page.number(-1.234) == "−1.23"
    assert page.number([0.5, 1], 1) == "[0.5, 1.0]"
    assert page.number(None) == "–"


@pytest.fixture
def figure(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "figures"))
    sys.modules.pop("causal", None)
    from figures import causal

    yield causal
    sys.modules.pop("causal", None)


def test_the_figure_shows_what_is_in_the_record(figure, record, tmp_path):
    shutil.copytree(STORED, tmp_path / "causal")
    fig = figure.draw(tmp_path, "standard")
    axes = [ax for part in fig.subfigs for ax in part.axes]
    titles = " ".join(ax.get_title() for ax in axes)
    assert f"AUC for bands {record['evidence']['map']['auc_band']:.2f}" in titles
    assert "rate law" in titles
    assert f"{record['graphs']['reversals']['looks']} looks" in titles
    # Two lines a group, solid and dashed.
    assert len(axes[0].lines) == 2 * len(record["evidence"]["groups"]["quantiles"])
    assert "measured BEPS data" in " ".join(text.get_text() for text in fig.texts)


def test_without_a_record_there_is_neither_figure_nor_page(figure, tmp_path, capsys):
    with pytest.raises(ReplicationError, match="python -m replicate.causal"):
        figure.draw(tmp_path, "standard")
    assert command.main(["--results", str(tmp_path), "--page", str(tmp_path / "page.md")]) == 2
    assert "error: " in capsys.readouterr().err and not (tmp_path / "page.md").exists()


def test_without_the_libraries_the_command_says_what_to_install(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(command, "LIBRARIES", ("no_such_library",))
    assert command.main(["--results", str(tmp_path)]) == 2
    assert "pip install '.[causal]'" in capsys.readouterr().err
