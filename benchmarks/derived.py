"""Numbers that follow from stored ones: ratios, differences, and single numbers of sweeps.

A text asks for one as ``{derived.NAME:format}``, NAME being a key of `TABLE`. Every number is
computed for each seed that all its sources have, so that seeds, on the scan folds, are paired.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from statistics import fmean, stdev
from typing import NamedTuple

import pandas as pd
from scipy.stats import t as student_t

from benchmarks.store import Store
from replicate.data.raw.clean import OUTLIERS, RESONANCE_LIMITS_KHZ
from replicate.provenance import PAPER_DATA
from replicate.study.family import LABELS, PAPER_SCAN


class SweepNumber(NamedTuple):
    """Where a number stands in sweeps.csv.

    Attributes
    ----------
    sweep, dataset, model, setting : str
    value : float
        The value of the setting.
    metric : str
        The kind of number.
    """

    sweep: str
    dataset: str
    model: str
    setting: str
    value: float
    metric: str


class IndexNumbers(NamedTuple):
    """Where the errors at all indices of the spectrum stand in per_index.csv.

    Attributes
    ----------
    dataset, model : str
    column : str
        ``bias`` or ``spread``.
    """

    dataset: str
    model: str
    column: str


class Row(NamedTuple):
    """How a derived number is computed.

    Attributes
    ----------
    rule : callable
        It takes the values of all sources for one seed.
    sources : tuple of (str, SweepNumber or IndexNumbers)
        Names of metrics, and places in sweeps.csv and per_index.csv. A rule without sources takes
        nothing.
    label : str
        Its name for a reader, where a condition of the ledger judges it.
    """

    rule: Callable[..., float]
    sources: tuple[str | SweepNumber | IndexNumbers, ...]
    label: str = ""


def value_of(value: float) -> float:
    """Return a value as it is stored."""
    return value


def value_on_seeds_of(value: float, _: float) -> float:
    """Return a value; the second source only says on which seeds it is wanted."""
    return value


def change(new: float, old: float) -> float:
    """Return by what share of the old value the new one is greater."""
    return new / old - 1


def fall(new: float, old: float) -> float:
    """Return by what share of the old value the new one is less."""
    return 1 - new / old


def ratio(value: float, other: float) -> float:
    """Return a value divided by another."""
    return value / other


def difference(value: float, other: float) -> float:
    """Return a value less another."""
    return value - other


def share_of_fall(start: float, middle: float, end: float) -> float:
    """Return which share of the fall from start to end is reached in the middle."""
    return (start - middle) / (start - end)


def least_ratio(numbers: pd.Series, others: pd.Series) -> float:
    """Return the least ratio of two rows of numbers, without sign, index by index."""
    return float((numbers.abs() / others.abs()).min())


def least_over(value: float, *others: float) -> float:
    """Return the least of some values, over another."""
    return min(others) / value


def hours(seconds: float) -> float:
    """Return seconds in hours."""
    return seconds / 3600


def share_of_points_replaced() -> float:
    """Return which share of the measured points the cleaning of the paper's data replaces."""
    return OUTLIERS / PAPER_SCAN.n_steps


#: Lowest and highest z-score of the resonance in the published array.
RESONANCE_RANGE = (-4.704501647161023, 3.6364999096008983)


def greatest_resonance_sd() -> float:
    """Return the greatest standard deviation that the resonance can have had, kHz.

    The range in kHz is at most that of the limits; in z-scores it is that of the published array.
    The standard deviation equals this number only if both limits are reached.
    """
    low, high = RESONANCE_RANGE
    return (RESONANCE_LIMITS_KHZ[1] - RESONANCE_LIMITS_KHZ[0]) / (high - low)


def _toy(model, kind="gamut_mse"):
    return f"toy.{model}.{kind}"


def _scan(model, kind="heldout_mse"):
    return f"beps_heldout.{model}.{kind}"


def _gap(model, kind="heldout_mse"):
    return f"beps_buffered.{model}.{kind}"


def _stripes(model, kind="heldout_mse"):
    return f"beps_stripes.{model}.{kind}"


