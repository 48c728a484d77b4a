"""The schematic shows the network whose weights are stored, every weight in one of its boxes."""

from __future__ import annotations

import re

import numpy as np
import pytest
from matplotlib.figure import Figure

from figures import fig3
from replicate import seals
from replicate.errors import ReplicationError
from replicate.files import write_json, write_npz
from replicate.running.runs import Run
from replicate.study.job import Job

N_STEPS, CHANNELS, LATENTS = 12, 2, 16


def lstm(name, inputs, width):
    parts = {
        "i2h_weight": (4 * width, inputs),
        "h2h_weight": (4 * width, width),
        "i2h_bias": (4 * width,),
        "h2h_bias": (4 * width,),
    }
    return {
        f"{name}.lstm._unfused.0.{side}_cell.{part}": shape
        for side in "lr"
        for part, shape in parts.items()
    }


def dense(name, inputs, outputs):
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def shapes(n_blocks, n_layers, width, n_embedding, n_own, patch, linear_path):
    """Names and shapes of the weights of a network of this form."""
    both = 2 * width
    features = CHANNELS * patch
    n_inputs = n_embedding or LATENTS
    weights = lstm("encoder.summary", both if n_blocks else features, width)
    weights |= lstm("decoder.first", n_inputs + n_own, width)
    for block in range(n_blocks):
        for layer in range(n_layers):
            is_first = block == 0 and layer == 0
            inputs = features if is_first else both
            weights |= lstm(f"encoder.blocks.{block}.layers.{layer}", inputs, width)
            weights |= lstm(f"decoder.blocks.{block}.layers.{layer}", both, width)
    if n_blocks:
        weights["encoder.blocks.0.skip.weight"] = (both, features)
    if n_embedding:
        weights |= dense("encoder.embedding", both, n_embedding)
        weights |= dense("decoder.embedding", LATENTS, n_embedding)
    weights |= dense("encoder.mean", n_embedding or both, LATENTS)
    weights |= dense("encoder.log_variance", n_embedding or both, LATENTS)
    if n_own:
        weights |= dense("decoder.own", n_inputs, N_STEPS // patch * n_own)
    if linear_path:
        weights |= dense("encoder.linear", N_STEPS * CHANNELS, LATENTS)
        weights |= dense("decoder.linear", LATENTS, N_STEPS * CHANNELS)
    return weights | dense("decoder.output", both, features)


OURS = {
    "n_blocks": 0,
    "n_layers": 1,
    "width": 8,
    "n_embedding": 24,
    "n_own": 5,
    "patch": 4,
    "linear_path": True,
}
PAPER = {
    "n_blocks": 3,
    "n_layers": 2,
    "width": 8,
    "n_embedding": 16,
    "n_own": 0,
    "patch": 1,
    "linear_path": False,
}
BARE = PAPER | {"n_blocks": 0, "n_embedding": 0}
FORMS = {"ours": OURS, "paper": PAPER, "bare": BARE}


def write_run(results, dataset, form, n_more=0):
    run = Run.of(results, Job("smoke", dataset, "lstm_vae", 0))
    weights = {name: np.zeros(shape, dtype=np.float32) for name, shape in shapes(**form).items()}
    write_npz(run.folder / "weights.npz", **weights)
    write_npz(run.folder / "arrays.npz", index_bias=np.zeros(N_STEPS * CHANNELS))
    write_json(run.folder / "config.json", {"parameters": {"patch": form["patch"]}})
    metrics = {
        "n_parameters": sum(array.size for array in weights.values()) + n_more,
        "active_channels": 5,
    }
    provenance = {"spectra": "simulated twin"}
    if dataset == "toy":
        provenance = {"spectra": "formula", "picture": "sample photograph"}
    write_json(
        run.folder / "record.json",
        seals.sealed(
            {"key": "0", "status": "complete", "provenance": provenance, "metrics": metrics}
        ),
    )
    return run


def draw(run):
    ax = Figure().subplots()
    fig3.draw_network(ax, run, "test")
    return ax


def numbers(ax):
    """Return the number of weights that each box and each skip connection states."""
    texts = [text.get_text() for text in ax.texts]
    last = [text.rpartition("\n")[2] for text in texts if "\n" in text]
    stated = [line for line in last if re.fullmatch(r"[\d,]+", line)]
    stated += [
        text.rpartition(": ")[2]
        for text in texts
        if text.startswith("linear path") or "skip, linear" in text
    ]
    return [int(number.replace(",", "")) for number in stated]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_weight_stands_in_one_box(form, tmp_path):
    run = write_run(tmp_path, "beps", form)
    ax = draw(run)
    assert sum(numbers(ax)) == run.record["metrics"]["n_parameters"]
    assert f"{run.record['metrics']['n_parameters']:,} weights" in ax.get_title(loc="left")


def test_boxes_state_shapes_and_counts(tmp_path):
    """By hand: two directions of four gates, which read inputs and state, each with two biases."""
    texts = {text.get_text() for text in draw(write_run(tmp_path, "beps", OURS)).texts}
    assert "spectrum\n12 × 2" in texts and "4 steps\nas one\n3 × 8" in texts
    assert f"BiLSTM 8,\nlast state\n16\n{2 * 4 * 8 * (8 + 8 + 2):,}" in texts
    assert f"BiLSTM 8\n3 × 16\n{2 * 4 * 8 * (24 + 5 + 8 + 2):,}" in texts
    assert f"of each\nstep's own\n3 × 5\n{3 * 5 * (24 + 1)}" in texts
    assert (
        f"mean\n16\n{16 * (24 + 1)}" in texts
        and f"linear path: {16 * (24 + 1)}" in texts
        and f"linear path: {24 * (16 + 1)}" in texts
    )
    assert "sampled\nlatents\n16 (5 active)" in texts and "recon-\nstruction\n12 × 2" in texts


def test_residual_blocks_are_framed_and_the_first_skip_is_linear(tmp_path):
    texts = [text.get_text() for text in draw(write_run(tmp_path, "beps", PAPER)).texts]
    assert sum(text.startswith("BiLSTM 8\n") for text in texts) == 2 * 3 * 2 + 1
    assert [text for text in texts if text.startswith("block")].count("block 3: skip") == 2
    assert f"block 1: skip, linear: {16 * 2}" in texts and "block 1: skip" in texts


def test_no_box_lies_upon_another(tmp_path):
    for name, form in FORMS.items():
        boxes = [
            patch.get_extents() for patch in draw(write_run(tmp_path / name, "beps", form)).patches
        ]
        overlaps = [
            a.x0 < b.x1 and b.x0 < a.x1 and a.y0 < b.y1 and b.y0 < a.y1
            for i, a in enumerate(boxes)
            for b in boxes[:i]
        ]
        assert len(boxes) > 6 and not any(overlaps)


def test_weights_of_another_run_are_refused(tmp_path):
    with pytest.raises(ReplicationError, match="n_parameters"):
        draw(write_run(tmp_path, "beps", OURS, n_more=1))


def test_the_script_draws_both_networks_stamped(tmp_path, capsys):
    assert fig3.main(["--results", str(tmp_path), "--profile", "smoke"]) == 2
    assert "toy/lstm_vae" in capsys.readouterr().err
    write_run(tmp_path, "toy", BARE)
    write_run(tmp_path, "beps", OURS)
    fig = fig3.draw(tmp_path, "smoke")
    foot = " ".join(text.get_text() for text in fig.texts)
    assert (
        "simulated twin" in foot
        and "not the paper's data" in foot
        and "3 residual blocks of 2" in foot
    )
    assert [ax.get_title(loc="left").split(": ")[0] for ax in fig.get_axes()] == [
        "LSTM β-VAE, toy problem",
        "LSTM β-VAE, BEPS scan",
    ]
