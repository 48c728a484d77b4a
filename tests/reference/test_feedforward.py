"""The dense and the convolutional forward pass in NumPy, without MXNet.

Known answers, a second computation, and damaged weights; tests/models/test_network.py holds both
against the Gluon networks.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from replicate.errors import ReplicationError
from replicate.reference import network
from replicate.reference.feedforward import ConvolutionalNetwork, DenseNetwork
from replicate.reference.lstm import LSTMNetwork

LATENTS, CHANNELS, FILTERS, KERNEL = 3, 2, (4, 5), 3


def layer(rng, name, *shape):
    return {f"{name}.weight": rng.normal(size=shape), f"{name}.bias": rng.normal(size=shape[0])}


def dense(rng, activation="relu", n_features=8):
    """Hidden layers of 6 and 5."""
    weights = layer(rng, f"encoder.hidden.{activation}0", 6, n_features)
    weights |= layer(rng, f"encoder.hidden.{activation}1", 5, 6)
    weights |= layer(rng, "encoder.mean", LATENTS, 5)
    weights |= layer(rng, "decoder.output", n_features, 6)
    weights |= layer(rng, f"decoder.hidden.{activation}0", 5, LATENTS)
    weights |= layer(rng, f"decoder.hidden.{activation}1", 6, 5)
    return weights


def convolutional(rng, n_last=2):
    few, many = FILTERS
    weights = layer(rng, "encoder.convolutions.0", few, CHANNELS, KERNEL)
    weights |= layer(rng, "encoder.convolutions.1", many, few, KERNEL)
    weights |= layer(rng, "encoder.mean", LATENTS, many * n_last)
    weights |= layer(rng, "decoder.first", many * n_last, LATENTS)
    weights |= layer(rng, "decoder.convolutions.0", few, many, KERNEL)
    weights |= layer(rng, "decoder.output", CHANNELS, few, KERNEL)
    return weights


BUILDERS = {"dense": dense, "convolutional": convolutional}
every_kind = pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)


@pytest.mark.parametrize(
    ("activation", "function"),
    [("relu", lambda x: x * (x > 0)), ("tanh", np.tanh), ("softsign", lambda x: x / (1 + abs(x)))],
)
def test_dense_layers_one_by_one(rng, activation, function):
    w = dense(rng, activation)
    x = rng.normal(size=8)
    z = rng.normal(size=LATENTS)

    def apply(name, x):
        return w[f"{name}.weight"] @ x + w[f"{name}.bias"]

    encoded = x
    decoded = z
    for index in range(2):
        encoded = function(apply(f"encoder.hidden.{activation}{index}", encoded))
        decoded = function(apply(f"decoder.hidden.{activation}{index}", decoded))
    net = network(w)
    np.testing.assert_allclose(net.encode(x[None])[0][0], apply("encoder.mean", encoded))
    np.testing.assert_allclose(net.decode(z[None], 8)[0], apply("decoder.output", decoded))


def convolved(x, weight, bias, stride=2):
    """Term by term: channels x steps in, filters x every other step out."""
    n_out, n_in, kernel = weight.shape
    out = np.tile(bias[:, None], -(-x.shape[1] // stride))
    for f, c, k, t in product(range(n_out), range(n_in), range(kernel), range(out.shape[1])):
        step = stride * t + k - kernel // 2
        out[f, t] += weight[f, c, k] * x[c, step] if 0 <= step < x.shape[1] else 0
    return out


def widened(x, weight, bias, n_steps):
    repeated = np.array([x[:, step // 2] for step in range(n_steps)]).T
    return convolved(repeated, weight, bias, stride=1)


@pytest.mark.parametrize("n_steps", [5, 6, 7, 8])
def test_convolutions_term_by_term(rng, n_steps):
    """Spectra of 5 to 8 steps have 3 or 4 after the first convolution, 2 after the second."""
    w = convolutional(rng)
    x = rng.normal(size=(CHANNELS, n_steps))
    z = rng.normal(size=LATENTS)

    def of(name):
        return w[f"{name}.weight"], w[f"{name}.bias"]

    features = x
    for index in range(2):
        features = np.maximum(convolved(features, *of(f"encoder.convolutions.{index}")), 0)
    weight, bias = of("encoder.mean")
    mean, _ = network(w).encode(x.reshape(1, -1))
    np.testing.assert_allclose(mean[0], weight @ features.ravel() + bias)

    weight, bias = of("decoder.first")
    narrow = np.maximum(weight @ z + bias, 0).reshape(FILTERS[1], 2)
    wider = np.maximum(widened(narrow, *of("decoder.convolutions.0"), -(-n_steps // 2)), 0)
    spectrum = widened(wider, *of("decoder.output"), n_steps)
    np.testing.assert_allclose(network(w).decode(z[None], n_steps)[0], spectrum.ravel())


def test_kind_and_sizes_follow_from_the_names(rng):
    of_dense = network(dense(rng))
    assert type(of_dense) is DenseNetwork
    assert of_dense.hidden == (6, 5)
    assert of_dense.n_channels == 1
    assert list(of_dense.steps) == [8]
    of_convolutions = network(convolutional(rng))
    assert type(of_convolutions) is ConvolutionalNetwork
    assert of_convolutions.filters == FILTERS
    assert of_convolutions.kernel_size == KERNEL
    assert of_convolutions.n_channels == CHANNELS
    assert of_convolutions.steps == range(5, 9)
    recurrent = layer(rng, "encoder.mean", 2, 2) | layer(rng, "decoder.output", 1, 6)
    recurrent["decoder.first.lstm._unfused.0.l_cell"] = 0
    with pytest.raises(ReplicationError, match="lstm.*is missing"):
        network(recurrent)
    assert issubclass(LSTMNetwork, type(of_convolutions).__base__)


@every_kind
def test_a_plain_autoencoder_has_no_variance(rng, build):
    w = build(rng)
    spectra = rng.normal(size=(4, 8 if build is dense else 16))
    assert not network(w).is_variational
    assert network(w).encode(spectra)[1] is None
    head = {
        "encoder.log_variance.weight": w["encoder.mean.weight"],
        "encoder.log_variance.bias": w["encoder.mean.bias"],
    }
    variational = network(w | head)
    np.testing.assert_array_equal(*variational.encode(spectra))
    np.testing.assert_array_equal(
        variational.reconstruct(spectra), network(w).reconstruct(spectra, [True] * LATENTS)
    )


@every_kind
def test_the_linear_path_is_added(rng, build):
    w = build(rng)
    n_features = 8 if build is dense else 14
    path = layer(rng, "encoder.linear", LATENTS, n_features)
    path |= layer(rng, "decoder.linear", n_features, LATENTS)
    spectra = rng.normal(size=(4, n_features))
    latents = rng.normal(size=(4, LATENTS))
    n_channels = 1 if build is dense else CHANNELS
    n_steps = n_features // n_channels
    without = network(w)
    with_path = network(w | path)
    stepwise = spectra.reshape(4, n_channels, n_steps).transpose(0, 2, 1).reshape(4, -1)
    added = stepwise @ path["encoder.linear.weight"].T + path["encoder.linear.bias"]
    np.testing.assert_allclose(with_path.encode(spectra)[0], without.encode(spectra)[0] + added)
    added = latents @ path["decoder.linear.weight"].T + path["decoder.linear.bias"]
    added = added.reshape(4, n_steps, n_channels).transpose(0, 2, 1).reshape(4, -1)
    np.testing.assert_allclose(
        with_path.decode(latents, n_steps), without.decode(latents, n_steps) + added
    )


@every_kind
def test_damaged_weights_are_refused_by_name(rng, build):
    w = build(rng)
    for name, array in w.items():
        with pytest.raises(ReplicationError, match=r"missing.*run and train again"):
            network({other: array for other, array in w.items() if other != name})
        for shape in (np.add(array.shape, 1), (*array.shape, 1), ()):
            with pytest.raises(
                ReplicationError, match=r"has shape \(.*expected.*run and train again"
            ):
                network(w | {name: np.zeros(shape)})
        damaged = array.copy()
        damaged.flat[-1] = np.nan
        with pytest.raises(
            ReplicationError, match=f"{name} holds something else than finite numbers"
        ):
            network(w | {name: damaged})


@every_kind
def test_spectra_and_latents_that_do_not_fit_are_refused(rng, build):
    net = network(build(rng))
    for shape in ((3,), (3, 18), (3, 7), (3, 0), (3, 8, 1)):
        with pytest.raises(ReplicationError, match="spectra: shape"):
            net.encode(np.zeros(shape))
    with pytest.raises(
        ReplicationError, match="n_steps: 9, but these weights are of spectra of (8|5 to 8) steps"
    ):
        net.decode(np.zeros((1, LATENTS)), 9)
    with pytest.raises(ReplicationError, match="latents: shape"):
        net.decode(np.zeros((1, LATENTS + 1)), 8)


def test_an_activation_that_is_not_known_is_refused(rng):
    with pytest.raises(ReplicationError, match="hidden.swish0.weight is no weight of this network"):
        network(dense(rng, "swish"))
