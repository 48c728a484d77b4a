"""Every kind of number that a run can measure.

A kind says in which unit a number is, which direction is better, how the number is compared with
the stored one, and what it is.
"""

from __future__ import annotations

from typing import NamedTuple

#: By how much a recomputed number may differ, relative to the stored one: single precision adds up
#: in another order.
RECOMPUTED = 1e-5


class Kind(NamedTuple):
    """What a number is, and by which rule it is compared with the stored one.

    Attributes
    ----------
    unit : str
        ``1`` for a number without unit, ``count`` for a whole number.
    better : str
        ``lower``, ``higher`` or ``none``.
    rule : str
        ``exact`` (equal for every seed), ``value`` (within a tolerance) or ``reported`` (shown, but
        never a reason to fail).
    description : str
        A phrase for the report.
    rounding : float
        By how much two numbers may differ through single precision alone, however small they are.
    relative : float
        By how much a recomputed number may differ, as a share of the stored one.
    zero : float
        Where that share is counted from: an excess kurtosis of 0 is a kurtosis of 3.
    elsewhere : float
        By how much a number may differ in any case that was measured with another arithmetic.
    """

    unit: str
    better: str
    rule: str
    description: str
    rounding: float = 0.0
    relative: float = RECOMPUTED
    zero: float = 0.0
    elsewhere: float = 0.0

    def is_recomputed(self, stored: float, computed: float) -> bool:
        """Return whether a number that was computed again is the stored one."""
        if self.rule == "exact":
            return computed == stored
        allowed = self.relative * abs(stored - self.zero)
        return abs(computed - stored) <= max(allowed, self.rounding)


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


def _split(description, better="higher"):
    """Return the kind of a number that trees, histograms or limits make by splitting values.

    Single precision may put a value on the other side of a split.
    """
    return Kind("1", better, "value", description, 2e-3)


def _of_trees(description, better="higher"):
    """Return the kind of a share that boosted trees explain.

    They put a value at a border into another bin for a difference of 3e-7, which moves the share
    by thousandths.
    """
    return Kind("1", better, "value", description, 1e-2)


def _of_one_pixel(description, better="higher"):
    """Return the kind of a number that is read off one pixel.

    Which pixel has the median error hangs on the last digits, and its neighbour in rank may be of
    quite another shape.
    """
    return Kind("1", better, "value", description, 1e-5, elsewhere=0.3)


