"""The sheets of the supplement: S3 and S4 on the toy problem; S5, S7, S8 and S10 on the scan.

S10 is also drawn in numbers, which the paper does not have.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from figures import supplement_scan, supplement_toy, violins
from figures.shared import common

#: The sheets by the name of their files, and what draws them; violins_beps is Figure S8.
SHEETS = {
    "s3_lambda": supplement_toy.draw_lambda,
    "s4_gamut": supplement_toy.draw_gamut,
    "s5_dictionary": supplement_scan.draw_dictionary,
    "s7_channels": supplement_scan.draw_channels,
    "violins_beps": violins.draw_scan,
    "s10_vae": supplement_scan.draw_vae,
    "s10_descriptors": supplement_scan.draw_correlations,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; a sheet that cannot be drawn does not keep the others from it."""
    return max([common.script(draw, name, __doc__, argv) for name, draw in SHEETS.items()])


if __name__ == "__main__":
    sys.exit(main())
