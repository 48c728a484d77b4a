"""The toy problem, whose truth is known (paper Section 2)."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np

from replicate.analysis.disentanglement import disentangled
from replicate.analysis.residuals import best_median_worst, per_spectrum_mse
from replicate.analysis.shapes import correlation, transitions
from replicate.data import sources, toy
from replicate.tasks.scores import (
    channels,
    distribution,
    in_use,
    nonlinearities,
    reconstruct,
    refinement,
    shown_components,
    size,
)

N_RESIDUALS = 2000
N_VALIDATION = 1000
SWEEP = np.linspace(0.1, 0.9, 81)
"""Values of R at which the phase shift is looked at, G and B being one half."""


class ColoursTask:
    """Fit on random colours and score on fresh ones; where asked, with the time steps in another order, the same for all spectra.

    A model blind to order does not notice.
    """

    validation = None

    def __init__(self, config):
        sizes = dict(config["data"])
        shuffle_seed = sizes.pop("shuffle_seed", None)
        sizes.pop("on_picture", None)
        self.data = self._make(config, sizes)
        if shuffle_seed is not None:
            order = np.random.default_rng(shuffle_seed).permutation(self.data.train.shape[1])
            self.data = replace(
                self.data, train=self.data.train[:, order], gamut=self.data.gamut[:, order]
            )
        self.train = self.data.train

    def _make(self, config, sizes):
        return toy.draw(config["seed"], **sizes)

    def score(self, model, refined=None):
        """Return metrics and arrays of a fitted model.

        Parameters
        ----------
        model : transformer
        refined : ndarray, shape (n_gamut, n_components), optional
            Refined latents of the fresh colours, where they are known already.
        """
        data = self.data
        latents = model.transform(data.gamut)
        train = per_spectrum_mse(data.train, reconstruct(model, data.train))
        gamut = per_spectrum_mse(data.gamut, model.inverse_transform(latents))
        metrics = {"mse": float(train.mean()), "gamut_mse": float(gamut.mean()), **size(model)}
        best, found = refinement(model, latents, data.gamut, refined)
        metrics |= {"gamut_mse_refined": float(per_spectrum_mse(data.gamut, found).mean())}
        used = latents[:, in_use(model, latents)]
        if used.shape[1]:
            metrics |= disentangled(used, data.colours["gamut"])
        return metrics, {"gamut_mse": gamut, "refined": best, **channels(model)}


class PictureTask(ColoursTask):
    """The same, scored on every pixel of the picture as well (paper Figures 2 and S4)."""

    @property
    def validation(self):
        """Fresh colours whose error goes into the history of a training."""
        return self.data.gamut[:N_VALIDATION]

    def _make(self, config, sizes):
        return toy.make(
            sources.load_picture(config["provenance"]["picture"]), config["seed"], **sizes
        )

    def score(self, model, refined=None):
        """Return metrics and arrays of a fitted model."""
        data, counts = self.data, self.data.image.counts
        metrics, arrays = super().score(model, refined)
        latents = model.transform(data.painting)
        painting = model.inverse_transform(latents).astype(np.float32)
        errors = per_spectrum_mse(data.painting, painting)
        shown = best_median_worst(errors, counts)
        by_index, table = distribution(data.painting, painting, counts)
        metrics |= {
            "painting_mse": float(data.image.mean(errors)),
            **by_index,
            **self._shift(model),
        }
        metrics |= self._shapes(data.painting[shown], painting[shown]) | nonlinearities(
            model, data.train
        )
        if getattr(model, "transform_algorithm", None) == "lasso_cd":
            metrics |= self._coded_at_1(model)
        sample = np.random.default_rng(0).choice(
            len(painting), N_RESIDUALS, p=counts / counts.sum()
        )
        arrays |= {
            "latents": latents.astype(np.float32),
            "components": shown_components(model, latents),
        }
        arrays |= {
            "painting_mse": errors,
            "examples": shown,
            "example_reconstructions": painting[shown],
            **table,
        }
        arrays |= {"residual_sample": sample, "residuals": painting[sample] - data.painting[sample]}
        return metrics, arrays

    def _shift(self, model):
        """Tell how well the transition of the reconstruction follows that of the spectrum as R grows."""
        colours = np.stack([SWEEP, np.full_like(SWEEP, 0.5), np.full_like(SWEEP, 0.5)], axis=1)
        spectra = toy.spectra(colours)
        reconstructions = self.data.unscale(reconstruct(model, self.data.standardise(spectra)))
        true, found = transitions(spectra), transitions(reconstructions)
        return {
            "shift_error": float(np.abs(found - true).mean()),
            "shift_slope": float(np.polyfit(true, found, 1)[0]),
        }

    def _shapes(self, spectra, reconstructions):
        """Correlate the median and the worst spectrum, in the units of the formula, with their reconstructions."""
        pairs = zip(self.data.unscale(spectra), self.data.unscale(reconstructions))
        _, median, worst = (correlation(*pair) for pair in pairs)
        return {"shape_median": median, "shape_worst": worst}

    def _coded_at_1(self, model):
        """Score dictionary learning coded as scikit-learn before 1.2 did, with lambda = 1 whatever it was fitted with."""
        old_default = copy.copy(model)
        old_default.transform_alpha = 1.0
        gamut, painting = (
            per_spectrum_mse(spectra, reconstruct(old_default, spectra))
            for spectra in (self.data.gamut, self.data.painting)
        )
        return {
            "gamut_mse_coded_at_1": float(gamut.mean()),
            "painting_mse_coded_at_1": float(self.data.image.mean(painting)),
        }
