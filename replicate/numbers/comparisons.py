"""What is measured of one model against another, on the same data and with the same seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from replicate.study import sweeps

ORDERED = {"toy": ("toy_shuffled", "gamut_mse"), "beps_heldout": ("beps_shuffled", "heldout_mse")}
"""What each data set is called with its steps shuffled, and the error that tells."""


def compare(records, errors):
    """Return all that is measured of one run against others.

    Parameters
    ----------
    records : dict of Job to dict
        With ``metrics``; of the study and of its sweeps.
    errors : dict of Job to ndarray, shape (n_pixels,)
        Mean squared error of each pixel of the runs on the whole scan.

    Returns
    -------
    dict of Job to dict of str to float
        Further metrics of jobs of the study.
    """
    return {job: _compared(job, records, errors) for job in records if not job.variant}


def _compared(job, records, errors):
    metrics = {}
    dictionary = replace(job, model="dictionary_learning")
    if job in errors and dictionary in errors and job != dictionary:
        metrics["share_below_dictionary"] = share_below(errors[job], errors[dictionary])
    if job.dataset in ORDERED:
        dataset, error = ORDERED[job.dataset]
        shuffled = records.get(replace(job, dataset=dataset))
        if shuffled:
            metrics["shuffle_change"] = (
                shuffled["metrics"][error] / records[job]["metrics"][error] - 1
            )
    tried = [records[other] for other in sweeps.trials(job) if other in records]
    if tried:
        metrics["sensitivity"] = spread([records[job], *tried])
    return metrics


def share_below(errors, reference):
    """Return the share of pixels whose error is below that of another model (paper Figure 4t, u); both of shape (n_pixels,)."""
    return float(np.mean(errors < reference))


def spread(records):
    """Return the greatest less the least held-out error of records, over that of the first."""
    errors = [record["metrics"]["heldout_mse"] for record in records]
    return (max(errors) - min(errors)) / errors[0]
