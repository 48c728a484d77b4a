"""``run --scan``: a scan of the user's own goes through models, figures and report.

Without one the study is as it ever was.
"""

from __future__ import annotations

import importlib
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import claims, report
from replicate import cli, seals
from replicate.data import sources, twin
from replicate.data.user_scan.scan_file import read_scan
from replicate.errors import ReplicationError
from replicate.files import read_json, write_json
from replicate.numbers.kinds import kind_of
from replicate.numbers.metrics import read_metrics
from replicate.numbers.tables import caption, results_table
from replicate.provenance import Sources
from replicate.running import execute, runs
from replicate.running.collect import collect
from replicate.study import family, sweeps
from replicate.study.family import PAPER_SCAN, ScanSizes
from replicate.study.job import Job, describe
from replicate.study.studies import FAMILY, OWN_SCAN, PAPER, study_in

ROOT = Path(__file__).resolve().parents[1]

SHAPE = (10, 12)
DRAWN = PAPER.models["beps"]


def write_scan(path, channels, shape=SHAPE, missing=(), seed=0):
    """Write a scan of some channels of the twin, or made of them, in units of their own."""
    scan = twin.simulate(seed, shape)
    piezoresponse, resonance = (
        scan.map(values) for values in scan.align(scan.spectra).swapaxes(0, 1)
    )
    values = {
        "piezoresponse": 3e-5 * piezoresponse,
        "resonance": 1.3e6 + 2e3 * resonance,
        "Q factor": 100 + 5 * np.abs(resonance),
    }
    values = {name: values[name] for name in channels}
    for pixel in missing:
        values["piezoresponse"][pixel] = np.nan
    np.savez(path, **values, voltages=scan.voltages[0])
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder for scans and results, with a cache of its own."""
    folder = tmp_path_factory.mktemp("own")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPLICATE_CACHE", str(folder / "cache"))
        yield folder


# Without --scan nothing changes


@pytest.fixture(scope="module")
def simulated():
    return sources.load_scan("simulated twin")


@pytest.mark.parametrize("job", [*FAMILY.jobs("standard"), *sweeps.jobs("smoke")[::9]], ids=str)
def test_a_scan_like_the_paper_s_is_fitted_as_the_paper_s(job, simulated):
    """60 x 60 pixels, two channels and 96 steps ask for nothing else."""
    if job.domain == "beps":
        assert describe(job, ScanSizes.of(simulated)) == describe(job)


def test_the_configuration_of_the_study_has_no_trace_of_it():
    provenance = Sources(scan="simulated twin", picture="sample photograph")
    config = execute.configuration(Job("smoke", "beps_heldout", "pca", 0), provenance)
    asked = {"profile", "dataset", "model", "seed", "variant", "parameters", "data", "numpy"}
    asked |= {"on_picture", "arithmetic", "init_seed"}
    assert config.keys() == asked | {"provenance", "data_sha256", "code", "packages"}
    assert config["provenance"] == {"spectra": "simulated twin"} and config["data_sha256"] == {}


# What is run, and how it is fitted to the scan


def test_every_model_is_fitted_to_folds_of_the_scan():
    jobs = OWN_SCAN.jobs("smoke")
    assert {job.model for job in jobs if job.dataset == "beps_heldout"} == (
        set(family.MODELS) - set(family.ON_REQUEST)
    )
    assert {job.dataset for job in jobs} == {"beps", "beps_heldout"} and {*DRAWN} < {
        job.model for job in jobs if job.dataset == "beps"
    }
    assert {str(job) for job in OWN_SCAN.jobs("smoke", ("ica",), (3,))} == {
        "beps_heldout/ica/seed3"
    }
    assert {job.model for job in OWN_SCAN.jobs("paper")} == {
        "pca",
        "dictionary_learning",
        "lstm_vae",
    }
    with pytest.raises(ReplicationError, match="--only toy: the own scan study has no such run"):
        OWN_SCAN.jobs("smoke", ("toy",))


@pytest.mark.parametrize(("n_steps", "patch"), [(96, 8), (99, 3), (50, 5), (97, 1)])
def test_patches_divide_the_steps(n_steps, patch):
    job = Job("standard", "beps", "lstm_vae", 0)
    chosen = family.parameters(job, PAPER_SCAN._replace(n_channels=3, n_steps=n_steps))
    assert (chosen["patch"], chosen["n_channels"]) == (patch, 3)


@pytest.mark.parametrize(("n_pixels", "factor"), [(900, 4), (3600, 1), (40_000, 1)])
def test_fewer_pixels_get_as_many_more_epochs(n_pixels, factor):
    job = Job("standard", "beps", "dense_vae", 0)
    settling = [
        family.parameters(job, scan)["schedule"].settle_epochs
        for scan in (PAPER_SCAN, PAPER_SCAN._replace(n_spectra=n_pixels))
    ]
    assert settling[1] == factor * settling[0]


# From file to metrics


def run(path, results, *more):
    return cli.main(
        [
            "run",
            "--scan",
            str(path),
            "--profile",
            "smoke",
            "--results",
            str(results),
            "--no-figures",
            *more,
        ]
    )


@pytest.fixture(scope="module")
def finished(folder):
    """Return the results of PCA on a scan of three channels with two pixels missing."""
    path = write_scan(
        folder / "three.npz", ("piezoresponse", "resonance", "Q factor"), missing=[(0, 0), (4, 7)]
    )
    assert run(path, folder / "results", "--only", "pca") == 0
    return folder / "results" / "three"


def test_every_channel_is_scored_by_its_name(finished):
    metrics = read_metrics(finished / "smoke" / "metrics.json")["metrics"]
    channels = ("piezoresponse", "resonance", "q_factor")
    by_channel = [
        metrics[f"beps_heldout.pca.heldout_mse_{channel}"]["value"] for channel in channels
    ]
    assert np.mean(by_channel) == pytest.approx(
        metrics["beps_heldout.pca.heldout_mse"]["value"], rel=1e-5
    )
    assert len({entry["provenance"] for entry in metrics.values()}) == 1
    kinds = {name.rpartition(".")[2] for name in metrics}
    assert {"shoulder_auc", "error_explained", "softening_recovered"} < kinds and not {
        "authors_rms",
        "error_moran",
    } & kinds
    assert kind_of("beps.pca.shape_worst_q_factor") == kind_of(
        "beps.pca.shape_worst_piezoresponse"
    )._replace(description="correlation of the q_factor of the worst pixel with its reconstruction")
    table = results_table(metrics, OWN_SCAN)
    after, before = (
        list(table.columns).index(name) for name in ("held-out", "held-out, best code")
    )
    assert tuple(table.columns[after + 1 : before]) == (*channels[:1], *sorted(channels[1:]))
    assert "toy gamut" not in table.columns
    assert f"Data: {next(iter(metrics.values()))['provenance']}." in caption(
        metrics, OWN_SCAN
    ) and "toy" not in caption(metrics, OWN_SCAN)


def test_the_scores_are_those_of_the_file(finished, folder):
    """Components of PCA computed here, from the file alone."""
    scan = read_scan(folder / "three.npz")
    discarded = np.linalg.svd(
        scan.spectra - scan.spectra.mean(axis=0, dtype=float), compute_uv=False
    )[5:]
    stored = runs.load(finished, "smoke", "beps", "pca").record
    assert stored["metrics"]["mse"] == pytest.approx(
        (discarded**2).sum() / scan.spectra.size, rel=1e-4
    )
    assert stored["data_sha256"] == scan.hashes and stored["provenance"] == {
        "spectra": scan.provenance
    }


def test_the_same_file_is_the_same_wherever_it_lies_and_another_is_not(finished, folder):
    moved = shutil.copy(folder / "three.npz", folder / "moved.npz")
    job = Job("smoke", "beps", "pca", 0)
    config = execute.configuration(job, sources.bring(moved))
    assert runs.Run.of(finished, job).is_complete(config)
    other = execute.configuration(
        job, sources.bring(write_scan(folder / "another.npz", ("piezoresponse",), seed=1))
    )
    assert not runs.Run.of(finished, job).is_complete(other)


def test_its_results_are_told_from_those_of_the_study(finished, folder, capsys):
    assert cli.main(["status", "--profile", "smoke", "--results", str(finished)]) == 0
    assert {line.split("/")[0] for line in capsys.readouterr().out.splitlines()} == {
        "beps",
        "beps_heldout",
    }
    assert study_in(finished / "smoke") is OWN_SCAN and study_in(folder / "nowhere") is PAPER


def test_dry_run_prints_what_is_fitted_to_the_scan(folder, capsys):
    path = write_scan(folder / "dry.npz", ("piezoresponse",), shape=(5, 7))
    assert run(path, folder / "nowhere", "--dry-run") == 0
    described = json.loads(capsys.readouterr().out)
    assert {job["parameters"].get("n_channels", 1) for job in described} == {1} and not (
        folder / "nowhere"
    ).exists()


def test_users_errors(folder, capsys):
    path = write_scan(folder / "mine.npz", ("piezoresponse",))
    for arguments, message in [
        (["run", "--scan", str(path), "--data", "measured"], "Leave one of the two out"),
        (["run", "--scan", str(folder / "absent.npz")], "absent.npz: no such file"),
    ]:
        assert cli.main(arguments) == 2
        assert message in capsys.readouterr().err
    provenance = sources.bring(path).scan
    shutil.rmtree(folder / "cache" / "scans")
    sources._load_own.cache_clear()
    with pytest.raises(
        ReplicationError, match=f"no copy of {provenance} any more. Run with --scan"
    ):
        sources.load_scan(provenance)


def test_its_numbers_are_never_judged(finished):
    document = read_metrics(finished / "smoke" / "metrics.json")
    assert {claims.judge(claim, document)["verdict"] for claim in claims.read()} == {"not testable"}


# Figures and report


@pytest.fixture(
    scope="module",
    params=[("piezoresponse",), ("piezoresponse", "resonance", "Q factor")],
    ids=["one channel", "three"],
)
def complete(request, folder):
    """Return a results folder with every run that is drawn: what PCA left, under every name."""
    name = f"{len(request.param)}channels"
    provenance = sources.bring(write_scan(folder / f"{name}.npz", request.param, missing=[(3, 3)]))
    results = folder / name
    for job in OWN_SCAN.jobs("smoke", DRAWN):
        fitted = replace(job, model="pca")
        if (made := runs.Run.of(results, fitted)).status != "complete":
            execute.execute(fitted, provenance, results)
        if job != fitted:
            shutil.copytree(made.folder, runs.Run.of(results, job).folder)
            write_json(
                runs.Run.of(results, job).folder / "record.json",
                seals.sealed(made.record | {"model": job.model}),
            )
    collect("smoke", [0], provenance, results)
    return results


@pytest.mark.parametrize("name", ["fig5", "descriptors", "violins", "cost"])
def test_a_figure_is_drawn(name, complete):
    if name in ("violins", "cost") and "3" in complete.name:
        pytest.skip("takes long, and draws more channels as it draws one")
    assert (
        importlib.import_module(f"figures.{name}").main(
            ["--results", str(complete), "--profile", "smoke"]
        )
        == 0
    )
    drawn = {path.stem for path in (complete / "smoke" / "figures").glob("*.png")}
    assert (
        {"violins_beps", "violins_pixels"} <= drawn and "violins_toy" not in drawn
        if name == "violins"
        else name in drawn
    )


def test_every_channel_and_blank_pixels_are_in_the_figure(complete):
    fig = importlib.import_module("figures.fig4").draw(complete, "smoke")
    labels = {ax.get_ylabel() for ax in fig.get_axes()}
    assert ("q_factor\n(z-score)" in labels) == complete.name.startswith("3")
    assert "piezoresponse\n(z-score)" in labels
    images = [
        image.get_array()
        for ax in fig.get_axes()
        for image in ax.images
        if image.get_array().shape == SHAPE
    ]
    assert images and all(
        np.ma.masked_invalid(image).mask.sum() == np.ma.masked_invalid(image).mask[3, 3] == 1
        for image in images
    )
    foot = " ".join(text.get_text() for text in fig.texts)
    assert (
        "Blank: 1 pixels without data" in foot
        and "own scan " in foot
        and "not the paper's data" not in foot
    )
    assert "12 pixels" in {ax.get_xlabel() for ax in fig.get_axes()}


def test_runs_on_two_files_are_not_drawn_together(complete, tmp_path, capsys):
    shutil.copytree(complete, tmp_path / "mixed")
    path = tmp_path / "mixed" / "smoke" / "beps" / "pca" / "seed0" / "record.json"
    write_json(
        path, seals.sealed(read_json(path) | {"provenance": {"spectra": "own scan 000000000000"}})
    )
    assert (
        importlib.import_module("figures.fig4").main(
            ["--results", str(tmp_path / "mixed"), "--profile", "smoke"]
        )
        == 2
    )
    assert "different data" in capsys.readouterr().err


def test_the_report_is_on_the_scan(complete):
    page = report.write(complete, "smoke").read_text(encoding="utf-8")
    assert "Your scan in brief" in page and "<li>10 x 12 pixels, 1 of them blank</li>" in page
    assert (
        "nothing is to be concluded" in page and "components of PCA one more does not pay" in page
    )
    assert re.search("<code>nox -s replicate -- .*--seed 0 1 2 3 4</code>", page)
    assert (
        'id="claims"' not in page
        and 'id="verdicts"' not in page
        and "DIFFERENT" not in page
        and "toy gamut" not in page
    )
    assert "table1" not in page


def test_help_tells_of_it(capsys):
    with pytest.raises(SystemExit):
        cli.main(["run", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "--scan FILE" in shown and "piezoresponse, (rows, cols, steps)" in shown
