"""The dense and the convolutional forward pass in NumPy: known answers, a second computation, and damaged weights. No MXNet.

tests/models/test_network.py holds both against the Gluon networks.
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
    weights = layer(rng, f"encoder.hidden.{activation}0", 6, n_features) | layer(
        rng, f"encoder.hidden.{activation}1", 5, 6
    )
    weights |= layer(rng, "encoder.mean", LATENTS, 5) | layer(rng, "decoder.output", n_features, 6)
    return (
        weights
        | layer(rng, f"decoder.hidden.{activation}0", 5, LATENTS)
        | layer(rng, f"decoder.hidden.{activation}1", 6, 5)
    )


def convolutional(rng, n_last=2):
    few, many = FILTERS
    weights = layer(rng, "encoder.convolutions.0", few, CHANNELS, KERNEL) | layer(
        rng, "encoder.convolutions.1", many, few, KERNEL
    )
    weights |= layer(rng, "encoder.mean", LATENTS, many * n_last) | layer(
        rng, "decoder.first", many * n_last, LATENTS
    )
    return (
        weights
        | layer(rng, "decoder.convolutions.0", few, many, KERNEL)
        | layer(rng, "decoder.output", CHANNELS, few, KERNEL)
    )


BUILDERS = {"dense": dense, "convolutional": convolutional}
every_kind = pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)


@pytest.mark.parametrize(
    ("activation", "function"),
    [("relu", lambda x: x * (x > 0)), ("tanh", np.tanh), ("softsign", lambda x: x / (1 + abs(x)))],
)
def test_dense_layers_one_by_one(rng, activation, function):
    w, x, z = dense(rng, activation), rng.normal(size=8), rng.normal(size=LATENTS)

    def apply(name, x):
        return w[f"{name}.weight"] @ x + w[f"{name}.bias"]

    hidden = [f"hidden.{activation}{index}" for index in range(2)]
    encoded, decoded = x, z
    for name in hidden:
        encoded, decoded = (
            function(apply(f"encoder.{name}", encoded)),
            function(apply(f"decoder.{name}", decoded)),
        )
    found = network(w)
    np.testing.assert_allclose(found.encode(x[None])[0][0], apply("encoder.mean", encoded))
    np.testing.assert_allclose(found.decode(z[None], 8)[0], apply("decoder.output", decoded))


def convolved(x, weight, bias, stride=2):
    """Term by term: channels x steps in, filters x every other step out."""
    n_out, n_in, kernel = weight.shape
    out = np.tile(bias[:, None], -(-x.shape[1] // stride))
    for f, c, k, t in product(range(n_out), range(n_in), range(kernel), range(out.shape[1])):
        step = stride * t + k - kernel // 2
        out[f, t] += weight[f, c, k] * x[c, step] if 0 <= step < x.shape[1] else 0
    return out


def widened(x, weight, bias, n_steps):
    return convolved(
        np.array([x[:, step // 2] for step in range(n_steps)]).T, weight, bias, stride=1
    )


@pytest.mark.parametrize("n_steps", [5, 6, 7, 8])
def test_convolutions_term_by_term(rng, n_steps):
    """Spectra of 5 to 8 steps are of 3 or 4 after the first convolution, and of 2 after the second."""
    w, x, z = convolutional(rng), rng.normal(size=(CHANNELS, n_steps)), rng.normal(size=LATENTS)

    def of(name):
        return w[f"{name}.weight"], w[f"{name}.bias"]

    features = x
    for index in range(2):
        features = np.maximum(convolved(features, *of(f"encoder.convolutions.{index}")), 0)
    weight, bias = of("encoder.mean")
    np.testing.assert_allclose(
        network(w).encode(x.reshape(1, -1))[0][0], weight @ features.ravel() + bias
    )

    weight, bias = of("decoder.first")
    narrow = np.maximum(weight @ z + bias, 0).reshape(FILTERS[1], 2)
    wider = np.maximum(widened(narrow, *of("decoder.convolutions.0"), -(-n_steps // 2)), 0)
    spectrum = widened(wider, *of("decoder.output"), n_steps)
    np.testing.assert_allclose(network(w).decode(z[None], n_steps)[0], spectrum.ravel())


def test_kind_and_sizes_follow_from_the_names(rng):
    found = network(dense(rng))
    assert (type(found), found.hidden, found.n_channels, list(found.steps)) == (
        DenseNetwork,
        (6, 5),
        1,
        [8],
    )
    found = network(convolutional(rng))
    assert (type(found), found.filters, found.kernel_size, found.n_channels) == (
        ConvolutionalNetwork,
        FILTERS,
        KERNEL,
        CHANNELS,
    )
    assert found.steps == range(5, 9)
    with pytest.raises(ReplicationError, match="lstm.*is missing"):
        network(
            layer(rng, "encoder.mean", 2, 2)
            | layer(rng, "decoder.output", 1, 6)
            | {"decoder.first.lstm._unfused.0.l_cell": 0}
        )
    assert issubclass(LSTMNetwork, type(found).__base__)


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
    found = network(w | head)
    np.testing.assert_array_equal(*found.encode(spectra))
    np.testing.assert_array_equal(
        found.reconstruct(spectra), network(w).reconstruct(spectra, [True] * LATENTS)
    )


@every_kind
def test_the_linear_path_is_added(rng, build):
    w, n_features = build(rng), 8 if build is dense else 14
    path = layer(rng, "encoder.linear", LATENTS, n_features) | layer(
        rng, "decoder.linear", n_features, LATENTS
    )
    spectra, latents = rng.normal(size=(4, n_features)), rng.normal(size=(4, LATENTS))
    n_channels = 1 if build is dense else CHANNELS
    n_steps = n_features // n_channels
    without, with_path = network(w), network(w | path)
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
            network({other: kept for other, kept in w.items() if other != name})
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
    found = network(build(rng))
    for shape in ((3,), (3, 18), (3, 7), (3, 0), (3, 8, 1)):
        with pytest.raises(ReplicationError, match="spectra: shape"):
            found.encode(np.zeros(shape))
    with pytest.raises(
        ReplicationError, match="n_steps: 9, but these weights are of spectra of (8|5 to 8) steps"
    ):
        found.decode(np.zeros((1, LATENTS)), 9)
    with pytest.raises(ReplicationError, match="latents: shape"):
        found.decode(np.zeros((1, LATENTS + 1)), 8)


def test_an_activation_that_is_not_known_is_refused(rng):
    with pytest.raises(ReplicationError, match="hidden.swish0.weight is no weight of this network"):
        network(dense(rng, "swish"))
