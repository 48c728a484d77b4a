"""What the figure scripts share: their command line, loading the runs they draw, and drawing a channel of the scan."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from figures.shared import style
from replicate.errors import ReplicationError
from replicate.files import read_json
from replicate.running import runs

MODELS = ("pca", "dictionary_learning", "lstm_vae")


def load(results, profile, dataset, seed, models=MODELS):
    """Return the complete run of every model, by name, and the provenance that all of them share.

    Raises
    ------
    ReplicationError
        If a run is missing, or the runs were made on different data.
    """
    loaded = {model: runs.load(results, profile, dataset, model, seed) for model in models}
    provenances = {model: run.record["provenance"] for model, run in loaded.items()}
    first = provenances[models[0]]
    if any(provenance != first for provenance in provenances.values()):
        found = ", ".join(
            f"{model}: {' and '.join(provenance.values())}"
            for model, provenance in provenances.items()
        )
        raise ReplicationError(
            f"{Path(results) / profile / dataset}: runs on different data ({found}). Make them again on one."
        )
    return loaded, first


def configuration(run):
    """Return what a run was asked for."""
    return read_json(run.folder / "config.json")


def patch(run):
    """Return how many neighbouring steps the network of a run takes as one."""
    return configuration(run)["parameters"].get("patch", 1)


def shown(axes, run):
    """Pair axes with the most important components of a run; axes left over are emptied."""
    components = run.arrays["components"][: len(axes)]
    for ax in axes[len(components) :]:
        ax.axis("off")
    return list(zip(axes, components))


def thinned(image, n=400):
    """Leave out rows and columns of a picture beyond some `n`: more than the print can show."""
    stride = max(1, max(image.shape[:2]) // n)
    return image[::stride, ::stride]


def closed(loops):
    """Return loops, (..., n_steps), with their first step at the end again."""
    return np.concatenate([loops, loops[..., :1]], axis=-1)


def loop(ax, scan, values, **look):
    """Draw aligned values of one channel, (n_steps,), over the voltage as a closed loop."""
    ax.plot(closed(scan.voltages[0]), closed(values), **look)


def alignment_note(scan):
    """Say how the channels of a scan were brought together for drawing, where they were, and how many pixels are blank."""
    lags = (
        f"Channels aligned, each over its own voltage (stored {scan.lags[-1]} of {scan.n_steps} steps apart)."
        if any(scan.lags)
        else ""
    )
    blank = (
        "" if scan.mask is None else f"Blank: {np.count_nonzero(~scan.mask)} pixels without data."
    )
    return " ".join(filter(None, (lags, blank)))


def folder(results, profile):
    """Return where the figures of a profile go."""
    return Path(results) / profile / "figures"


def parser(description):
    """Return the command line that says which runs are drawn."""
    options = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    options.add_argument(
        "--results", default="results", metavar="FOLDER", help="where the runs are"
    )
    options.add_argument("--profile", default="standard", help="of the runs to draw")
    options.add_argument("--seed", type=int, default=0, metavar="N", help="of the runs to draw")
    return options


def script(draw, name, description, argv=None, also=()):
    """Draw one figure as its command line asks, save it as PNG and PDF, and print the paths.

    Parameters
    ----------
    draw : callable
        Takes results folder, profile and seed, and returns the figure.
    name : str
    description : str
    argv : list of str, optional
    also : sequence of callable
        Each takes the same, writes one more file and returns its path.

    Returns
    -------
    int
        Exit code: 2, with a message and no traceback, for what the user can mend.
    """
    options = parser(description).parse_args(argv)
    asked = (options.results, options.profile, options.seed)
    try:
        paths = style.save(draw(*asked), folder(options.results, options.profile), name)
        paths += [write(*asked) for write in also]
    except ReplicationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(*paths, sep="\n")
    return 0
