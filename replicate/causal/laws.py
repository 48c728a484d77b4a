"""Parsimonious laws: which processes make up the toy spectra, and what sets their positions.

Pathway 2 of the abstract. The families of processes and their steepness are given as prior knowledge; nothing outside them is found.
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
"""Processes that a spectrum may be the sum of, each at a position of its own with weight one."""

TRUE = ("tanh, steep", "SELU", "falling sigmoid, steep")
POSITIONS = np.linspace(-1.05, 1.05, 43)
"""Where each process is first looked for."""

POLISH, STEP = 15, 1e-5
"""Steps of Levenberg and Marquardt, and of their finite differences."""

THRESHOLD = 0.1
"""Coefficients below it are dropped."""


def compose(families, positions, t):
    """Return the sum of processes, (n, n_t), at `positions`, (n, n_families)."""
    return sum(FAMILIES[name](t - positions[:, [i]]) for i, name in enumerate(families))


def locate(families, spectra, t):
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
        Sum of squared residuals.
    """
    a, b, c = (FAMILIES[name](t - POSITIONS[:, np.newaxis]) for name in families)
    # |y - a - b - c|^2 from inner products alone, over the whole grid of positions.
    pairs = (a @ b.T)[:, :, np.newaxis] + (a @ c.T)[:, np.newaxis, :] + (b @ c.T)[np.newaxis]
    fixed = pairs + sum(
        ((part**2).sum(axis=1) / 2).reshape(np.roll([-1, 1, 1], i))
        for i, part in enumerate((a, b, c))
    )
    positions = np.empty((len(spectra), 3))
    for i, spectrum in enumerate(spectra):
        shared = (
            (a @ spectrum)[:, np.newaxis, np.newaxis] + (b @ spectrum)[:, np.newaxis] + c @ spectrum
        )
        positions[i] = POSITIONS[list(np.unravel_index(np.argmin(fixed - shared), fixed.shape))]
    return polish(families, positions, spectra, t)


def polish(families, positions, spectra, t):
    """Improve positions by least squares, all spectra at once; the shapes are those of `locate`."""
    positions, damping = positions.copy(), np.full(len(spectra), 1e-3)
    residual = spectra - compose(families, positions, t)
    for _ in range(POLISH):
        slopes = np.stack(
            [
                (compose(families, positions + move, t) - spectra + residual) / STEP
                for move in STEP * np.eye(3)
            ],
            axis=2,
        )
        normal = np.swapaxes(slopes, 1, 2) @ slopes + damping[:, np.newaxis, np.newaxis] * np.eye(3)
        move = np.linalg.solve(normal, np.swapaxes(slopes, 1, 2) @ residual[:, :, np.newaxis])[
            :, :, 0
        ]
        tried = spectra - compose(families, positions + move, t)
        better = (tried**2).sum(axis=1) < (residual**2).sum(axis=1)
        positions[better] += move[better]
        residual[better] = tried[better]
        damping *= np.where(better, 0.3, 10)
    return positions, (residual**2).sum(axis=1)


def rank_processes(spectra, t):
    """Rank all triples of processes by their fit.

    Returns
    -------
    list of tuple
        (lead of the best over it in nats, names), best first. All triples have as many parameters, so that the difference of the log
        likelihoods, noise profiled out, is the evidence to leading order.
    """
    scores = []
    for families in combinations(FAMILIES, 3):
        squares = locate(families, spectra, t)[1].sum()
        scores.append((spectra.size / 2 * np.log(squares), families))
    scores.sort()
    return [(score - scores[0][0], families) for score, families in scores]


def sparse_law(inputs, outputs, threshold=THRESHOLD, degree=3):
    """Write each output as a polynomial of few terms, by sequentially thresholded least squares (Brunton et al., PNAS 2016).

    Parameters
    ----------
    inputs : ndarray, shape (n, n_inputs)
    outputs : ndarray, shape (n, n_outputs)
    threshold : float
    degree : int

    Returns
    -------
    coefficients : ndarray, shape (n_outputs, n_terms)
    names : ndarray of str, shape (n_terms,)
    r2 : ndarray, shape (n_outputs,)
    """
    terms = PolynomialFeatures(degree)
    columns = terms.fit_transform(inputs)
    coefficients = thresholded(columns, outputs, threshold)
    r2 = r2_score(outputs, columns @ coefficients.T, multioutput="raw_values")
    return coefficients, terms.get_feature_names_out(), r2


