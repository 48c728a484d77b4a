"""What is left of shoulders and descriptors, of reconstructions whose faults are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import savgol_filter

from replicate.analysis.mechanism import shoulder_limit
from replicate.data import twin
from replicate.tasks.physics import Physics


@pytest.fixture(scope="module")
def scan():
    return twin.simulate()


@pytest.fixture(scope="module")
def physics(scan):
    return Physics(scan)


def hidden(scan):
    """Return the mean spectrum of the pixels without a shoulder, for each pixel at its amplitude.

    Its maps show no mechanism.
    """
    mean = scan.spectra[~scan.truth["band"].ravel()].mean(axis=0)
    return mean * np.linspace(0.9, 1.1, len(scan.spectra))[:, None]


def test_the_data_themselves_keep_everything(physics, scan):
    kept = physics.agreement(scan.spectra)
    assert kept["descriptor_correlation"] == pytest.approx(1)
    assert kept["shoulder_auc"] > 0.98
    assert kept["shoulder_kept"] > 0.5 > 0.1 > kept["shoulder_invented"]


def test_one_shape_for_all_hides_the_mechanism(physics, scan):
    kept = physics.agreement(hidden(scan))
    assert kept["shoulder_auc"] == pytest.approx(0.5, abs=0.06)
    assert kept["shoulder_kept"] == kept["shoulder_invented"] == 0
    assert kept["descriptor_correlation"] < 0.3


def test_the_mechanism_is_in_the_descriptors_of_the_data_and_not_in_those_of_one_shape(
    physics, scan
):
    assert physics.mechanism_explained(scan.spectra)["mechanism_r2"] > 0.85
    assert physics.mechanism_explained(hidden(scan))["mechanism_r2"] < 0.05


def test_some_pixels_are_compared_with_their_own_data(physics, scan):
    pixels = np.zeros(len(scan.spectra), dtype=bool)
    pixels[::3] = True
    assert physics.agreement(scan.spectra[pixels], pixels)[
        "descriptor_correlation"
    ] == pytest.approx(1)
    whole = physics.agreement(scan.spectra)
    assert physics.agreement(scan.spectra[pixels], pixels)["shoulder_auc"] == pytest.approx(
        whole["shoulder_auc"], abs=0.02
    )


def test_the_truth_says_which_pixels_have_a_shoulder_and_without_it_the_data_do(physics, scan):
    measured = Physics(replace(scan, truth=None))
    np.testing.assert_array_equal(physics.has_shoulder, scan.truth["band"].ravel())
    assert measured.has_shoulder.mean() == pytest.approx(0.25, abs=0.01)
    assert measured.limit == physics.limit == shoulder_limit(*physics._described)
    assert measured.agreement(scan.spectra)["shoulder_auc"] == 1


def test_a_sweep_from_a_loop_without_to_one_with_a_shoulder_shows_it(physics, scan):
    band = scan.truth["band"].ravel()
    without, with_one = scan.spectra[~band].mean(axis=0), scan.spectra[band].mean(axis=0)
    share = np.linspace(0, 1, 9)[:, None]
    sweep, still = (1 - share) * without + share * with_one, np.repeat(without[None], 9, axis=0)
    assert physics.count_shoulder_latents(np.stack([sweep, still, sweep[::-1]])) == {
        "shoulder_latents": 2
    }
    assert physics.count_shoulder_latents(np.empty((0,))) == {"shoulder_latents": 0}


def test_errors_that_follow_the_domains_and_errors_that_do_not(physics, scan):
    rng = np.random.default_rng(0)
    noise = rng.random(len(scan.spectra))
    of_domains = physics.error_structure(scan.truth["mechanism"].ravel() + 0.1 * noise)
    of_nothing = physics.error_structure(noise)
    assert of_domains["error_moran"] > 0.8 > 0.1 > abs(of_nothing["error_moran"])
    assert of_domains["error_explained"] > 0.8 > 0.1 > of_nothing["error_explained"]


def test_noise_alone_is_no_shoulder(physics, scan):
    """A reconstruction that only smooths keeps what there is."""
    smooth = savgol_filter(scan.spectra.reshape(-1, 96), 5, 2, axis=1).reshape(scan.spectra.shape)
    kept = physics.agreement(smooth)
    assert kept["shoulder_auc"] > 0.97
    assert kept["descriptor_correlation"] > 0.9


def test_on_a_scan_with_blank_pixels_the_rest_is_measured(scan):
    """The numbers are those of the pixels that are left.

    Moran's I is missing, for not all neighbours are there.
    """
    mask = np.ones((60, 60), dtype=bool)
    mask[:6] = mask[30, 30] = False
    blank = replace(scan, mask=mask, spectra=scan.spectra[mask.ravel()], truth=None)
    errors = Physics(blank).error_structure(np.linspace(1, 2, len(blank.spectra)))
    assert errors.keys() == {"error_explained"} and np.isfinite(errors["error_explained"])
    assert Physics(blank).agreement(blank.spectra)["descriptor_correlation"] == pytest.approx(1)


@pytest.mark.filterwarnings("error")
def test_where_no_loop_switches_there_is_nothing_to_keep(scan):
    straight = np.linspace(1, 2, 3600)[:, None] * scan.voltages.ravel()
    physics = Physics(replace(scan, spectra=straight, truth=None))
    assert physics.agreement(straight) == {} and physics.count_shoulder_latents(
        straight[:18].reshape(2, 9, -1)
    ) == {"shoulder_latents": 0}
