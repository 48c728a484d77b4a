"""The autoencoders as scikit-learn transformers.

Conventions, start, bad input, and that a network learns spectra that PCA cannot.
"""

from __future__ import annotations

import copy
import pickle
from dataclasses import asdict, replace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

mx = pytest.importorskip("mxnet")

from replicate.errors import ReplicationError  # noqa: E402
from replicate.models import autoencoder  # noqa: E402
from replicate.models.convolutional_vae import ConvolutionalVariationalAutoencoder  # noqa: E402
from replicate.models.dense_vae import DenseVariationalAutoencoder  # noqa: E402
from replicate.models.linear import PCA  # noqa: E402
from replicate.models.lstm_vae import LSTMVariationalAutoencoder  # noqa: E402
from replicate.models.schedule import BetaSchedule  # noqa: E402
from replicate.models.weights import named_parameters  # noqa: E402
from replicate.reference.restore import StoredAutoencoder, StoredVariationalAutoencoder  # noqa: E402

BRIEF = BetaSchedule(warmup_epochs=1, max_steps=1, settle_epochs=1)
# The paper's lambda is a power of ten of beta, and meant for spectra of unit variance; those of
# scikit-learn's checks reach 100.
UNSCALED = replace(BRIEF, l1_scale=0.0)


def tiny(**changes):
    """Return a small LSTM VAE.

    At a width of 1 or 2, or of 4 with patches, the last bit of MXNet's fused LSTM depends on how
    the memory is aligned; at 8 it does not.
    """
    return LSTMVariationalAutoencoder(
        **{"n_components": 2, "width": 4, "schedule": BRIEF, "target_channels": 1} | changes
    )


def small(**changes):
    """Return the parameters of the other members of the family, as small."""
    return {"n_components": 2, "schedule": BRIEF, "target_channels": 1} | changes


def dense(**changes):
    return DenseVariationalAutoencoder(**small(**{"hidden": (6, 5)} | changes))


def convolutional(**changes):
    return ConvolutionalVariationalAutoencoder(**small(**{"filters": (3, 4)} | changes))


FAMILY = {
    "lstm": tiny,
    "dense": dense,
    "convolutional": convolutional,
    "lstm of patches": lambda **changes: tiny(**{"patch": 2, "n_own": 3, "width": 8} | changes),
    "plain": lambda **changes: tiny(variational=False, **changes),
    "plain dense": lambda **changes: dense(variational=False, **changes),
    "plain convolutional": lambda **changes: convolutional(variational=False, **changes),
}
members = pytest.mark.parametrize("make", FAMILY.values(), ids=FAMILY)


def stacked(n=40, n_channels=2, n_steps=6, seed=0):
    """Spectra that differ in two channels, channel-major."""
    return np.random.default_rng(seed).normal(size=(n, n_channels * n_steps)).astype(np.float32)


def steps_on_slopes(n, seed):
    """Return spectra of two factors: where a step is, and how steep the slope under it is.

    The step moves through many linear components.
    """
    where, slope = np.random.default_rng(seed).uniform(-1, 1, size=(2, n, 1))
    t = np.linspace(-1, 1, 8)
    return (np.tanh(4 * (t - where)) + slope * t).astype(np.float32)


@pytest.fixture(scope="module")
def spectra():
    return stacked()


@pytest.fixture(scope="module", params=FAMILY.values(), ids=FAMILY)
def fitted(request, spectra):
    return request.param(n_channels=2, n_components=3, target_channels=3).fit(spectra)


@parametrize_with_checks(
    [
        tiny(),
        tiny(linear_path=False, n_blocks=1, schedule=UNSCALED),
        dense(),
        convolutional(variational=False),
    ]
)
def test_scikit_learn_convention(estimator, check):
    check(estimator)


# Transformer


def test_shapes(fitted, spectra):
    latents = fitted.transform(spectra)
    assert (latents.shape, latents.dtype) == ((40, 3), np.float32)
    assert fitted.inverse_transform(latents).shape == spectra.shape
    assert fitted.inverse_transform(latents[:1]).shape == (1, 12)
    assert list(fitted.get_feature_names_out()) == [
        f"{type(fitted).__name__.lower()}{i}" for i in range(3)
    ]


def test_transform_gives_posterior_means(fitted, spectra):
    """No sampling: whatever is drawn in between."""
    first = fitted.transform(spectra)
    mx.random.seed(99)
    mx.nd.random.normal(shape=100).wait_to_read()
    np.testing.assert_array_equal(fitted.transform(spectra), first)
    mean = fitted._network.encoder(mx.nd.array(fitted._unstack(spectra)))[0].asnumpy()
    in_use = fitted.channel_kl_ > 0 if fitted.variational else np.ones(3)
    np.testing.assert_allclose(first, mean * in_use, atol=1e-6)


