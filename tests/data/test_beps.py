"""The scan of the paper.

Alignment by planted features and by physics, reading broken files, held-out folds, and scaling.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.base import clone

from replicate.data import beps
from replicate.data.heldout import ChannelScaler, spatial_folds
from replicate.data.scan import Scan
from replicate.errors import ReplicationError

DATA = os.environ.get("REPLICATE_DATA")
FILES = ("piezoresponse.npy", "resonance.npy", "voltage.npy")
needs_data = pytest.mark.skipif(
    not DATA or not all(Path(DATA, name).exists() for name in FILES),
    reason=f"REPLICATE_DATA does not hold {', '.join(FILES)}",
)


def voltage_cycle(n_steps=96):
    """16 V to -16 V and back, by its corners."""
    return np.interp(np.arange(n_steps), [0, n_steps // 2, n_steps], [16.0, -16.0, 16.0])


def acquisition_cycle(n_steps=96):
    """0 V to 16 V, to -16 V and back to 0 V, by its corners."""
    quarter = n_steps // 4
    return np.interp(
        np.arange(n_steps), [0, quarter, 3 * quarter, n_steps], [0.0, 16.0, -16.0, 0.0]
    )


def small_scan(n_steps=96):
    """Return six pixels whose channels are their own voltages, pixel by pixel a little larger."""
    gain = np.arange(1, 7)[:, np.newaxis]
    spectra = np.concatenate(
        [gain * voltage_cycle(n_steps), gain * acquisition_cycle(n_steps)], axis=1
    ).astype(np.float32)
    return Scan(spectra, (2, 3), beps.stored_voltages(voltage_cycle(n_steps)), "measured")


@pytest.fixture
def files(tmp_path):
    """Write a small prepared scan, 2 x 3 pixels, and return its paths by name."""
    scan = small_scan()
    contents = {
        "piezoresponse": scan.channel("piezoresponse")[:, :, np.newaxis].astype(float),
        "resonance": scan.channel("resonance").astype(float),
        "voltage": voltage_cycle()[:, np.newaxis],
    }
    paths = {name: tmp_path / f"{name}.npy" for name in contents}
    for name, values in contents.items():
        np.save(paths[name], values)
    return paths


def read(paths):
    return beps.read_prepared(**paths, shape=(2, 3))


@pytest.mark.parametrize("n_steps", [8, 96])
def test_resonance_voltage_is_the_acquisition_order(n_steps):
    piezoresponse, resonance = beps.stored_voltages(voltage_cycle(n_steps))
    np.testing.assert_allclose(piezoresponse, voltage_cycle(n_steps))
    np.testing.assert_allclose(resonance, acquisition_cycle(n_steps))


def test_lag_of_the_prepared_arrays():
    assert small_scan().lags == (0, 24)


@pytest.mark.parametrize(
    ("volts", "rising"), [(8.0, True), (-8.0, False), (2.0, True), (2.0, False)]
)
def test_planted_dip_lands_at_its_voltage(volts, rising):
    scan = small_scan()
    spectra = np.zeros((1, 192), dtype=np.float32)
    voltage = scan.voltages[1]
    following = np.roll(voltage, -1)
    branch = following > voltage if rising else following < voltage
    spectra[0, 96 + np.flatnonzero(np.isclose(voltage, volts) & branch)] = -1
    aligned = scan.align(spectra)
    step = np.argmin(aligned[0, 1])
    assert scan.voltages[0][step] == pytest.approx(volts)
    assert (step > 48) == rising


def test_aligned_channels_share_the_voltage():
    spectra, voltage = small_scan().aligned()
    assert spectra.shape == (6, 2, 96)
    for pixel, channels in enumerate(spectra):
        for channel in channels:
            np.testing.assert_allclose(channel, (pixel + 1) * voltage, rtol=1e-6)


@given(arrays(np.float32, (3, 192), elements=st.floats(-10, 10, width=32)))
def test_align_then_unalign_is_the_identity(spectra):
    scan = small_scan()
    np.testing.assert_array_equal(scan.unalign(scan.align(spectra)), spectra)


def test_stored_spectra_stay_as_stored():
    scan = small_scan()
    before = scan.spectra.copy()
    scan.aligned()
    np.testing.assert_array_equal(scan.spectra, before)
    np.testing.assert_allclose(scan.channel("resonance")[0], acquisition_cycle(), rtol=1e-6)
    assert (scan.n_channels, scan.n_steps) == (2, 96)


def test_map_is_in_c_order():
    scan = small_scan()
    np.testing.assert_array_equal(scan.map(np.arange(6)), [[0, 1, 2], [3, 4, 5]])
    assert scan.map(scan.spectra).shape == (2, 3, 192)


def test_unknown_channel():
    with pytest.raises(ReplicationError, match="amplitude"):
        small_scan().channel("amplitude")


@pytest.mark.parametrize("shape", [(6, 96), (192,), (3, 2, 96)])
def test_align_refuses_other_shapes(shape):
    with pytest.raises(ReplicationError, match="spectra"):
        small_scan().align(np.zeros(shape))


def test_scan_refuses_what_does_not_fit_together():
    voltages = beps.stored_voltages(voltage_cycle())
    with pytest.raises(ReplicationError, match="spectra of shape"):
        Scan(np.zeros((5, 192)), (2, 3), voltages, "measured")
    with pytest.raises(ReplicationError, match="cycle"):
        Scan(np.zeros((6, 192)), (2, 3), np.stack([voltages[0], voltages[0] / 2]), "measured")


def test_read_prepared(files):
    scan, expected = read(files), small_scan()
    np.testing.assert_array_equal(scan.spectra, expected.spectra)
    assert scan.spectra.dtype == np.float32
    assert (scan.provenance, scan.shape, scan.lags, scan.truth) == (
        "measured",
        (2, 3),
        (0, 24),
        None,
    )
    assert scan.hashes == {
        name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()
    }


@pytest.mark.parametrize("name", ["piezoresponse", "resonance", "voltage"])
@pytest.mark.parametrize(
    "damage",
    [
        "missing",
        "empty",
        "truncated",
        "text",
        "pickle",
        "nan",
        "infinite",
        "integers",
        "shape",
        "transposed",
    ],
)
def test_bad_files(files, name, damage):
    path = files[name]
    values, content = np.load(path), path.read_bytes()
    if damage in ("missing", "empty", "truncated", "text"):
        path.write_bytes(
            {"empty": b"", "truncated": content[:-100], "text": b"no array"}.get(damage, content)
        )
        if damage == "missing":
            path.unlink()
    else:
        broken = values.astype(object if damage == "pickle" else float)
        if damage in ("nan", "infinite"):
            broken.flat[5] = np.nan if damage == "nan" else -np.inf
        if damage == "integers":
            broken = broken.astype(int)
        if damage == "shape":
            broken = broken[:-1]
        if damage == "transposed":
            broken = broken[np.newaxis]
        np.save(path, broken, allow_pickle=True)
    with pytest.raises(ReplicationError, match=path.name):
        read(files)


def test_channels_of_different_pixels(files):
    np.save(files["resonance"], np.load(files["resonance"])[:4])
    with pytest.raises(
        ReplicationError, match=r"resonance.npy: shape \(4, 96\), expected \(6, 96\)"
    ):
        read(files)


@pytest.mark.parametrize(
    "voltage",
    [
        np.linspace(16, -16, 96),
        np.abs(voltage_cycle()),
        np.tile(voltage_cycle(48), 2),
        voltage_cycle() + 20,
        np.zeros(96),
        voltage_cycle(94),
        voltage_cycle()[:60],
        np.array([]),
    ],
    ids=[
        "half a cycle",
        "unipolar",
        "two cycles",
        "all positive",
        "constant",
        "not in quarters",
        "open",
        "nothing",
    ],
)
def test_voltage_must_be_one_bipolar_cycle(files, voltage):
    np.save(files["voltage"], voltage)
    with pytest.raises(ReplicationError, match="voltage.npy: not one bipolar cycle"):
        read(files)


def test_folds_are_whole_blocks_and_every_block_is_in_one():
    folds = spatial_folds()
    assert folds.shape == (3600,)
    blocks = folds.reshape(10, 6, 10, 6).swapaxes(1, 2).reshape(100, 36)
    assert (blocks == blocks[:, :1]).all()
    assert np.bincount(blocks[:, 0]).tolist() == [20] * 5


def test_folds_are_seeded():
    np.testing.assert_array_equal(spatial_folds(seed=3), spatial_folds(seed=3))
    assert not np.array_equal(spatial_folds(seed=3), spatial_folds(seed=4))


def test_folds_of_an_oblong_grid_that_do_not_divide():
    folds = spatial_folds(shape=(4, 8), block=2, n_folds=3, seed=1).reshape(4, 8)
    np.testing.assert_array_equal(folds, np.kron(folds[::2, ::2], np.ones((2, 2), int)))
    assert sorted(np.bincount(folds.ravel()) // 4) == [2, 3, 3]


def test_folds_of_the_paper_s_scan_are_dealt_as_ever():
    """As a table of blocks, dealt in one shuffle: the folds behind every stored number."""
    blocks = np.random.default_rng(0).permutation(np.arange(100) % 5).reshape(10, 10)
    np.testing.assert_array_equal(
        spatial_folds().reshape(60, 60), np.kron(blocks, np.ones((6, 6), int))
    )


def test_folds_of_a_grid_that_blocks_do_not_tile_or_that_has_blank_pixels():
    mask = np.ones((20, 31), dtype=bool)
    mask[:12, :12] = mask[15, 20] = False
    folds = spatial_folds((20, 31), mask=mask)
    assert folds.shape == (mask.sum(),)
    laid_out = np.full(mask.shape, -1)
    laid_out[mask] = folds
    # Four rows of six blocks, four of them blank.
    blocks = [laid_out[i : i + 6, j : j + 6] for i in range(0, 20, 6) for j in range(0, 31, 6)]
    folds_of_blocks = [set(block[block >= 0]) for block in blocks]
    assert all(len(folds) <= 1 for folds in folds_of_blocks)
    assert sorted(np.bincount([folds.pop() for folds in folds_of_blocks if folds])) == [4] * 5


def test_a_small_grid_has_smaller_blocks():
    folds = spatial_folds((7, 8)).reshape(7, 8)
    assert (folds[:2, :2] == folds[0, 0]).all() and set(folds.ravel()) == set(range(5))


@pytest.mark.parametrize("wrong", [{"block": 0}, {"n_folds": 1}, {"n_folds": 26, "shape": (5, 5)}])
def test_folds_that_cannot_be(wrong):
    with pytest.raises(ReplicationError, match="block|n_folds"):
        spatial_folds(**wrong)


def test_scaler_is_global_per_channel():
    rng = np.random.default_rng(0)
    spectra = np.concatenate([rng.normal(5, 2, (40, 10)), rng.normal(-300, 1e-3, (40, 10))], axis=1)
    scaler = ChannelScaler().fit(spectra[:30])
    np.testing.assert_allclose(scaler.mean_, [spectra[:30, :10].mean(), spectra[:30, 10:].mean()])
    scaled = scaler.transform(spectra[:30]).reshape(30, 2, 10)
    np.testing.assert_allclose(scaled.mean(axis=(0, 2)), 0, atol=1e-9)
    np.testing.assert_allclose(scaled.std(axis=(0, 2)), 1)
    assert np.abs(scaled.mean(axis=0)).max() > 1e-3, "the steps keep their own means"


@given(arrays(np.float64, (5, 12), elements=st.floats(-1e3, 1e3)), st.sampled_from([1, 2, 3]))
def test_scaler_inverts_itself(spectra, n_channels):
    scaler = clone(ChannelScaler(n_channels=n_channels))
    if np.ptp(spectra.reshape(5, n_channels, -1), axis=(0, 2)).min() < 1e-6:
        return
    scaled = scaler.fit_transform(spectra)
    np.testing.assert_allclose(scaler.inverse_transform(scaled), spectra, atol=1e-9)
    np.testing.assert_allclose(scaled.reshape(5, n_channels, -1).std(axis=(0, 2)), 1, rtol=1e-6)


def test_scaler_keeps_float32():
    spectra = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
    scaler = ChannelScaler().fit(spectra)
    assert scaler.transform(spectra).dtype == np.float32
    assert scaler.inverse_transform(spectra).dtype == np.float32


@pytest.mark.parametrize(
    ("spectra", "message"),
    [
        (np.concatenate([np.full((4, 3), 0.1), np.eye(4, 3)], axis=1), "channel 0 is constant"),
        (np.zeros((4, 5)), "2 channels"),
        (np.zeros(6), "2 channels"),
        (np.zeros((0, 6)), "2 channels"),
        (np.full((4, 6), np.nan), "24 values are NaN"),
    ],
)
def test_scaler_refuses(spectra, message):
    with pytest.raises(ReplicationError, match=message):
        ChannelScaler().fit(spectra)


def test_scaler_refuses_other_widths():
    scaler = ChannelScaler().fit(np.random.default_rng(0).normal(size=(5, 6)))
    with pytest.raises(ReplicationError, match=r"expected \(n, 6\)"):
        scaler.transform(np.zeros((5, 8)))


def softening_correlation(piezoresponse, resonance, voltage):
    """Return the partial correlation of resonance with |dP/dt| given |V|.

    Each pixel is taken about its mean, and the 40 % largest loops are used.
    """
    large = np.ptp(piezoresponse, axis=1) >= np.quantile(np.ptp(piezoresponse, axis=1), 0.6)
    speed = np.abs(np.roll(piezoresponse, -1, axis=1) - np.roll(piezoresponse, 1, axis=1))
    known = np.stack([np.ones_like(voltage), np.abs(voltage)], axis=1)
    rest = np.eye(len(voltage)) - known @ np.linalg.pinv(known)
    return np.corrcoef((speed[large] @ rest).ravel(), (resonance[large] @ rest).ravel())[0, 1]


@needs_data
def test_the_measured_scan():
    scan = beps.read_prepared(*(Path(DATA, name) for name in FILES))
    assert scan.spectra.shape == (3600, 192)
    assert scan.lags == (0, 24)
    for name in scan.channels:
        assert scan.channel(name).mean(dtype=float) == pytest.approx(0, abs=1e-5)
        assert scan.channel(name).std(dtype=float) == pytest.approx(1, abs=1e-5)


@needs_data
def test_resonance_softens_at_switching_only_when_aligned():
    scan = beps.read_prepared(*(Path(DATA, name) for name in FILES))
    aligned, voltage = scan.aligned()
    assert softening_correlation(aligned[:, 0], aligned[:, 1], voltage) < -0.6
    assert (
        softening_correlation(scan.channel("piezoresponse"), scan.channel("resonance"), voltage) > 0
    )
