"""The Gluon networks against a second computation.

`replicate.reference` computes them in NumPy alone and in double precision.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate
from scipy.stats import norm

mx = pytest.importorskip("mxnet")

from replicate.models.convolutional_vae import ConvolutionalVariationalAutoencoder  # noqa: E402
from replicate.models.dense_vae import DenseVariationalAutoencoder  # noqa: E402
from replicate.models.lstm_vae import LSTMVariationalAutoencoder  # noqa: E402
from replicate.models.weights import get_weights, named_parameters, set_weights  # noqa: E402
from replicate.reference import kl  # noqa: E402
from replicate.reference import network as in_reference  # noqa: E402

STEPS, LATENTS = 7, 4
LSTM = {"width": 3}
FAMILY = {
    "lstm": (LSTMVariationalAutoencoder, LSTM),
    "lstm, 1 block": (LSTMVariationalAutoencoder, LSTM | {"n_blocks": 1}),
    "lstm, 3 blocks": (LSTMVariationalAutoencoder, LSTM | {"n_blocks": 3, "n_layers": 2}),
    "lstm, wide embedding": (LSTMVariationalAutoencoder, LSTM | {"n_embedding": 9}),
    "lstm, no embedding": (LSTMVariationalAutoencoder, LSTM | {"n_embedding": 0}),
    "dense": (DenseVariationalAutoencoder, {"hidden": (8, 5)}),
    "dense, tanh": (DenseVariationalAutoencoder, {"hidden": (5, 6, 7), "activation": "tanh"}),
    "dense, softsign": (
        DenseVariationalAutoencoder,
        {"hidden": (6,), "activation": "softsign", "n_embedding": 3},
    ),
    "linear": (DenseVariationalAutoencoder, {"hidden": ()}),
    "convolutional": (ConvolutionalVariationalAutoencoder, {"filters": (3, 4, 5)}),
    "convolutional, narrow": (
        ConvolutionalVariationalAutoencoder,
        {"filters": (6,), "kernel_size": 3, "n_embedding": 5},
    ),
    "convolutional, pointwise": (
        ConvolutionalVariationalAutoencoder,
        {"filters": (4, 6), "kernel_size": 1},
    ),
}
members = pytest.mark.parametrize("member", FAMILY)
some_members = pytest.mark.parametrize(
    "member", ["lstm", "lstm, 3 blocks", "dense", "dense, softsign", "convolutional"]
)
every_form = pytest.mark.parametrize(
    ("n_channels", "linear_path", "variational"),
    [(1, False, True), (1, True, False), (2, True, True), (2, False, False)],
)


def estimator(member="lstm", **changes):
    cls, form = FAMILY[member]
    return cls(**{"n_channels": 2, "n_components": LATENTS} | form | changes)


def build(member="lstm", hybrid=True, seed=0, scale=0.4, n_steps=STEPS, **changes):
    """Make a network whose every weight, bias and all, is drawn at random."""
    model = estimator(member, **changes)
    network = model._build(model.n_channels * n_steps)
    network.hybridize(hybrid, static_alloc=hybrid, static_shape=hybrid)
    random = np.random.default_rng(seed)
    shapes = {name: parameter.shape for name, parameter in named_parameters(network).items()}
    set_weights(
        network,
        {
            name: random.normal(0, scale, shape).astype(np.float32)
            for name, shape in sorted(shapes.items())
        },
    )
    return network


def batch(member="lstm", n_channels=2, n_spectra=5, n_steps=STEPS, n_latent=LATENTS, seed=1):
    """Return noisy spectra for the encoder, the spectra that the decoder must return, and epsilon.

    To a dense network a spectrum is one long channel.
    """
    random = np.random.default_rng(seed)
    spectra, noise = random.normal(size=(2, n_spectra, n_steps, n_channels)).astype(np.float32)
    shape = (
        n_spectra,
        -1,
        1 if issubclass(FAMILY[member][0], DenseVariationalAutoencoder) else n_channels,
    )
    epsilon = random.normal(size=(n_spectra, n_latent)).astype(np.float32)
    return (spectra + 0.1 * noise).reshape(shape), spectra.reshape(shape), epsilon


def run(network, *inputs):
    outputs = network(*(mx.nd.array(array) for array in inputs))
    return [output.asnumpy() for output in outputs]


def stacked(spectra):
    """Return spectra, NTC, channel-major, `(n, n_channels * n_steps)`."""
    return spectra.transpose(0, 2, 1).reshape(len(spectra), -1)


def in_numpy(weights, spectra, latents):
    """Return what encoder and decoder make of spectra, NTC, and of latents, in NumPy.

    The arrays are in the order of the Gluon blocks; spectra are stacked.
    """
    reference = in_reference(weights)
    encoded = [array for array in reference.encode(stacked(spectra)) if array is not None]
    embeddings = (
        [reference.encoder_embedding(stacked(spectra))],
        [reference.decoder_embedding(latents)],
    )
    of_encoder, of_decoder = embeddings if reference.n_embedding else ([], [])
    return [*encoded, *of_encoder, reference.decode(latents, spectra.shape[1]), *of_decoder]


def in_gluon(network, spectra, latents):
    *encoded, of_encoder = run(network.encoder, spectra)
    decoded, of_decoder = run(network.decoder, latents)
    if network.encoder.embedding is None:
        assert not of_encoder.any()
        assert not of_decoder.any()
        return [*encoded, stacked(decoded)]
    return [*encoded, of_encoder, stacked(decoded), of_decoder]


def losses(weights, noisy, spectra, epsilon=0, channels=1):
    """Return MSE, activity and KL of each channel, of the forward pass in NumPy."""
    reference = in_reference(weights)
    mean, log_variance = reference.encode(stacked(noisy))
    latents = (
        mean if log_variance is None else (mean + np.exp(log_variance / 2) * epsilon) * channels
    )
    embeddings = reference.encoder_embedding(stacked(noisy)), reference.decoder_embedding(latents)
    activity = (
        sum(np.abs(embedding).sum(axis=1).mean() for embedding in embeddings)
        if reference.n_embedding
        else 0
    )
    mse = ((reference.decode(latents, spectra.shape[1]) - stacked(spectra)) ** 2).mean()
    return (
        mse,
        activity,
        np.zeros(reference.n_latent)
        if log_variance is None
        else kl(mean, log_variance) * channels[0],
    )


def assert_all_close(arrays, expected):
    assert len(arrays) == len(expected)
    for one, other in zip(arrays, expected):
        assert one.shape == other.shape
        assert np.abs(one).max() > 0
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)


@members
@every_form
def test_encoder_and_decoder_against_numpy(member, n_channels, linear_path, variational):
    network = build(member, n_channels=n_channels, linear_path=linear_path, variational=variational)
    spectra, _, latents = batch(member, n_channels)
    assert_all_close(
        in_gluon(network, spectra, latents), in_numpy(get_weights(network), spectra, latents)
    )


@pytest.mark.parametrize("n_steps", [1, 2, 3, 8, 9, 13])
@pytest.mark.parametrize("linear_path", [False, True])
def test_convolutions_of_any_number_of_steps(n_steps, linear_path):
    network = build("convolutional", n_steps=n_steps, linear_path=linear_path)
    spectra, _, latents = batch("convolutional", n_steps=n_steps)
    assert_all_close(
        in_gluon(network, spectra, latents), in_numpy(get_weights(network), spectra, latents)
    )


@pytest.mark.parametrize("linear_path", [False, True])
@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize(
    ("cls", "form", "scale"),
    [
        (LSTMVariationalAutoencoder, {}, 0.2),
        (LSTMVariationalAutoencoder, {"n_blocks": 3, "n_layers": 2, "width": 128}, 0.1),
        (LSTMVariationalAutoencoder, {"width": 8}, 0.4),
        (DenseVariationalAutoencoder, {}, 0.05),
        (ConvolutionalVariationalAutoencoder, {}, 0.1),
    ],
)
def test_the_networks_of_the_study_against_numpy(
    monkeypatch, cls, form, scale, n_channels, linear_path
):
    """The layers of every profile.

    The larger they are, the smaller the weights, so that the states do not all saturate.
    """
    monkeypatch.setitem(FAMILY, "member", (cls, form))
    network = build(
        "member",
        scale=scale,
        n_components=16,
        n_steps=9,
        n_channels=n_channels,
        linear_path=linear_path,
    )
    spectra, _, latents = batch("member", n_channels, n_spectra=3, n_steps=9, n_latent=16)
    assert_all_close(
        in_gluon(network, spectra, latents), in_numpy(get_weights(network), spectra, latents)
    )


@some_members
@pytest.mark.parametrize("linear_path", [False, True])
def test_the_estimator_against_numpy(rng, member, linear_path):
    """From stacked spectra to stacked reconstructions.

    One channel is switched off, and another is merely inactive.
    """
    model = estimator(member, linear_path=linear_path)
    model.weights_ = get_weights(build(member, linear_path=linear_path))
    model.channel_kl_, model.n_features_in_ = np.array([3, 0, 0.01, 2]), 14
    spectra = rng.normal(size=(11, 14)).astype(np.float32)
    reconstruction = model.inverse_transform(model.transform(spectra))
    reference = in_reference(model.weights_)
    assert_all_close([reconstruction], [reference.reconstruct(spectra, model.channel_kl_ != 0)])
    for other in (None, model.channel_kl_ > 0.1):
        assert np.abs(reconstruction - reference.reconstruct(spectra, other)).max() > 1e-4


@members
@pytest.mark.parametrize("variational", [False, True])
def test_losses_against_numpy(member, variational):
    network = build(member, variational=variational)
    inputs = (*batch(member), np.array([[1, 0, 1, 1]], dtype=np.float32))[: 4 if variational else 2]
    for one, other in zip(run(network, *inputs), losses(get_weights(network), *inputs)):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@some_members
def test_hybridised_is_eager(member):
    """The number of spectra changes from call to call, as between training and scoring."""
    eager, hybrid = (build(member, hybrid=hybrid) for hybrid in (False, True))
    for n_spectra in (5, 2, 9, 5):
        inputs = (*batch(member, n_spectra=n_spectra), np.ones((1, 4), dtype=np.float32))
        for one, other in zip(run(eager, *inputs), run(hybrid, *inputs)):
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("linear_path", "variational"), [(False, True), (True, True), (True, False)]
)
@some_members
def test_gradients(member, linear_path, variational, rng):
    """Every parameter has a finite gradient.

    The loss of the NumPy network rises in any direction as steeply as the gradients say.
    """
    changes = {"width": 8} if member.startswith("lstm") else {}
    network = build(
        member, linear_path=linear_path, variational=variational, n_components=8, **changes
    )
    inputs = (*batch(member, n_latent=8, n_spectra=20), np.ones((1, 8), dtype=np.float32))[
        : 4 if variational else 2
    ]
    with mx.autograd.record():
        mse, activity, channel_kl = network(*map(mx.nd.array, inputs))
        loss = mse + 0.01 * activity + 0.1 * channel_kl.mean()
    loss.backward()
    weights = get_weights(network)
    gradients = {
        name: parameter.grad().asnumpy().astype(np.float64)
        for name, parameter in named_parameters(network).items()
    }
    assert all(np.isfinite(gradient).all() for gradient in gradients.values())
    assert not [name for name, gradient in gradients.items() if not gradient.any()]

    def loss_at(distance, direction):
        moved = {name: weights[name] + distance * direction[name] for name in weights}
        mse, activity, channel_kl = losses(moved, *inputs)
        return mse + 0.01 * activity + 0.1 * channel_kl.mean()

    for _ in range(8):
        direction = {name: rng.normal(size=array.shape) for name, array in weights.items()}
        slope = sum((gradients[name] * direction[name]).sum() for name in gradients)
        assert (loss_at(1e-6, direction) - loss_at(-1e-6, direction)) / 2e-6 == pytest.approx(
            slope, rel=1e-4, abs=1e-4
        )


def count(network):
    return sum(np.prod(parameter.shape) for parameter in named_parameters(network).values())


def n_lstm(inputs, width):
    """Return the number of weights of a bidirectional layer.

    It has four gates, each with input, recurrent and two bias terms.
    """
    return 2 * 4 * width * (inputs + width + 2)


def n_paper(n_channels, width=128, n_latent=16):
    """Return the number of weights of the paper's network.

    It has 3 blocks of 2 layers in encoder and decoder, and one layer more in each; the first skip
    changes the width.
    """
    blocks_encoder = (
        n_lstm(n_channels, width) + 5 * n_lstm(2 * width, width) + 2 * width * n_channels
    )
    encoder = (
        blocks_encoder
        + n_lstm(2 * width, width)
        + (2 * width + 1) * n_latent
        + 2 * (n_latent + 1) * n_latent
    )
    decoder = (
        (n_latent + 1) * n_latent
        + n_lstm(n_latent, width)
        + 6 * n_lstm(2 * width, width)
        + (2 * width + 1) * n_channels
    )
    return encoder + decoder


@pytest.mark.parametrize(
    ("n_channels", "n_steps", "literal"), [(1, 25, 5_032_257), (2, 96, 5_033_794)]
)
def test_size_of_the_paper_s_network(n_channels, n_steps, literal):
    paper = LSTMVariationalAutoencoder(
        n_channels, n_blocks=3, n_layers=2, width=128, linear_path=False
    )
    assert count(paper._build(n_channels * n_steps)) == n_paper(n_channels) == literal


@pytest.mark.parametrize(("linear_path", "n_channels"), [(False, 1), (True, 1), (True, 2)])
def test_size_of_our_network(linear_path, n_channels):
    steps, latent, width = 25, 16, 32
    network = LSTMVariationalAutoencoder(n_channels, linear_path=linear_path)._build(
        n_channels * steps
    )
    encoder = n_lstm(n_channels, width) + (2 * width + 1) * latent + 2 * (latent + 1) * latent
    decoder = (latent + 1) * latent + n_lstm(latent, width) + (2 * width + 1) * n_channels
    linear = (2 * latent + 1) * steps * n_channels + latent
    assert count(network) == encoder + decoder + linear_path * linear


@pytest.mark.parametrize(("variational", "n_heads"), [(False, 1), (True, 2)])
def test_size_of_the_dense_network(variational, n_heads):
    """192 inputs, two hidden layers of 256, and 16 latents.

    A plain autoencoder has no second head.
    """
    network = DenseVariationalAutoencoder(2, linear_path=False, variational=variational)._build(192)
    hidden = 193 * 256 + 257 * 256 + n_heads * 257 * 16
    assert count(network) == hidden + 17 * 256 + 257 * 256 + 257 * 192


def test_size_of_the_convolutional_network():
    """Of 96 steps 12 are left.

    Decoder and encoder differ by their biases and by the second head.
    """
    network = ConvolutionalVariationalAutoencoder(2, linear_path=False)._build(192)
    filters = 5 * (2 * 16 + 16 * 32 + 32 * 64)
    encoder = filters + (16 + 32 + 64) + 2 * (12 * 64 + 1) * 16
    decoder = 17 * 12 * 64 + filters + (32 + 16 + 2)
    assert count(network) == encoder + decoder


def test_a_filter_of_an_even_number_of_steps_is_refused():
    with pytest.raises(ValueError, match="kernel_size=4 is even"):
        ConvolutionalVariationalAutoencoder(kernel_size=4)._build(10)


def posterior(mean, log_variance):
    """A network whose posterior has this mean and log-variance whatever the spectrum."""
    network = build(linear_path=False, scale=0)
    network.encoder.mean.bias.set_data(mx.nd.array(mean))
    network.encoder.log_variance.bias.set_data(mx.nd.array(log_variance))
    return network


def test_kl_known_answers():
    network = posterior([0, 1, -3, 0], [0, 0, 0, np.log(4)])
    channel_kl = run(network, *batch(), np.ones((1, 4), dtype=np.float32))[2]
    np.testing.assert_allclose(
        channel_kl, [0, 0.5, 4.5, (4 - 1 - np.log(4)) / 2], rtol=1e-6, atol=1e-7
    )


@settings(max_examples=20)
@given(st.floats(-3, 3), st.floats(-3, 2))
def test_kl_is_the_integral_that_defines_it(mean, log_variance):
    q = norm(mean, np.exp(log_variance / 2))
    x = np.linspace(mean - 12 * q.std(), mean + 12 * q.std(), 2001)
    integral = integrate.simpson(q.pdf(x) * (q.logpdf(x) - norm.logpdf(x)), x=x)
    channel_kl = run(
        posterior([mean] * 4, [log_variance] * 4), *batch(), np.ones((1, 4), dtype=np.float32)
    )[2]
    np.testing.assert_allclose(channel_kl, integral, rtol=1e-5, atol=1e-6)


def test_the_decoder_sees_mean_plus_deviation_times_epsilon():
    """With a decoder that copies its latents, the reconstruction is the sample itself."""
    network = posterior([1, -2, 0, 0.5], [0, 2, -2, -60])
    copy = build(n_channels=1, n_steps=4, scale=0).decoder
    copy.linear.weight.set_data(mx.nd.array(np.eye(4)))
    network.decoder = copy
    noisy, _, epsilon = batch()
    sample = np.array([1, -2, 0, 0.5]) + np.exp([0, 1, -1, -30]) * epsilon
    mse = run(network, noisy, sample[:, :, None], epsilon, np.ones((1, 4), dtype=np.float32))[0]
    assert mse == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("off", range(4))
def test_a_channel_that_is_switched_off_has_no_influence(off):
    channels = np.ones((1, 4), dtype=np.float32)
    channels[0, off] = 0
    network = build()
    before = run(network, *batch(), channels)
    for parameter in (network.encoder.mean.bias, network.encoder.log_variance.bias):
        bias = parameter.data().asnumpy()
        bias[off] += 3
        parameter.set_data(mx.nd.array(bias))
    after = run(network, *batch(), channels)
    assert after[2][off] == 0
    assert np.delete(after[2], off).all()
    for one, other in zip(before, after):
        np.testing.assert_array_equal(one, other)
    everything_on = run(network, *batch(), np.ones((1, 4), dtype=np.float32))
    assert everything_on[0] != after[0]
    assert everything_on[2][off] > 0


def test_only_the_encoder_sees_the_noise():
    """With weights of 0 nothing depends on the input.

    The error is that of the clean spectra.
    """
    noisy, spectra, epsilon = batch()
    mse = run(build(scale=0), noisy + 100, spectra, epsilon, np.ones((1, 4), dtype=np.float32))[0]
    assert mse == pytest.approx(np.mean(spectra**2), rel=1e-6)
