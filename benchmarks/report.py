"""One page of results that opens offline: verdicts, claims, figures, tables, provenance, failures.

``python benchmarks/report.py`` reads a profile's results and writes report.html beside them, with everything it needs inside.
"""

from __future__ import annotations

import argparse
import base64
import io
import re
import sys
from collections import Counter
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from benchmarks import claims, rows
from replicate import causal
from replicate.data.remote.manifest import read_manifest
from replicate.data.sources import own_scan
from replicate.data.user_scan.scan_file import summary
from replicate.errors import ReplicationError
from replicate.files import read_json, write_text
from replicate.numbers.kinds import kind_of
from replicate.numbers.metrics import read_metrics
from replicate.numbers.tables import caption, is_of_own, results_table
from replicate.provenance import STAND_INS, provenance_texts
from replicate.running.runs import Run

FOLDER = Path(__file__).resolve().parent
FIGURES = read_json(FOLDER / "report_figures.json")
"""Title and alternative text of every figure, in the order they are shown."""

ON_REQUEST = (*(name for name in FIGURES if re.match(r"s\d", name)), "twin", "causal")
"""Those that are drawn only where they are named: nobody misses them."""

OF_SCAN = ("fig4", "fig5", "descriptors", "violins_beps", "violins_pixels", "cost")
"""Those of them that a scan of the user's own has."""

WIDEST = 1800
"""Pixels: a wider figure is made smaller, to keep the page light."""


def write(results, profile):
    """Write ``report.html`` of a profile and return its path.

    Raises
    ------
    ReplicationError
        If there are no metrics to report, or a file cannot be read.
    """
    folder = Path(results) / profile
    if not (folder / "metrics.json").exists():
        raise ReplicationError(
            f"{folder / 'metrics.json'}: there is nothing to report yet. Run `nox -s replicate` first."
        )
    write_text(folder / "report.html", render(read_metrics(folder / "metrics.json"), folder))
    return folder / "report.html"


def render(document, folder):
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
    records, shown, provenances = (
        _records(folder),
        _figures(folder / "figures"),
        _provenances(document),
    )
    is_study = not is_of_own(document["metrics"])
    # What the paper claims is of its own data.
    judged = (
        [claim | {"judged": claims.judge(claim, document)} for claim in claims.read()]
        if is_study
        else []
    )
    expected = [name for name in FIGURES if name not in ON_REQUEST] if is_study else OF_SCAN
    return environment.get_template("report.html.j2").render(
        document=document,
        n_seeds=sorted({len(entry["seeds"]) for entry in document["metrics"].values()}),
        provenances=provenances,
        scan=None if is_study else "; ".join(summary(own_scan(name)) for name in provenances),
        stand_ins=STAND_INS,
        verdicts=claims.VERDICTS,
        counts=Counter(claim["judged"]["verdict"] for claim in judged),
        claims=judged,
        statements=_statements(folder.parent),
        sections=list(dict.fromkeys(claim["section"] for claim in judged)),
        figures=shown,
        table=results_table(document["metrics"]),
        caption=caption(document["metrics"]),
        kind_of=kind_of,
        files=_data_files(records.values()),
        thread_pools=_thread_pools(records.values()),
        failures=_failures(folder, records),
        missing=[name for name in expected if name not in {figure["name"] for figure in shown}],
    )


def _number(value):
    """Write a number with four significant digits, or whole where it is large or a count."""
    return f"{value:.0f}" if value == round(value) or abs(value) >= 1000 else f"{value:.4g}"


def _provenances(document):
    """Return the provenance of the metrics, and how each is called."""
    return provenance_texts({entry["provenance"] for entry in document["metrics"].values()})


def _records(folder):
    """Return the record of every run that has ended, by ``<dataset>/<model>/seed<k>``."""
    return {
        path.parent.relative_to(folder).as_posix(): Run(path.parent).record
        for path in sorted(folder.glob("*/*/seed*/record.json"))
    }


def _figures(folder):
    """Return name, title, alternative text and picture of every figure that was drawn: the known ones in their order, then others."""
    drawn = {path.stem: path for path in sorted(folder.glob("*.png"))}
    known = {name: text for name, text in FIGURES.items() if name in drawn}
    others = {
        name: {"title": "Figure", "alt": f"Figure {name}, not described."}
        for name in drawn
        if name not in FIGURES
    }
    return [
        {"name": name, "source": _data_uri(drawn[name]), **text}
        for name, text in {**known, **others}.items()
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
    stream = io.BytesIO()
    image.resize(
        (WIDEST, round(image.height * WIDEST / image.width)), Image.Resampling.LANCZOS
    ).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _data_files(records):
    """Return key, recorded sha256 and manifest entry, None where there is none, of every data file that a run was made from."""
    used = sorted({pair for record in records for pair in record.get("data_sha256", {}).items()})
    manifest = read_manifest()
    return [(key, sha256, manifest.get(key)) for key, sha256 in used]


def _statements(results):
    """Return the judged statements of the causal extension's source; none where it was not run."""
    path = causal.folder(results) / "verdicts.json"
    return read_json(path)["statements"] if path.exists() else []


def _thread_pools(records):
    pools = [pool for record in records for pool in record.get("thread_pools", [])]
    return sorted(
        {
            f"{pool['prefix']} {pool['version'] or ''}".strip() + f": {pool['num_threads']}"
            for pool in pools
        }
    )


def _failures(folder, records):
    """Return run, source and error of what failed: in the last row of its job in ``bench.jsonl``, or in its record."""
    last = {
        f"{row['dataset']}/{row['model']}/seed{row['seed']}": row
        for row in rows.read(folder / "bench.jsonl")
    }
    found = [("bench.jsonl", last), ("record.json", records)]
    failed = {
        name: (file, entry.get("error"))
        for file, entries in found
        for name, entry in entries.items()
        if entry["status"] == "failed"
    }
    return [(name, *detail) for name, detail in sorted(failed.items())]


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--results", default="results", metavar="FOLDER", help="where the runs are")
    parser.add_argument("--profile", default="standard", help="of the runs to report")
    options = parser.parse_args(argv)
    try:
        print(write(options.results, options.profile))
    except ReplicationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
