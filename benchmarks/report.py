"""One page of results that opens offline: verdicts, claims, figures, tables, provenance, failures.

``python benchmarks/report.py`` reads a profile's results and writes report.html beside them, with
everything it needs inside.
"""

from __future__ import annotations

import argparse
import base64
import io
import re
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from PIL import Image

from benchmarks import claims, firmness, questions, rows
from benchmarks.brief import RULE, brief
from benchmarks.evidence import complete
from benchmarks.store import Store
from replicate import causal, seals
from replicate.catalogue import PICTURES, pictures_of
from replicate.commands import command
from replicate.data.remote.manifest import read_manifest
from replicate.data.sources import load_scan
from replicate.errors import ReplicationError
from replicate.files import write_text
from replicate.numbers.kinds import kind_of
from replicate.numbers.metrics import read_metrics, seeds_of
from replicate.numbers.tables import caption, results_table
from replicate.provenance import STAND_INS, is_own_scan, texts
from replicate.running import runs, scan_results
from replicate.study.studies import PAPER, study_on

#: Folder of the template of the page.
FOLDER = Path(__file__).resolve().parent

#: A figure that is wider, in pixels, is made smaller, to keep the page light.
WIDEST = 1800


def write(results: Path, profile: str) -> Path:
    """Write ``report.html`` of a profile and return its path.

    Raises
    ------
    ReplicationError
        If there are no metrics to report, or a file cannot be read.
    """
    folder = Path(results) / profile
    if not (folder / "metrics.json").exists():
        raise ReplicationError(
            f"{folder / 'metrics.json'}: there is nothing to report yet. "
            f"{scan_results.advice(results, profile)}"
        )
    write_text(folder / "report.html", render(read_metrics(folder / "metrics.json"), folder))
    return folder / "report.html"


def render(document: dict, folder: Path) -> str:
    """Return the page as text.

    Parameters
    ----------
    document : dict
        As read from metrics.json.
    folder : Path
        The results of the profile: its runs, figures and ``bench.jsonl``.
    """
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _number
    environment.filters["with_code"] = _with_code
    environment.filters["optional"] = lambda value: "–" if value is None else _number(value)
    metrics = document["metrics"]
    provenances = texts(entry["provenance"] for entry in metrics.values())
    study = study_on(provenances)
    records, figures = _records(folder), _figures(folder / "figures")
    published = complete(Store().metrics())
    judged = _judged_claims(document, published) if study is PAPER else []
    return environment.get_template("report.html.j2").render(
        document=document,
        n_seeds=sorted({len(entry["seeds"]) for entry in metrics.values()}),
        provenances=provenances,
        scan=None if study is PAPER else _brief(metrics, provenances, folder),
        rule=RULE,
        stand_ins=STAND_INS,
        verdicts=claims.VERDICTS,
        counts=Counter(claim["judged"]["verdict"] for claim in judged),
        questions=claims.QUESTIONS,
        answers=questions.answers(published["metrics"]),
        claims=judged,
        seeds_here=len(seeds_of(document)),
        seeds_published=len(seeds_of(Store().metrics())),
        statements=_statements(folder.parent),
        figures=figures,
        table=results_table(metrics, study),
        caption=caption(metrics, study),
        kind_of=kind_of,
        files=_data_files(records.values()),
        thread_pools=_thread_pools(records.values()),
        failures=_failures(folder, records),
        missing=_missing_figures(study, figures),
    )


def _judged_claims(document, published):
    """Return every claim with its judgement by a document, and how firm the published one is."""
    return [
        claim
        | {
            "judged": claims.judge(claim, document, published),
            "firmness": firmness.of_claim(claim, published["metrics"]),
        }
        for claim in claims.read()
    ]


def _brief(metrics, provenances, folder):
    """Return a user's own scan in brief."""
    (provenance,) = filter(is_own_scan, provenances)
    return brief(metrics, load_scan(provenance), folder)


