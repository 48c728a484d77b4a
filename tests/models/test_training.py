"""The training loop.

Its bits, its interruptions, its schedule, its updates against Adam in NumPy, and its refusals.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

mx = pytest.importorskip("mxnet")

from replicate.errors import ReplicationError  # noqa: E402
from replicate.files import read_npz, write_npz  # noqa: E402
from replicate.models.convolutional_vae import ConvolutionalVariationalAutoencoder  # noqa: E402
from replicate.models.dense_vae import DenseVariationalAutoencoder  # noqa: E402
from replicate.models.lstm_vae import LSTMVariationalAutoencoder  # noqa: E402
from replicate.models.schedule import BetaSchedule  # noqa: E402
from replicate.models.training import Training, TrainingOptions, count_parts  # noqa: E402
from replicate.models.weights import get_weights, in_batches, named_parameters, set_weights  # noqa: E402

N_LATENT = 4
SCHEDULE = BetaSchedule(
    warmup_epochs=2, step_epochs=2, max_steps=2, settle_epochs=3, rule="nearest"
)
PHASES = ["warmup"] * 2 + ["ramp"] * 4 + ["settle"] * 3


FIXED = BetaSchedule(settle_epochs=4, fixed_beta=0.02)


def build(seed=0, cls=LSTMVariationalAutoencoder, linear_path=True, **form):
    mx.random.seed(seed)
    form = {"width": 4} | form if cls is LSTMVariationalAutoencoder else form
    network = cls(n_channels=2, n_components=N_LATENT, linear_path=linear_path, **form)._build(10)
    if network.variational:
        network.encoder.log_variance.bias.set_data(mx.nd.full(N_LATENT, -4.0))
    return network


def spectra(n=23, seed=0, shape=(5, 2)):
    return np.random.default_rng(seed).normal(size=(n, *shape)).astype(np.float32)


def make(cls=Training, network=None, data=None, schedule=SCHEDULE, validation=None, **changes):
    """Return a training whose channels all stay active.

    Its ramp then runs to the end, unless a target is set.
    """
    options = {
        "target_channels": 0,
        "learning_rate": 1e-2,
        "batch_size": 6,
        "input_noise": 0.1,
        "weight_decay": 0.0,
        "seed": 0,
    } | changes
    return cls(
        network or build(),
        spectra() if data is None else data,
        schedule,
        TrainingOptions(**options),
        validation,
    )


def without_seconds(history):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in history]


def assert_same_bits(one, other):
    assert without_seconds(one.history) == without_seconds(other.history)
    for first, second in (
        (get_weights(one.network), get_weights(other.network)),
        (one._kept, other._kept),
    ):
        assert first.keys() == second.keys()
        assert all(first[name].tobytes() == second[name].tobytes() for name in first)
    np.testing.assert_array_equal(one.channels, other.channels)


def interrupt_after(epoch):
    def on_epoch(row):
        if row["epoch"] == epoch:
            raise KeyboardInterrupt

    return on_epoch


@pytest.fixture(scope="module")
def finished():
    training = make()
    training.run()
    return training


# Bits


def test_same_seed_same_bits(finished):
    again = make()
    again.run()
    assert_same_bits(again, finished)


@pytest.mark.parametrize(
    "changes", [{"seed": 1}, {"network": "another"}, {"learning_rate": 2e-2}, {"input_noise": 0.0}]
)
def test_anything_else_gives_other_bits(finished, changes):
    changes = {"network": build(seed=1)} if "network" in changes else changes
    other = make(**changes)
    other.run()
    assert other.history[-1]["mse"] != finished.history[-1]["mse"]


def test_the_history_has_a_row_an_epoch(finished):
    assert [row["phase"] for row in finished.history] == PHASES
    assert [row["epoch"] for row in finished.history] == list(range(len(PHASES)))
    assert (np.diff([row["seconds"] for row in finished.history]) > 0).all()
    json.dumps(finished.history, allow_nan=False)


# Interruption


@pytest.mark.parametrize(
    "epoch", range(len(PHASES)), ids=[f"{epoch}-{phase}" for epoch, phase in enumerate(PHASES)]
)
def test_interrupted_and_resumed(tmp_path, finished, epoch):
    """The second process starts from another initialisation.

    All that matters is in the checkpoint.
    """
    checkpoint = tmp_path / "checkpoint.npz"
    with pytest.raises(KeyboardInterrupt):
        make().run(checkpoint, interrupt_after(epoch))
    resumed, rows = make(network=build(seed=9)), []
    resumed.run(checkpoint, rows.append)
    assert_same_bits(resumed, finished)
    assert [row["epoch"] for row in rows] == list(range(epoch + 1, len(PHASES)))
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.npz"]


DENSE = {"cls": DenseVariationalAutoencoder, "hidden": (6, 5)}
CONVOLUTIONAL = {"cls": ConvolutionalVariationalAutoencoder, "filters": (3, 4)}
PLAIN = {"variational": False}


@pytest.mark.parametrize(
    ("form", "schedule"),
    [
        (DENSE, SCHEDULE),
        (CONVOLUTIONAL, SCHEDULE),
        ({"n_own": 2}, SCHEDULE),
        ({}, FIXED),
        (DENSE, FIXED),
        (PLAIN, FIXED),
        (DENSE | PLAIN, FIXED),
        (CONVOLUTIONAL | PLAIN, FIXED),
    ],
    ids=[
        "dense",
        "convolutional",
        "own features",
        "fixed beta",
        "dense, fixed beta",
        "plain",
        "plain dense",
        "plain convolutional",
    ],
)
def test_every_member_of_the_family_resumes_to_the_same_bits(tmp_path, form, schedule):
    data = spectra(shape=(10, 1) if form.get("cls") is DenseVariationalAutoencoder else (5, 2))
    schedule = replace(schedule, fixed_beta=0.0) if "variational" in form else schedule
    whole, first, resumed = (
        make(network=build(seed, **form), data=data, schedule=schedule, weight_decay=0.1)
        for seed in (0, 0, 9)
    )
    whole.run()
    with pytest.raises(KeyboardInterrupt):
        first.run(tmp_path / "checkpoint.npz", interrupt_after(2))
    resumed.run(tmp_path / "checkpoint.npz")
    assert_same_bits(resumed, whole)
    assert len(whole.history) == schedule.max_epochs
    assert whole.history[-1]["mse"] < whole.history[0]["mse"]


def test_interrupted_at_every_epoch(tmp_path, finished):
    for epoch in range(len(PHASES)):
        with pytest.raises(KeyboardInterrupt):
            make().run(tmp_path / "checkpoint.npz", interrupt_after(epoch))
    resumed = make()
    resumed.run(tmp_path / "checkpoint.npz")
    assert_same_bits(resumed, finished)


@pytest.mark.parametrize("update", [1, 5, 13, 20])
def test_interrupted_within_an_epoch(tmp_path, finished, monkeypatch, update):
    def stop_at(self, *inputs, original=Training._update):
        if self.progress.updates == update:
            raise KeyboardInterrupt
        return original(self, *inputs)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Training, "_update", stop_at)
        make().run(tmp_path / "checkpoint.npz")
    resumed = make()
    resumed.run(tmp_path / "checkpoint.npz")
    assert_same_bits(resumed, finished)


def test_seconds_add_up_over_interruptions(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        make().run(tmp_path / "checkpoint.npz", interrupt_after(3))
    resumed = make()
    resumed.run(tmp_path / "checkpoint.npz")
    assert (np.diff([row["seconds"] for row in resumed.history]) > 0).all()


# Checkpoints that must be refused


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """Return the path of the checkpoint of a training that was stopped."""
    path = tmp_path_factory.mktemp("stopped") / "checkpoint.npz"
    with pytest.raises(KeyboardInterrupt):
        make().run(path, interrupt_after(4))
    return path


@pytest.fixture
def checkpoint(stopped, tmp_path):
    """Return the path of a copy of it, to be damaged."""
    return Path(shutil.copy(stopped, tmp_path))


def assert_refused(path, training):
    before = path.read_bytes()
    with pytest.raises(ReplicationError, match="checkpoint.npz.*Delete it"):
        training.run(path)
    assert path.read_bytes() == before
    assert [other.name for other in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content[: len(content) // 2],
        lambda content: b"not a checkpoint",
    ],
    ids=["empty", "one byte short", "half", "text"],
)
def test_damaged_checkpoint(checkpoint, damage):
    checkpoint.write_bytes(damage(checkpoint.read_bytes()))
    assert_refused(checkpoint, make())


@pytest.mark.parametrize("missing", ["state", "channels", "kept_kl", "weight/", "kept/", "moment/"])
def test_checkpoint_that_lacks_an_array(checkpoint, missing):
    arrays = read_npz(checkpoint)
    del arrays[next(name for name in arrays if name.startswith(missing))]
    write_npz(checkpoint, **arrays)
    assert_refused(checkpoint, make())


@pytest.mark.parametrize(
    "state",
    ["", "{", "null", "[]", "{}", '{"progress": {"phase": "warmup", "of": "another version"}}'],
)
def test_checkpoint_with_a_foreign_state(checkpoint, state):
    write_npz(checkpoint, **read_npz(checkpoint) | {"state": np.array(state)})
    assert_refused(checkpoint, make())


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"learning_rate": 1e-3},
        {"batch_size": 5},
        {"target_channels": 2},
        {"input_noise": 0.2},
        {"weight_decay": 0.1},
        {"schedule": BetaSchedule(warmup_epochs=2, step_epochs=2, max_steps=2, settle_epochs=4)},
        {"data": spectra(seed=1)},
        {"data": spectra(n=24)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_checkpoint_of_another_training(checkpoint, changes):
    assert_refused(checkpoint, make(**changes))


@pytest.mark.parametrize(
    "form", [{"width": 3}, {"linear_path": False}, {"n_embedding": 0}, PLAIN, DENSE]
)
def test_checkpoint_of_another_network(checkpoint, form):
    assert_refused(checkpoint, make(network=build(**form)))


# Refusals


@pytest.mark.parametrize(
    ("scale", "changes"),
    [(1e25, {}), (1, {"learning_rate": 1e30})],
    ids=["spectra", "learning rate"],
)
def test_a_loss_that_is_not_finite_stops_the_training(tmp_path, scale, changes):
    training = make(data=spectra() * np.float32(scale), **changes)
    with pytest.raises(ReplicationError, match=r"not finite in epoch \d.*learning_rate"):
        training.run(tmp_path / "checkpoint.npz")
    assert all(np.isfinite(row["mse"]) for row in training.history)


def test_a_kl_that_is_not_finite_stops_the_training():
    """Also where the error does not show it, for its channel is switched off."""
    network = build()
    network.encoder.mean.bias.set_data(mx.nd.array([1e25, 0, 0, 0]))
    training = make(network=network)
    training.channels = np.array([False, True, True, True])
    with pytest.raises(ReplicationError, match="not finite in epoch 0"):
        training.run()


def test_a_lambda_beyond_all_floats_stops_the_training():
    """Spectra that are not scaled give a beta of thousands, and lambda is its power of ten."""
    training = make(data=300 * spectra(), network=build(linear_path=False))
    with pytest.raises(ReplicationError, match="not finite in epoch 2.*unit variance"):
        training.run()


# Schedule


def test_warm_up_then_constant_steps_the_first_of_60_percent(finished):
    warmup, ramp = finished.history[:2], finished.history[2:6]
    assert [(row["beta"], row["l1_weight"]) for row in warmup] == [(0, 0)] * 2
    step, last = ramp[0]["beta"], warmup[-1]
    assert step * last["kl"] == pytest.approx(0.6 * (last["mse"] + step * last["kl"]))
    assert [row["beta"] for row in ramp] == pytest.approx([step, step, 2 * step, 2 * step])
    assert [row["l1_weight"] for row in ramp] == pytest.approx(
        [1e-5 * 10 ** row["beta"] for row in ramp]
    )


def test_settling_has_a_low_beta_and_a_falling_rate(finished):
    settle = finished.history[6:]
    assert [row["beta"] for row in settle] == [SCHEDULE.settle_beta] * 3
    assert [row["learning_rate"] for row in settle] == pytest.approx([1e-2, 0.75e-2, 0.25e-2])
    assert [row["learning_rate"] for row in finished.history[:6]] == [1e-2] * 6


def test_with_beta_fixed_there_is_only_a_settling_of_every_channel():
    """Also where beta is such that the last of them are not active."""
    training = make(schedule=replace(FIXED, fixed_beta=5.0, settle_epochs=20), learning_rate=0.1)
    training.run()
    assert [(row["phase"], row["beta"]) for row in training.history] == [("settle", 5.0)] * 20
    assert [row["learning_rate"] for row in training.history] == pytest.approx(
        [0.05 * (1 + np.cos(np.pi * i / 20)) for i in range(20)]
    )
    assert training.progress.selected_beta == 5.0
    assert (
        training.progress.selected_count
        == training.history[-1]["active_channels"]
        < training.history[0]["active_channels"]
    )
    assert training.channels.all()


def test_a_plain_autoencoder_minimises_the_error_alone():
    """Nothing is drawn in its updates, and nothing but the error moves its weights."""
    training = make(
        network=build(variational=False), schedule=replace(FIXED, fixed_beta=0.0), input_noise=0.0
    )
    training.run()
    assert [(row["kl"], row["l1_weight"], row["active_channels"]) for row in training.history] == [
        (0, 0, 0)
    ] * 4
    assert not [name for name in named_parameters(training.network) if "log_variance" in name]


class Scripted(Training):
    """A training whose epochs are written beforehand.

    There is no update; weights are stamped with the epoch, and the channels come from a list.
    """

    script = ()

    def _epoch(self):
        now = self.progress
        row = {
            "epoch": now.epoch,
            "phase": now.phase,
            "beta": now.beta,
            "mse": 0.2,
            "kl": 3.0,
            "channels": self.channels.tolist(),
        }
        row["stamp"] = int(self._stamp().data().asnumpy()[0])
        self._stamp().set_data(mx.nd.full(N_LATENT, now.epoch))
        mask = self.script[now.epoch] if now.epoch < len(self.script) else np.zeros(N_LATENT)
        now.epoch += 1
        now.phase_epoch += 1
        return row, np.where(mask, 1.0, 0.01)

    def _judged_kl(self, channel_kl):
        return channel_kl

    def _stamp(self):
        return self.network.encoder.mean.bias


def follow(script, target, schedule):
    training = make(Scripted, network=build(), schedule=schedule, target_channels=target)
    training.script = script
    training.run()
    return training


def masks_of(counts):
    """One mask a count, each with other channels in it where there is a choice."""
    return [np.roll(np.arange(N_LATENT) < count, shift) for shift, count in enumerate(counts)]


@pytest.mark.parametrize(
    ("counts", "target", "selected"),
    [
        ([4, 3, 2, 1], 2, 2),  # the first beta at the target ends the ramp
        ([2, 1, 0], 2, 0),
        ([4, 4, 1, 3], 2, 2),  # past the target: 1 is nearer than 4
        ([4, 3, 0], 2, 1),  # past the target, but one beta before was nearer
        ([4, 0], 1, 0),  # nearer the target, but with nothing left
        ([3, 1], 2, 1),  # equally near: the fewer
        ([4, 3, 4, 3, 4], 2, 1),  # never there: the nearest, and of equal ones the first
        ([4, 4, 4], 0, 0),
    ],
)
def test_the_model_whose_active_channels_are_nearest_the_target(counts, target, selected):
    schedule = BetaSchedule(warmup_epochs=1, max_steps=len(counts), settle_epochs=2, rule="nearest")
    masks = masks_of(counts)
    training = follow([np.ones(N_LATENT), *masks], target, schedule)
    settle = [row for row in training.history if row["phase"] == "settle"]
    assert training.progress.selected_count == counts[selected]
    assert training.progress.selected_beta == pytest.approx(0.1 * (selected + 1))
    assert settle[0]["stamp"] == 1 + selected
    assert len(settle) == 2
    for row in settle:
        np.testing.assert_array_equal(row["channels"], masks[selected])
    np.testing.assert_array_equal(training.channels, masks[selected])


@settings(max_examples=40)
@given(
    counts=st.lists(st.integers(0, N_LATENT), min_size=1, max_size=6),
    target=st.integers(0, N_LATENT),
    step_epochs=st.integers(1, 3),
    warmup_epochs=st.integers(1, 3),
)
@example(counts=[4, 3, 0], target=2, step_epochs=2, warmup_epochs=2)
def test_only_the_last_epoch_of_a_beta_decides(counts, target, step_epochs, warmup_epochs):
    """The channels of the other epochs do not matter.

    The ramp ends at the first beta that has no more active channels than the target.
    """
    decoys = [np.zeros(N_LATENT)] * (step_epochs - 1)
    script = [np.zeros(N_LATENT)] * warmup_epochs + [
        mask for last in masks_of(counts) for mask in (*decoys, last)
    ]
    schedule = BetaSchedule(
        warmup_epochs=warmup_epochs,
        step_epochs=step_epochs,
        max_steps=len(counts),
        settle_epochs=1,
        rule="nearest",
    )
    training = follow(script, target, schedule)
    n_betas = next((i + 1 for i, count in enumerate(counts) if count <= target), len(counts))
    expected = min(
        range(n_betas),
        key=lambda i: (counts[i] == 0 < target, abs(counts[i] - target), counts[i], i),
    )
    assert [row["phase"] for row in training.history] == ["warmup"] * warmup_epochs + [
        "ramp"
    ] * n_betas * step_epochs + ["settle"]
    ramp = training.history[warmup_epochs:-1]
    assert [row["beta"] for row in ramp] == pytest.approx(
        [0.1 * (1 + i // step_epochs) for i in range(len(ramp))]
    )
    assert training.history[-1]["stamp"] == warmup_epochs + (expected + 1) * step_epochs - 1
    assert training.progress.selected_count == counts[expected]


def test_without_settling_nothing_is_switched_off():
    schedule = BetaSchedule(warmup_epochs=1, max_steps=3, settle_epochs=0, rule="nearest")
    training = follow([np.ones(N_LATENT), *masks_of([4, 3, 0])], 2, schedule)
    assert training.progress.phase == "done"
    assert training.channels.all()
    assert training.progress.selected_count == 3
    np.testing.assert_array_equal(get_weights(training.network)["encoder.mean.bias"], 2)
    assert [row["phase"] for row in training.history] == ["warmup"] + ["ramp"] * 3


def test_selected_weights_survive_an_interruption(tmp_path):
    schedule = BetaSchedule(warmup_epochs=1, max_steps=4, settle_epochs=0, rule="nearest")
    first, resumed = (
        make(Scripted, network=build(), schedule=schedule, target_channels=2) for _ in range(2)
    )
    first.script = resumed.script = [np.ones(N_LATENT), *masks_of([4, 3, 4, 4])]
    with pytest.raises(KeyboardInterrupt):
        first.run(tmp_path / "checkpoint.npz", interrupt_after(3))
    resumed.run(tmp_path / "checkpoint.npz")
    assert resumed.progress.selected_count == 3
    np.testing.assert_array_equal(get_weights(resumed.network)["encoder.mean.bias"], 2)


def test_a_channel_switched_off_has_no_kl_while_settling():
    training = make(
        schedule=BetaSchedule(warmup_epochs=1, max_steps=1, settle_epochs=3),
        target_channels=N_LATENT,
    )
    training.run(
        on_epoch=lambda row: (
            training.channels.__setitem__(0, False) if row["phase"] == "ramp" else None
        )
    )
    np.testing.assert_array_equal(training.channels, [False, True, True, True])
    assert [row["active_channels"] for row in training.history] == [4, 4, 3, 3, 3]


class Planted(Training):
    """A training whose channels answer beta by a rule: as many are active as `counts` says."""

    counts = staticmethod(lambda beta: N_LATENT)

    def _judged_kl(self, channel_kl):
        count = self.counts(self.progress.beta)
        return np.where(np.arange(N_LATENT) < count, 1.0, 0.01)


def planted(counts, target):
    schedule = BetaSchedule(warmup_epochs=1, max_steps=3, settle_epochs=2)
    training = make(Planted, schedule=schedule, target_channels=target)
    training.counts = counts
    return training


def few_above(limit):
    """Return a rule by which four channels are active below a beta, and one above it."""
    return lambda beta: N_LATENT if beta < limit else (2 if beta < 1.2 * limit else 1)


def first_step():
    training = planted(lambda beta: N_LATENT, 2)
    training.run()
    return training.history[1]["beta"]


def test_a_step_too_far_is_taken_back_with_all_that_it_changed():
    """Weights, moments and the count of updates are those before it, as if it had not been made."""
    step = first_step()
    training = planted(few_above(1.5 * step), 2)
    models, updates = [], []

    def on_epoch(row):
        models.append(training._model())
        updates.append(training.progress.updates)

    training.run(on_epoch=on_epoch)
    ramp = [row for row in training.history if row["phase"] == "ramp"]
    assert [row["beta"] for row in ramp] == pytest.approx([step, 2 * step, 1.5 * step])
    assert training.progress.selected_how == "bisection"
    assert updates[2] == updates[1]
    for name, array in models[1].items():
        np.testing.assert_array_equal(models[2][name], array)
        assert name.startswith("moment") or not np.array_equal(models[3][name], array)


@pytest.mark.parametrize("epoch", range(2, 7))
def test_a_search_that_is_interrupted_ends_with_the_same_bits(tmp_path, epoch):
    """At a step, at the step too far, in the bisection and in the settling."""
    counts = few_above(1.6 * first_step())
    whole, first, resumed = (planted(counts, 2) for _ in range(3))
    whole.run()
    assert len(whole.history) > 6
    with pytest.raises(KeyboardInterrupt):
        first.run(tmp_path / "checkpoint.npz", interrupt_after(epoch))
    resumed.run(tmp_path / "checkpoint.npz")
    assert_same_bits(resumed, whole)
    assert resumed.progress.selected_how == "bisection"


@pytest.mark.parametrize("target", [1, 2, 3])
def test_channels_that_never_go_are_switched_off_by_rank(target):
    training = planted(lambda beta: N_LATENT, target)
    training.run()
    assert training.progress.selected_how == "rank"
    assert training.channels.sum() == training.progress.selected_count == target


# One pass


@pytest.fixture
def recorded(monkeypatch):
    """Inputs of every update of trainings in this test, and the channels in use."""
    calls = []

    def record(self, inputs, original=Training._update):
        channels = self.channels[None].astype(np.float32)
        calls.append((self.progress.epoch, self.progress.beta, [*inputs, channels]))
        return original(self, inputs)

    monkeypatch.setattr(Training, "_update", record)
    return calls


def test_every_epoch_is_one_pass_in_whole_batches(recorded):
    data = spectra()
    make(data=data).run()
    batches = [
        [inputs[1] for epoch, _, inputs in recorded if epoch == wanted]
        for wanted in range(len(PHASES))
    ]
    orders = []
    for epoch in batches:
        assert [batch.shape for batch in epoch] == [(6, 5, 2)] * 3
        orders.append(
            [
                int(np.flatnonzero((data == one).all(axis=(1, 2)))[0])
                for one in np.concatenate(epoch)
            ]
        )
        assert len(set(orders[-1])) == 18
    assert len({tuple(order) for order in orders}) == len(PHASES)


@pytest.mark.parametrize("input_noise", [0.0, 0.1, 0.5])
def test_noise_is_on_what_the_encoder_sees(recorded, input_noise):
    make(data=spectra(n=600), batch_size=200, input_noise=input_noise).run()
    noise = np.array([noisy - clean for _, _, (noisy, clean, _, _) in recorded])
    assert noise.std() == pytest.approx(input_noise, rel=0.02)
    epsilon = np.array([epsilon for _, _, (_, _, epsilon, _) in recorded])
    assert (epsilon.mean(), epsilon.std()) == pytest.approx((0, 1), abs=0.02)
    assert len(np.unique(epsilon)) > 0.99 * epsilon.size


@pytest.mark.parametrize(("weight_decay", "at_once"), [(0.0, None), (2.0, None), (0.0, 2)])
def test_updates_are_those_of_adam_on_clipped_gradients(recorded, weight_decay, at_once):
    """Gradients come from another copy of the network, and everything else is in NumPy.

    Those of a batch that is cut into parts are those of the whole batch.
    """
    data = 3 * spectra()
    schedule = BetaSchedule(warmup_epochs=1, max_steps=1, settle_epochs=0, rule="nearest")
    training, twin = (
        make(data=data, schedule=schedule, weight_decay=weight_decay, at_once=at_once),
        build(),
    )
    training.run()
    parameters = named_parameters(twin)
    first, second = ({name: np.zeros(p.shape) for name, p in parameters.items()} for _ in range(2))
    assert len(recorded) == 6
    clipped = []
    for t, (_, beta, inputs) in enumerate(recorded, start=1):
        with mx.autograd.record():
            mse, activity, kl = twin(*map(mx.nd.array, inputs))
            loss = mse + (1e-5 * 10**beta if beta else 0) * activity + beta * kl.sum() / N_LATENT
        loss.backward()
        gradients = {
            name: parameter.grad().asnumpy().astype(np.float64)
            for name, parameter in parameters.items()
        }
        norm = np.sqrt(sum((gradient**2).sum() for gradient in gradients.values()))
        clipped.append(norm > 1)
        for name, parameter in parameters.items():
            gradient = gradients[name] / max(norm, 1)
            first[name] = 0.9 * first[name] + 0.1 * gradient
            second[name] = 0.999 * second[name] + 0.001 * gradient**2
            rate = 1e-2 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
            moved = parameter.data().asnumpy() - rate * first[name] / (np.sqrt(second[name]) + 1e-8)
            decays = not name.endswith("bias") and name not in (
                "encoder.linear.weight",
                "decoder.linear.weight",
            )
            parameter.set_data(mx.nd.array(moved * (1 - decays * weight_decay * 1e-2)))
    assert any(clipped)
    assert recorded[-1][1] > 0
    for name, array in get_weights(twin).items():
        np.testing.assert_allclose(array, training._kept[f"weight/{name}"], atol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    ("batch_size", "at_once", "n_parts"),
    [(300, None, 1), (300, 50, 6), (300, 300, 1), (100, 75, 2), (70, 50, 2), (7, 3, 7)],
)
def test_a_batch_is_cut_into_the_fewest_equal_parts(batch_size, at_once, n_parts):
    assert count_parts(batch_size, at_once) == n_parts


def test_the_history_is_the_mean_over_the_epoch(recorded):
    training, values = make(), []
    network = training.network
    training.network = lambda *inputs: values.append(network(*inputs)) or values[-1]
    row, channel_kl = training._epoch()
    mse, activity, kl = ([value[i].asnumpy() for value in values] for i in range(3))
    assert (row["mse"], row["l1"]) == pytest.approx((np.mean(mse), np.mean(activity)))
    assert row["kl"] == pytest.approx(np.mean(kl))
    np.testing.assert_allclose(channel_kl, np.mean(kl, axis=0), rtol=1e-6)


@pytest.mark.parametrize("off", [None, 0])
def test_validation_error_is_that_of_the_posterior_mean(off):
    validation = spectra(n=13, seed=5)
    training = make(validation=validation)
    if off is not None:
        training.channels[off] = False
    training.run()
    mean = training.network.encoder(mx.nd.array(validation))[0] * mx.nd.array(
        training.channels[None]
    )
    reconstruction = training.network.decoder(mean)[0].asnumpy()
    assert training.channels.sum() == (N_LATENT if off is None else N_LATENT - 1)
    assert training.history[-1]["validation_mse"] == pytest.approx(
        np.mean((reconstruction - validation) ** 2), rel=1e-5
    )
    assert len({row["validation_mse"] for row in training.history}) == len(PHASES)


def test_validation_changes_nothing(finished):
    watched = make(validation=spectra(n=13, seed=5))
    watched.run()
    for row in watched.history:
        del row["validation_mse"]
    assert_same_bits(watched, finished)


# Weights and batches


def test_weights_make_the_round_trip():
    one, other = build(seed=0), build(seed=1)
    weights = get_weights(one)
    set_weights(other, weights)
    assert all((array == get_weights(other)[name]).all() for name, array in weights.items())
    assert sum(array.size for array in weights.values()) == sum(
        p.data().size for p in one.collect_params().values()
    )


@pytest.mark.parametrize("change", ["missing", "unknown", "shape"])
def test_weights_that_do_not_fit_are_refused_by_name(change):
    network = build()
    weights = before = get_weights(network)
    name = "encoder.mean.bias"
    if change == "missing":
        weights = {key: array for key, array in before.items() if key != name}
    elif change == "unknown":
        name = "encoder.unknown.bias"
        weights = before | {name: np.zeros(1)}
    else:
        weights = before | {name: np.zeros(N_LATENT + 1)}
    with pytest.raises(ReplicationError, match=name):
        set_weights(network, {key: 2 * array for key, array in weights.items()})
    assert all((array == before[key]).all() for key, array in get_weights(network).items())


@pytest.mark.parametrize("n", [1, 2, 3, 4, 6, 7, 8])
def test_batches_are_of_one_shape_and_change_nothing(n):
    network, data, shapes = build(), spectra(n), []

    def encode(batch):
        shapes.append(batch.shape)
        return network.encoder(batch)

    outputs = in_batches(encode, data, batch_size=3)
    assert shapes == [(min(n, 3), 5, 2)] * -(-n // 3)
    at_once = [output.asnumpy() for output in network.encoder(mx.nd.array(data))]
    one_by_one = [
        np.concatenate(pieces)
        for pieces in zip(
            *([o.asnumpy() for o in network.encoder(mx.nd.array(x[None]))] for x in data)
        )
    ]
    for output, together, alone in zip(outputs, at_once, one_by_one):
        assert output.shape == (n, N_LATENT)
        np.testing.assert_allclose(output, together, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(output, alone, rtol=1e-5, atol=1e-6)
