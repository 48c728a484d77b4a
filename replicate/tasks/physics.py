"""How much of the physics of the loops a model keeps (paper Section 2, Figures 4 and 5)."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from replicate.analysis import mechanism
from replicate.analysis.loops import describe_spectra
from replicate.analysis.spatial import morans_i, variance_explained
from replicate.data.heldout import spatial_folds
from replicate.data.scan import Scan


class Physics:
    """The loops of a scan by their descriptors, to compare the reconstructions of a model with.

    Where the truth is known, the pixels with a shoulder are those of the bands; otherwise they are
    the quarter with the greatest shoulder. A metric that a scan leaves undefined is left out.

    Parameters
    ----------
    scan : Scan
        With a channel called ``piezoresponse``.
    """

    def __init__(self, scan: Scan):
        self.scan = scan

    @cached_property
    def _described(self):
        """Descriptors of every loop of the scan, and which loops switch."""
        return describe_spectra(self.scan, self.scan.spectra)

    @cached_property
    def limit(self) -> float:
        """The shoulder above which a loop has one; infinite where no loop switches."""
        descriptors, switches = self._described
        return mechanism.shoulder_limit(descriptors, switches) if switches.any() else np.inf

    @cached_property
    def has_shoulder(self) -> np.ndarray:
        """Which pixels have a shoulder, bool, shape (n_pixels,)."""
        if self.scan.truth is not None:
            return self.scan.truth["band"].ravel()
        descriptors, _ = self._described
        return mechanism.shoulder(descriptors) > self.limit

    def agreement(
        self, reconstructions: np.ndarray, pixels: np.ndarray | slice = slice(None)
    ) -> dict[str, float]:
        """Return how well the loops of reconstructions agree with those of the scan.

        Parameters
        ----------
        reconstructions : ndarray, shape (n, n_channels * n_steps)
            Spectra in the units of the scan.
        pixels : ndarray of bool, shape (n_pixels,), optional
            The n pixels that were reconstructed; all by default.

        Returns
        -------
        dict of str to float
            ``shoulder_auc``, ``shoulder_kept``, ``shoulder_invented``, ``shoulder_kept_at_3`` and
            ``shoulder_kept_at_8`` (where 3 and 8 % are invented), ``descriptor_correlation`` and
            ``descriptor_correlation_median``. It is empty where fewer than two loops switch, or
            where all of the pixels have a shoulder or none has.
        """
        descriptors, switches = self._described
        measured = {name: values[pixels] for name, values in descriptors.items()}
        switches = switches[pixels]
        has_shoulder = self.has_shoulder[pixels]
        if np.count_nonzero(switches) < 2 or has_shoulder.all() or not has_shoulder.any():
            return {}
        reconstructed, _ = describe_spectra(self.scan, reconstructions)
        detection = mechanism.detect(reconstructed, has_shoulder, self.limit)
        agreements = mechanism.agree(measured, reconstructed, switches)
        correlations = [each.correlation for each in agreements.values()]
        shoulders = mechanism.shoulder(reconstructed)
        return {
            "shoulder_auc": detection.auc,
            "shoulder_kept": detection.kept,
            "shoulder_invented": detection.invented,
            "shoulder_kept_at_3": mechanism.kept_at(shoulders, has_shoulder, 0.03),
            "shoulder_kept_at_8": mechanism.kept_at(shoulders, has_shoulder, 0.08),
            "descriptor_correlation": float(np.mean(correlations)),
            "descriptor_correlation_median": float(np.median(correlations)),
        }

    def count_shoulder_latents(self, generated: np.ndarray) -> dict[str, int]:
        """Return in how many sweeps of one latent a shoulder appears or goes (paper Figure 5).

        Parameters
        ----------
        generated : ndarray, shape (n_latents, n_values, n_channels * n_steps)
            The spectra that the model decodes as it sweeps each latent.

        Returns
        -------
        dict of str to int
            ``shoulder_latents``.
        """
        count = 0
        for spectra in generated:
            descriptors, _ = describe_spectra(self.scan, spectra)
            count += mechanism.traverse(descriptors, self.limit).appears
        return {"shoulder_latents": count}

    def swept_mechanism(self, generated: np.ndarray) -> dict[str, float]:
        """Return what sweeps of single latents show of the mechanism (paper Figure 5).

        Parameters
        ----------
        generated : ndarray, shape (n_latents, n_values, n_channels * n_steps)
            The spectra that the model decodes as it sweeps each latent, without the extremes.

        Returns
        -------
        dict of str to float
            ``swept_concavity``: latents along which a shoulder comes or goes.
            ``swept_hardening_negative``, ``swept_hardening_positive``: greatest hardening along the
            sweeps, over the median of the measured loops; left out where the scan has no resonance,
            or its loops no hardening.
        """
        described = [describe_spectra(self.scan, spectra)[0] for spectra in generated]
        appears = [mechanism.traverse(descriptors, self.limit).appears for descriptors in described]
        metrics = {"swept_concavity": int(np.sum(appears))}
        measured, _ = self._described
        for name in ("hardening_negative", "hardening_positive"):
            if name in measured and (usual := np.median(measured[name])) > 0:
                greatest = max(np.max(descriptors[name]) for descriptors in described)
                metrics[f"swept_{name}"] = float(greatest / usual)
        return metrics

    def mechanism_explained(self, reconstructions: np.ndarray) -> dict[str, float]:
        """Return how much of the twin's map of its mechanism the reconstructions explain.

        Parameters
        ----------
        reconstructions : ndarray, shape (n_pixels, n_channels * n_steps)
            Spectra of all pixels, in the units of the scan.

        Returns
        -------
        dict of str to float
            ``mechanism_r2``: R2 of boosted trees on the descriptors, on held-out spatial blocks.
        """
        descriptors, _ = describe_spectra(self.scan, reconstructions)
        truth = self.scan.truth["mechanism"].ravel()
        folds = spatial_folds(self.scan.shape)
        return {"mechanism_r2": variance_explained(truth, descriptors, folds)}

    def error_structure(self, mse: np.ndarray) -> dict[str, float]:
        """Return how far the map of errors follows the domains (paper Figure 4 t, u).

        Parameters
        ----------
        mse : ndarray, shape (n_pixels,)
            Mean squared error of each pixel.

        Returns
        -------
        dict of str to float
            ``error_moran``, Moran's I of the map, which is left out on a grid with blank pixels:
            neighbours there are not what they are elsewhere. ``error_explained``, the variance of
            the errors that the descriptors of the loops explain.
        """
        descriptors, _ = self._described
        metrics = {}
        if self.scan.mask is None:
            metrics["error_moran"] = float(morans_i(self.scan.map(mse)))
        folds = spatial_folds(self.scan.shape, mask=self.scan.mask)
        metrics["error_explained"] = variance_explained(mse, descriptors, folds)
        return metrics
