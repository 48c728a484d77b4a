"""The ablation: errors of the whole family, and how each ingredient changes them.

It is drawn as a picture and written as CSV and Markdown. All errors are on held-out data: fresh
colours of the toy problem, and spatial blocks of the scan left out.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from figures.shared import benchmark, common, style
from replicate.files import write_text
from replicate.numbers.ablation import CODES, LATENTS_APART, contrasts
from replicate.numbers.comparisons import ORDERED
from replicate.numbers.tables import markdown
from replicate.provenance import stamp_text
from replicate.study.family import LABELS, MODELS

#: The data sets that errors are drawn of, and what the figure calls their held-out data.
HELDOUT_DATA = {"toy": "toy, fresh colours", "beps_heldout": "BEPS, held-out blocks"}

#: Each verdict on an ingredient has a colour.
VERDICT_COLOURS = {
    "helps": "#0072B2",
    "hurts": "#D55E00",
    "no difference shown": "0.55",
    "unequal latents": "#E69F00",
    "one seed": "0.8",
}

#: How far the marker of each code is from the middle of its row, in rows.
OFFSETS = {"amortised": -0.17, "refined": 0.17, "both": 0.0}

#: The ticks of an axis of ratios of errors, by the greatest number of decades that it may span.
RATIO_TICKS = {
    0.8: (0.5, 0.75, 1, 1.5, 2),
    1.6: (0.1, 0.2, 0.5, 1, 2, 5, 10),
    np.inf: (0.001, 0.01, 0.1, 1, 10, 100, 1000),
}

#: Names of models for a contrast, which names two models in one line; other names are short.
CONTRAST_NAMES = {
    "dictionary_learning": "DL",
    "linear_ae": "Linear AE",
    "dense_ae": "Dense AE",
    "conv_vae": "Conv. β-VAE",
    "lstm_ae": "LSTM AE",
    "lstm_vae_plain": "paper's form",
}

NOTE = (
    "Points: seeds; lines: 95 % intervals. Filled: the encoder's latents; open: best code of the "
    "decoder; refinement: one to the other."
)

#: The text under the table in ablation.md, with its line breaks.
EXPLANATION = (
    "Change of the geometric mean of the error from the fit without an ingredient to that with "
    "it, paired by seed: the same\n"
    'colours, the same fold of the scan. "Helps" and "hurts": the whole 95 % t-interval over '
    "the seeds is on one side of 0; of {n} contrasts\n"
    "about {chance} would be by chance alone. On the scan a seed is a fold, and folds share "
    "most of the pixels fitted to: these intervals are\n"
    "somewhat too narrow. Amortised: the encoder's latents are decoded. Refined: the best code, "
    'latents that suit the decoder best. "Unequal\n'
    'latents": their mean numbers are more than {apart} apart, so that more than the ingredient '
    "changes, and no verdict is given on it."
)


class Mark(NamedTuple):
    """A mean, and the two ends of its interval."""

    mean: float
    low: float
    high: float


def draw(results: Path, profile: str, _seed: int = 0) -> Figure:
    """Draw the errors of every model, and under them how each ingredient changes the error."""
    numbers = benchmark.load(results, profile)
    of_study = numbers[numbers["setting"] == ""]
    errors = benchmark.require(
        of_study[of_study["dataset"].isin(ORDERED) & of_study["kind"].isin(error_kinds())],
        results,
        profile,
        "errors on held-out data are",
    )
    table = contrasts(numbers)
    models = [model for model in MODELS if model in set(errors["model"])]
    contrast_labels = unique_labels(table)
    model_ticks = [LABELS[model] for model in models]
    contrast_ticks = [textwrap.fill(label, 52) for label in contrast_labels]
    n_lines = sum(len(label.splitlines()) for label in contrast_ticks)
    fig = style.figure(height=1.9 + 0.165 * (len(models) + n_lines))
    upper, lower = fig.subfigures(2, 1, height_ratios=[len(models) + 3, n_lines + 4])
    error_axes = upper.subplots(1, len(ORDERED), sharey=True)
    contrast_axes = lower.subplots(1, len(ORDERED), sharey=True)
    for error_ax, contrast_ax, dataset in zip(error_axes, contrast_axes, ORDERED):
        draw_errors(error_ax, of_study[of_study["dataset"] == dataset], models, dataset)
        draw_contrasts(contrast_ax, table[table["dataset"] == dataset], contrast_labels)
        error_ax.set_title(HELDOUT_DATA[dataset])
        contrast_ax.set_title(HELDOUT_DATA[dataset])
    label_rows(error_axes[0], model_ticks)
    style.letter(error_axes[0], "a")
    label_rows(contrast_axes[0], contrast_ticks)
    style.letter(contrast_axes[0], "b")
    add_legend(lower, table["verdict"].unique())
    benchmark.finish(fig, errors, profile, NOTE)
    return fig


def error_kinds() -> list[str]:
    """Return the kinds of held-out errors, of the encoder's latents and of the best code."""
    return [f"{error}{suffix}" for _, error in ORDERED.values() for suffix in CODES.values()]


