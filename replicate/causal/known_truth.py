"""Every pathway tried where the truth is known.

Loops, graphs and paradoxes are made for that, and fresh twins of the scan are simulated.
"""

from __future__ import annotations

import numpy as np

from replicate.causal import confounding, evidence, laws, networks
from replicate.causal.alignment import find_lag
from replicate.causal.loop_models import MODELS, PARAMETERS, Prior, Quarters, design, natural
from replicate.causal.marginal import LINES, autoregressive
from replicate.causal.on_scan import FIRST, SURVIVES
from replicate.causal.pixels import Pixels
from replicate.causal.regression import residual
from replicate.data import toy, twin
from replicate.data.heldout import square_blocks
from replicate.data.twin_physics import voltage_cycle

#: Standard deviations of the noise of the loops that are drawn from the models, z-scores.
NOISES = (0.01, 0.025, 0.05)

#: Truth maps of the twin that depend on the fraction of three-state response and otherwise on
#: chance alone.
MAPS = ("amplitude", "tilt", "roof", "creep", "hardening")


def draw_loops(model: str, n: int, noise: float, rng: np.random.Generator) -> np.ndarray:
    """Draw loops from a model and its priors, with AR(1) noise.

    Parameters
    ----------
    model : {"one", "skewed", "two"}
    n : int
        Number of loops.
    noise : float
        Standard deviation of the noise, z-scores.
    rng : Generator

    Returns
    -------
    ndarray, shape (n, n_points)
        z-scores.
    """
    quarters, _ = Quarters.of(voltage_cycle())
    u = rng.standard_normal((n, len(PARAMETERS[model])))
    parameters = natural(model, u, Prior())
    mean = design(model, parameters, quarters) @ LINES
    return mean + noise * autoregressive(np.tanh(parameters[:, 0]), quarters, rng)


def _favours_two(loops, quarters):
    """Return which loops have more evidence for two steps than for one, bool, shape (n,)."""
    fits = evidence.laplace(loops, quarters)
    return evidence.log_bayes_factor(evidence.stacked(fits)) > 0


def synthetic_evidence(noise: float, n: int = 25, seed: int = 0) -> dict[str, float]:
    """Count how often one step is told from two in loops drawn from the models themselves.

    Parameters
    ----------
    noise : float
        Standard deviation of the noise, z-scores.
    n : int
        Number of loops of each model.
    seed : int

    Returns
    -------
    dict
        ``noise``; ``loops``, the number of all; ``accuracy``, the share told right, of all and, by
        its name, of each model.
    """
    rng = np.random.default_rng(seed)
    quarters, _ = Quarters.of(voltage_cycle())
    share_right = {}
    for model in MODELS:
        is_two = _favours_two(draw_loops(model, n, noise, rng), quarters)
        share_right[model] = (is_two == (model == "two")).mean()
    return {
        "noise": noise,
        "loops": n * len(MODELS),
        "accuracy": np.mean(list(share_right.values())),
        **share_right,
    }


def _almost_pure(scan):
    """Return which pixels of a twin switch almost purely in one step, and which in two."""
    mechanism = scan.truth["mechanism"].ravel()
    return mechanism < 0.1, mechanism > 0.9


def twin_evidence(seed: int, n: int = 60) -> dict[str, float]:
    """Count how often the mechanism of a twin's almost pure pixels is told right.

    Parameters
    ----------
    seed : int
        Seed of the twin.
    n : int
        Number of pixels of each mechanism.

    Returns
    -------
    dict
        ``seed``; ``loops``, the number of all; ``accuracy``, the share told right.
    """
    scan = twin.simulate(seed)
    rng = np.random.default_rng(seed)
    quarters, steps = Quarters.of(scan.voltages[0])
    loops = scan.channel("piezoresponse")[:, steps]
    one, two = (rng.permutation(np.flatnonzero(pure))[:n] for pure in _almost_pure(scan))
    is_two = _favours_two(np.concatenate([loops[one], loops[two]]), quarters)
    truth = np.repeat([False, True], [len(one), len(two)])
    return {"seed": seed, "loops": len(truth), "accuracy": (is_two == truth).mean()}


def twin_alignment(seed: int, lags: tuple[int, ...] = (0, 7, 24, 50, 72)) -> dict[str, object]:
    """Plant lags in a twin, and count those that are found.

    Parameters
    ----------
    seed : int
        Seed of the twin.
    lags : tuple of int
        Steps by which the resonance is moved.

    Returns
    -------
    dict
        ``seed``; the lags ``planted`` and ``found``; ``right``, how many are equal.
    """
    aligned, voltage = twin.simulate(seed).aligned()
    piezoresponse = aligned[:, 0]
    resonance = aligned[:, 1]
    found = [find_lag(voltage, piezoresponse, np.roll(resonance, lag, axis=1)) for lag in lags]
    return {
        "seed": seed,
        "planted": lags,
        "found": found,
        "right": int(np.sum(np.equal(found, lags))),
    }


