"""Table 1: the paper's words on dictionary learning and the VAE beside what was measured here.

It is drawn as a picture and written as CSV and Markdown. The numbers are of one seed, but for those
that compare a run with others: they are of every seed in metrics.json.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from figures.shared import common, style
from replicate.files import write_text
from replicate.numbers.metrics import read_metrics
from replicate.numbers.tables import markdown
from replicate.provenance import stamp_text
from replicate.running.runs import Run
from replicate.study import sweeps
from replicate.study.family import LABELS
from replicate.study.job import Job
from replicate.study.studies import FAMILY, PAPER

#: The columns of the paper's words, on dictionary learning and on the VAE.
PAPER_COLUMNS = ("Paper: DL", "Paper: VAE")

#: The rows of the paper's table, and its words in `PAPER_COLUMNS`.
PAPER_WORDS = {
    "Reconstruction quality": ("Poor", "Good"),
    "Ordinal": ("No", "Yes"),
    "Nonlinear": ("No", "Yes"),
    "Training time": ("Minutes", "Hours"),
    "Inference time": ("Minutes", "Minutes"),
    "Influence of hyperparameters": ("Sensitive", "Less sensitive"),
    "Size (not in the paper)": ("", ""),
}

#: What a cell says where there is no number.
NOT_MEASURED = "not measured"


class Measurement(NamedTuple):
    """One row of numbers: what the table calls it, its unit, its data set and its metric."""

    label: str
    unit: str
    dataset: str
    metric: str


#: What was measured here, for each row of the paper's table.
MEASUREMENTS = {
    "Reconstruction quality": (
        Measurement("BEPS MSE, training pixels", "z-score²", "beps", "mse"),
        Measurement("BEPS MSE, held-out blocks", "z-score²", "beps_heldout", "heldout_mse"),
        Measurement("toy MSE, held-out colours", "z-score²", "toy", "gamut_mse"),
        Measurement("toy MSE, held-out picture", "z-score²", "toy", "painting_mse"),
    ),
    "Ordinal": (
        Measurement("toy MSE, steps shuffled", "z-score²", "toy_shuffled", "gamut_mse"),
        Measurement("toy, change of the MSE by shuffling", "%", "toy", "shuffle_change"),
        Measurement("BEPS, the same on held-out blocks", "%", "beps_heldout", "shuffle_change"),
    ),
    "Nonlinear": (
        Measurement("BEPS, departure of the encoder", "", "beps", "encoder_nonlinearity"),
        Measurement("BEPS, departure of the decoder", "", "beps", "decoder_nonlinearity"),
    ),
    "Training time": (
        Measurement("BEPS, fit to training pixels", "s", "beps", "fit_seconds"),
        Measurement("toy, fit to training colours", "s", "toy", "fit_seconds"),
    ),
    "Inference time": (
        Measurement("BEPS, encoding the training pixels", "s", "beps", "transform_seconds"),
    ),
    "Influence of hyperparameters": (
        Measurement("toy MSE over λ, held-out", "z-score²", "toy", "search"),
        Measurement("BEPS, range of the held-out MSE", "%", "beps_heldout", "sensitivity"),
    ),
    "Size (not in the paper)": (
        Measurement("BEPS, fitted parameters", "", "beps", "n_parameters"),
        Measurement("BEPS, components or active channels", "", "beps", "active_channels"),
        Measurement("the same of the held-out fit", "", "beps_heldout", "active_channels"),
        Measurement("toy, components or active channels", "", "toy", "active_channels"),
    ),
}

#: The metrics that compare a run with others; metrics.json has them, of every seed, as shares.
COMPARING_METRICS = ("shuffle_change", "sensitivity")

#: What the measures are; the last line is completed with the ranges of the hyperparameters.
EXPLANATIONS = (
    "Ordinal: every model is fitted anew to spectra whose steps are all shuffled alike, and one "
    "that is blind to order does not notice.",
    "Nonlinear: how far the latents of the middle of two spectra are from the middle of their "
    "latents, over half the distance of these (encoder), and the same from latents to spectra "
    "(decoder). 0 is linear.",
    "Influence of hyperparameters: greatest less least held-out MSE over that of the study, as one "
    "at a time changes: {}.",
)

#: What the table calls a hyperparameter that a sweep changes.
SETTING_NAMES = {
    "alpha": "λ",
    "learning_rate": "learning rate",
    "input_noise": "input noise",
    "kl_share": "KL share",
}

#: Where property, measurement and the paper's words begin, as fractions of the picture's width.
COLUMN_STARTS = (0, 0.142, 0.372, 0.44)

#: Where the columns of the models begin; they share what is left of the width.
MODELS_START = 0.51


def table(results: Path, profile: str, seed: int = 0) -> pd.DataFrame:
    """Return the table, one row a measurement, its numbers unrounded but for those in per cent."""
    loaded = {}
    provenances = {}
    for dataset in PAPER.models:
        models = [
            model for model in LABELS if is_in_table(results, Job(profile, dataset, model, seed))
        ]
        loaded[dataset], provenances[dataset] = common.load(results, profile, dataset, seed, models)
    path = results / profile / "metrics.json"
    metrics = read_metrics(path)["metrics"] if path.exists() else {}
    rows = []
    for name, measurements in MEASUREMENTS.items():
        for label, unit, dataset, metric in measurements:
            row = {"Property": name, "Measured here": label, "Unit": unit}
            row |= dict(zip(PAPER_COLUMNS, PAPER_WORDS[name]))
            for model in loaded["beps"]:
                run = loaded[dataset].get(model)
                entry = metrics.get(f"{dataset}.{model}.{metric}")
                row[LABELS[model]] = cell(model, dataset, run, metric, entry)
            role = "picture" if metric == "painting_mse" else "spectra"
            row["Provenance"] = provenances[dataset][role]
            rows.append(row)
    return pd.DataFrame(rows, dtype=object)


def is_in_table(results: Path, job: Job) -> bool:
    """Return whether a run is in the table.

    All runs of the paper's study are, and those of the dense beta-VAE that are complete.
    """
    if job in PAPER.jobs(job.profile, seeds=[job.seed]):
        return True
    return job.model == "dense_vae" and Run.of(results, job).status == "complete"


def cell(
    model: str, dataset: str, run: Run | None, metric: str, entry: dict | None
) -> float | int | str:
    """Return one number, or words where there is none.

    Parameters
    ----------
    model, dataset : str
    run : Run or None
        The run of this model on this data set, where it is complete.
    metric : str
        A metric, or ``search`` for the range of the errors over the search for the penalty.
    entry : dict or None
        The entry of metrics.json for this metric, which is of every seed.
    """
    if metric == "search":
        has_search = run is not None and "search_mse" in run.arrays
        return search_range(run.arrays) if has_search else NOT_MEASURED
    if model not in FAMILY.models[dataset]:
        return f"as {LABELS['lstm_vae']}"
    if metric in COMPARING_METRICS:
        return percent(entry) if entry else NOT_MEASURED
    if run is None:
        return NOT_MEASURED
    metrics = run.record["metrics"]
    if metric == "active_channels" and metric not in metrics:
        return common.configuration(run)["parameters"]["n_components"]
    return metrics.get(metric, NOT_MEASURED)


def percent(entry: dict) -> str:
    """Return a share in per cent as text, and for several seeds half of its 95 % interval."""
    # Adding zero takes the sign off a rounded -0.0.
    text = f"{round(100 * entry['value'], 1) + 0:.1f}"
    if entry["interval"] is None:
        return text
    return f"{text} ± {50 * np.ptp(entry['interval']):.1f}"


def explained(frame: pd.DataFrame) -> list[str]:
    """Return what the measures are, and the ranges over which hyperparameters were changed."""
    ranges = []
    for model, label in LABELS.items():
        changes = setting_ranges(model)
        if label in frame and changes:
            ranges.append(f"{label} {', '.join(changes)}")
    return [text.format("; ".join(ranges)) for text in EXPLANATIONS]


def setting_ranges(model: str) -> list[str]:
    """Return the hyperparameters of a model that a sweep changes, each with its range."""
    return [
        f"{SETTING_NAMES.get(sweep.setting, sweep.setting)} "
        f"{min(sweep.values):g}–{max(sweep.values):g}"
        for sweep in sweeps.SWEEPS
        if sweep.name == "sensitivity" and model in sweep.models
    ]


def search_range(arrays: dict[str, np.ndarray]) -> str:
    """Return the ranges of errors and of penalties of the search for the penalty, as text."""
    errors = arrays["search_mse"]
    penalties = arrays["search_lambda"]
    return f"{errors.min():.3g}–{errors.max():.3g} (λ {penalties.min():g}–{penalties.max():g})"


def printed(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table as text for a reader.

    Numbers are rounded, units stand beside their quantity, and nothing is said twice.
    """
    text = frame.drop(columns=["Unit", "Provenance"]).apply(lambda column: column.map(cell_text))
    text["Measured here"] += frame["Unit"].map(lambda unit: f" ({unit})" if unit else "")
    text.loc[text["Property"].duplicated(), ["Property", *PAPER_COLUMNS]] = ""
    return text


