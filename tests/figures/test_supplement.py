"""The sheets of the supplement show what the runs hold; the runs are made up."""

from __future__ import annotations

import numpy as np
import pytest

from figures import supplement, supplement_scan, supplement_toy
from figures.shared import style
from replicate import seals
from replicate.data import sources, toy
from replicate.files import write_json, write_npz
from replicate.running.runs import Run
from replicate.study.job import Job, describe

SIZES = {"n_train": 50, "n_gamut": 4000}
LAMBDAS = np.array([0.1, 0.57, 1.0])
KL = np.array([0.0, 2.0, 0.05, 3.0] + [0.0] * 12)
N_ACTIVE = 2


@pytest.fixture(scope="module")
def scan():
    return sources.load_scan("simulated twin")


@pytest.fixture(scope="module")
def colours():
    return toy.draw(0, **SIZES)


def toy_run(model, colours):
    """Return arrays and weights of a run.

    Errors are the red of a colour for PCA, and a hundredth of it for other models; the atoms are
    the first three steps of the spectrum.
    """
    red = colours.colours["gamut"][:, 0]
    arrays = {"gamut_mse": red if model == "pca" else red / 100}
    atoms = np.eye(3, toy.N_STEPS)
    weights = {"components_": atoms}
    if model == "pca":
        weights |= {"mean_": np.zeros(toy.N_STEPS), "explained_variance_": np.ones(3)}
    elif model == "dictionary_learning":
        arrays |= {
            "search_lambda": LAMBDAS,
            "search_mse": LAMBDAS / 2,
            "search_mse_coded_at_1": LAMBDAS * 0 + 0.5,
            "search_objective": LAMBDAS,
        }
    else:
        weights = {
            "encoder.mean.weight": atoms,
            "encoder.mean.bias": np.zeros(3),
            "encoder.log_variance.weight": atoms,
            "encoder.log_variance.bias": np.zeros(3),
            "decoder.output.weight": atoms.T,
            "decoder.output.bias": np.zeros(toy.N_STEPS),
        }
        arrays |= {"channel_kl": np.ones(3)}
    return arrays, weights


def scan_run(model, scan):
    rng = np.random.default_rng(0)
    arrays = {
        "generated_values": np.tile(np.linspace(-1, 1, 9), (2, 1)),
        "generated": np.tile(scan.spectra[:9], (2, 1, 1)),
    }
    if model == "lstm_vae":
        arrays["latents"] = rng.normal(size=(len(scan.spectra), 16)) * (KL != 0)
        arrays["components"] = np.array([3, 1])
        arrays["channel_kl"] = KL
    else:
        arrays["latents"] = rng.normal(size=(len(scan.spectra), 2))
        arrays["components"] = np.array([1, 0])
    return arrays, {}


@pytest.fixture(scope="module")
def results(tmp_path_factory, scan, colours):
    folder = tmp_path_factory.mktemp("results")
    for dataset, make_run, data, provenance in (
        ("toy", toy_run, colours, {"spectra": "formula", "picture": "painting"}),
        ("beps", scan_run, scan, {"spectra": "simulated twin"}),
    ):
        for model in ("pca", "dictionary_learning", "lstm_vae"):
            job = Job("smoke", dataset, model, 0)
            run = Run.of(folder, job)
            arrays, weights = make_run(model, data)
            write_npz(run.folder / "arrays.npz", **arrays)
            write_npz(
                run.folder / "weights.npz",
                **{name: array.astype(np.float32) for name, array in weights.items()},
            )
            write_json(run.folder / "config.json", describe(job) | {"data": SIZES})
            metrics = {"gamut_mse": 0.3, "best_lambda": 0.1}
            if model == "lstm_vae":
                metrics["active_channels"] = N_ACTIVE
            write_json(
                run.folder / "record.json",
                seals.sealed(
                    {"key": "0", "status": "complete", "provenance": provenance, "metrics": metrics}
                ),
            )
    return folder


def foot(fig):
    return " ".join(text.get_text() for text in fig.texts)


def test_the_search_shows_every_lambda_the_paper_s_and_pca(results):
    errors, losses = supplement_toy.draw_lambda(results, "smoke").get_axes()
    drawn = {line.get_label(): line for line in errors.lines}
    np.testing.assert_array_equal(
        drawn["coded with the same λ"].get_xydata(), np.c_[LAMBDAS, LAMBDAS / 2]
    )
    np.testing.assert_array_equal(drawn["coded with λ = 1"].get_ydata(), 0.5)
    assert drawn["PCA, as many components"].get_ydata()[0] == 0.3
    assert drawn["the paper's λ = 0.57"].get_xdata()[0] == 0.57
    np.testing.assert_array_equal(losses.lines[0].get_ydata(), LAMBDAS)
    assert "0.1" in errors.get_title()


def test_errors_lie_at_their_colours(results):
    fig = supplement_toy.draw_gamut(results, "smoke")
    planes = [ax for ax in fig.get_axes() if ax.collections and ax.get_xlabel().endswith("(1)")]
    assert [ax.get_xlabel()[0] + ax.get_ylabel()[0] for ax in planes] == [
        *supplement_toy.PLANES
    ] * 3
    for ax in planes[:2]:
        hexagons = ax.collections[0]
        x = hexagons.get_offsets()[:, 0]
        np.testing.assert_allclose(hexagons.get_array(), np.clip(x, 0.02, 0.98), atol=0.05)
    blue_over_green = planes[2].collections[0]
    assert np.abs(np.asarray(blue_over_green.get_array()) - 0.5).mean() < 0.1
    assert len({ax.collections[0].norm for ax in planes}) == 1


