"""Take the numbers of a finished run into the repository: stored metrics and weights, Figure 4, and the README's table and findings.

``python benchmarks/publish.py`` (``nox -s publish``) is the only thing that writes a number into the README.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from pathlib import Path

from replicate import runs, study
from replicate.errors import ReplicationError
from replicate.files import atomic_path, file_hash, read_npz, write_json, write_npz, write_text
from replicate.metrics import read_metrics, write_metrics
from replicate.tables import markdown, results_table

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
FINDINGS = ROOT / "benchmarks" / "findings.md"
STORED = ROOT / "benchmarks" / "stored" / "metrics.json"
PICTURE = ROOT / "docs" / "fig4.png"
REAL = ("measured", "painting", "formula")


def render(document):
    """Return the generated sections of the README, by name.

    Parameters
    ----------
    document : dict
        As read from metrics.json.
    """
    return {"results": _results(document), "findings": _findings(document)}


def insert(text, sections):
    """Return `text` with what stands between the markers of each section replaced."""
    for name, section in sections.items():
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        text, found = re.subn(f"{begin}.*?{end}", lambda _, body=section: f"{begin}\n{body}\n{end}", text, flags=re.DOTALL)  # noqa: B023
        if found != 1:
            raise ReplicationError(f"README.md: the markers {begin} and {end} must stand there once.")
    return text


def _results(document):
    metrics, machine = document["metrics"], document["machine"]
    seeds = len(metrics["beps.pca.mse"]["seeds"])
    return (
        f"Mean squared error in z-scores, profile `{document['profile']}`, {seeds} seed{'s' if seeds > 1 else ''}, measured data. "
        "*BEPS training* is scored on the pixels the model was fitted to, as in the paper, and by channel beside it; *BEPS held-out* on "
        "spatial blocks it never saw; *toy gamut* on 5000 fresh colours; *toy painting* on every pixel. "
        f"Machine: {machine['processor']}, {machine['cores']} cores, one thread a run.\n\n{markdown(results_table(metrics))}"
    )


def _findings(document):
    """Fill every ``{metric:format}`` of the template."""

    def number(match):
        name, form = match.groups()
        if name not in document["metrics"]:
            raise ReplicationError(f"{FINDINGS}: there is no metric {name}.")
        return format(document["metrics"][name]["value"], form)

    return re.sub(r"{([\w.]+):([^}]+)}", number, FINDINGS.read_text(encoding="utf-8")).rstrip()


def weights_path(job):
    """Return where the learned arrays of a job are stored."""
    return STORED.parent / "weights" / f"{job.dataset}.{job.model}.npz"


def hashes_path():
    """Return where the sha256 of every file of weights is stored."""
    return STORED.parent / "weights" / "sha256.json"


def _stored_arrays(run):
    """Return the learned arrays of a run, with the channels of a VAE that are in use."""
    in_use = {"in_use": run.arrays["channel_kl"] != 0} if "channel_kl" in run.arrays else {}
    return read_npz(run.folder / "weights.npz") | in_use


def publish(results):
    """Copy metrics, weights and figure of the standard profile into the repository and rewrite the README.

    Raises
    ------
    ReplicationError
        If the run is not there, or a number in it is not from the real data.
    """
    source = Path(results) / "standard"
    document = read_metrics(source / "metrics.json")
    simulated = [name for name, entry in document["metrics"].items() if entry["provenance"] not in REAL]
    if simulated:
        raise ReplicationError(
            f"{source / 'metrics.json'}: {simulated[0]} is not from the real data. Run `nox -s replicate -- --data measured` first."
        )
    for job in study.jobs("standard"):
        write_npz(weights_path(job), **_stored_arrays(runs.load(results, "standard", job.dataset, job.model, job.seed)))
    write_json(hashes_path(), {path.stem: file_hash(path) for path in map(weights_path, study.jobs("standard"))})
    write_metrics(STORED, document)
    with atomic_path(PICTURE) as temporary:
        shutil.copyfile(source / "figures" / "fig4.png", temporary)
    write_text(README, insert(README.read_text(encoding="utf-8"), render(document)))


def main():
    """Publish from a results folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="FOLDER", help="default: results")
    try:
        publish(parser.parse_args().results)
    except (ReplicationError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
