"""A scan taken apart for every pathway: aligned channels, descriptors, and where each pixel is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from replicate.analysis.loops import describe_spectra
from replicate.causal import confounding
from replicate.causal.loop_models import Quarters
from replicate.data.heldout import square_blocks

GROUPS = ((0.0, 0.5), (0.8, 0.9), (0.9, 0.95), (0.95, 1.0))
"""Quantiles of the hardening on the rising branch, a number of the resonance alone, between which loops are averaged."""

BAND = 0.8
"""Quantile of the band score above which a pixel counts as in a band."""


@dataclass(frozen=True, eq=False)
class Pixels:
    """Aligned channels, descriptors, rows, blocks and band score of a scan, and its switching quarters; one entry a pixel."""

    scan: object
    piezoresponse: np.ndarray
    resonance: np.ndarray
    descriptors: dict
    rows: np.ndarray
    blocks: np.ndarray
    band: np.ndarray
    quarters: Quarters
    loops: np.ndarray

    @classmethod
    def of(cls, scan):
        """Take a scan apart."""
        aligned, voltage = scan.aligned()
        descriptors, _ = describe_spectra(scan, scan.spectra)
        quarters, steps = Quarters.of(voltage)
        piezoresponse = aligned[:, 0].astype(np.float64)
        # Loops are low in the bands, hence the sign.
        band = -confounding.band_score(descriptors["saturation"], scan.shape)
        places = confounding.rows_of(scan.shape), square_blocks(scan.shape)
        return cls(
            scan,
            piezoresponse,
            aligned[:, 1].astype(np.float64),
            descriptors,
            *places,
            band,
            quarters,
            piezoresponse[:, steps],
        )

    @property
    def in_band(self):
        """Which pixels count as in a band."""
        return self.band >= np.quantile(self.band, BAND)

    def groups(self):
        """Return which pixels are in each of `GROUPS`, a list of bool arrays."""
        rank = np.argsort(np.argsort(self.descriptors["hardening_positive"])) / len(self.rows)
        return [(rank >= low) & (rank < high) for low, high in GROUPS]

    def resampled(self, group, rng):
        """Return weights of the pixels of a group with its blocks drawn again, (n_pixels,)."""
        labels, member = np.unique(self.blocks, return_inverse=True)
        return (
            group
            * np.bincount(rng.integers(len(labels), size=len(labels)), minlength=len(labels))[
                member
            ]
        )
