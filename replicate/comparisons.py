"""What is measured of one model against another, on the same data and with the same seed."""

from __future__ import annotations

import numpy as np


def against_dictionary(errors):
    """Tell on what share of the pixels each model is better than dictionary learning (paper Figure 4t, u).

    Parameters
    ----------
    errors : dict of str to ndarray, shape (n_pixels,)
        Mean squared error of each pixel, by model.

    Returns
    -------
    dict of str to dict
        ``share_below_dictionary`` of every other model; empty where there is no dictionary learning to compare with.
    """
    reference = errors.get("dictionary_learning")
    if reference is None:
        return {}
    return {
        model: {"share_below_dictionary": float(np.mean(values < reference))}
        for model, values in errors.items()
        if model != "dictionary_learning"
    }
