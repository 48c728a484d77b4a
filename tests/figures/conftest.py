"""A finished benchmark with planted numbers, for figures drawn from metrics.json and sweeps.csv."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from figures.shared import style
from replicate.files import write_text
from replicate.numbers.metrics import SCHEMA_VERSION, interval, write_metrics
from replicate.study import sweeps


@pytest.fixture
def write_benchmark(tmp_path):
    """Return a function that writes metrics and rows of sweeps and returns the results folder.

    Metrics are ``<data set>.<model>.<kind>`` to values, one a seed. Rows of sweeps have the columns
    of sweeps.csv from the data set on.
    """

    def write(metrics, tried=(), profile="standard"):
        entries = {}
        for name, values in metrics.items():
            provenance = "formula" if name.startswith("toy") else "simulated twin"
            entries[name] = entry(values, provenance)
        document = {
            "schema_version": SCHEMA_VERSION,
            "profile": profile,
            "git_commit": "",
            "machine": {},
            "versions": {},
            "metrics": entries,
        }
        write_metrics(tmp_path / profile / "metrics.json", document)
        if tried:
            table = pd.DataFrame([("", *row) for row in tried], columns=sweeps.COLUMNS)
            write_text(tmp_path / profile / "sweeps.csv", table.to_csv(index=False))
        return tmp_path

    return write


def entry(values, provenance):
    return {
        "unit": "1",
        "better": "none",
        "provenance": provenance,
        "value": sum(values) / len(values),
        "values": list(values),
        "seeds": list(range(len(values))),
        "interval": interval(values),
    }


@pytest.fixture
def save_and_draw(monkeypatch, capsys):
    """Return a function that runs a script and returns its figure and the names of its files."""

    def run(script, results):
        saved = []
        save = style.save
        monkeypatch.setattr(style, "save", lambda fig, *rest: saved.append(fig) or save(fig, *rest))
        assert script.main(["--results", str(results)]) == 0
        paths = [Path(line) for line in capsys.readouterr().out.splitlines()]
        return saved[0], [path.name for path in paths]

    return run
