"""An MXNet that cannot be loaded is one line with its cause, not a traceback for each job."""

from __future__ import annotations

import pytest

from replicate import cli
from replicate.errors import ReplicationError
from replicate.running import loading
from replicate.study.job import Job


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """Return a function that puts an mxnet before the real one, which does as it is told."""

    def put(line):
        (tmp_path / "mxnet").mkdir()
        (tmp_path / "mxnet" / "__init__.py").write_text(line + "\n")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    return put


@pytest.mark.parametrize(
    ("line", "cause", "remedy"),
    [
        (
            "raise AttributeError(\"module 'numpy' has no attribute 'bool'\")",
            "another NumPy than it needs is installed (AttributeError: module 'numpy' has no "
            "attribute 'bool')",
            "`pip install 'numpy==1.23.5'` mends it",
        ),
        (
            "raise OSError('libgomp.so.1: cannot open shared object file')",
            "the library libgomp is missing",
            "`apt-get install libgomp1` mends it",
        ),
        ("raise OSError('something else')", "OSError: something else", "Use `nox -s replicate`"),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGILL)",
            "this processor lacks instructions",
            "Use `nox -s replicate`",
        ),
    ],
)
def test_the_cause_and_the_remedy_in_one_line(broken, line, cause, remedy):
    broken(line)
    fault = loading.fault_of_mxnet()
    assert fault.startswith("mxnet cannot be loaded: ")
    assert cause in fault and remedy in fault and "\n" not in fault


def test_one_that_loads_has_no_fault(broken):
    broken("")
    assert loading.fault_of_mxnet() == ""


def test_the_command_refuses_networks_alone(broken, monkeypatch):
    monkeypatch.setattr(cli.importlib.util, "find_spec", lambda name: object())
    broken("raise OSError('libgomp.so.1: no such file')")
    with pytest.raises(ReplicationError, match="libgomp is missing"):
        cli.check_mxnet([Job("smoke", "beps", "pca", 0), Job("smoke", "beps", "lstm_vae", 0)])
    cli.check_mxnet([Job("smoke", "beps", "pca", 0)])
