"""Fitting and scoring one model on one data set: what `execute` measures, and keeps."""

from __future__ import annotations

import time

import numpy as np

from replicate import sources, study
from replicate.analysis.latents import generate, principal_share
from replicate.analysis.residuals import best_median_worst, per_channel_mse, per_spectrum_mse
from replicate.data import toy
from replicate.data.heldout import ChannelScaler, spatial_blocks
from replicate.models.linear import lambda_search

N_RESIDUALS = 2000
N_VALIDATION = 1000


def evaluate(model, config, run, report):
    """Fit a model to the data set of a configuration and score it.

    Parameters
    ----------
    model : transformer
        Unfitted; fitted in place.
    config : dict
        As `execute.configuration` returns it.
    run : Run
        Where a training keeps its checkpoint and its history.
    report : callable
        Called with keywords ``done``, ``total`` and ``text`` as a training advances.

    Returns
    -------
    metrics : dict of str to float
        Kinds of `replicate.metrics`.
    arrays : dict of str to ndarray
        What the figures draw.
    """
    kinds = {"toy": _evaluate_toy, "beps": _evaluate_scan, "beps_heldout": _evaluate_heldout}
    return kinds[config["dataset"]](model, config, run, report)


def weights(model):
    """Return every learned array of a model by name."""
    if hasattr(model, "weights_"):
        return model.weights_
    return {name: getattr(model, name) for name in ("components_", "mean_") if hasattr(model, name)}


def _fit(model, spectra, run, report, validation=None):
    """Fit a model and return how long it took, over all its interruptions."""
    if not hasattr(model, "schedule"):
        start = time.perf_counter()
        model.fit(spectra)
        return time.perf_counter() - start

    def on_epoch(row):
        done = row["epoch"] + 1
        settling = row["phase"] == "settle"
        left = model.schedule.settle_epochs - row["phase_epoch"] - 1 if settling else model.schedule.max_epochs - done
        text = f"{row['phase']} beta {row['beta']:.4f} mse {row['mse']:.4f} channels {row['active_channels']}"
        report(done=done, total=done + left, text=text)

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


def _evaluate_toy(model, config, run, report):
    data = toy.make(sources.load_picture(config["provenance"]["picture"]), config["seed"], **config["data"])
    validation = data.gamut[:N_VALIDATION]
    fit_seconds = _fit(model, data.train, run, report, validation)
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
    if config["model"] == "dictionary_learning":
        few = data.train[: study.N_SEARCH[config["profile"]]]
        search = lambda_search(few, validation, study.LAMBDAS, model.n_components, config["seed"])
        metrics["best_lambda"] = float(search["lambda"][np.argmin(search["mse"])])
        arrays |= {f"search_{name}": values for name, values in search.items()}
    if hasattr(model, "history_"):
        arrays["channel_kl"] = model.channel_kl_
        reached = [row["seconds"] for row in model.history_ if row["validation_mse"] <= study.PAPER_TOY_MSE]
        metrics |= {"seconds_to_paper_mse": reached[0]} if reached else {}
    return metrics, arrays


def _evaluate_scan(model, config, run, report):
    scan = sources.load_scan(config["provenance"]["spectra"])
    fit_seconds = _fit(model, scan.spectra, run, report)
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
        metrics |= {"principal_share": principal_share(latents[:, model.active_], scan.spectra)} if model.active_.any() else {}
    return metrics, arrays


def _evaluate_heldout(model, config, run, report):
    scan = sources.load_scan(config["provenance"]["spectra"])
    split = config["data"]
    heldout = spatial_blocks(scan.shape, split["block"], split["n_heldout"], split["split_seed"])
    scaler = ChannelScaler(scan.n_channels).fit(scan.spectra[~heldout])
    spectra = scaler.transform(scan.spectra)
    _fit(model, spectra[~heldout], run, report)
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
