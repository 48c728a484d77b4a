"""The record of the causal extension: all of its numbers, and the data that they come from.

Figure and page are made from this one file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import numpy as np
from tqdm import tqdm

from replicate import seals
from replicate.causal import (
    confounding,
    evidence,
    folder,
    known_truth,
    laws,
    maps,
    on_scan,
    statements,
)
from replicate.causal.pixels import GROUPS, Pixels
from replicate.data import sources, toy
from replicate.errors import ReplicationError
from replicate.files import write_npz
from replicate.models.schedule import active
from replicate.running import machine, runs
from replicate.running.runs import Run

#: Models whose latents are looked at.
LATENT_MODELS = ("pca", "dictionary_learning", "lstm_vae", "lstm_vae_plain", "dense_vae")

#: Seeds of the simulated twins on which the pathways are tried. None was looked at before.
FRESH = (101, 102)

#: Distributions of the extra `causal` whose versions the record keeps.
DISTRIBUTIONS = ("dynesty", "lingam", "causal-learn")

#: Number of stages that the progress bar counts: alignment, evidence, map, nested, laws, graphs,
#: confounding and checks.
N_STAGES = 8


def compute(results: str | Path, profile: str, provenance: str) -> dict[str, object]:
    """Compute everything and write ``causal.json``, ``verdicts.json`` and ``maps.npz``.

    Parameters
    ----------
    results : path-like
        Folder of the runs whose latents are looked at; the record goes there too.
    profile : str
        Profile of those runs.
    provenance : str
        Provenance of the scan: ``"measured"`` or ``"simulated twin"``.

    Returns
    -------
    dict
        The record.

    Raises
    ------
    ReplicationError
        If the scan cannot be had, or a run was made on another one.
    """
    place = folder(results)
    with tqdm(total=N_STAGES, unit="stage") as bar:
        with _stage(bar, "alignment"):
            scan = sources.load_scan(provenance)
            pixels = Pixels.of(scan)
            record = {
                "provenance": provenance,
                "data": scan.hashes,
                "alignment": on_scan.alignment(scan),
            }
        record["evidence"] = _evidence(pixels, place, bar)
        with _stage(bar, "laws"):
            record["laws"] = {
                "scan": on_scan.rate_laws(pixels),
                "toy": [known_truth.toy_laws(noise) for noise in (0.02, 0.1)],
                "latents": _toy_latents(results, profile),
            }
        with _stage(bar, "graphs"):
            record["graphs"] = on_scan.graphs(pixels)
            record["graphs"]["reversals"] = on_scan.reversals(pixels)
        with _stage(bar, "confounding"):
            record["confounding"] = {
                "descriptors": on_scan.drift(pixels),
                "latents": _scan_latents(results, profile, pixels),
            }
        with _stage(bar, "checks"):
            record["checks"] = _checks()
        seconds = bar.format_dict["elapsed"]
    record["made"] = made(seconds)
    record = plain(record)
    seals.write(place / "causal.json", record)
    seals.write(place / "verdicts.json", statements.judge_all(record))
    return record


@contextmanager
def _stage(bar, name):
    """Show the name of a stage on the progress bar, and count it when it is done."""
    bar.set_description(name)
    bar.refresh()
    yield
    bar.update()


def made(seconds: float) -> dict[str, object]:
    """Return with what, from which code and in how many seconds a record was made.

    Parameters
    ----------
    seconds : float

    Returns
    -------
    dict
        ``git_commit``, ``versions`` and ``seconds``.
    """
    libraries = {name: metadata.version(name) for name in DISTRIBUTIONS}
    return {
        "git_commit": machine.git_commit(),
        "versions": machine.versions() | libraries,
        "seconds": round(seconds),
    }


def _evidence(pixels, place, bar):
    """Compute the evidence for two steps: of mean loops, at every pixel, by nested sampling."""
    with _stage(bar, "evidence"):
        groups = on_scan.mean_loops(pixels)
        loops = groups.pop("loops")
        fits = groups.pop("fits")
        of_loops = _evidence_of_loops(pixels, groups, loops, fits)
    with _stage(bar, "map"):
        log_evidence = _evidence_map(pixels, place)
        example = on_scan.example(pixels, log_evidence)
        of_pixels = {
            "map": on_scan.of_map(pixels, log_evidence),
            "arrival": on_scan.arriving(pixels, example),
        }
        log_bayes = evidence.log_bayes_factor(log_evidence)
        write_npz(
            place / "maps.npz", log_bayes=log_bayes.reshape(pixels.scan.shape), **_curves(pixels)
        )
    with _stage(bar, "nested"):
        nested = _nested_evidence(pixels, loops, [example, *_typical(pixels)], place)
    return {**of_loops, **of_pixels, "nested": nested}


def _evidence_of_loops(pixels, groups, loops, fits):
    """Return the evidence for the mean loops of the groups, with priors, predictions and noise."""
    noise = on_scan.noise_needed(loops, fits, pixels.quarters)
    noise["there"] = on_scan.noise_there(pixels)
    return {
        "groups": {"quantiles": GROUPS, **groups},
        "priors": on_scan.prior_sensitivity(loops, pixels.quarters),
        "predictive": on_scan.predictive(loops, fits, pixels.quarters),
        "noise": noise,
    }


def _evidence_map(pixels, place):
    """Return the log evidence of every model at every pixel, (n_models, n_pixels), nats."""
    with tqdm(total=len(pixels.loops), unit="pixel", leave=False) as bar:
        return maps.evidence_map(
            pixels.loops, pixels.quarters, place / "evidence.npz", progress=bar.update
        )


def _nested_evidence(pixels, mean_loops, chosen, place):
    """Sample the evidence of the mean loops and of some pixels, with their indices."""
    loops = np.concatenate([mean_loops, pixels.loops[chosen]])
    fits = evidence.laplace(loops, pixels.quarters)
    with tqdm(total=2 * len(loops), unit="run", leave=False) as bar:
        table = maps.nested_table(
            loops, fits, pixels.quarters, place / "nested.json", progress=bar.update
        )
    return {
        "groups": table[: len(mean_loops)],
        "pixels": table[len(mean_loops) :],
        "chosen": chosen,
        "live": evidence.N_LIVE,
    }


def _typical(pixels):
    """Return the pixel of the median hardening of the first and of the last group."""
    hardening = pixels.descriptors["hardening_positive"]
    first, *_, last = pixels.groups()
    typical = []
    for group in (first, last):
        members = np.flatnonzero(group)
        typical.append(int(members[np.argsort(hardening[members])[len(members) // 2]]))
    return typical


def _curves(pixels):
    """Return mean curves of each group against the first channel's voltage, V, also returned.

    They are the rate of switching and the resonance, each of shape (n_groups, n_steps).
    """
    voltage = pixels.scan.voltages[0]
    loops = np.array([pixels.piezoresponse[group].mean(axis=0) for group in pixels.groups()])
    resonance = np.array([pixels.resonance[group].mean(axis=0) for group in pixels.groups()])
    rate = np.gradient(loops, axis=1) / np.gradient(voltage)
    return {"voltage": voltage, "rate": rate, "resonance": resonance}


def complete_runs(results: str | Path, profile: str, dataset: str) -> Iterator[tuple[str, Run]]:
    """Yield every model whose run of seed 0 is complete.

    Parameters
    ----------
    results : path-like
    profile, dataset : str

    Yields
    ------
    model : str
    run : Run
    """
    for model in LATENT_MODELS:
        try:
            run = runs.load(results, profile, dataset, model)
        except ReplicationError:
            continue
        yield model, run


def _toy_latents(results, profile):
    """Measure how near the best codes of fresh colours are to the coordinates of the toy's law.

    Only channels in use are looked at.
    """
    described = {}
    for model, run in complete_runs(results, profile, "toy"):
        codes = run.arrays["refined"]
        if "channel_kl" in run.arrays:
            codes = codes[:, active(run.arrays["channel_kl"])]
        colours = toy.draw(0).colours["gamut"][: len(codes)]
        described[model] = laws.describe_latents(colours, codes)
    return described


def _scan_latents(results, profile, pixels):
    """Measure whether the latents of each model follow the scan row or the domains."""
    saturation = pixels.descriptors["saturation"]
    resonance_mean = pixels.descriptors["resonance_mean"]
    followed = {}
    for model, run in complete_runs(results, profile, "beps"):
        if run.record["provenance"]["spectra"] != pixels.scan.provenance:
            raise ReplicationError(
                f"{run.folder}: made on other data than {pixels.scan.provenance}. "
                "Make it again, or ask for the same data."
            )
        latents = run.arrays["latents"][:, run.arrays["components"]]
        followed[model] = confounding.follow(latents, saturation, resonance_mean, pixels.scan.shape)
    return followed


def _checks():
    """Try every pathway where the truth is known."""
    twin_graphs = {}
    for per_block in (1, 9, 36):
        twin_graphs[str(per_block)] = [known_truth.twin_graph(seed, per_block) for seed in FRESH]
    return {
        "evidence": [known_truth.synthetic_evidence(noise) for noise in known_truth.NOISES],
        "twin_evidence": [known_truth.twin_evidence(seed) for seed in FRESH],
        "twin_alignment": [known_truth.twin_alignment(seed) for seed in FRESH],
        "twin_rate_laws": [known_truth.twin_rate_laws(seed) for seed in FRESH],
        "graphs": [
            known_truth.known_graphs("uniform", 1000),
            known_truth.known_graphs("Gaussian", 3600),
        ],
        "simpson": known_truth.simpson(),
        "twin_simpson": [known_truth.twin_simpson(seed) for seed in FRESH],
        "twin_graph": twin_graphs,
    }


def plain(value: object) -> object:
    """Return a value that is fit for JSON.

    Parameters
    ----------
    value : dict, list, tuple, ndarray, number, str or None

    Returns
    -------
    object
        Every array is a list, every number of NumPy's one of Python's, every key a str.
    """
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value
