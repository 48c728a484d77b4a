import pytest

from replicate.data import sources
from replicate.data.remote.fetch import DataUnavailable, HashMismatch
from replicate.data.remote.manifest import read_manifest
from replicate.provenance import Sources


def failing(error):
    def fetch(file, **options):
        raise error

    return fetch


def test_auto_falls_back_on_simulated_data_and_says_so(monkeypatch, capsys):
    monkeypatch.setattr(sources, "fetch", failing(DataUnavailable("no network")))
    assert sources.resolve("auto") == Sources(scan="simulated twin", picture="sample photograph")
    printed = capsys.readouterr().out
    assert (
        "no network" in printed and "simulated twin" in printed and "sample photograph" in printed
    )


def test_measured_refuses_the_fallback(monkeypatch):
    monkeypatch.setattr(sources, "fetch", failing(DataUnavailable("no network")))
    with pytest.raises(DataUnavailable):
        sources.resolve("measured")


@pytest.mark.parametrize("choice", ["auto", "measured"])
def test_a_wrong_hash_never_becomes_simulated_data(monkeypatch, choice):
    monkeypatch.setattr(sources, "fetch", failing(HashMismatch("expected a, found b")))
    with pytest.raises(HashMismatch):
        sources.resolve(choice)


def test_simulated_asks_for_no_file(monkeypatch):
    monkeypatch.setattr(sources, "fetch", failing(AssertionError("fetched")))
    assert sources.resolve("simulated") == Sources(
        scan="simulated twin", picture="sample photograph"
    )


def test_one_missing_array_replaces_the_whole_scan_but_not_the_picture(monkeypatch):
    def fetch(file, **options):
        if file.key == "resonance":
            raise DataUnavailable("resonance is missing")

    monkeypatch.setattr(sources, "fetch", fetch)
    assert sources.resolve("auto") == Sources(scan="simulated twin", picture="painting")


def test_data_hashes_are_the_manifests():
    files = read_manifest()
    assert sources.data_hashes("measured") == {
        key: files[key].sha256 for key in ("piezoresponse", "resonance", "voltage")
    }
    assert sources.data_hashes("painting") == {"painting": files["painting"].sha256}
    assert sources.data_hashes("simulated twin") == {}
