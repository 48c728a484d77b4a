"""The ablation: errors of the whole family, and what each ingredient changes of them, as picture, CSV and Markdown.

Held-out errors only: fresh colours of the toy problem, and blocks of the scan left out.
"""

from __future__ import annotations

import sys
import textwrap
from fractions import Fraction

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from figures.shared import benchmark as measured
from figures.shared import common, style
from replicate.files import write_text
from replicate.numbers.ablation import CODES, LATENTS_APART, contrasts
from replicate.numbers.comparisons import ORDERED
from replicate.numbers.tables import markdown
from replicate.provenance import stamp_text
from replicate.study import jobs as study
from replicate.study.family import LABELS

TITLES = {"toy": "toy, fresh colours", "beps_heldout": "BEPS, held-out blocks"}
COLOURS = {
    "helps": "#0072B2",
    "hurts": "#D55E00",
    "no difference shown": "0.55",
    "unequal latents": "#E69F00",
    "one seed": "0.8",
}
"""Of the verdicts."""

OFFSETS = {"amortised": -0.17, "refined": 0.17, "both": 0.0}
"""By how much of a row the marker of each code is off its middle."""

RATIOS = {
    0.8: (0.5, 0.75, 1, 1.5, 2),
    1.6: (0.1, 0.2, 0.5, 1, 2, 5, 10),
    np.inf: (0.001, 0.01, 0.1, 1, 10, 100, 1000),
}
"""Ratios of errors at which an axis of at most so many decades has its ticks."""

SHORT = {
    **{
        "dictionary_learning": "DL",
        "linear_ae": "Linear AE",
        "dense_ae": "Dense AE",
        "conv_vae": "Conv. β-VAE",
    },
    **{"lstm_ae": "LSTM AE", "lstm_vae_plain": "paper's form"},
}
"""Names of models where there is little room, and other names are short."""

NOTE = "Points: seeds; lines: 95 % intervals. Filled: the encoder's latents; open: best code of the decoder; refinement: one to the other."
EXPLANATION = """Change of the geometric mean of the error from the fit without an ingredient to that with it, paired by seed: the same
colours, the same fold of the scan. "Helps" and "hurts": the whole 95 % t-interval over the seeds is on one side of 0; of {n} contrasts
about {chance} would be by chance alone. On the scan a seed is a fold, and folds share most of the pixels fitted to: these intervals are
somewhat too narrow. Amortised: the encoder's latents are decoded. Refined: the best code, latents that suit the decoder best. "Unequal
latents": their mean numbers are more than {apart} apart, so that more than the ingredient changes, and no verdict is given on it."""


def draw(results, profile, _seed=0):
    """Draw the errors of every model, and under them what each ingredient changes."""
    numbers = measured.load(results, profile)
    kinds = [kind + suffix for _, kind in ORDERED.values() for suffix in CODES.values()]
    errors = numbers[
        numbers["dataset"].isin(ORDERED) & numbers["setting"].eq("") & numbers["kind"].isin(kinds)
    ]
    measured.require(errors, results, profile, "errors on held-out data are")
    table = contrasts(numbers)
    models = [model for model in study.MODELS if model in set(errors["model"])]
    # The scan has contrasts that the toy problem lacks, in their place.
    rows = list(
        dict.fromkeys(
            label(row) for row in table.sort_values("dataset", kind="stable").itertuples()
        )
    )
    names = ([LABELS[model] for model in models], [textwrap.fill(row, 52) for row in rows])
    n_lines = sum(len(name.splitlines()) for name in names[1])
    fig = style.figure(height=1.9 + 0.165 * (len(models) + n_lines))
    blocks = fig.subfigures(2, 1, height_ratios=[len(models) + 3, n_lines + 4])
    above, below = (block.subplots(1, len(ORDERED), sharey=True) for block in blocks)
    for axes, dataset in zip(zip(above, below), ORDERED):
        draw_errors(
            axes[0],
            numbers[numbers["dataset"].eq(dataset) & numbers["setting"].eq("")],
            models,
            ORDERED[dataset][1],
        )
        draw_contrasts(axes[1], table[table["dataset"] == dataset], rows)
        for ax in axes:
            ax.set_title(TITLES[dataset])
    for ax, name, ticks in zip((above[0], below[0]), "ab", names):
        ax.set(yticks=range(len(ticks)), yticklabels=ticks, ylim=(len(ticks) - 0.4, -0.6))
        style.letter(ax, name)
    dots = [
        Line2D([], [], marker="o", markersize=3.2, linestyle="", color=COLOURS[name], label=name)
        for name in table["verdict"].unique()
    ]
    blocks[1].legend(handles=dots, loc="outside lower center", ncols=len(COLOURS), handletextpad=0)
    measured.finish(fig, errors, profile, NOTE)
    return fig


def draw_errors(ax, numbers, models, kind):
    """Draw the errors of the models on one data set, a row each; beside them how many active channels they have and how long they fit."""
    found = {pair: rows.to_numpy() for pair, rows in numbers.groupby(["model", "kind"])["number"]}
    for row, model in enumerate(models):
        for code, suffix in CODES.items():
            values = found.get((model, kind + suffix), ())
            ax.plot(
                values,
                [row + OFFSETS[code]] * len(values),
                ".",
                color=measured.COLOURS[model],
                markersize=2,
                alpha=0.5,
            )
            if len(values):
                draw_mark(ax, row, *measured.interval_of(values), measured.COLOURS[model], code)
        channels, seconds = (
            found.get((model, name)) for name in ("active_channels", "fit_seconds")
        )
        remarks = [] if channels is None else [f"{channels.mean():.3g} active"]
        beside(
            ax,
            row,
            ", ".join(remarks if seconds is None else [*remarks, f"{whole(seconds.mean())} s"]),
        )
    if ("pca", kind) in found:
        ax.axvline(
            found["pca", kind].mean(),
            color=measured.COLOURS["pca"],
            linewidth=0.6,
            linestyle="--",
            zorder=0,
        )
    ax.set(xscale="log", xlabel="MSE, held-out (z-score²)")
    measured.label_decades(ax.xaxis)


