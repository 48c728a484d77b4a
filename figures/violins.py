"""Violins of the errors: along the toy spectrum (paper Figure 2m), along the voltage steps of the scan (Figure S8), and of each spectrum.

Every complete run of the profile is drawn, whatever its seed.
"""

from __future__ import annotations

import sys
import textwrap

import numpy as np
import pandas as pd
import seaborn as sns

from figures.shared import all_seeds, common, style
from replicate.data import sources
from replicate.study.family import LABELS

N_SPECTRA = 1000
"""Spectra of each model, of all seeds together, that the violins along the spectrum are made of."""

SAMPLED = f"at most {N_SPECTRA} random pixels. Marks (mean) and numbers: every pixel."

SHOWN = 0.995
"""Share of the errors on the scan that is drawn, of all models together; the rest are few and far out."""

SPECTRA = {
    "toy": "toy, fresh colours",
    "beps": "BEPS, pixels fitted to",
    "beps_heldout": "BEPS, held-out blocks",
}
LOOK = {"inner": None, "cut": 0, "density_norm": "width"}


def draw_toy(results, profile, _seed=0):
    """Draw the error at each index of the toy spectrum, one row a model (paper Figure 2m)."""
    loaded = all_seeds.load(results, profile, "toy")
    fig = style.figure(height=0.6 + 1.3 * len(loaded))
    axes = fig.subplots(len(loaded), sharex=True, sharey=True, squeeze=False)[:, 0]
    for ax, (model, runs) in zip(axes, loaded.items()):
        numbers = draw_indices(
            ax, model, *(pooled(runs, name) for name in ("residuals", "index_bias", "index_spread"))
        )
        ax.set(
            title=f"{LABELS[model]}, {all_seeds.count(runs)}: {numbers}", ylabel="error (z-score)"
        )
    axes[-1].set(xlabel="spectrum index", xticks=range(runs[0].arrays["residuals"].shape[1]))
    all_seeds.finish(
        fig,
        {"toy": loaded},
        profile,
        f"Reconstruction minus spectrum, {SAMPLED}",
        roles=("picture", "spectra"),
    )
    return fig