@pytest.mark.parametrize("fitted", [tiny, convolutional], indirect=True)
def test_spectra_are_channel_major_on_both_sides(fitted, rng):
    latents = rng.normal(size=(4, 3)).astype(np.float32)
    decoded = fitted._network.decoder(mx.nd.array(latents))[0].asnumpy()
    assert decoded.shape == (4, 6, 2)
    np.testing.assert_allclose(
        fitted.inverse_transform(latents),
        np.hstack([decoded[:, :, 0], decoded[:, :, 1]]),
        rtol=1e-5,
        atol=1e-6,
    )
    spectra = np.arange(12, dtype=np.float32)[None]
    np.testing.assert_array_equal(
        fitted._unstack(spectra)[0], np.column_stack([np.arange(6), np.arange(6, 12)])
    )


def test_a_patch_is_neighbouring_steps_of_every_channel():
    """Of two channels of six steps, 0 to 5 and 6 to 11, three patches of two steps."""
    model, spectra = tiny(n_channels=2, patch=2), np.arange(24, dtype=np.float32).reshape(2, 12)
    np.testing.assert_array_equal(
        model._unstack(spectra)[0], [[0, 1, 6, 7], [2, 3, 8, 9], [4, 5, 10, 11]]
    )
    np.testing.assert_array_equal(model._stack(model._unstack(spectra)), spectra)
    np.testing.assert_array_equal(
        tiny(n_channels=2)._unstack(spectra)[0], [[step, step + 6] for step in range(6)]
    )


def test_steps_that_do_not_divide_into_patches():
    with pytest.raises(
        ValueError, match="12 features do not divide into n_channels=2 of patches of 4 steps"
    ):
        tiny(n_channels=2, patch=4).fit(stacked())


def test_features_of_each_step_s_own_are_counted(spectra):
    """The dense layer makes 3 features of each of 6 steps from 4 features.

    Both directions of 4 units, of 4 gates each, read them beside the embedding.
    """
    with_step_features, without = (
        tiny(n_channels=2, n_own=n_own, n_components=4).fit(spectra).n_parameters_
        for n_own in (3, 0)
    )
    assert with_step_features - without == 6 * 3 * (4 + 1) + 2 * 4 * 4 * 3


def test_a_spectrum_s_latents_do_not_depend_on_its_company(fitted):
    many = stacked(n=1234, seed=3)
    latents, spectra = fitted.transform(many), fitted.inverse_transform(fitted.transform(many))
    for chosen in ([0], [499, 500, 501], [1233, 7]):
        np.testing.assert_allclose(
            fitted.transform(many[chosen]), latents[chosen], rtol=1e-5, atol=1e-6
        )
        np.testing.assert_allclose(
            fitted.inverse_transform(latents[chosen]), spectra[chosen], rtol=1e-5, atol=1e-6
        )


def test_channel_kl_is_that_of_the_training_spectra(fitted, spectra):
    if not fitted.variational:
        pytest.skip("a plain autoencoder has no KL")
    mean, log_variance, _ = (
        output.asnumpy()
        for output in fitted._network.encoder(mx.nd.array(fitted._unstack(spectra)))
    )
    kl = ((mean**2 + np.exp(log_variance) - 1 - log_variance) / 2).mean(axis=0)
    np.testing.assert_allclose(fitted.channel_kl_, kl, rtol=1e-4)
    np.testing.assert_array_equal(fitted.active_, kl > 0.1)


def test_without_settling_every_channel_is_used(spectra):
    model = tiny(schedule=BetaSchedule(warmup_epochs=1, max_steps=1, settle_epochs=0)).fit(spectra)
    assert model.channel_kl_.all()
    assert model.transform(spectra).any(axis=0).all()


@pytest.mark.parametrize(
    "duplicate", [lambda model: pickle.loads(pickle.dumps(model)), copy.deepcopy, copy.copy]
)
def test_a_copy_gives_the_same_latents(fitted, spectra, duplicate):
    copied = duplicate(fitted)
    np.testing.assert_array_equal(copied.transform(spectra), fitted.transform(spectra))
    latents = fitted.transform(spectra)
    np.testing.assert_array_equal(
        copied.inverse_transform(latents), fitted.inverse_transform(latents)
    )


