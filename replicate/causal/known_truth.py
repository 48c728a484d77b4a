"""Every pathway put to the test where the truth is known: loops, graphs and paradoxes made for it, and fresh simulated twins."""

from __future__ import annotations

import numpy as np

from replicate.causal import confounding, evidence, laws, networks
from replicate.causal.alignment import find_lag
from replicate.causal.loop_models import MODELS, PARAMETERS, Prior, Quarters, design, natural
from replicate.causal.marginal import LINES, autoregressive
from replicate.causal.on_scan import FIRST, SURVIVES
from replicate.causal.pixels import Pixels
from replicate.data import toy, twin
from replicate.data.heldout import square_blocks
from replicate.data.twin_physics import voltage_cycle

NOISES = (0.01, 0.025, 0.05)
MAPS = ("amplitude", "tilt", "roof", "creep", "hardening")
"""Truth maps of the twin that depend on the fraction of three-state response and, besides, on chance alone."""


def draw_loops(model, n, noise, rng):
    """Draw loops, (n, n_points), from a model and its priors, with AR(1) noise of this standard deviation."""
    quarters, prior = Quarters.of(voltage_cycle())[0], Prior()
    parameters = natural(model, rng.standard_normal((n, len(PARAMETERS[model]))), prior)
    return design(model, parameters, quarters) @ LINES + noise * autoregressive(
        np.tanh(parameters[:, 0]), quarters, rng
    )


def synthetic_evidence(noise, n=25, seed=0):
    """Return how often one step, skewed or not, is told from two in loops drawn from the models themselves."""
    rng = np.random.default_rng(seed)
    quarters = Quarters.of(voltage_cycle())[0]
    right = []
    for model in MODELS:
        fits = evidence.laplace(draw_loops(model, n, noise, rng), quarters)
        right.append(((evidence.log_bayes_factor(fits) > 0) == (model == "two")).mean())
    return {
        "noise": noise,
        "loops": n * len(MODELS),
        "accuracy": np.mean(right),
        **dict(zip(MODELS, right)),
    }


def twin_evidence(seed, n=60):
    """Return how often the mechanism of a twin's pixels, almost pure, is told right: `n` of each."""
    scan, rng = twin.simulate(seed), np.random.default_rng(seed)
    quarters, steps = Quarters.of(scan.voltages[0])
    mechanism = scan.truth["mechanism"].ravel()
    loops = scan.channel("piezoresponse")[:, steps]
    pure = [rng.permutation(np.flatnonzero(own))[:n] for own in (mechanism < 0.1, mechanism > 0.9)]
    fits = evidence.laplace(np.concatenate([loops[own] for own in pure]), quarters)
    believed, truth = (
        evidence.log_bayes_factor(fits) > 0,
        np.repeat([False, True], [len(own) for own in pure]),
    )
    return {"seed": seed, "loops": len(truth), "accuracy": (believed == truth).mean()}


def twin_alignment(seed, lags=(0, 7, 24, 50, 72)):
    """Plant lags in a twin, and count those found."""
    scan = twin.simulate(seed)
    aligned, voltage = scan.aligned()
    found = [find_lag(voltage, aligned[:, 0], np.roll(aligned[:, 1], lag, axis=1)) for lag in lags]
    return {
        "seed": seed,
        "planted": lags,
        "found": found,
        "right": int(np.sum(np.equal(found, lags))),
    }


def twin_rate_laws(seed):
    """Return the valley of the rate law of a twin's mean loops, rising: of one-step pixels and of two-step ones."""
    scan = twin.simulate(seed)
    aligned, voltage = scan.aligned()
    mechanism = scan.truth["mechanism"].ravel()
    loops = np.array([aligned[own, 0].mean(axis=0) for own in (mechanism < 0.1, mechanism > 0.9)])
    one, two = laws.rate_laws(voltage, loops)[1]
    return {
        "seed": seed,
        "one": {name: one[name] for name in ("valley", "r2")},
        "two": {name: two[name] for name in ("valley", "r2")},
    }


def known_graphs(noise, n, seed=0, repeats=10):
    """Return the mean structural Hamming distance of LiNGAM to random graphs, and of PC to their equivalence classes."""
    rng, distances = np.random.default_rng(seed), []
    for _ in range(repeats):
        graph, weights = networks.random_graph(rng)
        shape = (n, len(graph))
        values = networks.simulate(
            weights, rng.uniform(-1, 1, shape) if noise == "uniform" else rng.standard_normal(shape)
        )
        true = networks.equivalence(graph)
        distances.append(
            (
                networks.hamming(networks.direct_lingam(values), graph),
                networks.hamming(networks.pc(values), true),
            )
        )
    lingam, pc = np.mean(distances, axis=0)
    return {"noise": noise, "n": n, "graphs": repeats, "lingam": lingam, "pc": pc}


