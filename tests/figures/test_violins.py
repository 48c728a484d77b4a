"""Figures of every seed draw the errors and costs of all runs, and name those that are missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection, PolyCollection

import replicate
from figures import cost, violins
from figures.shared import style
from replicate import seals
from replicate.analysis.residuals import per_index
from replicate.data import sources, twin
from replicate.files import write_json, write_npz
from replicate.running.runs import Run
from replicate.study.family import MODELS
from replicate.study.job import Job
from replicate.study.studies import PAPER

SEEDS = (0, 1, 10)

#: How many violins each panel has: one for each index of the spectrum, or for each model.
VIOLINS = {
    "violins_toy": [25] * 3,
    "violins_beps": [96] * 8,
    "violins_pixels": [3, 4, 4],
    "cost": [14] * 3,
}


@pytest.fixture(scope="module")
def scan():
    return sources.load_scan("simulated twin")


@pytest.fixture(autouse=True)
def few_spectra(monkeypatch):
    monkeypatch.setattr(violins, "N_VIOLIN_SPECTRA", 30)


def table(errors):
    return {
        f"index_{name}": values
        for name, values in per_index(np.zeros_like(errors), errors).items()
        if name != "kurtosis"
    }


def write_run(results, job, scan, errors=None, **metrics):
    """Write the files of a run that the figures read, with numbers made up.

    `errors` are reconstruction minus spectrum.
    """
    rng = np.random.default_rng([job.seed, list(MODELS).index(job.model)])
    toy = job.domain == "toy"
    run = Run.of(results, job)
    if errors is None:
        shape = (60, 25) if toy else scan.spectra.shape
        errors = rng.normal(0.1, 0.2, shape).astype(np.float32)
    if toy:
        arrays = {"residuals": errors, "gamut_mse": rng.uniform(0.1, 1, 50), **table(errors)}
    elif job.dataset == "beps":
        arrays = {
            "reconstructions": scan.spectra + errors,
            "mse": rng.uniform(0.1, 1, 50),
            **table(errors),
        }
    else:
        arrays = {
            "mse": np.r_[np.full(40, 1e-6), rng.uniform(0.1, 1, 10)],
            "heldout": np.arange(50) >= 40,
        }
    provenance = {"spectra": "simulated twin"}
    if toy:
        provenance = {"spectra": "formula", "picture": "sample photograph"}
    metrics = {kind: rng.uniform(1, 2) for kind in cost.COSTS} | metrics
    record = {
        "key": "0",
        "status": "complete",
        "dataset": job.dataset,
        "model": job.model,
        "seed": job.seed,
        "provenance": provenance,
        "metrics": metrics,
        "machine": {"processor": "abacus", "cores": 2},
    }
    write_npz(run.folder / "arrays.npz", **arrays)
    write_json(run.folder / "record.json", seals.sealed(record))
    return run


def write_study(results, scan, only=(), seeds=SEEDS):
    for job in PAPER.jobs("standard", only, seeds):
        write_run(results, job, scan)


@pytest.fixture(scope="module")
def results(tmp_path_factory, scan):
    """Return a results folder with every run of three seeds."""
    folder = tmp_path_factory.mktemp("results")
    write_study(folder, scan)
    return folder


def violins_of(ax):
    return [body for body in ax.collections if isinstance(body, PolyCollection)]


def marks_of(ax):
    (marks,) = (lines for lines in ax.collections if isinstance(lines, LineCollection))
    return np.array([segment[0, 1] for segment in marks.get_segments()])


def points_of(ax):
    groups = (points for points in ax.collections if isinstance(points, PathCollection))
    return np.concatenate([points.get_offsets() for points in groups])


def texts(fig):
    return " ".join(text.get_text() for text in fig.texts)


def test_scripts_write_every_picture_and_stamp_every_seed(results, monkeypatch, capsys):
    saved, save = {}, style.save
    monkeypatch.setattr(
        style,
        "save",
        lambda fig, folder, name: saved.update({name: fig}) or save(fig, folder, name),
    )
    assert violins.main(["--results", str(results)]) == cost.main(["--results", str(results)]) == 0
    paths = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert [path.name for path in paths] == [
        f"{name}.{suffix}" for name in VIOLINS for suffix in ("png", "pdf")
    ]
    assert all(path.stat().st_size > 10_000 for path in paths)
    for name, fig in saved.items():
        assert "standard profile · seed 0, 1, 10" in texts(fig) and "Not run" not in texts(fig)
        assert ("simulated twin: not the paper's data" in texts(fig)) == (name != "violins_toy")
        assert ("sample photograph" in texts(fig)) == (name == "violins_toy")
        assert [len(violins_of(ax)) for ax in fig.get_axes()] == VIOLINS[name]
        assert all(text.get_window_extent().x1 < fig.bbox.x1 for text in fig.texts)
        assert ("(s)" if name == "cost" else "(z-score") in fig.get_axes()[0].get_ylabel()


def test_violins_reach_from_the_least_to_the_greatest_error(tmp_path, scan, monkeypatch):
    monkeypatch.setattr(violins, "N_VIOLIN_SPECTRA", 60)
    errors = write_run(tmp_path, Job("standard", "toy", "pca", 0), scan).arrays["residuals"]
    (ax,) = violins.draw_toy(tmp_path, "standard").get_axes()
    heights = [body.get_paths()[0].vertices[:, 1] for body in violins_of(ax)]
    np.testing.assert_allclose(
        [[line.min(), line.max()] for line in heights],
        np.stack([errors.min(axis=0), errors.max(axis=0)], axis=1),
    )


def test_no_error_is_no_offset_and_a_known_one_is_where_it_was_put(tmp_path, scan):
    toy, none = np.zeros((60, 25), dtype=np.float32), np.zeros_like(scan.spectra)
    toy[:, 7] = 0.25
    write_run(tmp_path, Job("standard", "toy", "pca", 0), scan, toy)
    write_run(tmp_path, Job("standard", "toy", "lstm_vae", 0), scan, 0 * toy)
    planted, exact = violins.draw_toy(tmp_path, "standard").get_axes()
    np.testing.assert_allclose(marks_of(planted), 0.25 * (np.arange(25) == 7))
    np.testing.assert_array_equal(marks_of(exact), 0)
    assert planted.get_title() == "PCA, 1 seed: RMS offset 0.05, mean spread 0"
    assert exact.get_title().endswith("RMS offset 0, mean spread 0")

    # Stored where the resonance's own voltage is greatest, drawn where the axis says so.
    steps = scan.n_steps
    none[:, steps + np.argmax(scan.voltages[1])] = 0.5
    write_run(tmp_path, Job("standard", "beps", "pca", 0), scan, none)
    piezoresponse, resonance = violins.draw_scan(tmp_path, "standard").get_axes()
    np.testing.assert_array_equal(marks_of(piezoresponse), 0)
    assert scan.voltages[0][np.argmax(marks_of(resonance))] == pytest.approx(
        scan.voltages[1].max(), abs=0.01 * np.ptp(scan.voltages[1])
    )
    assert np.sort(marks_of(resonance))[-2:] == pytest.approx([0, 0.5])
    labels = [text.get_text() for text in resonance.get_xticklabels()]
    assert labels == [
        f"{volts:.0f}".replace("-", "−")
        for volts in scan.voltages[0][resonance.get_xticks().astype(int)]
    ]


def test_offset_and_spread_are_means_over_the_seeds(tmp_path, scan):
    shape = (60, 25)
    for seed, offset in enumerate((0.1, -0.3)):
        write_run(
            tmp_path,
            Job("standard", "toy", "pca", seed),
            scan,
            np.full(shape, offset, dtype=np.float32),
        )
    (ax,) = violins.draw_toy(tmp_path, "standard").get_axes()
    np.testing.assert_allclose(marks_of(ax), -0.1, rtol=1e-5)
    assert "2 seeds: RMS offset 0.2," in ax.get_title()


def test_outliers_are_left_out_and_their_share_is_said(tmp_path, scan):
    errors = np.random.default_rng(0).uniform(-0.1, 0.1, scan.spectra.shape).astype(np.float32)
    errors[: len(errors) // 250] = 50
    write_run(tmp_path, Job("standard", "beps", "pca", 0), scan, errors)
    fig = violins.draw_scan(tmp_path, "standard")
    assert all(ax.get_ylim()[1] == pytest.approx(0.1, rel=0.01) for ax in fig.get_axes())
    assert "Beyond ±0.10 z-scores, left out: 0.5 % (by row)" in texts(fig)
    assert (
        max(
            path.vertices[:, 1].max()
            for ax in fig.get_axes()
            for body in violins_of(ax)
            for path in body.get_paths()
        )
        < 0.2
    )


def test_errors_of_a_scan_with_units_are_drawn_in_them(tmp_path, monkeypatch):
    """A model that is off by up to half a deviation at every step of both channels."""
    aligned, volts = twin.simulate(shape=(6, 7)).aligned()
    response, resonance = (aligned[:, channel].reshape(6, 7, -1) for channel in (0, 1))
    channels = {"piezoresponse": 3e-12 * response, "resonance": 3e5 + 800 * resonance}
    np.savez(tmp_path / "MY.npz", **channels, voltages=volts, units=["m", "Hz"])
    scan = replicate.read(tmp_path / "MY.npz")
    monkeypatch.setattr(violins.sources, "load_scan", lambda provenance: scan)
    errors = np.linspace(0, 0.5, 42, dtype=np.float32)[:, np.newaxis] * np.ones_like(scan.spectra)
    write_run(tmp_path, Job("standard", "beps", "pca", 0), scan, errors)
    fig = violins.draw_scan(tmp_path, "standard")
    deviations = (1e12 * channels["piezoresponse"].std(), 1e-3 * channels["resonance"].std())
    for ax, deviation, unit in zip(fig.get_axes(), deviations, ("pm", "kHz")):
        assert ax.get_ylabel().endswith(f"error ({unit})")
        np.testing.assert_allclose(marks_of(ax), 0.25 * deviation, rtol=1e-3)
        assert f"RMS offset {0.25 * deviation:.3g}" in ax.get_title()
        assert ax.get_ylim()[1] == pytest.approx(0.5 * deviation, rel=1e-3)


def test_channels_of_one_unit_keep_their_own_limits(tmp_path, monkeypatch):
    """Their deviations differ tenfold."""
    aligned, volts = twin.simulate(shape=(6, 7)).aligned()
    response = aligned[:, 0].reshape(6, 7, -1)
    np.savez(
        tmp_path / "MY.npz",
        piezoresponse=response,
        another=10 * response,
        voltages=volts,
        units=["V", "V"],
    )
    scan = replicate.read(tmp_path / "MY.npz")
    monkeypatch.setattr(violins.sources, "load_scan", lambda provenance: scan)
    write_run(tmp_path, Job("standard", "beps", "pca", 0), scan)
    first, second = (ax.get_ylim()[1] for ax in violins.draw_scan(tmp_path, "standard").get_axes())
    assert second == pytest.approx(10 * first, rel=1e-3)


def test_pixels_show_the_mean_of_each_seed_and_the_median_of_all(results):
    axes = violins.draw_spectra(results, "standard").get_axes()
    for ax, dataset in zip(axes, violins.SCORED_SPECTRA):
        model = "dictionary_learning"
        runs = [Run.of(results, Job("standard", dataset, model, seed)) for seed in SEEDS]
        name = "gamut_mse" if dataset == "toy" else "mse"
        # The last ten pixels are held out; the others have an error a hundred thousand times less.
        errors = [
            run.arrays[name][40:] if dataset == "beps_heldout" else run.arrays[name] for run in runs
        ]
        drawn = points_of(ax)
        of_model = drawn[np.abs(drawn[:, 0] - 1) < 0.5, 1]
        expected = [*map(np.mean, errors), np.median(np.concatenate(errors))]
        np.testing.assert_allclose(np.sort(of_model), np.sort(expected))
        assert (
            ax.get_xticklabels()[1]
            .get_text()
            .startswith(f"{expected[-1]:#.2g}\n3 seeds\nDictionary")
        )


def test_costs_are_those_of_the_records_one_point_a_run(results):
    fig = cost.draw(results, "standard")
    jobs = PAPER.jobs("standard", seeds=SEEDS)
    for ax, kind in zip(fig.get_axes(), cost.COSTS):
        values = [Run.of(results, job).record["metrics"][kind] for job in jobs]
        np.testing.assert_allclose(np.sort(points_of(ax)[:, 1]), np.sort(values))
        assert ax.get_yscale() == "log"
    assert "on abacus, 2 cores" in texts(fig)


@pytest.mark.parametrize(
    "script, missing, drawn", [(violins, "beps", ["violins_toy.png"]), (cost, "toy_shuffled", [])]
)
def test_missing_runs_are_an_error_and_do_not_stop_what_can_be_drawn(
    script, missing, drawn, tmp_path, scan, capsys
):
    write_run(tmp_path, Job("standard", "toy", "pca", 0), scan)
    assert script.main(["--results", str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert f"error: {tmp_path / 'standard' / missing}" in message and f"--only {missing}" in message
    assert [path.name for path in (tmp_path / "standard").glob("figures/*.png")] == drawn


def test_a_model_without_complete_runs_is_left_out_and_named(tmp_path, scan):
    write_study(tmp_path, scan, ("toy",), seeds=(0,))
    run = Run.of(tmp_path, Job("standard", "toy", "lstm_vae", 0))
    write_json(run.folder / "record.json", seals.sealed({"key": "0", "status": "failed"}))
    fig = violins.draw_toy(tmp_path, "standard")
    assert len(fig.get_axes()) == 2 and "Not run: LSTM β-VAE on toy" in texts(fig)


def test_seeds_on_different_data_are_not_pooled(tmp_path, scan, capsys):
    write_study(tmp_path, scan, ("toy",), seeds=(0, 1))
    run = Run.of(tmp_path, Job("standard", "toy", "pca", 1))
    write_json(
        run.folder / "record.json",
        seals.sealed(run.record | {"provenance": {"spectra": "formula", "picture": "painting"}}),
    )
    assert violins.main(["--results", str(tmp_path)]) == 2
    assert (
        "runs on different data (painting and formula; sample photograph and formula)"
        in capsys.readouterr().err
    )
