"""The toy problem of Section 2: one 25-step spectrum for every colour (Figures 1, 2, S3 and S4).

A spectrum depends on nothing but its colour, so a picture is stored as its unique colours and how
often each occurs. To evaluate those, weighted, is to evaluate every pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image
from scipy.special import expit
from sklearn.datasets import load_sample_image

from replicate.errors import ReplicationError

#: Number of time steps in a spectrum.
N_STEPS = 25

#: Parameters of the scaled exponential linear unit, for which mean 0 and variance 1 are a fixed
#: point (Klambauer et al., Self-normalizing neural networks, 2017).
SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


def timesteps() -> np.ndarray:
    """Return the 25 time steps, evenly spaced over [-1, 1]."""
    return np.linspace(-1.0, 1.0, N_STEPS)


def selu(x: np.ndarray) -> np.ndarray:
    """Return the scaled exponential linear unit of an array of any shape."""
    return SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(np.minimum(x, 0.0)))


def spectra(colours: ArrayLike) -> np.ndarray:
    """Turn colours into spectra with the formula of Section 2.

    Parameters
    ----------
    colours : array-like of shape (n, 3)
        Red, green and blue in [0, 1].

    Returns
    -------
    ndarray of shape (n, 25), float64
        tanh(20[t - 2(R - 0.5)]) + SELU(t - 2(G - 0.5)) + sigmoid(-20[t - (B - 0.5)]).

    Raises
    ------
    ReplicationError
        If the shape of the colours is not (n, 3), or a value is outside [0, 1].
    """
    colours = np.asarray(colours, dtype=np.float64)
    if colours.ndim != 2 or colours.shape[1] != 3:
        raise ReplicationError(f"colours: shape {colours.shape}, expected (n, 3).")
    if not np.all((colours >= 0) & (colours <= 1)):
        raise ReplicationError(
            "colours: every value must lie in [0, 1]; divide 8-bit values by 255."
        )
    t = timesteps()
    red, green, blue = (colours - 0.5).T[:, :, np.newaxis]
    return np.tanh(20 * (t - 2 * red)) + selu(t - 2 * green) + expit(-20 * (t - blue))


def sample_colours(n: int, seed: int | np.random.SeedSequence) -> np.ndarray:
    """Draw colours uniformly from the gamut, as an array of shape (n, 3) in [0, 1)."""
    return np.random.default_rng(seed).uniform(size=(n, 3))


@dataclass(frozen=True, eq=False)
class Painting:
    """A picture as its unique colours.

    Attributes
    ----------
    colours : ndarray of shape (n_unique, 3)
        Red, green and blue: 8-bit values divided by 255.
    counts : ndarray of shape (n_unique,)
        Number of pixels of each colour.
    inverse : ndarray of shape (rows * cols,), int32
        Index of the colour of each pixel, pixels in C order.
    shape : tuple of int
        Rows and columns of the picture.
    provenance : str
        ``"painting"`` or ``"sample photograph"``.
    """

    colours: np.ndarray
    counts: np.ndarray
    inverse: np.ndarray
    shape: tuple[int, int]
    provenance: str

    def expand(self, values: np.ndarray) -> np.ndarray:
        """Spread values over the picture.

        Parameters
        ----------
        values : array-like of shape (n_unique, ...)
            A value, or an array of them, for each unique colour.

        Returns
        -------
        ndarray of shape (rows, cols, ...)

        Raises
        ------
        ValueError
            If there is not one value for each unique colour.
        """
        values = self._per_colour(values)
        return values[self.inverse].reshape(self.shape + values.shape[1:])

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Average values over all pixels of the picture.

        Parameters
        ----------
        values : array-like of shape (n_unique, ...)
            A value, or an array of them, for each unique colour.

        Returns
        -------
        ndarray of shape (...)

        Raises
        ------
        ValueError
            If there is not one value for each unique colour.
        """
        return np.average(self._per_colour(values), axis=0, weights=self.counts)

    def _per_colour(self, values):
        values = np.asarray(values)
        if len(values) != len(self.colours):
            raise ValueError(f"{len(values)} values for {len(self.colours)} unique colours")
        return values


def read_painting(path: str | Path) -> Painting:
    """Read the picture in an image file.

    Raises
    ------
    ReplicationError
        If the file is missing or is not a whole image.
    """
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
    # Pillow reports broken PNGs as SyntaxError, and oversized images by an exception of its own.
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise ReplicationError(
            f"{path}: not a readable image ({error}). Fetch it again with `nox -s data`."
        ) from error
    return _painting(pixels, "painting")


