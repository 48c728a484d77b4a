"""Figure 2: dictionary learning and VAE on the picture: maps (a-c, g-i), examples (d-f, j-l) and errors along the spectrum (m).

A violin of PCA, which the paper does not show, stands beside the others in m.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import seaborn as sns

from figures.shared import common, style
from replicate.data import sources, toy
from replicate.study.family import LABELS, SHORT_LABELS

FLOOR = 1e-4
"""Errors below this are not shown: the axis is logarithmic, for the models are decades apart."""


def draw(results, profile, seed=0):
    """Draw the models on the toy problem."""
    loaded, provenance = common.load(results, profile, "toy", seed)
    sizes = common.configuration(loaded["pca"])["data"]
    data = toy.make(sources.load_picture(provenance["picture"]), seed, **sizes)
    fig = style.figure(height=5.8)
    blocks = fig.subfigures(3, 1, height_ratios=(1, 1, 0.9))
    for block, model, letters in zip(
        blocks, ("dictionary_learning", "lstm_vae"), ("abcdef", "ghijkl")
    ):
        draw_model(block, model, loaded[model], data, letters)
    draw_errors(blocks[2].subplots(), loaded)
    sampled = f"{len(loaded['pca'].arrays['residuals'])} pixels drawn at random, errors below {FLOOR:g} not shown"
    style.note(fig, f"MSE in z-score². m: {sampled}; its MSE are over every pixel of the picture.")
    style.stamp(fig, provenance.values(), profile, seed)
    return fig


def draw_model(block, model, run, data, letters):
    """Draw the maps of three components and the best, median and worst example of one model."""
    left, right = block.subfigures(1, 2)
    left.suptitle(style.title(model, run.record))
    right.suptitle("Pixels of least, median and greatest error")
    maps, examples = left.subplots(1, 3), right.subplots(1, 3, sharey=True)
    for ax, component in common.shown(maps, run):
        values = common.thinned(data.image.expand(run.arrays["latents"][:, component]))
        image = style.picture(ax, values, **style.limits(values))
        ax.set_title(f"component {component}")
        style.colour_bar(
            left, image, ax, style.LATENT_NAMES[model], location="bottom", extend="both", aspect=12
        )
    draw_examples(examples, model, run, data)
    for ax, name in zip([*maps, *examples], letters):
        style.letter(ax, name)


def draw_examples(axes, model, run, data):
    """Draw data and reconstruction of the best, the median and the worst spectrum."""
    pairs = zip(run.arrays["examples"], run.arrays["example_reconstructions"])
    for ax, name, (example, reconstruction) in zip(axes, ("best", "median", "worst"), pairs):
        ax.plot(
            toy.timesteps(),
            data.painting[example],
            color=style.DATA_COLOUR,
            linewidth=2,
            label="data",
        )
        ax.plot(
            toy.timesteps(), reconstruction, color=style.COLOURS[model], label=SHORT_LABELS[model]
        )
        ax.set(
            title=f"{name}: MSE {run.arrays['painting_mse'][example]:.2g}",
            xlabel="time step t (a.u.)",
        )
    axes[0].set_ylabel("f (z-score)")
    axes[1].legend()


def draw_errors(ax, loaded):
    """Draw how the absolute error is distributed at every index of the spectrum, for every model."""
    frames = []
    for model, run in loaded.items():
        errors = np.maximum(np.abs(run.arrays["residuals"]), FLOOR / 10)  # none, for a logarithm
        label = f"{LABELS[model]}, MSE {run.record['metrics']['painting_mse']:.2g}"
        index = np.tile(np.arange(errors.shape[1]), len(errors))
        frames.append(
            pd.DataFrame(
                {
                    "index": index,
                    "error": errors.ravel(),
                    "model": label,
                    "colour": style.COLOURS[model],
                }
            )
        )
    table = pd.concat(frames)
    palette = dict(zip(table["model"], table["colour"]))
    look = {
        "cut": 0,
        "inner": None,
        "linewidth": 0.2,
        "width": 0.9,
        "density_norm": "width",
        "log_scale": True,
    }
    sns.violinplot(table, x="index", y="error", hue="model", palette=palette, ax=ax, **look)
    ax.set(xlabel="spectrum index", ylabel="absolute error (z-score)", ylim=(FLOOR, None))
    ax.legend(title=None, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1))
    style.letter(ax, "m")


def main(argv=None):
    """Run the command line."""
    return common.script(draw, "fig2", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