def cell_text(value: float | int | str) -> str:
    """Return a cell as text."""
    if isinstance(value, float):
        return f"{value:#.3g}" if value < 100 else f"{value:.0f}"
    if isinstance(value, int):
        return f"{value:,}"
    return value


def provenances(frame: pd.DataFrame) -> list[str]:
    """Return every provenance in the table, once."""
    return [name for name in frame["Provenance"].unique() if name]


def draw(results: Path, profile: str, seed: int = 0) -> Figure:
    """Draw the table, ruled like a printed one, and under it what its measures are."""
    frame = table(results, profile, seed)
    text = printed(frame)
    notes = [line for note in explained(frame) for line in textwrap.wrap(note, 172)]
    fig = style.figure(height=0.8 + 0.2 * len(text) + 0.1 * (len(notes) + 1))
    ax = fig.subplots()
    ax.axis("off")
    ax.set(xlim=(0, 1), ylim=(len(text) + 0.5 * (len(notes) + 1), -1.6))
    n_models = len(text.columns) - len(COLUMN_STARTS)
    starts = (*COLUMN_STARTS, *np.linspace(MODELS_START, 1, n_models + 1)[:-1])
    # Every text has its place; the layout is not to move it.
    write = partial(ax.text, in_layout=False)
    for x, name in zip(starts, text):
        heading = textwrap.fill(name.replace(": ", ":\n"), 13, replace_whitespace=False)
        write(x, -0.3, heading, fontsize=6, fontweight="bold", va="bottom")
    for i, row in enumerate(text.to_numpy()):
        is_new_property = row[0] != ""
        if is_new_property and i > 0:
            ax.axhline(i, color="0.8", linewidth=0.4)
        for x, value in zip(starts, broken(row)):
            colour = "0.6" if value == NOT_MEASURED else "black"
            write(x, i + 0.5, value, fontsize=6, va="center", color=colour)
    for y in (-1.6, 0, len(text)):
        ax.axhline(y, color="black", linewidth=0.8, clip_on=False)
    for i, line in enumerate(notes):
        write(0, len(text) + 0.5 * (i + 1), line, fontsize=5.5, va="center", color="0.2")
    style.note(
        fig,
        "The paper's words are its Table 1; every number is measured here, on one thread. "
        "±: half the 95 % interval over all seeds.",
    )
    style.stamp(fig, provenances(frame), profile, seed)
    return fig


