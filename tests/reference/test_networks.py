"""The recurrent forward pass in NumPy, without MXNet: known answers, symmetries, damaged weights.

tests/models/test_network.py holds it against the Gluon network.
"""

from __future__ import annotations

import os
import subprocess
import sys
from math import exp, log, tanh

import numpy as np
import pytest

from replicate.errors import ReplicationError
from replicate.files import read_npz, write_npz
from replicate.reference import base, kl
from replicate.reference.lstm import LSTMNetwork

STEPS, CHANNELS, LATENTS, WIDTH = 5, 2, 4, 3
FORMS = [(0, 1), (1, 1), (2, 2), (3, 1)]
every_form = pytest.mark.parametrize("linear_path", [False, True])
every_depth = pytest.mark.parametrize(("n_blocks", "n_layers"), FORMS)
ON = np.ones(LATENTS, dtype=bool)


def layer(name, inputs, width):
    """Names and shapes of a bidirectional layer; `l` reads forwards, `r` backwards."""
    rows = 4 * width
    parts = {
        "i2h_weight": (rows, inputs),
        "h2h_weight": (rows, width),
        "i2h_bias": (rows,),
        "h2h_bias": (rows,),
    }
    return {
        f"{name}.lstm._unfused.0.{side}_cell.{part}": shape
        for side in "lr"
        for part, shape in parts.items()
    }


def dense(name, inputs, outputs):
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def shapes(
    n_blocks=0,
    n_layers=1,
    linear_path=True,
    n_channels=CHANNELS,
    n_latent=LATENTS,
    width=WIDTH,
    n_steps=STEPS,
):
    both = 2 * width
    by_name = layer("encoder.summary", both if n_blocks else n_channels, width)
    by_name |= layer("decoder.first", n_latent, width)
    for block in range(n_blocks):
        for index in range(n_layers):
            first = n_channels if block == index == 0 else both
            by_name |= layer(f"encoder.blocks.{block}.layers.{index}", first, width)
            by_name |= layer(f"decoder.blocks.{block}.layers.{index}", both, width)
    if n_blocks and n_channels != both:
        by_name["encoder.blocks.0.skip.weight"] = (both, n_channels)
    by_name |= dense("encoder.embedding", both, n_latent)
    by_name |= dense("encoder.mean", n_latent, n_latent)
    by_name |= dense("encoder.log_variance", n_latent, n_latent)
    by_name |= dense("decoder.embedding", n_latent, n_latent)
    by_name |= dense("decoder.output", both, n_channels)
    if linear_path:
        by_name |= dense("encoder.linear", n_channels * n_steps, n_latent)
        by_name |= dense("decoder.linear", n_latent, n_channels * n_steps)
    return by_name


def draw(rng, **form):
    """Random weights; the biases of the embeddings keep their ReLUs from being 0 throughout."""
    weights = {
        name: rng.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes(**form).items()
    }
    for side in ("encoder", "decoder"):
        weights[f"{side}.embedding.bias"] = np.full(LATENTS, 3, dtype=np.float32)
    return weights


def zeros(**form):
    return {name: np.zeros(shape, dtype=np.float32) for name, shape in shapes(**form).items()}


def draw_spectra(rng, n=6, n_channels=CHANNELS, n_steps=STEPS):
    return rng.normal(size=(n, n_channels * n_steps)).astype(np.float32)


def sigmoid(x):
    return 1 / (1 + exp(-x))


# Known answers.


@every_form
@every_depth
def test_zero_weights_give_the_biases(rng, n_blocks, n_layers, linear_path):
    weights = zeros(n_blocks=n_blocks, n_layers=n_layers, linear_path=linear_path)
    for name, array in weights.items():
        if name.endswith(".bias"):  # all but the LSTMs'
            weights[name] = rng.normal(size=array.shape)
    network = LSTMNetwork(weights)
    latents = rng.normal(size=(3, LATENTS))
    mean, log_variance = network.encode(draw_spectra(rng, 3))
    expected = weights["encoder.mean.bias"] + weights.get("encoder.linear.bias", 0)
    np.testing.assert_allclose(mean, np.tile(expected, (3, 1)))
    np.testing.assert_allclose(log_variance, np.tile(weights["encoder.log_variance.bias"], (3, 1)))
    stacked = np.repeat(weights["decoder.output.bias"], STEPS)
    if linear_path:
        stacked = stacked + weights["decoder.linear.bias"].reshape(STEPS, CHANNELS).T.ravel()
    np.testing.assert_allclose(network.decode(latents, STEPS), np.tile(stacked, (3, 1)))
    embeddings = {
        "encoder": network.encoder_embedding(draw_spectra(rng, 3)),
        "decoder": network.decoder_embedding(latents),
    }
    for side, embedding in embeddings.items():
        expected = np.maximum(weights[f"{side}.embedding.bias"], 0)
        np.testing.assert_allclose(embedding, np.tile(expected, (3, 1)))


