"""The time that a training is announced to take."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("mxnet")

from replicate.models import training
from replicate.models.training import Training
from replicate.running.estimate import longest_seconds
from replicate.study import family
from replicate.study.job import Job


@pytest.fixture
def engine_clock(monkeypatch):
    """A clock on which each update takes a second, but only once the engine is waited for.

    MXNet works behind: the call of an update returns before its work is done.
    """
    clock = {"now": 0.0, "queued": 0}

    def update(self, inputs, original=Training._update):
        clock["queued"] += 1
        return original(self, inputs)

    def wait():
        clock["now"] += clock["queued"]
        clock["queued"] = 0

    monkeypatch.setattr(Training, "_update", update)
    monkeypatch.setattr(training.mx.nd, "waitall", wait)
    monkeypatch.setattr(training.time, "perf_counter", lambda: clock["now"])


def test_the_announced_time_is_that_of_a_training_to_the_end_of_its_ramp(engine_clock):
    job = Job("smoke", "toy", "lstm_vae", 0)
    announced = longest_seconds(job)
    model = family.build(job)
    never = replace(model.schedule, rule="nearest")
    spectra = np.random.default_rng(0).standard_normal((1000, 25), dtype=np.float32)
    model.set_params(target_channels=0, schedule=never).fit(spectra)
    assert announced == model.history_[-1]["seconds"] == model.schedule.max_epochs * 5
