"""How fast a loop switches, as a sparse law of the fraction that has switched: pathway 2 on the scan."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import r2_score

from replicate.analysis.switching import Loops
from replicate.causal.laws import THRESHOLD, thresholded

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
    return {"coefficients": coefficients, "r2": float(r2), "valley": float(valley(rate_curve(coefficients)[1]))}


def rate_laws(voltage, loops, threshold=THRESHOLD):
    """Find the rate laws of loops, (n, n_steps), on the falling and on the rising quarter: a pair of lists of what `rate_law` returns."""
    loops = Loops(voltage, loops)
    quarters = [np.flatnonzero(loops.voltage <= 0)[::-1], np.flatnonzero(loops.voltage >= 0)]
    return [
        [rate_law(loops.voltage[own], smooth[branch, own], tilt, threshold) for smooth, tilt in zip(loops.smooth, loops.tilt)]
        for branch, own in enumerate(quarters)
    ]


def rate_terms(g):
    """Return the terms of a rate law, (n, DEGREE + 1), at fractions `g`, (n,)."""
    return (g * (1 - g))[:, np.newaxis] * (2 * g - 1)[:, np.newaxis] ** np.arange(DEGREE + 1)


def rate_curve(coefficients):
    """Return fractions and the rate there by a law, each (n,)."""
    g = np.linspace(0.05, 0.95, 181)
    return g, rate_terms(g) @ coefficients
