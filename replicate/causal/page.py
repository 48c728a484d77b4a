"""The page of the causal extension: a template filled in from a record, so that no number in it is written by hand."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, StrictUndefined

from replicate.analysis.loops import DESCRIPTORS
from replicate.causal import on_scan as measured
from replicate.causal import statements
from replicate.study.family import LABELS

TEMPLATE = Path(__file__).with_name("page.md.j2")
NAMES = {
    "row": "scan row",
    "band": "band",
    **{name: own.label for name, own in DESCRIPTORS.items()},
}


def render(record):
    """Return the page of a record, Markdown."""
    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters |= {"n": number, "short": short}
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    tables = {
        "verdicts": statements.judge_all(record)["statements"],
        "edges": edges(record["graphs"]),
        "labels": LABELS,
        "names": NAMES,
    }
    return template.render(r=record, survives=measured.SURVIVES, **tables)


def number(value, digits=2):
    """Return a number for a reader, a list of them in brackets."""
    if value is None:
        return "–"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(number(each, digits) for each in value) + "]"
    return f"{value:.{digits}f}".replace("-", "−")


def short(value):
    """Return a number with three significant digits, whole ones without decimals."""
    return "–" if value is None else f"{value:.3g}".replace("-", "−")


def edges(graphs):
    """Return the edges that survive the bootstrap, with one or with nine pixels a block: names and both shares."""
    strict, loose, nodes = graphs["pc_1"], graphs["pc_9"], graphs["nodes"]
    pairs = [
        (i, j)
        for i in range(len(nodes))
        for j in range(i)
        if max(strict[i][j], loose[i][j]) >= measured.SURVIVES
    ]
    return sorted(
        ((NAMES[nodes[j]], NAMES[nodes[i]], strict[i][j], loose[i][j]) for i, j in pairs),
        key=lambda each: -each[2],
    )