#: The gates of an LSTM, in the order of their rows in the stored weights.
GATES = ("input", "forget", "candidate", "output")


def by_hand(sequence, terms):
    """Return the last state of an LSTM of one unit.

    Each gate has terms ``(input weight, state weight, input bias, state bias)``.
    """
    h = 0.0
    c = 0.0
    for x in sequence:
        total = {}
        for gate in GATES:
            input_weight, state_weight, input_bias, state_bias = terms[gate]
            total[gate] = input_weight * x + state_weight * h + input_bias + state_bias
        c = sigmoid(total["forget"]) * c + sigmoid(total["input"]) * tanh(total["candidate"])
        h = sigmoid(total["output"]) * tanh(c)
    return h


@pytest.mark.parametrize("sequence", [[0.7], [0.7, -1.2], [0.3, 0.9, -0.4]])
def test_scalar_lstm_by_hand(sequence):
    """All weights differ, so that neither gates nor directions can change places unnoticed."""
    forward = (
        (0.3, -0.2, 0.1, 0.05),
        (-0.6, 0.4, 0.7, -0.1),
        (1.1, 0.8, 0.2, 0.35),
        (0.5, 0.9, -0.3, 0.6),
    )
    backward = (
        (0.95, 0.65, -0.4, 0.25),
        (0.15, -0.5, 0.45, 0.85),
        (1.3, -0.7, 0.75, 0.55),
        (-0.8, 0.12, 0.42, 0.72),
    )
    weights = zeros(linear_path=False, n_channels=1, n_latent=2, width=1)
    for side, terms in (("l", forward), ("r", backward)):
        for part, rows in zip(("i2h_weight", "h2h_weight", "i2h_bias", "h2h_bias"), zip(*terms)):
            name = f"encoder.summary.lstm._unfused.0.{side}_cell.{part}"
            weights[name] = np.array(rows).reshape(weights[name].shape)
    # The embedding is the two last states, the forward one first.
    weights["encoder.embedding.weight"] = weights["encoder.mean.weight"] = np.eye(2)
    mean, _ = LSTMNetwork(weights).encode(np.array([sequence]))
    expected = [
        by_hand(sequence, dict(zip(GATES, forward))),
        by_hand(sequence[::-1], dict(zip(GATES, backward))),
    ]
    assert min(expected) > 0  # otherwise the ReLU would hide them
    np.testing.assert_allclose(mean, [expected], rtol=1e-12)


@pytest.mark.parametrize(
    ("closed", "expected"),
    [
        (None, [tanh(1), tanh(2), tanh(3)]),
        ("input", [0, 0, 0]),
        ("forget", [tanh(1)] * 3),
        ("candidate", [0, 0, 0]),
        ("output", [0, 0, 0]),
    ],
)
def test_gates_open_and_closed(closed, expected):
    """With every gate open and the candidate at 1, the cell counts the steps in its direction."""
    weights = zeros(linear_path=False, width=1)
    for side in "lr":
        bias = [-50 if gate == closed else 50 for gate in GATES]
        weights[f"decoder.first.lstm._unfused.0.{side}_cell.h2h_bias"] = np.array(bias, dtype=float)
    weights["decoder.output.weight"] = np.eye(2)
    spectra = LSTMNetwork(weights).decode(np.zeros((1, LATENTS)), 3)
    np.testing.assert_allclose(spectra, [expected + expected[::-1]], atol=1e-12)


def test_the_encoder_cuts_its_last_states_at_zero(rng):
    """So that an embedding that is minus the states is 0, and one that is the states is not."""
    weights = draw(rng) | {"encoder.embedding.bias": np.zeros(LATENTS)}
    states = np.eye(LATENTS, 2 * WIDTH)
    with_states = LSTMNetwork(weights | {"encoder.embedding.weight": states})
    assert with_states.encoder_embedding(draw_spectra(rng)).any()
    with_minus_states = LSTMNetwork(weights | {"encoder.embedding.weight": -states})
    assert not with_minus_states.encoder_embedding(draw_spectra(rng)).any()