def _shuffled(model, kind="heldout_mse"):
    return f"beps_shuffled.{model}.{kind}"


def _latents(model, n_latents, kind="heldout_mse"):
    return SweepNumber("rate-distortion", "beps_heldout", model, "latents", n_latents, kind)


def _few(model, n_spectra, kind="heldout_mse"):
    return SweepNumber("fewer spectra", "beps_heldout", model, "n_train", n_spectra, kind)


def _penalty(alpha):
    return SweepNumber(
        "sensitivity", "beps_heldout", "dictionary_learning", "alpha", alpha, "heldout_mse"
    )


def _fixed_beta(beta, kind):
    return SweepNumber("beta", "toy", "lstm_vae_fixed", "beta", beta, kind)


#: Nonlinear networks of which the number of latents is swept.
NONLINEAR = ("dense_ae", "dense_vae", "conv_vae", "lstm_ae", "lstm_vae")

_DL = "dictionary_learning"
_REFINED = "heldout_mse_refined"


def _kept_at_3(model, other):
    """Return the row of the difference of two models in `shoulder_kept_at_3`."""
    sources = (_scan(model, "shoulder_kept_at_3"), _scan(other, "shoulder_kept_at_3"))
    label = f"BEPS held-out, shoulders kept at 3 % invented, {LABELS[model]} less {LABELS[other]}"
    return Row(difference, sources, label)


_PATHLESS = SweepNumber("form", "beps_heldout", "lstm_vae", "linear_path", 0.0, "heldout_mse")

