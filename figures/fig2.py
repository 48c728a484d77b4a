"""Figure 2: dictionary learning and VAE on the picture of the toy problem.

Maps (a-c, g-i), examples (d-f, j-l) and errors along the spectrum (m). A violin of PCA, which the
paper does not show, stands beside the others in m.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from figures.shared import common, style
from replicate.data import sources, toy
from replicate.data.toy import ToyData
from replicate.running.runs import Run
from replicate.study.family import LABELS, SHORT_LABELS

#: Errors below this are not shown: the axis is logarithmic, and the models are decades apart.
FLOOR = 1e-4

#: The letters of the panels of each model: three maps, then three examples.
MODEL_LETTERS = {"dictionary_learning": "abcdef", "lstm_vae": "ghijkl"}


def draw(results: Path, profile: str, seed: int = 0) -> Figure:
    """Draw the models on the toy problem."""
    runs, provenance = common.load(results, profile, "toy", seed)
    sizes = common.configuration(runs["pca"])["data"]
    data = toy.make(sources.load_picture(provenance["picture"]), seed, **sizes)
    fig = style.figure(height=5.8)
    blocks = fig.subfigures(3, 1, height_ratios=(1, 1, 0.9))
    for block, (model, letters) in zip(blocks, MODEL_LETTERS.items()):
        draw_model(block, model, runs[model], data, letters)
    draw_errors(blocks[2].subplots(), runs)
    n_sampled = len(runs["pca"].arrays["residuals"])
    style.note(
        fig,
        f"MSE in z-score². m: {n_sampled} pixels drawn at random, errors below {FLOOR:g} not "
        "shown; its MSE are over every pixel of the picture.",
    )
    style.stamp(fig, provenance.values(), profile, seed)
    return fig


def draw_model(block: SubFigure, model: str, run: Run, data: ToyData, letters: str) -> None:
    """Draw the maps of three components and the best, median and worst example of one model."""
    left, right = block.subfigures(1, 2)
    left.suptitle(style.model_title(model, run.record))
    right.suptitle("Pixels of least, median and greatest error")
    maps = left.subplots(1, 3)
    examples = right.subplots(1, 3, sharey=True)
    for ax, component in common.axes_of_components(maps, run):
        values = common.thinned(data.image.expand(run.arrays["latents"][:, component]))
        image = style.picture(ax, values, **style.limits(values))
        ax.set_title(f"component {component}")
        style.colour_bar(
            left,
            image,
            ax,
            style.LATENT_NAMES[model],
            location="bottom",
            extend="both",
            aspect=12,
        )
    draw_examples(examples, model, run, data)
    for ax, name in zip([*maps, *examples], letters):
        style.letter(ax, name)


def draw_examples(axes: Sequence[Axes], model: str, run: Run, data: ToyData) -> None:
    """Draw data and reconstruction of the best, the median and the worst spectrum."""
    for i, (ax, name) in enumerate(zip(axes, ("best", "median", "worst"))):
        example = run.arrays["examples"][i]
        ax.plot(
            toy.timesteps(),
            data.painting[example],
            color=style.DATA_COLOUR,
            linewidth=2,
            label="data",
        )
        ax.plot(
            toy.timesteps(),
            run.arrays["example_reconstructions"][i],
            color=style.MODEL_COLOURS[model],
            label=SHORT_LABELS[model],
        )
        ax.set(
            title=f"{name}: MSE {run.arrays['painting_mse'][example]:.2g}",
            xlabel="time step t (a.u.)",
        )
    axes[0].set_ylabel("f (z-score)")
    axes[1].legend()


def draw_errors(ax: Axes, runs: dict[str, Run]) -> None:
    """Draw how the absolute error of every model is distributed at each index of the spectrum."""
    tables = []
    palette = {}
    for model, run in runs.items():
        label = f"{LABELS[model]}, MSE {run.record['metrics']['painting_mse']:.2g}"
        tables.append(errors_by_index(run.arrays["residuals"]).assign(model=label))
        palette[label] = style.MODEL_COLOURS[model]
    sns.violinplot(
        pd.concat(tables),
        x="index",
        y="error",
        hue="model",
        palette=palette,
        ax=ax,
        cut=0,
        inner=None,
        linewidth=0.2,
        width=0.9,
        density_norm="width",
        log_scale=True,
    )
    ax.set(xlabel="spectrum index", ylabel="absolute error (z-score)", ylim=(FLOOR, None))
    ax.legend(title=None, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1))
    style.letter(ax, "m")


def errors_by_index(residuals: np.ndarray) -> pd.DataFrame:
    """Return absolute errors, one row each, with their index in the spectrum.

    Parameters
    ----------
    residuals : ndarray, shape (n, n_indices)
        Reconstruction minus spectrum.
    """
    # An error of 0 has no logarithm.
    errors = np.maximum(np.abs(residuals), FLOOR / 10)
    n_spectra, n_indices = errors.shape
    index = np.tile(np.arange(n_indices), n_spectra)
    return pd.DataFrame({"index": index, "error": errors.ravel()})


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    return common.script(draw, "fig2", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
