"""The front door: numbers that come from what is stored, words and commands that hold."""

from __future__ import annotations

import ast
import fnmatch
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import replicate
from benchmarks import claims, derived, heldout_table, pages, sections
from benchmarks.evidence import complete
from benchmarks.store import Store
from replicate import cli
from replicate.data.user_scan.scan_file import read_scan
from replicate.errors import ReplicationError
from replicate.provenance import PAPER_DATA
from replicate.study.family import MODELS
from replicate.study.job import DATASETS
from replicate.study.studies import PAPER

ROOT = Path(__file__).resolve().parents[2]

TEXTS = pages.read()
README = TEXTS["README.md"]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md"))]
WORKFLOWS = sorted((ROOT / ".github").rglob("*.*"))
SESSIONS = {
    node.name
    for node in ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef)
    and any("session" in ast.unparse(decorator) for decorator in node.decorator_list)
}
GLOSSARY = (
    "BEPS",
    "gamut",
    "fold",
    "best code",
    "shoulder",
    "twin",
    "paper's form",
    "active channel",
)


@pytest.fixture
def stored():
    return Store().metrics()


def stale(document, ledger=None, statements=None):
    """Return the pages that other numbers, claims or statements would change."""
    ledger = ledger or claims.read()
    renewed = pages.renew(TEXTS, document, ledger, statements or Store().statements())
    return {path for path, text in renewed.items() if text != TEXTS[path]}


# Numbers


def test_the_numbers_of_every_page_are_the_stored_ones(stored):
    assert stale(stored) == set(), "pages are stale: run `nox -s baseline`"


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("beps_heldout.pca.heldout_mse", set(TEXTS)),
        ("toy.lstm_ae.gamut_mse", set(TEXTS) - {"README.md"}),
        ("beps_heldout.dense_ae.heldout_mse_refined", set(TEXTS) - {"README.md"}),
    ],
)
def test_a_changed_number_makes_stale_the_pages_that_have_it(stored, name, changed):
    stored["metrics"][name]["value"] *= 1.1
    assert stale(stored) == changed


def test_a_changed_claim_makes_the_ledger_stale(stored):
    ledger = json.loads(json.dumps(claims.read()))
    ledger[-1]["quote"] += " "
    assert stale(stored, ledger) == {"docs/ledger.md"}


def test_a_changed_verdict_makes_the_ledger_stale(stored):
    ledger = json.loads(json.dumps(claims.read()))
    ledger[-1]["verdict"] = "not testable"
    assert stale(stored, ledger) == {"docs/ledger.md"}


def test_a_changed_statement_makes_the_ledger_stale(stored):
    statements = Store().statements()
    statements[0]["conditions"][0]["holds"] = False
    assert stale(stored, statements=statements) == {"docs/ledger.md"}


def test_every_section_has_one_page(stored):
    placed = [name for names in pages.PAGES.values() for name in names]
    sections = pages.render(stored, claims.read(), Store().statements())
    assert sorted(placed) == sorted(sections)


def test_missing_markers_are_an_error():
    with pytest.raises(ReplicationError, match="docs/results.md: the markers"):
        sections.insert("no markers here", {"results": "x"}, "docs/results.md")


def test_no_measured_number_of_the_readme_is_typed():
    typed = re.sub(r"<!-- (\w+):begin -->.*?<!-- \1:end -->", "", README, flags=re.DOTALL)
    assert re.findall(r"\b0\.\d{2,}|\d ?%", typed) == []


def test_stored_metrics_are_of_the_real_data_and_of_five_seeds(stored):
    """The twin is simulated by design. Of what the paper compares, and of PCA, five are asked."""
    assert {
        entry["provenance"]
        for name, entry in stored["metrics"].items()
        if not name.startswith("twin.")
    } <= set(PAPER_DATA)
    assert stored["profile"] == "standard"
    for name, entry in stored["metrics"].items():
        dataset, model, kind = name.split(".")
        if (
            dataset in PAPER.models
            and model in ("pca", "dictionary_learning", "lstm_vae")
            and kind.endswith("mse")
        ):
            assert entry["seeds"] == [0, 1, 2, 3, 4], name


def test_stored_verdicts_follow_from_the_stored_metrics(stored):
    whole = complete(stored)
    for claim in claims.read():
        assert claims.judge(claim, whole)["verdict"] == claim["verdict"], claim["id"]


# The answer


