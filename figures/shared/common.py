"""Command line, loading of runs and drawing of loops, as most figure scripts need them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.shared import style
from replicate import arithmetic
from replicate.commands import command
from replicate.data.scan import Scan
from replicate.errors import ReplicationError
from replicate.files import read_json
from replicate.running import runs
from replicate.running.runs import Run
from replicate.study.studies import CONFIG_SCHEMA

#: The models that the figures of the paper are about.
MAIN_MODELS = ("pca", "dictionary_learning", "lstm_vae")


def load(
    results: Path,
    profile: str,
    dataset: str,
    seed: int,
    models: Sequence[str] = MAIN_MODELS,
) -> tuple[dict[str, Run], dict[str, str]]:
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
        listed = ", ".join(
            f"{model}: {' and '.join(provenance.values())}"
            for model, provenance in provenances.items()
        )
        raise ReplicationError(
            f"{results / profile / dataset}: runs on different data ({listed}). "
            "Make them again on one."
        )
    return loaded, first


def configuration(run: Run) -> dict:
    """Return the configuration that a run was started with."""
    return read_json(run.folder / "config.json", CONFIG_SCHEMA)


def patch(run: Run) -> int:
    """Return how many neighbouring steps the network of a run takes as one."""
    return configuration(run)["parameters"].get("patch", 1)


def axes_of_components(axes: Sequence[Axes], run: Run) -> list[tuple[Axes, int]]:
    """Pair axes with the most important components of a run, and empty the axes left over."""
    components = run.arrays["components"][: len(axes)]
    for ax in axes[len(components) :]:
        ax.axis("off")
    return list(zip(axes, components))


def sign(run: Run, scan: Scan, component: int) -> int:
    """Return the sign by which a latent is drawn, so that two runs compare.

    A latent grows with the spread of the loops of the first channel over their steps. A latent that
    is never below 0, as that of a positive code, is drawn as it is.

    Parameters
    ----------
    run : Run
    scan : Scan
        The scan that the run was fitted to.
    component : int
        The latent.

    Returns
    -------
    int
        1 or -1.
    """
    latent = run.arrays["latents"][:, component]
    spread = scan.spectra[:, : scan.n_steps].std(axis=1)
    together = np.mean((latent - latent.mean()) * (spread - spread.mean()))
    return -1 if latent.min() < 0 and together < 0 else 1


def thinned(image: np.ndarray, n: int = 400) -> np.ndarray:
    """Return a picture without the rows and columns that are too many for the print.

    Parameters
    ----------
    image : ndarray, shape (rows, cols) or (rows, cols, 3)
    n : int
        The longer side keeps about this many pixels, and fewer than twice as many.
    """
    stride = max(1, max(image.shape[:2]) // n)
    return image[::stride, ::stride]


def closed(loops: np.ndarray) -> np.ndarray:
    """Return loops, (..., n_steps), with the first step repeated at the end, (..., n_steps + 1)."""
    return np.concatenate([loops, loops[..., :1]], axis=-1)


def draw_loop(ax: Axes, scan: Scan, values: np.ndarray, **look) -> None:
    """Draw aligned values of one channel, (n_steps,), over the voltage as a closed loop."""
    ax.plot(closed(scan.voltages[0]), closed(values), **look)


def alignment_note(scan: Scan) -> str:
    """Return a note on how the channels were aligned and how many pixels have no data, if any."""
    sentences = []
    if any(scan.lags):
        sentences.append(
            "Channels aligned, each over its own voltage "
            f"(stored {scan.lags[-1]} of {scan.n_steps} steps apart)."
        )
    if scan.mask is not None:
        sentences.append(f"Blank: {np.count_nonzero(~scan.mask)} pixels without data.")
    return " ".join(sentences)


def folder(results: Path, profile: str) -> Path:
    """Return the folder that the figures of a profile are written to."""
    return results / profile / "figures"


def parser(description: str) -> argparse.ArgumentParser:
    """Return the command line that says which runs are drawn."""
    options = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    options.add_argument(
        "--results",
        type=Path,
        default=Path("results"),
        metavar="FOLDER",
        help="where the runs are",
    )
    options.add_argument("--profile", default="standard", help="of the runs to draw")
    options.add_argument("--seed", type=int, default=0, metavar="N", help="of the runs to draw")
    return options


@command()
def script(
    draw: Callable[[Path, str, int], Figure],
    name: str,
    description: str,
    argv: Sequence[str] | None = None,
    also: Sequence[Callable[[Path, str, int], Path]] = (),
) -> int:
    """Draw one figure as its command line asks, save it as PNG and PDF, and print the paths.

    Parameters
    ----------
    draw : callable
        Takes results folder, profile and seed, and returns the figure.
    name : str
        The name of the files, without suffix.
    description : str
        What ``--help`` says.
    argv : list of str, optional
        The arguments of the command line; those of this process where there are none.
    also : sequence of callable
        Functions that take results folder, profile and seed, write one more file and return its
        path.

    Returns
    -------
    int
        The exit code. It is 2, with a message and no traceback, for what the user can mend.
    """
    if argv is None:
        arithmetic.restart_if_late()
    options = parser(description).parse_args(argv)
    selection = (options.results, options.profile, options.seed)
    paths = style.save(draw(*selection), folder(options.results, options.profile), name)
    paths += [write(*selection) for write in also]
    print(*paths, sep="\n")
    return 0
