"""The toy problem, whose truth is known (paper Section 2)."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from replicate.analysis.disentanglement import disentangled
from replicate.analysis.residuals import (
    best_median_worst,
    offset_share,
    per_index,
    per_spectrum_mse,
)
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

#: Pixels of the picture whose residuals are stored.
N_RESIDUALS = 2000

#: Fresh colours on which the error is followed while a network trains.
N_VALIDATION = 1000

#: Steps that are the beginning, and as many that are the end, of a spectrum.
N_END = 4

#: Values of R at which the phase shift is looked at; G and B are one half.
SWEEP = np.linspace(0.1, 0.9, 81)


class ColoursTask:
    """Fit to random colours and score on fresh ones.

    Where the configuration says so, the time steps are in another order, the same for all spectra:
    a model that is blind to order does not notice.

    Parameters
    ----------
    config : dict
        As `execute.configuration` returns it.

    Attributes
    ----------
    data : ToyColours
    train : ndarray, shape (n_train, 25)
        Spectra to fit to, z-scores.
    validation : None
        No other spectra are scored while a network trains.
    """

    validation = None

    def __init__(self, config: dict):
        sizes = dict(config["data"])
        shuffle_seed = sizes.pop("shuffle_seed", None)
        self.data = self._make(config, sizes)
        if shuffle_seed is not None:
            self.data = _shuffled(self.data, shuffle_seed)
        self.train = self.data.train

    def _make(self, config, sizes):
        return toy.draw(config["seed"], **sizes)

    def score(
        self, model, refined: np.ndarray | None = None
    ) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        """Return metrics and arrays of a fitted model.

        Parameters
        ----------
        model : transformer
        refined : ndarray, shape (n_gamut, n_components), optional
            Refined latents of the fresh colours, where they are known already.

        Returns
        -------
        metrics : dict of str to float
            Kinds of `replicate.numbers.kinds`.
        arrays : dict of str to ndarray
            What the figures draw.
        """
        data = self.data
        latents = model.transform(data.gamut)
        train_mse = per_spectrum_mse(data.train, reconstruct(model, data.train))
        gamut_mse = per_spectrum_mse(data.gamut, model.inverse_transform(latents))
        best_latents, best_spectra = refinement(model, latents, data.gamut, refined)
        best_mse = per_spectrum_mse(data.gamut, best_spectra)
        metrics = {
            "mse": float(train_mse.mean()),
            "gamut_mse": float(gamut_mse.mean()),
        }
        metrics |= size(model)
        metrics |= {"gamut_mse_refined": float(best_mse.mean())}
        used = latents[:, in_use(model, latents)]
        if used.shape[1]:
            metrics |= disentangled(used, data.colours["gamut"])
        arrays = {"gamut_mse": gamut_mse, "refined": best_latents}
        return metrics, arrays | channels(model)


def _shuffled(data, seed):
    """Return toy data with the time steps of all spectra in one other order."""
    order = np.random.default_rng(seed).permutation(data.train.shape[1])
    return replace(data, train=data.train[:, order], gamut=data.gamut[:, order])


def _ends(spectra, reconstructions, counts):
    """Return offset and kurtosis of the errors at the first and the last steps (Figure 2m)."""
    table = per_index(spectra, reconstructions, counts)
    first, last = table["bias"][:N_END], table["bias"][-N_END:]
    kurtosis = np.concatenate([table["kurtosis"][:N_END], table["kurtosis"][-N_END:]])
    return {
        "index_bias_first": float(np.sqrt(np.mean(first**2))),
        "index_bias_last": float(np.sqrt(np.mean(last**2))),
        "index_kurtosis_ends": float(np.median(kurtosis)),
    }


class PictureTask(ColoursTask):
    """Fit to random colours, and score on fresh ones and on every pixel of the picture.

    The pictures are those of paper Figures 2 and S4.
    """

    @property
    def validation(self) -> np.ndarray:
        """Fresh colours whose error goes into the history of a training, (`N_VALIDATION`, 25)."""
        return self.data.gamut[:N_VALIDATION]

    def _make(self, config, sizes):
        picture = sources.load_picture(config["provenance"]["picture"])
        return toy.make(picture, config["seed"], **sizes)

    def score(
        self, model, refined: np.ndarray | None = None
    ) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        """Return metrics and arrays of a fitted model.

        Parameters
        ----------
        model : transformer
        refined : ndarray, shape (n_gamut, n_components), optional
            Refined latents of the fresh colours, where they are known already.

        Returns
        -------
        metrics : dict of str to float
            Kinds of `replicate.numbers.kinds`.
        arrays : dict of str to ndarray
            What the figures draw.
        """
        data = self.data
        counts = data.image.counts
        metrics, arrays = super().score(model, refined)
        latents = model.transform(data.painting)
        painting = model.inverse_transform(latents).astype(np.float32)
        errors = per_spectrum_mse(data.painting, painting)
        examples = best_median_worst(errors, counts)
        by_index, index_table = distribution(data.painting, painting, counts)
        metrics |= {"painting_mse": float(data.image.mean(errors))}
        metrics |= by_index
        metrics |= self._shift(model)
        metrics |= self._shapes(data.painting[examples], painting[examples])
        worst = examples[2]
        metrics |= {"worst_offset_share": offset_share(data.painting[worst], painting[worst])}
        metrics |= _ends(data.painting, painting, counts)
        metrics |= self._painting_explained(latents[:, in_use(model, latents)])
        metrics |= nonlinearities(model, data.train)
        if getattr(model, "transform_algorithm", None) == "lasso_cd":
            metrics |= self._coded_at_1(model)
        share = counts / counts.sum()
        sample = np.random.default_rng(0).choice(len(painting), N_RESIDUALS, p=share)
        arrays |= {
            "latents": latents.astype(np.float32),
            "components": shown_components(model, latents),
            "painting_mse": errors,
            "examples": examples,
            "example_reconstructions": painting[examples],
        }
        arrays |= index_table
        arrays |= {"residual_sample": sample, "residuals": painting[sample] - data.painting[sample]}
        return metrics, arrays

    def _painting_explained(self, latents):
        """Return how much of the colour that is explained least the latents explain linearly."""
        if not latents.shape[1]:
            return {}
        image = self.data.image
        fit = LinearRegression().fit(latents, image.colours, sample_weight=image.counts)
        explained = r2_score(
            image.colours,
            fit.predict(latents),
            sample_weight=image.counts,
            multioutput="raw_values",
        )
        return {"painting_r2_least": float(explained.min())}

    def _shift(self, model):
        """Return how well the reconstructed transition follows that of the spectrum as R grows."""
        half = np.full_like(SWEEP, 0.5)
        spectra = toy.spectra(np.stack([SWEEP, half, half], axis=1))
        reconstructions = self.data.unscale(reconstruct(model, self.data.standardise(spectra)))
        true = transitions(spectra)
        reconstructed = transitions(reconstructions)
        return {
            "shift_error": float(np.abs(reconstructed - true).mean()),
            "shift_slope": float(np.polyfit(true, reconstructed, 1)[0]),
        }

    def _shapes(self, spectra, reconstructions):
        """Correlate the median and the worst spectrum with their reconstructions.

        Both are taken in the units of the formula. The arguments have shape (3, 25): the best, the
        median and the worst spectrum.
        """
        _, median, worst = self.data.unscale(spectra)
        _, median_reconstructed, worst_reconstructed = self.data.unscale(reconstructions)
        return {
            "shape_median": correlation(median, median_reconstructed),
            "shape_worst": correlation(worst, worst_reconstructed),
        }

    def _coded_at_1(self, model):
        """Score dictionary learning coded with lambda = 1, whatever lambda it was fitted with.

        This is how scikit-learn coded before version 1.2.
        """
        old_default = copy.copy(model)
        old_default.transform_alpha = 1.0
        gamut = per_spectrum_mse(self.data.gamut, reconstruct(old_default, self.data.gamut))
        painting = per_spectrum_mse(
            self.data.painting, reconstruct(old_default, self.data.painting)
        )
        return {
            "gamut_mse_coded_at_1": float(gamut.mean()),
            "painting_mse_coded_at_1": float(self.data.image.mean(painting)),
        }
