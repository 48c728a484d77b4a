"""Every figure is drawn from stored runs, whole, labelled and stamped; what cannot be drawn is said in one line."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from replicate import cli, runs, sources, style, study
from replicate.files import write_json, write_npz

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "figures"))

LETTERS = {"toy": "abcd", "fig2": "abcdefghijklm", "fig4": "abcdefhijklmnopqrstuvwx", "fig5": "abcdef", "table1": ""}
SIMULATED = {"scan": "simulated twin", "picture": "sample photograph"}
needs_data = pytest.mark.skipif("REPLICATE_DATA" not in os.environ, reason="needs the measured arrays: set REPLICATE_DATA")


def script(name):
    return importlib.import_module(name)


def arguments(results):
    return ["--results", str(results), "--profile", "smoke"]


def is_stamp_shouted(fig):
    return any(text.get_fontweight() == "bold" and "not the paper's data" in text.get_text() for text in fig.texts)


def toy_arrays(model, rng, n_active):
    n_colours = len(sources.load_picture("sample photograph").colours)
    arrays = {"latents": rng.normal(size=(n_colours, 3)), "painting_mse": rng.uniform(size=n_colours), "components": np.arange(n_active)}
    arrays |= {"examples": np.arange(3), "example_reconstructions": rng.normal(size=(3, 25)), "residuals": rng.normal(size=(50, 25))}
    if model == "dictionary_learning":
        arrays |= {"search_lambda": np.array([0.05, 2.0]), "search_mse": np.array([0.1, 0.25])}
    return arrays


def scan_arrays(scan, rng, n_active):
    noisy = scan.spectra + rng.normal(scale=0.1, size=scan.spectra.shape).astype(np.float32)
    arrays = {"reconstructions": noisy, "mse": ((noisy - scan.spectra) ** 2).mean(axis=1), "latents": noisy[:, :5]}
    arrays |= {"components": np.arange(n_active), "generated_values": np.tile(np.linspace(-1, 1, 9), (n_active, 1))}
    return arrays | {"generated": np.tile(noisy[:9], (n_active, 1, 1))}


def write_run(results, job, provenance, rng, n_active=5):
    """Write what the figures read of a run, its numbers made up."""
    toy = job.dataset == "toy"
    run = runs.Run.of(results, job)
    where = {"spectra": "formula", "picture": provenance["picture"]} if toy else {"spectra": provenance["scan"]}
    metrics = {name: rng.uniform() for name in ("mse", "heldout_mse", "gamut_mse", "painting_mse", "fit_seconds", "transform_seconds")}
    metrics["n_parameters"] = 1000
    if job.model.startswith("lstm"):
        metrics |= {"active_channels": n_active, "heldout_active_channels": n_active}
    arrays = toy_arrays(job.model, rng, min(n_active, 3)) if toy else scan_arrays(sources.load_scan(provenance["scan"]), rng, n_active)
    write_json(run.folder / "config.json", study.describe(job) | {"parameters": {"n_components": 3 if toy else 5}})
    write_npz(run.folder / "arrays.npz", **arrays)
    write_json(run.folder / "record.json", {"status": "complete", "provenance": where, "metrics": metrics})
    return run


def write_study(results, provenance, only=(), n_active=5):
    rng = np.random.default_rng(0)
    for job in study.jobs("smoke", only):
        write_run(results, job, provenance, rng, n_active if job.model.startswith("lstm") else 3 if job.dataset == "toy" else 5)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Return a results folder with every run of the smoke profile, on simulated data."""
    folder = tmp_path_factory.mktemp("results")
    write_study(folder, SIMULATED)
    return folder


@pytest.mark.parametrize("name", LETTERS)
def test_a_script_writes_a_picture_and_a_pdf(name, results, capsys):
    assert script(name).main(arguments(results)) == 0
    folder = results / "smoke" / "figures"
    with Image.open(folder / f"{name}.png") as image:
        pixels = np.asarray(image.convert("L"))
    assert pixels.shape[1] == pytest.approx(style.WIDTH * 250, abs=1)
    assert (pixels < 128).mean() > 0.005
    content = (folder / f"{name}.pdf").read_bytes()
    assert content.startswith(b"%PDF") and content.rstrip().endswith(b"%%EOF") and len(content) < 3e6
    printed = capsys.readouterr().out.split()
    assert {Path(line).name for line in printed} >= {f"{name}.png", f"{name}.pdf"} and all(Path(line).exists() for line in printed)
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize("name", LETTERS)
def test_a_figure_has_its_panels_units_and_stamp(name, results):
    fig = script(name).draw(results, "smoke")
    texts = [text.get_text() for ax in fig.get_axes() for text in ax.texts]
    assert sorted(text for text in texts if len(text) == 1 and text.isalpha()) == sorted(LETTERS[name])
    labels = [label for ax in fig.get_axes() for label in (ax.get_xlabel(), ax.get_ylabel()) if label]
    assert [label for label in labels if "(" not in label and label not in ("spectrum index", "2 µm")] == []
    assert is_stamp_shouted(fig)
    assert any("smoke profile · seed 0" in text.get_text() for text in fig.texts)


