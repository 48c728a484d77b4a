"""Held-out blocks of the simulated twin, whose truth is known."""

from __future__ import annotations

import numpy as np

from replicate.analysis.disentanglement import nonlinear_r2
from replicate.analysis.residuals import per_spectrum_mse
from replicate.data import twin
from replicate.data.scan import Scan
from replicate.data.twin import TwinParameters
from replicate.tasks.scan import HeldoutTask
from replicate.tasks.scores import in_use

#: Maps of the twin's truth that its loops show most of. The maps of widths and of small
#: modulations hardly come through to any model.
MAPS = (
    "mechanism",
    "amplitude",
    "offset",
    "imprint",
    "coercive_negative",
    "coercive_positive",
    "softening",
    "hardening",
    "stiffness",
)


class TwinTask(HeldoutTask):
    """Fit to four folds of spatial blocks of the simulated twin, and score on the fold left out.

    The spectra without noise are known, and the maps that they were made from: a model is compared
    with these as well.
    """

    def _load(self, config) -> Scan:
        noise = tuple(config["data"]["noise"] * level for level in TwinParameters().noise)
        parameters = TwinParameters(noise=noise)
        self.clean = twin.simulate(noise=False, parameters=parameters)
        return twin.simulate(parameters=parameters)

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
        metrics, arrays = super().score(model, refined)
        clean = self._scaled(self.clean.spectra)
        latents = model.transform(self.spectra)
        reconstructions = model.inverse_transform(latents)
        errors = per_spectrum_mse(clean, reconstructions)
        noise = per_spectrum_mse(clean, self.spectra)
        metrics |= {
            "clean_mse": float(errors[self.heldout].mean()),
            "noise_mse": float(noise[self.heldout].mean()),
        }
        metrics |= self.physics.mechanism_explained(reconstructions)
        used = latents[:, in_use(model, latents)]
        if used.shape[1]:
            maps = [self.scan.truth[name].ravel().astype(float) for name in MAPS]
            metrics |= {"maps_r2": nonlinear_r2(used, np.stack(maps, axis=1))}
        return metrics, arrays
