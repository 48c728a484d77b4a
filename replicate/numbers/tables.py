"""The results table, one row a model, for the end of a run, the README and a paper; and every metric, one row each, for machines."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from replicate.files import write_text
from replicate.provenance import is_own, provenance_texts
from replicate.study.family import LABELS
from replicate.study.jobs import PAPER_STUDY

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
FAMILY_COLUMNS = {
    "toy.{}.gamut_mse": "toy gamut",
    "toy.{}.gamut_mse_refined": "toy, best code",
    "toy.{}.active_channels": "toy channels",
    "toy.{}.fit_seconds": "toy fit, s",
    "beps_heldout.{}.mse": "BEPS training",
    "beps_heldout.{}.heldout_mse": "BEPS held-out",
    "beps_heldout.{}.heldout_mse_refined": "BEPS held-out, best code",
    "beps_heldout.{}.active_channels": "BEPS channels",
    "beps_heldout.{}.n_parameters": "parameters",
    "beps_heldout.{}.fit_seconds": "BEPS fit, s",
}


def results_table(metrics):
    """Lay the metrics of the paper's study out as text, one row a model and one column a number.

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
    own = is_of_own(metrics)
    return _table(
        metrics, LABELS if own else PAPER_STUDY["beps"], own_columns(metrics) if own else COLUMNS
    )


def is_of_own(metrics):
    """Tell whether metrics are of a scan of the user's own."""
    return any(is_own(entry["provenance"]) for entry in metrics.values())


def own_columns(metrics):
    """Return the columns of the results table of a scan of the user's own, the errors of whose channels are among them."""
    start = "heldout_mse_"
    named = {
        name.split(".")[2][len(start) :] for name in metrics if name.split(".")[2].startswith(start)
    }
    channels = sorted(
        (name for name in named if not name.startswith("refined")), key="piezoresponse".__ne__
    )
    return {
        "beps.{}.mse": "fitted to",
        "beps_heldout.{}.heldout_mse": "held-out",
        **{
            f"beps_heldout.{{}}.{start}{channel}": channel
            for channel in (channels if len(channels) > 1 else ())
        },
        "beps_heldout.{}.heldout_mse_refined": "held-out, best code",
        "beps_heldout.{}.shoulder_auc": "shoulder AUC",
        "beps_heldout.{}.active_channels": "active channels",
        "beps_heldout.{}.n_parameters": "parameters",
        "beps_heldout.{}.fit_seconds": "fit, s",
        "beps_heldout.{}.transform_seconds": "encode, s",
    }


def family_table(metrics):
    """Lay the metrics of the whole family out in the same way: fresh colours of the toy problem, and held-out folds of the scan."""
    table = _table(metrics, LABELS, FAMILY_COLUMNS)
    models = [
        next(model for model, label in LABELS.items() if label == name) for name in table["model"]
    ]
    return table.assign(
        **{"seeds, toy / BEPS": [" / ".join(_seeds(metrics, model)) for model in models]}
    )


def _seeds(metrics, model):
    """Return how many seeds a model has on the toy problem and on held-out folds of the scan, as text."""
    entries = (
        metrics.get(f"toy.{model}.gamut_mse"),
        metrics.get(f"beps_heldout.{model}.heldout_mse"),
    )
    return [str(len(entry["seeds"])) if entry else "–" for entry in entries]


def _table(metrics, models, columns):
    found = [model for model in models if any(name.format(model) in metrics for name in columns)]
    rows = {
        LABELS[model]: {
            title: _text(metrics.get(name.format(model))) for name, title in columns.items()
        }
        for model in found
    }
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(columns.values()))
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
    if is_of_own(metrics):
        return (
            "Errors are mean squared errors in z-scores: of all pixels, fitted to as well, and of folds of spatial blocks left out "
            "(best code: each spectrum with the best latents that the fitted decoder has for it). Shoulder AUC: how well the quarter of "
            "the held-out pixels with the greatest shoulder is told from reconstructions, 0.5 not at all. Parameters and times are those "
            f"of training without a fold, one thread a run. {_origin(metrics, own_columns(metrics))}"
        )
    return (
        "Errors are mean squared errors in z-scores: of fresh colours (toy gamut), of every pixel of the picture (toy painting), "
        "of the pixels fitted to (BEPS training, and its two channels) and of folds of spatial blocks left out (BEPS held-out). "
        f"Parameters and times are those of BEPS training, one thread a run. {_origin(metrics, COLUMNS)}"
    )


def family_caption(metrics):
    """Say the same of the table of the family."""
    return (
        "All with as many latents, of a beta-VAE active channels: 3 on the toy problem, 5 on BEPS; "
        "with β fixed, those of 16 that stay active. "
        "Errors as above; BEPS training is that of the blocks fitted to. "
        "Best code: each spectrum with the best latents that the fitted decoder has for it, instead of the encoder's. "
        f"Times are of training, one thread a run. {_origin(metrics, FAMILY_COLUMNS)}"
    )


def _origin(metrics, columns):
    """Say on which data the numbers of a table were measured, and with how many seeds."""
    shown = [
        entry
        for name, entry in metrics.items()
        if "{0}.{{}}.{2}".format(*name.split(".")) in columns
    ]
    if not shown:
        return "Nothing of it was measured."
    counts = sorted({len(entry["seeds"]) for entry in shown})
    seeds = (
        f"{counts[0]} seed{'s' if counts[0] > 1 else ''}"
        if len(counts) == 1
        else f"{counts[0]} to {counts[-1]} seeds"
    )
    used = {entry["provenance"] for entry in shown}
    data = ", ".join(provenance_texts(used).values())
    return f"Mean over {seeds}, ± half the 95 % t-interval where it shows. Data: {data}."


def markdown(table):
    """Return a table as GitHub-flavoured Markdown."""
    rows = [
        list(table.columns),
        ["---"] + ["---:"] * (len(table.columns) - 1),
        *table.to_numpy().tolist(),
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def latex(table, caption=None):
    """Return a table as LaTeX for the package booktabs, a floating ``table`` where there is a caption."""
    style = (
        table.style.hide(axis="index")
        .format(escape="latex")
        .format_index(escape="latex", axis="columns")
    )
    layout = {
        "hrules": True,
        "column_format": "l" + "r" * (len(table.columns) - 1),
        "position_float": "centering" if caption else None,
    }
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
        row = {
            "dataset": dataset,
            "model": model,
            "metric": metric,
            "unit": entry["unit"],
            "value": entry["value"],
        }
        rows.append(
            row
            | {
                "low": low,
                "high": high,
                "seeds": len(entry["seeds"]),
                "provenance": entry["provenance"],
            }
        )
    return pd.DataFrame(rows)


def write_tables(metrics, folder):
    """Write every metric as results_table.csv, and the tables of the paper's study and of the family as Markdown and LaTeX.

    Parameters
    ----------
    metrics : dict of str to dict
        The ``metrics`` of metrics.json.
    folder : path-like

    Returns
    -------
    list of Path
    """
    texts = {"results_table.csv": every_metric(metrics).to_csv(index=False, lineterminator="\n")}
    for name, table, said in (
        ("results_table", results_table(metrics), caption(metrics)),
        ("family_table", family_table(metrics), family_caption(metrics)),
    ):
        texts |= {f"{name}.md": f"{markdown(table)}\n\n{said}\n", f"{name}.tex": latex(table, said)}
    for name, text in texts.items():
        write_text(Path(folder) / name, text)
    return [Path(folder) / name for name in texts]
