"""The Gluon network against a second computation of it: `replicate.reference`, in NumPy alone and in double precision."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate
from scipy.stats import norm

mx = pytest.importorskip("mxnet")

from replicate.models.inference import get_weights, named_parameters, set_weights  # noqa: E402
from replicate.models.lstm_vae import LSTMVariationalAutoencoder  # noqa: E402
from replicate.models.network import Decoder, Encoder, VariationalAutoencoder  # noqa: E402
from replicate.reference import Network, kl  # noqa: E402

DEPTHS = [(0, 1), (1, 1), (3, 2)]
every_form = pytest.mark.parametrize(
    ("n_blocks", "n_layers", "n_channels", "linear_path"),
    [(*depth, n_channels, linear) for depth in DEPTHS for n_channels in (1, 2) for linear in (False, True)],
)


def sizes(n_blocks=0, n_layers=1, n_channels=2, linear_path=True, n_steps=7, n_latent=4, width=3):
    names = {"n_steps": n_steps, "n_channels": n_channels, "n_latent": n_latent, "n_blocks": n_blocks, "n_layers": n_layers}
    return names | {"width": width, "linear_path": linear_path}


def build(block=VariationalAutoencoder, hybrid=True, seed=0, scale=0.4, **changes):
    """Make a network whose every weight, bias and all, is drawn at random."""
    network = block(**sizes(**changes))
    network.initialize()
    if hybrid:
        network.hybridize(static_alloc=True, static_shape=True)
    random = np.random.default_rng(seed)
    shapes = {name: parameter.shape for name, parameter in named_parameters(network).items()}
    set_weights(network, {name: random.normal(0, scale, shape).astype(np.float32) for name, shape in sorted(shapes.items())})
    return network


def batch(n_channels=2, n_spectra=5, n_steps=7, n_latent=4, seed=1):
    random = np.random.default_rng(seed)
    spectra, noise = random.normal(size=(2, n_spectra, n_steps, n_channels)).astype(np.float32)
    return spectra + 0.1 * noise, spectra, random.normal(size=(n_spectra, n_latent)).astype(np.float32)


def run(network, *inputs):
    outputs = network(*(mx.nd.array(array) for array in inputs))
    return [output.asnumpy() for output in outputs]


def stacked(spectra):
    """NTC, as the Gluon network takes and gives them, to channel-major `(n, n_channels * n_steps)`."""
    return spectra.transpose(0, 2, 1).reshape(len(spectra), -1)


def in_numpy(weights, spectra, latents):
    """What the encoder makes of spectra, NTC, and the decoder of latents, in the order of the Gluon blocks; spectra stacked."""
    reference = Network(weights)
    encoded = [*reference.encode(stacked(spectra)), reference.encoder_embedding(stacked(spectra))]
    return [*encoded, reference.decode(latents, spectra.shape[1]), reference.decoder_embedding(latents)]


def in_gluon(network, spectra, latents):
    decoded, embedding = run(network.decoder, latents)
    return [*run(network.encoder, spectra), stacked(decoded), embedding]


def losses(weights, noisy, spectra, epsilon, channels):
    """MSE, activity and KL of each channel, of the forward pass in NumPy."""
    reference = Network(weights)
    mean, log_variance = reference.encode(stacked(noisy))
    latents = (mean + np.exp(log_variance / 2) * epsilon) * channels
    embeddings = reference.encoder_embedding(stacked(noisy)), reference.decoder_embedding(latents)
    activity = sum(np.abs(embedding).sum(axis=1) for embedding in embeddings)
    mse = ((reference.decode(latents, spectra.shape[1]) - stacked(spectra)) ** 2).mean()
    return mse, activity.mean(), kl(mean, log_variance) * channels[0]


@every_form
def test_shapes(n_blocks, n_layers, n_channels, linear_path):
    form = {"n_blocks": n_blocks, "n_layers": n_layers, "n_channels": n_channels, "linear_path": linear_path}
    noisy, _, epsilon = batch(n_channels)
    assert [output.shape for output in run(build(Encoder, **form), noisy)] == [(5, 4)] * 3
    assert [output.shape for output in run(build(Decoder, **form), epsilon)] == [(5, 7, n_channels), (5, 4)]


def assert_all_close(found, expected):
    for one, other in zip(found, expected):
        assert one.shape == other.shape
        assert np.abs(one).max() > 0
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)


@every_form
def test_encoder_and_decoder_against_numpy(n_blocks, n_layers, n_channels, linear_path):
    network = build(n_blocks=n_blocks, n_layers=n_layers, n_channels=n_channels, linear_path=linear_path)
    spectra, _, latents = batch(n_channels)
    assert_all_close(in_gluon(network, spectra, latents), in_numpy(get_weights(network), spectra, latents))


@pytest.mark.parametrize("linear_path", [False, True])
@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize(("n_blocks", "n_layers", "width", "scale"), [(0, 1, 32, 0.2), (3, 2, 128, 0.1), (0, 1, 8, 0.4)])
def test_the_networks_of_the_study_against_numpy(n_blocks, n_layers, width, scale, n_channels, linear_path):
    """The layers of every profile; the larger they are, the smaller the weights, so that the states do not all saturate."""
    form = {"n_blocks": n_blocks, "n_layers": n_layers, "width": width, "n_channels": n_channels, "linear_path": linear_path}
    network = build(scale=scale, n_latent=16, n_steps=9, **form)
    spectra, _, latents = batch(n_channels, n_spectra=3, n_steps=9, n_latent=16)
    assert_all_close(in_gluon(network, spectra, latents), in_numpy(get_weights(network), spectra, latents))


@pytest.mark.parametrize("linear_path", [False, True])
def test_the_estimator_against_numpy(rng, linear_path):
    """From stacked spectra to stacked reconstructions, with a channel switched off and another merely inactive."""
    network = build(linear_path=linear_path)
    model = LSTMVariationalAutoencoder(2, 4, linear_path=linear_path, width=3)
    model.weights_, model.channel_kl_, model.n_features_in_ = get_weights(network), np.array([3, 0, 0.01, 2]), 14
    spectra = rng.normal(size=(11, 14)).astype(np.float32)
    found = model.inverse_transform(model.transform(spectra))
    reference = Network(model.weights_)
    assert_all_close([found], [reference.reconstruct(spectra, model.channel_kl_ != 0)])
    for other in ([True] * 4, model.channel_kl_ > 0.1):
        assert np.abs(found - reference.reconstruct(spectra, other)).max() > 1e-3


@pytest.mark.parametrize(("n_blocks", "n_layers"), DEPTHS)
def test_losses_against_numpy(n_blocks, n_layers):
    network = build(n_blocks=n_blocks, n_layers=n_layers)
    inputs = (*batch(), np.array([[1, 0, 1, 1]], dtype=np.float32))
    for one, other in zip(run(network, *inputs), losses(get_weights(network), *inputs)):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("n_blocks", "n_layers"), DEPTHS)
def test_hybridised_is_eager(n_blocks, n_layers):
    """Also where the number of spectra changes from call to call, as it does between training and scoring."""
    eager, hybrid = (build(hybrid=hybrid, n_blocks=n_blocks, n_layers=n_layers) for hybrid in (False, True))
    for n_spectra in (5, 2, 9, 5):
        inputs = (*batch(n_spectra=n_spectra), np.ones((1, 4), dtype=np.float32))
        for one, other in zip(run(eager, *inputs), run(hybrid, *inputs)):
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("linear_path", [False, True])
@pytest.mark.parametrize(("n_blocks", "n_layers"), DEPTHS)
def test_gradients(n_blocks, n_layers, linear_path, rng):
    """Every parameter has a finite gradient, and the loss of the NumPy network rises in any direction as steeply as they say."""
    network = build(n_blocks=n_blocks, n_layers=n_layers, linear_path=linear_path, width=8, n_latent=8)
    inputs = (*batch(n_latent=8), np.ones((1, 8), dtype=np.float32))
    with mx.autograd.record():
        mse, activity, channel_kl = network(*map(mx.nd.array, inputs))
        loss = mse + 0.01 * activity + 0.1 * channel_kl.mean()
    loss.backward()
    weights = get_weights(network)
    gradients = {name: parameter.grad().asnumpy().astype(np.float64) for name, parameter in named_parameters(network).items()}
    assert all(np.isfinite(gradient).all() for gradient in gradients.values())
    assert not [name for name, gradient in gradients.items() if not gradient.any()]

    def loss_at(distance, direction):
        moved = {name: weights[name] + distance * direction[name] for name in weights}
        mse, activity, channel_kl = losses(moved, *inputs)
        return mse + 0.01 * activity + 0.1 * channel_kl.mean()

    for _ in range(8):
        direction = {name: rng.normal(size=array.shape) for name, array in weights.items()}
        slope = sum((gradients[name] * direction[name]).sum() for name in gradients)
        assert (loss_at(1e-6, direction) - loss_at(-1e-6, direction)) / 2e-6 == pytest.approx(slope, rel=1e-4, abs=1e-4)


def n_lstm(inputs, width):
    """Weights of a bidirectional layer: four gates, each with input, recurrent and two bias terms."""
    return 2 * 4 * width * (inputs + width + 2)


def n_paper(n_channels, width=128, n_latent=16):
    """Paper: 3 blocks of 2 layers in encoder and decoder, and one layer more in each; the first skip changes the width."""
    blocks_encoder = n_lstm(n_channels, width) + 5 * n_lstm(2 * width, width) + 2 * width * n_channels
    encoder = blocks_encoder + n_lstm(2 * width, width) + (2 * width + 1) * n_latent + 2 * (n_latent + 1) * n_latent
    decoder = (n_latent + 1) * n_latent + n_lstm(n_latent, width) + 6 * n_lstm(2 * width, width) + (2 * width + 1) * n_channels
    return encoder + decoder


@pytest.mark.parametrize(("n_channels", "n_steps", "literal"), [(1, 25, 5_032_257), (2, 96, 5_033_794)])
def test_size_of_the_paper_s_network(n_channels, n_steps, literal):
    network = VariationalAutoencoder(**sizes(3, 2, n_channels, linear_path=False, n_steps=n_steps, n_latent=16, width=128))
    assert sum(np.prod(parameter.shape) for parameter in named_parameters(network).values()) == n_paper(n_channels) == literal


@pytest.mark.parametrize(("linear_path", "n_channels"), [(False, 1), (True, 1), (True, 2)])
def test_size_of_our_network(linear_path, n_channels):
    steps, latent, width = 25, 16, 32
    network = VariationalAutoencoder(**sizes(0, 1, n_channels, linear_path, steps, latent, width))
    encoder = n_lstm(n_channels, width) + (2 * width + 1) * latent + 2 * (latent + 1) * latent
    decoder = (latent + 1) * latent + n_lstm(latent, width) + (2 * width + 1) * n_channels
    linear = (2 * latent + 1) * steps * n_channels + latent
    found = sum(np.prod(parameter.shape) for parameter in named_parameters(network).values())
    assert found == encoder + decoder + linear_path * linear


def posterior(mean, log_variance):
    """A network whose posterior has this mean and log-variance whatever the spectrum."""
    network = build(linear_path=False, scale=0)
    network.encoder.mean.bias.set_data(mx.nd.array(mean))
    network.encoder.log_variance.bias.set_data(mx.nd.array(log_variance))
    return network


def test_kl_known_answers():
    network = posterior([0, 1, -3, 0], [0, 0, 0, np.log(4)])
    channel_kl = run(network, *batch(), np.ones((1, 4), dtype=np.float32))[2]
    np.testing.assert_allclose(channel_kl, [0, 0.5, 4.5, (4 - 1 - np.log(4)) / 2], rtol=1e-6, atol=1e-7)


@settings(max_examples=20)
@given(st.floats(-3, 3), st.floats(-3, 2))
def test_kl_is_the_integral_that_defines_it(mean, log_variance):
    q = norm(mean, np.exp(log_variance / 2))
    x = np.linspace(mean - 12 * q.std(), mean + 12 * q.std(), 2001)
    integral = integrate.simpson(q.pdf(x) * (q.logpdf(x) - norm.logpdf(x)), x=x)
    channel_kl = run(posterior([mean] * 4, [log_variance] * 4), *batch(), np.ones((1, 4), dtype=np.float32))[2]
    np.testing.assert_allclose(channel_kl, integral, rtol=1e-5, atol=1e-6)


def test_the_decoder_sees_mean_plus_deviation_times_epsilon():
    """With a decoder that copies its latents, the reconstruction is the sample itself."""
    network = posterior([1, -2, 0, 0.5], [0, 2, -2, -60])
    network.decoder = Decoder(**sizes(n_channels=1, n_steps=4))
    network.decoder.initialize(mx.init.Zero())
    network.decoder.linear.weight.set_data(mx.nd.array(np.eye(4)))
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
    """With weights of 0 nothing depends on the input, and the error is that of the clean spectra."""
    noisy, spectra, epsilon = batch()
    mse = run(build(scale=0), noisy + 100, spectra, epsilon, np.ones((1, 4), dtype=np.float32))[0]
    assert mse == pytest.approx(np.mean(spectra**2), rel=1e-6)
