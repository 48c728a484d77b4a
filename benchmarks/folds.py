"""Which pixels each fold leaves out, as a table: others can score a model without our code.

``python -m benchmarks.folds`` writes ``benchmarks/stored/folds.csv``, a line a pixel of the paper's
scan in the order of its arrays. A column is a split; its number is the fold that leaves the pixel
out.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import numpy as np
import pandas as pd

from benchmarks import sums
from replicate.commands import command
from replicate.data.heldout import row_stripes, spatial_folds
from replicate.data.scan import SHAPE
from replicate.files import write_text
from replicate.study.job import N_FOLDS, SPLITS

PATH = sums.FOLDER / "folds.csv"


def table() -> pd.DataFrame:
    """Return row, column and, of each split, the fold of every pixel of the paper's scan."""
    row, column = np.indices(SHAPE).reshape(2, -1)
    small, large = SPLITS["beps_heldout"]["block"], SPLITS["beps_buffered"]["block"]
    folds = {
        "beps_heldout": spatial_folds(block=small, n_folds=N_FOLDS, seed=0),
        "beps_buffered_0": spatial_folds(block=large, n_folds=N_FOLDS, seed=0),
        "beps_buffered_1": spatial_folds(block=large, n_folds=N_FOLDS, seed=1),
        "beps_stripes": row_stripes(n_folds=N_FOLDS),
    }
    return pd.DataFrame({"row": row, "column": column} | folds).rename_axis("pixel")


@command()
def main(arguments: Sequence[str] | None = None) -> int:
    """Write the table, and return the exit code."""
    argparse.ArgumentParser(description=__doc__).parse_args(arguments)
    write_text(PATH, table().to_csv(lineterminator="\n"))
    sums.write()
    print(PATH)
    return 0


if __name__ == "__main__":
    sys.exit(main())
