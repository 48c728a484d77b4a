"""Held-out blocks of the simulated twin, whose truth is known."""

from __future__ import annotations

import numpy as np

from replicate.analysis.disentanglement import nonlinear_r2
from replicate.analysis.residuals import per_spectrum_mse
from replicate.data import twin
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
    """The same on the simulated twin, of which the spectra without noise and the maps they were made from are known."""

    def _load(self, config):
        noise = tuple(config["data"]["noise"] * level for level in TwinParameters().noise)
        parameters = TwinParameters(noise=noise)
        self.clean = twin.simulate(noise=False, parameters=parameters)
        return twin.simulate(parameters=parameters)

    def score(self, model, refined=None):
        """Return metrics and arrays of a fitted model."""
        metrics, arrays = super().score(model, refined)
        clean = self._scaled(self.clean.spectra)
        latents = model.transform(self.spectra)
        reconstructions = model.inverse_transform(latents)
        errors = per_spectrum_mse(clean, reconstructions)
        maps = np.stack([self.scan.truth[name].ravel().astype(float) for name in MAPS], axis=1)
        metrics |= {"clean_mse": float(errors[self.heldout].mean())}
        metrics |= {"noise_mse": float(per_spectrum_mse(clean, self.spectra)[self.heldout].mean())}
        metrics |= self.physics.truth(reconstructions)
        used = latents[:, in_use(model, latents)]
        if used.shape[1]:
            metrics |= {"maps_r2": nonlinear_r2(used, maps)}
        return metrics, arrays
