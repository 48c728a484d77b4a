"""Every kind of number that a run can measure: its unit, which direction is better, how it is compared, and what it is."""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """What a number is, and by which rule it is compared with the stored one.

    The rule is ``exact`` (equal, seed by seed), ``value`` (within a tolerance) or ``reported`` (shown, never a gate). `rounding` is by
    how much two numbers may differ by single precision alone, however small they are.
    """

    unit: str
    better: str
    rule: str
    description: str
    rounding: float = 0.0


def _error(description):
    return Kind("z-score squared", "lower", "value", description)


def _offset(description):
    return Kind("z-score", "lower", "value", description, 1e-5)


def _cost(unit, description):
    return Kind(unit, "lower", "reported", description)


def _count(description):
    return Kind("count", "none", "exact", description)


def _share(better, description):
    return Kind("1", better, "value", description, 1e-5)


def _of_trees(description, better="higher"):
    # Trees, histograms and limits split values, of which single precision may put one on the other side.
    return Kind("1", better, "value", description, 2e-3)


KINDS = {
    "mse": _error("mean squared error on the spectra the model was fitted to"),
    "mse_piezoresponse": _error("the same, piezoresponse only"),
    "mse_resonance": _error("the same, resonance only"),
    "mse_median": _error("the error of the median spectrum"),
    "mse_worst": _error("the error of the worst spectrum"),
    "heldout_mse": _error("mean squared error on spatial blocks the model never saw"),
    "heldout_mse_piezoresponse": _error("the same, piezoresponse only"),
    "heldout_mse_resonance": _error("the same, resonance only"),
    "heldout_mse_refined": _error(
        "mean squared error on these blocks, each spectrum with the best latents its decoder has"
    ),
    "heldout_mse_refined_piezoresponse": _error("the same, piezoresponse only"),
    "heldout_mse_refined_resonance": _error("the same, resonance only"),
    "clean_mse": _error(
        "mean squared error on held-out blocks of the twin against the spectra without noise"
    ),
    "noise_mse": _error(
        "mean squared noise of these blocks: what a model that removes none would have"
    ),
    "maps_r2": _of_trees(
        "variance of the maps the twin was made from that the latents in use explain, R2 of boosted trees"
    ),
    "mechanism_r2": _of_trees(
        "variance of the twin's map of its mechanism that the descriptors of the reconstructions explain, the same"
    ),
    "gamut_mse": _error("mean squared error on fresh random colours"),
    "gamut_mse_refined": _error("the same, each colour with the best latents its decoder has"),
    "painting_mse": _error("mean squared error over every pixel of the picture"),
    "gamut_mse_coded_at_1": _error(
        "mean squared error on fresh random colours coded with lambda = 1, whatever it was fitted with"
    ),
    "painting_mse_coded_at_1": _error("the same over every pixel of the picture"),
    "mig": _of_trees(
        "mutual information gap of the latents in use for R, G and B: 1 for one latent a factor"
    ),
    "sap": _share("higher", "separated attribute predictability of the same"),
    "dci_disentanglement": _of_trees(
        "1 where each latent in use matters to one of R, G and B only"
    ),
    "dci_completeness": _of_trees("1 where each of R, G and B needs one latent only"),
    "dci_informativeness": _of_trees(
        "R2 of forests that predict R, G and B from the latents in use"
    ),
    "factors_r2": _of_trees("the same of boosted trees"),
    "shuffle_change": _share(
        "none",
        "error with the steps shuffled over that in order, less 1: 0 for a model blind to order",
    ),
    "sensitivity": _share(
        "lower",
        "greatest less least held-out error as one hyperparameter at a time changes, over that of the study",
    ),
    "index_bias": _offset(
        "root mean square, over the indices, of the mean error there: how far the violins are off zero"
    ),
    "index_spread": _offset(
        "mean, over the indices, of the standard deviation of the error there: how wide the violins are"
    ),
    "index_kurtosis": _share(
        "none",
        "median, over the indices, of the excess kurtosis of the error there: 0 for a Gaussian",
    ),
    "shift_error": Kind(
        "steps",
        "lower",
        "value",
        "mean distance of the reconstructed transition from the true one as R goes up",
    ),
    "shift_slope": _share(
        "none", "steps by which it moves for each step of the true one: 0 not at all, 1 rightly"
    ),
    # Of many thousand colours, which is the median one hangs on the last digits of the errors.
    "shape_median": Kind(
        "1",
        "higher",
        "value",
        "correlation of the median spectrum with its reconstruction, in formula units",
        1e-3,
    ),
    "shape_worst": _share("higher", "correlation of the worst spectrum with its reconstruction"),
    "shape_median_piezoresponse": _share(
        "higher", "correlation of the piezoresponse of the median pixel with its reconstruction"
    ),
    "shape_median_resonance": _share("higher", "the same, resonance"),
    "shape_worst_piezoresponse": _share(
        "higher", "correlation of the piezoresponse of the worst pixel with its reconstruction"
    ),
    "shape_worst_resonance": _share("higher", "the same, resonance"),
    "softening_recovered": _share(
        "none", "median over pixels of the depth of the resonance dip, reconstructed over measured"
    ),
    "domain_r2": _share(
        "higher",
        "variance of the area of the piezoresponse loop that the latents explain linearly, R2",
    ),
    "error_domain_correlation": _share(
        "none", "rank correlation, without sign, of the error of a pixel with its loop area"
    ),
    "error_moran": _share(
        "none", "Moran's I of the map of errors: 1 where neighbours are alike, 0 where they are not"
    ),
    "error_explained": _of_trees(
        "variance of the error of a pixel that its loop's descriptors explain, R2 of boosted trees",
        "none",
    ),
    "descriptor_correlation": _share(
        "higher",
        "mean over the descriptors of the loops: their correlation over pixels, model with data",
    ),
    "shoulder_auc": _of_trees(
        "area under the ROC curve of telling the pixels with a shoulder from their reconstructions"
    ),
    "shoulder_kept": _of_trees(
        "share of the pixels with a shoulder whose reconstruction has one as well"
    ),
    "shoulder_invented": _of_trees(
        "share of the pixels without a shoulder whose reconstruction has one", "lower"
    ),
    "shoulder_latents": _count("latents along whose sweep a shoulder comes or goes"),
    "descriptor_correlation_refined": _share(
        "higher", "the same correlation, each spectrum with the best latents its decoder has"
    ),
    "shoulder_auc_refined": _of_trees(
        "the same area, each spectrum with the best latents its decoder has"
    ),
    "shoulder_kept_refined": _of_trees(
        "the same share, each spectrum with the best latents its decoder has"
    ),
    "shoulder_invented_refined": _of_trees(
        "the same share, each spectrum with the best latents its decoder has", "lower"
    ),
    "share_below_dictionary": _share(
        "higher", "share of pixels whose error is less than dictionary learning's of the same seed"
    ),
    "encoder_nonlinearity": _share(
        "none",
        "distance of the latents of two spectra's mean from the mean of their latents, over half that between these",
    ),
    "decoder_nonlinearity": _share(
        "none", "the same of the spectra of latents: 0 for a linear decoder"
    ),
    "principal_share": _share(
        "none",
        "variance of the active latents that as many principal components explain linearly, R2",
    ),
    "active_channels": _count("channels whose KL from the prior exceeds 0.1 nats"),
    "selected_active_channels": _count("active channels at the selected beta"),
    "selected_beta": _share(
        "none", "beta at which the number of active channels was nearest its target"
    ),
    "best_lambda": Kind("1", "none", "exact", "lambda of the least error in the search"),
    "lambda_influence": _share("lower", "greatest over least error in that search"),
    "authors_rms": _offset(
        "root mean square error of dictionary learning as the authors' code sets it, the mean of each spectrum removed"
    ),
    "authors_khz": Kind(
        "kHz",
        "none",
        "value",
        "standard deviation of the resonance for which that error would be the paper's 0.36",
    ),
    "n_parameters": _count("fitted numbers"),
    "fit_seconds": _cost("s", "time to fit, one thread"),
    "transform_seconds": _cost("s", "time to encode the spectra, one thread"),
    "inverse_seconds": _cost("s", "time to decode them, one thread"),
    "seconds_to_paper_mse": _cost(
        "s", "training time until the error on 1000 fresh colours first fell to 0.104"
    ),
    "peak_memory_mib": _cost("MiB", "peak resident memory of the process of the run"),
}


PER_CHANNEL = tuple(
    sorted(
        (name[: -len("_piezoresponse")] for name in KINDS if name.endswith("_piezoresponse")),
        key=len,
        reverse=True,
    )
)
"""Kinds that are measured of each channel, ``<kind>_<channel>``; a scan of the user's own may have channels of other names."""


def kind_of(name):
    """Return the kind of the metric of this name, ``<data set>.<model>.<kind>``."""
    name = name.rpartition(".")[2]
    if name in KINDS:
        return KINDS[name]
    whole = next(kind for kind in PER_CHANNEL if name.startswith(f"{kind}_"))
    kind = KINDS[f"{whole}_piezoresponse"]
    return kind._replace(
        description=kind.description.replace("piezoresponse", name[len(whole) + 1 :])
    )
