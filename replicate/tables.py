"""The results table: one row a model, for the end of a run and for the README."""

from __future__ import annotations

import pandas as pd

from replicate.style import LABELS

COLUMNS = {
    "toy.{}.gamut_mse": "toy gamut",
    "toy.{}.painting_mse": "toy painting",
    "toy.{}.active_channels": "toy channels",
    "beps.{}.mse": "BEPS training",
    "beps.{}.mse_piezoresponse": "piezoresponse",
    "beps.{}.mse_resonance": "resonance",
    "beps.{}.heldout_mse": "BEPS held-out",
    "beps.{}.active_channels": "BEPS channels",
    "beps.{}.n_parameters": "parameters",
    "beps.{}.fit_seconds": "fit, s",
    "beps.{}.transform_seconds": "encode, s",
}


def results_table(metrics):
    """Lay metrics out as text, one row a model and one column a number.

    Parameters
    ----------
    metrics : dict of str to dict
        The ``metrics`` of metrics.json.

    Returns
    -------
    DataFrame of str
        Errors are mean squared errors in z-scores; a number that was not measured is a dash.
    """
    models = [model for model in LABELS if any(f".{model}." in name for name in metrics)]
    rows = {LABELS[model]: {title: _text(metrics.get(name.format(model))) for name, title in COLUMNS.items()} for model in models}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(COLUMNS.values()))
    return table.rename_axis("model").reset_index()


def _text(entry):
    if entry is None:
        return "–"
    value = entry["value"]
    if entry["unit"] == "count":
        return f"{value:.0f}" if float(value).is_integer() else f"{value:.1f}"
    return f"{value:.1f}" if entry["unit"] == "s" and value >= 1 else f"{value:.4f}"


def markdown(table):
    """Return a table as GitHub-flavoured Markdown."""
    rows = [list(table.columns), ["---"] + ["---:"] * (len(table.columns) - 1), *table.to_numpy().tolist()]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
