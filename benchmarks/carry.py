"""Does it carry over to other films? The models and the claims on two more scans.

``nox -s carry``, or ``python -m benchmarks.carry`` where the package is installed. The same models
with the same latents, schedules and folds are fitted to two more public films, and none of their
settings is changed for a film. Claims that do not need the paper's own sample are judged on each
film by the ledger's rules. One film was measured in two cycles: what differs between them is
no model's to explain. Runs lie in RESULTS/carry; an interrupted command goes on where it was. What
comes out is written into ``benchmarks/stored/carry.json`` and docs/films.md.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import claims
from benchmarks.derived import fold_interval
from benchmarks.paired import changes_by_fold
from benchmarks.sections import publish
from benchmarks.store import PROFILE, ROOT, Store, learned
from replicate import arithmetic, cli, locks, seals
from replicate.analysis.residuals import per_spectrum_mse
from replicate.commands import command, parser_of
from replicate.data import films
from replicate.data.films import FILMS
from replicate.data.sources import load_scan
from replicate.numbers.tables import markdown
from replicate.reference.restore import restore
from replicate.running.collect import collect
from replicate.running.execute import configuration, scan_sizes
from replicate.running.pipeline import run_all
from replicate.running.runs import Run
from replicate.study import family
from replicate.study.family import LABELS
from replicate.study.job import N_FOLDS, Job
from replicate.study.studies import FAMILY_MODELS
from replicate.tasks import load_task

#: Models that take seconds: they are fitted on all folds. The others are on one fold a seed.
LINEAR = ("pca", "dictionary_learning", "dictionary_omp")
MODELS = (*LINEAR, "dense_vae", "lstm_vae_plain", "lstm_vae")

#: The film that was measured twice.
TWICE = "pto_110"

#: What a verdict of the ledger says of another film.
CARRIES = {
    "replicated": "carries over",
    "partly": "partly",
    "not replicated": "does not",
    "not testable": "not testable",
}

#: The paper's film for readers.
PAPER_FILM = "PZT (the paper's)"

RECORD = ROOT / "benchmarks" / "stored" / "carry.json"
PAGE = "docs/films.md"
SECTION = "films"


def jobs(n_seeds: int = 1) -> list[Job]:
    """List the runs on one film, the longest first."""
    heldout = [
        Job(PROFILE, "beps_heldout", model, seed)
        for model in MODELS
        for seed in range(N_FOLDS if model in LINEAR else n_seeds)
    ]
    fitted = [
        Job(PROFILE, "beps", model, seed)
        for model in MODELS
        if model in FAMILY_MODELS["beps"]
        for seed in range(n_seeds)
    ]
    order = family.LONGEST_FIRST.index
    return sorted([*heldout, *fitted], key=lambda job: order(job.model))


def run(results: Path, n_seeds: int) -> list[tuple[Job, str]]:
    """Run what is not complete yet on every film, and return the jobs that failed."""
    listed = jobs(n_seeds)
    cli.check_mxnet(listed)
    failures = []
    for key in FILMS:
        sources = films.bring(key)
        print(f"{FILMS[key].label}: {len(listed)} runs, {sources.scan}", flush=True)
        with locks.held(results / key / PROFILE):
            failures += run_all(listed, sources, results / key)
    return failures


def measured(results: Path) -> dict:
    """Return what the record has: of each film its metrics, and what the second cycle says."""
    found = {}
    for key in FILMS:
        sources = films.bring(key)
        _, document = collect(PROFILE, range(N_FOLDS), sources, results / key)
        scan = load_scan(sources.scan)
        found[key] = {
            "provenance": sources.scan,
            "n_pixels": len(scan.spectra),
            "n_steps": scan.n_steps,
            "machine": document["machine"],
            "metrics": document["metrics"],
        }
    return {"films": found, "repeat": repeatability(results / TWICE)}


def repeatability(results: Path) -> dict:
    """Return how models that are fitted to the first cycle of a film do on its second.

    Returns
    -------
    dict
        ``floor``: half the mean squared difference of the two cycles, which is the error of a model
        that knows each loop and none of its noise. ``correlation`` of the cycles at the median
        pixel. ``models``: of each model the mean squared error, z-scores, on held-out pixels of the
        first cycle (``first``), of the second (``second``), and of its reconstructions of the first
        against the second (``across``).
    """
    sources = films.bring(TWICE)
    job = Job(PROFILE, "beps_heldout", "pca", 0)
    task = load_task(configuration(job, sources))
    cycles = films.two_cycles()
    first, second = _scaled(cycles, task)
    floor = float(per_spectrum_mse(first, second).mean() / 2)
    models = {}
    for model in MODELS:
        job = Job(PROFILE, "beps_heldout", model, 0)
        arrays = learned(Run.of(results, job))
        del arrays["refined"]
        parameters = family.parameters(job, scan_sizes(sources.scan))
        fitted = restore(job, arrays, task.train, parameters)
        again, other = (fitted.inverse_transform(fitted.transform(x)) for x in (first, second))
        pairs = {"first": (first, again), "second": (second, other), "across": (second, again)}
        models[model] = {
            name: float(per_spectrum_mse(*pair).mean()) for name, pair in pairs.items()
        }
    correlation = float(np.median(films.correlations(*cycles)))
    return {"floor": floor, "correlation": correlation, "models": models}


def is_portable(claim: dict) -> bool:
    """Return whether a claim can be tried on another film.

    One on a number that the paper prints cannot, nor one that is judged by the stored sweeps.
    """
    return claim["question"] != "numbers" and not any(map(claims.is_of_sweeps, claim["conditions"]))


def judged(metrics: Mapping[str, dict]) -> dict[str, str]:
    """Return the verdict by the metrics of another film on each portable claim, by its id.

    The rules ask for the paper's own data, so the numbers are shown to them as such.
    """
    shown = {name: entry | {"provenance": "measured"} for name, entry in metrics.items()}
    return {
        claim["id"]: claims.judge(claim, {"metrics": shown})["verdict"]
        for claim in filter(is_portable, claims.read())
    }


def _scaled(cycles, task):
    """Return both cycles of the held-out pixels in the z-scores of a task, float32."""
    mean, spread = cycles[0].mean(), cycles[0].std()
    scaled = (task.scaler.transform(np.float32((each - mean) / spread)) for each in cycles)
    first, second = (np.ascontiguousarray(each[task.heldout]) for each in scaled)
    np.testing.assert_allclose(first, task.spectra[task.heldout], atol=1e-3)
    return first, second


def section(record: dict) -> str:
    """Return the tables of the page in Markdown."""
    films_metrics = {PAPER_FILM: Store().metrics()["metrics"]} | {
        film.label: record["films"][key]["metrics"] for key, film in FILMS.items()
    }
    parts = [
        _films(record),
        _errors(films_metrics),
        _ratios(films_metrics),
        _repeat(record["repeat"]),
        _claims(films_metrics),
    ]
    return "\n\n".join(parts)


def _table(head, rows):
    return markdown(pd.DataFrame(rows, columns=head))


def _films(record):
    rows = [
        [FILMS[key].label, str(film["n_pixels"]), str(film["n_steps"]), film["provenance"]]
        for key, film in ((key, record["films"][key]) for key in FILMS)
    ]
    machine = next(iter(record["films"].values()))["machine"]
    made = f"Made on {machine['processor']}, arithmetic {machine['arithmetic']}."
    return f"{_table(['film', 'pixels', 'steps', 'provenance'], rows)}\n\n{made}"


def _errors(films_metrics):
    """Return the table of held-out errors."""
    rows = []
    for model in MODELS:
        entries = [
            metrics.get(f"beps_heldout.{model}.heldout_mse") for metrics in films_metrics.values()
        ]
        rows.append([LABELS[model], *map(_error, entries)])
    return _table(["held-out error, encoder (folds)", *films_metrics], rows)


def _error(entry):
    return f"{entry['value']:.4f} ({len(entry['values'])})" if entry else "–"


def _ratios(films_metrics):
    """Return the table of errors over that of PCA, and of what the penalty costs."""
    pairs = [(model, "pca") for model in MODELS if model != "pca"]
    pairs.insert(2, ("dictionary_learning", "dictionary_omp"))
    rows = []
    for model, other in pairs:
        cells = [_ratio(metrics, model, other) for metrics in films_metrics.values()]
        rows.append([f"{LABELS[model]} / {LABELS[other]}", *cells])
    return _table(["ratio of held-out errors", *films_metrics], rows)


def _ratio(metrics, model, other):
    """Return the mean ratio of two errors on the same folds, with its interval."""
    names = (f"beps_heldout.{each}.heldout_mse" for each in (model, other))
    changes = changes_by_fold(metrics, *names)
    mean = f"{1 + np.mean(changes):.2f}"
    if len(changes) == 1:
        return f"{mean} (one fold)"
    low, high = fold_interval(changes, N_FOLDS)
    return f"{mean} [{1 + low:.2f} to {1 + high:.2f}]"


def _repeat(repeat):
    """Return the table of the two cycles, and which model is below their floor."""
    floor = repeat["floor"]
    errors = {model: repeat["models"][model] for model in MODELS}
    rows = [
        [LABELS[model], *(f"{of_model[name]:.4f}" for name in ("first", "second", "across"))]
        for model, of_model in errors.items()
    ]
    below = [LABELS[model] for model, of_model in errors.items() if of_model["second"] < floor]
    says = (
        f"Floor: {floor:.4f}. The two cycles of the median pixel correlate with "
        f"{repeat['correlation']:.2f}. Below the floor on the second cycle: "
        f"{'; '.join(below) or 'none'}. The first cycle itself is {2 * floor:.4f} from the second."
    )
    head = ["held-out error", "first cycle", "second cycle", "first against second"]
    return f"{_table(head, rows)}\n\n{says}"


def _claims(films_metrics):
    """Return the table of the claims that can be judged on another film, and how they fare."""
    verdicts = [judged(metrics) for film, metrics in films_metrics.items() if film != PAPER_FILM]
    rows = []
    for claim in filter(is_portable, claims.read()):
        of_films = [verdict[claim["id"]] for verdict in verdicts]
        if set(of_films) != {"not testable"}:
            cells = [claim["verdict"], *(CARRIES[each] for each in of_films)]
            rows.append([f"“{claim['quote']}” ({claim['id']})", *cells])
    return _table(["claim", *films_metrics], rows)


@command()
def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is not complete yet, store, write the page, and return the exit code."""
    parser = parser_of(__doc__)
    cli.add_results(parser)
    parser.add_argument(
        "--seeds",
        type=cli.positive,
        default=1,
        metavar="N",
        help="of the networks, each on another fold (default: 1)",
    )
    options = parser.parse_args(arguments)
    arithmetic.restart_if_late()
    results = options.results / "carry"
    failures = run(results, options.seeds)
    cli.print_failures(failures)
    if failures:
        return 1
    record = seals.sealed(measured(results))
    text = section(record)
    publish(record, RECORD, ROOT / PAGE, SECTION, text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
