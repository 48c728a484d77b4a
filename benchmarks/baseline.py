"""Take the numbers of a finished benchmark into the repository.

These are metrics, weights and tables, verdicts, pictures, and every page that holds numbers.
``nox -s baseline`` is the only thing that rewrites them. It shows the difference first, and asks.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks import claims, pages, sums
from benchmarks.evidence import complete
from benchmarks.rescore import renewed, rescore
from benchmarks.store import PROFILE, ROOT, Store, block_rows, jobs_with_weights
from replicate import causal, cli, seals
from replicate.catalogue import PICTURES
from replicate.causal import page
from replicate.commands import command
from replicate.errors import ReplicationError
from replicate.files import atomic_path, write_text
from replicate.numbers.kinds import kind_of, model_of
from replicate.numbers.metrics import read_metrics, write_metrics
from replicate.own_model import is_own
from replicate.provenance import PAPER_DATA
from replicate.running import runs
from replicate.running.runs import Run
from replicate.study.job import Job


def difference(stored: Mapping[str, dict], new: Mapping[str, dict]) -> Iterator[str]:
    """Yield a line for every metric that is new, gone or changed.

    Time and memory change with every run: they get a line only where they are new or gone.

    Parameters
    ----------
    stored, new : dict of str to dict
        The ``metrics`` of two documents.
    """
    for name in sorted(stored.keys() | new.keys()):
        before, after = stored.get(name), new.get(name)
        if before is None:
            yield f"  new      {name}: {after['value']:.6g} ({len(after['seeds'])} seeds)"
        elif after is None:
            yield f"  gone     {name}: was {before['value']:.6g}"
        elif before["values"] != after["values"] and kind_of(name).rule != "reported":
            yield f"  changed  {name}: {_change(before, after)}"


def _change(before, after):
    """Return in words how an entry of the metrics changes."""
    text = f"{before['value']:.6g} to {after['value']:.6g}"
    if before["value"]:
        text += f", {after['value'] / before['value'] - 1:+.2%}"
    if before["seeds"] != after["seeds"]:
        text += f"; {len(before['seeds'])} seeds, now {len(after['seeds'])}"
    return text


def finished_runs(results: Path, document: dict) -> dict[Job, Run]:
    """Return the complete run of every job whose weights are stored.

    Raises
    ------
    ReplicationError
        If one is missing, or a number is not from the real data.
    """
    simulated = [
        name
        for name, entry in document["metrics"].items()
        if entry["provenance"] not in PAPER_DATA and not name.startswith("twin.")
    ]
    if simulated:
        raise ReplicationError(
            f"{results}: {simulated[0]} is not from the real data. "
            "Run `nox -s bench -- --data measured` first."
        )
    return {
        job: runs.load(results, PROFILE, job.dataset, job.model, job.seed)
        for job in jobs_with_weights(document)
    }


def write(
    results: Path,
    document: dict,
    store: Store | None = None,
    ledger_path: Path = claims.LEDGER,
    root: Path = ROOT,
) -> None:
    """Rewrite everything stored from a results folder and its metrics document.

    Parameters
    ----------
    results : Path
        With the finished runs, ``sweeps.csv`` and the figures.
    document : dict
        As read from metrics.json.
    store : Store, optional
        The one of the repository by default.
    ledger_path : Path
        The claims, whose verdicts are rewritten.
    root : Path
        The repository whose pages and pictures are rewritten.
    """
    store, docs = store or Store(), root / "docs"
    finished = finished_runs(results, document)
    store.write_weights(finished)
    store.write_index_table(finished)
    store.write_block_table(
        block_rows(job, run.arrays)
        for job, run in finished.items()
        if job.dataset == "beps_heldout"
    )
    write_metrics(store.metrics_path, document)
    with atomic_path(store.sweeps_path) as temporary:
        shutil.copyfile(Path(results) / PROFILE / "sweeps.csv", temporary)
    for picture in PICTURES:
        if picture.is_published and picture.needs != "causal":
            drawn = Path(results) / PROFILE / "figures" / f"{picture.name}.png"
            with atomic_path(docs / drawn.name) as temporary:
                shutil.copyfile(drawn, temporary)
    write_causal(results, store, docs)
    write_words(document, store, ledger_path, root)


def write_words(
    document: dict, store: Store, ledger_path: Path = claims.LEDGER, root: Path = ROOT
) -> None:
    """Rewrite the verdicts of the ledger and every page; parameters are those of `write`."""
    whole = complete(document)
    ledger = [
        claim | {"verdict": claims.judge(claim, whole)["verdict"]}
        for claim in claims.read(ledger_path)
    ]
    claims.write(ledger, ledger_path)
    pages.rewrite(root, document, ledger, store.statements())
    sums.write(store.folder)


def causal_record(results: Path) -> dict | None:
    """Return the record of the causal extension in a results folder; None where it was not run.

    Raises
    ------
    ReplicationError
        If it is not from the measured scan.
    """
    path = causal.folder(results) / "causal.json"
    if not path.exists():
        return None
    record = seals.read(path)
    if record["provenance"] != "measured":
        raise ReplicationError(
            f"{path}: this is from a {record['provenance']}. "
            "Run `nox -s causal -- --data measured` first."
        )
    return record


def write_causal(results: Path, store: Store, docs: Path) -> None:
    """Rewrite the stored record of the causal extension, its page and its figure.

    Nothing is written where it was not run.
    """
    record = causal_record(results)
    if record is None:
        return
    places = {
        causal.folder(results) / name: store.causal_path.with_name(name)
        for name in ("causal.json", "verdicts.json", "maps.npz")
    }
    places[Path(results) / PROFILE / "figures" / "causal.png"] = docs / "causal.png"
    for source, target in places.items():
        with atomic_path(target) as temporary:
            shutil.copyfile(source, temporary)
    write_text(docs / "causal.md", page.render(record))


def _stored_metrics():
    """Return the stored metrics; none if they cannot be read, for they are to be replaced."""
    try:
        return Store().metrics()["metrics"]
    except ReplicationError as error:
        print(f"{error}\nEverything counts as new.\n")
        return {}


@command()
def main() -> int:
    """Show the difference, ask, write, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    cli.add_results(parser)
    parser.add_argument("--yes", action="store_true", help="write without asking")
    parser.add_argument(
        "--rescore",
        action="store_true",
        help="without new runs: add what follows from the stored weights and is not stored yet",
    )
    options = parser.parse_args()
    if options.rescore:
        return _rescore(Store(), options.yes)
    document = of_the_study(read_metrics(options.results / PROFILE / "metrics.json"))
    finished_runs(options.results, document)
    causal_record(options.results)
    if not _is_wanted(document, options.yes):
        return 1
    write(options.results, document)
    print("Written. Look at the difference with `git diff`, then commit.")
    return 0


