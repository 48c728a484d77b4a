"""The parts of the README that hold numbers: written from the stored metrics and the claims ledger, never by hand."""

from __future__ import annotations

import re
from collections import Counter

import claims
from store import ROOT

from replicate.errors import ReplicationError
from replicate.tables import caption, family_caption, family_table, markdown, results_table

README = ROOT / "README.md"
FINDINGS = ROOT / "benchmarks" / "findings.md"


def render(document, ledger):
    """Return the generated sections of the README, by name.

    Parameters
    ----------
    document : dict
        As read from metrics.json.
    ledger : list of dict
        As read from claims.json.
    """
    findings = claims.fill(FINDINGS.read_text(encoding="utf-8"), document["metrics"]).rstrip()
    return {"results": _results(document), "findings": findings, "claims": _claims(document, ledger)}


def insert(text, sections):
    """Return `text` with what stands between the markers of each section replaced.

    Raises
    ------
    ReplicationError
        If the markers of a section are not there once.
    """
    for name, section in sections.items():
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        text, found = re.subn(f"{begin}.*?{end}", lambda _, body=section: f"{begin}\n{body}\n{end}", text, flags=re.DOTALL)  # noqa: B023
        if found != 1:
            raise ReplicationError(f"README.md: the markers {begin} and {end} must stand there once.")
    return text


def _results(document):
    metrics, machine = document["metrics"], document["machine"]
    made = f"Profile `{document['profile']}`, made on {machine['processor']}, {machine['cores']} cores, one thread a run."
    paper = f"{markdown(results_table(metrics))}\n\n{caption(metrics)} {made}"
    return f"{paper}\n\n### The whole family\n\n{markdown(family_table(metrics))}\n\n{family_caption(metrics)}"


def _claims(document, ledger):
    judged = [(claim, claims.judge(claim, document)) for claim in ledger]
    counts = Counter(claim["verdict"] for claim in ledger)
    summary = ", ".join(f"{counts[verdict]} {verdict}" for verdict in claims.VERDICTS if counts[verdict])
    rows = [
        f"| {claim['section']} | “{_cell(claim['quote'])}” ({_cell(claim['place'])}) | {_cell(claim['paper'])} | **{claim['verdict']}** | "
        f"{_cell(result['note'])} |"
        for claim, result in judged
    ]
    table = ["| part | the paper says | its value | verdict | what we found |", "| --- | --- | --- | --- | --- |", *rows]
    return f"Of {len(ledger)} claims: {summary}.\n\n<details>\n<summary>All claims</summary>\n\n" + "\n".join(table) + "\n\n</details>"


def _cell(text):
    return text.replace("|", "\\|").replace("\n", " ")
