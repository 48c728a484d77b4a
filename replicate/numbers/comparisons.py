"""What is measured of one model against another, on the same data and with the same seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from replicate.analysis.residuals import best_median_worst
from replicate.study import sweeps
from replicate.study.job import Job

#: For each data set with its steps in order: its name with the steps shuffled, and the kind of
#: error by which the two are compared.
ORDERED = {"toy": ("toy_shuffled", "gamut_mse"), "beps_heldout": ("beps_shuffled", "heldout_mse")}


def compare(
    records: Mapping[Job, dict], errors: Mapping[Job, np.ndarray]
) -> dict[Job, dict[str, float]]:
    """Return all that is measured of each run of the study against other runs.

    Parameters
    ----------
    records : dict of Job to dict
        Each with ``metrics``; of the study and of its sweeps.
    errors : dict of Job to ndarray, shape (n_pixels,)
        Mean squared error of each pixel of the runs on the whole scan.

    Returns
    -------
    dict of Job to dict of str to float
        Further metrics of the jobs of the study. A metric whose other run was not made is left out.
    """
    return {job: _compared(job, records, errors) for job in records if not job.variant}


def _compared(job, records, errors):
    metrics = {}
    dictionary = replace(job, model="dictionary_learning")
    if job in errors and dictionary in errors and job != dictionary:
        metrics["share_below_dictionary"] = share_below(errors[job], errors[dictionary])
        metrics["ratio_at_examples"] = ratio_at_examples(errors[job], errors[dictionary])
    if job.dataset in ORDERED:
        shuffled_dataset, kind = ORDERED[job.dataset]
        shuffled = records.get(replace(job, dataset=shuffled_dataset))
        if shuffled:
            in_order = records[job]["metrics"][kind]
            metrics["shuffle_change"] = shuffled["metrics"][kind] / in_order - 1
    tried = [records[other] for other in sweeps.trials(job) if other in records]
    if tried:
        metrics["sensitivity"] = spread([records[job], *tried])
    return metrics


def share_below(errors: np.ndarray, reference: np.ndarray) -> float:
    """Return the share of pixels whose error is below that of another model (paper Figure 4t, u).

    Parameters
    ----------
    errors, reference : ndarray, shape (n_pixels,)
        Mean squared error of each pixel of the model and of the other model.
    """
    return float(np.mean(errors < reference))


def ratio_at_examples(errors: np.ndarray, reference: np.ndarray) -> float:
    """Return the greatest ratio of two models' errors at the examples of the second (Figure 4d-j).

    Parameters
    ----------
    errors, reference : ndarray, shape (n_pixels,)
        Mean squared error of each pixel of the model and of the other model, whose best, median and
        worst pixel are the examples.
    """
    examples = best_median_worst(reference)
    return float(np.max(errors[examples] / reference[examples]))


def spread(records: Sequence[dict]) -> float:
    """Return the greatest less the least held-out error of records, over that of the first."""
    errors = [record["metrics"]["heldout_mse"] for record in records]
    return (max(errors) - min(errors)) / errors[0]
