"""Compute the causal extension: ``python -m replicate.causal --results results``, then ``python figures/causal.py`` draws it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from replicate.causal import folder, library, page, record
from replicate.data import sources
from replicate.errors import ReplicationError
from replicate.files import read_json, write_text

LIBRARIES = ("dynesty", "lingam", "causallearn")


def main(argv=None):
    """Run the command line; return its exit code, 2 for what the user can mend."""
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
    options = parser.parse_args(argv)
    try:
        if options.page:
            write_text(
                Path(options.page), page.render(read_json(folder(options.results) / "causal.json"))
            )
            return 0
        for name in LIBRARIES:
            library(name)
        record.compute(options.results, options.profile, sources.resolve(options.data).scan)
        print(folder(options.results) / "causal.json")
    except ReplicationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "stopped; the map and what was sampled are kept. Run again to go on.", file=sys.stderr
        )
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