def sample_photograph() -> Painting:
    """Return the stand-in for the painting: scikit-learn's photograph of a temple.

    It has more colours than scikit-learn's other photograph, that of a flower.
    """
    return _painting(load_sample_image("china.jpg"), "sample photograph")


def _painting(pixels, provenance):
    """Return the `Painting` of 8-bit pixels, shape (rows, cols, 3)."""
    # One integer a pixel: sorting those is far faster than sorting rows.
    codes = pixels.reshape(-1, 3).astype(np.int32) @ np.array([65536, 256, 1], dtype=np.int32)
    unique, inverse, counts = np.unique(codes, return_inverse=True, return_counts=True)
    red = unique >> 16
    green = unique >> 8 & 255
    blue = unique & 255
    return Painting(
        colours=np.stack([red, green, blue], axis=1) / 255,
        counts=counts,
        inverse=inverse.ravel().astype(np.int32),
        shape=pixels.shape[:2],
        provenance=provenance,
    )


@dataclass(frozen=True, eq=False)
class ToyColours:
    """Spectra of random colours, standardised by those that models are fitted to.

    Attributes
    ----------
    train, gamut : ndarray of shape (n, 25), float32
        Spectra to fit to, and fresh spectra to score on.
    colours : dict of ndarray of shape (n, 3)
        The colours behind ``"train"`` and ``"gamut"``, in [0, 1].
    mean, scale : ndarray of shape (25,)
        Mean and standard deviation of the training spectra at each time step.
    """

    train: np.ndarray
    gamut: np.ndarray
    colours: dict[str, np.ndarray]
    mean: np.ndarray
    scale: np.ndarray

    def standardise(self, spectra: np.ndarray) -> np.ndarray:
        """Standardise spectra as the training spectra are.

        Parameters
        ----------
        spectra : ndarray of shape (n, 25)
            Spectra in the units of the formula.

        Returns
        -------
        ndarray of shape (n, 25), float32
        """
        return _standardised(spectra, self.mean, self.scale)

    def unscale(self, standardised: np.ndarray) -> np.ndarray:
        """Return standardised spectra, shape (n, 25), in the units of the formula."""
        return standardised * self.scale + self.mean


@dataclass(frozen=True, eq=False)
class ToyData(ToyColours):
    """The toy data set: random colours, and the colours of a picture, standardised alike.

    It has the attributes of `ToyColours`; here `colours` also has the key ``"painting"``.

    Attributes
    ----------
    painting : ndarray of shape (n_unique, 25), float32
        Spectra of the unique colours of the picture, to be weighted by ``image.counts``.
    image : Painting
        The picture.
    provenance : dict of str
        Where ``"train"``, ``"gamut"`` and ``"painting"`` come from.
    """

    painting: np.ndarray
    image: Painting
    provenance: dict[str, str]


def draw(seed: int, n_train: int = 10_000, n_gamut: int = 5_000) -> ToyColours:
    """Draw the random colours of the toy data set.

    Parameters
    ----------
    seed : int
        Seed of two independent streams: one draws the training colours, the other the gamut's.
    n_train, n_gamut : int
        Number of colours drawn for each.
    """
    train_seed, gamut_seed = np.random.SeedSequence(seed).spawn(2)
    colours = {
        "train": sample_colours(n_train, train_seed),
        "gamut": sample_colours(n_gamut, gamut_seed),
    }
    train = spectra(colours["train"])
    mean = train.mean(axis=0)
    scale = train.std(axis=0)
    return ToyColours(
        train=_standardised(train, mean, scale),
        gamut=_standardised(spectra(colours["gamut"]), mean, scale),
        colours=colours,
        mean=mean,
        scale=scale,
    )


def _standardised(spectra, mean, scale):
    return ((spectra - mean) / scale).astype(np.float32)


def make(painting: Painting, seed: int, n_train: int = 10_000, n_gamut: int = 5_000) -> ToyData:
    """Make the toy data set of Section 2.

    Parameters
    ----------
    painting : Painting
        The picture.
    seed, n_train, n_gamut : int
        Seed and numbers of the random colours; see `draw`.
    """
    drawn = draw(seed, n_train, n_gamut)
    return ToyData(
        train=drawn.train,
        gamut=drawn.gamut,
        colours={**drawn.colours, "painting": painting.colours},
        mean=drawn.mean,
        scale=drawn.scale,
        painting=drawn.standardise(spectra(painting.colours)),
        image=painting,
        provenance={"train": "formula", "gamut": "formula", "painting": painting.provenance},
    )