def _missing_figures(study, figures):
    """Return the names of the pictures that a study should have and that are not there.

    The report of the paper's study also shows the pictures of the benchmark.
    """
    expected = pictures_of((study.wider or study).name)
    drawn = {figure["name"] for figure in figures}
    return [picture.name for picture in expected if picture.name not in drawn]


def _number(value):
    """Write a number with four significant digits, or whole where it is large or a count."""
    return f"{value:.0f}" if value == round(value) or abs(value) >= 1000 else f"{value:.4g}"


def _with_code(text):
    """Return a text as HTML, with what stands between backticks as code."""
    return Markup(re.sub("`(.*?)`", r"<code>\1</code>", str(escape(text))))


def _records(folder):
    """Return the record of every run that has ended well or badly, by its place.

    The place is ``<dataset>/<model>/seed<k>``. Damaged runs are left out.
    """
    return {
        run.folder.relative_to(folder).as_posix(): run.record
        for run in runs.ended(folder)
        if not run.damage
    }


def _figures(folder):
    """Return name, title, alternative text and source of every picture that was drawn.

    They are in the order of the catalogue.
    """
    drawn = [picture for picture in PICTURES if (folder / f"{picture.name}.png").exists()]
    return [
        {
            "name": picture.name,
            "title": picture.title,
            "alt": picture.alt,
            "source": _data_uri(folder / f"{picture.name}.png"),
        }
        for picture in drawn
    ]


def _data_uri(path):
    """Return a picture as a data URI, at most `WIDEST` pixels wide."""
    try:
        with Image.open(path) as image:
            image.load()
            content = path.read_bytes() if image.width <= WIDEST else _narrowed(image)
    except OSError as error:
        raise ReplicationError(
            f"{path}: not a readable picture ({error}). Draw it again with `nox -s figures`."
        ) from error
    return "data:image/png;base64," + base64.b64encode(content).decode()


def _narrowed(image):
    """Return a picture as the bytes of a PNG that is `WIDEST` pixels wide."""
    stream = io.BytesIO()
    size = (WIDEST, round(image.height * WIDEST / image.width))
    image.resize(size, Image.Resampling.LANCZOS).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _data_files(records):
    """Return key, recorded sha256 and manifest entry of every data file that a run was made from.

    The entry of a file that is not in the manifest is None.
    """
    used = sorted({pair for record in records for pair in record.get("data_sha256", {}).items()})
    manifest = read_manifest()
    return [(key, sha256, manifest.get(key)) for key, sha256 in used]


def _statements(results):
    """Return the judged statements of the causal extension's source; none where it was not run."""
    path = causal.folder(results) / "verdicts.json"
    return seals.read(path)["statements"] if path.exists() else []


def _thread_pools(records):
    """Return name, version and number of threads of every thread pool of the runs, once."""
    pools = [pool for record in records for pool in record.get("thread_pools", [])]
    return sorted({_pool_text(pool) for pool in pools})


def _pool_text(pool):
    library = f"{pool['prefix']} {pool['version'] or ''}".strip()
    return f"{library}: {pool['num_threads']}"


def _failures(folder, records):
    """Return run, source and error of every run that failed or is damaged.

    The source is ``bench.jsonl``, of which the last row of each run counts, or ``record.json``,
    which has the last word.
    """
    last_rows = {
        f"{row['dataset']}/{row['model']}/seed{row['seed']}": row
        for row in rows.read(folder / "bench.jsonl")
    }
    failed = {}
    for source, entries in (("bench.jsonl", last_rows), ("record.json", records)):
        for name, entry in entries.items():
            if entry["status"] == "failed":
                failed[name] = (name, source, entry.get("error"))
    for run in runs.ended(folder):
        if run.damage:
            name = run.folder.relative_to(folder).as_posix()
            failed[name] = (name, "record.json", run.damage)
    return [failed[name] for name in sorted(failed)]


@command()
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line, and return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--results", default="results", metavar="FOLDER", help="where the runs are")
    parser.add_argument("--profile", default="standard", help="of the runs to report")
    options = parser.parse_args(argv)
    print(write(options.results, options.profile))
    return 0


if __name__ == "__main__":
    sys.exit(main())
