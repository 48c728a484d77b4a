"""The results table, one row a model, for the end of a run, the README and a paper; and every metric, one row each, for machines."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from replicate.files import write_text
from replicate.style import LABELS, PROVENANCE

COLUMNS = {
    "toy.{}.gamut_mse": "toy gamut",
    "toy.{}.painting_mse": "toy painting",
    "toy.{}.active_channels": "toy channels",
    "beps.{}.mse": "BEPS training",
    "beps.{}.mse_piezoresponse": "piezoresponse",
    "beps.{}.mse_resonance": "resonance",
    "beps.{}.active_channels": "BEPS channels",
    "beps_heldout.{}.heldout_mse": "BEPS held-out",
    "beps_heldout.{}.active_channels": "held-out channels",
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
        Errors are mean squared errors in z-scores, means over the seeds. Where several seeds differ in the digits shown, the half width
        of the 95 % interval follows a ``±``. A number that was not measured is a dash.
    """
    models = [model for model in LABELS if any(f".{model}." in name for name in metrics)]
    rows = {LABELS[model]: {title: _text(metrics.get(name.format(model))) for name, title in COLUMNS.items()} for model in models}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(COLUMNS.values()))
    return table.rename_axis("model").reset_index()


def _text(entry):
    if entry is None:
        return "–"
    value, (low, high) = entry["value"], entry["interval"] or (0, 0)
    digits = _digits(value, entry["unit"])
    half_width = f"{(high - low) / 2:.{digits}f}"
    return f"{value:.{digits}f}" + (f" ± {half_width}" if float(half_width) else "")


def _digits(value, unit):
    """Return how many decimals a value is shown with."""
    if unit == "count":
        return 0 if float(value).is_integer() else 1
    return 1 if unit == "s" and value >= 1 else 4


def caption(metrics):
    """Say what the numbers of the results table are, on which data and of how many seeds."""
    counts = sorted({len(entry["seeds"]) for entry in metrics.values()})
    seeds = f"{counts[0]} seed{'s' if counts[0] > 1 else ''}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]} seeds"
    used = {entry["provenance"] for entry in metrics.values()}
    data = ", ".join(text for name, text in PROVENANCE.items() if name in used)
    return (
        "Errors are mean squared errors in z-scores: of fresh colours (toy gamut), of every pixel of the picture (toy painting), "
        "of the pixels fitted to (BEPS training, and its two channels) and of spatial blocks left out (BEPS held-out). "
        "Parameters and times are those of BEPS training, one thread a run. "
        f"Mean over {seeds}, ± half the 95 % t-interval where it shows. Data: {data}."
    )


def markdown(table):
    """Return a table as GitHub-flavoured Markdown."""
    rows = [list(table.columns), ["---"] + ["---:"] * (len(table.columns) - 1), *table.to_numpy().tolist()]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def latex(table, caption=None):
    """Return a table as LaTeX for the package booktabs, a floating ``table`` where there is a caption."""
    style = table.style.hide(axis="index").format(escape="latex").format_index(escape="latex", axis="columns")
    layout = {"hrules": True, "column_format": "l" + "r" * (len(table.columns) - 1), "position_float": "centering" if caption else None}
    text = style.to_latex(caption=caption and caption.replace("%", r"\%"), **layout)
    return text.replace("β", r"$\beta$").replace("±", r"$\pm$")


def every_metric(metrics):
    """Return all metrics, one row each and numbers unrounded.

    Returns
    -------
    DataFrame
        ``value`` is the mean over the seeds, ``low`` and ``high`` its 95 % interval, empty for one seed; ``seeds`` is how many there are.
    """
    rows = []
    for name, entry in metrics.items():
        dataset, model, metric = name.split(".")
        low, high = entry["interval"] or (None, None)
        row = {"dataset": dataset, "model": model, "metric": metric, "unit": entry["unit"], "value": entry["value"]}
        rows.append(row | {"low": low, "high": high, "seeds": len(entry["seeds"]), "provenance": entry["provenance"]})
    return pd.DataFrame(rows)


def write_tables(metrics, folder):
    """Write every metric as results_table.csv, and the results table as results_table.md and .tex.

    Parameters
    ----------
    metrics : dict of str to dict
        The ``metrics`` of metrics.json.
    folder : path-like

    Returns
    -------
    list of Path
    """
    table, said = results_table(metrics), caption(metrics)
    texts = {
        "csv": every_metric(metrics).to_csv(index=False, lineterminator="\n"),
        "md": f"{markdown(table)}\n\n{said}\n",
        "tex": latex(table, said),
    }
    paths = [Path(folder) / f"results_table.{suffix}" for suffix in texts]
    for path, text in zip(paths, texts.values()):
        write_text(path, text)
    return paths