def unique_labels(table: pd.DataFrame) -> list[str]:
    """Return the label of every contrast once.

    The scan comes first, for it has contrasts that the toy problem lacks.
    """
    by_dataset = table.sort_values("dataset", kind="stable")
    return list(dict.fromkeys(contrast_label(contrast) for contrast in by_dataset.itertuples()))


def label_rows(ax: Axes, labels: Sequence[str]) -> None:
    """Write the label of each row, the first one on top."""
    ax.set(yticks=range(len(labels)), yticklabels=labels, ylim=(len(labels) - 0.4, -0.6))


def add_legend(block: SubFigure, verdicts: Iterable[str]) -> None:
    """Add a legend of verdicts."""
    dots = [
        Line2D(
            [],
            [],
            marker="o",
            markersize=3.2,
            linestyle="",
            color=VERDICT_COLOURS[verdict],
            label=verdict,
        )
        for verdict in verdicts
    ]
    block.legend(
        handles=dots,
        loc="outside lower center",
        ncols=len(VERDICT_COLOURS),
        handletextpad=0,
    )


def draw_errors(ax: Axes, numbers: pd.DataFrame, models: Sequence[str], dataset: str) -> None:
    """Draw the errors of the models on one data set, a row each.

    Beside each row stands how many active channels the model has and how long it takes to fit.

    Parameters
    ----------
    ax : Axes
    numbers : DataFrame
        The numbers of the study on this data set.
    models : sequence of str
    dataset : str
        One of `HELDOUT_DATA`.
    """
    _, error = ORDERED[dataset]
    values = {pair: rows.to_numpy() for pair, rows in numbers.groupby(["model", "kind"])["number"]}
    for row, model in enumerate(models):
        colour = benchmark.FAMILY_COLOURS[model]
        for code, suffix in CODES.items():
            errors = values.get((model, error + suffix), ())
            y = row + OFFSETS[code]
            ax.plot(errors, [y] * len(errors), ".", color=colour, markersize=2, alpha=0.5)
            if len(errors):
                draw_mark(ax, row, Mark(*benchmark.mean_and_interval(errors)), colour, code)
        remarks = []
        if (model, "active_channels") in values:
            remarks.append(f"{values[model, 'active_channels'].mean():.3g} active")
        if (model, "fit_seconds") in values:
            remarks.append(f"{seconds_text(values[model, 'fit_seconds'].mean())} s")
        write_beside(ax, row, ", ".join(remarks))
    if ("pca", error) in values:
        ax.axvline(
            values["pca", error].mean(),
            color=benchmark.FAMILY_COLOURS["pca"],
            linewidth=0.6,
            linestyle="--",
            zorder=0,
        )
    ax.set(xscale="log", xlabel="MSE, held-out (z-score²)")
    benchmark.label_decades(ax.xaxis)


def draw_contrasts(ax: Axes, table: pd.DataFrame, labels: Sequence[str]) -> None:
    """Draw by how much each ingredient changes the error, as a ratio of errors.

    Parameters
    ----------
    ax : Axes
    table : DataFrame
        The contrasts of one data set, as `replicate.numbers.ablation.contrasts` returns them.
    labels : sequence of str
        The contrast that each row is for.
    """
    ax.axvline(1, color="black", linewidth=0.6)
    for contrast in table.itertuples():
        row = labels.index(contrast_label(contrast))
        percent = np.array([contrast.change, contrast.low, contrast.high])
        # The bounds of a single seed are not known.
        percent = np.nan_to_num(percent, nan=contrast.change)
        colour = VERDICT_COLOURS[contrast.verdict]
        draw_mark(ax, row, Mark(*(1 + percent / 100)), colour, contrast.code)
        if contrast.code != "refined":
            write_beside(ax, row, remark(contrast))
    ax.set(xscale="log", xlabel="change of the held-out MSE (%)")
    low, high = ax.get_xlim()
    ticks = ratio_ticks(np.log10(high / low))
    ax.set_xticks([tick for tick in ticks if low <= tick <= high], minor=False)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(percent_text)


def ratio_ticks(n_decades: float) -> tuple[float, ...]:
    """Return the ticks of an axis of ratios that spans so many decades."""
    return next(ticks for most, ticks in RATIO_TICKS.items() if n_decades <= most)


def percent_text(ratio: float, _position: int) -> str:
    """Return a ratio of errors as a change in per cent, for the ticks of an axis."""
    if ratio == 1:
        return "0"
    return f"{100 * (ratio - 1):+g}".replace("-", "−")


