"""The pages that hold numbers: README and docs.

Their numbers are written from the stored metrics and both ledgers, never by hand.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from benchmarks import claims, heldout_table, paired, questions
from benchmarks.evidence import complete
from benchmarks.sections import insert
from benchmarks.store import ROOT, Store
from replicate.causal.statements import VERDICTS
from replicate.files import write_text
from replicate.numbers.tables import caption, markdown, results_table
from replicate.study.studies import FAMILY, PAPER

TEMPLATES = Path(__file__).resolve().parent / "templates"

#: Every page that holds numbers, as a path in the repository, and the sections between its markers.
PAGES = {
    "README.md": ("answer", "heldout"),
    "docs/results.md": ("results", "family", "paired"),
    "docs/ledger.md": ("claims", "statements"),
    "docs/findings.md": ("findings",),
}


def read(root=ROOT):
    """Return the text of every page, a dict of path in the repository to str."""
    return {path: (Path(root) / path).read_text(encoding="utf-8") for path in PAGES}


def renew(texts, document, ledger, statements):
    """Return pages with every section between markers written anew.

    Parameters
    ----------
    texts : dict of str to str
        The pages as `read` returns them.
    document : dict
        As read from metrics.json.
    ledger : list of dict
        The claims, as read from claims.json.
    statements : list of dict
        The statements of the causal extension's source, judged.

    Returns
    -------
    dict of str to str

    Raises
    ------
    ReplicationError
        If the markers of a section do not stand on its page exactly once.
    """
    sections = render(document, ledger, statements)
    return {
        path: insert(text, {name: sections[name] for name in PAGES[path]}, path)
        for path, text in texts.items()
    }


def rewrite(root, document, ledger, statements):
    """Write every page of a repository anew; parameters are those of `renew`."""
    for path, text in renew(read(root), document, ledger, statements).items():
        write_text(Path(root) / path, text)


def render(document, ledger, statements):
    """Return every generated section by name; parameters are those of `renew`."""
    metrics = document["metrics"]
    whole = complete(document)
    return {
        "answer": questions.in_a_minute(whole["metrics"]),
        "heldout": heldout_table.render(metrics),
        "results": _results(document),
        "family": _table(metrics, FAMILY),
        "paired": paired.table(metrics, Store().block_table()),
        "claims": questions.ledger_page(whole, ledger),
        "statements": _statements(statements),
        "findings": _filled("findings.md", whole["metrics"]),
    }


def _filled(template, metrics):
    """Return a template with its numbers filled in."""
    text = (TEMPLATES / template).read_text(encoding="utf-8")
    return claims.fill(text, metrics).rstrip()


def _results(document):
    metrics, machine = document["metrics"], document["machine"]
    made = (
        f"Profile `{document['profile']}`, made on {machine['processor']}, "
        f"{machine['cores']} cores, one thread a run."
    )
    return f"{_table(metrics, PAPER)}\n\n{made}"


def _table(metrics, study):
    """Return the results table of a study and its caption."""
    return f"{markdown(results_table(metrics, study))}\n\n{caption(metrics, study)}"


def _statements(statements):
    head = ["| the abstract says | verdict | judged by |", "| --- | --- | --- |"]
    rows = [
        f"| “{_cell(each['quote'])}” | **{each['verdict']}** | {_cell(_outcomes(each))} |"
        for each in statements
    ]
    table = "\n".join([*head, *rows])
    return f"{_counts(statements)}\n\n{table}"


def _outcomes(statement):
    """Return the conditions of a statement, each with a mark for whether it holds."""
    marks = {True: "✓", False: "✗", None: "–"}
    lines = [f"{marks[each['holds']]} {each['says']}" for each in statement["conditions"]]
    return "<br>".join(lines) or "no condition can be stated"


def _counts(statements):
    """Return how many statements have each verdict, as a sentence."""
    counts = Counter(each["verdict"] for each in statements)
    listed = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
    return f"Of {len(statements)} statements: {listed}."


def _cell(text):
    return text.replace("|", "\\|").replace("\n", " ")
