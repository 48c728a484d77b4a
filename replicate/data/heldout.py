"""Held-out evaluation of a scan, which the paper lacks: whole blocks of pixels left out, and scaling on the others only."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from replicate.data.scan import SHAPE
from replicate.errors import ReplicationError


def spatial_folds(shape=SHAPE, block=6, n_folds=5, seed=0, mask=None):
    """Deal whole blocks of pixels into folds, each to be held out in turn: neighbours are alike, so single pixels would not be unseen.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the grid. The last blocks of a row or column are smaller where the others do not tile it.
    block : int
        Side of a block, pixels; on a grid with fewer than two blocks a fold, the greatest side that gives as many.
    n_folds : int
        Number of folds; their sizes differ by one block at the most.
    seed : int
        Of the shuffling of the blocks.
    mask : ndarray of bool, shape (rows, cols), optional
        Pixels that are to be dealt; all by default.

    Returns
    -------
    ndarray of int, shape (n_pixels,)
        The fold of each pixel that is dealt, in C order. Every fold has some.

    Raises
    ------
    ReplicationError
        If the block is smaller than a pixel, or there are fewer pixels than folds.
    """
    if block < 1:
        raise ReplicationError(f"block: {block} pixels; choose 1 or more.")
    dealt_to = np.ravel(np.ones(shape, dtype=bool) if mask is None else mask)
    n_pixels = np.count_nonzero(dealt_to)
    if not 1 < n_folds <= n_pixels:
        raise ReplicationError(
            f"n_folds: {n_folds} of {n_pixels} pixels; choose from 2 to {n_pixels}."
        )
    for side in range(block, 0, -1):
        blocks, dealt = np.unique(square_blocks(shape, side)[dealt_to], return_inverse=True)
        if len(blocks) >= 2 * n_folds:
            break
    return np.random.default_rng(seed).permutation(np.arange(len(blocks)) % n_folds)[dealt]


def square_blocks(shape=SHAPE, side=6):
    """Return the number of the square block that each pixel is in, (n_pixels,), block after block in C order; the last may be smaller."""
    row, column = np.indices(shape).reshape(2, -1)
    return row // side * -(-shape[1] // side) + column // side


class ChannelScaler(TransformerMixin, BaseEstimator):
    """Scale each channel by one mean and one standard deviation over all its values, as the prepared arrays are.

    Parameters
    ----------
    n_channels : int
        Number of channels in a channel-major spectrum.

    Attributes
    ----------
    mean_, scale_ : ndarray of shape (n_channels,)
    n_features_in_ : int
    """

    def __init__(self, n_channels=2):
        self.n_channels = n_channels

    def fit(self, X, y=None):
        """Learn mean and standard deviation from `X`, (n, n_channels * n_steps); `y` is ignored.

        Raises
        ------
        ReplicationError
            If the channels do not divide the spectra, a value is not finite, or a channel is constant.
        """
        X = np.asarray(X)
        if X.ndim != 2 or len(X) == 0 or X.shape[1] % self.n_channels:
            raise ReplicationError(
                f"spectra: shape {X.shape} does not hold {self.n_channels} channels of equal length."
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

    def transform(self, X):
        """Return `X`, (n, n_channels * n_steps), with each channel scaled; float32 stays float32."""
        X, mean, scale = self._per_feature(X)
        return ((X - mean) / scale).astype(X.dtype)

    def inverse_transform(self, X):
        """Undo `transform`."""
        X, mean, scale = self._per_feature(X)
        return (X * scale + mean).astype(X.dtype)

    def _per_feature(self, X):
        check_is_fitted(self)
        X = np.asarray(X)
        if X.ndim != 2 or X.shape[1] != self.n_features_in_:
            raise ReplicationError(
                f"spectra: shape {X.shape}, expected (n, {self.n_features_in_}) as in the fit."
            )
        n_steps = self.n_features_in_ // self.n_channels
        return (
            X if X.dtype.kind == "f" else X.astype(np.float64),
            np.repeat(self.mean_, n_steps),
            np.repeat(self.scale_, n_steps),
        )
