"""Tables of the metrics: one row a model for readers, and one row a metric for machines."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from replicate import own_model
from replicate.files import write_text
from replicate.numbers.kinds import model_of
from replicate.provenance import texts
from replicate.study.family import LABELS
from replicate.study.studies import CHANNEL, FAMILY, PAPER, Study

#: The error of a channel on the pixels fitted to, where others are held out, is a metric of this
#: name and that of the channel. No other metric there begins so.
CHANNEL_ERROR = "mse_"


def results_table(metrics: Mapping[str, dict], study: Study) -> pd.DataFrame:
    """Lay the metrics of a study out as text, one row a model and one column a number.

    Parameters
    ----------
    metrics : dict of str to dict
        The ``metrics`` of metrics.json.
    study : Study

    Returns
    -------
    DataFrame of str
        Means over the seeds. Where several seeds differ in the digits shown, half the width of the
        95 % interval follows a ``±``. A number that was not measured is a dash. Models of the
        user's own come last.
    """
    columns = _columns(metrics, study)
    own = own_model.own_among(map(model_of, metrics))
    rows = [_row(metrics, study, columns, model) for model in (*study.tabulated, *own)]
    titles = ["model", *columns.values(), *study.seed_columns]
    return pd.DataFrame([row for row in rows if row], columns=titles)


def _columns(metrics, study):
    """Return metric and title of each column, with one column for each of several channels."""
    channels = _channels(metrics)
    columns = {}
    for metric, title in study.columns.items():
        if CHANNEL not in metric:
            columns[metric] = title
        elif len(channels) > 1:
            columns |= {metric.replace(CHANNEL, channel): channel for channel in channels}
    return columns


def _channels(metrics):
    """Return the channels that have errors of their own, the piezoresponse first."""
    kinds = {name.rpartition(".")[2] for name in metrics if name.startswith("beps_heldout.")}
    names = {kind.removeprefix(CHANNEL_ERROR) for kind in kinds if kind.startswith(CHANNEL_ERROR)}
    return sorted(names, key=lambda name: (name != "piezoresponse", name))


def _row(metrics, study, columns, model):
    """Return the texts of one row; an empty list for a model without a number."""
    entries = [metrics.get(metric.format(model)) for metric in columns]
    if not any(entries):
        return []
    counts = [
        " / ".join(_seed_count(metrics.get(metric.format(model))) for metric in counted)
        for counted in study.seed_columns.values()
    ]
    return [LABELS[model], *map(_text, entries), *counts]


def _seed_count(entry):
    return "–" if entry is None else str(len(entry["seeds"]))


def _text(entry):
    if entry is None:
        return "–"
    digits = _digits(entry["value"], entry["unit"])
    text = f"{entry['value']:.{digits}f}"
    low, high = entry["interval"] or (0, 0)
    half_width = f"{(high - low) / 2:.{digits}f}"
    return f"{text} ± {half_width}" if float(half_width) else text


def _digits(value, unit):
    """Return how many decimals a value is shown with."""
    if unit == "count":
        return 0 if float(value).is_integer() else 1
    if unit == "s" and value >= 1:
        return 1
    return 4


def caption(metrics: Mapping[str, dict], study: Study) -> str:
    """Return what the numbers of the results table are, on which data, and from how many seeds."""
    columns = _columns(metrics, study)
    tabulated = [entry for name, entry in metrics.items() if _pattern(name) in columns]
    if not tabulated:
        return f"{study.caption} Nothing of it was measured."
    data = ", ".join(texts(entry["provenance"] for entry in tabulated).values())
    return (
        f"{study.caption} Mean over {_seed_range(tabulated)}, with half the width of the 95 % "
        f"t-interval after ± where the seeds differ in the digits shown. Data: {data}."
    )


def _pattern(name):
    """Return the name of a metric with its model left open."""
    dataset, _, kind = name.split(".")
    return f"{dataset}.{{}}.{kind}"


def _seed_range(entries):
    """Return how many seeds some metrics have, as text."""
    counts = sorted({len(entry["seeds"]) for entry in entries})
    if len(counts) > 1:
        return f"{counts[0]} to {counts[-1]} seeds"
    return f"{counts[0]} seed{'s' if counts[0] > 1 else ''}"


def markdown(table: pd.DataFrame) -> str:
    """Return a table as GitHub-flavoured Markdown."""
    rule = ["---"] + ["---:"] * (len(table.columns) - 1)
    rows = [list(table.columns), rule, *table.to_numpy().tolist()]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def latex(table: pd.DataFrame, caption: str | None = None) -> str:
    """Return a table as LaTeX for booktabs; with a caption it is a floating ``table``."""
    style = table.style.hide(axis="index")
    style = style.format(escape="latex").format_index(escape="latex", axis="columns")
    text = style.to_latex(
        caption=caption and caption.replace("%", r"\%"),
        hrules=True,
        column_format="l" + "r" * (len(table.columns) - 1),
        position_float="centering" if caption else None,
    )
    return text.replace("β", r"$\beta$").replace("±", r"$\pm$")


def every_metric(metrics: Mapping[str, dict]) -> pd.DataFrame:
    """Return all metrics, one row each and numbers unrounded.

    Returns
    -------
    DataFrame
        ``value`` is the mean over the seeds, ``low`` and ``high`` are the ends of its 95 %
        interval, empty for one seed; ``seeds`` is how many seeds there are.
    """
    rows = []
    for name, entry in metrics.items():
        dataset, model, metric = name.split(".")
        low, high = entry["interval"] or (None, None)
        rows.append(
            {
                "dataset": dataset,
                "model": model,
                "metric": metric,
                "unit": entry["unit"],
                "value": entry["value"],
                "low": low,
                "high": high,
                "seeds": len(entry["seeds"]),
                "provenance": entry["provenance"],
            }
        )
    return pd.DataFrame(rows)


def write_tables(metrics: Mapping[str, dict], folder: Path) -> list[Path]:
    """Write every metric as results_table.csv, and the tables of two studies as text.

    The tables of the paper's study and of the family are written as Markdown and as LaTeX.

    Returns
    -------
    list of Path
        The files written.
    """
    table = every_metric(metrics).to_csv(index=False, lineterminator="\n")
    files = {"results_table.csv": table}
    for name, study in (("results_table", PAPER), ("family_table", FAMILY)):
        table, words = results_table(metrics, study), caption(metrics, study)
        files[f"{name}.md"] = f"{markdown(table)}\n\n{words}\n"
        files[f"{name}.tex"] = latex(table, words)
    for name, text in files.items():
        write_text(Path(folder) / name, text)
    return [Path(folder) / name for name in files]
