"""Compute the causal extension: ``python -m replicate.causal --results results``.

``python figures/causal.py`` then draws it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from replicate import seals
from replicate.causal import folder, library, page, record
from replicate.commands import command
from replicate.data import sources
from replicate.files import write_text

#: Modules of the extra `causal`. They are looked for before anything is computed.
LIBRARIES = ("dynesty", "lingam", "causallearn")


@command()
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.

    Returns
    -------
    int
        Exit code: 0, 2 for what the user can mend, 130 if it was stopped.
    """
    options = _parser().parse_args(argv)
    if options.page:
        _write_page(options)
    else:
        _compute(options)


def _parser():
    parser = argparse.ArgumentParser(prog="python -m replicate.causal", description=__doc__)
    parser.add_argument(
        "--results",
        default="results",
        metavar="FOLDER",
        help="where the runs are, and where causal/ goes",
    )
    parser.add_argument(
        "--profile", default="standard", help="of the runs whose latents are looked at"
    )
    parser.add_argument(
        "--data", choices=("auto", "measured", "simulated"), default="auto", help="which scan"
    )
    parser.add_argument(
        "--page",
        metavar="FILE",
        help="write the page from the record that is there, and compute nothing",
    )
    return parser


def _write_page(options):
    stored = seals.read(folder(options.results) / "causal.json")
    write_text(Path(options.page), page.render(stored))


def _compute(options):
    for name in LIBRARIES:
        library(name)
    record.compute(options.results, options.profile, sources.resolve(options.data).scan)
    print(folder(options.results) / "causal.json")