@pytest.mark.parametrize("name", ["fig4", "fig5"])
def test_a_figure_of_the_scan_says_that_the_channels_are_aligned(name, results):
    fig = script(name).draw(results, "smoke")
    assert any("simulated twin" in text.get_text() for text in fig.texts)
    assert any("aligned" in text.get_text() for text in fig.texts)


@pytest.mark.parametrize("name", ["fig2", "fig4", "fig5"])
def test_fewer_active_channels_than_panels_leave_panels_empty(name, tmp_path):
    write_study(tmp_path, SIMULATED, ("toy",) if name == "fig2" else ("beps",), n_active=1)
    fig = script(name).draw(tmp_path, "smoke")
    assert sum(not ax.axison for ax in fig.get_axes()) >= 2


def test_two_drawings_of_the_same_runs_are_the_same(results):
    pdf = results / "smoke" / "figures" / "toy.pdf"
    contents = []
    for _ in range(2):
        assert script("toy").main(arguments(results)) == 0
        contents.append((pdf.read_bytes(), pdf.with_suffix(".png").read_bytes()))
    assert contents[0] == contents[1]


def test_the_table_holds_the_numbers_of_the_records(results):
    assert script("table1").main(arguments(results)) == 0
    folder = results / "smoke" / "figures"
    frame = pd.read_csv(folder / "table1.csv").set_index("Measured here")
    expected = {
        "BEPS MSE, training pixels": ("beps", "mse"),
        "BEPS MSE, held-out blocks": ("beps_heldout", "heldout_mse"),
        "toy MSE, held-out colours": ("toy", "gamut_mse"),
        "toy MSE, held-out picture": ("toy", "painting_mse"),
        "BEPS, fit to training pixels (one thread)": ("beps", "fit_seconds"),
    }
    for row, (dataset, metric) in expected.items():
        for model in ("pca", "dictionary_learning", "lstm_vae"):
            record = runs.load(results, "smoke", dataset, model).record
            assert float(frame.loc[row, style.LABELS[model]]) == record["metrics"][metric]
    assert frame.loc["BEPS, components or active channels", "PCA"] == "5"
    assert frame.loc["toy MSE over λ, held-out", "Dictionary learning"] == "0.1–0.25 (λ 0.05–2)"
    assert frame.loc["toy MSE, held-out picture", "Provenance"] == "sample photograph"
    assert all(word in (folder / "table1.md").read_text(encoding="utf-8") for word in ("Poor", "Less sensitive", "simulated twin"))


@pytest.mark.parametrize("name", LETTERS)
def test_a_missing_run_is_named_and_nothing_is_written(name, tmp_path, capsys):
    assert script(name).main(arguments(tmp_path)) == 2
    message = capsys.readouterr().err
    assert str(tmp_path / "smoke") in message and "missing" in message and "Traceback" not in message
    assert list(tmp_path.iterdir()) == []


def test_a_failed_run_is_not_drawn(tmp_path, capsys):
    run = write_run(tmp_path, study.Job("smoke", "toy", "pca", 0), SIMULATED, np.random.default_rng(0))
    write_json(run.folder / "record.json", {"status": "failed"})
    assert script("toy").main(arguments(tmp_path)) == 2
    assert "failed" in capsys.readouterr().err


def test_runs_on_different_data_are_not_compared(tmp_path, capsys):
    write_study(tmp_path, SIMULATED, ("toy",))
    run = runs.load(tmp_path, "smoke", "toy", "pca")
    write_json(run.folder / "record.json", run.record | {"provenance": {"spectra": "formula", "picture": "painting"}})
    assert script("fig2").main(arguments(tmp_path)) == 2
    assert "different data" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path, capsys):
    write_run(tmp_path, study.Job("smoke", "toy", "pca", 0), SIMULATED, np.random.default_rng(0))
    (tmp_path / "smoke" / "figures").write_text("in the way")
    assert script("toy").main(arguments(tmp_path)) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_a_save_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    fig = style.figure(1)

    def fail(path, **_):
        Path(path).write_bytes(b"half")
        raise MemoryError

    monkeypatch.setattr(fig, "savefig", fail)
    with pytest.raises(MemoryError):
        style.save(fig, tmp_path, "half")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_figure_is_an_error(tmp_path, capsys):
    assert cli.main(["figures", "fig9", "--results", str(tmp_path)]) == 2
    assert "fig9" in capsys.readouterr().err


def test_only_stand_ins_are_shouted():
    for provenance in style.PROVENANCE:
        fig = style.figure(1)
        style.stamp(fig, [provenance], "standard", 0)
        assert is_stamp_shouted(fig) == (provenance in style.STAND_INS)


def test_a_script_runs_from_anywhere_and_helps(results, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "figures" / "toy.py")]
    done = subprocess.run([*command, *arguments(results)], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "toy.png" in done.stdout, done.stderr
    with pytest.raises(SystemExit) as stopped:
        script("toy").main(["--help"])
    assert stopped.value.code == 0


@needs_data
def test_measured_data_are_stamped_so(tmp_path):
    write_study(tmp_path, {"scan": "measured", "picture": "painting"}, ("beps",))
    fig = script("fig5").draw(tmp_path, "smoke")
    assert any("measured BEPS data" in text.get_text() for text in fig.texts)
    assert not is_stamp_shouted(fig)