def draw_scan(results, profile, _seed=0):
    """Draw the error at each voltage step of both channels of the scan, one row a model (paper Figure S8)."""
    loaded = all_seeds.load(results, profile, "beps")
    scan = sources.load_scan(next(iter(loaded.values()))[0].record["provenance"]["spectra"])
    errors = {
        model: np.concatenate([run.arrays["reconstructions"] - scan.spectra for run in runs])
        for model, runs in loaded.items()
    }
    limit = np.quantile(
        np.concatenate([np.abs(values).ravel() for values in errors.values()]), SHOWN
    )
    fig = style.figure(height=0.6 + 1.3 * len(loaded))
    axes = fig.subplots(len(loaded), scan.n_channels, sharex=True, sharey=True, squeeze=False)
    ticks = np.arange(0, scan.n_steps, scan.n_steps // 4)
    for row, (model, runs) in zip(axes, loaded.items()):
        aligned = [
            scan.align(values)
            for values in (errors[model], pooled(runs, "index_bias"), pooled(runs, "index_spread"))
        ]
        for i, ax in enumerate(row):
            numbers = draw_indices(ax, model, *(values[:, i] for values in aligned), limit=limit)
            ax.set(title=f"{scan.channels[i]}: {numbers}", ylim=(-limit, limit))
        name = LABELS[model].replace(", ", ",\n")
        row[0].set_ylabel(f"{name}\n{all_seeds.count(runs)}\nerror (z-score)")
    for ax in axes[-1]:
        ax.set_xticks(
            ticks, [f"{volts:.0f}".replace("-", "−") for volts in scan.voltages[0][ticks]]
        )
        ax.set_xlabel("voltage along the cycle (V)")
    beyond = ", ".join(f"{100 * np.mean(np.abs(values) > limit):.1f}" for values in errors.values())
    note = f"Reconstruction minus spectrum, {SAMPLED} Beyond ±{limit:.2f}, left out: {beyond} % (by row)."
    all_seeds.finish(fig, {"beps": loaded}, profile, note)
    return fig


def pooled(runs, name):
    """Return an array of every run, one below the other."""
    return np.concatenate([np.atleast_2d(run.arrays[name]) for run in runs])


def draw_indices(ax, model, errors, biases, spreads, limit=np.inf):
    """Draw a violin of the errors at each index, leaving out those beyond a limit, and return offset and spread as text.

    Parameters
    ----------
    ax : Axes
    model : str
    errors : ndarray, shape (n, n_indices)
        Reconstruction minus spectrum, of all seeds.
    biases, spreads : ndarray, shape (n_seeds, n_indices)
        Mean and standard deviation of the error of every spectrum at each index.
    limit : float
    """
    few, index = (
        np.random.default_rng(0).permutation(errors)[:N_SPECTRA],
        np.arange(errors.shape[1]),
    )
    table = pd.DataFrame({"index": np.tile(index, len(few)), "error": few.ravel()})
    look = {
        "width": 0.95,
        "linewidth": 0.2,
        "color": style.COLOURS[model],
        "linecolor": style.COLOURS[model],
    }
    sns.violinplot(
        table[table["error"].abs() <= limit],
        x="index",
        y="error",
        native_scale=True,
        ax=ax,
        **LOOK,
        **look,
    )
    ax.axhline(0, color="black", linewidth=0.3)
    ax.hlines(biases.mean(axis=0), index - 0.3, index + 0.3, color="black", linewidth=0.8)
    ax.set(xlabel="", ylabel="", xlim=(-1, len(index)))
    offset = np.sqrt(np.mean(biases**2, axis=1)).mean()
    return f"RMS offset {offset:.4f}, mean spread {spreads.mean():.3f}"


def draw_spectra(results, profile, _seed=0):
    """Draw how the error is distributed over the spectra that each model is scored on."""
    there = all_seeds.datasets(results, profile)
    loaded = {
        dataset: all_seeds.load(results, profile, dataset)
        for dataset in SPECTRA
        if dataset in there
    }
    fig = style.figure(height=2.9)
    widths = [len(models) for models in loaded.values()]
    for ax, (dataset, models) in zip(
        fig.subplots(1, len(loaded), sharey=True, width_ratios=widths), loaded.items()
    ):
        draw_distributions(ax, models)
        ax.set(title=SPECTRA[dataset], xlabel="", ylabel="MSE of a spectrum (z-score²)")
    note = "All seeds together. Line and number under each: median of the spectra. Points: mean of each seed."
    all_seeds.finish(fig, loaded, profile, note)
    return fig


def draw_distributions(ax, models):
    """Draw the errors of the spectra as one violin a model, with their median, and the mean of each seed as a point."""
    rows = [
        (model, run.record["seed"], error)
        for model, runs in models.items()
        for run in runs
        for error in spectrum_errors(run.arrays)
    ]
    table = pd.DataFrame(rows, columns=["model", "seed", "error"])
    medians = table.groupby("model")["error"].median()[list(models)]
    means = table.groupby(["model", "seed"], as_index=False)["error"].mean()
    what = {"x": "model", "y": "error", "order": list(models), "log_scale": True, "ax": ax}
    sns.violinplot(
        table, hue="model", palette=style.COLOURS, legend=False, linewidth=0.3, **LOOK, **what
    )
    sns.stripplot(
        means, color="white", edgecolor="black", linewidth=0.5, size=2.5, jitter=False, **what
    )
    ax.scatter(range(len(models)), medians, marker="_", s=60, color="black", zorder=3)
    names = (textwrap.fill(LABELS[model], 12, break_on_hyphens=False) for model in models)
    ticks = [
        f"{median:#.2g}\n{all_seeds.count(runs)}\n{name}"
        for median, runs, name in zip(medians, models.values(), names)
    ]
    ax.set_xticks(range(len(models)), ticks)
    ax.yaxis.set_major_formatter("{x:g}")


def spectrum_errors(arrays):
    """Return the error of each spectrum that a run is scored on: fresh colours, pixels fitted to, or held-out ones."""
    if "gamut_mse" in arrays:
        return arrays["gamut_mse"]
    return arrays["mse"][arrays["heldout"]] if "heldout" in arrays else arrays["mse"]


FIGURES = {"violins_toy": draw_toy, "violins_beps": draw_scan, "violins_pixels": draw_spectra}


def main(argv=None):
    """Run the command line; a figure that cannot be drawn does not keep the others from it."""
    options = common.parser(__doc__).parse_args(argv)
    wanted = dict(FIGURES)
    if "toy" not in all_seeds.datasets(options.results, options.profile):
        del wanted["violins_toy"]
    return max([common.script(draw, name, __doc__, argv) for name, draw in wanted.items()])


if __name__ == "__main__":
    sys.exit(main())