#: Every derived number by its name.
TABLE = {
    # How much of the fall of the error from dictionary learning to the LSTM beta-VAE PCA brings.
    "pca_share_toy": Row(
        share_of_fall,
        (_toy(_DL), _toy("pca"), _toy("lstm_vae")),
        "toy, fresh colours, PCA's share of the gain from dictionary learning to the LSTM β-VAE",
    ),
    "pca_share_training": Row(
        share_of_fall,
        tuple(f"beps.{model}.mse" for model in (_DL, "pca", "lstm_vae")),
        "BEPS training, PCA's share of the gain from dictionary learning to the LSTM β-VAE",
    ),
    "pca_share_scan": Row(
        share_of_fall,
        (_scan(_DL), _scan("pca"), _scan("lstm_vae")),
        "BEPS held-out, PCA's share of the gain from dictionary learning to the LSTM β-VAE",
    ),
    # Violins, index by index.
    "toy_least_spread_ratio": Row(
        least_ratio,
        tuple(IndexNumbers("toy", model, "spread") for model in (_DL, "lstm_vae")),
        "toy, dictionary learning's spread over that of the LSTM β-VAE, least over the indices",
    ),
    "toy_least_bias_ratio": Row(
        least_ratio,
        tuple(IndexNumbers("toy", model, "bias") for model in (_DL, "lstm_vae")),
        "toy, dictionary learning's offset over that of the LSTM β-VAE, least over the indices",
    ),
    # Shoulders kept where all models invent them on 3 % of the pixels.
    "kept_at_3_lstm_less_dl": _kept_at_3("lstm_vae", _DL),
    "kept_at_3_plain_less_dl": _kept_at_3("lstm_vae_plain", _DL),
    "kept_at_3_lstm_less_pca": _kept_at_3("lstm_vae", "pca"),
    "kept_at_3_lstm_less_dense": _kept_at_3("lstm_vae", "dense_vae"),
    "kept_at_3_sparse_less_pca": _kept_at_3("sparse_pca", "pca"),
    # Two models, or two ways of coding, with each other.
    "toy_pca_below_dl": Row(fall, (_toy("pca"), _toy(_DL))),
    "toy_vae_of_dl": Row(ratio, (_toy("lstm_vae"), _toy(_DL))),
    "scan_no_penalty_below_dl": Row(fall, (_scan(_DL, _REFINED), _scan(_DL))),
    "scan_lstm_over_pca": Row(change, (_scan("lstm_vae"), _scan("pca"))),
    "scan_lstm_below_pca": Row(fall, (_scan("lstm_vae"), _scan("pca"))),
    "scan_plain_ratio": Row(ratio, (_scan("lstm_vae_plain"), _scan("pca"))),
    "scan_paper_ratio": Row(ratio, (_scan("lstm_vae_paper"), _scan("pca"))),
    "scan_dense_over_pca": Row(change, (_scan("dense_ae"), _scan("pca"))),
    "scan_plain_over_pca": Row(change, (_scan("lstm_vae_plain"), _scan("pca"))),
    "scan_dense_over_lstm": Row(change, (_scan("dense_vae"), _scan("lstm_vae"))),
    "scan_dense_over_lstm_refined": Row(
        change, (_scan("dense_vae", _REFINED), _scan("lstm_vae", _REFINED))
    ),
    "scan_beta_dense": Row(change, (_scan("dense_vae"), _scan("dense_ae"))),
    "scan_beta_lstm": Row(change, (_scan("lstm_vae"), _scan("lstm_ae"))),
    "scan_beta_lstm_refined": Row(
        change, (_scan("lstm_vae", _REFINED), _scan("lstm_ae", _REFINED))
    ),
    "kept_sparse_less_lstm": Row(
        difference, (_scan("sparse_pca", "shoulder_kept"), _scan("lstm_vae", "shoulder_kept"))
    ),
    "kept_without_penalty": Row(
        difference, (_scan(_DL, "shoulder_kept_refined"), _scan(_DL, "shoulder_kept"))
    ),
    # What linearity costs, and what the encoder costs.
    "linearity_cost": Row(difference, (_scan("linear_ae"), _scan("dense_ae"))),
    "linearity_cost_refined": Row(
        difference, (_scan("linear_ae", _REFINED), _scan("dense_ae", _REFINED))
    ),
    "encoder_cost_dense": Row(difference, (_scan("dense_ae"), _scan("dense_ae", _REFINED))),
    "encoder_cost_lstm": Row(difference, (_scan("lstm_vae"), _scan("lstm_vae", _REFINED))),
    # What shuffling the voltage steps does, beside the stored change of the encoder's error.
    "toy_shuffled_ratio": Row(ratio, ("toy_shuffled.lstm_vae.gamut_mse", _toy("lstm_vae"))),
    "shuffled_lstm_encoder": Row(change, (_shuffled("lstm_vae"), _scan("lstm_vae"))),
    "shuffled_lstm_refined": Row(
        change, (_shuffled("lstm_vae", _REFINED), _scan("lstm_vae", _REFINED))
    ),
    "shuffled_lstm_training": Row(change, (_shuffled("lstm_vae", "mse"), _scan("lstm_vae", "mse"))),
    "shuffled_dense_refined": Row(
        change, (_shuffled("dense_vae", _REFINED), _scan("dense_vae", _REFINED))
    ),
    # Held-out error over the error on the pixels that were fitted.
    "overfit_lstm": Row(ratio, (_scan("lstm_vae"), _scan("lstm_vae", "mse"))),
    "overfit_plain": Row(ratio, (_scan("lstm_vae_plain"), _scan("lstm_vae_plain", "mse"))),
    # Other numbers of latents, on fold 0.
    "latents_8_pca": Row(value_of, (_latents("pca", 8),)),
    "latents_8_networks_least": Row(min, tuple(_latents(each, 8) for each in NONLINEAR)),
    "latents_8_networks_greatest": Row(max, tuple(_latents(each, 8) for each in NONLINEAR)),
    "latents_16_pca": Row(value_of, (_latents("pca", 16),)),
    "latents_16_best_over_pca": Row(
        least_over,
        (_latents("pca", 16), *(_latents(each, 16) for each in NONLINEAR)),
        "BEPS held-out, fold 0, 16 latents: error of the best network's encoder over PCA's",
    ),
    "latents_16_networks_least": Row(min, tuple(_latents(each, 16) for each in NONLINEAR)),
    "latents_16_networks_greatest": Row(max, tuple(_latents(each, 16) for each in NONLINEAR)),
    "latents_16_refined_least": Row(min, tuple(_latents(each, 16, _REFINED) for each in NONLINEAR)),
    "latents_16_refined_greatest": Row(
        max, tuple(_latents(each, 16, _REFINED) for each in NONLINEAR)
    ),
    "channels_when_told_1": Row(value_of, (_latents("lstm_vae", 1, "active_channels"),)),
    "channels_when_told_2": Row(value_of, (_latents("lstm_vae", 2, "active_channels"),)),
    # One network against PCA with few spectra and with more latents, fold by fold.
    "few_100_change": Row(change, (_few("dense_ae", 100), _few("pca", 100))),
    "few_300_change": Row(change, (_few("dense_ae", 300), _few("pca", 300))),
    "few_300_change_refined": Row(
        change, (_few("dense_ae", 300, _REFINED), _few("pca", 300, _REFINED))
    ),
    "few_1000_change": Row(change, (_few("dense_ae", 1000), _few("pca", 1000))),
    "latents_8_change": Row(change, (_latents("dense_ae", 8), _latents("pca", 8))),
    "latents_16_change": Row(change, (_latents("dense_ae", 16), _latents("pca", 16))),
    "latents_16_change_refined": Row(
        change, (_latents("dense_ae", 16, _REFINED), _latents("pca", 16, _REFINED))
    ),
    # Other splits of the scan.
    "gap_dense": Row(change, (_gap("dense_ae"), _gap("pca"))),
    "gap_lstm_below_pca": Row(fall, (_gap("lstm_vae"), _gap("pca"))),
    "gap_lstm": Row(change, (_gap("lstm_vae"), _gap("pca"))),
    "gap_dense_refined": Row(change, (_gap("dense_ae", _REFINED), _gap("pca", _REFINED))),
    "gap_lstm_refined": Row(change, (_gap("lstm_vae", _REFINED), _gap("pca", _REFINED))),
    "gap_pca_share": Row(share_of_fall, (_gap(_DL), _gap("pca"), _gap("lstm_vae"))),
    "stripes_dense": Row(change, (_stripes("dense_ae"), _stripes("pca"))),
    "shuffled_plain": Row(change, (_shuffled("lstm_vae_plain"), _scan("lstm_vae_plain"))),
    # Settings: the penalty of dictionary learning, a fixed beta, no linear path.
    "penalty_stated": Row(value_on_seeds_of, (_scan(_DL), _penalty(0.5))),
    "penalty_half_over_stated": Row(
        ratio,
        (_penalty(0.5), _scan(_DL)),
        "BEPS held-out, fold 0: error of dictionary learning at lambda = 0.5 over that at 1",
    ),
    "penalty_double_over_stated": Row(
        ratio,
        (_penalty(2.0), _scan(_DL)),
        "BEPS held-out, fold 0: error of dictionary learning at lambda = 2 over that at 1",
    ),
    "penalty_half": Row(value_of, (_penalty(0.5),)),
    "penalty_double": Row(value_of, (_penalty(2.0),)),
    "fixed_beta_channels": Row(
        value_of,
        (_fixed_beta(0.06, "active_channels"),),
        "toy, active channels with β fixed at 0.06 and no target",
    ),
    "fixed_beta_error": Row(value_of, (_fixed_beta(0.06, "gamut_mse"),)),
    "fixed_beta_channels_lower": Row(value_of, (_fixed_beta(0.02, "active_channels"),)),
    "fixed_beta_channels_lowest": Row(
        value_of,
        (_fixed_beta(0.006, "active_channels"),),
        "toy, active channels with β fixed at 0.006 and no target",
    ),
    "form_without_path": Row(value_of, (_PATHLESS,)),
    "paper_network_hours": Row(hours, ("beps_heldout.lstm_vae_paper.fit_seconds",)),
    # The published arrays.
    "resonance_sd": Row(greatest_resonance_sd, ()),
    "points_replaced": Row(
        share_of_points_replaced, (), "share of the measured points that the cleaning replaces"
    ),
}


