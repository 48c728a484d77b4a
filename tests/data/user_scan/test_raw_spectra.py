"""Raw band-excitation spectra in USID: known oscillators come back as loops, fitted once."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from scipy.optimize import curve_fit

from replicate import cli
from replicate.data.raw import sho
from replicate.data.raw.band_excitation import Oscillator, response
from replicate.data.user_scan import raw_spectra
from replicate.data.user_scan.reading import Reading
from replicate.data.user_scan.scan_file import read_scan
from replicate.errors import ReplicationError

BAND = np.linspace(320.0, 340.0, 40)  # kHz
NOISE = 1.5


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("REPLICATE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def oscillators(loops, turn=0.4):
    """Oscillators whose piezoresponse is the loops, with a phase turned by an angle, rad."""
    return Oscillator(
        amplitude=np.abs(loops),
        phase=np.where(loops < 0, np.pi, 0.0) + turn,
        resonance=330.0 + 1.5 * loops**2,
        quality=np.full(loops.shape, 120.0),
    )


@pytest.fixture
def raw_file(tmp_path, loops, volts, rng, write_main):
    """Return a function that writes spectra of two fields and two cycles; off field, cycle 2, are
    the loops.
    """

    def written(change=lambda spectra: None, values=lambda spectra: spectra):
        parts = [[loops + 0.5, 0.5 * loops], [loops + 0.5, loops]]  # cycle, then field
        cycles = np.stack([np.stack(fields, -1) for fields in parts], 2)  # rows, cols, 2, steps, 2
        flat = cycles.reshape(42, -1)
        spectra = response(BAND, oscillators(flat))
        spectra += rng.normal(0, NOISE, (*spectra.shape, 2)) @ [1, 1j]
        change(spectra)
        n = len(volts)
        spectroscopic = [
            ("Frequency", "kHz", np.tile(BAND, 4 * n)),
            ("DC_Offset", "V", np.repeat(np.tile(np.repeat(volts, 2), 2), len(BAND))),
            ("Field", "", np.repeat(np.tile([0, 1], 2 * n), len(BAND))),
            ("Cycle", "", np.repeat([0, 1], 2 * n * len(BAND))),
        ]
        with h5py.File(tmp_path / "MY.h5", "w") as file:
            group = file.create_group("Measurement_000/Channel_000")
            stored = values(spectra.reshape(42, -1).astype(np.complex64))
            write_main(group, "Raw_Data", stored, spectroscopic, shape=loops.shape[:2])
        return tmp_path / "MY.h5"

    return written


def standardised(values):
    return (values - values.mean()) / values.std()


@pytest.mark.parametrize(
    ("choices", "factor", "offset"),
    [({}, 1, 0), ({"cycle": 1}, 0.5, 0), ({"field": "in"}, 1, 0.5), ({"cycle": 2}, 1, 0)],
)
def test_known_oscillators_come_back(raw_file, loops, volts, choices, factor, offset):
    scan = read_scan(raw_file(), Reading(**choices))
    expected = factor * loops + offset
    assert scan.channels == ("piezoresponse", "resonance") and scan.mask is None
    found = scan.spectra.reshape(42, 2, 24)
    off = np.abs(found[:, 0] - standardised(expected).reshape(42, 24)) * expected.std()
    # A spectrum without a line, where the loop crosses zero, is filled from its neighbours.
    assert np.quantile(off, 0.99) < 0.05 and off.max() < 0.4
    np.testing.assert_array_equal(scan.voltages[0], volts)


def test_the_resonance_is_that_of_the_oscillators(raw_file, loops, volts):
    with h5py.File(raw_file(), "r") as file:
        item = file["Measurement_000/Channel_000/Raw_Data"]
        taken = np.arange(item.shape[1]) >= item.shape[1] - 2 * 24 * len(BAND)
        taken &= np.arange(item.shape[1]) // len(BAND) % 2 == 1
        frequencies = np.tile(BAND, item.shape[1] // len(BAND))
        places = raw_spectra.layout(taken, frequencies, np.repeat(np.tile(volts.repeat(2), 2), 40))
        _, resonance, _ = raw_spectra.loops(item, places)
    is_clear = np.abs(loops.reshape(42, 24)) > 0.5
    expected = oscillators(loops).resonance.reshape(42, 24)
    np.testing.assert_allclose(resonance[is_clear], expected[is_clear], atol=0.15)


def test_each_fit_is_that_of_a_general_method(raw_file, loops):
    """Least squares over real and imaginary parts by SciPy."""
    path = raw_file()
    with h5py.File(path, "r") as file:
        spectra = file["Measurement_000/Channel_000/Raw_Data"][:5, -len(BAND) :]
    found, _ = sho.fit(BAND, spectra)

    def line(frequency, *parameters):
        curve = response(frequency, Oscillator(*parameters))
        return np.concatenate([curve.real, curve.imag])

    for spectrum, *start in zip(spectra, *found):
        parts = np.concatenate([spectrum.real, spectrum.imag]).astype(float)
        best, _ = curve_fit(line, BAND, parts, p0=start)
        np.testing.assert_allclose(start, best, rtol=1e-4)


def test_the_fit_is_made_once(raw_file, monkeypatch):
    path = raw_file()
    first = read_scan(path)
    monkeypatch.setattr(raw_spectra.sho, "fit", None)
    np.testing.assert_array_equal(read_scan(path).spectra, first.spectra)
    with pytest.raises(ReplicationError, match="not callable"):
        read_scan(path, Reading(cycle=1))


def test_a_damaged_copy_of_the_fit_is_made_anew(raw_file, cache):
    path = raw_file()
    first = read_scan(path)
    (kept,) = (cache / "fits").iterdir()
    kept.write_bytes(kept.read_bytes()[:100])
    np.testing.assert_array_equal(read_scan(path).spectra, first.spectra)


def test_memory_is_bounded_by_blocks(raw_file, monkeypatch):
    """Blocks change no bit."""
    path = raw_file()
    whole = read_scan(path)
    sizes, fit = [], sho.fit

    def counted(band, spectra):
        sizes.append(len(spectra))
        return fit(band, spectra)

    monkeypatch.setattr(raw_spectra, "BLOCK_BYTES", 200_000)
    monkeypatch.setattr(raw_spectra.sho, "fit", counted)
    monkeypatch.setattr(raw_spectra, "_key", lambda item, places: "another")
    np.testing.assert_array_equal(read_scan(path).spectra, whole.spectra)
    assert sum(sizes) == 42 and max(sizes) < 10


@pytest.mark.parametrize("dead", [0, np.nan])
def test_dead_pixels_are_blank_and_few_missing_spectra_are_filled(raw_file, dead):
    def change(spectra):
        spectra[3] = dead
        spectra[7, -1] = dead

    scan = read_scan(raw_file(change))
    assert np.flatnonzero(~scan.mask).tolist() == [3]
    assert any("1 pixels with more than a quarter of such are blank" in note for note in scan.notes)
    loop = scan.spectra.reshape(-1, 2, 24)[6, 0]
    assert loop[-1] == pytest.approx(loop[-3], abs=1e-6) or loop[-1] == loop[-2]


def test_a_fit_in_the_file_comes_first(raw_file, loops, volts, write_main):
    path = raw_file()
    with h5py.File(path, "a") as file:
        group = file.create_group("Measurement_000/Channel_000/Raw_Data-Projected")
        write_main(
            group,
            "Projected_Loops",
            loops.reshape(42, -1),
            [("DC_Offset", "V", volts)],
            shape=loops.shape[:2],
        )
    scan = read_scan(path)
    assert scan.channels == ("piezoresponse",)
    note = "raw spectra can be fitted instead: --dataset Measurement_000/Channel_000/Raw_Data"
    assert note in scan.notes
    raw = read_scan(path, Reading(dataset="Measurement_000/Channel_000/Raw_Data"))
    assert raw.channels == ("piezoresponse", "resonance")


def test_inspect_says_the_cost_and_fits_nothing(raw_file, capsys, monkeypatch):
    monkeypatch.setattr(raw_spectra.sho, "fit", None)
    path = raw_file()
    assert cli.main(["inspect", str(path)]) == 0
    told = capsys.readouterr().out
    assert "raw band-excitation spectra, to be fitted: --dataset Measurement_000" in told
    assert f"{42 * 24 * len(BAND)} values, fitted when it is run, in about 1 s" in told
    assert "loops off field; those in field: --field in\ncycle 2 of 2" in told
    assert f"python -m replicate run --scan {path}" in told


def test_inspect_refuses_a_cycle_that_is_not_there(raw_file, capsys):
    assert cli.main(["inspect", str(raw_file()), "--cycle", "3"]) == 2
    assert "--cycle 3: there are 2 cycles" in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("label", "unit", "told"),
    [
        ("FORC", "", "raw spectra over FORC too"),
        ("Frequency", "", "no dimension is a frequency in Hz, kHz or MHz"),
    ],
)
def test_what_is_wrong_with_a_dimension_is_said(
    tmp_path, loops, volts, write_main, label, unit, told
):
    n = len(volts)
    spectroscopic = [("DC_Offset", "V", np.tile(volts, 4))]
    if label == "FORC":
        spectroscopic.append(("Frequency", "Hz", np.tile(np.repeat([1.0, 2.0], n), 2)))
    spectroscopic.append((label, unit, np.repeat([0, 0, 1, 1], n)))
    with h5py.File(tmp_path / "MY.h5", "w") as file:
        values = np.tile(loops.reshape(42, -1), 4).astype(np.complex64)
        group = file.create_group("a")
        write_main(group, "Raw_Data", values, spectroscopic, shape=loops.shape[:2])
    with pytest.raises(ReplicationError, match=told):
        read_scan(tmp_path / "MY.h5")


def test_amplitudes_alone_are_called_so(raw_file):
    with pytest.raises(ReplicationError, match="amplitude spectra without their phase"):
        read_scan(raw_file(values=np.abs))


def test_a_band_that_changes_is_refused(volts):
    taken = np.ones(2 * len(volts), dtype=bool)
    frequencies = np.tile([1.0, 2.0], len(volts))
    frequencies[3] = 1.0
    with pytest.raises(ReplicationError, match="same band at every voltage"):
        raw_spectra.layout(taken, frequencies, np.repeat(volts, 2))


def test_the_frequency_may_vary_slowest_and_fall(volts):
    n = len(volts)
    places = raw_spectra.layout(
        np.ones(3 * n, dtype=bool), np.repeat([3.0, 2.0, 1.0], n), np.tile(volts, 3)
    )
    assert places.frequency.tolist() == [1, 2, 3]
    assert places.columns[5].tolist() == [2 * n + 5, n + 5, 5]
    np.testing.assert_array_equal(places.voltages, volts)


@pytest.mark.parametrize(
    ("index", "told"),
    [
        (400_000, r"no position is in row 6, but some are in row 400000"),
        (2, "2 positions are in row 2, column 1"),
    ],
)
def test_a_damaged_index_of_a_position_is_named(tmp_path, loops, volts, write_main, index, told):
    path = tmp_path / "MY.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("a")
        axis = [("DC_Offset", "V", volts)]
        write_main(group, "Loops", loops.reshape(42, -1), axis, shape=loops.shape[:2])
        group["Position_Indices"][8, 0] = index
    with pytest.raises(ReplicationError, match=f"MY.h5.*{told}"):
        read_scan(path)
