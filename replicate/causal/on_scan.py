"""What the pathways find on one scan, measured or simulated: plain numbers for the record."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import roc_auc_score

from replicate.analysis.switching import Loops
from replicate.causal import confounding, evidence, laws, maps, marginal, networks
from replicate.causal.alignment import lag_profile
from replicate.causal.loop_models import MODELS, Prior
from replicate.causal.pixels import BAND, GROUPS
from replicate.data.heldout import spatial_folds

NODES = (
    *("row", "band", "saturation", "coercive_positive", "imprint", "shoulder_positive"),
    *("hardening_positive", "softening_positive", "resonance_mean"),
)
FIRST = (0, 1)
"""Row and band: nothing measured on a pixel causes where it is."""

SURVIVES = 0.85
"""Share of the bootstrap graphs that an edge must be in."""

PRIORS = {
    "as stated": Prior(),
    "half as wide": Prior().scaled(0.5),
    "twice as wide": Prior().scaled(2.0),
    "steps just resolved": Prior(separation=(-2.0, 0.8)),
    "steps far apart": Prior(separation=(-0.4, 0.8)),
    "middle state half-way": Prior(middle=(0.0, 0.1)),
    "noise nearly white": Prior(correlation=(0.0, 0.1)),
}


def alignment(scan):
    """Find the lag between the channels of a scan from the data alone."""
    profile = lag_profile(
        scan.voltages[0], scan.channel("piezoresponse"), scan.channel("resonance")
    )
    lag = int(np.argmin(profile))
    return {
        "lag": lag,
        "voltage_lag": scan.lags[-1],
        "at_lag": profile[lag],
        "as_stored": profile[0],
        "profile": profile,
    }


def mean_loops(pixels, n_boot=20):
    """Weigh the evidence for the mean loop of each group, with an interval over blocks drawn again."""
    rng, loops = np.random.default_rng(0), []
    for group in pixels.groups():
        weights = [group.astype(float)] + [
            pixels.resampled(group, rng).astype(float) for _ in range(n_boot)
        ]
        loops += [np.average(pixels.loops, axis=0, weights=own) for own in weights]
    fits = evidence.laplace(np.array(loops), pixels.quarters)
    bayes = evidence.log_bayes_factor(fits).reshape(len(GROUPS), -1)
    first = slice(None, None, n_boot + 1)
    return {
        "log_bayes": bayes[:, 0],
        "interval": np.percentile(bayes[:, 1:], [2.5, 97.5], axis=1).T,
        "log_evidence": {model: fits[model].log_evidence[first] for model in MODELS},
        "loops": np.array(loops)[first],
        "fits": {
            model: evidence.Fit(*(part[first] for part in vars(fit).values()))
            for model, fit in fits.items()
        },
    }


def prior_sensitivity(loops, quarters):
    """Weigh the evidence for each of `loops` again under other priors: name to nats, (n_loops,)."""
    return {
        name: evidence.log_bayes_factor(evidence.laplace(loops, quarters, prior))
        for name, prior in PRIORS.items()
    }


def predictive(loops, fits, quarters, seed=0):
    """Ask of each model how often it predicts a valley between two peaks of the slope as deep as that measured: its p-values."""
    rng, rising = np.random.default_rng(seed), np.flatnonzero(quarters.rising)

    def depth(loop):
        slope = np.diff(loop[..., rising], axis=-1)
        return laws.valley((slope[..., :-2] + slope[..., 1:-1] + slope[..., 2:]) / 3)

    found = {"measured": depth(loops)}
    for model, fit in fits.items():
        drawn = [
            depth(evidence.replicate_loops(model, fit, i, loop, quarters, rng))
            for i, loop in enumerate(loops)
        ]
        found[model] = [np.mean(own >= depth(loop)) for own, loop in zip(drawn, loops)]
    return found


def noise_needed(loops, fits, quarters):
    """Return how large a noise each model needs to explain each loop, its posterior root mean square, z-scores: name to (n_loops,)."""
    found = {}
    for model, fit in fits.items():
        known = marginal.integrate(model, fit.u, loops, quarters, Prior())
        found[model] = np.sqrt(known.scale / known.shape)
    return found


def noise_there(pixels):
    """Return the noise of the mean loop of each group, z-scores, from that of its pixels, were theirs independent."""
    noise = Loops(pixels.scan.voltages[0], pixels.piezoresponse).noise
    return [
        np.sqrt(np.mean(noise[group] ** 2) / np.count_nonzero(group)) for group in pixels.groups()
    ]


def of_map(pixels, log_evidence):
    """Summarise the map of the evidence: whether it knows the bands and the hardening, and how prevalent three states are."""
    bayes, odds = maps.log_bayes(log_evidence), maps.log_odds(log_evidence)
    hardening = pixels.descriptors["hardening_negative"] + pixels.descriptors["hardening_positive"]
    regions = {"bands": pixels.in_band, "rest": ~pixels.in_band}
    return {
        "share_positive": (bayes > 0).mean(),
        "auc_band": roc_auc_score(pixels.in_band, bayes),
        "auc_hardening": roc_auc_score(hardening >= np.quantile(hardening, BAND), bayes),
        "prevalence": {
            name: maps.prevalence(odds[own], pixels.blocks[own]) for name, own in regions.items()
        },
        "by_row": {
            name: maps.updated(odds[own], pixels.rows[own]) for name, own in regions.items()
        },
    }


def example(pixels, log_evidence):
    """Return the pixel in a band whose evidence for three states is the median of those that have some."""
    bayes = maps.log_bayes(log_evidence)
    chosen = np.flatnonzero(pixels.in_band & (bayes > 0))
    return int(chosen[np.argsort(bayes[chosen])[len(chosen) // 2]])


def arriving(pixels, index):
    """Follow what is believed of one pixel as its voltage steps arrive."""
    counts = np.append(np.arange(6, len(pixels.quarters.voltage), 4), len(pixels.quarters.voltage))
    believed, coercive = evidence.arrival(pixels.loops[index], pixels.quarters, counts)
    return {"pixel": index, "steps": counts, "probability": believed, "coercive": coercive}


def rate_laws(pixels, n_boot=60):
    """Find the rate law of the mean loop of each group, on both quarters, with the valley's interval over blocks drawn again."""
    rng, found = np.random.default_rng(0), []
    for group in pixels.groups():
        weights = [group.astype(float)] + [
            pixels.resampled(group, rng).astype(float) for _ in range(n_boot)
        ]
        loops = np.array([np.average(pixels.piezoresponse, axis=0, weights=own) for own in weights])
        for name, fits in zip(
            ("falling", "rising"), laws.rate_laws(pixels.scan.voltages[0], loops)
        ):
            interval = np.percentile([fit["valley"] for fit in fits[1:]], [5, 95])
            found.append({"branch": name, **fits[0], "interval": interval})
    return [found[i : i + 2] for i in range(0, len(found), 2)]


