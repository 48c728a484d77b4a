"""The six questions that a reader comes with, each answered in a sentence, its claims under it."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import claims, firmness

#: File with a sentence for each question, whose numbers are filled in.
ANSWERS = Path(__file__).resolve().parent / "templates" / "questions.md"

#: Characters in a line of the answers.
WIDTH = 230

#: What the brackets in the sentences are.
INTERVALS = (
    "In square brackets: 95 % intervals over the five folds of one split of the scan, by Nadeau "
    "and Bengio, of differences of two models on the same pixels."
)

#: What the verdicts on the claims of a question are added up over: a name for a reader, and the
#: layer; None for the verdicts themselves.
VIEWS = {
    "As the paper says it": None,
    "beside other models": "as a comparison",
    "on unseen pixels": "on unseen pixels",
}

#: A line of that file: the short name of the question, and the sentence.
_LINE = re.compile(r"^\[(\w+)\] (.+)$", re.MULTILINE)


def answers(metrics: Mapping[str, dict]) -> dict[str, str]:
    """Return the sentence that answers each question, by its short name.

    Parameters
    ----------
    metrics : mapping of str to dict
        The ``metrics`` of a document with all that is stored.
    """
    sentences = dict(_LINE.findall(ANSWERS.read_text(encoding="utf-8")))
    return {name: claims.fill(sentences[name], metrics) for name in claims.QUESTIONS}


def in_a_minute(metrics: Mapping[str, dict]) -> str:
    """Return the questions and their answers in Markdown; parameters are those of `answers`."""
    sentences = answers(metrics)
    lines = [f"Only in part. {INTERVALS}", ""]
    lines += [
        textwrap.fill(
            f"{number}. **{question}** {sentences[name]}",
            WIDTH,
            subsequent_indent="   ",
            break_on_hyphens=False,
        )
        for number, (name, question) in enumerate(claims.QUESTIONS.items(), start=1)
    ]
    return "\n".join(lines)


def of_question(ledger: Sequence[dict], name: str) -> list[dict]:
    """Return the claims that belong to a question."""
    return [claim for claim in ledger if claim["question"] == name]


def weighed(document: dict, ledger: Sequence[dict]) -> str:
    """Return what the verdicts on claims add up to, each by the weight of its claim, in words.

    Parameters
    ----------
    document : dict
        The metrics, with all that is stored.
    ledger : sequence of dict
        The claims.
    """
    totals = {name: Counter() for name in VIEWS}
    for claim in ledger:
        judged = claims.judge(claim, document)
        for name, layer in VIEWS.items():
            verdict = judged["layers"].get(layer) if layer else judged["verdict"]
            if verdict is not None:
                totals[name][verdict] += claim["weight"]
    parts = [
        f"{name}: {_listed(weights)}" for name, weights in totals.items() if sum(weights.values())
    ]
    return f"{len(ledger)} claims, by weight. {'; '.join(parts)}"


def _listed(weights):
    """Return a weight for each verdict, in words."""
    return ", ".join(
        f"{weights[verdict]} {verdict}" for verdict in claims.VERDICTS if weights[verdict]
    )


def ledger_page(document: dict, ledger: Sequence[dict]) -> str:
    """Return the claims in Markdown, folded under the question that they belong to.

    Parameters
    ----------
    document : dict
        The metrics, with all that is stored.
    ledger : sequence of dict
        The claims.
    """
    sentences = answers(document["metrics"])
    parts = []
    for number, (name, question) in enumerate(claims.QUESTIONS.items(), start=1):
        asked = of_question(ledger, name)
        parts += [
            f"### {number}. {question}",
            sentences[name],
            f"<details>\n<summary>{weighed(document, asked)}</summary>",
            _table(document, asked),
            "</details>",
        ]
    return "\n\n".join(parts)


def _table(document, ledger):
    head = [
        "| the paper says | its value | weight | verdict | beside other models "
        "| on unseen pixels | how firm | what we found |",
        "| --- | --- | :---: | --- | --- | --- | --- | --- |",
    ]
    return "\n".join([*head, *(_row(claim, document) for claim in ledger)])


def _row(claim, document):
    judged = claims.judge(claim, document)
    cells = (
        f"“{claim['quote']}” ({claim['place']}) `{claim['id']}`",
        claim["paper"],
        str(claim["weight"]),
        f"**{claim['verdict']}**",
        judged["layers"].get("as a comparison", "–"),
        judged["layers"].get("on unseen pixels", "–"),
        str(firmness.of_claim(claim, document["metrics"])),
        judged["note"],
    )
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(text):
    return text.replace("|", "\\|").replace("\n", " ")
