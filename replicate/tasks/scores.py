"""What every task measures of a model."""

from __future__ import annotations

import numpy as np

from replicate.analysis.refine import refine, refine_positive
from replicate.analysis.residuals import per_index
from replicate.analysis.shapes import nonlinearity

#: Spectra that are paired to measure how nonlinear encoder and decoder are.
N_PAIRED = 1000


def size(model) -> dict[str, int]:
    """Return the number of fitted numbers and, for a VAE, of active channels."""
    counts = {"n_parameters": int(model.n_parameters_)}
    if hasattr(model, "active_"):
        counts["active_channels"] = int(model.active_.sum())
    return counts


def channels(model) -> dict[str, np.ndarray]:
    """Return the KL of each channel of a VAE, nats, as an array to store; nothing for others."""
    return {"channel_kl": model.channel_kl_} if hasattr(model, "channel_kl_") else {}


def shown_components(model, latents: np.ndarray) -> np.ndarray:
    """Return the components to show, the most important first.

    For a VAE a channel is as important as its KL is great, and shown if it is active. For any other
    model a component is as important as its coefficients spread, and shown if they vary.

    Parameters
    ----------
    model : transformer
        Fitted.
    latents : ndarray, shape (n, n_components)

    Returns
    -------
    ndarray of int, shape (n_shown,)
    """
    if hasattr(model, "active_"):
        importance = model.channel_kl_ * model.active_
    else:
        importance = latents.std(axis=0)
    order = np.argsort(-importance, kind="stable")
    return order[importance[order] > 0]


def in_use(model, latents: np.ndarray) -> np.ndarray:
    """Return which latents a model uses: for a VAE the active channels, for others all that vary.

    Parameters
    ----------
    model : transformer
        Fitted.
    latents : ndarray, shape (n, n_components)

    Returns
    -------
    ndarray of bool, shape (n_components,)
    """
    return model.active_ if hasattr(model, "active_") else np.ptp(latents, axis=0) > 0


def refinement(
    model, latents: np.ndarray, spectra: np.ndarray, refined: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the best latents that the decoder has for spectra, and what they decode to.

    Parameters
    ----------
    model : transformer
        Fitted.
    latents : ndarray, shape (n, n_components)
        The latents of the encoder, where the search starts.
    spectra : ndarray, shape (n, n_features)
    refined : ndarray, shape (n, n_components), optional
        The best latents, where they are known already; they are only decoded then.

    Returns
    -------
    refined : ndarray of float32, shape (n, n_components)
    reconstructions : ndarray, shape (n, n_features)
    """
    if refined is None:
        refined = _refined(model, latents, spectra).astype(np.float32)
    return refined, model.inverse_transform(refined)


def _refined(model, latents, spectra):
    """Return the best latents; those of a model whose codes cannot be negative are not either."""
    if getattr(model, "has_positive_codes", False):
        return refine_positive(model.inverse_transform, latents.shape[1], spectra)
    return refine(model.inverse_transform, latents, spectra, in_use(model, latents))


def reconstruct(model, spectra: np.ndarray) -> np.ndarray:
    """Return spectra, shape (n, n_features), encoded and decoded by a fitted model."""
    return model.inverse_transform(model.transform(spectra))


def distribution(
    spectra: np.ndarray, reconstructions: np.ndarray, counts: np.ndarray | None = None
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Summarise the signed error at each index of the spectrum.

    Parameters
    ----------
    spectra, reconstructions : ndarray, shape (n, n_features)
        z-scores.
    counts : ndarray, shape (n,), optional
        How often each spectrum counts; once by default.

    Returns
    -------
    metrics : dict of str to float
        ``index_bias``, ``index_spread`` and ``index_kurtosis``.
    arrays : dict of str to ndarray, each of shape (n_features,)
        ``index_bias`` and ``index_spread``: mean and standard deviation of the error at each index.
    """
    table = per_index(spectra, reconstructions, counts)
    metrics = {
        "index_bias": float(np.sqrt(np.mean(table["bias"] ** 2))),
        "index_spread": float(table["spread"].mean()),
        "index_kurtosis": float(np.median(table["kurtosis"])),
    }
    return metrics, {"index_bias": table["bias"], "index_spread": table["spread"]}


def nonlinearities(model, spectra: np.ndarray) -> dict[str, float]:
    """Return how nonlinear encoder and decoder are on the data themselves (paper Table 1).

    Parameters
    ----------
    model : transformer
        Fitted.
    spectra : ndarray, shape (n, n_features)
        The first `N_PAIRED` of them are looked at.

    Returns
    -------
    dict of str to float
        ``encoder_nonlinearity`` and ``decoder_nonlinearity``, 0 for a linear map.
    """
    few = spectra[:N_PAIRED]
    latents = model.transform(few)
    return {
        "encoder_nonlinearity": nonlinearity(model.transform, few),
        "decoder_nonlinearity": nonlinearity(model.inverse_transform, latents),
    }
