"""Table 1: the paper's words on dictionary learning and the VAE beside what was measured here, as picture, CSV and Markdown.

The numbers are of one seed, but for those that compare a run with others: they are of every seed in metrics.json.
"""

from __future__ import annotations

import sys
import textwrap
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from figures.shared import common, style
from replicate.files import write_text
from replicate.numbers.metrics import read_metrics
from replicate.numbers.tables import markdown
from replicate.provenance import stamp_text
from replicate.running.runs import Run
from replicate.study import jobs as study
from replicate.study import sweeps
from replicate.study.family import LABELS

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
        ("toy MSE, steps shuffled", "z-score²", "toy_shuffled", "gamut_mse"),
        ("toy, change of the MSE by shuffling", "%", "toy", "shuffle_change"),
        ("BEPS, the same on held-out blocks", "%", "beps_heldout", "shuffle_change"),
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
    "Influence of hyperparameters": (
        ("toy MSE over λ, held-out", "z-score²", "toy", "search"),
        ("BEPS, range of the held-out MSE", "%", "beps_heldout", "sensitivity"),
    ),
    "Size (not in the paper)": (
        ("BEPS, fitted parameters", "", "beps", "n_parameters"),
        ("BEPS, components or active channels", "", "beps", "active_channels"),
        ("the same of the held-out fit", "", "beps_heldout", "active_channels"),
        ("toy, components or active channels", "", "toy", "active_channels"),
    ),
}
COMPARED = ("shuffle_change", "sensitivity")
"""Of a run against others: in metrics.json, of every seed, and as shares."""

EXPLAINED = (
    "Ordinal: every model is fitted anew to spectra whose steps are all shuffled alike, and one that is blind to order does not notice.",
    "Nonlinear: how far the latents of the middle of two spectra are from the middle of their latents, over half the distance of these "
    "(encoder), and the same from latents to spectra (decoder). 0 is linear.",
    "Influence of hyperparameters: greatest less least held-out MSE over that of the study, as one at a time changes: {}.",
)
SETTINGS = {
    "alpha": "λ",
    "learning_rate": "learning rate",
    "input_noise": "input noise",
    "kl_share": "KL share",
}
COLUMNS = (0, 0.142, 0.372, 0.44, 0.51)
"""Where the first columns of the picture begin, as fractions of its width, and the first model; the models share what is left."""


def table(results, profile, seed=0):
    """Return the table, one row a measurement, its numbers unrounded but for those in per cent."""
    loaded, provenances = {}, {}
    for dataset in study.PAPER_STUDY:
        models = [
            model for model in LABELS if is_shown(results, study.Job(profile, dataset, model, seed))
        ]
        loaded[dataset], provenances[dataset] = common.load(results, profile, dataset, seed, models)
    path = Path(results) / profile / "metrics.json"
    metrics = read_metrics(path)["metrics"] if path.exists() else {}
    rows = []
    for name, measurements in MEASURED.items():
        for measurement, unit, dataset, metric in measurements:
            cells = {
                LABELS[model]: cell(
                    model,
                    dataset,
                    loaded[dataset].get(model),
                    metric,
                    metrics.get(f"{dataset}.{model}.{metric}"),
                )
                for model in loaded["beps"]
            }
            provenance = provenances[dataset]["picture" if metric == "painting_mse" else "spectra"]
            words = dict(zip(PAPER, WORDS[name]))
            rows.append(
                {
                    "Property": name,
                    "Measured here": measurement,
                    "Unit": unit,
                    **words,
                    **cells,
                    "Provenance": provenance,
                }
            )
    return pd.DataFrame(rows, dtype=object)


def is_shown(results, job):
    """Tell whether a run is in the table: all of the paper's study, and the dense beta-VAE where there is one."""
    return job in study.jobs(job.profile, seeds=[job.seed]) or (
        job.model == "dense_vae" and Run.of(results, job).status == "complete"
    )


