"""A finished benchmark with planted numbers, for the figures that are drawn from metrics.json and sweeps.csv."""

from __future__ import annotations

import pandas as pd
import pytest

from figures.shared import style
from replicate.files import write_text
from replicate.numbers.metrics import SCHEMA_VERSION, interval, write_metrics
from replicate.study import sweeps


@pytest.fixture
def write_benchmark(tmp_path):
    """Return a function that writes metrics and rows of sweeps and returns the results folder.

    Metrics are ``<data set>.<model>.<kind>`` to values, one a seed; rows of sweeps are as their columns from the data set on.
    """

    def write(metrics, tried=(), profile="standard"):
        entries = {
            name: entry(values, "formula" if name.startswith("toy") else "simulated twin")
            for name, values in metrics.items()
        }
        document = {
            "schema_version": SCHEMA_VERSION,
            "profile": profile,
            "git_commit": "",
            "machine": {},
            "versions": {},
        }
        write_metrics(tmp_path / profile / "metrics.json", document | {"metrics": entries})
        if tried:
            table = pd.DataFrame([("", *row) for row in tried], columns=sweeps.COLUMNS)
            write_text(tmp_path / profile / "sweeps.csv", table.to_csv(index=False))
        return tmp_path

    return write


def entry(values, provenance):
    numbers = {
        "value": sum(values) / len(values),
        "values": list(values),
        "seeds": list(range(len(values))),
        "interval": interval(values),
    }
    return {"unit": "1", "better": "none", "provenance": provenance, **numbers}


@pytest.fixture
def save_and_draw(monkeypatch, capsys):
    """Return a function that runs a figure's script on a results folder and returns the figure and the names of the files written."""

    def run(script, results):
        saved, save = [], style.save
        monkeypatch.setattr(style, "save", lambda fig, *rest: saved.append(fig) or save(fig, *rest))
        assert script.main(["--results", str(results)]) == 0
        return saved[0], [line.rpartition("/")[2] for line in capsys.readouterr().out.splitlines()]

    return run