def test_clone_trains_to_the_same_bits(fitted, spectra):
    again = clone(fitted)
    assert not hasattr(again, "weights_")
    np.testing.assert_array_equal(again.fit(spectra).transform(spectra), fitted.transform(spectra))
    other = clone(fitted).set_params(random_state=1).fit(spectra)
    assert (other.transform(spectra) != fitted.transform(spectra)).any()


def test_global_generators_are_not_used(fitted, spectra):
    np.random.seed(1234)  # noqa: NPY002
    mx.random.seed(1234)
    np.testing.assert_array_equal(
        clone(fitted).fit(spectra).transform(spectra), fitted.transform(spectra)
    )


def test_fitting_again_starts_anew(fitted, spectra):
    refitted = clone(fitted).fit(stacked(n=30, n_steps=4, seed=8)).fit(spectra)
    np.testing.assert_array_equal(refitted.transform(spectra), fitted.transform(spectra))


def test_in_a_pipeline(spectra):
    pipeline = make_pipeline(StandardScaler(), tiny(n_channels=2)).fit(spectra)
    assert pipeline.inverse_transform(pipeline.transform(spectra)).shape == spectra.shape


def test_parameters_are_counted(fitted):
    assert fitted.n_parameters_ == sum(
        np.prod(parameter.shape) for parameter in named_parameters(fitted._network).values()
    )


def test_history_and_selection(fitted):
    assert [row["phase"] for row in fitted.history_] == (
        ["warmup", "ramp", "settle"] if fitted.variational else ["settle"]
    )
    if not fitted.variational:
        return
    assert fitted.selected_["beta"] == fitted.history_[1]["beta"] > 0
    assert fitted.selected_["active_channels"] == fitted.history_[1]["active_channels"]


def test_every_parameter_reaches_the_training(spectra, monkeypatch):
    given = []
    monkeypatch.setattr(
        autoencoder, "Training", lambda *arguments: given.append(arguments) or 1 / 0
    )
    model = tiny(
        target_channels=7,
        learning_rate=0.5,
        batch_size=9,
        input_noise=0.3,
        weight_decay=0.1,
        at_once=4,
        random_state=11,
    )
    with pytest.raises(ZeroDivisionError):
        model.fit(spectra, validation=spectra[:3])
    ((_, sequences, schedule, options, validation),) = given
    named = {
        "target_channels": 7,
        "learning_rate": 0.5,
        "batch_size": 9,
        "input_noise": 0.3,
        "weight_decay": 0.1,
        "seed": 11,
        "at_once": 4,
    }
    assert asdict(options) == named
    assert schedule == BRIEF
    np.testing.assert_array_equal(sequences, spectra[:, :, None])
    np.testing.assert_array_equal(validation, spectra[:3, :, None])


def test_resumed_fit_has_the_same_bits(tmp_path, fitted, spectra):
    def interrupt(row):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        clone(fitted).fit(spectra, checkpoint=tmp_path / "checkpoint.npz", on_epoch=interrupt)
    resumed = clone(fitted).fit(spectra, checkpoint=tmp_path / "checkpoint.npz")
    assert all((resumed.weights_[name] == array).all() for name, array in fitted.weights_.items())
    np.testing.assert_array_equal(resumed.transform(spectra), fitted.transform(spectra))


def test_restored_from_its_weights_alone(fitted, spectra):
    """As `verify` does, without MXNet."""
    form, *in_use = (
        (StoredVariationalAutoencoder, fitted.channel_kl_ != 0)
        if fitted.variational
        else (StoredAutoencoder,)
    )
    restored = form(fitted.weights_, spectra, getattr(fitted, "patch", 1), *in_use)
    latents = fitted.transform(spectra)
    np.testing.assert_allclose(restored.transform(spectra), latents, atol=1e-5)
    np.testing.assert_allclose(
        restored.inverse_transform(latents), fitted.inverse_transform(latents), atol=1e-5
    )
    assert restored.n_parameters_ == fitted.n_parameters_
    assert hasattr(restored, "active_") == fitted.variational
    if fitted.variational:
        np.testing.assert_allclose(restored.channel_kl_, fitted.channel_kl_, rtol=1e-4)


# Plain autoencoders and a fixed beta


def test_a_plain_autoencoder_tells_of_no_channels(spectra):
    """Nor where it was fitted as a variational one before."""
    model = dense(n_channels=2).fit(spectra).set_params(variational=False).fit(spectra)
    assert not [name for name in ("channel_kl_", "active_", "selected_") if hasattr(model, name)]
    np.testing.assert_array_equal(
        model.transform(spectra), clone(model).fit(spectra).transform(spectra)
    )