def nodes(pixels):
    """Return the variables of the networks, (n_pixels, n_nodes), as normal scores."""
    own = {"row": pixels.rows, "band": pixels.band, **pixels.descriptors}
    return confounding.normal_scores(np.column_stack([own[name] for name in NODES]))


def graphs(pixels, progress=None, n_boot=20):
    """Search for graphs of the descriptors, one and several pixels a block; try to falsify the searches."""
    values, rng = nodes(pixels), np.random.default_rng(0)
    found = {}
    for per_block in (1, 9):
        drawn = networks.resampled(
            networks.pc, values, pixels.blocks, per_block, n_boot, FIRST, progress=progress
        )
        found[f"pc_{per_block}"] = networks.skeleton(drawn).mean(axis=0)
    told = networks.resampled(
        networks.direct_lingam, values, pixels.blocks, 9, n_boot // 2, FIRST, progress=progress
    )
    untold = networks.resampled(
        networks.direct_lingam, values, pixels.blocks, 9, n_boot // 2, progress=progress
    )
    nothing = networks.placebo(values, rng)[rng.permutation(len(values))[:900]]
    return {
        "nodes": NODES,
        **found,
        "lingam": told.mean(axis=0),
        "parents_of_row": untold[:, :, 0].sum(axis=1).mean(),
        "parents_of_band": untold[:, :, 1].sum(axis=1).mean(),
        "placebo": {
            "pc": int(networks.pc(nothing).sum()),
            "lingam": int(networks.direct_lingam(nothing).sum()),
        },
    }


def reversals(pixels):
    """Look for descriptors whose correlation changes sign within band and scan row."""
    return confounding.reversals(
        pixels.descriptors, pixels.rows, confounding.quantiles(pixels.band), pixels.blocks
    )


def drift(pixels):
    """Return what row and domain explain of each descriptor: name to `confounding.shares`."""
    domain = confounding.domain_basis(pixels.descriptors["saturation"], pixels.scan.shape)
    row, folds = confounding.one_hot(pixels.rows), spatial_folds(pixels.scan.shape)
    return {
        name: confounding.shares(values, row, domain, folds)
        for name, values in pixels.descriptors.items()
    }