def test_the_linear_path_reads_and_writes_step_by_step(rng):
    """All channels of the first step come first; spectra are stacked channel by channel."""
    n_features = CHANNELS * STEPS
    weights = zeros(n_latent=n_features)
    weights["encoder.linear.weight"] = np.eye(n_features)
    weights["decoder.linear.weight"] = np.eye(n_features)
    network = LSTMNetwork(weights)
    spectra = draw_spectra(rng)
    step_by_step = spectra.reshape(-1, CHANNELS, STEPS).transpose(0, 2, 1)
    mean, log_variance = network.encode(spectra)
    np.testing.assert_array_equal(mean, step_by_step.reshape(-1, n_features))
    np.testing.assert_array_equal(log_variance, 0)
    reconstructed = network.reconstruct(spectra, np.ones(n_features, dtype=bool))
    np.testing.assert_array_equal(reconstructed, spectra)


def test_a_block_of_dead_layers_is_its_skip(rng):
    """A layer whose weights are 0 has states of 0; a block of the decoder is its skip."""
    shallow = draw(rng, linear_path=False)
    deep = zeros(n_blocks=2, n_layers=2, linear_path=False)
    deep |= {name: array for name, array in shallow.items() if name.startswith("decoder")}
    latents = rng.normal(size=(4, LATENTS))
    np.testing.assert_array_equal(
        LSTMNetwork(deep).decode(latents, STEPS), LSTMNetwork(shallow).decode(latents, STEPS)
    )


def test_kl():
    """Nats from the unit normal, averaged over spectra, not channels; 0 for the prior itself."""
    mean = np.array([[0, 1, -3, 0], [0, 3, -3, 0]])
    log_variance = np.array([[0, 0, 0, log(4)]] * 2)
    np.testing.assert_allclose(kl(mean, log_variance), [0, 2.5, 4.5, (3 - log(4)) / 2])


# Symmetries.


def mirrored(weights):
    """Weights of the network that does to reversed spectra what `weights` does to spectra.

    The directions change places everywhere.
    """

    def swap_halves(array, axis):
        return np.concatenate(np.split(array, 2, axis=axis)[::-1], axis=axis)

    def reverse(array):
        return array.reshape(STEPS, CHANNELS, *array.shape[1:])[::-1].reshape(array.shape)

    def other_direction(name):
        if ".l_cell." in name:
            return name.replace(".l_cell.", ".r_cell.")
        return name.replace(".r_cell.", ".l_cell.")

    changed = {}
    for name, array in weights.items():
        reads_both_directions = array.ndim == 2 and array.shape[1] == 2 * WIDTH
        if reads_both_directions:
            array = swap_halves(array, 1)
        if ".skip." in name:
            array = swap_halves(array, 0)
        if name.startswith("decoder.linear"):
            array = reverse(array)
        if name == "encoder.linear.weight":
            array = reverse(array.T).T
        changed[other_direction(name)] = array
    return changed


@every_form
@every_depth
def test_reversing_time_and_swapping_the_directions_changes_nothing(
    rng, n_blocks, n_layers, linear_path
):
    weights = draw(rng, n_blocks=n_blocks, n_layers=n_layers, linear_path=linear_path)
    network = LSTMNetwork(weights)
    mirror = LSTMNetwork(mirrored(weights))
    spectra = draw_spectra(rng)
    latents = rng.normal(size=(6, LATENTS))

    def reverse(stacked):
        return stacked.reshape(-1, CHANNELS, STEPS)[:, :, ::-1].reshape(-1, CHANNELS * STEPS)

    for mirrored_part, part in zip(mirror.encode(reverse(spectra)), network.encode(spectra)):
        np.testing.assert_allclose(mirrored_part, part, atol=1e-12)
    np.testing.assert_allclose(
        mirror.decode(latents, STEPS), reverse(network.decode(latents, STEPS)), atol=1e-12
    )
    # Neither half of it is enough.
    embedding = network.encoder_embedding(spectra)
    assert np.abs(network.encoder_embedding(reverse(spectra)) - embedding).max() > 1e-6
    assert np.abs(mirror.encoder_embedding(spectra) - embedding).max() > 1e-6