#: Every kind by name. The errors and shapes of a channel are described for the piezoresponse and
#: the resonance; `kind_of` puts the name of another channel in place of the former.
KINDS = {
    "mse": _error("mean squared error on the spectra the model was fitted to"),
    "mse_piezoresponse": _error(
        "mean squared error of the piezoresponse on the spectra the model was fitted to"
    ),
    "mse_resonance": _error(
        "mean squared error of the resonance on the spectra the model was fitted to"
    ),
    "mse_median": _error("median over the spectra of their mean squared error"),
    "mse_worst": _error("greatest mean squared error of a spectrum"),
    "heldout_mse": _error("mean squared error on spatial blocks the model never saw"),
    "heldout_mse_piezoresponse": _error(
        "mean squared error of the piezoresponse on spatial blocks the model never saw"
    ),
    "heldout_mse_resonance": _error(
        "mean squared error of the resonance on spatial blocks the model never saw"
    ),
    "heldout_mse_refined": _error(
        "mean squared error on spatial blocks the model never saw, "
        "each spectrum with the best latents its decoder has"
    ),
    "heldout_mse_refined_piezoresponse": _error(
        "mean squared error of the piezoresponse on spatial blocks the model never saw, "
        "each spectrum with the best latents its decoder has"
    ),
    "heldout_mse_refined_resonance": _error(
        "mean squared error of the resonance on spatial blocks the model never saw, "
        "each spectrum with the best latents its decoder has"
    ),
    "heldout_mse_median": _error(
        "median over the spectra on spatial blocks the model never saw of their mean squared error"
    ),
    "heldout_mse_log": _error(
        "geometric mean over the spectra on spatial blocks the model never saw of their mean "
        "squared error"
    ),
    "heldout_mse_refined_median": _error(
        "median over the spectra on spatial blocks the model never saw of their mean squared "
        "error, each spectrum with the best latents its decoder has"
    ),
    "heldout_mse_refined_log": _error(
        "geometric mean over the spectra on spatial blocks the model never saw of their mean "
        "squared error, each spectrum with the best latents its decoder has"
    ),
    "clean_mse": _error(
        "mean squared error on held-out blocks of the twin against the spectra without noise"
    ),
    "noise_mse": _error(
        "mean squared noise of the held-out blocks of the twin: "
        "the error of a model that removes no noise"
    ),
    "maps_r2": _of_trees(
        "variance of the maps the twin was made from that the latents in use explain, "
        "R2 of boosted trees"
    ),
    "mechanism_r2": _of_trees(
        "variance of the twin's map of its mechanism that the descriptors of the reconstructions "
        "explain, R2 of boosted trees"
    ),
    "gamut_mse": _error("mean squared error on fresh random colours"),
    "gamut_mse_refined": _error(
        "mean squared error on fresh random colours, "
        "each colour with the best latents its decoder has"
    ),
    "painting_mse": _error("mean squared error over every pixel of the picture"),
    "gamut_mse_coded_at_1": _error(
        "mean squared error on fresh random colours coded with lambda = 1, "
        "whatever lambda the model was fitted with"
    ),
    "painting_mse_coded_at_1": _error(
        "mean squared error over every pixel of the picture coded with lambda = 1, "
        "whatever lambda the model was fitted with"
    ),
    "mig": _split(
        "mutual information gap of the latents in use for R, G and B: 1 for one latent a factor"
    ),
    "mig_rotated": _split(
        "mutual information gap of the same latents after random rotations: what chance gives",
        "none",
    ),
    "sap": _share(
        "higher", "separated attribute predictability of the latents in use for R, G and B"
    ),
    "dci_disentanglement": _split(
        "disentanglement: 1 where each latent in use matters to one of R, G and B only"
    ),
    "dci_completeness": _split("completeness: 1 where each of R, G and B needs one latent only"),
    "dci_informativeness": _split(
        "informativeness: R2 of forests that predict R, G and B from the latents in use"
    ),
    "factors_r2": _of_trees("R2 of boosted trees that predict R, G and B from the latents in use"),
    # Each of the two errors may differ by a thousandth.
    "shuffle_change": Kind(
        "1",
        "none",
        "value",
        "error with the steps shuffled over that in order, less 1: 0 for a model blind to order",
        1e-5,
        elsewhere=2e-3,
    ),
    "sensitivity": _share(
        "lower",
        "greatest less least held-out error as one hyperparameter at a time changes, "
        "over the held-out error of the study",
    ),
    "index_bias": _offset(
        "root mean square, over the indices, of the mean error there: "
        "how far the violins are off zero"
    ),
    "index_spread": _offset(
        "mean, over the indices, of the standard deviation of the error there: "
        "how wide the violins are"
    ),
    # The fourth power of errors in single precision.
    "index_kurtosis": Kind(
        "1",
        "none",
        "value",
        "median, over the indices, of the excess kurtosis of the error there: 0 for a Gaussian",
        1e-5,
        relative=1e-4,
        zero=-3.0,
    ),
    "index_bias_first": _offset(
        "root mean square, over the first four indices, of the mean error there"
    ),
    "index_bias_last": _offset(
        "root mean square, over the last four indices, of the mean error there"
    ),
    "index_kurtosis_ends": Kind(
        "1",
        "none",
        "value",
        "median, over the first and the last four indices, of the excess kurtosis of the error",
        1e-5,
        relative=1e-4,
        zero=-3.0,
    ),
    "large_errors": _split("share of all values that are off by more than half a z-score", "lower"),
    "worst_offset_share": _share(
        "none", "share of the squared error of the worst spectrum that is a constant shift"
    ),
    "painting_r2_least": _share(
        "higher",
        "variance of the colour of the picture, of R, G and B the one explained least, that the "
        "latents in use explain linearly, R2",
    ),
    "shift_error": Kind(
        "steps",
        "lower",
        "value",
        "mean distance of the reconstructed transition from the true one as R goes up",
    ),
    "shift_slope": _share(
        "none",
        "steps by which the reconstructed transition moves for each step of the true one: "
        "0 not at all, 1 rightly",
    ),
    # Of many thousand colours, which is the median one hangs on the last digits of the errors.
    "shape_median": Kind(
        "1",
        "higher",
        "value",
        "correlation of the median spectrum with its reconstruction, in formula units",
        1e-3,
    ),
    "shape_worst": _share(
        "higher", "correlation of the worst spectrum with its reconstruction, in formula units"
    ),
    "shape_median_piezoresponse": _of_one_pixel(
        "correlation of the piezoresponse of the median pixel with its reconstruction"
    ),
    "shape_median_resonance": _of_one_pixel(
        "correlation of the resonance of the median pixel with its reconstruction"
    ),
    "shape_worst_piezoresponse": _share(
        "higher", "correlation of the piezoresponse of the worst pixel with its reconstruction"
    ),
    "shape_worst_resonance": _share(
        "higher", "correlation of the resonance of the worst pixel with its reconstruction"
    ),
    "shape_typical_piezoresponse": _share(
        "higher",
        "correlation of the piezoresponse with its reconstruction, mean over the middle tenth of "
        "the pixels by error",
    ),
    "shape_typical_resonance": _share(
        "higher",
        "correlation of the resonance with its reconstruction, mean over the middle tenth of the "
        "pixels by error",
    ),
    "shape_poor_piezoresponse": _share(
        "higher",
        "correlation of the piezoresponse with its reconstruction, mean over the worst hundredth "
        "of the pixels",
    ),
    "shape_poor_resonance": _share(
        "higher",
        "correlation of the resonance with its reconstruction, mean over the worst hundredth of "
        "the pixels",
    ),
    "softening_best": _of_one_pixel(
        "depth of the resonance dip at the pixel of least error, reconstructed over measured",
        "none",
    ),
    "softening_recovered": _share(
        "none", "median over pixels of the depth of the resonance dip, reconstructed over measured"
    ),
    "domain_r2": _share(
        "higher",
        "variance of the area of the piezoresponse loop that the latents explain linearly, R2",
    ),
    "domain_r2_random": _share(
        "none",
        "the same R2 for as many random projections of the spectra as the model has latents in "
        "use: what chance gives",
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
        "correlation over pixels of a loop descriptor of the reconstructions with that of the "
        "data, mean over the descriptors",
    ),
    "shoulder_auc": _split(
        "area under the ROC curve of telling the pixels with a shoulder from their reconstructions"
    ),
    "descriptor_correlation_median": _share(
        "higher",
        "correlation over pixels of a loop descriptor of the reconstructions with that of the "
        "data, median over the descriptors",
    ),
    "shoulder_kept_at_3": _split(
        "share of the pixels with a shoulder whose reconstruction has one as well, at the limit "
        "where 3 % of the others get one"
    ),
    "shoulder_kept_at_8": _split(
        "share of the pixels with a shoulder whose reconstruction has one as well, at the limit "
        "where 8 % of the others get one"
    ),
    "shoulder_kept": _split(
        "share of the pixels with a shoulder whose reconstruction has one as well"
    ),
    "shoulder_invented": _split(
        "share of the pixels without a shoulder whose reconstruction has one", "lower"
    ),
    # Whether a shoulder comes or goes hangs on a limit.
    "shoulder_latents": Kind(
        "count",
        "none",
        "value",
        "latents along whose sweep a shoulder comes or goes",
        elsewhere=2.0,
    ),
    "swept_concavity": Kind(
        "count",
        "none",
        "value",
        "latents along whose sweep, from the 1st to the 99th percentile, a shoulder comes or goes",
        elsewhere=2.0,
    ),
    "swept_hardening_negative": _share(
        "none",
        "greatest hardening of the resonance under negative voltage along such sweeps, over the "
        "median of the measured loops",
    ),
    "swept_hardening_positive": _share(
        "none",
        "greatest hardening of the resonance under positive voltage along such sweeps, over the "
        "median of the measured loops",
    ),
    "generated_distance": _error(
        "mean squared distance of a spectrum of such sweeps to the nearest measured one, median"
    ),
    "neighbour_distance": _error(
        "mean squared distance of a measured spectrum to the nearest other one, median"
    ),
    "descriptor_correlation_refined": _share(
        "higher",
        "correlation over pixels of a loop descriptor of the reconstructions with that of the "
        "data, mean over the descriptors, each spectrum with the best latents its decoder has",
    ),
    "shoulder_auc_refined": _split(
        "area under the ROC curve of telling the pixels with a shoulder from their "
        "reconstructions, each spectrum with the best latents its decoder has"
    ),
    "descriptor_correlation_median_refined": _share(
        "higher",
        "correlation over pixels of a loop descriptor of the reconstructions with that of the "
        "data, median over the descriptors, each spectrum with the best latents its decoder has",
    ),
    "shoulder_kept_at_3_refined": _split(
        "share of the pixels with a shoulder whose reconstruction has one as well, at the limit "
        "where 3 % of the others get one, each spectrum with the best latents its decoder has"
    ),
    "shoulder_kept_at_8_refined": _split(
        "share of the pixels with a shoulder whose reconstruction has one as well, at the limit "
        "where 8 % of the others get one, each spectrum with the best latents its decoder has"
    ),
    "shoulder_kept_refined": _split(
        "share of the pixels with a shoulder whose reconstruction has one as well, "
        "each spectrum with the best latents its decoder has"
    ),
    "shoulder_invented_refined": _split(
        "share of the pixels without a shoulder whose reconstruction has one, "
        "each spectrum with the best latents its decoder has",
        "lower",
    ),
    "share_below_dictionary": _share(
        "higher", "share of pixels whose error is less than dictionary learning's of the same seed"
    ),
    "ratio_at_examples": _of_one_pixel(
        "greatest ratio of the error to dictionary learning's over the best, the median and the "
        "worst pixel of dictionary learning",
        "lower",
    ),
    "encoder_nonlinearity": _share(
        "none",
        "distance of the latents of two spectra's mean from the mean of their latents, over half "
        "the distance between their latents: 0 for a linear encoder",
    ),
    "decoder_nonlinearity": _share(
        "none",
        "distance of the spectrum of two latent vectors' mean from the mean of their spectra, over "
        "half the distance between their spectra: 0 for a linear decoder",
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
    "selected_by_rank": Kind(
        "1",
        "none",
        "value",
        "1 where no beta left the number of channels asked for, and the greatest KL decided",
        elsewhere=1.0,
    ),
    "best_lambda": Kind(
        "1", "none", "exact", "lambda of the least error in the search over lambda"
    ),
    "lambda_influence": _share("lower", "greatest over least error in the search over lambda"),
    "authors_rms": _offset(
        "root mean square error of dictionary learning as the authors' code sets it, "
        "the mean of each spectrum removed"
    ),
    "authors_khz": Kind(
        "kHz",
        "none",
        "value",
        "standard deviation of the resonance for which dictionary learning as the authors' code "
        "sets it has the paper's error, 0.36",
    ),
    "n_parameters": _count("fitted numbers"),
    "fit_seconds": _cost("s", "time to fit, one thread"),
    "transform_seconds": _cost("s", "time to encode the spectra, one thread"),
    "inverse_seconds": _cost("s", "time to decode the spectra, one thread"),
    "seconds_to_paper_mse": _cost(
        "s", "training time until the error on 1000 fresh colours first fell to 0.104"
    ),
    "peak_memory_mib": _cost("MiB", "peak resident memory of the process of the run"),
}


def _kinds_per_channel():
    """Return the kinds that are measured of each channel, the longest names first."""
    suffix = "_piezoresponse"
    kinds = [name[: -len(suffix)] for name in KINDS if name.endswith(suffix)]
    return tuple(sorted(kinds, key=len, reverse=True))


#: Kinds that are measured of each channel, as metrics ``<kind>_<channel>``. A user's own scan may
#: have channels of other names than the paper's.
PER_CHANNEL = _kinds_per_channel()


def model_of(name: str) -> str:
    """Return the model that a metric, ``<data set>.<model>.<kind>``, is of."""
    return name.split(".")[1]


def kind_of(name: str) -> Kind:
    """Return the kind of a metric.

    Parameters
    ----------
    name : str
        ``<data set>.<model>.<kind>``, or the kind alone. The kind of a channel of any name,
        ``<kind>_<channel>``, is described as that of the piezoresponse is.
    """
    name = name.rpartition(".")[2]
    if name in KINDS:
        return KINDS[name]
    whole = next(kind for kind in PER_CHANNEL if name.startswith(f"{kind}_"))
    channel = name[len(whole) + 1 :]
    kind = KINDS[f"{whole}_piezoresponse"]
    return kind._replace(description=kind.description.replace("piezoresponse", channel))