def draw_mark(ax: Axes, row: int, mark: Mark, colour: str, code: str) -> None:
    """Draw a mean and its interval in a row; the marker of refined latents is open."""
    y = row + OFFSETS[code]
    ax.plot([mark.low, mark.high], [y, y], color=colour, linewidth=0.8)
    ax.plot(
        mark.mean,
        y,
        "o",
        color=colour,
        markerfacecolor="white" if code == "refined" else colour,
        markersize=3.2,
        markeredgewidth=0.8,
    )


def write_beside(ax: Axes, row: int, text: str) -> None:
    """Write a text to the right of a row."""
    ax.annotate(
        text,
        (1, row),
        xytext=(2, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        va="center",
        fontsize=5.5,
        linespacing=0.95,
    )


def contrast_label(contrast) -> str:
    """Return the name of an ingredient, and the two fits whose difference it is.

    Parameters
    ----------
    contrast : row of a DataFrame
        As `replicate.numbers.ablation.contrasts` returns it, a named tuple or a Series.
    """
    sides = []
    for side in (contrast.without, contrast.with_it):
        _, _, fit = side.partition("/")
        sides.append(fit_name(fit))
    return f"{contrast.ingredient}: {' → '.join(dict.fromkeys(sides))}"


def fit_name(fit: str) -> str:
    """Return the name of a model, with its epochs or latents where a sweep has set them.

    Other settings that a sweep changes are named by the ingredient, and left out here.
    """
    model, _, variant = fit.partition("/")
    setting, _, value = variant.partition("=")
    name = CONTRAST_NAMES.get(model, LABELS[model])
    if setting == "epochs":
        return f"{name}, epochs × {Fraction(value).limit_denominator(10)}"
    if setting == "latents":
        return f"{name}, {Fraction(value).limit_denominator(10)} latents"
    return name


def seconds_text(seconds: float) -> str:
    """Return a time as text: two digits, or whole seconds."""
    if seconds >= 10:
        return f"{seconds:.0f}"
    return f"{seconds:.2g}"


def remark(contrast) -> str:
    """Return what else differs between the two sides of a row of contrasts, a line each.

    These are the numbers of latents where they are not equal, and the times that were to be equal.
    """
    remarks = []
    latents_without = f"{contrast.latents_without:.3g}"
    latents_with_it = f"{contrast.latents_with_it:.3g}"
    if latents_without != latents_with_it:
        remarks.append(f"latents {latents_without} → {latents_with_it}")
    if "equal time" in contrast.ingredient:
        remarks.append(f"{seconds_of_sides(contrast)} s")
    return "\n".join(remarks)


def seconds_of_sides(contrast) -> str:
    """Return how long both fits of a row of contrasts took, in seconds."""
    without = seconds_text(contrast.seconds_without)
    with_it = seconds_text(contrast.seconds_with_it)
    return f"{without} → {with_it}"


def printed(table: pd.DataFrame) -> pd.DataFrame:
    """Return the contrasts as text for a reader."""
    return table.apply(_printed, axis=1, result_type="expand")


def _printed(contrast: pd.Series) -> dict[str, str]:
    interval = f"{contrast.low:+.1f} to {contrast.high:+.1f}"
    if np.isnan(contrast.low):
        interval = "–"
    return {
        "Ingredient: without → with": contrast_label(contrast),
        "Held-out data": HELDOUT_DATA[contrast.dataset],
        "Latents decoded": contrast.code,
        "Change of the MSE, %": f"{contrast.change:+.1f}",
        "95 % interval": interval,
        "Seeds": str(contrast.seeds),
        "Verdict": contrast.verdict,
        "Number of latents": f"{contrast.latents_without:.3g} → {contrast.latents_with_it:.3g}",
        "Fit, s": seconds_of_sides(contrast),
    }


def write_csv(results: Path, profile: str, _seed: int = 0) -> Path:
    """Write the contrasts with unrounded numbers, and return the path."""
    path = common.folder(results, profile) / "ablation.csv"
    table = contrasts(benchmark.load(results, profile))
    write_text(path, table.to_csv(index=False, lineterminator="\n"))
    return path


def write_markdown(results: Path, profile: str, _seed: int = 0) -> Path:
    """Write the contrasts for reading, with an explanation and a stamp, and return the path."""
    numbers = benchmark.load(results, profile)
    table = contrasts(numbers)
    path = common.folder(results, profile) / "ablation.md"
    explanation = EXPLANATION.format(
        n=len(table),
        chance=round(0.05 * len(table)),
        apart=LATENTS_APART,
    )
    stamp = stamp_text(dict.fromkeys(table["provenance"]), profile, benchmark.seeds(numbers))
    write_text(path, f"{markdown(printed(table))}\n\n{explanation}\n\n{stamp}\n")
    return path


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    return common.script(draw, "ablation", __doc__, argv, also=(write_csv, write_markdown))


if __name__ == "__main__":
    sys.exit(main())