def test_the_words_of_the_answer_follow_from_the_numbers(stored):
    def value(name):
        return stored["metrics"][name]["value"]

    def heldout(model, kind="heldout_mse"):
        return value(f"beps_heldout.{model}.{kind}")

    assert value("toy.lstm_vae.gamut_mse") < value("toy.pca.gamut_mse") / 10, "linear models fail"
    assert 0.104 < value("toy.pca.gamut_mse") < 1.1 * 0.104, "the paper's VAE is hardly better"
    assert heldout("lstm_vae") < heldout("pca") < 1.5 * heldout("lstm_vae"), "a little worse"
    assert heldout("lstm_vae_plain") > heldout("pca")
    penalty = heldout("dictionary_learning") - heldout("dictionary_learning", "heldout_mse_refined")
    rest = heldout("dictionary_learning", "heldout_mse_refined") - heldout("dense_ae")
    assert penalty > rest, "more from its penalty than from being linear"
    toy_penalty = value("toy.dictionary_learning.gamut_mse") - value("toy.pca.gamut_mse")
    toy_rest = value("toy.pca.gamut_mse") - value("toy.dense_ae.gamut_mse")
    assert toy_penalty < toy_rest, "on the toy problem it is the other way round"
    assert value("toy.dense_vae.gamut_mse") <= value("toy.lstm_vae.gamut_mse")
    assert value("toy_shuffled.lstm_vae.gamut_mse") > 2 * value("toy.lstm_vae.gamut_mse")
    assert value("toy.lstm_vae.mig") < value("toy.lstm_vae.mig_rotated") * 1.2, "a gap of chance"


def test_the_words_on_shoulders_follow_from_the_numbers(stored):
    """The VAE keeps more than linear models, a dense VAE as many, the paper's form now and then."""

    def interval(other):
        name = f"kept_at_3_lstm_less_{other}"
        return derived.fold_interval(derived.values(name, stored["metrics"]))

    assert interval("dl")[0] > 0 and interval("pca")[0] > 0
    assert interval("dense")[0] < 0 < interval("dense")[1]
    plain = stored["metrics"]["beps_heldout.lstm_vae_plain.shoulder_kept"]["values"]
    assert min(plain) < 0.1 and max(plain) > 0.5


def test_only_our_form_beats_pca_on_unseen_pixels(stored):
    metrics = complete(stored)["metrics"]
    pca = metrics["beps_heldout.pca.heldout_mse"]["values"]
    for model, is_better in (("lstm_vae", True), ("lstm_vae_plain", False)):
        of_folds = zip(metrics[f"beps_heldout.{model}.heldout_mse"]["values"], pca)
        assert {new < old for new, old in of_folds} == {is_better}
    assert metrics["beps_heldout.lstm_vae_paper.heldout_mse"]["value"] > pca[0]


def test_the_words_on_shares_and_on_order_follow_from_the_numbers(stored):
    def values(name):
        return derived.values(name, stored["metrics"])

    assert min(values("pca_share_scan")) > 0.5 > max(values("pca_share_toy"))
    assert min(values("shuffled_lstm_refined")) > 0, "the best code loses in every fold"
    changes = stored["metrics"]["beps_heldout.lstm_vae.shuffle_change"]["values"]
    assert min(changes) < 0 < max(changes), "its encoder nothing clear"


def test_what_the_findings_call_undecided_is_so(stored):
    undecided = (
        "scan_dense_over_lstm",
        "scan_dense_over_lstm_refined",
        "scan_beta_dense",
        "scan_beta_lstm",
        "kept_sparse_less_lstm",
    )
    decided = ("scan_lstm_over_pca", "scan_dense_over_pca", "scan_plain_over_pca")
    for name in (*undecided, *decided):
        low, high = derived.fold_interval(derived.values(name, stored["metrics"]))
        assert (low < 0 < high) == (name in undecided), name


def test_the_best_model_has_no_more_latents_than_the_others(stored):
    metrics = stored["metrics"]
    for column in (heldout_table.TOY, heldout_table.SCAN):
        assert column.with_more_latents(metrics) == ["lstm_vae_fixed"]
        best = column.entry(metrics, column.best(metrics))
        others = [column.entry(metrics, model) for model in MODELS if model != "lstm_vae_fixed"]
        assert best["value"] == min(entry["value"] for entry in others if entry)
        assert len(best["seeds"]) == column.n_seeds(metrics)
    wide = "beps_heldout.lstm_vae_fixed"
    assert metrics[f"{wide}.heldout_mse"]["value"] < best["value"], "so the rule matters"
    metrics[f"{wide}.active_channels"]["value"] = 5
    assert heldout_table.SCAN.best(metrics) == "lstm_vae_fixed"


def test_a_table_without_numbers_has_dashes():
    assert "| Best model of all | – | – |" in heldout_table.render({})


# The README


def test_the_readme_is_short():
    lines = README.splitlines()
    assert len(lines) <= 140
    assert len(README.encode("utf-8")) <= 12 * 1024
    assert max(map(len, lines)) <= 250


def test_the_readme_has_its_parts_in_order():
    parts = (
        "## The answer",
        "![",
        "## Run it",
        "## A reviewer's three questions",
        "**I am a reviewer.**",
        "**I have a scan.**",
        "**I am a student.**",
        "## What you get",
        "## Where we differ from the paper",
        "## Glossary",
        "## Cite and reuse",
    )
    places = [README.index(part) for part in parts]
    assert places == sorted(places)


