"""The scan, scored on the pixels fitted to or on blocks left out."""

from __future__ import annotations

import numpy as np
from scipy.stats import spearmanr
from sklearn.linear_model import LinearRegression

from replicate import sources
from replicate.analysis.latents import generate, principal_share
from replicate.analysis.residuals import best_median_worst, per_channel_mse, per_spectrum_mse
from replicate.analysis.shapes import correlation, dip_depth, loop_area
from replicate.data.heldout import ChannelScaler, spatial_folds
from replicate.tasks.scores import channels, distribution, nonlinearities, reconstruct, shown_components, size


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
        by_index, table = distribution(self.train, reconstructions)
        metrics = {"mse": float(mse.mean()), "mse_median": float(np.median(mse)), "mse_worst": float(mse.max()), **size(model)}
        metrics |= {f"mse_{name}": float(value) for name, value in zip(self.scan.channels, by_channel)}
        metrics |= by_index | self._shapes(reconstructions, mse) | self._domains(latents, mse) | nonlinearities(model, self.train)
        if hasattr(model, "active_") and model.active_.any():
            metrics["principal_share"] = principal_share(latents[:, model.active_], self.train)
        components = shown_components(model, latents)
        values, generated = zip(*(generate(model, latents, component) for component in components)) if len(components) else ((), ())
        arrays = {"latents": latents.astype(np.float32), "components": components, "mse": mse, **channels(model)}
        arrays |= {"reconstructions": reconstructions.astype(np.float32), **table}
        arrays |= {"generated_values": np.array(values), "generated": np.array(generated, dtype=np.float32)}
        return metrics, arrays

    def _shapes(self, reconstructions, mse):
        """Correlate each channel of the median and the worst pixel with its reconstruction, and compare the dips of the resonance."""
        measured, found = (
            dict(zip(self.scan.channels, np.split(array, self.scan.n_channels, axis=1))) for array in (self.train, reconstructions)
        )
        _, *shown = best_median_worst(mse)
        metrics = {
            f"shape_{name}_{channel}": correlation(measured[channel][pixel], found[channel][pixel])
            for name, pixel in zip(("median", "worst"), shown)
            for channel in self.scan.channels
        }
        recovered = np.median(dip_depth(found["resonance"]) / dip_depth(measured["resonance"]))
        return metrics | {"softening_recovered": float(recovered)}

    def _domains(self, latents, mse):
        """Relate latents and errors to the domain structure, for which the area of the piezoresponse loop stands."""
        area = loop_area(self.scan.voltages[0], self.train[:, : self.scan.n_steps])
        explained = LinearRegression().fit(latents, area).score(latents, area)
        return {"domain_r2": float(explained), "error_domain_correlation": float(abs(spearmanr(mse, area)[0]))}


class HeldoutTask:
    """Fit on four fifths of the blocks of the scan, channels scaled on those alone, and score on the fold left out. Not in the paper.

    Each seed leaves out another fold, so that five seeds are a cross-validation.
    """

    validation = None

    def __init__(self, config):
        self.scan, split = sources.load_scan(config["provenance"]["spectra"]), config["data"]
        self.heldout = spatial_folds(self.scan.shape, split["block"], split["n_folds"], split["split_seed"]) == split["fold"]
        scaler = ChannelScaler(self.scan.n_channels).fit(self.scan.spectra[~self.heldout])
        self.spectra = scaler.transform(self.scan.spectra)
        self.train = self.spectra[~self.heldout]

    def score(self, model):
        """Return metrics and arrays of a fitted model."""
        heldout, reconstructions = self.heldout, reconstruct(model, self.spectra)
        mse = per_spectrum_mse(self.spectra, reconstructions)
        by_channel = per_channel_mse(self.spectra[heldout], reconstructions[heldout], self.scan.n_channels)
        metrics = {"heldout_mse": float(mse[heldout].mean()), "mse": float(mse[~heldout].mean()), **size(model)}
        metrics |= {f"heldout_mse_{name}": float(value) for name, value in zip(self.scan.channels, by_channel)}
        by_index, table = distribution(self.spectra[heldout], reconstructions[heldout])
        return metrics | by_index, {"mse": mse, "heldout": heldout, **table, **channels(model)}