def twin_rate_laws(seed: int) -> dict[str, object]:
    """Find the rate laws of a twin's mean loops on the rising quarter.

    Parameters
    ----------
    seed : int
        Seed of the twin.

    Returns
    -------
    dict
        ``seed``; ``one`` and ``two``, the ``valley`` and the ``r2`` of the law of the pixels that
        switch almost purely in one and in two steps.
    """
    scan = twin.simulate(seed)
    aligned, voltage = scan.aligned()
    loops = np.array([aligned[pure, 0].mean(axis=0) for pure in _almost_pure(scan)])
    _, (one, two) = laws.rate_laws(voltage, loops)
    return {
        "seed": seed,
        "one": {"valley": one["valley"], "r2": one["r2"]},
        "two": {"valley": two["valley"], "r2": two["r2"]},
    }


def known_graphs(noise: str, n: int, seed: int = 0, repeats: int = 10) -> dict[str, object]:
    """Compare the graphs of LiNGAM and of PC with random graphs that made the data.

    Parameters
    ----------
    noise : {"uniform", "Gaussian"}
    n : int
        Number of points.
    seed : int
    repeats : int
        Number of graphs.

    Returns
    -------
    dict
        ``noise``, ``n``, ``graphs``; the mean structural Hamming distance of ``lingam`` to the
        graphs, and of ``pc`` to their equivalence classes.

    Raises
    ------
    ReplicationError
        If causal-learn or lingam is not installed.
    """
    rng = np.random.default_rng(seed)
    distances = []
    for _ in range(repeats):
        graph, weights = networks.random_graph(rng)
        shape = (n, len(graph))
        drawn = rng.uniform(-1, 1, shape) if noise == "uniform" else rng.standard_normal(shape)
        values = networks.simulate(weights, drawn)
        by_lingam = networks.hamming(networks.direct_lingam(values), graph)
        by_pc = networks.hamming(networks.pc(values), networks.equivalence(graph))
        distances.append((by_lingam, by_pc))
    lingam, pc = np.mean(distances, axis=0)
    return {"noise": noise, "n": n, "graphs": repeats, "lingam": lingam, "pc": pc}


def simpson(n: int = 1000, seeds: int = 10) -> dict[str, float]:
    """Estimate the effect of x on y, -0.5, under a common cause z.

    It is estimated from the pooled data, and by LiNGAM with z seen and with z hidden.

    Parameters
    ----------
    n : int
        Number of points.
    seeds : int
        Number of data sets.

    Returns
    -------
    dict
        ``truth``; the means over the seeds of ``naive`` (pooled), ``seen`` and ``hidden``;
        ``spread_seen``, a standard deviation; ``hidden_right``, how often the sign is right with z
        hidden (LiNGAM may find no effect of x on y at all); ``seeds``; ``n``.

    Raises
    ------
    ReplicationError
        If lingam is not installed.
    """
    effects = []
    for seed in range(seeds):
        z, x, y = np.random.default_rng(seed).uniform(-1, 1, (3, n))
        x = 1.5 * z + 0.5 * x
        y = 2.5 * z - 0.5 * x + 0.5 * y
        values = np.column_stack([z, x, y])
        pooled_slope = np.polyfit(x, y, 1)[0]
        with_z = networks.effect(values, 1, 2)
        without_z = networks.effect(values[:, 1:], 0, 1)
        effects.append((pooled_slope, with_z, without_z))
    naive, seen, hidden = np.mean(effects, axis=0)
    _, spread_seen, _ = np.std(effects, axis=0)
    return {
        "truth": -0.5,
        "naive": naive,
        "seen": seen,
        "spread_seen": spread_seen,
        "hidden": hidden,
        "hidden_right": int(np.sum(np.array(effects)[:, 2] < 0)),
        "seeds": seeds,
        "n": n,
    }


def twin_simpson(seed: int) -> dict[str, float]:
    """Plant Simpson's paradox on a twin's domains.

    x and y rise in the bands, y falls with x. The bands are known from the simulated loops only.

    Parameters
    ----------
    seed : int
        Seed of the twin.

    Returns
    -------
    dict
        ``seed``; ``truth``, the effect; the correlations ``pooled`` and ``within_band_score``.
    """
    scan = twin.simulate(seed)
    pixels = Pixels.of(scan)
    rng = np.random.default_rng(seed)
    mechanism = scan.truth["mechanism"].ravel()
    noise_of_x, noise_of_y = rng.standard_normal((2, len(pixels.rows)))
    x = 2 * mechanism + 0.5 * noise_of_x
    y = 2.5 * mechanism - 0.5 * x + 0.3 * noise_of_y
    scores = np.column_stack([x, y])
    within = residual(scores, confounding.one_hot(confounding.quantiles(pixels.band)))
    return {
        "seed": seed,
        "truth": -0.5,
        "pooled": np.corrcoef(scores.T)[0, 1],
        "within_band_score": np.corrcoef(within.T)[0, 1],
    }