@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize(
    "make", [dense, convolutional, tiny], ids=["dense", "convolutional", "lstm"]
)
def test_widths_that_mxnet_s_cpu_library_has_layouts_for(make, n_channels):
    """Of 8 and 16 units and filters some operators take other paths, not all of which work."""
    form = (
        {"width": 16}
        if make is tiny
        else {"hidden": (16, 8)}
        if make is dense
        else {"filters": (16, 32)}
    )
    model = make(n_channels=n_channels, n_components=16, **form).fit(
        stacked(n_channels=n_channels, n_steps=8)
    )
    assert np.isfinite(model.history_[-1]["mse"])


@members
def test_a_fixed_beta_is_the_only_one(make, spectra):
    model = make(
        n_channels=2, n_components=4, schedule=BetaSchedule(settle_epochs=3, fixed_beta=0.01)
    ).fit(spectra)
    assert {row["phase"] for row in model.history_} == {"settle"}
    assert {row["beta"] for row in model.history_} == {0.01 if model.variational else 0.0}
    assert model.transform(spectra).any(axis=0).all()
    if model.variational:
        assert model.selected_ == {
            "beta": 0.01,
            "active_channels": model.history_[-1]["active_channels"],
            "how": "fixed",
        }


def test_a_linear_autoencoder_reaches_the_error_of_pca():
    scales = np.array([3, 2, 1.5, *[0.3] * 9], dtype=np.float32)
    spectra = (stacked(n=400) * scales) @ np.linalg.qr(stacked(n=12, seed=1))[0] + 1
    form = {"hidden": (), "variational": False, "linear_path": False, "n_components": 3}
    schedule = BetaSchedule(settle_epochs=60)
    model = DenseVariationalAutoencoder(
        **form, learning_rate=1e-1, batch_size=50, schedule=schedule
    ).fit(spectra)
    linear, pca = (
        np.mean((fit.inverse_transform(fit.transform(spectra)) - spectra) ** 2)
        for fit in (model, PCA(3).fit(spectra))
    )
    assert pca * (1 - 1e-5) <= linear < 1.01 * pca


# The start of the linear path


@pytest.mark.parametrize("n_channels", [1, 2, 3])
@members
def test_linear_path_starts_at_the_principal_components(make, n_channels):
    """Taken alone, the linear map in and out reconstructs as PCA does.

    Its latents have unit variance.
    """
    spectra = 2 + stacked(n_channels=n_channels) @ np.diag(
        np.linspace(3, 0.1, 6 * n_channels)
    ).astype(np.float32)
    model = make(n_channels=n_channels, n_components=4)
    network = model._new_network(spectra)
    x = mx.nd.array(model._unstack(spectra))
    latents = network.encoder.linear(mx.nd.flatten(x))
    linear = model._stack(network.decoder.linear(latents).asnumpy().reshape(x.shape))
    pca = PCA(4).fit(spectra)
    np.testing.assert_allclose(linear, pca.inverse_transform(pca.transform(spectra)), atol=1e-4)
    whole = model._stack(network.decoder(latents)[0].asnumpy())
    np.testing.assert_allclose(
        whole, linear, atol=1e-5, err_msg="the other path starts as no correction"
    )
    correction = np.abs(network.encoder(x)[0].asnumpy() - latents.asnumpy()).mean()
    assert 0 < correction < 0.5, (
        "a slight one in the encoder, whose layers have something to learn from at once"
    )
    covariance = np.cov(latents.asnumpy().T, ddof=0)
    np.testing.assert_allclose(covariance, np.eye(4), atol=1e-4)


def test_linear_path_of_fewer_components_than_channels():
    """Spectra of rank 2 and a constant feature.

    The channels without a component start at 0, and nothing is divided by 0.
    """
    spectra = (
        stacked(n=20, n_channels=1, n_steps=2) @ stacked(n=2, n_channels=1, n_steps=6, seed=1)
    ).astype(np.float32)
    spectra[:, 0] = 7
    network = tiny(n_components=5)._new_network(spectra)
    latents = network.encoder.linear(mx.nd.array(spectra))
    np.testing.assert_allclose(network.decoder.linear(latents).asnumpy(), spectra, atol=1e-4)
    np.testing.assert_allclose(latents.asnumpy().std(axis=0)[:2], 1, atol=1e-3)
    assert not latents.asnumpy()[:, 3:].any()


def test_constant_spectra_are_trained_on():
    model = tiny().fit(np.full((20, 6), 3, dtype=np.float32))
    assert all(np.isfinite(array).all() for array in model.weights_.values())


def test_the_posterior_starts_narrow(spectra):
    network = tiny(n_channels=2)._new_network(spectra)
    np.testing.assert_array_equal(network.encoder.log_variance.bias.data().asnumpy(), -4)