def values(name: str, metrics: Mapping[str, dict]) -> list[float]:
    """Return a derived number for each common seed.

    There is none where a source was not measured, or where a share of nothing is asked for.

    Parameters
    ----------
    name : str
        A key of `TABLE`.
    metrics : mapping of str to dict
        The ``metrics`` of metrics.json.

    Raises
    ------
    KeyError
        If the table has no such number.
    """
    return list(by_seed(name, metrics).values())


def by_seed(name: str, metrics: Mapping[str, dict]) -> dict[int, float]:
    """Return a derived number by seed; parameters and errors are those of `values`."""
    row = TABLE[name]
    if not row.sources:
        return {0: row.rule()}
    sources = [_by_seed(source, metrics) for source in row.sources]
    seeds = [seed for seed in sources[0] if all(seed in source for source in sources)]
    try:
        return {seed: row.rule(*(source[seed] for source in sources)) for seed in seeds}
    except ZeroDivisionError:
        return {}


def entry(name: str, metrics: Mapping[str, dict]) -> dict | None:
    """Return a derived number as an entry of metrics.json, None where it was not measured.

    Its provenance is ``measured`` unless that of a metric that it comes from is another.
    """
    numbers = by_seed(name, metrics)
    if not numbers:
        return None
    sources = [source for source in TABLE[name].sources if isinstance(source, str)]
    others = {metrics[source]["provenance"] for source in sources} - set(PAPER_DATA)
    return {
        "value": fmean(numbers.values()),
        "values": list(numbers.values()),
        "seeds": list(numbers),
        "unit": "1",
        "provenance": min(others, default="measured"),
    }


