"""The page of the causal extension: a template that is filled in from a record.

So no number on the page is written by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from replicate.analysis.loops import DESCRIPTORS
from replicate.causal import statements
from replicate.causal.on_scan import SURVIVES
from replicate.study.family import LABELS

#: The template of the page, in Jinja.
TEMPLATE = Path(__file__).with_name("page.md.j2")

#: What a reader sees for each node of the causal graphs.
NAMES = {name: descriptor.label for name, descriptor in DESCRIPTORS.items()}
NAMES["row"] = "scan row"
NAMES["band"] = "band"


def render(record: dict[str, object]) -> str:
    """Return the page of a record.

    Parameters
    ----------
    record : dict
        As `record.compute` returns it, or read from ``causal.json``.

    Returns
    -------
    str
        Markdown.
    """
    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters["n"] = number
    environment.filters["short"] = short
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        r=record,
        survives=SURVIVES,
        verdicts=statements.judge_all(record)["statements"],
        edges=edges(record["graphs"]),
        labels=LABELS,
        names=NAMES,
    )


def number(value: float | Sequence[float] | None, digits: int = 2) -> str:
    """Write a number for a reader, or a list of numbers in brackets.

    Parameters
    ----------
    value : float, sequence of float, or None
        None becomes a dash.
    digits : int
        Number of decimals.

    Returns
    -------
    str
    """
    if value is None:
        return "–"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(number(each, digits) for each in value) + "]"
    return f"{value:.{digits}f}".replace("-", "−")


def short(value: float | None) -> str:
    """Write a number with three significant digits; whole ones have no decimals.

    Parameters
    ----------
    value : float or None
        None becomes a dash.

    Returns
    -------
    str
    """
    return "–" if value is None else f"{value:.3g}".replace("-", "−")


def edges(graphs: dict[str, object]) -> list[tuple[str, str, float, float]]:
    """Return the edges that survive the bootstrap, with one or with nine pixels a block.

    Parameters
    ----------
    graphs : dict
        As `on_scan.graphs` returns it, in plain numbers.

    Returns
    -------
    list of tuple
        The names of both ends, and the shares of the graphs of one and of nine pixels a block that
        have the edge. The greatest share of one pixel a block comes first.
    """
    nodes = graphs["nodes"]
    surviving = []
    for i in range(len(nodes)):
        for j in range(i):
            one_pixel = graphs["pc_1"][i][j]
            nine_pixels = graphs["pc_9"][i][j]
            if max(one_pixel, nine_pixels) >= SURVIVES:
                surviving.append((NAMES[nodes[j]], NAMES[nodes[i]], one_pixel, nine_pixels))
    return sorted(surviving, key=_share_of_one_pixel, reverse=True)


def _share_of_one_pixel(edge):
    return edge[2]
