"""The report: verdicts are judged from the run, and nothing is fetched or left unescaped.

In a browser filters work and nothing overflows.
"""

from __future__ import annotations

import base64
import functools
import html
import io
import json
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import claims, questions, report
from benchmarks.evidence import complete
from benchmarks.store import Store
from replicate import seals
from replicate.errors import ReplicationError
from replicate.files import write_json
from replicate.numbers.metrics import SCHEMA_VERSION, summarise, write_metrics

ROOT = Path(__file__).resolve().parents[2]

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None
)
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium to open the page")

REAL = {"spectra": "measured", "picture": "painting"}
SIMULATED = {"spectra": "simulated twin", "picture": "sample photograph"}
MSE = {"pca": 0.25, "lstm_vae": 0.125}
SCAN_SHA256 = "ab" * 32


def claim(name, conditions, verdict, **changes):
    whole = {
        "id": name,
        "question": "linearity",
        "weight": 2,
        "section": "Scan",
        "place": "Figure 4",
        "quote": "a quote",
        "paper": "0.36",
        "read": "printed",
        "reason": "a reason",
        "bounds": "set before",
    }
    whole |= {
        "note": "a note",
        "reproduce": "nox -s replicate",
        "beside": ["beps.pca.mse"],
        "verdict": verdict,
    }
    return whole | {"conditions": conditions} | changes


def at_most(value, metric="beps.lstm_vae.mse"):
    return {
        "says": f"at most {value}",
        "layer": "as said",
        "metric": metric,
        "rule": "at most",
        "value": value,
    }


CLAIMS = [
    claim("holds", [at_most(0.2)], "replicated", quote="MSE < 0.2 & <b>falling</b>"),
    claim("half", [at_most(0.2), at_most(0.2, "beps.pca.mse")], "partly", question="order"),
    claim("stale", [at_most(0.1)], "replicated", note="It is {beps.lstm_vae.mse:.3f}."),
    claim("wordy", [], "not testable"),
]
JUDGED = {
    "holds": "replicated",
    "half": "partly",
    "stale": "not replicated",
    "wordy": "not testable",
}


@pytest.fixture(autouse=True)
def ledger(tmp_path, monkeypatch):
    write_json(tmp_path / "claims.json", {"schema_version": 2, "claims": CLAIMS})
    monkeypatch.setattr(claims, "read", functools.partial(claims.read, tmp_path / "claims.json"))


