"""The results table: known numbers are rounded as they should be and escaped for LaTeX.

Every metric comes back from the CSV.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from replicate.numbers.metrics import summarise
from replicate.numbers.tables import (
    caption,
    every_metric,
    latex,
    markdown,
    results_table,
    write_tables,
)
from replicate.study.studies import FAMILY, PAPER


def record(seed, model="pca", dataset="beps", **metrics):
    provenance = (
        {"spectra": "formula", "picture": "painting"}
        if dataset.startswith("toy")
        else {"spectra": "measured"}
    )
    return {
        "dataset": dataset,
        "model": model,
        "seed": seed,
        "provenance": provenance,
        "metrics": metrics,
    }


@pytest.fixture
def metrics():
    """Three seeds whose 95 % half width is 4.303 / sqrt(3) times the standard deviation."""
    runs = [
        record(seed, mse=0.007 + 0.0001 * seed, n_parameters=1152, fit_seconds=12.0 + seed)
        for seed in range(3)
    ]
    runs += [
        record(seed, dataset="beps_heldout", heldout_mse=0.008 + 1e-7 * seed) for seed in range(3)
    ]
    runs += [
        record(seed, "lstm_vae_plain", active_channels=4 + (seed == 2), mse=0.016)
        for seed in range(3)
    ]
    return summarise([*runs, record(0, dataset="toy", gamut_mse=0.1115, painting_mse=0.1102)])


def cells(metrics, model="PCA"):
    return results_table(metrics, PAPER).set_index("model").loc[model]


@pytest.mark.parametrize(
    "column, text",
    [
        ("BEPS training", "0.0071 ± 0.0002"),  # 4.303 / sqrt(3) * 0.0001 = 0.00025
        ("fit, s", "13.0 ± 2.5"),
        ("parameters", "1152"),  # the same for every seed
        ("BEPS held-out", "0.0080"),  # differs beyond the digits shown
        ("toy gamut", "0.1115"),  # one seed
        ("resonance", "–"),
    ],
)
def test_mean_and_half_width(metrics, column, text):
    assert cells(metrics)[column] == text


def test_counts_that_differ_show_a_decimal(metrics):
    row = cells(metrics, "LSTM β-VAE, paper's form")
    assert row["BEPS channels"] == "4.3 ± 1.4" and row["held-out channels"] == "–"


def test_caption_says_how_many_seeds_and_which_data(metrics):
    assert "Mean over 1 to 3 seeds" in caption(metrics, PAPER)
    assert all(
        words in caption(metrics, PAPER)
        for words in ("measured BEPS data", "the paper's painting", "blocks of pixels")
    )
    one = {name: entry for name, entry in metrics.items() if name.startswith("toy")}
    assert "1 seed," in caption(one, PAPER) and "measured" not in caption(one, PAPER)


def test_markdown_has_a_rule_and_a_row_a_model(metrics):
    lines = markdown(results_table(metrics, PAPER)).splitlines()
    assert len(lines) == 4 and len({line.count("|") for line in lines}) == 1


def test_latex_is_escaped_and_ruled(metrics):
    table = results_table(metrics, PAPER).rename(columns={"toy gamut": "50 % & more_of #it"})
    text = latex(table)
    assert r"50 \% \& more\_of \#it" in text and r"LSTM $\beta$-VAE, paper's form" in text
    assert r"0.0071 $\pm$ 0.0002" in text and "–" in text
    assert (
        all(rule in text for rule in (r"\toprule", r"\midrule", r"\bottomrule"))
        and r"\begin{table}" not in text
    )
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {line.replace(r"\&", "").count("&") for line in rows} == {
        len(table.columns) - 1
    } and len(rows) == 3


def test_csv_gives_every_metric_back_unrounded(metrics, tmp_path):
    csv, md, tex, *family = write_tables(metrics, tmp_path)
    assert [path.name for path in (csv, md, tex)] == [
        "results_table.csv",
        "results_table.md",
        "results_table.tex",
    ]
    frame = pd.read_csv(csv, float_precision="round_trip")
    pd.testing.assert_frame_equal(frame, every_metric(metrics), check_exact=True, check_dtype=False)
    rows = frame.set_index(frame["dataset"] + "." + frame["model"] + "." + frame["metric"])
    assert list(rows.index) == list(metrics)
    for name, entry in metrics.items():
        row = rows.loc[name]
        assert [row["value"], row["seeds"], row["provenance"]] == [
            entry["value"],
            len(entry["seeds"]),
            entry["provenance"],
        ]
        assert (
            [row["low"], row["high"]] == entry["interval"]
            if entry["interval"]
            else np.isnan(row["low"])
        )
    assert md.read_text(encoding="utf-8").startswith("| model |") and caption(
        metrics, PAPER
    ) in md.read_text(encoding="utf-8")
    assert r"95 \% t-interval" in tex.read_text(encoding="utf-8")
    assert set(tmp_path.iterdir()) == {csv, md, tex, *family} and len(family) == 2


def test_the_family_has_its_models_in_their_order_and_the_paper_s_table_only_its_own():
    entry = {
        "value": 0.5,
        "unit": "z-score squared",
        "seeds": [0],
        "values": [0.5],
        "interval": None,
        "provenance": "formula",
    }
    found = {f"toy.{model}.gamut_mse": entry for model in ("lstm_vae", "ica", "pca")}
    assert list(results_table(found, FAMILY)["model"]) == ["PCA", "ICA", "LSTM β-VAE"]
    assert list(results_table(found, PAPER)["model"]) == ["PCA", "LSTM β-VAE"]
    assert set(results_table(found, FAMILY)["toy gamut"]) == {"0.5000"}
    assert set(results_table(found, FAMILY)["seeds, toy / BEPS"]) == {"1 / –"}