def test_the_plain_form_has_no_linear_path(spectra):
    model = tiny(n_channels=2, linear_path=False).fit(spectra)
    assert not [name for name in model.weights_ if ".linear." in name]


# It learns


@pytest.fixture(scope="module")
def learned():
    schedule = BetaSchedule(warmup_epochs=10, max_steps=60, kl_share=0.8, settle_epochs=60)
    sizes = {"n_components": 4, "target_channels": 2, "width": 8, "batch_size": 100}
    return LSTMVariationalAutoencoder(learning_rate=1e-2, schedule=schedule, **sizes).fit(
        steps_on_slopes(400, seed=0)
    )


def test_better_than_pca_with_as_many_latents(learned):
    """On spectra that neither model has seen."""
    fresh = steps_on_slopes(300, seed=1)
    vae, pca = (
        np.mean((model.inverse_transform(model.transform(fresh)) - fresh) ** 2)
        for model in (learned, PCA(2).fit(steps_on_slopes(400, seed=0)))
    )
    assert vae < pca / 2


def test_beta_grows_until_the_active_channels_are_as_many_as_asked_for(learned):
    ramp = [row for row in learned.history_ if row["phase"] == "ramp"]
    betas = [row["beta"] for row in ramp]
    assert all(row["active_channels"] >= 2 for row in ramp) and betas == sorted(betas)
    assert learned.selected_["active_channels"] == learned.active_.sum() == 2
    assert learned.selected_["beta"] == betas[-1] and learned.selected_["how"] == "ramp"


def test_channels_that_are_switched_off_are_zero(learned):
    latents = learned.transform(steps_on_slopes(50, seed=2))
    np.testing.assert_array_equal(latents.any(axis=0), learned.active_)
    np.testing.assert_array_equal(learned.channel_kl_ > 0, learned.active_)


def test_channels_in_use_carry_the_factors(learned):
    """Each factor is a smooth function of the two latents.

    Spectra that are nearest neighbours have nearly the same factors.
    """
    spectra = steps_on_slopes(400, seed=0)
    latents = learned.transform(spectra)[:, learned.active_]
    factors = np.random.default_rng(0).uniform(-1, 1, size=(2, 400)).T
    distance = ((latents[:, None] - latents) ** 2).sum(axis=2)
    np.fill_diagonal(distance, np.inf)
    assert np.abs(factors - factors[distance.argmin(axis=1)]).mean() < 0.1


def test_the_error_falls_while_warming_up_and_settling(learned):
    for phase in ("warmup", "settle"):
        mse = [row["mse"] for row in learned.history_ if row["phase"] == phase]
        assert mse[-1] < mse[0] / 2


# Bad input


def with_value(value):
    spectra = stacked()
    spectra[3, 4] = value
    return spectra


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.parametrize(
    ("spectra", "n_channels", "message"),
    [
        (with_value(np.nan), 2, "NaN"),
        (with_value(np.inf), 2, "infinity"),
        (stacked().astype(float) * 1e300, 2, "too large"),
        (stacked(n=1), 2, "minimum of 2"),
        (stacked(n=0), 2, "0 sample"),
        (stacked()[0], 2, "2D array"),
        (stacked().reshape(40, 2, 6), 2, "dim 3"),
        (stacked(), 5, "12 features do not divide into n_channels=5"),
        (np.array([["a", "b"], ["c", "d"]]), 1, "convert"),
    ],
)
def test_bad_spectra(spectra, n_channels, message):
    with pytest.raises(ValueError, match=message):
        tiny(n_channels=n_channels).fit(spectra)


def test_bad_spectra_to_transform(fitted):
    with pytest.raises(ValueError, match="10 features.*expecting 12"):
        fitted.transform(stacked(n_steps=5))
    with pytest.raises(ValueError, match="NaN"):
        fitted.transform(with_value(np.nan))


@pytest.mark.parametrize(
    ("latents", "message"),
    [
        (np.zeros((4, 2)), "2 latents, expected n_components=3"),
        (np.zeros(3), "2D array"),
        (np.zeros((0, 3)), "0 sample"),
        (np.full((4, 3), np.nan), "NaN"),
    ],
)
def test_bad_latents(fitted, latents, message):
    with pytest.raises(ValueError, match=message):
        fitted.inverse_transform(latents)


def test_a_loss_that_is_not_finite():
    with pytest.raises(ReplicationError, match="learning_rate.*unit variance"):
        tiny(linear_path=False).fit(stacked() * np.float32(1e30))
