"""Parsimonious laws, in two halves: what makes up the toy spectra, and how fast a loop switches.

This is pathway 2 of the abstract. The first half asks which processes a toy spectrum is the sum of,
and what sets their positions. The families of processes and their steepness are given as prior
knowledge; nothing outside them is found.

The second half writes the rate of switching, dg/dV, as a function of the fraction g that has
switched. A loop of one logistic step has the law dg/dV = a_0 g(1 - g); one with an intermediate
state needs more terms, and its rate has a valley.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from scipy.special import expit
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.preprocessing import PolynomialFeatures

from replicate.analysis.switching import Loops
from replicate.data.toy import selu

#: Processes that a spectrum may be the sum of. Each has a position, and weight one.
FAMILIES = {
    "tanh, steep": lambda x: np.tanh(20 * x),
    "tanh": lambda x: np.tanh(3 * x),
    "SELU": selu,
    "rectifier": lambda x: np.maximum(x, 0),
    "falling sigmoid, steep": lambda x: expit(-20 * x),
    "falling sigmoid": lambda x: expit(-3 * x),
    "bump": lambda x: np.exp(-((x / 0.3) ** 2)),
    "cosine": lambda x: np.cos(np.pi * x),
}

#: The processes of the formula from which the toy spectra are made.
TRUE = ("tanh, steep", "SELU", "falling sigmoid, steep")

#: Positions at which each process is first looked for.
POSITIONS = np.linspace(-1.05, 1.05, 43)

#: Number of steps of Levenberg and Marquardt's method that improve the positions.
POLISH = 15

#: Step of the finite differences by which positions are improved.
STEP = 1e-5

#: Size below which a coefficient of a law is dropped.
THRESHOLD = 0.1

#: Degree of the polynomial in a rate law.
DEGREE = 5


# The toy spectra: processes and their positions


def compose(families: tuple[str, ...], positions: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Return spectra that are the sum of processes.

    Parameters
    ----------
    families : tuple of str
    positions : ndarray, shape (n, n_families)
    t : ndarray, shape (n_t,)

    Returns
    -------
    ndarray, shape (n, n_t)
    """
    return sum(FAMILIES[name](t - positions[:, [i]]) for i, name in enumerate(families))