def broken(row: Sequence[str]) -> list[str]:
    """Return the texts of a row of the picture, with line breaks where a column is narrow."""
    name, label, *cells = row
    n_words = len(PAPER_COLUMNS)
    words = [textwrap.fill(word, 9) for word in cells[:n_words]]
    numbers = [number.replace(" (λ", "\n(λ") for number in cells[n_words:]]
    return [textwrap.fill(name, 23), label, *words, *numbers]


def write_csv(results: Path, profile: str, seed: int = 0) -> Path:
    """Write the table with unrounded numbers, and return the path."""
    path = common.folder(results, profile) / "table1.csv"
    write_text(path, table(results, profile, seed).to_csv(index=False, lineterminator="\n"))
    return path


def write_markdown(results: Path, profile: str, seed: int = 0) -> Path:
    """Write the table for reading, with explanations and a stamp, and return the path."""
    frame = table(results, profile, seed)
    path = common.folder(results, profile) / "table1.md"
    stamp = stamp_text(provenances(frame), profile, seed)
    write_text(path, f"{markdown(printed(frame))}\n\n{' '.join(explained(frame))}\n\n{stamp}\n")
    return path


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    return common.script(draw, "table1", __doc__, argv, also=(write_csv, write_markdown))


if __name__ == "__main__":
    sys.exit(main())
