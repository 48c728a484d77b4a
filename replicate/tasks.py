"""The tasks of the study: what a model is fitted to, and how it is scored, the same for every model.

Only `train` reaches a model's ``fit``; a task scores whatever transforms spectra to latents and back, a fitted estimator or one that
was put together from stored weights.
"""

from __future__ import annotations

import numpy as np

from replicate import sources
from replicate.analysis.latents import generate, principal_share
from replicate.analysis.residuals import best_median_worst, per_channel_mse, per_spectrum_mse
from replicate.data import toy
from replicate.data.heldout import ChannelScaler, spatial_blocks

N_RESIDUALS = 2000
N_VALIDATION = 1000


def load_task(config):
    """Load the data of a configuration, as `execute.configuration` returns it, into its task."""
    return {"toy": ToyTask, "beps": ScanTask, "beps_heldout": HeldoutTask}[config["dataset"]](config)


def _size(model):
    """Count fitted numbers and, of a VAE, active channels."""
    active = {"active_channels": int(model.active_.sum())} if hasattr(model, "active_") else {}
    return {"n_parameters": int(model.n_parameters_), **active}


def _channels(model):
    return {"channel_kl": model.channel_kl_} if hasattr(model, "channel_kl_") else {}


def _shown_components(model, latents):
    """Return the components to show, the most important first: by KL for a VAE, by the spread of the coefficients otherwise."""
    importance = model.channel_kl_ * model.active_ if hasattr(model, "active_") else latents.std(axis=0)
    order = np.argsort(-importance, kind="stable")
    return order[importance[order] > 0]


def _reconstruct(model, spectra):
    return model.inverse_transform(model.transform(spectra))


class ToyTask:
    """Fit on random colours, score on fresh ones and on every pixel of the picture (paper Figures 2 and S4)."""

    def __init__(self, config):
        picture = sources.load_picture(config["provenance"]["picture"])
        self.data = toy.make(picture, config["seed"], **config["data"])
        self.train, self.validation = self.data.train, self.data.gamut[:N_VALIDATION]

    def score(self, model):
        """Return metrics and arrays of a fitted model."""
        data, counts = self.data, self.data.image.counts
        latents = model.transform(data.painting)
        painting = model.inverse_transform(latents).astype(np.float32)
        train, gamut = (per_spectrum_mse(spectra, _reconstruct(model, spectra)) for spectra in (data.train, data.gamut))
        errors = per_spectrum_mse(data.painting, painting)
        metrics = {"mse": float(train.mean()), "gamut_mse": float(gamut.mean()), "painting_mse": float(data.image.mean(errors))}
        metrics |= _size(model)
        shown = best_median_worst(errors, counts)
        sample = np.random.default_rng(0).choice(len(painting), N_RESIDUALS, p=counts / counts.sum())
        arrays = {"latents": latents.astype(np.float32), "components": _shown_components(model, latents), **_channels(model)}
        arrays |= {"gamut_mse": gamut, "painting_mse": errors}
        arrays |= {"examples": shown, "example_reconstructions": painting[shown]}
        arrays |= {"residual_sample": sample, "residuals": painting[sample] - data.painting[sample]}
        return metrics, arrays


class ScanTask:
    """Fit on all pixels of the scan and score on the same, as the paper does (Figures 4 and 5)."""

    validation = None

    def __init__(self, config):
        self.scan = sources.load_scan(config["provenance"]["spectra"])
        self.train = self.scan.spectra

    def score(self, model):
        """Return metrics and arrays of a fitted model."""
        latents = model.transform(self.train)
        reconstructions = model.inverse_transform(latents)
        mse = per_spectrum_mse(self.train, reconstructions)
        by_channel = per_channel_mse(self.train, reconstructions, self.scan.n_channels)
        metrics = {"mse": float(mse.mean()), **_size(model)}
        metrics |= {f"mse_{name}": float(value) for name, value in zip(self.scan.channels, by_channel)}
        if hasattr(model, "active_") and model.active_.any():
            metrics["principal_share"] = principal_share(latents[:, model.active_], self.train)
        components = _shown_components(model, latents)
        values, generated = zip(*(generate(model, latents, component) for component in components)) if len(components) else ((), ())
        arrays = {"latents": latents.astype(np.float32), "components": components, "mse": mse, **_channels(model)}
        arrays |= {"reconstructions": reconstructions.astype(np.float32)}
        arrays |= {"generated_values": np.array(values), "generated": np.array(generated, dtype=np.float32)}
        return metrics, arrays


class HeldoutTask:
    """Fit on most blocks of the scan, channels scaled on those alone, and score on the blocks left out. Not in the paper."""

    validation = None

    def __init__(self, config):
        self.scan, split = sources.load_scan(config["provenance"]["spectra"]), config["data"]
        self.heldout = spatial_blocks(self.scan.shape, split["block"], split["n_heldout"], split["split_seed"])
        scaler = ChannelScaler(self.scan.n_channels).fit(self.scan.spectra[~self.heldout])
        self.spectra = scaler.transform(self.scan.spectra)
        self.train = self.spectra[~self.heldout]

    def score(self, model):
        """Return metrics and arrays of a fitted model."""
        heldout, reconstructions = self.heldout, _reconstruct(model, self.spectra)
        mse = per_spectrum_mse(self.spectra, reconstructions)
        by_channel = per_channel_mse(self.spectra[heldout], reconstructions[heldout], self.scan.n_channels)
        metrics = {"heldout_mse": float(mse[heldout].mean()), "heldout_train_mse": float(mse[~heldout].mean())}
        metrics |= {f"heldout_mse_{name}": float(value) for name, value in zip(self.scan.channels, by_channel)}
        if hasattr(model, "active_"):
            metrics["heldout_active_channels"] = int(model.active_.sum())
        return metrics, {"mse": mse, "heldout": heldout, **_channels(model)}