def cell(model, dataset, run, metric, entry):
    """Return one number of a run or of all seeds, the spread of the search over the penalty, or words where there is neither."""
    if metric == "search":
        return spread(run.arrays) if run and "search_mse" in run.arrays else NOT_MEASURED
    if model not in study.FAMILY_STUDY[dataset]:
        return f"as {LABELS['lstm_vae']}"
    if metric in COMPARED:
        return percent(entry) if entry else NOT_MEASURED
    if run is None:
        return NOT_MEASURED
    metrics = run.record["metrics"]
    if metric == "active_channels" and metric not in metrics:
        return common.configuration(run)["parameters"]["n_components"]
    return metrics.get(metric, NOT_MEASURED)


def percent(entry):
    """Return a share in per cent as text, of several seeds with half its 95 % interval."""
    # Adding zero takes the sign off a rounded -0.0.
    text = f"{round(100 * entry['value'], 1) + 0:.1f}"
    return text if entry["interval"] is None else f"{text} ± {50 * np.ptp(entry['interval']):.1f}"


def explained(frame):
    """Return in words what the measures are, and over which ranges hyperparameters were changed for the models in the table."""
    models = {model: name for model, name in LABELS.items() if name in frame}
    ranges = {name: ", ".join(changed(model)) for model, name in models.items()}
    found = "; ".join(f"{name} {text}" for name, text in ranges.items() if text)
    return [text.format(found) for text in EXPLAINED]


def changed(model):
    """Return every hyperparameter of a model that the sweep of sensitivity changes, and its range."""
    tried = [
        sweep for sweep in sweeps.SWEEPS if sweep.name == "sensitivity" and model in sweep.models
    ]
    return [
        f"{SETTINGS.get(sweep.setting, sweep.setting)} {min(sweep.values):g}–{max(sweep.values):g}"
        for sweep in tried
    ]


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
    """Draw the table, ruled like a printed one, and under it what its measures are."""
    frame = table(results, profile, seed)
    text = printed(frame)
    notes = [line for note in explained(frame) for line in textwrap.wrap(note, 172)]
    fig = style.figure(height=0.8 + 0.2 * len(text) + 0.1 * (len(notes) + 1))
    ax = fig.subplots()
    ax.axis("off")
    ax.set(xlim=(0, 1), ylim=(len(text) + 0.5 * (len(notes) + 1), -1.6))
    places = (
        *COLUMNS[:-1],
        *np.linspace(COLUMNS[-1], 1, len(text.columns) - len(COLUMNS) + 2)[:-1],
    )
    # Every text has its place; the layout is not to move it.
    write = partial(ax.text, in_layout=False)
    for x, name in zip(places, text):
        heading = textwrap.fill(name.replace(": ", ":\n"), 13, replace_whitespace=False)
        write(x, -0.3, heading, fontsize=6, fontweight="bold", va="bottom")
    for i, row in enumerate(text.to_numpy()):
        if row[0] and i:
            ax.axhline(i, color="0.8", linewidth=0.4)
        cells = (
            textwrap.fill(row[0], 23),
            row[1],
            *(textwrap.fill(word, 9) for word in row[2:4]),
            *row[4:],
        )
        for x, value in zip(places, cells):
            write(
                x,
                i + 0.5,
                value.replace(" (λ", "\n(λ"),
                fontsize=6,
                va="center",
                color="0.6" if value == NOT_MEASURED else "black",
            )
    for y in (-1.6, 0, len(text)):
        ax.axhline(y, color="black", linewidth=0.8, clip_on=False)
    for i, line in enumerate(notes):
        write(0, len(text) + 0.5 * (i + 1), line, fontsize=5.5, va="center", color="0.2")
    style.note(
        fig,
        "The paper's words are its Table 1; every number is measured here, on one thread. ±: half the 95 % interval over all seeds.",
    )
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
    write_text(
        path,
        f"{markdown(printed(frame))}\n\n{' '.join(explained(frame))}\n\n{stamp_text(provenances(frame), profile, seed)}\n",
    )
    return path


def main(argv=None):
    """Run the command line."""
    return common.script(draw, "table1", __doc__, argv, also=(write_csv, write_markdown))


if __name__ == "__main__":
    sys.exit(main())
