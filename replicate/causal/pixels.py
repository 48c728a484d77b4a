"""A scan taken apart for every pathway: aligned channels, descriptors, and where each pixel is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from replicate.analysis.loops import describe_spectra
from replicate.causal import confounding
from replicate.causal.loop_models import Quarters
from replicate.data.heldout import square_blocks
from replicate.data.scan import Scan

#: Groups of pixels over which loops are averaged: quantiles of the hardening on the rising branch,
#: a number of the resonance alone.
GROUPS = ((0.0, 0.5), (0.8, 0.9), (0.9, 0.95), (0.95, 1.0))

#: Quantile of the band score above which a pixel counts as in a band.
BAND = 0.8


#: Side of the blocks that are drawn again, pixels. Loops are alike over some ten pixels.
BLOCK_SIDE = 12

#: How often blocks are drawn again.
N_BOOT = 200


@dataclass(frozen=True, eq=False)
class Pixels:
    """A scan taken apart, with one entry a pixel.

    Attributes
    ----------
    scan : Scan
    piezoresponse, resonance : ndarray of float64, shape (n_pixels, n_steps)
        Both against the voltage of the first channel.
    descriptors : dict of str to ndarray, each of shape (n_pixels,)
        As `loops.describe` returns them.
    rows : ndarray of int, shape (n_pixels,)
        Scan row.
    blocks : ndarray of int, shape (n_pixels,)
        Spatial block that is drawn again as a whole, for intervals.
    sites : ndarray of int, shape (n_pixels,)
        Smaller block, of which a few pixels are taken where all would be too many.
    band : ndarray, shape (n_pixels,)
        Band score: high where the pixel is in a band.
    quarters : Quarters
        The switching quarters of the voltage.
    loops : ndarray, shape (n_pixels, n_points)
        Piezoresponse in these quarters.
    """

    scan: Scan
    piezoresponse: np.ndarray
    resonance: np.ndarray
    descriptors: dict[str, np.ndarray]
    rows: np.ndarray
    blocks: np.ndarray
    sites: np.ndarray
    band: np.ndarray
    quarters: Quarters
    loops: np.ndarray

    @classmethod
    def of(cls, scan: Scan) -> Pixels:
        """Take a scan apart.

        Parameters
        ----------
        scan : Scan
            With a piezoresponse and a resonance.

        Returns
        -------
        Pixels
        """
        aligned, voltage = scan.aligned()
        piezoresponse = aligned[:, 0].astype(np.float64)
        descriptors, _ = describe_spectra(scan, scan.spectra)
        quarters, steps = Quarters.of(voltage)
        return cls(
            scan=scan,
            piezoresponse=piezoresponse,
            resonance=aligned[:, 1].astype(np.float64),
            descriptors=descriptors,
            rows=confounding.rows_of(scan.shape),
            blocks=square_blocks(scan.shape, BLOCK_SIDE),
            sites=square_blocks(scan.shape),
            # Loops are low in the bands, hence the sign.
            band=-confounding.band_score(descriptors["saturation"], scan.shape),
            quarters=quarters,
            loops=piezoresponse[:, steps],
        )

    @property
    def in_band(self) -> np.ndarray:
        """Which pixels count as in a band, bool, shape (n_pixels,)."""
        return self.band >= np.quantile(self.band, BAND)

    def groups(self) -> list[np.ndarray]:
        """Return which pixels are in each of `GROUPS`.

        Returns
        -------
        list of ndarray of bool, each of shape (n_pixels,)
        """
        rank = np.argsort(np.argsort(self.descriptors["hardening_positive"])) / len(self.rows)
        return [(rank >= low) & (rank < high) for low, high in GROUPS]

    def resampled(self, group: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw the blocks again and return how often each pixel of a group then counts.

        Parameters
        ----------
        group : ndarray of bool, shape (n_pixels,)
        rng : Generator

        Returns
        -------
        ndarray of int, shape (n_pixels,)
            0 for the pixels outside the group.
        """
        labels, member = np.unique(self.blocks, return_inverse=True)
        drawn = rng.integers(len(labels), size=len(labels))
        return group * np.bincount(drawn, minlength=len(labels))[member]
