"""What every task measures of a model."""

from __future__ import annotations

import numpy as np

from replicate.analysis.refine import refine
from replicate.analysis.residuals import per_index
from replicate.analysis.shapes import nonlinearity

N_PAIRED = 1000


def size(model):
    """Count fitted numbers and, of a VAE, active channels."""
    active = {"active_channels": int(model.active_.sum())} if hasattr(model, "active_") else {}
    return {"n_parameters": int(model.n_parameters_), **active}


def channels(model):
    """Return the KL of each channel of a VAE, as an array to keep; none of other models."""
    return {"channel_kl": model.channel_kl_} if hasattr(model, "channel_kl_") else {}


def shown_components(model, latents):
    """Return the components to show, the most important first: by KL for a VAE, by the spread of the coefficients otherwise."""
    importance = (
        model.channel_kl_ * model.active_ if hasattr(model, "active_") else latents.std(axis=0)
    )
    order = np.argsort(-importance, kind="stable")
    return order[importance[order] > 0]


def in_use(model, latents):
    """Tell which latents a model uses: of a VAE those of active channels, of any other all that vary."""
    return model.active_ if hasattr(model, "active_") else np.ptp(latents, axis=0) > 0


def refinement(model, latents, spectra, refined=None):
    """Return the best latents that the decoder has for spectra, float32, as found from those of the encoder, and what they decode to.

    Where `refined` latents are known already, they are only decoded.
    """
    if refined is None:
        refined = refine(model.inverse_transform, latents, spectra, in_use(model, latents)).astype(
            np.float32
        )
    return refined, model.inverse_transform(refined)


def reconstruct(model, spectra):
    """Encode and decode spectra."""
    return model.inverse_transform(model.transform(spectra))


def distribution(spectra, reconstructions, counts=None):
    """Summarise the error at each index; the table of it goes to the arrays."""
    table = per_index(spectra, reconstructions, counts)
    metrics = {
        "index_bias": float(np.sqrt(np.mean(table["bias"] ** 2))),
        "index_spread": float(table["spread"].mean()),
        "index_kurtosis": float(np.median(table["kurtosis"])),
    }
    return metrics, {f"index_{name}": table[name] for name in ("bias", "spread")}


def nonlinearities(model, spectra):
    """Tell how nonlinear encoder and decoder are on the data themselves (paper Table 1)."""
    few = spectra[:N_PAIRED]
    latents = model.transform(few)
    return {
        "encoder_nonlinearity": nonlinearity(model.transform, few),
        "decoder_nonlinearity": nonlinearity(model.inverse_transform, latents),
    }
