"""What every pathway gives on one scan, measured or simulated: plain numbers for the record."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import roc_auc_score

from replicate.analysis.switching import Loops
from replicate.causal import confounding, evidence, laws, maps, marginal, networks
from replicate.causal.alignment import lag_profile
from replicate.causal.evidence import Fit
from replicate.causal.loop_models import MODELS, Prior, Quarters
from replicate.causal.pixels import BAND, GROUPS, N_BOOT, Pixels
from replicate.data.heldout import spatial_folds
from replicate.data.scan import Scan

#: Variables of the causal graphs: the place of a pixel, then descriptors of its loop.
NODES = (
    "row",
    "band",
    "saturation",
    "coercive_positive",
    "imprint",
    "shoulder_positive",
    "hardening_positive",
    "softening_positive",
    "resonance_mean",
)

#: The nodes that nothing causes, row and band: no descriptor of a pixel causes where it is.
FIRST = (0, 1)

#: Share of the bootstrap graphs that an edge must be in to be counted.
SURVIVES = 0.85

#: Priors under which the evidence is weighed again, by what is said of them.
PRIORS = {
    "as stated": Prior(),
    "half as wide": Prior().scaled(0.5),
    "twice as wide": Prior().scaled(2.0),
    "steps just resolved": Prior(separation=(-2.0, 0.8)),
    "steps far apart": Prior(separation=(-0.4, 0.8)),
    "middle state half-way": Prior(middle=(0.0, 0.1)),
    "noise nearly white": Prior(correlation=(0.0, 0.1)),
}

#: Number of steps of the switching quarters after which the evidence of one pixel is first weighed.
FIRST_ARRIVAL = 6

#: Number of steps that arrive before the evidence of that pixel is weighed again.
STEPS_A_TIME = 4

#: Number of pixels in which the searches for graphs are tried where nothing causes anything.
N_PLACEBO = 900


def alignment(scan: Scan) -> dict[str, object]:
    """Find the lag between the channels of a scan from the data alone.

    Parameters
    ----------
    scan : Scan
        With a piezoresponse and a resonance.

    Returns
    -------
    dict
        ``lag`` in steps, and ``voltage_lag``, the one of the voltage axes; the partial correlations
        ``at_lag``, ``as_stored`` and, over all lags, ``profile``.
    """
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


def _resampled_means(pixels, loops, group, n_boot, rng):
    """Return the mean loop of a group, then its means with blocks drawn again: (1 + n_boot, n)."""
    weights = [group.astype(float)]
    for _ in range(n_boot):
        weights.append(pixels.resampled(group, rng).astype(float))
    return [np.average(loops, axis=0, weights=weight) for weight in weights]


def mean_loops(pixels: Pixels, n_boot: int = N_BOOT) -> dict[str, object]:
    """Weigh the evidence for the mean loop of each group of pixels.

    Parameters
    ----------
    pixels : Pixels
    n_boot : int
        Number of times that the blocks are drawn again.

    Returns
    -------
    dict
        ``log_bayes``, shape (n_groups,), for two steps, nats; ``interval``, shape (n_groups, 2),
        its 95 % interval over blocks drawn again; ``log_evidence``, model to nats (n_groups,);
        ``loops``, shape (n_groups, n_points), and ``fits``, model to the `Fit` of these loops.
    """
    rng = np.random.default_rng(0)
    loops = []
    for group in pixels.groups():
        loops += _resampled_means(pixels, pixels.loops, group, n_boot, rng)
    loops = np.array(loops)
    fits = evidence.laplace(loops, pixels.quarters)
    log_bayes = evidence.log_bayes_factor(evidence.stacked(fits)).reshape(len(GROUPS), -1)
    not_resampled = slice(None, None, n_boot + 1)
    fits = {model: fit.of_loops(not_resampled) for model, fit in fits.items()}
    return {
        "log_bayes": log_bayes[:, 0],
        "interval": np.percentile(log_bayes[:, 1:], [2.5, 97.5], axis=1).T,
        "log_evidence": {model: fits[model].log_evidence for model in MODELS},
        "loops": loops[not_resampled],
        "fits": fits,
    }


def prior_sensitivity(loops: np.ndarray, quarters: Quarters) -> dict[str, np.ndarray]:
    """Weigh the evidence for two steps again under other priors.

    Parameters
    ----------
    loops : ndarray, shape (n_loops, n_points)
        z-scores.
    quarters : Quarters

    Returns
    -------
    dict of str to ndarray, each of shape (n_loops,)
        Nats, by the names of `PRIORS`.
    """
    log_bayes = {}
    for name, prior in PRIORS.items():
        fits = evidence.laplace(loops, quarters, prior)
        log_bayes[name] = evidence.log_bayes_factor(evidence.stacked(fits))
    return log_bayes


def predictive(
    loops: np.ndarray, fits: dict[str, Fit], quarters: Quarters, seed: int = 0
) -> dict[str, object]:
    """Check how often each model predicts a valley of the slope as deep as the one measured.

    Parameters
    ----------
    loops : ndarray, shape (n_loops, n_points)
        z-scores.
    fits : dict of str to Fit
        Fits of these loops by model.
    quarters : Quarters
    seed : int

    Returns
    -------
    dict
        ``measured``, the depth of the valley between two peaks of the slope on the rising quarter,
        shape (n_loops,); for each model a list of n_loops posterior predictive p-values.
    """
    rng = np.random.default_rng(seed)
    rising = np.flatnonzero(quarters.rising)
    measured = _depth_of_valley(loops[..., rising])
    checked = {"measured": measured}
    for model, fit in fits.items():
        checked[model] = []
        for i, loop in enumerate(loops):
            drawn = evidence.replicate_loops(model, fit, i, loop, quarters, rng)
            checked[model].append(np.mean(_depth_of_valley(drawn[..., rising]) >= measured[i]))
    return checked


def _depth_of_valley(quarter):
    """Return the depth of the valley of the slope of quarters, (..., n), averaged over 3 steps."""
    slope = np.diff(quarter, axis=-1)
    return laws.valley((slope[..., :-2] + slope[..., 1:-1] + slope[..., 2:]) / 3)


def noise_needed(
    loops: np.ndarray, fits: dict[str, Fit], quarters: Quarters
) -> dict[str, np.ndarray]:
    """Return how large a noise each model needs to explain each loop.

    Parameters
    ----------
    loops : ndarray, shape (n_loops, n_points)
        z-scores.
    fits : dict of str to Fit
        Fits of these loops by model.
    quarters : Quarters

    Returns
    -------
    dict of str to ndarray, each of shape (n_loops,)
        Posterior root mean square of the noise by model, z-scores.
    """
    needed = {}
    for model, fit in fits.items():
        conjugate = marginal.integrate(model, fit.u, loops, quarters, Prior())
        needed[model] = np.sqrt(conjugate.scale / conjugate.shape)
    return needed


def noise_there(pixels: Pixels) -> list[float]:
    """Return the noise of the mean loop of each group if the noise of its pixels is independent.

    Parameters
    ----------
    pixels : Pixels

    Returns
    -------
    list of float, length n_groups
        Standard deviation, z-scores.
    """
    noise = Loops(pixels.scan.voltages[0], pixels.piezoresponse).noise
    return [
        np.sqrt(np.mean(noise[group] ** 2) / np.count_nonzero(group)) for group in pixels.groups()
    ]


def of_map(pixels: Pixels, log_evidence: np.ndarray) -> dict[str, object]:
    """Summarise the map of the evidence.

    Parameters
    ----------
    pixels : Pixels
    log_evidence : ndarray, shape (n_models, n_pixels)
        As `maps.evidence_map` returns it.

    Returns
    -------
    dict
        ``share_positive``, the share of the pixels with evidence for two steps; ``auc_band`` and
        ``auc_hardening``, how well that evidence tells the pixels in bands and those that harden
        most; ``prevalence`` of three states and, as scan rows arrive, ``by_row``, both in the
        ``bands`` and in the ``rest``.
    """
    log_bayes = evidence.log_bayes_factor(log_evidence)
    odds = evidence.log_odds(log_evidence)
    descriptors = pixels.descriptors
    hardening = descriptors["hardening_negative"] + descriptors["hardening_positive"]
    hardens_most = hardening >= np.quantile(hardening, BAND)
    prevalence = {}
    by_row = {}
    for name, region in (("bands", pixels.in_band), ("rest", ~pixels.in_band)):
        prevalence[name] = maps.prevalence(odds[region], pixels.blocks[region])
        by_row[name] = maps.updated(odds[region], pixels.rows[region])
    return {
        "share_positive": (log_bayes > 0).mean(),
        "auc_band": roc_auc_score(pixels.in_band, log_bayes),
        "auc_hardening": roc_auc_score(hardens_most, log_bayes),
        "prevalence": prevalence,
        "by_row": by_row,
    }


def example(pixels: Pixels, log_evidence: np.ndarray) -> int:
    """Choose a pixel in a band: the median one of those with evidence for three states.

    Parameters
    ----------
    pixels : Pixels
    log_evidence : ndarray, shape (n_models, n_pixels)
        As `maps.evidence_map` returns it.

    Returns
    -------
    int
        Index of the pixel.
    """
    log_bayes = evidence.log_bayes_factor(log_evidence)
    candidates = np.flatnonzero(pixels.in_band & (log_bayes > 0))
    return int(candidates[np.argsort(log_bayes[candidates])[len(candidates) // 2]])


def arriving(pixels: Pixels, index: int) -> dict[str, object]:
    """Follow what is believed of one pixel as its voltage steps arrive.

    Parameters
    ----------
    pixels : Pixels
    index : int
        Index of the pixel.

    Returns
    -------
    dict
        ``pixel``, its index; ``steps``, shape (n_counts,), the numbers of steps that have arrived;
        ``probability`` and ``coercive``, as `evidence.arrival` returns them.
    """
    n_points = len(pixels.quarters.voltage)
    counts = np.append(np.arange(FIRST_ARRIVAL, n_points, STEPS_A_TIME), n_points)
    probability, coercive = evidence.arrival(pixels.loops[index], pixels.quarters, counts)
    return {"pixel": index, "steps": counts, "probability": probability, "coercive": coercive}


def rate_laws(pixels: Pixels, n_boot: int = N_BOOT) -> list[list[dict[str, object]]]:
    """Find the rate laws of the mean loop of each group of pixels.

    Parameters
    ----------
    pixels : Pixels
    n_boot : int
        Number of times that the blocks are drawn again.

    Returns
    -------
    list of list of dict
        For each group the law of the falling and of the rising quarter, as `laws.rate_law` returns
        it, with ``branch`` and the 5 to 95 % ``interval`` of its valley over blocks drawn again.
    """
    rng = np.random.default_rng(0)
    voltage = pixels.scan.voltages[0]
    by_group = []
    for group in pixels.groups():
        loops = np.array(_resampled_means(pixels, pixels.piezoresponse, group, n_boot, rng))
        falling, rising = laws.rate_laws(voltage, loops)
        by_group.append([_with_interval("falling", falling), _with_interval("rising", rising)])
    return by_group


def _with_interval(branch, rate_laws):
    """Return the first rate law of a branch with the interval of the valley of the others."""
    valleys = [law["valley"] for law in rate_laws[1:]]
    return {"branch": branch, **rate_laws[0], "interval": np.percentile(valleys, [5, 95])}


def nodes(pixels: Pixels) -> np.ndarray:
    """Return the variables of the causal graphs as normal scores.

    Parameters
    ----------
    pixels : Pixels

    Returns
    -------
    ndarray, shape (n_pixels, n_nodes)
        In the order of `NODES`.
    """
    variables = {"row": pixels.rows, "band": pixels.band, **pixels.descriptors}
    return confounding.normal_scores(np.column_stack([variables[name] for name in NODES]))


def graphs(pixels: Pixels, n_boot: int = N_BOOT, n_lingam: int = 10) -> dict[str, object]:
    """Search for graphs of the descriptors, and try to falsify the searches.

    Parameters
    ----------
    pixels : Pixels
    n_boot : int
        Number of searches of PC, each with other pixels of the small blocks.
    n_lingam : int
        Number of those of LiNGAM, which is slower.

    Returns
    -------
    dict
        ``nodes``; ``pc_1`` and ``pc_9``, shape (n_nodes, n_nodes), the share of the graphs of PC
        that have each edge, from one and from nine pixels a block; ``lingam``, the same share of
        LiNGAM's arrows with row and band put first; ``parents_of_row`` and ``parents_of_band``, the
        mean number of causes that LiNGAM gives them without that knowledge; ``placebo``, the number
        of edges that ``pc`` and ``lingam`` find in shuffled columns.

    Raises
    ------
    ReplicationError
        If causal-learn or lingam is not installed.
    """
    values = nodes(pixels)
    shares = {}
    for per_block in (1, 9):
        by_pc = networks.resampled(networks.pc, values, pixels.sites, per_block, n_boot, FIRST)
        shares[f"pc_{per_block}"] = networks.skeleton(by_pc).mean(axis=0)
    with_knowledge = networks.resampled(
        networks.direct_lingam, values, pixels.sites, 9, n_lingam, FIRST
    )
    without_knowledge = networks.resampled(
        networks.direct_lingam, values, pixels.sites, 9, n_lingam
    )
    rng = np.random.default_rng(0)
    shuffled = networks.placebo(values, rng)[rng.permutation(len(values))[:N_PLACEBO]]
    return {
        "nodes": NODES,
        **shares,
        "lingam": with_knowledge.mean(axis=0),
        "parents_of_row": without_knowledge[:, :, 0].sum(axis=1).mean(),
        "parents_of_band": without_knowledge[:, :, 1].sum(axis=1).mean(),
        "placebo": {
            "pc": int(networks.pc(shuffled).sum()),
            "lingam": int(networks.direct_lingam(shuffled).sum()),
        },
    }


def reversals(pixels: Pixels) -> dict[str, object]:
    """Look for descriptors whose correlation changes sign within band and scan row.

    Parameters
    ----------
    pixels : Pixels

    Returns
    -------
    dict
        As `confounding.reversals` returns it.
    """
    bands = confounding.quantiles(pixels.band)
    return confounding.reversals(pixels.descriptors, pixels.rows, bands, pixels.blocks)


def drift(pixels: Pixels) -> dict[str, dict[str, float]]:
    """Return how much of each descriptor scan row and domain explain.

    Parameters
    ----------
    pixels : Pixels

    Returns
    -------
    dict of str to dict
        `confounding.shares` by the name of the descriptor.
    """
    shape = pixels.scan.shape
    row = confounding.one_hot(pixels.rows)
    domain = confounding.domain_basis(pixels.descriptors["saturation"], shape)
    folds = spatial_folds(shape)
    return {
        name: confounding.shares(values, row, domain, folds)
        for name, values in pixels.descriptors.items()
    }