def twin_graph(seed: int, per_block: int, n_boot: int = 10) -> dict[str, int]:
    """Search a twin's truth maps for their graph.

    In truth each map follows the fraction of three-state response, the drift follows the row, and
    nothing else does.

    Parameters
    ----------
    seed : int
        Seed of the twin.
    per_block : int
        Number of pixels taken of each block.
    n_boot : int
        Number of searches with other blocks.

    Returns
    -------
    dict
        ``seed``; ``distance``, the structural Hamming distance of the edges that survive to the
        true ones; ``found``, how many of the true ones are among them; ``edges``, the number of
        true ones.

    Raises
    ------
    ReplicationError
        If causal-learn is not installed.
    """
    scan = twin.simulate(seed)
    truth = {name: values.ravel().astype(float) for name, values in scan.truth.items()}
    rows = confounding.rows_of(scan.shape)
    rng = np.random.default_rng(seed)
    # A little chance, or the drift would be the row.
    drift = truth["drift"] + 0.3 * truth["drift"].std() * rng.standard_normal(len(rows))
    columns = [rows, truth["mechanism"]]
    columns += [truth[name] for name in MAPS]
    columns.append(drift)
    values = confounding.normal_scores(np.column_stack(columns))
    graph = np.zeros((len(columns), len(columns)), dtype=int)
    graph[0, -1] = 1
    graph[1, 2:-1] = 1
    true_edges = networks.skeleton(graph)
    drawn = networks.resampled(
        networks.pc, values, square_blocks(scan.shape), per_block, n_boot, FIRST, seed
    )
    surviving = (networks.skeleton(drawn).mean(axis=0) >= SURVIVES).astype(int)
    return {
        "seed": seed,
        "distance": networks.hamming(surviving, true_edges),
        "found": int((surviving & true_edges).sum() // 2),
        "edges": int(true_edges.sum() // 2),
    }


def toy_laws(
    noise: float = 0.02, n: int = 200, seed: int = 0, spectra: int = 12
) -> dict[str, object]:
    """Find the law of the toy spectra: which processes they are made of, and what moves these.

    Parameters
    ----------
    noise : float
        Standard deviation of the noise.
    n : int
        Number of spectra.
    seed : int
    spectra : int
        Number of spectra by which the triples of processes are ranked.

    Returns
    -------
    dict
        ``noise``; ``first`` and ``second``, the best triples of processes, and ``lead``, the
        evidence between them, nats; for the position of each process the number of ``terms``, the
        ``law`` and the ``r2``; ``error``, as `worst_coefficient` returns it; ``pca_terms`` and
        ``pca_r2``, the same of the scores of PCA.
    """
    rng = np.random.default_rng(seed)
    t = toy.timesteps()
    colours = toy.sample_colours(n, seed)
    measured = toy.spectra(colours) + noise * rng.standard_normal((n, len(t)))
    (_, first), (lead, second), *_ = laws.rank_processes(measured[:spectra], t)
    positions, _ = laws.locate(laws.TRUE, measured, t)
    coefficients, names, r2 = laws.sparse_law(colours, positions)
    of_pca, _, pca_r2 = laws.sparse_law(colours, laws.principal_scores(measured))
    return {
        "noise": noise,
        "first": first,
        "lead": lead,
        "second": second,
        "terms": (coefficients != 0).sum(axis=1),
        "law": [_terms_of(row, names) for row in coefficients],
        "error": worst_coefficient(coefficients, names),
        "r2": r2,
        "pca_terms": (of_pca != 0).sum(axis=1),
        "pca_r2": pca_r2,
    }


def _terms_of(coefficients, names):
    """Return the terms of a law: name to coefficient."""
    return {str(name): float(value) for name, value in zip(names, coefficients) if value}


def worst_coefficient(coefficients: np.ndarray, names: np.ndarray) -> float:
    """Return the greatest error of the coefficients of the toy's law.

    The formula's positions are 2R - 1, 2G - 1 and B - 0.5 (paper Section 2).

    Parameters
    ----------
    coefficients : ndarray, shape (3, n_terms)
    names : ndarray of str, shape (n_terms,)
        Names of the terms: ``1``, ``x0``, ``x1`` and so on.

    Returns
    -------
    float
    """
    names = list(names)
    true = np.zeros_like(coefficients)
    for i, slope in enumerate((2.0, 2.0, 1.0)):
        true[i, names.index(f"x{i}")] = slope
        true[i, names.index("1")] = -slope / 2
    return float(np.abs(coefficients - true).max())