def test_spectra_do_not_see_each_other(rng, monkeypatch):
    """Whatever the batches and the order, each spectrum is reconstructed as if it were alone."""
    network = LSTMNetwork(draw(rng, n_blocks=1))
    spectra = draw_spectra(rng, 7)
    alone = np.concatenate([network.reconstruct(spectrum[None], ON) for spectrum in spectra])
    for batch in (1, 3, 7, 200):
        monkeypatch.setattr(base, "BATCH", batch)
        np.testing.assert_allclose(network.reconstruct(spectra, ON), alone, atol=1e-13)
        np.testing.assert_allclose(network.reconstruct(spectra[::-1], ON), alone[::-1], atol=1e-13)


def test_no_more_than_a_batch_is_in_the_recurrent_layers_at_once(rng, monkeypatch):
    batches = []
    states = LSTMNetwork._states

    def watched(self, name, sequence):
        batches.append(sequence.shape[1])
        return states(self, name, sequence)

    monkeypatch.setattr(LSTMNetwork, "_states", watched)
    LSTMNetwork(draw(rng)).reconstruct(draw_spectra(rng, 2 * base.BATCH + 1), ON)
    assert batches == 2 * [base.BATCH, base.BATCH, base.BATCH, base.BATCH, 1, 1]


@every_form
def test_no_spectra(rng, linear_path):
    network = LSTMNetwork(draw(rng, n_blocks=1, linear_path=linear_path))
    for part in network.encode(draw_spectra(rng, 0)):
        assert part.shape == (0, LATENTS)
    assert network.reconstruct(draw_spectra(rng, 0), ON).shape == (0, CHANNELS * STEPS)


def test_a_channel_that_is_switched_off_is_zero(rng):
    network = LSTMNetwork(draw(rng))
    spectra = draw_spectra(rng)
    mean, _ = network.encode(spectra)
    mean[:, [0, 2]] = 0
    decoded = network.decode(mean, STEPS)
    two_off = network.reconstruct(spectra, np.array([False, True, False, True]))
    np.testing.assert_array_equal(two_off, decoded)
    all_off = network.reconstruct(spectra, np.zeros(LATENTS, dtype=bool))
    np.testing.assert_array_equal(all_off, network.decode(0 * mean, STEPS))
    assert np.abs(network.reconstruct(spectra, ON) - decoded).max() > 1e-3


def test_without_a_linear_path_spectra_may_have_any_length(rng):
    network = LSTMNetwork(draw(rng, linear_path=False))
    for n_steps in (1, 2, 11):
        reconstructed = network.reconstruct(draw_spectra(rng, n_steps=n_steps), ON)
        assert reconstructed.shape == (6, CHANNELS * n_steps)


# What is stored.


@every_form
@pytest.mark.parametrize("n_channels", [1, 2, 6])
@every_depth
def test_sizes_follow_from_the_weights(rng, n_blocks, n_layers, n_channels, linear_path):
    """Also where there are as many channels as states, and the first skip needs no map."""
    weights = draw(
        rng, n_blocks=n_blocks, n_layers=n_layers, n_channels=n_channels, linear_path=linear_path
    )
    network = LSTMNetwork(weights)
    assert (network.n_channels, network.n_latent, network.width) == (n_channels, LATENTS, WIDTH)
    assert (network.n_blocks, network.n_layers) == (n_blocks, n_layers if n_blocks else 0)
    assert list(network.steps) == [STEPS] if linear_path else network.steps == range(1, sys.maxsize)
    reconstructed = network.reconstruct(draw_spectra(rng, n_channels=n_channels), ON)
    assert reconstructed.shape == (6, n_channels * STEPS)


def test_weights_are_as_good_from_a_file(rng, tmp_path):
    weights = draw(rng, n_blocks=1)
    spectra = draw_spectra(rng)
    write_npz(tmp_path / "weights.npz", **weights)
    stored = read_npz(tmp_path / "weights.npz")
    np.testing.assert_array_equal(
        LSTMNetwork(stored).reconstruct(spectra, ON), LSTMNetwork(weights).reconstruct(spectra, ON)
    )
    assert all(array.dtype == np.float32 for array in stored.values())


ALL_WEIGHTS = sorted(shapes(n_blocks=2, n_layers=2))