def is_of_sweeps(name: str) -> bool:
    """Return whether a number, ``derived.NAME`` or a metric, comes from no run: it is stored."""
    if not name.startswith("derived."):
        return False
    sources = TABLE[name.removeprefix("derived.")].sources
    return not sources or any(not isinstance(source, str) for source in sources)


def _by_seed(source, metrics):
    """Return the values of a source by seed; none if it was not measured."""
    if isinstance(source, SweepNumber):
        return _of_sweep(source)
    if isinstance(source, IndexNumbers):
        return _of_indices(source)
    entry = metrics.get(source)
    return dict(zip(entry["seeds"], entry["values"])) if entry else {}


def _of_indices(source):
    """Return the stored errors at all indices by seed, each a row of numbers."""
    store = Store()
    if not store.index_path.exists():
        return {}
    table = store.index_table()[source.column].xs((source.dataset, source.model))
    return {seed: numbers.droplevel("seed") for seed, numbers in table.groupby(level="seed")}


def _of_sweep(source):
    """Return the stored numbers of a sweep by seed."""
    path = Store().sweeps_path
    if not path.exists():
        return {}
    table = _read_sweeps(path, path.stat().st_mtime_ns)
    for column, wanted in source._asdict().items():
        table = table[table[column] == wanted]
    return dict(zip(table["seed"], table["number"]))


@lru_cache(maxsize=1)
def _read_sweeps(path, _):
    """Return the table of sweeps; the time of its last change makes that a new one is read."""
    return pd.read_csv(path)


def fold_interval(numbers: list[float], n_folds: int | None = None) -> tuple[float, float]:
    """Return the 95 % interval of a mean over folds, by Nadeau and Bengio.

    Folds share most of the pixels that they are fitted to. So the variance of the mean is that of
    the n numbers times 1/n + 1/(k - 1), for k folds, instead of 1/n.

    Parameters
    ----------
    numbers : list of float
        A paired difference or change for each of two or more runs: the folds of one split, or of
        several splits.
    n_folds : int, optional
        Number of folds of a split; by default the numbers are those of all folds of one.
    """
    n_runs = len(numbers)
    scale = (1 / n_runs + 1 / ((n_folds or n_runs) - 1)) ** 0.5
    half = student_t.ppf(0.975, n_runs - 1) * stdev(numbers) * scale
    return fmean(numbers) - half, fmean(numbers) + half
