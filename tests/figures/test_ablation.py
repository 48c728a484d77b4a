"""The ablation is drawn from the numbers of the benchmark, and its tables say the same."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import same_color

from figures import ablation
from figures.shared import benchmark, style
from replicate.study.family import LABELS

METRICS = {
    "toy.pca.gamut_mse": [0.1, 0.12, 0.11],
    "toy.dictionary_learning.gamut_mse": [0.2, 0.24, 0.22],
    "toy.linear_ae.gamut_mse": [0.1, 0.12, 0.11],
    "toy.dense_ae.gamut_mse": [0.001, 0.0012, 0.0011],
    "toy.pca.gamut_mse_refined": [0.09] * 3,
    "toy.pca.fit_seconds": [0.5, 1.5, 1],
    "toy.dense_ae.fit_seconds": [100] * 3,
    "beps_heldout.dense_vae.heldout_mse": [0.006, 0.007, 0.008],
    "beps_heldout.lstm_vae.heldout_mse": [0.008, 0.007, 0.006],
    "beps_heldout.dense_vae.active_channels": [5, 5, 5],
    "beps_heldout.lstm_vae.active_channels": [5, 5, 6],
}


def markers(ax):
    """Return place, colour and whether it is filled, of each marker of a mean."""
    lines = [line for line in ax.get_lines() if line.get_marker() == "o"]
    return [
        (*line.get_xydata()[0], line.get_color(), line.get_markerfacecolor() != "white")
        for line in lines
    ]


def test_every_mark_is_a_number_of_the_benchmark(write_benchmark, save_and_draw):
    fig, names = save_and_draw(ablation, write_benchmark(METRICS))
    assert names == ["ablation.png", "ablation.pdf", "ablation.csv", "ablation.md"]
    toy, scan, toy_changes, scan_changes = fig.get_axes()
    assert [text.get_text() for text in toy.get_yticklabels()] == [
        LABELS[model]
        for model in (
            "pca",
            "dictionary_learning",
            "linear_ae",
            "dense_ae",
            "dense_vae",
            "lstm_vae",
        )
    ]
    drawn = {(round(y), filled): x for x, y, _, filled in markers(toy)}
    assert drawn == pytest.approx(
        {(0, True): 0.11, (0, False): 0.09, (1, True): 0.22, (2, True): 0.11, (3, True): 0.0011}
    )
    ratios = {round(y): (x, colour) for x, y, colour, _ in markers(toy_changes)}
    rows = [text.get_text() for text in toy_changes.get_yticklabels()]
    contrasts = {rows[y]: ratio for y, ratio in ratios.items()}
    assert contrasts["penalty: PCA → DL"] == (pytest.approx(2), ablation.VERDICT_COLOURS["hurts"])
    assert contrasts["nonlinearity: Linear AE → Dense AE"] == (
        pytest.approx(0.01),
        ablation.VERDICT_COLOURS["helps"],
    )
    ((ratio, _, colour, _),) = markers(scan_changes)
    assert ratio == pytest.approx(1) and colour == ablation.VERDICT_COLOURS["no difference shown"]
    assert [text.get_text() for text in scan_changes.texts if text.get_text()] == [
        "latents 5 → 5.33"
    ]
    assert [text.get_text() for text in toy.texts if text.get_text() not in ("", "a")] == [
        "1 s",
        "100 s",
    ]
    assert [text.get_text() for text in scan.texts if text.get_text()] == [
        "5 active",
        "5.33 active",
    ]


def test_it_says_what_it_is_made_from_and_what_is_missing(write_benchmark):
    fig = ablation.draw(write_benchmark(METRICS), "standard")
    foot = " ".join(text.get_text() for text in fig.texts)
    assert (
        "standard profile · seed 0, 1, 2" in foot and "simulated twin: not the paper's data" in foot
    )
    title = fig._suptitle.get_text().replace("\n", " ")
    assert (
        "Not run" in title
        and "Sparse PCA on beps_heldout, toy" in title
        and "PCA on beps_heldout" in title
    )
    assert all("(" in ax.get_xlabel() and "held-out" in ax.get_xlabel() for ax in fig.get_axes())
    # Of interval, mean and seeds, the axis leaves nothing out.
    for ax in fig.get_axes():
        low, high = ax.get_xlim()
        assert all(
            low <= x <= high
            for line in ax.get_lines()
            for x in line.get_xdata()
            if line.get_marker() == "o"
        )


def test_tables_say_the_same_as_the_picture(write_benchmark, save_and_draw):
    results = write_benchmark(METRICS)
    save_and_draw(ablation, results)
    table = pd.read_csv(results / "standard" / "figures" / "ablation.csv").set_index("ingredient")
    assert (
        table.loc["penalty", "change"] == pytest.approx(100)
        and table.loc["recurrence", "verdict"] == "no difference shown"
    )
    assert (
        table.loc["recurrence", "latents_with_it"] == pytest.approx(16 / 3)
        and table.loc["recurrence", "provenance"] == "simulated twin"
    )
    text = (results / "standard" / "figures" / "ablation.md").read_text(encoding="utf-8")
    row = (
        "| nonlinearity: Linear AE → Dense AE | toy, fresh colours | amortised "
        "| -99.0 | -99.0 to -99.0 | 3 | helps |"
    )
    assert (
        row in text
        and "Of 3 contrasts" in text.replace("of 3", "Of 3")
        and "simulated twin · standard profile · seed 0, 1, 2" in text
    )


def test_a_single_seed_is_drawn_without_an_interval(write_benchmark):
    fig = ablation.draw(
        write_benchmark({name: values[:1] for name, values in METRICS.items()}), "standard"
    )
    *_, toy_changes, _ = fig.get_axes()
    assert {colour for *_, colour, _ in markers(toy_changes)} == {
        ablation.VERDICT_COLOURS["one seed"]
    }


def test_near_relatives_share_a_colour_and_no_two_models_their_look():
    looks = [(benchmark.FAMILY_COLOURS[model], benchmark.FAMILY_MARKERS[model]) for model in LABELS]
    assert len(set(looks)) == len(LABELS)
    assert same_color(benchmark.FAMILY_COLOURS["ica"], style.MODEL_COLOURS["pca"])


@pytest.mark.parametrize(
    "metrics, missing",
    [
        (None, "metrics.json: missing"),
        ({"beps.pca.mse": [0.1]}, "errors on held-out data are missing"),
    ],
)
def test_nothing_to_draw_is_said_in_one_line(metrics, missing, write_benchmark, tmp_path, capsys):
    if metrics:
        write_benchmark(metrics)
    assert ablation.main(["--results", str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert (
        missing in message
        and "nox -s bench" in message
        and str(tmp_path) in message
        and "Traceback" not in message
    )
    assert not list(tmp_path.glob("**/*.png"))


@pytest.mark.parametrize("content", ["", "sweep,dataset\n", "\x00\x01", ",".join(["x"] * 9) + "\n"])
def test_a_damaged_table_of_sweeps_is_named(content, write_benchmark, capsys):
    results = write_benchmark(METRICS)
    (results / "standard" / "sweeps.csv").write_text(content)
    assert ablation.main(["--results", str(results)]) == 2
    assert "sweeps.csv: not a table of sweeps" in capsys.readouterr().err


def test_a_fit_is_named_with_what_the_sweep_changed():
    assert ablation.fit_name("dense_vae/epochs=6") == "Dense β-VAE, epochs × 6"
    assert ablation.fit_name("lstm_vae/epochs=0.33") == "LSTM β-VAE, epochs × 1/3"
    assert ablation.fit_name("lstm_ae/latents=16") == "LSTM AE, 16 latents"
    assert ablation.fit_name("lstm_vae/linear_path=0") == ablation.fit_name("lstm_vae")
    np.testing.assert_equal(
        [ablation.seconds_text(seconds) for seconds in (0.0123, 9.44, 173.2)],
        ["0.012", "9.4", "173"],
    )
