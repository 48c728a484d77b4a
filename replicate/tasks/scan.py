"""The scan, scored on the pixels fitted to or on blocks left out."""

from __future__ import annotations

import numpy as np
from scipy.stats import spearmanr
from sklearn.linear_model import LinearRegression

from replicate.analysis.latents import generate, principal_share
from replicate.analysis.residuals import best_median_worst, per_channel_mse, per_spectrum_mse
from replicate.analysis.shapes import correlation, dip_depth, loop_area
from replicate.data import sources
from replicate.data.heldout import ChannelScaler, spatial_folds
from replicate.tasks.physics import Physics
from replicate.tasks.scores import (
    channels,
    distribution,
    nonlinearities,
    refinement,
    shown_components,
    size,
)


class ScanTask:
    """Fit on all pixels of the scan and score on the same, as the paper does (Figures 4 and 5)."""

    validation = None

    def __init__(self, config):
        self.scan = sources.load_scan(config["provenance"]["spectra"])
        self.physics = Physics(self.scan)
        self.train = self.scan.spectra

    def score(self, model):
        """Return metrics and arrays of a fitted model."""
        latents = model.transform(self.train)
        reconstructions = model.inverse_transform(latents)
        mse = per_spectrum_mse(self.train, reconstructions)
        by_channel = per_channel_mse(self.train, reconstructions, self.scan.n_channels)
        by_index, table = distribution(self.train, reconstructions)
        metrics = {
            "mse": float(mse.mean()),
            "mse_median": float(np.median(mse)),
            "mse_worst": float(mse.max()),
            **size(model),
        }
        metrics |= {
            f"mse_{name}": float(value) for name, value in zip(self.scan.channels, by_channel)
        }
        metrics |= (
            by_index
            | self._shapes(reconstructions, mse)
            | self._domains(latents, mse)
            | nonlinearities(model, self.train)
        )
        if hasattr(model, "active_") and model.active_.any():
            metrics["principal_share"] = principal_share(latents[:, model.active_], self.train)
        components = shown_components(model, latents)
        values, generated = (
            zip(*(generate(model, latents, component) for component in components))
            if len(components)
            else ((), ())
        )
        arrays = {
            "latents": latents.astype(np.float32),
            "components": components,
            "mse": mse,
            **channels(model),
        }
        arrays |= {"reconstructions": reconstructions.astype(np.float32), **table}
        arrays |= {
            "generated_values": np.array(values),
            "generated": np.array(generated, dtype=np.float32),
        }
        metrics |= (
            self.physics.kept(reconstructions)
            | self.physics.shown(arrays["generated"])
            | self.physics.errors(mse)
        )
        return metrics, arrays

    def _shapes(self, reconstructions, mse):
        """Correlate each channel of the median and the worst pixel with its reconstruction, and compare the dips of the resonance."""
        measured, found = (
            dict(zip(self.scan.channels, np.split(array, self.scan.n_channels, axis=1)))
            for array in (self.train, reconstructions)
        )
        _, *shown = best_median_worst(mse)
        metrics = {
            f"shape_{name}_{channel}": correlation(measured[channel][pixel], found[channel][pixel])
            for name, pixel in zip(("median", "worst"), shown)
            for channel in self.scan.channels
        }
        if "resonance" not in measured:
            return metrics
        recovered = np.median(dip_depth(found["resonance"]) / dip_depth(measured["resonance"]))
        return metrics | {"softening_recovered": float(recovered)}

    def _domains(self, latents, mse):
        """Relate latents and errors to the domain structure, for which the area of the piezoresponse loop stands."""
        area = loop_area(self.scan.voltages[0], self.train[:, : self.scan.n_steps])
        explained = LinearRegression().fit(latents, area).score(latents, area)
        return {
            "domain_r2": float(explained),
            "error_domain_correlation": float(abs(spearmanr(mse, area)[0])),
        }


class HeldoutTask:
    """Fit on four folds of spatial blocks, channels scaled on those alone, and score on the fold left out. Not in the paper.

    Where asked, the voltage steps are in another order, the same for all spectra and both channels, or only a few spectra are fitted to.
    """

    validation = None

    def __init__(self, config):
        split = config["data"]
        self.scan = self._load(config)
        folds = spatial_folds(
            self.scan.shape, split["block"], split["n_folds"], split["split_seed"], self.scan.mask
        )
        self.heldout = folds == split["fold"]
        self.scaler = ChannelScaler(self.scan.n_channels).fit(self.scan.spectra[~self.heldout])
        self.columns = np.arange(self.scan.spectra.shape[1])
        # Loops out of order have no branches to be described.
        self.physics = None if "shuffle_seed" in split else Physics(self.scan)
        if "shuffle_seed" in split:
            order = np.random.default_rng(split["shuffle_seed"]).permutation(self.scan.n_steps)
            self.columns = self.columns.reshape(self.scan.n_channels, -1)[:, order].ravel()
        self.spectra = self._scaled(self.scan.spectra)
        self.fitted = np.flatnonzero(~self.heldout)
        if "n_train" in split:
            self.fitted = np.sort(
                np.random.default_rng(config["seed"]).choice(
                    self.fitted, split["n_train"], replace=False
                )
            )
        self.train = self.spectra[self.fitted]

    def _load(self, config):
        return sources.load_scan(config["provenance"]["spectra"])

    def _scaled(self, spectra):
        return np.ascontiguousarray(self.scaler.transform(spectra)[:, self.columns])

    def score(self, model, refined=None):
        """Return metrics and arrays of a fitted model.

        Parameters
        ----------
        model : transformer
        refined : ndarray, shape (n_heldout, n_components), optional
            Refined latents of the spectra left out, where they are known already.
        """
        heldout, latents = self.heldout, model.transform(self.spectra)
        reconstructions = model.inverse_transform(latents)
        mse = per_spectrum_mse(self.spectra, reconstructions)
        metrics = {
            "heldout_mse": float(mse[heldout].mean()),
            "mse": float(mse[self.fitted].mean()),
            **size(model),
        }
        metrics |= self._by_channel("heldout_mse", heldout, reconstructions[heldout])
        metrics |= self._by_channel("mse", self.fitted, reconstructions[self.fitted])
        best, found = refinement(model, latents[heldout], self.spectra[heldout], refined)
        metrics |= {
            "heldout_mse_refined": float(per_spectrum_mse(self.spectra[heldout], found).mean())
        }
        metrics |= self._by_channel("heldout_mse_refined", heldout, found)
        if self.physics is not None:
            metrics |= self.physics.kept(reconstructions[heldout], heldout)
            metrics |= {
                f"{name}_refined": value
                for name, value in self.physics.kept(found, heldout).items()
            }
        by_index, table = distribution(self.spectra[heldout], reconstructions[heldout])
        return metrics | by_index, {
            "mse": mse,
            "heldout": heldout,
            "refined": best,
            **table,
            **channels(model),
        }

    def _by_channel(self, name, pixels, reconstructions):
        errors = per_channel_mse(self.spectra[pixels], reconstructions, self.scan.n_channels)
        return {
            f"{name}_{channel}": float(error) for channel, error in zip(self.scan.channels, errors)
        }
