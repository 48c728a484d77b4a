"""The toy problem of Section 2: one 25-step spectrum for every colour (Figures 1, 2, S3 and S4).

A spectrum depends on nothing but its colour, so a picture is kept as its unique colours and how often each occurs:
evaluating those, weighted, is exactly evaluating every pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.special import expit
from sklearn.datasets import load_sample_image

from replicate.errors import ReplicationError

N_STEPS = 25
# Self-normalizing networks, Klambauer et al. 2017: the fixed point with mean 0 and variance 1.
SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


def timesteps():
    """Return the 25 time steps, evenly spaced over [-1, 1]."""
    return np.linspace(-1.0, 1.0, N_STEPS)


def selu(x):
    """Scaled exponential linear unit of an array of any shape."""
    return SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(np.minimum(x, 0.0)))


def spectra(colours):
    """Turn colours into spectra with the formula of Section 2.

    Parameters
    ----------
    colours : array_like of shape (n, 3)
        Red, green and blue in [0, 1].

    Returns
    -------
    ndarray of shape (n, 25), float64
        tanh(20[t - 2(R - 0.5)]) + SELU(t - 2(G - 0.5)) + sigmoid(-20[t - (B - 0.5)]).

    Raises
    ------
    ReplicationError
        If the colours are not (n, 3) or leave [0, 1].
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


def sample_colours(n, seed):
    """Draw `n` colours uniformly from the gamut, as an (n, 3) array in [0, 1); `seed` is an int or a SeedSequence."""
    return np.random.default_rng(seed).uniform(size=(n, 3))


@dataclass(frozen=True, eq=False)
class Painting:
    """A picture as its unique colours.

    Attributes
    ----------
    colours : ndarray of shape (n_unique, 3)
        8-bit values divided by 255.
    counts : ndarray of shape (n_unique,)
        Pixels of each colour.
    inverse : ndarray of shape (rows * cols,), int32
        Which colour each pixel has, pixels in C order.
    shape : tuple of int
        Rows and columns.
    provenance : str
        ``"painting"`` or ``"sample photograph"``.
    """

    colours: np.ndarray
    counts: np.ndarray
    inverse: np.ndarray
    shape: tuple[int, int]
    provenance: str

    def expand(self, values):
        """Spread values per unique colour, (n_unique, ...), over the picture: (rows, cols, ...)."""
        values = self._per_colour(values)
        return values[self.inverse].reshape(self.shape + values.shape[1:])

    def mean(self, values):
        """Average values per unique colour, (n_unique, ...), over all pixels of the picture."""
        return np.average(self._per_colour(values), axis=0, weights=self.counts)

    def _per_colour(self, values):
        values = np.asarray(values)
        if len(values) != len(self.colours):
            raise ValueError(f"{len(values)} values for {len(self.colours)} unique colours")
        return values


def read_painting(path):
    """Read the picture at `path` into a `Painting`.

    Raises
    ------
    ReplicationError
        If the file is missing or is not a whole image.
    """
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
    # Pillow reports broken PNGs as SyntaxError, oversized images by an exception of its own.
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise ReplicationError(
            f"{path}: not a readable image ({error}). Fetch it again with `nox -s data`."
        ) from error
    return _painting(pixels, "painting")


def sample_photograph():
    """Return the stand-in for the painting: scikit-learn's photograph of a temple, richer in colours than its flower."""
    return _painting(load_sample_image("china.jpg"), "sample photograph")


def _painting(pixels, provenance):
    # One integer a pixel: sorting those is far faster than sorting rows.
    codes = pixels.reshape(-1, 3).astype(np.int32) @ np.array([65536, 256, 1], dtype=np.int32)
    unique, inverse, counts = np.unique(codes, return_inverse=True, return_counts=True)
    colours = np.stack([unique >> 16, unique >> 8 & 255, unique & 255], axis=1) / 255
    return Painting(colours, counts, inverse.ravel().astype(np.int32), pixels.shape[:2], provenance)


@dataclass(frozen=True, eq=False)
class ToyColours:
    """Spectra of random colours, standardised per time step on those to fit to.

    Attributes
    ----------
    train, gamut : ndarray of shape (n, 25), float32
        Spectra to fit to and fresh ones to score on.
    colours : dict of ndarray
        ``"train"`` and ``"gamut"``: the colours behind each, in [0, 1].
    mean, scale : ndarray of shape (25,)
        Mean and standard deviation of the training spectra.
    """

    train: np.ndarray
    gamut: np.ndarray
    colours: dict[str, np.ndarray]
    mean: np.ndarray
    scale: np.ndarray

    def standardise(self, spectra):
        """Return spectra in the units of the formula, (n, 25), standardised as the training spectra are; float32."""
        return ((spectra - self.mean) / self.scale).astype(np.float32)

    def unscale(self, standardised):
        """Return standardised spectra, (n, 25), to the units of the formula."""
        return standardised * self.scale + self.mean


@dataclass(frozen=True, eq=False)
class ToyData(ToyColours):
    """The toy data set: random colours, and those of a picture, standardised alike.

    Attributes
    ----------
    painting : ndarray of shape (n_unique, 25), float32
        Spectra of the picture's unique colours; weigh them by ``image.counts``. `colours` has these as ``"painting"``.
    image : Painting
        The picture.
    provenance : dict of str
        Of each of the three.
    """

    painting: np.ndarray
    image: Painting
    provenance: dict[str, str]


def draw(seed, n_train=10_000, n_gamut=5_000):
    """Draw the random colours of the toy data set.

    Parameters
    ----------
    seed : int
        The training and the gamut colours are independent streams of it.
    n_train, n_gamut : int
        Number of colours drawn for each.

    Returns
    -------
    ToyColours
    """
    train_seed, gamut_seed = np.random.SeedSequence(seed).spawn(2)
    colours = {
        "train": sample_colours(n_train, train_seed),
        "gamut": sample_colours(n_gamut, gamut_seed),
    }
    train = spectra(colours["train"])
    mean, scale = train.mean(axis=0), train.std(axis=0)
    standardised = {
        name: ((spectra(values) - mean) / scale).astype(np.float32)
        for name, values in colours.items()
    }
    return ToyColours(**standardised, colours=colours, mean=mean, scale=scale)


def make(painting, seed, n_train=10_000, n_gamut=5_000):
    """Make the toy data set of Section 2 from a `Painting` and the random colours of `draw`, as `ToyData`."""
    drawn = draw(seed, n_train, n_gamut)
    provenance = {"train": "formula", "gamut": "formula", "painting": painting.provenance}
    shared = vars(drawn) | {"colours": drawn.colours | {"painting": painting.colours}}
    return ToyData(
        **shared,
        painting=drawn.standardise(spectra(painting.colours)),
        image=painting,
        provenance=provenance,
    )
