"""Contrasts with planted answers, and the same intervals by another road."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from replicate.numbers import ablation
from replicate.numbers.ablation import change, contrasts, tidy, verdict
from replicate.study import sweeps
from replicate.study.studies import FAMILY

(SHORTER,) = (
    fit for ingredient, _, fit in ablation.BETWEEN_MODELS if fit.startswith("lstm_vae/epochs=")
)


def entry(values, seeds=None):
    return {
        "values": list(values),
        "seeds": list(seeds or range(len(values))),
        "provenance": "measured",
    }


def only(metrics, tried=None, **wanted):
    """Return the one contrast that has these fields."""
    table = contrasts(tidy(metrics, tried))
    (row,) = [
        row
        for row in table.itertuples()
        if all(getattr(row, name) == value for name, value in wanted.items())
    ]
    return row


def sweep_rows(*rows):
    return pd.DataFrame(
        [("equal time", "beps_heldout", *row) for row in rows], columns=sweeps.COLUMNS
    )


def test_an_error_halved_for_every_seed_is_half(rng):
    without = rng.uniform(0.1, 1, 5)
    row = only(
        {"toy.linear_ae.gamut_mse": entry(without), "toy.dense_ae.gamut_mse": entry(without / 2)}
    )
    assert (row.ingredient, row.dataset, row.code, row.seeds, row.verdict) == (
        "nonlinearity",
        "toy",
        "amortised",
        5,
        "helps",
    )
    np.testing.assert_allclose([row.change, row.low, row.high], -50)


def test_the_interval_is_that_of_a_paired_t_test_on_logarithms(rng):
    without, with_it = rng.lognormal(size=(2, 6))
    expected = stats.ttest_rel(np.log(with_it), np.log(without)).confidence_interval(0.95)
    np.testing.assert_allclose(
        change(without, with_it)[1:], 100 * (np.exp([expected.low, expected.high]) - 1)
    )


def test_what_one_side_gains_the_other_loses(rng):
    without, with_it = rng.lognormal(size=(2, 5))
    there, back = (
        1 + np.array(change(*pair)) / 100 for pair in ((without, with_it), (with_it, without))
    )
    np.testing.assert_allclose(there * back[[0, 2, 1]], 1)


def test_sides_are_paired_by_seed_whatever_their_order():
    metrics = {"beps_heldout.pca.heldout_mse": entry([1, 2, 4, 8], [0, 1, 2, 3])}
    row = only(
        metrics | {"beps_heldout.dictionary_learning.heldout_mse": entry([12, 3, 6], [2, 0, 1])}
    )
    np.testing.assert_allclose([row.change, row.low, row.high, row.seeds], [200, 200, 200, 3])
    assert row.verdict == "hurts" and row.ingredient == "penalty"


def test_chance_alone_shows_a_difference_one_time_in_twenty(rng):
    verdicts = [verdict(*change(*rng.lognormal(sigma=0.1, size=(2, 5)))[1:]) for _ in range(1000)]
    assert 0.03 < np.mean([word != "no difference shown" for word in verdicts]) < 0.07


@pytest.mark.parametrize(
    "low, high, word",
    [
        *(
            (-20, -10, "helps"),
            (10, 20, "hurts"),
            (-10, 20, "no difference shown"),
            (np.nan, np.nan, "one seed"),
        ),
        # Single precision is not an effect, however steady.
        *((-2e-5, -1e-5, "no difference shown"), (1e-6, 1e-5, "no difference shown")),
    ],
)
def test_verdicts(low, high, word):
    assert verdict(low, high) == word


def test_one_seed_has_no_interval():
    row = only(
        {"toy.pca.gamut_mse": entry([0.1]), "toy.dictionary_learning.gamut_mse": entry([0.2])}
    )
    assert (
        row.change == pytest.approx(100)
        and np.isnan([row.low, row.high]).all()
        and row.verdict == "one seed"
    )


def test_order_of_the_steps_is_read_from_the_shuffled_data():
    metrics = {
        "beps_heldout.lstm_vae.heldout_mse": entry([1, 1.1]),
        "beps_shuffled.lstm_vae.heldout_mse": entry([4, 4.4]),
    }
    row = only(metrics)
    assert (row.ingredient, row.without, row.with_it) == (
        "order of the steps",
        "beps_shuffled/lstm_vae",
        "beps_heldout/lstm_vae",
    )
    assert row.change == pytest.approx(-75)


def test_refined_errors_are_compared_with_refined_and_with_amortised_ones():
    metrics = {
        "toy.dense_vae.gamut_mse": entry([4, 4]),
        "toy.dense_vae.gamut_mse_refined": entry([1, 1]),
    }
    metrics |= {
        "toy.lstm_vae.gamut_mse": entry([8, 8]),
        "toy.lstm_vae.gamut_mse_refined": entry([3, 3]),
    }
    found = {
        (row.ingredient, row.without, row.code): row.change
        for row in contrasts(tidy(metrics)).itertuples()
    }
    assert found == {
        ("recurrence", "toy/dense_vae", "amortised"): pytest.approx(100),
        ("recurrence", "toy/dense_vae", "refined"): pytest.approx(200),
        ("refinement", "toy/dense_vae", "both"): pytest.approx(-75),
        ("refinement", "toy/lstm_vae", "both"): pytest.approx(-62.5),
    }


def test_equal_time_is_read_from_the_sweeps_with_the_times_of_both_sides():
    metrics = {
        "beps_heldout.dense_vae.heldout_mse": entry([2, 2]),
        "beps_heldout.dense_vae.fit_seconds": entry([20, 30]),
    }
    rows = [
        ("lstm_vae", "epochs", float(SHORTER.partition("=")[2]), seed, "measured", *pair)
        for seed in (0, 1)
        for pair in (("heldout_mse", 3), ("fit_seconds", 26))
    ]
    # Another factor, and a run that two sweeps share.
    other = ("lstm_vae", "epochs", 20, 0, "measured", "heldout_mse", 9)
    row = only(metrics, sweep_rows(*rows, rows[0], other), ingredient="recurrence, equal time")
    assert (row.change, row.seeds, row.seconds_without, row.seconds_with_it) == (
        pytest.approx(50),
        2,
        25,
        26,
    )


def test_numbers_of_latents_are_those_of_the_same_seeds():
    metrics = {
        "beps_heldout.dense_ae.heldout_mse": entry([1, 1]),
        "beps_heldout.lstm_ae.heldout_mse": entry([1, 1, 1]),
    }
    metrics["beps_heldout.lstm_ae.active_channels"] = entry([15, 16, 2])
    row = only(metrics)
    assert (row.ingredient, row.latents_without, row.latents_with_it) == ("recurrence", 5, 15.5)
    # What the further ten latents do is not put down to the recurrence.
    assert row.verdict == "unequal latents"


def test_a_sweep_over_latents_gives_a_contrast_at_equal_numbers_of_them():
    fixed = {
        "beps_heldout.lstm_vae_fixed.heldout_mse": entry([2, 2]),
        "beps_heldout.lstm_vae_fixed.active_channels": entry([16, 16]),
    }
    rows = sweep_rows(
        *(("lstm_ae", "latents", 16, seed, "measured", "heldout_mse", 4) for seed in (0, 1))
    )
    row = only(fixed, rows)
    assert (row.without, row.latents_without, row.latents_with_it) == (
        "beps_heldout/lstm_ae/latents=16",
        16,
        16,
    )
    assert row.change == pytest.approx(-50) and row.verdict == "helps"


def test_nothing_measured_is_an_empty_table():
    table = contrasts(tidy({"beps.pca.mse": entry([1, 2])}))
    assert table.empty and list(table) == list(ablation.COLUMNS)


def test_every_side_is_a_run_of_the_study_or_of_a_sweep():
    jobs = [*FAMILY.jobs("standard"), *sweeps.jobs("standard")]
    fits = {"/".join(filter(None, (job.dataset, job.model, job.variant))) for job in jobs}
    metrics = {
        f"{job.dataset}.{job.model}.{kind}": entry([1])
        for job in jobs
        if not job.variant
        for kind in ("gamut_mse", "heldout_mse")
    }
    kinds = {"toy": "gamut_mse", "beps_heldout": "heldout_mse"}
    swept = [job for job in jobs if job.variant and job.dataset in kinds]
    rows = [
        ("", job.dataset, job.model, *job.setting, 0, "measured", kinds[job.dataset], 1)
        for job in swept
    ]
    tried = pd.DataFrame(rows, columns=sweeps.COLUMNS)
    table = contrasts(tidy(metrics, tried))
    assert fits.issuperset(table["without"]) and fits.issuperset(table["with_it"])
    assert {f"beps_shuffled/{model}" for model in ablation.ORDER_OF_STEPS} <= {*table["without"]}
    named = {fit for _, *pair in ablation.BETWEEN_MODELS for fit in pair} | {
        *ablation.REFINED,
        "pca",
    }
    assert named == {side.partition("/")[2] for side in (*table["without"], *table["with_it"])}
