"""The scan, scored on the pixels fitted to or on blocks left out."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.stats import spearmanr
from sklearn.linear_model import LinearRegression

from replicate.analysis.latents import (
    distance_to_nearest,
    generate,
    principal_share,
    random_projections,
)
from replicate.analysis.residuals import (
    best_median_worst,
    geometric_mean,
    large_errors,
    of_middle_tenth,
    of_worst_hundredth,
    per_channel_mse,
    per_spectrum_mse,
)
from replicate.analysis.shapes import correlation, dip_depth, loop_area
from replicate.data import sources
from replicate.data.heldout import ChannelScaler, buffer, row_stripes, spatial_folds
from replicate.data.scan import Scan
from replicate.tasks.physics import Physics
from replicate.tasks.scores import (
    channels,
    distribution,
    in_use,
    nonlinearities,
    refinement,
    shown_components,
    size,
)

#: Most spectra that are compared with each other.
N_COMPARED = 4000

#: Quantiles between which a latent is swept where its extremes should not count.
USUAL_RANGE = (0.01, 0.99)


class ScanTask:
    """Fit to all pixels of the scan and score on the same, as the paper does (Figures 4 and 5).

    Parameters
    ----------
    config : dict
        As `execute.configuration` returns it.

    Attributes
    ----------
    scan : Scan
    train : ndarray, shape (n_pixels, n_channels * n_steps)
        Spectra to fit to, z-scores.
    validation : None
        No other spectra are scored while a network trains.
    """

    validation = None

    def __init__(self, config: dict):
        self.scan = sources.load_scan(config["provenance"]["spectra"])
        self.physics = Physics(self.scan)
        self.train = self.scan.spectra
        self._by_chance = {}

    def score(self, model) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        """Return metrics and arrays of a fitted model.

        Parameters
        ----------
        model : transformer

        Returns
        -------
        metrics : dict of str to float
            Kinds of `replicate.numbers.kinds`.
        arrays : dict of str to ndarray
            What the figures draw.
        """
        latents = model.transform(self.train)
        reconstructions = model.inverse_transform(latents)
        mse = per_spectrum_mse(self.train, reconstructions)
        by_index, index_table = distribution(self.train, reconstructions)
        metrics = {
            "mse": float(mse.mean()),
            "mse_median": float(np.median(mse)),
            "mse_worst": float(mse.max()),
        }
        metrics |= size(model)
        metrics |= self._channel_errors(reconstructions)
        metrics |= by_index
        metrics |= {"large_errors": large_errors(self.train, reconstructions)}
        metrics |= self._shapes(reconstructions, mse)
        metrics |= self._domains(latents, mse)
        metrics |= self._domains_by_chance(np.count_nonzero(in_use(model, latents)))
        metrics |= nonlinearities(model, self.train)
        if hasattr(model, "active_") and model.active_.any():
            metrics["principal_share"] = principal_share(latents[:, model.active_], self.train)
        components = shown_components(model, latents)
        swept = _swept(model, latents, components)
        metrics |= self.physics.agreement(reconstructions)
        metrics |= self.physics.count_shoulder_latents(swept["generated"])
        metrics |= self._generated(model, latents, components)
        metrics |= self.physics.error_structure(mse)
        arrays = {
            "latents": latents.astype(np.float32),
            "components": components,
            "mse": mse,
        }
        arrays |= channels(model)
        arrays |= {"reconstructions": reconstructions.astype(np.float32)}
        arrays |= index_table
        arrays |= swept
        return metrics, arrays

    def _channel_errors(self, reconstructions):
        """Return the mean squared error of each channel."""
        errors = per_channel_mse(self.train, reconstructions, self.scan.n_channels)
        return {
            f"mse_{channel}": float(error) for channel, error in zip(self.scan.channels, errors)
        }

    def _shapes(self, reconstructions, mse):
        """Return how well the shapes of the spectra are reconstructed.

        They are the correlation of each channel with its reconstruction, of the median and of the
        worst pixel and in the mean over the middle tenth and the worst hundredth of the pixels; and
        how much of the dips of the resonance is recovered, in the median and at the best pixel.
        """
        measured = self._by_channel(self.train)
        reconstructed = self._by_channel(reconstructions)
        best, median, worst = best_median_worst(mse)
        groups = {
            "median": [median],
            "worst": [worst],
            "typical": of_middle_tenth(mse),
            "poor": of_worst_hundredth(mse),
        }
        metrics = {}
        for name, pixels in groups.items():
            for channel in self.scan.channels:
                pairs = zip(measured[channel][pixels], reconstructed[channel][pixels])
                metrics[f"shape_{name}_{channel}"] = float(
                    np.mean([correlation(*pair) for pair in pairs])
                )
        if "resonance" in measured:
            depths = dip_depth(reconstructed["resonance"]) / dip_depth(measured["resonance"])
            metrics["softening_recovered"] = float(np.median(depths))
            metrics["softening_best"] = float(depths[best])
        return metrics

    def _by_channel(self, spectra):
        """Return the part of spectra that each channel has, each of shape (n, n_steps)."""
        return dict(zip(self.scan.channels, np.split(spectra, self.scan.n_channels, axis=1)))

    def _domains(self, latents, mse):
        """Return how latents and errors follow the domains.

        The area of the piezoresponse loop stands for the domain that a pixel is in.
        """
        return {
            "domain_r2": linear_r2(latents, self._area),
            "error_domain_correlation": float(abs(spearmanr(mse, self._area)[0])),
        }

    @cached_property
    def _area(self):
        """Area of the piezoresponse loop of each pixel."""
        return loop_area(self.scan.voltages[0], self.train[:, : self.scan.n_steps])

    def _domains_by_chance(self, n_latents):
        """Return how well as many random projections of the spectra follow the domains."""
        if not n_latents:
            return {}
        if n_latents not in self._by_chance:
            draws = random_projections(self.train, n_latents)
            explained = [linear_r2(projections, self._area) for projections in draws]
            self._by_chance[n_latents] = float(np.median(explained))
        return {"domain_r2_random": self._by_chance[n_latents]}

    @cached_property
    def _neighbour_distance(self):
        """Median distance of the spectra to their nearest neighbours."""
        return float(np.median(distance_to_nearest(self._some, self._some, rank=1)))

    @cached_property
    def _some(self):
        """The spectra, evenly thinned where there are more than all pairs can be looked at."""
        return self.train[:: -(-len(self.train) // N_COMPARED)]

    def _generated(self, model, latents, components):
        """Return how like measured spectra those of sweeps are, and what they show."""
        if not len(components):
            return {}
        sweeps = [
            generate(model, latents, component, limits=USUAL_RANGE)[1] for component in components
        ]
        distances = distance_to_nearest(np.concatenate(sweeps), self._some)
        return self.physics.swept_mechanism(np.array(sweeps)) | {
            "generated_distance": float(np.median(distances)),
            "neighbour_distance": self._neighbour_distance,
        }


def linear_r2(latents: np.ndarray, target: np.ndarray) -> float:
    """Return the R2 of a linear fit of a target, shape (n,), by latents, shape (n, n_latents)."""
    return float(LinearRegression().fit(latents, target).score(latents, target))


def _swept(model, latents, components):
    """Return the values at which each component is swept, and the spectra decoded there."""
    sweeps = [generate(model, latents, component) for component in components]
    return {
        "generated_values": np.array([values for values, _ in sweeps]),
        "generated": np.array([spectra for _, spectra in sweeps], dtype=np.float32),
    }


def _folds(scan, split):
    """Return the fold of each pixel of a scan, which is a stripe where no block is asked for."""
    if "block" not in split:
        return row_stripes(scan.shape, split["n_folds"], scan.mask)
    return spatial_folds(
        scan.shape, split["block"], split["n_folds"], split["split_seed"], scan.mask
    )


class HeldoutTask:
    """Fit to four folds of spatial blocks and score on the fold left out, which the paper does not.

    Channels are scaled on the pixels fitted to alone. Where the configuration says so, a buffer of
    pixels around those left out is neither fitted to nor scaled on, a fold is a stripe of rows, or
    all channels are on one voltage axis. Where the configuration says so, the voltage steps
    are in another order, the same for all spectra and all channels, or only a few spectra are
    fitted to.

    Parameters
    ----------
    config : dict
        As `execute.configuration` returns it.

    Attributes
    ----------
    scan : Scan
    heldout : ndarray of bool, shape (n_pixels,)
        The pixels that are left out.
    fitted : ndarray of int, shape (n_fitted,)
        The pixels that are fitted to.
    columns : ndarray of int, shape (n_channels * n_steps,)
        Where in a spectrum of the scan each value of a spectrum of this task stands.
    spectra : ndarray, shape (n_pixels, n_channels * n_steps)
        All spectra, scaled, in the order of `columns`.
    train : ndarray, shape (n_fitted, n_channels * n_steps)
        Spectra to fit to.
    validation : None
        No other spectra are scored while a network trains.
    """

    validation = None

    def __init__(self, config: dict):
        split = config["data"]
        self.scan = self._load(config)
        shape, mask = self.scan.shape, self.scan.mask
        self.heldout = _folds(self.scan, split) == split["fold"]
        near = buffer(self.heldout, split.get("buffer", 0), shape, mask)
        self.fitted = np.flatnonzero(~self.heldout & ~near)
        self.scaler = ChannelScaler(self.scan.n_channels).fit(self.scan.spectra[self.fitted])
        self.columns = np.arange(self.scan.spectra.shape[1])
        if "aligned" in split:
            self.columns = self.scan.align(self.columns[None]).ravel()
        if "shuffle_seed" in split:
            self.columns = self._shuffled(split["shuffle_seed"])
            # Loops out of order have no branches to be described.
            self.physics = None
        else:
            self.physics = Physics(self.scan)
        self.spectra = self._scaled(self.scan.spectra)
        if "n_train" in split:
            rng = np.random.default_rng(config["seed"])
            self.fitted = np.sort(rng.choice(self.fitted, split["n_train"], replace=False))
        self.train = self.spectra[self.fitted]

    def _load(self, config) -> Scan:
        return sources.load_scan(config["provenance"]["spectra"])

    def _shuffled(self, seed):
        """Return the columns of a spectrum with the steps of every channel in one other order."""
        order = np.random.default_rng(seed).permutation(self.scan.n_steps)
        return self.columns.reshape(self.scan.n_channels, -1)[:, order].ravel()

    def _scaled(self, spectra):
        return np.ascontiguousarray(self.scaler.transform(spectra)[:, self.columns])

    def _as_stored(self, spectra):
        """Return spectra of this task with every value where it stands in the scan."""
        return np.ascontiguousarray(spectra[:, np.argsort(self.columns)])

    def score(
        self, model, refined: np.ndarray | None = None
    ) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        """Return metrics and arrays of a fitted model.

        Parameters
        ----------
        model : transformer
        refined : ndarray, shape (n_heldout, n_components), optional
            Refined latents of the spectra left out, where they are known already.

        Returns
        -------
        metrics : dict of str to float
            Kinds of `replicate.numbers.kinds`.
        arrays : dict of str to ndarray
            What the figures draw.
        """
        heldout = self.heldout
        latents = model.transform(self.spectra)
        reconstructions = model.inverse_transform(latents)
        mse = per_spectrum_mse(self.spectra, reconstructions)
        best_latents, best_spectra = refinement(
            model, latents[heldout], self.spectra[heldout], refined
        )
        best_mse = per_spectrum_mse(self.spectra[heldout], best_spectra)
        by_index, index_table = distribution(self.spectra[heldout], reconstructions[heldout])
        metrics = {
            "heldout_mse": float(mse[heldout].mean()),
            "heldout_mse_median": float(np.median(mse[heldout])),
            "heldout_mse_log": geometric_mean(mse[heldout]),
            "mse": float(mse[self.fitted].mean()),
        }
        metrics |= size(model)
        metrics |= self._channel_errors("heldout_mse", heldout, reconstructions[heldout])
        metrics |= self._channel_errors("mse", self.fitted, reconstructions[self.fitted])
        metrics |= {
            "heldout_mse_refined": float(best_mse.mean()),
            "heldout_mse_refined_median": float(np.median(best_mse)),
            "heldout_mse_refined_log": geometric_mean(best_mse),
        }
        metrics |= self._channel_errors("heldout_mse_refined", heldout, best_spectra)
        if self.physics is not None:
            metrics |= self.physics.agreement(self._as_stored(reconstructions[heldout]), heldout)
            best_agreement = self.physics.agreement(self._as_stored(best_spectra), heldout)
            metrics |= {f"{name}_refined": value for name, value in best_agreement.items()}
        metrics |= by_index
        arrays = {
            "mse": mse,
            "heldout": heldout,
            "refined": best_latents,
            "refined_mse": best_mse,
        }
        return metrics, arrays | index_table | channels(model)

    def _channel_errors(self, kind, pixels, reconstructions):
        """Return the mean squared error of each channel over some pixels, ``<kind>_<channel>``."""
        errors = per_channel_mse(self.spectra[pixels], reconstructions, self.scan.n_channels)
        return {
            f"{kind}_{channel}": float(error) for channel, error in zip(self.scan.channels, errors)
        }