def simpson(n=1000, seeds=10):
    """Ask for the effect of x on y, -0.5, under a common cause z: pooled, and by LiNGAM with z seen and with z hidden.

    Returns
    -------
    dict
        Means over the seeds; ``hidden_right``, how often the sign is right with z hidden (LiNGAM may find no effect of x on y at all).
    """
    found = []
    for seed in range(seeds):
        z, x, y = np.random.default_rng(seed).uniform(-1, 1, (3, n))
        x = 1.5 * z + 0.5 * x
        y = 2.5 * z - 0.5 * x + 0.5 * y
        values = np.column_stack([z, x, y])
        found.append(
            (
                np.polyfit(x, y, 1)[0],
                networks.effect(values, 1, 2),
                networks.effect(values[:, 1:], 0, 1),
            )
        )
    naive, seen, hidden = np.mean(found, axis=0)
    _, spread, _ = np.std(found, axis=0)
    negative = int(np.sum(np.array(found)[:, 2] < 0))
    return {
        "truth": -0.5,
        "naive": naive,
        "seen": seen,
        "spread_seen": spread,
        "hidden": hidden,
        "hidden_right": negative,
        "seeds": seeds,
        "n": n,
    }


def twin_simpson(seed):
    """Plant the paradox on a twin's domains: x and y rise in the bands, y falls with x; bands are told from the simulated loops only."""
    scan = twin.simulate(seed)
    pixels, rng = Pixels.of(scan), np.random.default_rng(seed)
    mechanism, fields = scan.truth["mechanism"].ravel(), rng.standard_normal((2, len(pixels.rows)))
    x = 2 * mechanism + 0.5 * fields[0]
    y = 2.5 * mechanism - 0.5 * x + 0.3 * fields[1]
    scores = np.column_stack([x, y])
    within = confounding.held(scores, confounding.one_hot(confounding.quantiles(pixels.band)))
    return {
        "seed": seed,
        "truth": -0.5,
        "pooled": np.corrcoef(scores.T)[0, 1],
        "within_band_score": np.corrcoef(within.T)[0, 1],
    }


def twin_graph(seed, per_block, n_boot=10):
    """Search a twin's own maps for their graph: each follows the fraction of three-state response, the drift the row, and nothing else.

    Returns
    -------
    dict
        Structural Hamming distance of the edges that survive to the true ones, and how many of the true ones are among them.
    """
    scan = twin.simulate(seed)
    truth = {name: values.ravel().astype(float) for name, values in scan.truth.items()}
    rows, rng = confounding.rows_of(scan.shape), np.random.default_rng(seed)
    # A little chance, or the drift would be the row.
    drift = truth["drift"] + 0.3 * truth["drift"].std() * rng.standard_normal(len(rows))
    values = confounding.normal_scores(
        np.column_stack([rows, truth["mechanism"], *(truth[name] for name in MAPS), drift])
    )
    true = np.zeros((values.shape[1],) * 2, dtype=int)
    true[1, 2:-1] = true[0, -1] = 1
    drawn = networks.resampled(
        networks.pc, values, square_blocks(scan.shape), per_block, n_boot, FIRST, seed
    )
    found = (networks.skeleton(drawn).mean(axis=0) >= SURVIVES).astype(int)
    true = networks.skeleton(true)
    return {
        "seed": seed,
        "distance": networks.hamming(found, true),
        "found": int((found & true).sum() // 2),
        "edges": int(true.sum() // 2),
    }


def toy_laws(noise=0.02, n=200, seed=0, spectra=12):
    """Find the law of the toy spectra: which processes, then what sets their positions.

    Returns
    -------
    dict
        The best triple, its lead, and of each position the terms, coefficients and R2.
    """
    rng, t = np.random.default_rng(seed), toy.timesteps()
    colours = toy.sample_colours(n, seed)
    measured = toy.spectra(colours) + noise * rng.standard_normal((n, len(t)))
    ranking = laws.rank_processes(measured[:spectra], t)
    positions, _ = laws.locate(laws.TRUE, measured, t)
    coefficients, names, r2 = laws.sparse_law(colours, positions)
    scores = laws.principal_scores(measured)
    dense, _, dense_r2 = laws.sparse_law(colours, scores)
    return {
        "noise": noise,
        "first": ranking[0][1],
        "lead": ranking[1][0],
        "second": ranking[1][1],
        "terms": (coefficients != 0).sum(axis=1),
        "law": [
            {str(name): float(value) for name, value in zip(names, row) if value}
            for row in coefficients
        ],
        "error": worst_coefficient(coefficients, names),
        "r2": r2,
        "pca_terms": (dense != 0).sum(axis=1),
        "pca_r2": dense_r2,
    }


def worst_coefficient(coefficients, names):
    """Return how far the coefficients, (3, n_terms), are at most from those of the formula: 2R - 1, 2G - 1, B - 0.5."""
    true = np.zeros_like(coefficients)
    for i, slope in enumerate((2.0, 2.0, 1.0)):
        true[i, list(names).index(f"x{i}")], true[i, list(names).index("1")] = slope, -slope / 2
    return float(np.abs(coefficients - true).max())