@pytest.mark.parametrize("name", ALL_WEIGHTS)
def test_damaged_weights_are_refused(rng, name):
    weights = draw(rng, n_blocks=2, n_layers=2)
    without = {other: array for other, array in weights.items() if other != name}
    with pytest.raises(ReplicationError, match=f"{name} is missing"):
        LSTMNetwork(without)
    good = weights[name].shape
    for shape in (np.add(good, 1), (*good, 1), (), (0,) * len(good)):
        with pytest.raises(ReplicationError, match=r"has shape \(.*expected.*run and train again"):
            LSTMNetwork(weights | {name: np.zeros(shape)})
    for value in (np.nan, np.inf, -np.inf):
        damaged = weights[name].copy()
        damaged.flat[-1] = value
        with pytest.raises(
            ReplicationError, match=f"{name} holds something else than finite numbers"
        ):
            LSTMNetwork(weights | {name: damaged})
    for kind in ("U4", bool, complex, int):
        with pytest.raises(
            ReplicationError, match=f"{name} holds something else than finite numbers"
        ):
            LSTMNetwork(weights | {name: weights[name].astype(kind)})


def test_weights_of_another_model_are_refused(rng):
    weights = draw(rng)
    for others in ({}, {"components_": np.ones((5, 192)), "mean_": np.ones(192)}):
        with pytest.raises(ReplicationError, match="is missing.*run and train again"):
            LSTMNetwork(others)
    with pytest.raises(ReplicationError, match="encoder.extra.bias is no weight of this network"):
        LSTMNetwork(weights | {"encoder.extra.bias": np.zeros(3)})
    odd = {
        "encoder.linear.weight": np.zeros((LATENTS, 11)),
        "decoder.linear.weight": np.zeros((11, LATENTS)),
    }
    with pytest.raises(
        ReplicationError, match=r"decoder.linear.bias has shape \(11,\), expected \(10,\)"
    ):
        LSTMNetwork(weights | odd | {"decoder.linear.bias": np.zeros(11)})
    deep = draw(rng, n_blocks=3)
    third_blocks = {name: array for name, array in deep.items() if ".blocks.2." in name}
    with pytest.raises(
        ReplicationError, match=r"coder.blocks.0.layers.0.* is missing.* \(and \d+ more\)"
    ):
        LSTMNetwork(weights | third_blocks)


@every_form
def test_spectra_and_latents_that_do_not_fit_are_refused(rng, linear_path):
    network = LSTMNetwork(draw(rng, linear_path=linear_path))
    for shape in ((3,), (3, CHANNELS * STEPS + 1), (3, 0), (3, CHANNELS, STEPS)):
        with pytest.raises(ReplicationError, match=r"spectra: shape"):
            network.encode(np.zeros(shape))
    for shape in ((LATENTS,), (3, LATENTS - 1)):
        with pytest.raises(ReplicationError, match=r"latents: shape"):
            network.decode(np.zeros(shape), STEPS)
    for in_use in (True, ON[1:], ON[None]):
        with pytest.raises(ReplicationError, match="in_use: shape"):
            network.reconstruct(draw_spectra(rng), in_use)
    if linear_path:
        with pytest.raises(ReplicationError, match="spectra: shape"):
            network.encode(np.zeros((3, CHANNELS * (STEPS + 1))))
        with pytest.raises(
            ReplicationError,
            match=f"n_steps: {STEPS + 1}, but these weights are of spectra of {STEPS} steps",
        ):
            network.decode(np.zeros((3, LATENTS)), STEPS + 1)


def test_weights_and_spectra_are_left_as_they_were(rng):
    weights = draw(rng, n_blocks=1)
    spectra = draw_spectra(rng)
    weights_before = {name: array.copy() for name, array in weights.items()}
    spectra_before = spectra.copy()
    LSTMNetwork(weights).reconstruct(spectra, ON)
    np.testing.assert_array_equal(spectra, spectra_before)
    for name, array in weights.items():
        np.testing.assert_array_equal(array, weights_before[name])


def test_large_weights_overflow_nowhere(rng):
    weights = {name: 1e4 * array for name, array in draw(rng, n_blocks=1).items()}
    with np.errstate(all="raise", under="ignore"):
        assert np.isfinite(LSTMNetwork(weights).reconstruct(draw_spectra(rng), ON)).all()


def test_it_imports_neither_mxnet_nor_the_models():
    code = (
        "import sys, replicate.reference; "
        "unwanted = ('mxnet', 'replicate.models'); "
        "print([name for name in sys.modules if name.startswith(unwanted)])"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert process.stdout.strip() == "[]"