def locate(
    families: tuple[str, str, str], spectra: np.ndarray, t: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find the positions of three processes in each spectrum.

    Parameters
    ----------
    families : tuple of three str
    spectra : ndarray, shape (n, n_t)
    t : ndarray, shape (n_t,)

    Returns
    -------
    positions : ndarray, shape (n, 3)
    squares : ndarray, shape (n,)
        Sum of the squared residuals of each spectrum.
    """
    a, b, c = (FAMILIES[name](t - POSITIONS[:, np.newaxis]) for name in families)
    # |y - a - b - c|^2 from inner products alone, over the whole grid of positions.
    half_squares_of_a, half_squares_of_b, half_squares_of_c = (
        (part**2).sum(axis=1) / 2 for part in (a, b, c)
    )
    halves = (
        half_squares_of_a[:, np.newaxis, np.newaxis]
        + half_squares_of_b[:, np.newaxis]
        + half_squares_of_c
    )
    pairs = (a @ b.T)[:, :, np.newaxis] + (a @ c.T)[:, np.newaxis, :] + (b @ c.T)[np.newaxis]
    without_spectrum = pairs + halves
    positions = np.empty((len(spectra), 3))
    for i, spectrum in enumerate(spectra):
        with_spectrum = (
            (a @ spectrum)[:, np.newaxis, np.newaxis] + (b @ spectrum)[:, np.newaxis] + c @ spectrum
        )
        best = np.argmin(without_spectrum - with_spectrum)
        positions[i] = POSITIONS[list(np.unravel_index(best, without_spectrum.shape))]
    return polish(families, positions, spectra, t)


def polish(
    families: tuple[str, str, str], positions: np.ndarray, spectra: np.ndarray, t: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Improve positions by Levenberg and Marquardt's method, in all spectra at once.

    Parameters
    ----------
    families : tuple of three str
    positions : ndarray, shape (n, 3)
        Where to start.
    spectra : ndarray, shape (n, n_t)
    t : ndarray, shape (n_t,)

    Returns
    -------
    positions : ndarray, shape (n, 3)
    squares : ndarray, shape (n,)
        Sum of the squared residuals of each spectrum.
    """
    positions = positions.copy()
    damping = np.full(len(spectra), 1e-3)
    residual = spectra - compose(families, positions, t)
    for _ in range(POLISH):
        slopes = np.stack(
            [
                (compose(families, positions + move, t) - spectra + residual) / STEP
                for move in STEP * np.eye(3)
            ],
            axis=2,
        )
        transposed = np.swapaxes(slopes, 1, 2)
        normal = transposed @ slopes + damping[:, np.newaxis, np.newaxis] * np.eye(3)
        move = np.linalg.solve(normal, transposed @ residual[:, :, np.newaxis])[:, :, 0]
        trial = spectra - compose(families, positions + move, t)
        better = (trial**2).sum(axis=1) < (residual**2).sum(axis=1)
        positions[better] += move[better]
        residual[better] = trial[better]
        damping *= np.where(better, 0.3, 10)
    return positions, (residual**2).sum(axis=1)


def rank_processes(spectra: np.ndarray, t: np.ndarray) -> list[tuple[float, tuple[str, str, str]]]:
    """Rank all triples of processes by their fit.

    All triples have as many parameters, so that the difference of the log likelihoods, noise
    profiled out, is the evidence to leading order.

    Parameters
    ----------
    spectra : ndarray, shape (n, n_t)
    t : ndarray, shape (n_t,)

    Returns
    -------
    list of tuple
        For each triple, best first, by how much the best one is ahead of it, nats, and its names.
    """
    scores = []
    for families in combinations(FAMILIES, 3):
        _, squares = locate(families, spectra, t)
        scores.append((spectra.size / 2 * np.log(squares.sum()), families))
    scores.sort()
    best, _ = scores[0]
    return [(score - best, families) for score, families in scores]


def sparse_law(
    inputs: np.ndarray, outputs: np.ndarray, threshold: float = THRESHOLD, degree: int = 3
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Write each output as a polynomial of few terms: Brunton et al., PNAS 2016.

    Parameters
    ----------
    inputs : ndarray, shape (n, n_inputs)
    outputs : ndarray, shape (n, n_outputs)
    threshold : float
        Size below which a coefficient is dropped.
    degree : int
        Degree of the polynomial.

    Returns
    -------
    coefficients : ndarray, shape (n_outputs, n_terms)
    names : ndarray of str, shape (n_terms,)
        Names of the terms.
    r2 : ndarray, shape (n_outputs,)
    """
    terms = PolynomialFeatures(degree)
    columns = terms.fit_transform(inputs)
    coefficients = thresholded(columns, outputs, threshold)
    r2 = r2_score(outputs, columns @ coefficients.T, multioutput="raw_values")
    return coefficients, terms.get_feature_names_out(), r2


def thresholded(columns: np.ndarray, outputs: np.ndarray, threshold: float) -> np.ndarray:
    """Find sparse coefficients by sequentially thresholded least squares.

    Fit by least squares, drop the columns whose coefficients are below the threshold, and fit again
    until none is.

    Parameters
    ----------
    columns : ndarray, shape (n, n_columns)
    outputs : ndarray, shape (n, n_outputs)
    threshold : float

    Returns
    -------
    ndarray, shape (n_outputs, n_columns)
        0 for the columns that were dropped.
    """
    coefficients = np.zeros((outputs.shape[1], columns.shape[1]))
    for row, output in zip(coefficients, outputs.T):
        active = np.ones(columns.shape[1], dtype=bool)
        while active.any():
            row[:] = 0
            row[active] = np.linalg.lstsq(columns[:, active], output, rcond=None)[0]
            small = active & (np.abs(row) < threshold)
            if not small.any():
                break
            active &= ~small
            row[~active] = 0
    return coefficients


def principal_scores(spectra: np.ndarray, n: int = 3) -> np.ndarray:
    """Return the scores of the first principal components.

    Parameters
    ----------
    spectra : ndarray, shape (n_spectra, n_t)
    n : int
        Number of components.

    Returns
    -------
    ndarray, shape (n_spectra, n)
        Each column of variance 1.
    """
    return PCA(n, whiten=True, svd_solver="full").fit_transform(spectra)


def describe_latents(colours: np.ndarray, latents: np.ndarray) -> dict[str, np.ndarray]:
    """Measure how near latents are to the coordinates of the toy's law.

    Parameters
    ----------
    colours : ndarray, shape (n, 3)
    latents : ndarray, shape (n, n_latents)

    Returns
    -------
    dict of str to ndarray, each of shape (n_latents,)
        ``terms`` and ``r2`` of a sparse cubic in the colours; ``linear_r2`` of a plane.
    """
    scaled = (latents - latents.mean(axis=0)) / latents.std(axis=0)
    coefficients, _, r2 = sparse_law(colours, scaled)
    straight = LinearRegression().fit(colours, scaled).predict(colours)
    return {
        "terms": (coefficients != 0).sum(axis=1),
        "r2": r2,
        "linear_r2": r2_score(scaled, straight, multioutput="raw_values"),
    }


# The rate of switching


def valley(curve: np.ndarray) -> np.ndarray:
    """Return the depth of the deepest valley between two peaks of curves.

    Parameters
    ----------
    curve : ndarray, shape (..., n)

    Returns
    -------
    ndarray, shape (...)
        Over the greatest value of each curve; 0 where there is no valley.
    """
    left = np.maximum.accumulate(curve, axis=-1)
    right = np.maximum.accumulate(curve[..., ::-1], axis=-1)[..., ::-1]
    return (np.minimum(left, right) - curve).max(axis=-1) / curve.max(axis=-1)


def rate_law(
    voltage: np.ndarray, branch: np.ndarray, tilt: float, threshold: float = THRESHOLD
) -> dict[str, object]:
    """Find dg/dV = g(1 - g) sum a_k (2g - 1)^k of one switching quarter, with few terms.

    One logistic step is a_0 alone.

    Parameters
    ----------
    voltage : ndarray, shape (n_levels,)
        From 0 V to the extreme against which the branch runs, even, V.
    branch : ndarray, shape (n_levels,)
        Response, from the state that is left to the one that is reached.
    tilt : float
        Slope of the saturated branches, response per V.
    threshold : float
        Size below which a coefficient is dropped, 1/V.

    Returns
    -------
    dict
        ``coefficients``, shape (DEGREE + 1,), 1/V; ``r2`` of the rate; ``valley``, the depth of the
        deepest valley of dg/dV over g.
    """
    risen = branch - branch[0] - tilt * (voltage - voltage[0])
    fraction = np.clip(risen / risen[-1], 0, 1)
    rate = np.gradient(fraction, np.abs(voltage))
    inside = (fraction > 0.02) & (fraction < 0.98)
    terms = rate_terms(fraction[inside])
    coefficients = thresholded(terms, rate[inside, np.newaxis], threshold)[0]
    _, fitted_rate = rate_curve(coefficients)
    return {
        "coefficients": coefficients,
        "r2": float(r2_score(rate[inside], terms @ coefficients)),
        "valley": float(valley(fitted_rate)),
    }


def rate_laws(
    voltage: np.ndarray, loops: np.ndarray, threshold: float = THRESHOLD
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Find the rate laws of loops on both switching quarters.

    Parameters
    ----------
    voltage : ndarray, shape (n_steps,)
        One cycle, V.
    loops : ndarray, shape (n, n_steps)
    threshold : float
        Size below which a coefficient is dropped, 1/V.

    Returns
    -------
    falling, rising : list of dict
        One a loop, as `rate_law` returns it.
    """
    parts = Loops(voltage, loops)
    # Each quarter starts at 0 V.
    falling_steps = np.flatnonzero(parts.voltage <= 0)[::-1]
    rising_steps = np.flatnonzero(parts.voltage >= 0)

    def of_quarter(branch, steps):
        return [
            rate_law(parts.voltage[steps], smooth[branch, steps], tilt, threshold)
            for smooth, tilt in zip(parts.smooth, parts.tilt)
        ]

    return of_quarter(0, falling_steps), of_quarter(1, rising_steps)


def rate_terms(g: np.ndarray) -> np.ndarray:
    """Return the terms of a rate law.

    Parameters
    ----------
    g : ndarray, shape (n,)
        Fractions that have switched.

    Returns
    -------
    ndarray, shape (n, DEGREE + 1)
    """
    logistic = (g * (1 - g))[:, np.newaxis]
    return logistic * (2 * g - 1)[:, np.newaxis] ** np.arange(DEGREE + 1)


def rate_curve(coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rate of switching by a law.

    Parameters
    ----------
    coefficients : ndarray, shape (DEGREE + 1,)
        1/V.

    Returns
    -------
    fractions, rate : ndarray, shape (181,)
        Fractions g that have switched, and dg/dV there, 1/V.
    """
    g = np.linspace(0.05, 0.95, 181)
    return g, rate_terms(g) @ coefficients
