"""One run in a process of its own: fit, transform, inverse, errors, clock and memory.

``python -m replicate.execute`` reads a request as JSON from standard input and prints its progress as one JSON object a line.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
import traceback

import numpy as np
import threadpoolctl

from replicate import machine, runs, sources, study
from replicate.analysis.latents import generate
from replicate.analysis.residuals import best_median_worst, per_channel_mse, per_spectrum_mse
from replicate.data import beps, toy
from replicate.errors import ReplicationError
from replicate.files import write_npz
from replicate.models.linear import lambda_search

N_RESIDUALS = 2000
N_VALIDATION = 1000


def configuration(job, provenance):
    """Return everything that the numbers of a job depend on.

    Parameters
    ----------
    job : Job
    provenance : dict of str to str
        Of ``scan`` and ``picture``, as `sources.resolve` returns it.
    """
    where = {"spectra": "formula", "picture": provenance["picture"]} if job.dataset == "toy" else {"spectra": provenance["scan"]}
    hashes = {key: value for name in where.values() for key, value in sources.data_hashes(name).items()}
    packages = {name: version for name, version in machine.versions().items() if name in ("mxnet", "numpy", "scikit-learn")}
    return study.describe(job) | {"provenance": where, "data_sha256": hashes, "code": machine.code_hash(), "packages": packages}


def execute(job, provenance, results, report=lambda **progress: None):
    """Run a job from start to record, or from its checkpoint.

    Parameters
    ----------
    job : Job
    provenance : dict of str to str
    results : path-like
    report : callable
        Called with keywords ``done``, ``total`` and ``text`` as a training advances.

    Raises
    ------
    Exception
        Whatever the run raised, after its record with status ``failed`` is written.
    """
    run, config = runs.Run.of(results, job), configuration(job, provenance)
    run.prepare(config)
    record = {"dataset": job.dataset, "model": job.model, "seed": job.seed, "profile": job.profile, "provenance": config["provenance"]}
    record |= {"data_sha256": config["data_sha256"], "git_commit": machine.git_commit()}
    record |= {"machine": machine.hardware(), "versions": machine.versions()}
    start = time.perf_counter()
    try:
        machine.seed_everything(job.seed)
        model = study.build(job)
        metrics, arrays = _run_toy(job, model, run, config, report) if job.dataset == "toy" else _run_scan(job, model, run, config, report)
        write_npz(run.folder / "weights.npz", **weights(model))
        write_npz(run.folder / "arrays.npz", **arrays)
    except Exception:
        run.finish(config, record | {"status": "failed", "metrics": {}, "error": traceback.format_exc()})
        raise
    metrics["peak_memory_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    record |= {"status": "complete", "metrics": metrics, "seconds": time.perf_counter() - start}
    run.finish(config, record | {"thread_pools": threadpoolctl.threadpool_info()})


def weights(model):
    """Return every learned array of a model by name."""
    if hasattr(model, "weights_"):
        return model.weights_
    return {name: getattr(model, name) for name in ("components_", "mean_") if hasattr(model, name)}


def _fit(job, model, spectra, run, report, validation=None):
    """Fit a model and return how long it took, over all its interruptions."""
    if not job.model.startswith("lstm"):
        start = time.perf_counter()
        model.fit(spectra)
        return time.perf_counter() - start
    schedule = model.schedule

    def on_epoch(row):
        done = row["epoch"] + 1
        if row["phase"] == "settle":
            on_epoch.settle_start = min(on_epoch.settle_start, row["epoch"])
        total = on_epoch.settle_start + schedule.settle_epochs if row["phase"] == "settle" else schedule.max_epochs
        text = f"{row['phase']} beta {row['beta']:.4f} mse {row['mse']:.4f} channels {row['active_channels']}"
        report(done=done, total=max(total, done), text=text)

    on_epoch.settle_start = schedule.max_epochs
    model.fit(spectra, checkpoint=run.checkpoint, validation=validation, on_epoch=on_epoch)
    run.write_history(model.history_)
    return model.history_[-1]["seconds"]


def _common_metrics(model, fit_seconds, spectra):
    """Time encoding and decoding, warmed up, and count parameters and channels."""
    latents = model.transform(spectra)
    model.inverse_transform(latents[:1000])
    start = time.perf_counter()
    latents = model.transform(spectra)
    encoded = time.perf_counter()
    reconstructions = model.inverse_transform(latents)
    decoded = time.perf_counter()
    metrics = {"fit_seconds": fit_seconds, "transform_seconds": encoded - start, "inverse_seconds": decoded - encoded}
    metrics["n_parameters"] = int(model.n_parameters_)
    metrics["mse"] = float(per_spectrum_mse(spectra, reconstructions).mean())
    if hasattr(model, "active_"):
        metrics["active_channels"] = int(model.active_.sum())
        metrics["selected_beta"] = model.selected_["beta"]
        metrics["selected_active_channels"] = model.selected_["active_channels"]
    return metrics, latents, reconstructions


def _shown_components(model, latents):
    """Return the components to show, the most important first: by KL for a VAE, by the spread of the coefficients otherwise."""
    importance = model.channel_kl_ * model.active_ if hasattr(model, "active_") else latents.std(axis=0)
    order = np.argsort(-importance, kind="stable")
    return order[importance[order] > 0]


def _run_toy(job, model, run, config, report):
    data = toy.make(sources.load_picture(config["provenance"]["picture"]), job.seed, **config["data"])
    validation = data.gamut[:N_VALIDATION]
    fit_seconds = _fit(job, model, data.train, run, report, validation)
    metrics, _, _ = _common_metrics(model, fit_seconds, data.train)
    arrays = {"gamut_mse": per_spectrum_mse(data.gamut, _reconstruct(model, data.gamut))}
    latents = model.transform(data.painting)
    painting = model.inverse_transform(latents).astype(np.float32)
    arrays["painting_mse"] = per_spectrum_mse(data.painting, painting)
    metrics["gamut_mse"] = float(arrays["gamut_mse"].mean())
    metrics["painting_mse"] = float(data.image.mean(arrays["painting_mse"]))
    shown = best_median_worst(arrays["painting_mse"], data.image.counts)
    sample = np.random.default_rng(0).choice(len(painting), N_RESIDUALS, p=data.image.counts / data.image.counts.sum())
    arrays |= {"latents": latents.astype(np.float32), "components": _shown_components(model, latents)}
    arrays |= {"examples": shown, "example_reconstructions": painting[shown]}
    arrays |= {"residual_sample": sample, "residuals": painting[sample] - data.painting[sample]}
    if job.model == "dictionary_learning":
        search = lambda_search(data.train[: study.N_SEARCH[job.profile]], validation, study.LAMBDAS, model.n_components, job.seed)
        metrics["best_lambda"] = float(search["lambda"][np.argmin(search["mse"])])
        arrays |= {f"search_{name}": values for name, values in search.items()}
    if hasattr(model, "history_"):
        arrays["channel_kl"] = model.channel_kl_
        reached = [row["seconds"] for row in model.history_ if row["validation_mse"] <= study.PAPER_TOY_MSE]
        metrics |= {"seconds_to_paper_mse": reached[0]} if reached else {}
    return metrics, arrays


def _run_scan(job, model, run, config, report):
    scan = sources.load_scan(config["provenance"]["spectra"])
    if job.dataset == "beps_heldout":
        return _run_heldout(job, model, scan, run, config, report)
    fit_seconds = _fit(job, model, scan.spectra, run, report)
    metrics, latents, reconstructions = _common_metrics(model, fit_seconds, scan.spectra)
    by_channel = per_channel_mse(scan.spectra, reconstructions, scan.n_channels)
    metrics |= {f"mse_{name}": float(value) for name, value in zip(scan.channels, by_channel)}
    components = _shown_components(model, latents)
    generated = [generate(model, latents, component) for component in components]
    arrays = {"latents": latents.astype(np.float32), "components": components}
    arrays |= {"reconstructions": reconstructions.astype(np.float32), "mse": per_spectrum_mse(scan.spectra, reconstructions)}
    arrays |= {"generated_values": np.array([values for values, _ in generated])}
    arrays |= {"generated": np.array([spectra for _, spectra in generated], dtype=np.float32)}
    if hasattr(model, "channel_kl_"):
        arrays["channel_kl"] = model.channel_kl_
    return metrics, arrays


def _run_heldout(job, model, scan, run, config, report):
    split = config["data"]
    heldout = beps.spatial_blocks(scan.shape, split["block"], split["n_heldout"], split["split_seed"])
    scaler = beps.ChannelScaler(scan.n_channels).fit(scan.spectra[~heldout])
    spectra = scaler.transform(scan.spectra)
    _fit(job, model, spectra[~heldout], run, report)
    reconstructions = _reconstruct(model, spectra)
    mse = per_spectrum_mse(spectra, reconstructions)
    metrics = {"heldout_mse": float(mse[heldout].mean()), "heldout_train_mse": float(mse[~heldout].mean())}
    by_channel = per_channel_mse(spectra[heldout], reconstructions[heldout], scan.n_channels)
    metrics |= {f"heldout_mse_{name}": float(value) for name, value in zip(scan.channels, by_channel)}
    if hasattr(model, "active_"):
        metrics["heldout_active_channels"] = int(model.active_.sum())
    return metrics, {"mse": mse, "heldout": heldout}


def _reconstruct(model, spectra):
    return model.inverse_transform(model.transform(spectra))


def main():
    """Run the request on standard input; a failure is reported as one line ``{"error": ...}`` and exit code 1."""
    # A request to end is handled as Ctrl-C is: at a point where no file is half-written.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    request = json.load(sys.stdin)

    def say(**progress):
        print(json.dumps(progress), flush=True)

    try:
        execute(study.Job(**request["job"]), request["provenance"], request["results"], say)
    except KeyboardInterrupt:
        # MXNet's own shutdown would be interrupted, with a traceback, by a second signal.
        os._exit(130)
    except Exception as error:
        say(error=str(error) if isinstance(error, ReplicationError) else traceback.format_exc())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