def of_the_study(document: dict) -> dict:
    """Return a metrics document without the numbers of models of the user's own."""
    entries = document["metrics"].items()
    studied = {name: entry for name, entry in entries if not is_own(model_of(name))}
    return document | {"metrics": studied}


def _rescore(store, is_confirmed):
    """Add what follows from the stored weights, and return the exit code."""
    stored = store.metrics()
    rescored = list(rescore(store, jobs_with_weights(stored)))
    document = renewed(stored, rescored)
    if not _is_wanted(document, is_confirmed):
        return 1
    write_metrics(store.metrics_path, document)
    store.write_block_table(each.blocks for each in rescored if each.blocks is not None)
    write_words(document, store)
    print("Written. Look at the difference with `git diff`, then commit.")
    return 0


def _is_wanted(document, is_confirmed):
    """Show what changes, ask unless it is confirmed already, and return the answer."""
    lines = list(difference(_stored_metrics(), document["metrics"]))
    print("\n".join(lines) or "  No number changes.")
    if is_confirmed or _is_confirmed():
        return True
    print("Nothing is written.")
    return False


def _is_confirmed():
    """Ask whether to write, and return whether the answer is yes."""
    try:
        answer = input("\nTake these numbers into the repository? [y/N] ")
    except EOFError as error:
        raise ReplicationError(
            "nobody to ask. Add --yes to write without asking; nothing is written."
        ) from error
    return answer.strip().lower() in ("y", "yes")


if __name__ == "__main__":
    sys.exit(main())