def thresholded(columns, outputs, threshold):
    """Return sparse coefficients, (n_outputs, n_columns), of `outputs`, (n, n_outputs), by sequentially thresholded least squares.

    Least squares, drop what is below the threshold, and again until nothing is.
    """
    coefficients = np.zeros((outputs.shape[1], columns.shape[1]))
    for row, output in zip(coefficients, outputs.T):
        kept = np.ones(columns.shape[1], dtype=bool)
        while kept.any():
            row[:] = 0
            row[kept] = np.linalg.lstsq(columns[:, kept], output, rcond=None)[0]
            small = kept & (np.abs(row) < threshold)
            if not small.any():
                break
            kept &= ~small
            row[~kept] = 0
    return coefficients


def principal_scores(spectra, n=3):
    """Return the scores of the first `n` principal components, (n_spectra, n), each of variance 1."""
    return PCA(n, whiten=True, svd_solver="full").fit_transform(spectra)


def describe_latents(colours, latents):
    """Say how near latents, (n, n_latents), are to the law's coordinates: terms and R2 of a sparse cubic in the colours, R2 of a plane."""
    scaled = (latents - latents.mean(axis=0)) / latents.std(axis=0)
    coefficients, _, r2 = sparse_law(colours, scaled)
    straight = LinearRegression().fit(colours, scaled).predict(colours)
    return {
        "terms": (coefficients != 0).sum(axis=1),
        "r2": r2,
        "linear_r2": r2_score(scaled, straight, multioutput="raw_values"),
    }


DEGREE = 5
"""Of the polynomial in a rate law."""


def valley(curve):
    """Return the depth of the deepest valley between two peaks of `curve`, (..., n), over its greatest value; 0 where there is none."""
    left = np.maximum.accumulate(curve, axis=-1)
    right = np.maximum.accumulate(curve[..., ::-1], axis=-1)[..., ::-1]
    return (np.minimum(left, right) - curve).max(axis=-1) / curve.max(axis=-1)


def rate_law(voltage, branch, tilt, threshold=THRESHOLD):
    """Find dg/dV = g(1 - g) sum a_k (2g - 1)^k of one switching quarter; one logistic step is a_0 alone.

    Parameters
    ----------
    voltage : ndarray, shape (n_levels,)
        From 0 V to the extreme against which the branch runs, even, V.
    branch : ndarray, shape (n_levels,)
        Response, from the state that is left to the one that is reached.
    tilt : float
        Slope of the saturated branches, response per V.
    threshold : float
        Smallest coefficient, 1/V.

    Returns
    -------
    dict
        ``coefficients``, (DEGREE + 1,), 1/V; ``r2`` of the rate; ``valley``, the depth of that of dg/dV over g.
    """
    risen = branch - branch[0] - tilt * (voltage - voltage[0])
    fraction = np.clip(risen / risen[-1], 0, 1)
    rate = np.gradient(fraction, np.abs(voltage))
    inside = (fraction > 0.02) & (fraction < 0.98)
    g = fraction[inside]
    coefficients = thresholded(rate_terms(g), rate[inside, np.newaxis], threshold)[0]
    r2 = r2_score(rate[inside], rate_terms(g) @ coefficients)
    return {
        "coefficients": coefficients,
        "r2": float(r2),
        "valley": float(valley(rate_curve(coefficients)[1])),
    }


def rate_laws(voltage, loops, threshold=THRESHOLD):
    """Find the rate laws of loops, (n, n_steps), on the falling and on the rising quarter: a pair of lists of what `rate_law` returns."""
    loops = Loops(voltage, loops)
    quarters = [np.flatnonzero(loops.voltage <= 0)[::-1], np.flatnonzero(loops.voltage >= 0)]
    return [
        [
            rate_law(loops.voltage[own], smooth[branch, own], tilt, threshold)
            for smooth, tilt in zip(loops.smooth, loops.tilt)
        ]
        for branch, own in enumerate(quarters)
    ]


def rate_terms(g):
    """Return the terms of a rate law, (n, DEGREE + 1), at fractions `g`, (n,)."""
    return (g * (1 - g))[:, np.newaxis] * (2 * g - 1)[:, np.newaxis] ** np.arange(DEGREE + 1)


def rate_curve(coefficients):
    """Return fractions and the rate there by a law, each (n,)."""
    g = np.linspace(0.05, 0.95, 181)
    return g, rate_terms(g) @ coefficients
