"""A wrong weight, metric, README number or byte of data must be caught; on the measured scan, without MXNet."""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from replicate.files import read_npz, write_npz

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))
import publish  # noqa: E402
import verify  # noqa: E402

pytestmark = pytest.mark.skipif(not os.environ.get("REPLICATE_DATA"), reason="REPLICATE_DATA is not set: the measured scan is needed")


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """A copy of what is stored, of which only the scan is verified, for the toy problem takes half a minute."""
    shutil.copytree(publish.STORED.parent, tmp_path / "stored")
    shutil.copy(publish.README, tmp_path / "README.md")
    monkeypatch.setattr(publish, "STORED", tmp_path / "stored" / "metrics.json")
    monkeypatch.setattr(publish, "README", tmp_path / "README.md")
    monkeypatch.setattr(verify.study, "DATASETS", ("beps", "beps_heldout"))
    monkeypatch.setattr(sys, "argv", ["verify"])
    return tmp_path


def failures(capsys):
    return {line.split()[1] for line in capsys.readouterr().out.splitlines() if line.startswith("FAILED")}


def test_what_is_stored_is_verified(stored, capsys):
    assert verify.main() == 0
    output = capsys.readouterr().out
    assert output.rstrip().endswith("VERIFIED.") and "FAILED" not in output
    for name in ("beps.lstm_vae.mse", "beps.lstm_vae.heldout_mse", "beps.pca.mse", "beps.dictionary_learning.heldout_mse", "README.md"):
        assert f" {name} " in output


@pytest.mark.parametrize(
    ("name", "visible"),
    [
        ("decoder.output.weight", True),
        ("encoder.linear.weight", True),
        # One of 4096 recurrent weights moves the errors by less than their tolerance.
        ("encoder.summary.lstm._unfused.0.r_cell.h2h_weight", False),
    ],
)
def test_a_wrong_weight_is_caught(stored, capsys, name, visible):
    path = stored / "stored" / "weights" / "beps.lstm_vae.npz"
    weights = read_npz(path)
    weights[name].flat[np.argmax(np.abs(weights[name]))] *= 1.05
    write_npz(path, **weights)
    assert verify.main() == 1
    found = failures(capsys)
    assert "weights" in found
    assert ("beps.lstm_vae.mse" in found) == visible


@pytest.mark.parametrize("name", ["beps.pca.mse", "beps.lstm_vae.heldout_mse", "beps.lstm_vae.active_channels"])
def test_a_wrong_metric_is_caught(stored, capsys, name):
    path = stored / "stored" / "metrics.json"
    document = json.loads(path.read_text())
    document["metrics"][name]["values"][0] += 2e-5
    path.write_text(json.dumps(document))
    assert verify.main() == 1
    assert failures(capsys) == {name}


def test_a_wrong_number_in_the_readme_is_caught(stored, capsys):
    text = publish.README.read_text(encoding="utf-8")
    number = format(json.loads(publish.STORED.read_text())["metrics"]["beps.pca.mse"]["value"], ".4f")
    publish.README.write_text(text.replace(number, "0.0001", 1), encoding="utf-8")
    assert verify.main() == 1
    assert failures(capsys) == {"README.md"}


def test_a_wrong_byte_of_data_is_caught(stored, capsys, monkeypatch):
    folder = stored / "data"
    shutil.copytree(os.environ["REPLICATE_DATA"], folder)
    scan = folder / "resonance.npy"
    scan.chmod(0o644)
    content = bytearray(scan.read_bytes())
    content[-1] ^= 1
    scan.write_bytes(content)
    monkeypatch.setenv("REPLICATE_DATA", str(folder))
    assert verify.main() == 2
    assert "resonance.npy" in capsys.readouterr().err


def test_missing_weights_are_an_error(stored, capsys):
    (stored / "stored" / "weights" / "beps.pca.npz").unlink()
    assert verify.main() == 2
    assert "beps.pca.npz" in capsys.readouterr().err
