"""All numbers that the ledger and the pages are judged by: the stored metrics and what lies beside.

The network of the paper's size and the other splits of the scan are trained apart from the
benchmark, and stored apart.
"""

from __future__ import annotations

from benchmarks import splits
from benchmarks.paper_network import with_paper_network


def complete(document: dict) -> dict:
    """Return a metrics document with the numbers added that are stored apart.

    Parameters
    ----------
    document : dict
        As read from metrics.json.
    """
    return splits.with_splits(with_paper_network(document))