def test_the_glossary_has_its_words():
    glossary = README.split("## Glossary")[1].split("\n## ")[0]
    assert tuple(re.findall(r"^\| ([^|]+) \|", glossary, re.MULTILINE)[1:]) == GLOSSARY


def test_beps_is_spelled_out_where_it_first_stands():
    before = " ".join(README[: README.index("BEPS")].split())
    assert before.endswith("band-excitation piezoresponse spectroscopy (")


def test_each_reader_has_three_steps():
    for reader in README.split("\n**I ")[1:]:
        steps = reader.split("\n## ")[0]
        assert re.findall(r"^(\d)\. ", steps, re.MULTILINE) == ["1", "2", "3"]


# Commands, paths and links


def code(path):
    """Return the commands of a document: its code spans and blocks, of a workflow all of it."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".yml":
        return text
    text = re.sub(r"^```\w*$", "```", text, flags=re.MULTILINE)
    return "\n".join(re.findall(r"```\n(.*?)```", text, re.DOTALL) + re.findall(r"`([^`]+)`", text))


documents = pytest.mark.parametrize("path", DOCUMENTS + WORKFLOWS, ids=lambda path: path.name)


@documents
def test_every_session_exists(path):
    named = re.findall(r"nox -s((?: [a-z]+)+)", code(path))
    assert {name for names in named for name in names.split()} <= SESSIONS


@documents
def test_every_module_and_subcommand_exists(path):
    for module in re.findall(r"python -m ((?:replicate|figures|benchmarks)[\w.]*)", code(path)):
        place = ROOT / module.replace(".", "/")
        assert place.with_suffix(".py").exists() or (place / "__main__.py").exists(), module
    for name in re.findall(r"(?:python -m replicate|beps-replication) ([a-z]+)", code(path)):
        with pytest.raises(SystemExit) as ended:
            cli.main([name, "--help"])
        assert ended.value.code == 0, name


@documents
def test_every_figure_and_every_name_to_run_exists(path):
    for names in re.findall(r"nox -s figures --((?: [a-z]\w*)+)", code(path)):
        for name in names.split():
            assert (ROOT / "figures" / f"{name}.py").exists(), name
    for names in re.findall(r"--only((?: [a-z]\w*)+)", code(path)):
        assert set(names.split()) <= {*DATASETS, *MODELS}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_named_in_a_document_exists(path):
    named = r"`((?:replicate|figures|benchmarks|docs|tests)/[\w./]*)`"
    for name in re.findall(named, path.read_text(encoding="utf-8")):
        assert (ROOT / name).exists() or "NAME" in name, name


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path):
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
        name, _, anchor = target.partition("#")
        place = path.parent / name if name else path
        assert place.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", place.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = [
                re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in headings
            ]
            assert anchor in anchors, target


def test_the_example_of_a_scan_is_one(tmp_path):
    page = (ROOT / "docs" / "your-scan.md").read_text(encoding="utf-8")
    example, *_ = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    subprocess.run([sys.executable, "-c", example], cwd=tmp_path, check=True)
    scan = read_scan(tmp_path / "MY.npz")
    assert (scan.shape, scan.channels) == ((30, 45), ("piezoresponse", "resonance"))


# Release


def test_the_version_is_the_same_everywhere():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^## (\S+),", changelog, re.MULTILINE).group(1) == replicate.__version__
    assert re.search(r"^version: (\S+)", citation, re.MULTILINE).group(1) == replicate.__version__


def test_the_changelog_names_the_commit_of_the_stored_numbers(stored):
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"commit {stored['git_commit'][:7]}" in changelog


def test_ruff_is_the_same_before_a_commit_and_in_the_lock():
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert re.search(r"rev: v(\S+)", hooks).group(1) in re.findall(
        r"^ruff==(\S+)", lock, re.MULTILINE
    )


def test_everything_that_the_packages_read_is_installed():
    """That is templates, style sheets and ledgers. What is stored is read from a checkout."""
    metadata = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    table = metadata.split("[tool.setuptools.package-data]")[1].split("\n[")[0]
    patterns = {
        f"{package.replace('.', '/')}/{pattern}"
        for package, listed in re.findall(r'^"?([\w.]+)"? = \[(.*)\]', table, re.MULTILINE)
        for pattern in re.findall(r'"([^"]+)"', listed)
    }
    tracked = subprocess.run(
        ["git", "ls-files", "benchmarks", "figures", "replicate"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    read = [name for name in tracked if not name.endswith(".py") and "/stored/" not in name]
    missing = [
        name
        for name in read
        if (ROOT / name).exists() and not any(fnmatch.fnmatch(name, one) for one in patterns)
    ]
    assert read and not missing
