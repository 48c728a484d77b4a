"""Each descriptor of each model has its own correlation and bias."""

from __future__ import annotations

import numpy as np
import pytest

from figures import agreement
from replicate.analysis.loops import describe_spectra
from replicate.data import twin


@pytest.fixture(scope="module")
def scan():
    return twin.simulate()


def test_what_is_kept_agrees_and_what_shrinks_is_biased(scan):
    n = scan.n_steps
    smaller = scan.spectra.copy()
    smaller[:, :n] *= 0.5
    mean_only = np.repeat(scan.spectra.reshape(-1, 2, n).mean(axis=2), n, axis=1)
    table = agreement.agreements(
        scan, {"same": scan.spectra, "smaller": smaller, "mean": mean_only}
    )
    rows = {name: row for row, name in enumerate(table["names"])}
    np.testing.assert_allclose(table["correlation"][:, 0], 1)
    np.testing.assert_allclose(table["bias"][:, 0], 0, atol=1e-12)
    np.testing.assert_allclose(
        table["correlation"][:, 1], 1, atol=1e-6, err_msg="half of each loop tells as much"
    )
    values, switches = describe_spectra(scan, scan.spectra)
    saturation = values["saturation"][switches]
    assert table["bias"][rows["saturation"], 1] == pytest.approx(
        -0.5 * saturation.mean() / saturation.std(), rel=1e-5
    )
    assert table["bias"][rows["coercive_positive"], 1] == pytest.approx(0, abs=1e-5)
    assert table["correlation"][rows["resonance_mean"], 2] == pytest.approx(1, abs=1e-5)
    assert (
        abs(table["correlation"][rows["hardening_positive"], 2]) < 0.1
        and table["bias"][rows["hardening_positive"], 2] < -0.5
    )
