"""The record of the causal extension: every number of it, with the data it is from, in one file that figure and page are made of."""

from __future__ import annotations

from importlib import metadata

import numpy as np
from tqdm import tqdm

from replicate.causal import confounding, evidence, folder, laws, maps, statements
from replicate.causal import known_truth as checks
from replicate.causal import on_scan as measured
from replicate.causal.pixels import GROUPS, Pixels
from replicate.data import sources, toy
from replicate.errors import ReplicationError
from replicate.files import write_json, write_npz
from replicate.models.schedule import active
from replicate.running import machine, runs

LATENT_MODELS = ("pca", "dictionary_learning", "lstm_vae", "lstm_vae_plain", "dense_vae")
FRESH = (101, 102)
"""Seeds of the simulated twins that the pathways are put to the test on; none was looked at before."""

LIBRARIES = ("dynesty", "lingam", "causal-learn")
STAGES = ("alignment", "evidence", "map", "nested", "laws", "graphs", "confounding", "checks")


def compute(results, profile, provenance):
    """Compute everything and write ``causal.json`` and ``verdicts.json``; return the record.

    Parameters
    ----------
    results : path-like
        Where the runs are whose latents are looked at, and where the record goes.
    profile : str
        Of those runs.
    provenance : str
        Of the scan, ``"measured"`` or ``"simulated twin"``.
    """
    own = folder(results)
    with tqdm(total=len(STAGES), unit="stage") as bar:

        def stage(name):
            bar.set_description(name)
            bar.refresh()

        stage("alignment")
        scan = sources.load_scan(provenance)
        pixels = Pixels.of(scan)
        record = {
            "provenance": provenance,
            "data": scan.hashes,
            "alignment": measured.alignment(scan),
        }
        bar.update()
        record["evidence"] = _evidence(pixels, own, stage, bar)
        stage("laws")
        record["laws"] = {
            "scan": measured.rate_laws(pixels),
            "toy": [checks.toy_laws(noise) for noise in (0.02, 0.1)],
        }
        record["laws"]["latents"] = _toy_latents(results, profile)
        bar.update()
        stage("graphs")
        record["graphs"] = measured.graphs(pixels) | {"reversals": measured.reversals(pixels)}
        bar.update()
        stage("confounding")
        record["confounding"] = {
            "descriptors": measured.drift(pixels),
            "latents": _scan_latents(results, profile, pixels),
        }
        bar.update()
        stage("checks")
        record["checks"] = _checks()
        bar.update()
    record = plain(record | {"made": made(bar.format_dict["elapsed"])})
    write_json(own / "causal.json", record)
    write_json(own / "verdicts.json", statements.judge_all(record))
    return record


def made(seconds):
    """Return with what, from which code and in how many seconds a record was made."""
    libraries = {name: metadata.version(name) for name in LIBRARIES}
    return {
        "git_commit": machine.git_commit(),
        "versions": machine.versions() | libraries,
        "seconds": round(seconds),
    }


def _evidence(pixels, own, stage, bar):
    stage("evidence")
    groups = measured.mean_loops(pixels)
    loops, fits = groups.pop("loops"), groups.pop("fits")
    found = {"groups": {"quantiles": GROUPS, **groups}}
    found["priors"] = measured.prior_sensitivity(loops, pixels.quarters)
    found["predictive"] = measured.predictive(loops, fits, pixels.quarters)
    found["noise"] = {
        **measured.noise_needed(loops, fits, pixels.quarters),
        "there": measured.noise_there(pixels),
    }
    bar.update()
    stage("map")
    with tqdm(total=len(pixels.loops), unit="pixel", leave=False) as inner:
        log_evidence = maps.evidence_map(
            pixels.loops, pixels.quarters, own / "evidence.npz", progress=inner.update
        )
    found["map"] = measured.of_map(pixels, log_evidence)
    example = measured.example(pixels, log_evidence)
    found["arrival"] = measured.arriving(pixels, example)
    write_npz(
        own / "maps.npz",
        log_bayes=maps.log_bayes(log_evidence).reshape(pixels.scan.shape),
        **_curves(pixels),
    )
    bar.update()
    stage("nested")
    chosen = [example, *_typical(pixels)]
    both = np.concatenate([loops, pixels.loops[chosen]])
    all_fits = evidence.laplace(both, pixels.quarters)
    with tqdm(total=2 * len(both), unit="run", leave=False) as inner:
        table = maps.nested_table(
            both, all_fits, pixels.quarters, own / "nested.json", progress=inner.update
        )
    found["nested"] = {
        "groups": table[: len(loops)],
        "pixels": table[len(loops) :],
        "chosen": chosen,
        "live": evidence.N_LIVE,
    }
    bar.update()
    return found


