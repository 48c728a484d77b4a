"""Held-out evaluation of a scan, which the paper lacks.

Whole blocks of pixels are left out of a fit, and spectra are scaled by the other pixels alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import maximum_filter
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from replicate.data.scan import SHAPE
from replicate.errors import ReplicationError


def spatial_folds(
    shape: tuple[int, int] = SHAPE,
    block: int = 6,
    n_folds: int = 5,
    seed: int = 0,
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """Deal whole blocks of pixels into folds, each of which is to be held out in turn.

    Neighbouring pixels are alike, so a single pixel that is left out would not be unseen.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the grid. Where blocks do not tile the grid, the last ones of a row or
        column are smaller.
    block : int
        Side of a block, pixels. A grid that has fewer than two such blocks for each fold gets the
        greatest smaller side that gives as many.
    n_folds : int
        Number of folds. Their numbers of blocks differ by one at most.
    seed : int
        Seed of the generator that shuffles the blocks.
    mask : ndarray of bool, shape (rows, cols), optional
        Pixels that have a spectrum and are dealt; all by default.

    Returns
    -------
    ndarray of int, shape (n_pixels,)
        The fold of each pixel that is dealt, in C order. No fold is empty.

    Raises
    ------
    ReplicationError
        If the block is smaller than a pixel, or if there are fewer pixels than folds.
    """
    if block < 1:
        raise ReplicationError(f"block: {block} pixels; choose 1 or more.")
    if mask is None:
        mask = np.ones(shape, dtype=bool)
    has_spectrum = np.ravel(mask)
    n_pixels = np.count_nonzero(has_spectrum)
    if not 1 < n_folds <= n_pixels:
        raise ReplicationError(
            f"n_folds: {n_folds} of {n_pixels} pixels; choose from 2 to {n_pixels}."
        )
    for side in range(block, 0, -1):
        numbers = square_blocks(shape, side)[has_spectrum]
        blocks, block_of_pixel = np.unique(numbers, return_inverse=True)
        if len(blocks) >= 2 * n_folds:
            break
    rng = np.random.default_rng(seed)
    fold_of_block = rng.permutation(np.arange(len(blocks)) % n_folds)
    return fold_of_block[block_of_pixel]


def row_stripes(
    shape: tuple[int, int] = SHAPE, n_folds: int = 5, mask: np.ndarray | None = None
) -> np.ndarray:
    """Cut a grid into stripes of whole rows, each of which is a fold to be held out.

    A stripe at the edge has neighbours on one side only: a model has to extrapolate.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the grid.
    n_folds : int
        Number of stripes. Their numbers of rows differ by one at most.
    mask : ndarray of bool, shape (rows, cols), optional
        Pixels that have a spectrum; all by default. Rows without one are not counted.

    Returns
    -------
    ndarray of int, shape (n_pixels,)
        The stripe of each pixel that has a spectrum, from the top down, in C order. None is empty.

    Raises
    ------
    ReplicationError
        If there are fewer rows than folds.
    """
    if mask is None:
        mask = np.ones(shape, dtype=bool)
    rows, row_of_pixel = np.unique(np.nonzero(mask)[0], return_inverse=True)
    if not 1 < n_folds <= len(rows):
        raise ReplicationError(
            f"n_folds: {n_folds} of {len(rows)} rows; choose from 2 to {len(rows)}."
        )
    return row_of_pixel * n_folds // len(rows)


def buffer(
    heldout: np.ndarray,
    width: int,
    shape: tuple[int, int] = SHAPE,
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """Find the pixels beside held-out ones, which are to be left out of a fit as well.

    Neighbouring pixels are alike, so a model that is fitted to them has nearly seen those held out.

    Parameters
    ----------
    heldout : ndarray of bool, shape (n_pixels,)
        The pixels that are held out, in C order.
    width : int
        Width of the buffer, pixels. A pixel is in it if a held-out one is at most so many rows and
        at most so many columns away; with 0 none is.
    shape : tuple of int
        Rows and columns of the grid.
    mask : ndarray of bool, shape (rows, cols), optional
        Pixels that have a spectrum; all by default.

    Returns
    -------
    ndarray of bool, shape (n_pixels,)
        The pixels of the buffer. None of them is held out.

    Raises
    ------
    ReplicationError
        If the width is negative.
    """
    if width < 0:
        raise ReplicationError(f"buffer: {width} pixels; choose 0 or more.")
    if mask is None:
        mask = np.ones(shape, dtype=bool)
    laid_out = np.zeros(shape, dtype=np.uint8)
    laid_out[mask] = heldout
    near = maximum_filter(laid_out, size=2 * width + 1, mode="constant")
    return (near[mask] > 0) & ~heldout


def square_blocks(shape: tuple[int, int] = SHAPE, side: int = 6) -> np.ndarray:
    """Return the number of the square block that each pixel of a grid is in.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the grid.
    side : int
        Side of a block, pixels. The last blocks of a row or column may be smaller.

    Returns
    -------
    ndarray of int, shape (n_pixels,)
        Pixels are in C order; blocks are numbered from 0 in C order too.
    """
    row, column = np.indices(shape).reshape(2, -1)
    blocks_in_a_row = -(-shape[1] // side)
    return row // side * blocks_in_a_row + column // side


class ChannelScaler(TransformerMixin, BaseEstimator):
    """Bring each channel to mean 0 and standard deviation 1 over all its values.

    The prepared arrays of the paper are scaled in this way: one mean and one standard deviation
    for a whole channel, not one for each voltage step.

    Parameters
    ----------
    n_channels : int
        Number of channels in a channel-major spectrum.

    Attributes
    ----------
    mean_, scale_ : ndarray of shape (n_channels,)
        Mean and standard deviation of each channel.
    n_features_in_ : int
        Number of values in a spectrum.
    """

    def __init__(self, n_channels: int = 2):
        self.n_channels = n_channels

    def fit(self, X: ArrayLike, y: None = None) -> ChannelScaler:
        """Learn the mean and the standard deviation of each channel.

        Parameters
        ----------
        X : array-like of shape (n, n_channels * n_steps)
            Channel-major spectra in any unit.
        y : None
            Ignored.

        Raises
        ------
        ReplicationError
            If the spectra do not divide into channels, a value is not finite, or a channel is
            constant.
        """
        X = np.asarray(X)
        if X.ndim != 2 or len(X) == 0 or X.shape[1] % self.n_channels:
            raise ReplicationError(
                f"spectra: shape {X.shape} does not hold {self.n_channels} channels "
                "of equal length."
            )
        if not np.isfinite(X).all():
            raise ReplicationError(
                f"spectra: {np.count_nonzero(~np.isfinite(X))} values are NaN or infinite."
            )
        channels = X.reshape(len(X), self.n_channels, -1)
        constant = np.flatnonzero(np.ptp(channels, axis=(0, 2)) == 0)
        if constant.size:
            raise ReplicationError(
                f"spectra: channel {constant[0]} is constant and cannot be scaled."
            )
        self.mean_ = channels.mean(axis=(0, 2), dtype=np.float64)
        self.scale_ = channels.std(axis=(0, 2), dtype=np.float64)
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return spectra, shape (n, n_channels * n_steps), with each channel scaled.

        Spectra in float32 stay float32.
        """
        X, mean, scale = self._with_levels(X)
        return ((X - mean) / scale).astype(X.dtype)

    def inverse_transform(self, X: ArrayLike) -> np.ndarray:
        """Return scaled spectra, shape (n, n_channels * n_steps), in the unit of each channel."""
        X, mean, scale = self._with_levels(X)
        return (X * scale + mean).astype(X.dtype)

    def _with_levels(self, X):
        """Return spectra as floating-point numbers, and mean and scale of each of their values."""
        check_is_fitted(self)
        X = np.asarray(X)
        if X.ndim != 2 or X.shape[1] != self.n_features_in_:
            raise ReplicationError(
                f"spectra: shape {X.shape}, expected (n, {self.n_features_in_}) as in the fit."
            )
        if X.dtype.kind != "f":
            X = X.astype(np.float64)
        n_steps = self.n_features_in_ // self.n_channels
        return X, np.repeat(self.mean_, n_steps), np.repeat(self.scale_, n_steps)
