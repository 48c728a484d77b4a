"""Figure 2: dictionary learning and VAE on the picture: maps (a-c, g-i), examples (d-f, j-l) and errors along the spectrum (m).

A violin of PCA, which the paper does not show, stands beside the others in m.
"""

from __future__ import annotations

import sys

import common
import numpy as np
import pandas as pd
import seaborn as sns

from replicate import sources, style
from replicate.data import toy
from replicate.files import read_json

STRIDE = 5
"""Every fifth pixel of the picture is drawn: more than the print can show."""


def draw(results, profile, seed=0):
    """Draw the models on the toy problem."""
    loaded, provenance = common.load(results, profile, "toy", seed)
    sizes = read_json(loaded["lstm_vae"].folder / "config.json")["data"]
    data = toy.make(sources.load_picture(provenance["picture"]), seed, **sizes)
    fig = style.figure(height=6.0)
    blocks = fig.subfigures(3, 1, height_ratios=(1.0, 1.0, 0.9))
    for block, model, letters in zip(blocks, ("dictionary_learning", "lstm_vae"), ("abcdef", "ghijkl")):
        draw_model(block, model, loaded[model], data, letters)
    draw_errors(blocks[2].subplots(), loaded)
    style.stamp(fig, provenance.values(), profile, seed)
    return fig


def draw_model(block, model, run, data, letters):
    """Draw the maps of three components and the best, median and worst example of one model."""
    axes = list(block.subplot_mosaic(letters, width_ratios=(0.8, 0.8, 0.8, 1, 1, 1)).values())
    block.suptitle(title(model, run))
    draw_maps(block, axes[:3], run, data.image)
    for ax in axes[4:]:
        ax.sharey(axes[3])
        ax.tick_params(labelleft=False)
    draw_examples(axes[3:], model, run, data)
    for ax, name in zip(axes, letters):
        style.letter(ax, name)


def title(model, run):
    """Say how many channels of a VAE are active where three maps do not show all of them."""
    active = run.record["metrics"].get("active_channels")
    return style.LABELS[model] + (f" ({active} active channels)" if active is not None else "")


def draw_maps(block, axes, run, image):
    """Show the three most important components over the picture."""
    components = run.arrays["components"][: len(axes)]
    for ax in axes[len(components) :]:
        ax.axis("off")
    for ax, component in zip(axes, components):
        values = image.expand(run.arrays["latents"][:, component])[::STRIDE, ::STRIDE]
        shown = style.picture(ax, values, **style.limits(values))
        ax.set_title(f"component {component}")
        style.colour_bar(block, shown, ax, "latent value, dimensionless", location="bottom", extend="both", aspect=12)


def draw_examples(axes, model, run, data):
    """Draw data and reconstruction of the best, the median and the worst spectrum."""
    examples, reconstructions = run.arrays["examples"], run.arrays["example_reconstructions"]
    for ax, name, example, reconstruction in zip(axes, ("best", "median", "worst"), examples, reconstructions):
        ax.plot(toy.timesteps(), data.painting[example], color=style.DATA_COLOUR, linewidth=2, label="data")
        ax.plot(toy.timesteps(), reconstruction, color=style.COLOURS[model], label=style.SHORT_LABELS[model])
        ax.set(title=f"{name}: MSE {run.arrays['painting_mse'][example]:.2g}", xlabel="time step t, dimensionless")
    axes[0].set_ylabel("f, z-score per step")
    axes[0].legend(loc="upper right")


def draw_errors(ax, loaded):
    """Draw how the absolute error is distributed at every index of the spectrum, for every model."""
    frames = []
    for model, run in loaded.items():
        errors = np.abs(run.arrays["residuals"])
        label = f"{style.LABELS[model]}, MSE {run.record['metrics']['painting_mse']:.2g} over the picture"
        index = np.tile(np.arange(errors.shape[1]), len(errors))
        frames.append(pd.DataFrame({"index": index, "error": errors.ravel(), "model": label, "colour": style.COLOURS[model]}))
    table = pd.concat(frames)
    palette = dict(zip(table["model"], table["colour"]))
    sns.violinplot(table, x="index", y="error", hue="model", palette=palette, cut=0, inner=None, linewidth=0.2, width=0.9, ax=ax)
    ax.set(xlabel="spectrum index", ylabel="absolute error, z-score per step")
    ax.legend(title=None, ncols=3, loc="upper center")
    style.letter(ax, "m")


def main(argv=None):
    """Run the command line."""
    return common.script(draw, "fig2", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