def test_examples_are_those_of_the_errors_and_decoded_from_the_weights(results, colours):
    """The models have the first three steps, so that a reconstruction is right there and 0 after.

    Lasso shrinks the three steps by lambda.
    """
    fig = supplement_toy.draw_gamut(results, "smoke")
    panels = [ax for ax in fig.get_axes() if ax.get_title().startswith("worst")]
    worst = colours.gamut[np.argmax(colours.colours["gamut"][:, 0])]
    reconstructions = [ax.lines[1].get_ydata() for ax in panels]
    for ax, reconstruction in zip(panels, reconstructions):
        np.testing.assert_array_equal(ax.lines[0].get_ydata(), worst)
        np.testing.assert_array_equal(reconstruction[3:], 0)
    shrunk = np.sign(worst) * np.maximum(np.abs(worst) - 0.57, 0)
    for reconstruction, expected in zip(reconstructions, (worst, shrunk, worst)):
        np.testing.assert_allclose(reconstruction[:3], expected[:3], atol=1e-5)


@pytest.mark.parametrize("name", ["s5_dictionary", "s10_vae"])
def test_every_latent_has_its_map_and_its_spectra(name, results):
    fig = supplement.SHEETS[name](results, "smoke")
    maps = [ax for ax in fig.get_axes() if ax.images]
    assert [ax.get_title() for ax in maps] == [
        f"component {i}" for i in ((1, 0) if name == "s5_dictionary" else (3, 1))
    ]
    assert [len(ax.lines) for ax in fig.get_axes() if ax.get_xlabel() == "voltage (V)"] == [9] * 4
    assert "simulated twin" in foot(fig) and "Channels aligned" in foot(fig)


def test_maps_are_of_the_channels_in_use(results, scan):
    fig = supplement_scan.draw_channels(results, "smoke")
    maps = {ax.get_title(): ax.images[0].get_array() for ax in fig.get_axes() if ax.images}
    assert list(maps) == [
        "channel 3: KL 3.0 nats",
        "channel 1: KL 2.0 nats",
        "channel 2: KL 0.050 nats",
    ]
    latents = Run.of(results, Job("smoke", "beps", "lstm_vae", 0)).arrays["latents"]
    drawn, expected = maps["channel 1: KL 2.0 nats"], scan.map(latents[:, 1])
    np.testing.assert_array_equal(np.abs(drawn), np.abs(expected))
    assert "13 channels were switched off" in foot(fig)
    bars = fig.get_axes()[0].patches
    assert [bar.get_height() for bar in bars] == sorted(KL, reverse=True)


def test_correlations_are_of_ranks_and_leave_out_what_means_nothing():
    latents = np.c_[np.arange(10.0), np.zeros(10)]
    switches = np.arange(10) < 9
    descriptors = {
        "area": np.exp(latents[:, 0]),
        "imprint": np.r_[-latents[:9, 0], 100.0],
        "tilt": np.ones(10),
    }
    np.testing.assert_allclose(
        supplement_scan.correlations(latents, descriptors, switches), [[1, 0], [-1, 0], [0, 0]]
    )
    np.testing.assert_array_equal(
        supplement_scan.correlations(latents, {"imprint": latents[:, 0]}, np.zeros(10, dtype=bool)),
        0,
    )


def test_the_table_of_correlations_has_every_descriptor(results):
    fig = supplement_scan.draw_correlations(results, "smoke")
    tables = [ax for ax in fig.get_axes() if ax.images]
    assert [ax.images[0].get_array().shape for ax in tables] == [(16, 2), (16, 2)]
    assert "coercive voltage +" in [label.get_text() for label in tables[0].get_yticklabels()]


def test_a_model_without_latents_in_use_is_drawn_empty(tmp_path, scan):
    run = Run.of(tmp_path, Job("smoke", "beps", "lstm_vae", 0))
    arrays = {
        "latents": np.zeros((len(scan.spectra), 16)),
        "components": np.zeros(0, dtype=int),
        "channel_kl": np.zeros(16),
    }
    write_npz(run.folder / "arrays.npz", **arrays)
    record = {
        "key": "0",
        "status": "complete",
        "provenance": {"spectra": "simulated twin"},
        "metrics": {"active_channels": 0},
    }
    write_json(run.folder / "record.json", seals.sealed(record))
    for draw in (supplement_scan.draw_channels, supplement_scan.draw_vae):
        paths = style.save(draw(tmp_path, "smoke"), tmp_path, "empty")
        assert all(path.exists() for path in paths)


def test_a_sheet_that_cannot_be_drawn_does_not_keep_the_others(results, monkeypatch, capsys):
    monkeypatch.setattr(
        supplement,
        "SHEETS",
        {"s5": supplement_scan.draw_dictionary, "s3": supplement_toy.draw_lambda},
    )
    assert supplement.main(["--results", str(results / "nowhere")]) == 2
    assert capsys.readouterr().err.count("error: ") == 2
    monkeypatch.setattr(
        supplement,
        "SHEETS",
        {
            "missing": lambda *_: supplement_toy.draw_lambda("nowhere", "smoke"),
            "s3": supplement_toy.draw_lambda,
        },
    )
    assert supplement.main(["--results", str(results), "--profile", "smoke"]) == 2
    assert (results / "smoke" / "figures" / "s3.png").exists()
