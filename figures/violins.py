"""Violins of the errors of every complete run of a profile, whatever its seed.

Along the toy spectrum (paper Figure 2m), along the voltage steps of the scan (paper Figure S8), and
of each spectrum.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.shared import all_seeds, common, scan_units, style
from replicate.data import sources
from replicate.running.runs import Run
from replicate.study.family import LABELS

#: How many spectra of each model, of all seeds together, make the violins along the spectrum.
N_VIOLIN_SPECTRA = 1000

#: What the notes say of the spectra behind violins and marks.
SAMPLED = f"at most {N_VIOLIN_SPECTRA} random pixels. Marks (mean) and numbers: every pixel."

#: Of offset and spread, one below this share of the other is 0 but for rounding.
ROUNDING = 1e-4

#: The share of the errors on the scan that is drawn; the others are few, and far out.
DRAWN_SHARE = 0.995

#: The data sets whose errors are drawn spectrum by spectrum, and the spectra that are scored.
SCORED_SPECTRA = {
    "toy": "toy, fresh colours",
    "beps": "BEPS, pixels fitted to",
    "beps_heldout": "BEPS, held-out blocks",
}

#: Size of the labels of models, pt, and where more than so many stand side by side.
LABEL_SIZE, SMALL_LABEL_SIZE, CROWDED = 6, 4.5, 12

#: All violins have these options of seaborn.
VIOLIN_LOOK = {"inner": None, "cut": 0, "density_norm": "width"}


def draw_toy(results: Path, profile: str, _seed: int = 0) -> Figure:
    """Draw the error at each index of the toy spectrum, one row a model (paper Figure 2m)."""
    loaded = all_seeds.load(results, profile, "toy")
    fig = style.figure(height=0.6 + 1.3 * len(loaded))
    axes = fig.subplots(len(loaded), sharex=True, sharey=True, squeeze=False)[:, 0]
    for ax, (model, runs) in zip(axes, loaded.items()):
        errors = pooled(runs, "residuals")
        biases = pooled(runs, "index_bias")
        spreads = pooled(runs, "index_spread")
        draw_indices(ax, model, errors, biases)
        ax.set(
            title=f"{LABELS[model]}, {all_seeds.count_seeds(runs)}: {summary(biases, spreads)}",
            ylabel="error (z-score)",
        )
    axes[-1].set(xlabel="spectrum index", xticks=range(errors.shape[1]))
    note = f"Reconstruction minus spectrum, {SAMPLED}"
    all_seeds.finish(fig, {"toy": loaded}, profile, note, roles=("picture", "spectra"))
    return fig


def draw_scan(results: Path, profile: str, _seed: int = 0) -> Figure:
    """Draw the error at each voltage step of the scan (paper Figure S8).

    There is a row for each model and a column for each channel, in the unit of its channel.
    """
    loaded = all_seeds.load(results, profile, "beps")
    some_run = next(iter(loaded.values()))[0]
    scan = sources.load_scan(some_run.record["provenance"]["spectra"])
    errors = {
        model: np.concatenate([run.arrays["reconstructions"] - scan.spectra for run in runs])
        for model, runs in loaded.items()
    }
    sizes = np.concatenate([np.abs(values).ravel() for values in errors.values()])
    limit = np.quantile(sizes, DRAWN_SHARE)
    fig = style.figure(height=0.6 + 1.3 * len(loaded))
    channels = range(scan.n_channels)
    labels = [f"error ({scan_units.unit_of(scan, channel)})" for channel in channels]
    limits = [scan_units.differences_in_unit(scan, channel, limit) for channel in channels]
    are_alike = len(set(limits)) == 1
    axes = fig.subplots(
        len(loaded),
        scan.n_channels,
        sharex=True,
        sharey="all" if are_alike else "col",
        squeeze=False,
    )
    for row, (model, runs) in zip(axes, loaded.items()):
        kinds = (errors[model], pooled(runs, "index_bias"), pooled(runs, "index_spread"))
        for channel, ax in enumerate(row):
            drawn, biases, spreads = (
                scan_units.differences_in_unit(scan, channel, scan.align(values)[:, channel])
                for values in kinds
            )
            draw_indices(ax, model, drawn, biases, limits[channel])
            ax.set(
                title=f"{scan.channels[channel]}: {summary(biases, spreads)}",
                ylim=(-limits[channel], limits[channel]),
                ylabel="" if are_alike else labels[channel],
            )
        name = LABELS[model].replace(", ", ",\n")
        row[0].set_ylabel(f"{name}\n{all_seeds.count_seeds(runs)}\n{labels[0]}")
    steps = np.arange(0, scan.n_steps, scan.n_steps // 4)
    volts = [f"{value:.0f}".replace("-", "−") for value in scan.voltages[0][steps]]
    for ax in axes[-1]:
        ax.set_xticks(steps, volts)
        ax.set_xlabel("voltage along the cycle (V)")
    beyond = ", ".join(f"{100 * np.mean(np.abs(values) > limit):.1f}" for values in errors.values())
    note = (
        f"Reconstruction minus spectrum, {SAMPLED} "
        f"Beyond ±{limit:.2f} z-scores, left out: {beyond} % (by row)."
    )
    all_seeds.finish(fig, {"beps": loaded}, profile, note)
    return fig


def pooled(runs: Sequence[Run], name: str) -> np.ndarray:
    """Return an array of every run, one below the other."""
    return np.concatenate([np.atleast_2d(run.arrays[name]) for run in runs])


def draw_indices(
    ax: Axes, model: str, errors: np.ndarray, biases: np.ndarray, limit: float = np.inf
) -> None:
    """Draw a violin of the errors at each index, and a mark at their mean.

    Parameters
    ----------
    ax : Axes
    model : str
    errors : ndarray, shape (n, n_indices)
        Reconstruction minus spectrum, of all seeds.
    biases : ndarray, shape (n_seeds, n_indices)
        The mean error of every spectrum at each index.
    limit : float
        Errors beyond it are left out of the violins.
    """
    sample = np.random.default_rng(0).permutation(errors)[:N_VIOLIN_SPECTRA]
    index = np.arange(errors.shape[1])
    table = pd.DataFrame({"index": np.tile(index, len(sample)), "error": sample.ravel()})
    sns.violinplot(
        table[table["error"].abs() <= limit],
        x="index",
        y="error",
        native_scale=True,
        ax=ax,
        width=0.95,
        linewidth=0.2,
        color=style.MODEL_COLOURS[model],
        linecolor=style.MODEL_COLOURS[model],
        **VIOLIN_LOOK,
    )
    ax.axhline(0, color="black", linewidth=0.3)
    ax.hlines(biases.mean(axis=0), index - 0.3, index + 0.3, color="black", linewidth=0.8)
    ax.set(xlabel="", ylabel="", xlim=(-1, len(index)))


def summary(biases: np.ndarray, spreads: np.ndarray) -> str:
    """Return offset and spread of the errors, both averaged over the seeds, as text.

    Parameters
    ----------
    biases, spreads : ndarray, shape (n_seeds, n_indices)
        Mean and standard deviation of the error of every spectrum at each index.
    """
    offset = np.sqrt(np.mean(biases**2, axis=1)).mean()
    spread = spreads.mean()
    least = ROUNDING * max(offset, spread)
    shown = [0 if value < least else value for value in (offset, spread)]
    return "RMS offset {:.3g}, mean spread {:.3g}".format(*shown)


def draw_spectra(results: Path, profile: str, _seed: int = 0) -> Figure:
    """Draw how the error is distributed over the spectra that each model is scored on."""
    loaded = {}
    for dataset in SCORED_SPECTRA:
        if dataset in all_seeds.datasets(results, profile):
            loaded[dataset] = all_seeds.load(results, profile, dataset)
    fig = style.figure(height=2.9)
    widths = [len(models) for models in loaded.values()]
    axes = fig.subplots(1, len(loaded), sharey=True, width_ratios=widths)
    for ax, (dataset, models) in zip(axes, loaded.items()):
        draw_distributions(ax, models, LABEL_SIZE if sum(widths) <= CROWDED else SMALL_LABEL_SIZE)
        ax.set(title=SCORED_SPECTRA[dataset], xlabel="", ylabel="MSE of a spectrum (z-score²)")
    note = (
        "All seeds together. Line and number under each: median of the spectra. "
        "Points: mean of each seed."
    )
    all_seeds.finish(fig, loaded, profile, note)
    return fig


def draw_distributions(
    ax: Axes, models: dict[str, list[Run]], label_size: float = LABEL_SIZE
) -> None:
    """Draw the errors of the spectra as one violin a model, with labels of a size in pt.

    A line is their median, and a point the mean of each seed.
    """
    tables = []
    for model, runs in models.items():
        for run in runs:
            errors = pd.DataFrame({"error": spectrum_errors(run.arrays).astype(float)})
            tables.append(errors.assign(model=model, seed=run.record["seed"]))
    table = pd.concat(tables, ignore_index=True)
    medians = table.groupby("model")["error"].median()[list(models)]
    means = table.groupby(["model", "seed"], as_index=False)["error"].mean()
    variables = {"x": "model", "y": "error", "order": list(models), "log_scale": True}
    sns.violinplot(
        table,
        hue="model",
        palette={model: style.MODEL_COLOURS[model] for model in models},
        legend=False,
        linewidth=0.3,
        ax=ax,
        **VIOLIN_LOOK,
        **variables,
    )
    sns.stripplot(
        means,
        color="white",
        edgecolor="black",
        linewidth=0.5,
        size=2.5,
        jitter=False,
        ax=ax,
        **variables,
    )
    ax.scatter(range(len(models)), medians, marker="_", s=60, color="black", zorder=3)
    labels = []
    for median, (model, runs) in zip(medians, models.items()):
        name = textwrap.fill(LABELS[model], 12, break_on_hyphens=False)
        labels.append(f"{median:#.2g}\n{all_seeds.count_seeds(runs)}\n{name}")
    ax.set_xticks(range(len(models)), labels, fontsize=label_size)
    ax.yaxis.set_major_formatter("{x:g}")


def spectrum_errors(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """Return the error of each spectrum that a run is scored on.

    These are fresh colours on the toy problem, held-out pixels where there are some, and otherwise
    the pixels fitted to.
    """
    if "gamut_mse" in arrays:
        return arrays["gamut_mse"]
    if "heldout" in arrays:
        return arrays["mse"][arrays["heldout"]]
    return arrays["mse"]


#: The figures by the name of their files, and what draws them.
VIOLIN_FIGURES = {
    "violins_toy": draw_toy,
    "violins_beps": draw_scan,
    "violins_pixels": draw_spectra,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; a figure that cannot be drawn does not keep the others from it."""
    options = common.parser(__doc__).parse_args(argv)
    has_toy = "toy" in all_seeds.datasets(options.results, options.profile)
    codes = []
    for name, draw in VIOLIN_FIGURES.items():
        if name == "violins_toy" and not has_toy:
            continue
        codes.append(common.script(draw, name, __doc__, argv))
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