def write_results(results, provenance=REAL, seeds=3):
    """Write the metrics, records and one figure of a run, its numbers made up."""
    records = [
        {
            "dataset": "beps",
            "model": model,
            "seed": seed,
            "provenance": provenance,
            "status": "complete",
            "key": "0",
        }
        | {
            "metrics": {"mse": mse, "n_parameters": 30354},
            "data_sha256": {"piezoresponse": SCAN_SHA256},
        }
        | {
            "thread_pools": [
                {
                    "prefix": "libgomp",
                    "version": None,
                    "num_threads": 1,
                    "filepath": "/home/someone/libgomp.so",
                }
            ]
        }
        for model, mse in MSE.items()
        for seed in range(seeds)
    ]
    folder = results / "smoke"
    for record in records:
        place = folder / "beps" / record["model"] / f"seed{record['seed']}"
        write_json(place / "record.json", seals.sealed(record))
    document = {
        "schema_version": SCHEMA_VERSION,
        "profile": "smoke",
        "git_commit": "0" * 40,
        "machine": {"cores": 2},
        "versions": {},
    }
    write_metrics(folder / "metrics.json", document | {"metrics": summarise(records)})
    (folder / "figures").mkdir()
    for name, width in (("fig4", 2400), ("table1", 300), ("another", 300)):
        Image.fromarray(np.full((width // 3, width, 3), 200, dtype=np.uint8)).save(
            folder / "figures" / f"{name}.png"
        )
    return folder


class Page(HTMLParser):
    """Every tag of a page with its attributes, and its text."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(path.read_text(encoding="utf-8"))
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.text += " " if tag in ("td", "th", "small", "pre") else ""

    def handle_data(self, data):
        self.text += data

    def all(self, tag, **wanted):
        return [
            found for name, found in self.tags if name == tag and wanted.items() <= found.items()
        ]


@pytest.fixture
def page(tmp_path):
    write_results(tmp_path)
    return Page(report.write(tmp_path, "smoke"))


def test_every_claim_is_there_with_the_verdict_of_this_run(page):
    assert {found["id"]: found["data-verdict"] for found in page.all("article")} == {
        f"claim-{name}": JUDGED[name] for name in JUDGED
    }
    assert "It is 0.125." in page.text


def test_the_six_questions_are_answered_by_the_published_numbers(page):
    assert "By the published numbers, of 5 seeds" in page.text
    sentences = questions.answers(complete(Store().metrics())["metrics"])
    assert len(sentences) == 6
    for name, question in claims.QUESTIONS.items():
        assert f"{question} {sentences[name]}" in page.text


def test_claims_stand_under_their_question_with_weight_and_firmness(page):
    headings = [found["id"] for found in page.all("h3") if "id" in found]
    assert headings == ["question-linearity", "question-order"], "no heading without a claim"
    assert page.text.count("How firm") == 3, "one claim has no condition"


def test_a_verdict_that_the_ledger_has_otherwise_is_said_so(page):
    published = count_of_seeds(Store().metrics())
    assert page.text.count("This run, of 3 seeds, says") == 1
    assert (
        f"This run, of 3 seeds, says not replicated; the published verdict, of {published} seeds, "
        "is replicated." in page.text
    )


def count_of_seeds(document):
    return len({seed for entry in document["metrics"].values() for seed in entry["seeds"]})


def test_a_verdict_of_fewer_seeds_than_published_says_so(page):
    assert "Judged by 3 seeds; the published verdict, of 5 seeds, is the same." in page.text


def test_a_condition_that_was_not_measured_is_judged_by_the_published_numbers(tmp_path):
    missing = at_most(0.2, "beps_heldout.pca.heldout_mse")
    write_json(
        tmp_path / "claims.json",
        {"schema_version": 2, "claims": [claim("holds", [at_most(0.2), missing], "replicated")]},
    )
    write_results(tmp_path)
    text = Page(report.write(tmp_path, "smoke")).text
    assert text.count("(by the published numbers)") == 1 and "published: BEPS held-out" in text


def test_a_condition_that_nothing_can_judge_says_so_and_lowers_no_verdict(tmp_path):
    nowhere = at_most(0.2, "beps_shuffled.ica.heldout_mse")
    write_json(
        tmp_path / "claims.json",
        {"schema_version": 2, "claims": [claim("holds", [at_most(0.2), nowhere], "replicated")]},
    )
    write_results(tmp_path)
    page = Page(report.write(tmp_path, "smoke"))
    assert "1 of its 2 conditions could be judged neither" in page.text
    assert [article["data-verdict"] for article in page.all("article")] == ["replicated"]


def test_quotes_are_text_and_not_markup(page):
    assert "MSE < 0.2 & <b>falling</b>" in page.text
    assert len(page.all("b")) == len(JUDGED) + 2, "numbers beside, the verdict that differs"


def test_without_metrics_there_is_nothing_to_report(tmp_path, capsys):
    assert report.main(["--results", str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert (
        message.startswith("error: ")
        and "metrics.json" in message
        and "nox -s replicate" in message
    )
    assert not (tmp_path / "standard").exists()


def test_simulated_data_are_shouted_and_test_no_claim(tmp_path, capsys):
    write_results(tmp_path, SIMULATED)
    assert report.main(["--results", str(tmp_path), "--profile", "smoke"]) == 0
    page = Page(Path(capsys.readouterr().out.strip()))
    assert (
        page.all("p", **{"class": "shout"})
        and "Numbers marked simulated twin are not from the paper's data" in page.text
    )
    assert "No claim can be tested on these runs: the data are simulated." in page.text
    assert {found["data-verdict"] for found in page.all("article")} == {"not testable"}


def test_measured_data_are_not_shouted(page):
    assert not page.all("p", **{"class": "shout"})
    assert "smoke profile · 3 seeds · measured BEPS data" in page.text


def test_failures_are_listed_or_said_to_be_none(tmp_path, page):
    assert "Failed runs: none." in page.text
    assert (
        "Figures not drawn: toy, fig2, fig3, fig5, descriptors, violins_toy, violins_beps, "
        "violins_pixels, cost, ablation, rate_distortion, generalisation, disentanglement, "
        "mechanism, agreement." in page.text
    )
    folder = tmp_path / "smoke"
    failed = {"key": "0", "status": "failed", "metrics": {}}
    write_json(
        folder / "beps" / "lstm_vae_plain" / "seed0" / "record.json",
        seals.sealed(failed | {"error": "MemoryError: <full>"}),
    )
    mended = {
        "dataset": "toy",
        "model": "pca",
        "seed": 1,
        "key": "0",
        "metrics": {},
        "status": "complete",
    }
    rows = [
        mended | failed | {"error": "mended since"},
        mended,
        mended | failed | {"seed": 2, "error": "lost"},
    ]
    (folder / "bench.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = Page(report.write(tmp_path, "smoke")).text
    assert "beps/lstm_vae_plain/seed0 failed (record.json) MemoryError: <full>" in text
    assert "toy/pca/seed2 failed (bench.jsonl) lost" in text
    assert "mended since" not in text and "Failed runs: none." not in text


def test_the_page_asks_for_nothing_from_outside(page):
    for tag, attributes in page.tags:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            inside = (attributes.get(name) or "#").startswith(("data:", "#"))
            assert inside or (tag == "a" and attributes[name].startswith("https://doi.org/")), (
                tag,
                attributes,
            )
    (policy,) = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert policy["content"].startswith("default-src 'none'; img-src data:;")


def test_figures_are_inside_narrowed_in_order_and_described(page):
    shown = [found for found in page.all("img") if found["src"] != "data:,"]
    assert [found["id"] for found in page.all("figure")] == [
        "figure-fig4",
        "figure-table1",
    ], "a picture that no catalogue knows is nobody's"
    pictures = [
        Image.open(io.BytesIO(base64.b64decode(found["src"].partition(",")[2]))) for found in shown
    ]
    assert [picture.size for picture in pictures] == [(1800, 600), (300, 100)]
    assert all(len(found["alt"]) > 10 for found in shown) and all(
        "alt" in found for found in page.all("img")
    )


def test_a_broken_picture_is_named(tmp_path):
    (write_results(tmp_path) / "figures" / "fig2.png").write_bytes(b"\x89PNG\r\n")
    with pytest.raises(ReplicationError, match="fig2.png.*nox -s figures"):
        report.write(tmp_path, "smoke")


def test_headings_are_in_order_and_landmarks_and_targets_are_there(page):
    levels = [int(tag[1]) for tag, _ in page.tags if tag in ("h1", "h2", "h3", "h4")]
    assert (
        levels[0] == 1
        and levels.count(1) == 1
        and all(after - before <= 1 for before, after in zip(levels, levels[1:]))
    )
    assert [len(page.all(tag)) for tag in ("header", "nav", "main")] == [1, 1, 1]
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {found["href"][1:] for found in page.all("a") if found["href"].startswith("#")} <= set(
        ids
    )


def test_numbers_and_hashes_are_those_of_the_records(page):
    described = "beps.lstm_vae.mse mean squared error on the spectra the model was fitted to"
    assert f"{described} 0.125 0.125 to 0.125 z-score squared 3 measured" in page.text
    assert "30354" in page.text
    assert f"piezoresponse.npy CC BY 4.0 DIFFERENT {SCAN_SHA256}" in page.text
    assert "libgomp: 1" in page.text and "someone" not in page.text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (30354.0, "30354"),
        (0.0070412, "0.007041"),
        (1234.56, "1235"),
        (2.5e-7, "2.5e-07"),
        (0.0, "0"),
    ],
)
def test_numbers_have_four_digits_and_counts_all(value, text):
    assert report._number(value) == text


def test_the_ledger_of_this_repository_renders(tmp_path, monkeypatch):
    monkeypatch.undo()
    write_results(tmp_path)
    page = Page(report.write(tmp_path, "smoke"))
    assert [found["id"] for found in page.all("article")] == [
        f"claim-{claim['id']}"
        for name in claims.QUESTIONS
        for claim in questions.of_question(claims.read(), name)
    ]


def test_statements_of_the_second_source_are_there_once_they_were_judged(tmp_path, page):
    assert "nox -s causal" in page.text and not page.all("div", **{"class": "statement"})
    condition = {
        "says": "a known slope is found",
        "value": -0.25,
        "rule": "at most",
        "bound": 0.5,
        "holds": True,
    }
    own = {"id": "own", "quote": "x < y", "verdict": "supported", "conditions": [condition]}
    seals.write(
        tmp_path / "causal" / "verdicts.json",
        {"provenance": "measured", "statements": [own, own | {"conditions": []}]},
    )
    page = Page(report.write(tmp_path, "smoke"))
    assert len(page.all("div", **{"class": "statement"})) == 2
    assert (
        "✓ supported own x < y ✓ holds a known slope is found-0.25, accepted at most 0.5"
        in page.text
    )
    assert "no condition can be stated" in page.text


# In a browser


def browse(folder, width, script, planted=""):
    """Open the report in a frame of some width and run a script there.

    A window cannot be as narrow as a telephone; a frame can. Return what the script evaluates to,
    and what the console says.
    """
    source = (folder / "report.html").read_text(encoding="utf-8")
    tell = f"""
    const answer = () => {{ {script} }};
    const post = () => parent.postMessage(JSON.stringify(answer()), "*");
    addEventListener("load", () => setTimeout(post, 200));
    """
    (folder / "copy.html").write_text(
        source.replace("</body>", f"{planted}<script>{tell}</script></body>"), encoding="utf-8"
    )
    (folder / "frame.html").write_text(
        f'<title></title><iframe src="copy.html" style="border:0" width="{width}" height="800">'
        "</iframe>"
        '<script>addEventListener("message", (event) => (document.title = event.data))</script>'
    )
    flags = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--enable-logging=stderr",
        "--virtual-time-budget=4000",
    ]
    flags += [
        "--window-size=1500,900",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        "--disable-background-networking",
    ]
    flags += [f"--user-data-dir={folder / 'profile'}", "--dump-dom"]
    page = (folder / "frame.html").as_uri()
    done = subprocess.run([CHROMIUM, *flags, page], capture_output=True, text=True, timeout=60)
    title = html.unescape(done.stdout.partition("<title>")[2].partition("</title>")[0])
    return json.loads(title), [line for line in done.stderr.splitlines() if "CONSOLE" in line]


OVERFLOW = (
    "return [innerWidth, document.documentElement.scrollWidth, document.images[0].naturalWidth];"
)


@pytest.fixture
def folder(tmp_path):
    folder = write_results(tmp_path)
    report.write(tmp_path, "smoke")
    return folder


@needs_browser
@pytest.mark.parametrize("width", [375, 1280])
def test_the_page_fits_and_is_quiet(folder, width):
    opened = "document.querySelectorAll('details').forEach((details) => (details.open = true));"
    (inner, content, picture), console = browse(folder, width, opened + OVERFLOW)
    assert console == []
    assert inner == width and content <= width and picture == 1800


@needs_browser
def test_the_browser_would_see_a_request_and_an_overflow(folder):
    wide = (
        '<img src="https://example.org/x.png" alt=""><div style="width: 2000px; height: 1px"></div>'
    )
    (inner, content, _), console = browse(folder, 375, OVERFLOW, planted=wide)
    assert content > inner
    assert any("Content Security Policy" in line and "example.org" in line for line in console)


@needs_browser
def test_filters_show_what_is_asked_for(folder):
    script = """
    const set = (selector, value) => {
      const field = document.querySelector(selector);
      if (field.type === "radio") field.click();
      else { field.value = value; field.dispatchEvent(new Event("input", {bubbles: true})); }
      const visible = (items) =>
        [...document.querySelectorAll(items)].filter((item) => item.checkVisibility());
      const ids = (items) => visible(items).map((item) => item.id);
      const count = document.querySelector("#claims-shown").textContent;
      return [ids(".claim"), count, ids(".group").length];
    };
    const seen = [set("#words", "FALLING"), set("#words", "")];
    seen.push(set("[name=verdict][value=partly]"));
    seen.push(set("#question", "linearity"));
    seen.push(set("[name=verdict][value='not replicated']"));
    document.querySelector("#metrics").open = true;
    set("#metric-words", "pca fitted");
    seen.push(document.querySelector("#metrics-shown").textContent);
    document.querySelector("figure button").click();
    seen.push(document.querySelector("dialog").open);
    document.querySelector("dialog button").click();
    seen.push(document.querySelector("dialog").open);
    return seen;
    """
    seen, console = browse(folder, 1280, script)
    everything = [f"claim-{name}" for name in ("holds", "stale", "wordy", "half")]
    assert console == []
    assert seen == [
        [["claim-holds"], "1 of 4 claims shown.", 1],
        [everything, "4 of 4 claims shown.", 2],
        [["claim-half"], "1 of 4 claims shown.", 1],
        [[], "0 of 4 claims shown.", 0],
        [["claim-stale"], "1 of 4 claims shown.", 1],
        "2 of 4 metrics shown.",
        True,
        False,
    ]