def draw_contrasts(ax, table, rows):
    """Draw by how much each ingredient changes the error, as a ratio of errors, a row each, coloured by verdict."""
    ax.axvline(1, color="black", linewidth=0.6)
    for contrast in table.itertuples():
        row = rows.index(label(contrast))
        # The bounds of a single seed are not known.
        ratios = (
            1
            + np.nan_to_num([contrast.change, contrast.low, contrast.high], nan=contrast.change)
            / 100
        )
        draw_mark(ax, row, *ratios, COLOURS[contrast.verdict], contrast.code)
        if contrast.code != "refined":
            beside(ax, row, remark(contrast))
    ax.set(xscale="log", xlabel="change of the held-out MSE (%)")
    low, high = ax.get_xlim()
    ticks = next(ticks for decades, ticks in RATIOS.items() if np.log10(high / low) <= decades)
    ax.set_xticks([tick for tick in ticks if low <= tick <= high], minor=False)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(
        lambda ratio, _: f"{100 * (ratio - 1):+g}".replace("-", "−") if ratio != 1 else "0"
    )


def draw_mark(ax, row, mean, low, high, colour, code):
    """Draw a mean and its interval in a row, filled but for refined latents."""
    y = row + OFFSETS[code]
    ax.plot([low, high], [y, y], color=colour, linewidth=0.8)
    ax.plot(
        mean,
        y,
        "o",
        color=colour,
        markerfacecolor="white" if code == "refined" else colour,
        markersize=3.2,
        markeredgewidth=0.8,
    )


def beside(ax, row, text):
    """Write something to the right of a row."""
    place = {
        "xycoords": ("axes fraction", "data"),
        "textcoords": "offset points",
        "va": "center",
        "fontsize": 5.5,
        "linespacing": 0.95,
    }
    ax.annotate(text, (1, row), xytext=(2, 0), **place)


def label(contrast):
    """Return the name of an ingredient, and between which fits it is the difference."""
    sides = dict.fromkeys(
        fit_name(side.partition("/")[2]) for side in (contrast.without, contrast.with_it)
    )
    return f"{contrast.ingredient}: {' → '.join(sides)}"


def fit_name(fit):
    """Return the name of a model, how much longer it was trained and how many latents it was given; other changes are the ingredient."""
    model, _, variant = fit.partition("/")
    setting, _, value = variant.partition("=")
    changed = {"epochs": "epochs × {}", "latents": "{} latents"}.get(setting)
    return ", ".join(
        [SHORT.get(model, LABELS[model])]
        + ([changed.format(Fraction(value).limit_denominator(10))] if changed else [])
    )


def whole(seconds):
    """Return a time as text: two digits, or whole seconds."""
    return f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.2g}"


def remark(contrast):
    """Return what else differs between the sides: latents where their numbers are not equal, and the times that were to be equal."""
    latents = [f"{count:.3g}" for count in (contrast.latents_without, contrast.latents_with_it)]
    remarks = [f"latents {' → '.join(latents)}"] if len(set(latents)) > 1 else []
    if "equal time" in contrast.ingredient:
        remarks.append(f"{whole(contrast.seconds_without)} → {whole(contrast.seconds_with_it)} s")
    return "\n".join(remarks)


def printed(table):
    """Return the contrasts as text for a reader."""
    return table.apply(_printed, axis=1, result_type="expand")


def _printed(contrast):
    interval = "–" if np.isnan(contrast.low) else f"{contrast.low:+.1f} to {contrast.high:+.1f}"
    return {
        "Ingredient: without → with": label(contrast),
        "Held-out data": TITLES[contrast.dataset],
        "Latents decoded": contrast.code,
        "Change of the MSE, %": f"{contrast.change:+.1f}",
        "95 % interval": interval,
        "Seeds": str(contrast.seeds),
        "Verdict": contrast.verdict,
        "Number of latents": f"{contrast.latents_without:.3g} → {contrast.latents_with_it:.3g}",
        "Fit, s": f"{whole(contrast.seconds_without)} → {whole(contrast.seconds_with_it)}",
    }


def write_csv(results, profile, _seed=0):
    """Write the contrasts with unrounded numbers, and return the path."""
    path = common.folder(results, profile) / "ablation.csv"
    write_text(
        path, contrasts(measured.load(results, profile)).to_csv(index=False, lineterminator="\n")
    )
    return path


def write_markdown(results, profile, _seed=0):
    """Write the contrasts for reading, and return the path."""
    numbers = measured.load(results, profile)
    table = contrasts(numbers)
    path = common.folder(results, profile) / "ablation.md"
    said = EXPLANATION.format(n=len(table), chance=round(0.05 * len(table)), apart=LATENTS_APART)
    stamp = stamp_text(dict.fromkeys(table["provenance"]), profile, measured.seeds(numbers))
    write_text(path, f"{markdown(printed(table))}\n\n{said}\n\n{stamp}\n")
    return path


def main(argv=None):
    """Run the command line."""
    return common.script(draw, "ablation", __doc__, argv, also=(write_csv, write_markdown))


if __name__ == "__main__":
    sys.exit(main())
