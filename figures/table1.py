"""Table 1: the paper's words on dictionary learning and the VAE beside what was measured here, as picture, CSV and Markdown."""

from __future__ import annotations

import sys
import textwrap

import common
import pandas as pd

from replicate import study, style
from replicate.files import write_text
from replicate.tables import markdown

PAPER = ("Paper: DL", "Paper: VAE")
WORDS = {
    "Reconstruction quality": ("Poor", "Good"),
    "Ordinal": ("No", "Yes"),
    "Nonlinear": ("No", "Yes"),
    "Training time": ("Minutes", "Hours"),
    "Inference time": ("Minutes", "Minutes"),
    "Influence of hyperparameters": ("Sensitive", "Less sensitive"),
    "Size (not in the paper)": ("", ""),
}
NOT_MEASURED = "not measured"
# Under each row of the paper: what was measured, its unit, the data set and the metric.
MEASURED = {
    "Reconstruction quality": (
        ("BEPS MSE, training pixels", "z-score²", "beps", "mse"),
        ("BEPS MSE, held-out blocks", "z-score²", "beps_heldout", "heldout_mse"),
        ("toy MSE, held-out colours", "z-score²", "toy", "gamut_mse"),
        ("toy MSE, held-out picture", "z-score²", "toy", "painting_mse"),
    ),
    "Ordinal": (
        ("toy MSE, steps in order", "z-score²", "toy", "gamut_mse"),
        ("toy MSE, steps shuffled", "z-score²", "toy_shuffled", "gamut_mse"),
    ),
    "Nonlinear": (
        ("BEPS, departure of the encoder", "", "beps", "encoder_nonlinearity"),
        ("BEPS, departure of the decoder", "", "beps", "decoder_nonlinearity"),
    ),
    "Training time": (
        ("BEPS, fit to training pixels", "s", "beps", "fit_seconds"),
        ("toy, fit to training colours", "s", "toy", "fit_seconds"),
    ),
    "Inference time": (("BEPS, encoding the training pixels", "s", "beps", "transform_seconds"),),
    "Influence of hyperparameters": (("toy MSE over λ, held-out", "z-score²", "toy", "search"),),
    "Size (not in the paper)": (
        ("BEPS, fitted parameters", "", "beps", "n_parameters"),
        ("BEPS, components or active channels", "", "beps", "active_channels"),
        ("the same of the held-out fit", "", "beps_heldout", "active_channels"),
        ("toy, components or active channels", "", "toy", "active_channels"),
    ),
}
COLUMNS = (0, 0.155, 0.41, 0.485, 0.585, 0.68, 0.79, 0.89)
"""Where each column of the picture begins, as fractions of its width."""


def table(results, profile, seed=0):
    """Return the table, one row a measurement, its numbers unrounded."""
    listed = study.jobs(profile, seeds=[seed])
    loaded, provenances = {}, {}
    for dataset in study.PAPER_STUDY:
        models = [model for model in style.LABELS if study.Job(profile, dataset, model, seed) in listed]
        loaded[dataset], provenances[dataset] = common.load(results, profile, dataset, seed, models)
    rows = []
    for name, measurements in MEASURED.items():
        for measurement, unit, dataset, metric in measurements:
            runs = loaded.get(dataset, {})
            cells = {style.LABELS[model]: cell(runs.get(model), metric) for model in loaded["beps"]}
            provenance = provenances.get(dataset, {}).get("picture" if metric == "painting_mse" else "spectra", "")
            words = dict(zip(PAPER, WORDS[name]))
            rows.append({"Property": name, "Measured here": measurement, "Unit": unit, **words, **cells, "Provenance": provenance})
    return pd.DataFrame(rows, dtype=object)


def cell(run, metric):
    """Return one number of a run, the spread of its search over the penalty, or words where there is neither."""
    if not metric:
        return NOT_MEASURED
    if metric == "search":
        return spread(run.arrays) if run and "search_mse" in run.arrays else NOT_MEASURED
    if run is None:
        return "as LSTM β-VAE"
    metrics = run.record["metrics"]
    if metric.endswith("active_channels") and metric not in metrics:
        return common.configuration(run)["parameters"]["n_components"]
    return metrics[metric]


def spread(arrays):
    """Return the range of the errors over the penalties of the search, as text."""
    errors, penalties = arrays["search_mse"], arrays["search_lambda"]
    return f"{errors.min():.3g}–{errors.max():.3g} (λ {penalties.min():g}–{penalties.max():g})"


def printed(frame):
    """Return the table as text for a reader: numbers rounded, units beside their quantity, nothing said twice."""
    text = frame.drop(columns=["Unit", "Provenance"]).apply(lambda column: column.map(rounded))
    text["Measured here"] += frame["Unit"].map(lambda unit: f" ({unit})" if unit else "")
    text.loc[text["Property"].duplicated(), ["Property", *PAPER]] = ""
    return text


def provenances(frame):
    """Return every provenance in the table, once."""
    return [name for name in frame["Provenance"].unique() if name]


def rounded(value):
    """Return a cell as text."""
    if isinstance(value, float):
        return f"{value:#.3g}" if value < 100 else f"{value:.0f}"
    return f"{value:,}" if isinstance(value, int) else value


def draw(results, profile, seed=0):
    """Draw the table, ruled like a printed one."""
    frame = table(results, profile, seed)
    text = printed(frame)
    fig = style.figure(height=0.8 + 0.2 * len(text))
    ax = fig.subplots()
    ax.axis("off")
    ax.set(xlim=(0, 1), ylim=(len(text), -1.6))
    for x, name in zip(COLUMNS, text):
        ax.text(x, -0.3, textwrap.fill(name.replace(": ", ":\n"), 13, replace_whitespace=False), fontweight="bold", va="bottom")
    for i, row in enumerate(text.to_numpy()):
        if row[0] and i:
            ax.axhline(i, color="0.8", linewidth=0.4)
        for x, value in zip(COLUMNS, (textwrap.fill(row[0], 25), *row[1:])):
            ax.text(x, i + 0.5, value.replace(" (λ", "\n(λ"), va="center", color="0.6" if value == NOT_MEASURED else "black")
    for y in (-1.6, 0, len(text)):
        ax.axhline(y, color="black", linewidth=0.8, clip_on=False)
    style.note(fig, "The paper's words are its Table 1; every number is measured here, on one thread.")
    style.stamp(fig, provenances(frame), profile, seed)
    return fig


def write_csv(results, profile, seed=0):
    """Write the table with unrounded numbers, and return the path."""
    path = common.folder(results, profile) / "table1.csv"
    write_text(path, table(results, profile, seed).to_csv(index=False, lineterminator="\n"))
    return path


def write_markdown(results, profile, seed=0):
    """Write the table for reading, and return the path."""
    frame = table(results, profile, seed)
    path = common.folder(results, profile) / "table1.md"
    write_text(path, f"{markdown(printed(frame))}\n\n{style.stamp_text(provenances(frame), profile, seed)}\n")
    return path


def main(argv=None):
    """Run the command line."""
    return common.script(draw, "table1", __doc__, argv, also=(write_csv, write_markdown))


if __name__ == "__main__":
    sys.exit(main())
