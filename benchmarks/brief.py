"""A scan of the user's own in brief: what was read, and what each model makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from replicate import own_model
from replicate.analysis.components import PAYS, by_components, stability
from replicate.data.scan import Scan
from replicate.data.user_scan.scan_file import facts
from replicate.numbers.kinds import model_of
from replicate.running import runs, scan_results
from replicate.study.family import COMPONENTS, LABELS

#: From how high a correlation on a model keeps the features of loops, and most of them.
KEEPS, KEEPS_MOST = 0.9, 0.7

#: From which area under the curve on a model shows shoulders, and some of them.
SHOWS, SHOWS_SOME = 0.8, 0.6

#: What the words of the table mean.
RULE = (
    "Features: the mean rank correlation of the descriptors of a loop with those of its "
    f"reconstruction, on blocks left out; kept from {KEEPS} on, mostly from {KEEPS_MOST} on. "
    "Shoulders: how well the quarter of the pixels with the greatest shoulder can be told from the "
    f"others by their reconstructions (area under the curve); shown from {SHOWS} on, some from "
    f"{SHOWS_SOME} on. Alike: the median absolute correlation of the latents of two seeds, matched "
    "one to one."
)


class Row(NamedTuple):
    """A model of the table; None where something was not measured."""

    label: str
    latents: float
    fitted: float | None
    heldout: float
    over_pca: float | None
    features: str
    shoulders: str
    alike: float | None


class Brief(NamedTuple):
    """What the owner of a scan is told first."""

    read: list[str]
    sentences: list[str]
    rows: list[Row]


def brief(metrics: Mapping[str, dict], scan: Scan, folder: Path) -> Brief:
    """Return what the owner of a scan is told first.

    Parameters
    ----------
    metrics : dict of str to dict
        The entries of metrics.json.
    scan : Scan
    folder : Path
        The results of the profile.
    """
    models = [*LABELS, *own_model.own_among(map(model_of, metrics))]
    rows = [row for row in (_row(metrics, model, folder) for model in models) if row]
    sentences = [
        _on_profile(folder.name),
        _on_components(scan),
        _on_models(metrics, rows),
        _on_seeds(metrics, folder),
    ]
    return Brief(facts(scan), [text for text in sentences if text], rows)


def _row(metrics, model, folder):
    """Return the row of a model, or None where it was not fitted to blocks of pixels."""
    heldout = _value(metrics, f"beps_heldout.{model}.heldout_mse")
    if heldout is None:
        return None
    pca = _value(metrics, "beps_heldout.pca.heldout_mse")
    correlation = _value(metrics, f"beps_heldout.{model}.descriptor_correlation")
    area = _value(metrics, f"beps_heldout.{model}.shoulder_auc")
    return Row(
        LABELS[model],
        _value(metrics, f"beps_heldout.{model}.active_channels") or COMPONENTS["beps"],
        _value(metrics, f"beps.{model}.mse"),
        heldout,
        heldout / pca if pca else None,
        _word(correlation, ("kept", KEEPS), ("mostly kept", KEEPS_MOST), "lost"),
        _word(area, ("shown", SHOWS), ("some", SHOWS_SOME), "hidden"),
        _alike(folder, model),
    )


def _value(metrics, name):
    entry = metrics.get(name)
    return None if entry is None else entry["value"]


def _word(value, good, fair, poor):
    """Return the word for a value and the value; a dash where it was not measured."""
    if value is None:
        return "–"
    word = next((text for text, bound in (good, fair) if value >= bound), poor)
    return f"{word} ({value:.2f})"


def _alike(folder, model):
    """Return how alike the latents of the seeds of a model are; None for fewer than two seeds."""
    found = [
        run.arrays["latents"]
        for run in runs.ended(folder)
        if run.folder.parent == folder / "beps" / model and run.status == "complete"
    ]
    return stability(found) if len(found) > 1 else None


def _on_profile(profile):
    """Return the warning about a trial; None for another profile."""
    if profile != "smoke":
        return None
    return "A trial: the smoke profile has tiny models, from which nothing is to be concluded."


def _on_components(scan):
    """Return the sentence on the number of components."""
    advised = by_components(scan).advised
    components = "1 component" if advised == 1 else f"{advised} components"
    return (
        f"After {components} of PCA one more does not pay: it saves "
        f"less than {100 * PAYS:.0f} % of the error in predicting blocks of pixels left out."
    )


def _on_models(metrics, rows):
    """Return the sentence on which model describes loops best that it has not seen."""
    pca = metrics.get("beps_heldout.pca.heldout_mse")
    if pca is None or len(rows) < 2:
        return None
    best = min((row for row in rows if row.latents <= COMPONENTS["beps"]), key=_error)
    if best.heldout >= 0.99 * pca["value"]:
        return "No model describes loops that it has not seen better than PCA, by 1 % or more."
    lower = 100 * (1 - best.heldout / pca["value"])
    folds = f"{len(pca['seeds'])} folds" if len(pca["seeds"]) > 1 else "one fold"
    return (
        f"On blocks left out {best.label} has the lowest error of all models of at most "
        f"{COMPONENTS['beps']} latents, {lower:.0f} % below PCA's ({folds}). The lowest of many is "
        "low by chance, too."
    )


def _error(row):
    return row.heldout


def _on_seeds(metrics, folder):
    """Return the sentence on further seeds; None where all folds were left out."""
    n_seeds = max(len(entry["seeds"]) for entry in metrics.values())
    if n_seeds > 1:
        return None
    command = scan_results.command(folder.parent, folder.name)
    return (
        "One seed leaves out one fold, and does not say how alike the latents of two runs are. "
        f"All five: `{command} --seed 0 1 2 3 4`."
    )
