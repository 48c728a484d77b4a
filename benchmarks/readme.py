"""The parts of the README that hold numbers: written from the stored metrics and the claims ledger, never by hand."""

from __future__ import annotations

import re
from collections import Counter

from benchmarks import claims
from benchmarks.store import ROOT
from replicate.causal.statements import VERDICTS
from replicate.errors import ReplicationError
from replicate.numbers.tables import caption, family_caption, family_table, markdown, results_table

README = ROOT / "README.md"
FINDINGS = ROOT / "benchmarks" / "findings.md"


def render(document, ledger, statements):
    """Return the generated sections of the README, by name.

    Parameters
    ----------
    document : dict
        As read from metrics.json.
    ledger : list of dict
        As read from claims.json.
    statements : list of dict
        Of the causal extension's source, judged.
    """
    findings = claims.fill(FINDINGS.read_text(encoding="utf-8"), document["metrics"]).rstrip()
    tables = {"claims": _claims(document, ledger), "statements": _statements(statements)}
    return {"results": _results(document), "findings": findings, **tables}


def insert(text, sections):
    """Return `text` with what stands between the markers of each section replaced.

    Raises
    ------
    ReplicationError
        If the markers of a section are not there once.
    """
    for name, section in sections.items():
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        text, found = re.subn(
            f"{begin}.*?{end}",
            lambda _, body=section: f"{begin}\n{body}\n{end}",  # noqa: B023
            text,
            flags=re.DOTALL,
        )
        if found != 1:
            raise ReplicationError(
                f"README.md: the markers {begin} and {end} must stand there once."
            )
    return text


def _results(document):
    metrics, machine = document["metrics"], document["machine"]
    made = f"Profile `{document['profile']}`, made on {machine['processor']}, {machine['cores']} cores, one thread a run."
    paper = f"{markdown(results_table(metrics))}\n\n{caption(metrics)} {made}"
    return f"{paper}\n\n### The whole family\n\n{markdown(family_table(metrics))}\n\n{family_caption(metrics)}"


def _claims(document, ledger):
    judged = [(claim, claims.judge(claim, document)) for claim in ledger]
    rows = [
        f"| {claim['section']} | “{_cell(claim['quote'])}” ({_cell(claim['place'])}) | {_cell(claim['paper'])} | **{claim['verdict']}** | "
        f"{_cell(result['note'])} |"
        for claim, result in judged
    ]
    head = [
        "| part | the paper says | its value | verdict | what we found |",
        "| --- | --- | --- | --- | --- |",
    ]
    return _folded("claims", claims.VERDICTS, ledger, [*head, *rows])


def _statements(statements):
    rows = [
        f"| “{_cell(each['quote'])}” | **{each['verdict']}** | {_cell(_outcomes(each['conditions']))} |"
        for each in statements
    ]
    return _folded(
        "statements",
        VERDICTS,
        statements,
        ["| the abstract says | verdict | judged by |", "| --- | --- | --- |", *rows],
    )


def _outcomes(conditions):
    marks = {True: "✓", False: "✗", None: "–"}
    return (
        "<br>".join(f"{marks[each['holds']]} {each['says']}" for each in conditions)
        or "no condition can be stated"
    )


def _folded(name, verdicts, judged, table):
    """Return how many have each verdict, and the table behind a click."""
    counts = Counter(each["verdict"] for each in judged)
    summary = ", ".join(f"{counts[verdict]} {verdict}" for verdict in verdicts if counts[verdict])
    lines = "\n".join(table)
    return f"Of {len(judged)} {name}: {summary}.\n\n<details>\n<summary>All {name}</summary>\n\n{lines}\n\n</details>"


def _cell(text):
    return text.replace("|", "\\|").replace("\n", " ")