def _typical(pixels):
    """Return the pixel of the median hardening of the first and of the last group."""
    hardening, typical = pixels.descriptors["hardening_positive"], []
    for group in (pixels.groups()[0], pixels.groups()[-1]):
        own = np.flatnonzero(group)
        typical.append(int(own[np.argsort(hardening[own])[len(own) // 2]]))
    return typical


def _curves(pixels):
    """Return the mean rate of switching and the mean resonance of each group, (n_groups, n_steps), against the first channel's voltage."""
    voltage = pixels.scan.voltages[0]
    rate = np.gradient(
        np.array([pixels.piezoresponse[group].mean(axis=0) for group in pixels.groups()]), axis=1
    )
    resonance = np.array([pixels.resonance[group].mean(axis=0) for group in pixels.groups()])
    return {"voltage": voltage, "rate": rate / np.gradient(voltage), "resonance": resonance}


def complete_runs(results, profile, dataset):
    """Yield the name and the run of every model that has a complete one of seed 0."""
    for model in LATENT_MODELS:
        try:
            yield model, runs.load(results, profile, dataset, model)
        except ReplicationError:
            continue


def _toy_latents(results, profile):
    """Ask of the best codes of fresh colours, those of channels in use, how near they are to the law's coordinates."""
    found = {}
    for model, run in complete_runs(results, profile, "toy"):
        codes = run.arrays["refined"]
        codes = codes[:, active(run.arrays["channel_kl"])] if "channel_kl" in run.arrays else codes
        found[model] = laws.describe_latents(toy.draw(0).colours["gamut"][: len(codes)], codes)
    return found


def _scan_latents(results, profile, pixels):
    found = {}
    for model, run in complete_runs(results, profile, "beps"):
        if run.record["provenance"]["spectra"] != pixels.scan.provenance:
            raise ReplicationError(
                f"{run.folder}: made on other data than {pixels.scan.provenance}. Make it again, or ask for the same data."
            )
        latents = run.arrays["latents"][:, run.arrays["components"]]
        described = pixels.descriptors["saturation"], pixels.descriptors["resonance_mean"]
        found[model] = confounding.follow(latents, *described, pixels.scan.shape)
    return found


def _checks():
    return {
        "evidence": [checks.synthetic_evidence(noise) for noise in checks.NOISES],
        "twin_evidence": [checks.twin_evidence(seed) for seed in FRESH],
        "twin_alignment": [checks.twin_alignment(seed) for seed in FRESH],
        "twin_rate_laws": [checks.twin_rate_laws(seed) for seed in FRESH],
        "graphs": [checks.known_graphs("uniform", 1000), checks.known_graphs("Gaussian", 3600)],
        "simpson": checks.simpson(),
        "twin_simpson": [checks.twin_simpson(seed) for seed in FRESH],
        "twin_graph": {
            str(per_block): [checks.twin_graph(seed, per_block) for seed in FRESH]
            for per_block in (1, 9, 36)
        },
    }


def plain(value):
    """Return a value with every array a list and every number of NumPy's one of Python's, fit for JSON."""
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value
