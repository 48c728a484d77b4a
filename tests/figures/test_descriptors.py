"""The sheet of descriptors has a labelled map of each, and is stamped with its data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from figures import descriptors
from replicate import seals
from replicate.analysis.loops import DESCRIPTORS, describe_spectra
from replicate.data import twin
from replicate.files import write_json
from replicate.running.runs import Run
from replicate.study.job import Job


@pytest.fixture(scope="module")
def scan():
    return twin.simulate(shape=(12, 18))


def maps(fig):
    return {
        ax.get_title().partition(", I =")[0]: ax.images[0].get_array()
        for ax in fig.get_axes()
        if ax.images
    }


def test_every_descriptor_has_its_map(scan):
    fig = descriptors.draw_scan(scan)
    drawn = maps(fig)
    values, _ = describe_spectra(scan, scan.spectra)
    assert list(drawn) == [descriptor.label for descriptor in DESCRIPTORS.values()]
    for name, descriptor in DESCRIPTORS.items():
        np.testing.assert_array_equal(drawn[descriptor.label], scan.map(values[name]))
    labels = {ax.get_xlabel() for ax in fig.get_axes()}
    assert {"(V)", "(1)", "(z-score)", "(z-score/V)", "(z-score V)"} <= labels


def test_loops_that_do_not_switch_are_left_out_and_counted(scan):
    spectra = scan.spectra.copy()
    spectra[5] = 0.0
    fig = descriptors.draw_scan(replace(scan, spectra=spectra))
    assert maps(fig)["imprint"].mask.ravel().tolist() == [pixel == 5 for pixel in range(216)]
    assert not np.ma.is_masked(maps(fig)["area"])
    assert "1 loop" in fig.get_suptitle()


def test_a_scan_in_which_nothing_switches_is_drawn_without_a_map_of_steps(scan, tmp_path):
    fig = descriptors.draw_scan(replace(scan, spectra=np.zeros_like(scan.spectra)))
    fig.savefig(tmp_path / "still.png")
    assert "216 loops" in fig.get_suptitle()


def test_the_script_stamps_what_the_runs_were_made_from(tmp_path, capsys):
    job = Job("smoke", "beps", "pca", 0)
    assert descriptors.main(["--results", str(tmp_path), "--profile", "smoke"]) == 2
    assert "smoke/beps/pca" in capsys.readouterr().err
    run = Run.of(tmp_path, job)
    write_json(
        run.folder / "record.json",
        seals.sealed(
            {
                "key": "0",
                "status": "complete",
                "provenance": {"spectra": "simulated twin"},
                "metrics": {},
            }
        ),
    )
    fig = descriptors.draw(tmp_path, "smoke")
    foot = " ".join(text.get_text() for text in fig.texts)
    assert (
        "simulated twin" in foot and "not the paper's data" in foot and "Channels aligned" in foot
    )
