"""What is left of the physics of the loops in what a model makes of them (paper Section 2, Figures 4 and 5)."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from replicate.analysis import mechanism
from replicate.analysis.loops import describe_spectra
from replicate.analysis.spatial import morans_i, variance_explained
from replicate.data.heldout import spatial_folds


class Physics:
    """Descriptors of the loops of a scan, which those of any model's reconstructions are compared with.

    Where the truth is known, a pixel has a shoulder if it is in a band, and otherwise if it is among the quarter with the greatest. What a
    scan of the user's own leaves undefined is left out of the metrics.

    Parameters
    ----------
    scan : Scan
        With a channel called ``piezoresponse``.
    """

    def __init__(self, scan):
        self.scan = scan

    @cached_property
    def _described(self):
        return describe_spectra(self.scan, self.scan.spectra)

    @cached_property
    def limit(self):
        """The shoulder above which a loop has one; infinite where no loop switches."""
        values, switches = self._described
        return mechanism.shoulder_limit(values, switches) if switches.any() else np.inf

    @cached_property
    def has_shoulder(self):
        """Which pixels have a shoulder, bool, shape (n_pixels,)."""
        if self.scan.truth is not None:
            return self.scan.truth["band"].ravel()
        return mechanism.shoulder(self._described[0]) > self.limit

    def kept(self, reconstructions, pixels=slice(None)):
        """Return how much of shoulders and descriptors reconstructions of some pixels keep.

        Parameters
        ----------
        reconstructions : ndarray, shape (n, n_channels * n_steps)
        pixels : ndarray of bool, shape (n_pixels,), optional
            Which those are; all by default.

        Returns
        -------
        dict of str to float
            ``shoulder_auc``, ``shoulder_kept``, ``shoulder_invented`` and ``descriptor_correlation``; nothing where fewer than two loops
            switch, or shoulders are on all of the pixels or on none.
        """
        data, switches = self._described
        data, switches, has_shoulder = (
            {name: values[pixels] for name, values in data.items()},
            switches[pixels],
            self.has_shoulder[pixels],
        )
        if np.count_nonzero(switches) < 2 or has_shoulder.all() or not has_shoulder.any():
            return {}
        found, _ = describe_spectra(self.scan, reconstructions)
        detection = mechanism.detect(found, has_shoulder, self.limit)
        agreements = mechanism.agree(data, found, switches)
        return {
            **{f"shoulder_{name}": value for name, value in detection._asdict().items()},
            "descriptor_correlation": float(
                np.mean([agreement.correlation for agreement in agreements.values()])
            ),
        }

    def shown(self, generated):
        """Tell in how many of the sweeps of one latent each, (n_latents, n_values, n_features), a shoulder appears or goes."""
        sweeps = (describe_spectra(self.scan, spectra)[0] for spectra in generated)
        return {
            "shoulder_latents": sum(
                mechanism.traverse(sweep, self.limit).appears for sweep in sweeps
            )
        }

    def truth(self, reconstructions):
        """Return how much of the twin's mechanism the descriptors of the reconstructions of all pixels explain, block by block."""
        found, _ = describe_spectra(self.scan, reconstructions)
        return {
            "mechanism_r2": variance_explained(
                self.scan.truth["mechanism"].ravel(), found, spatial_folds(self.scan.shape)
            )
        }

    def errors(self, mse):
        """Return how much the map of errors, (n_pixels,), has of the order of the domains (paper Figure 4 t, u)."""
        explained = variance_explained(
            mse, self._described[0], spatial_folds(self.scan.shape, mask=self.scan.mask)
        )
        # On a grid with blank pixels neighbours are not what they are elsewhere.
        moran = (
            {}
            if self.scan.mask is not None
            else {"error_moran": float(morans_i(self.scan.map(mse)))}
        )
        return {**moran, "error_explained": explained}
