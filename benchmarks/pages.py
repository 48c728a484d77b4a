"""The pages that hold numbers: README and docs.

Their numbers are written from the stored metrics and both ledgers, never by hand.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from benchmarks import claims, heldout_table, split_table
from benchmarks.store import ROOT
from replicate.causal.statements import VERDICTS
from replicate.errors import ReplicationError
from replicate.files import write_text
from replicate.numbers.tables import caption, markdown, results_table
from replicate.study.studies import FAMILY, PAPER

TEMPLATES = Path(__file__).resolve().parent / "templates"

#: Every page that holds numbers, as a path in the repository, and the sections between its markers.
PAGES = {
    "README.md": ("answer", "heldout", "verdicts"),
    "docs/results.md": ("results", "family"),
    "docs/ledger.md": ("claims", "statements"),
    "docs/findings.md": ("findings",),
    "docs/splits.md": ("splits",),
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
    return {
        "answer": _filled("answer.md", metrics),
        "heldout": heldout_table.render(metrics),
        "verdicts": _counts("claims of the paper", claims.VERDICTS, ledger),
        "results": _results(document),
        "family": _table(metrics, FAMILY),
        "claims": _claims(document, ledger),
        "statements": _statements(statements),
        "findings": _filled("findings.md", metrics),
        "splits": split_table.render(metrics, split_table.stored_runs()),
    }


def insert(text, sections, page):
    """Return a text with what stands between the markers of each section replaced.

    Parameters
    ----------
    text : str
    sections : dict of str to str
        The new text of each section, by its name.
    page : str
        What the text is called in an error.

    Raises
    ------
    ReplicationError
        If the markers of a section do not stand in the text exactly once.
    """
    for name, section in sections.items():
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        parts = re.split(f"{begin}.*?{end}", text, flags=re.DOTALL)
        if len(parts) != 2:
            raise ReplicationError(
                f"{page}: the markers {begin} and {end} must stand there once. "
                "Restore them with git."
            )
        text = f"{parts[0]}{begin}\n{section}\n{end}{parts[1]}"
    return text


def write_section(path: Path, name: str, section: str) -> None:
    """Write one section of a page that stands between its markers anew.

    Parameters
    ----------
    path : Path
        The page.
    name : str
        Name of the section.
    section : str
        Its new text.

    Raises
    ------
    ReplicationError
        If the page cannot be read, or its markers do not stand there once.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ReplicationError(f"{path}: not readable ({error}). Restore it with git.") from error
    write_text(path, insert(text, {name: section}, f"{path.parent.name}/{path.name}"))


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


def _claims(document, ledger):
    head = [
        "| part | the paper says | its value | verdict | what we found |",
        "| --- | --- | --- | --- | --- |",
    ]
    rows = [_claim_row(claim, claims.judge(claim, document)["note"]) for claim in ledger]
    return _with_counts("claims", claims.VERDICTS, ledger, [*head, *rows])


def _claim_row(claim, note):
    quote = f"“{_cell(claim['quote'])}” ({_cell(claim['place'])}) `{claim['id']}`"
    verdict = f"**{claim['verdict']}**"
    cells = (claim["section"], quote, _cell(claim["paper"]), verdict, _cell(note))
    return f"| {' | '.join(cells)} |"


def _statements(statements):
    head = ["| the abstract says | verdict | judged by |", "| --- | --- | --- |"]
    rows = [
        f"| “{_cell(each['quote'])}” | **{each['verdict']}** | {_cell(_outcomes(each))} |"
        for each in statements
    ]
    return _with_counts("statements", VERDICTS, statements, [*head, *rows])


def _outcomes(statement):
    """Return the conditions of a statement, each with a mark for whether it holds."""
    marks = {True: "✓", False: "✗", None: "–"}
    lines = [f"{marks[each['holds']]} {each['says']}" for each in statement["conditions"]]
    return "<br>".join(lines) or "no condition can be stated"


def _with_counts(name, verdicts, judged, table):
    """Return how many of `judged` have each verdict, and under it the lines of a table."""
    lines = "\n".join(table)
    return f"{_counts(name, verdicts, judged)}\n\n{lines}"


def _counts(name, verdicts, judged):
    """Return how many of `judged` have each verdict, as a sentence."""
    counts = Counter(each["verdict"] for each in judged)
    listed = ", ".join(f"{counts[verdict]} {verdict}" for verdict in verdicts if counts[verdict])
    return f"Of {len(judged)} {name}: {listed}."


def _cell(text):
    return text.replace("|", "\\|").replace("\n", " ")
