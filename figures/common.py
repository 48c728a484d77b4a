"""What the figure scripts share: their command line, and loading the runs they draw.

``python figures/common.py [NAME ...]`` draws the named figures, all of them by default.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from replicate import runs, style
from replicate.errors import ReplicationError

FIGURES = ("toy", "fig2", "fig4", "fig5", "table1")
MODELS = ("pca", "dictionary_learning", "lstm_vae")


def load(results, profile, dataset, seed, models=MODELS):
    """Return the complete run of every model, by name, and the provenance that all of them share.

    Raises
    ------
    ReplicationError
        If a run is missing, or the runs were made on different data.
    """
    loaded = {model: runs.load(results, profile, dataset, model, seed) for model in models}
    provenances = [run.record["provenance"] for run in loaded.values()]
    if any(provenance != provenances[0] for provenance in provenances):
        found = ", ".join(f"{model}: {' and '.join(run.record['provenance'].values())}" for model, run in loaded.items())
        raise ReplicationError(f"{Path(results) / profile / dataset}: runs on different data ({found}). Make them again on one.")
    return loaded, provenances[0]


def folder(results, profile):
    """Return where the figures of a profile go."""
    return Path(results) / profile / "figures"


def parser(description):
    """Return the command line of every figure script."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    made.add_argument("--results", default="results", help="folder of the runs")
    made.add_argument("--profile", default="standard", help="which runs to draw")
    made.add_argument("--seed", type=int, default=0, help="which of them")
    return made


def guarded(action):
    """Do `action`; return the exit code: 2, with the message alone, for what the user can mend."""
    try:
        action()
    except ReplicationError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def script(draw, name, description, argv=None):
    """Draw and save one figure as its command line asks; return the exit code."""
    asked = parser(description).parse_args(argv)
    return guarded(lambda: save(draw, name, asked.results, asked.profile, asked.seed))


def save(draw, name, results, profile, seed):
    """Draw one figure, save it as PNG and PDF, and print the paths."""
    for path in style.save(draw(results, profile, seed), folder(results, profile), name):
        print(path)


def draw_all(names, results, profile, seed=0):
    """Draw and save the named figures.

    Raises
    ------
    ReplicationError
        If a name is not a figure; nothing is drawn then.
    """
    unknown = [name for name in names if name not in FIGURES]
    if unknown:
        raise ReplicationError(f"{unknown[0]}: no such figure. There are {', '.join(FIGURES)}.")
    for name in names:
        save(importlib.import_module(name).draw, name, results, profile, seed)


def main(argv=None):
    """Draw the figures named on the command line."""
    made = parser("Draw the figures of the paper from stored runs.")
    made.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(FIGURES)}; all by default")
    asked = made.parse_args(argv)
    return guarded(lambda: draw_all(asked.names or FIGURES, asked.results, asked.profile, asked.seed))


if __name__ == "__main__":
    sys.exit(main())
