"""Searches for the settings behind the paper's numbers of dictionary learning."""

from __future__ import annotations

import numpy as np

from replicate.models.dictionary import authors_rms, lambda_search
from replicate.provenance import is_own_scan

#: Grid of the search for lambda (paper Figure S3).
LAMBDAS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.57, 0.8, 1.0, 1.4, 2.0)

#: How many of the training colours that search is fitted to.
N_SEARCH = {"smoke": 100, "standard": 1000, "paper": 1000}

#: The error that the paper gives for dictionary learning on the scan.
PAPER_BEPS_ERROR = 0.36

#: Every how many pixels the authors' setting of dictionary learning is tried on.
AUTHORS_STRIDE = {"smoke": 20, "standard": 1, "paper": 1}

#: Standard deviations of the resonance, kHz, at which that setting is tried.
RESONANCE_KHZ = (1.0, 4.0, 5.0)


def search(task, config: dict) -> tuple[dict, dict]:
    """Return metrics and arrays of the search that belongs to a configuration; none for most.

    Parameters
    ----------
    task : task
        As `replicate.tasks.load_task` returns it.
    config : dict
        As `execute.configuration` returns it.
    """
    if config["model"] != "dictionary_learning":
        return {}, {}
    if config["dataset"] == "toy":
        return _search_lambda(task, config)
    if config["dataset"] == "beps" and not is_own_scan(config["provenance"]["spectra"]):
        return _follow_authors(task, config)
    return {}, {}


def _search_lambda(task, config):
    """Look for the lambda of the least error (paper Figure S3)."""
    few = task.train[: N_SEARCH[config["profile"]]]
    n_components = config["parameters"]["n_components"]
    errors = lambda_search(few, task.validation, LAMBDAS, n_components, config["seed"])
    mse = errors["mse"]
    metrics = {
        "best_lambda": float(errors["lambda"][np.argmin(mse)]),
        "lambda_influence": float(mse.max() / mse.min()),
    }
    return metrics, {f"search_{name}": values for name, values in errors.items()}


def _follow_authors(task, config):
    """Look for what gives the paper's error on the scan.

    Dictionary learning with lambda = 1 on these arrays does not.
    """
    few = task.train[:: AUTHORS_STRIDE[config["profile"]]]
    n_components = config["parameters"]["n_components"]
    khz = np.array(RESONANCE_KHZ)
    rms = np.array([authors_rms(few, scale, n_components, config["seed"]) for scale in khz])
    metrics = {"authors_rms": float(rms[0])}
    if rms[1] <= PAPER_BEPS_ERROR <= rms[2]:
        metrics["authors_khz"] = float(np.interp(PAPER_BEPS_ERROR, rms[1:], khz[1:]))
    return metrics, {"authors_khz": khz, "authors_rms": rms}
