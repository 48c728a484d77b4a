"""What the abstract states (Kalinin et al., Causal Learning from Structural and Spectral Electron Microscopy Data), judged by the record.

The bounds are those that earlier looks at the same film had suggested: guards, not independent tests. Conditions on checks speak of data
made for them, whose truth is known.
"""

from __future__ import annotations

import numpy as np

VERDICTS = ("supported", "partly", "not supported", "not testable")
RULES = {
    "at least": lambda value, bound: value >= bound,
    "at most": lambda value, bound: value <= bound,
}

STATEMENTS = (
    {
        "id": "confounding",
        "quote": "the vast majority of machine learning methods is their correlative nature, leading to extreme susceptibility to "
        "confounding factors",
        "conditions": (
            (
                "a pooled slope has the wrong sign where the confounder is not held (truth -0.5)",
                "simpson_naive",
                "at least",
                0.4,
            ),
            (
                "LiNGAM with the confounder hidden: cases with the right sign",
                "simpson_hidden_right",
                "at most",
                0,
            ),
            (
                "on the scan, pairs of descriptors change sign within band and row, at 5 % over all looks",
                "reversals",
                "at least",
                1,
            ),
            (
                "a latent of PCA follows the scan row rather than the domains",
                "pca_row_latents",
                "at least",
                1,
            ),
        ),
    },
    {
        "id": "simpson",
        "quote": "in classical statistical methods the methodology to address phenomena such as Simpson paradox are established",
        "conditions": (
            (
                "with the confounder seen the effect is -0.5 within 0.1",
                "simpson_error",
                "at most",
                0.1,
            ),
            (
                "on fresh twins the sign is right within the band score told from the loops",
                "twin_simpson",
                "at most",
                0.0,
            ),
        ),
    },
    {
        "id": "deep",
        "quote": "the complex and often non-transparent nature of modern DL tools renders them extremely prone to misinterpretation",
        "conditions": (
            (
                "a latent of the LSTM beta-VAE follows the scan row rather than the domains",
                "vae_row_latents",
                "at least",
                1,
            ),
            (
                "more than any of PCA does: what the row adds, over PCA's",
                "vae_over_pca",
                "at least",
                1.1,
            ),
        ),
    },
    {
        "id": "bayesian",
        "quote": "Bayesian methods that allow to take into consideration the prior knowledge the system and evaluate the changes in "
        "understanding of the behaviors given new experimental data",
        "conditions": (
            (
                "one step is told from two in loops whose truth is known, noise 0.025",
                "evidence_accuracy",
                "at least",
                0.95,
            ),
            ("and on fresh twins", "twin_evidence", "at least", 0.95),
            (
                "loops that harden least: evidence against three states, nats",
                "classic",
                "at most",
                -5.0,
            ),
            (
                "loops that harden most: evidence for three states, nats",
                "hardening",
                "at least",
                8.0,
            ),
            ("the latter under every prior tried", "hardening_priors", "at least", 0.0),
            (
                "Laplace's approximation is within 2 nats of nested sampling on mean loops",
                "laplace_error",
                "at most",
                2.0,
            ),
        ),
    },
    {
        "id": "parsimony",
        "quote": "explores the parsimony of physical laws and aims to extract these from the set of real-world observations",
        "conditions": (
            (
                "the toy's processes are told from all other triples, nats",
                "toy_lead",
                "at least",
                50.0,
            ),
            ("each position's law has two terms", "toy_terms", "at most", 2),
            ("whose coefficients are right to 0.01", "toy_error", "at most", 0.01),
            ("rising, least hardening: no valley in the rate", "classic_valley", "at most", 0.02),
            (
                "rising, most hardening: a valley, at the lower end of its interval",
                "hardening_valley_low",
                "at least",
                0.02,
            ),
            ("by laws that fit, R2", "rate_r2", "at least", 0.8),
            ("and are short, terms", "rate_terms", "at most", 3),
        ),
    },
    {
        "id": "networks",
        "quote": "the Bayesian networks can be used to explore the causative relationships in the multimodal data sets",
        "conditions": (
            (
                "LiNGAM finds known graphs, noise uniform: Hamming distance",
                "lingam_uniform",
                "at most",
                0.5,
            ),
            (
                "PC finds a twin's graph from one pixel a block: Hamming distance",
                "twin_graph",
                "at most",
                1.0,
            ),
            ("nothing is found where nothing is", "placebo", "at most", 0),
            ("LiNGAM, told nothing, gives the scan row no cause", "parents_of_row", "at most", 0.5),
        ),
    },
    {
        "id": "frozen",
        "quote": "ML methods work well when the confounding factors are effectively frozen via the narrowness of experimental conditions "
        "or experimental system",
        "conditions": (),
    },
)


def numbers(record):
    """Take the numbers that statements are judged by out of a record; None for what was not run."""
    checks, evidence, laws = record["checks"], record["evidence"], record["laws"]
    toy, scan = laws["toy"][0], [group[1] for group in laws["scan"]]
    nested = evidence["nested"]["groups"]
    latents = record["confounding"]["latents"]
    return {
        "simpson_naive": checks["simpson"]["naive"],
        "simpson_hidden_right": checks["simpson"]["hidden_right"],
        "simpson_error": abs(checks["simpson"]["seen"] - checks["simpson"]["truth"]),
        "twin_simpson": max(each["within_band_score"] for each in checks["twin_simpson"]),
        "reversals": sum(each["survives"] for each in record["graphs"]["reversals"]["found"]),
        "pca_row_latents": row_latents(latents, "pca"),
        "vae_row_latents": row_latents(latents, "lstm_vae"),
        "vae_over_pca": row_over(latents, "lstm_vae", "pca"),
        "evidence_accuracy": checks["evidence"][1]["accuracy"],
        "twin_evidence": min(each["accuracy"] for each in checks["twin_evidence"]),
        "classic": evidence["groups"]["log_bayes"][0],
        "hardening": evidence["groups"]["log_bayes"][-1],
        "hardening_priors": min(values[-1] for values in evidence["priors"].values()),
        "laplace_error": max(abs(each["nested"] - each["laplace"]) for each in nested),
        "toy_lead": toy["lead"],
        "toy_terms": max(toy["terms"]),
        "toy_error": toy["error"],
        "classic_valley": scan[0]["valley"],
        "hardening_valley_low": scan[-1]["interval"][0],
        "rate_r2": min(scan[0]["r2"], scan[-1]["r2"]),
        "rate_terms": max(np.count_nonzero(scan[i]["coefficients"]) for i in (0, -1)),
        "lingam_uniform": checks["graphs"][0]["lingam"],
        "twin_graph": float(np.mean([each["distance"] for each in checks["twin_graph"]["1"]])),
        "placebo": sum(record["graphs"]["placebo"].values()),
        "parents_of_row": record["graphs"]["parents_of_row"],
    }


def row_latents(latents, model):
    """Return how many latents of a model follow the row, or None if it was not run."""
    return sum(each["follows"] == "row" for each in latents[model]) if model in latents else None


def row_over(latents, model, other):
    """Return how much the row adds to the latent of a model that follows it most, over the same of another; None if one was not run."""
    if not {model, other} <= latents.keys():
        return None
    most = [max(each["row_beyond_domain"] for each in latents[name]) for name in (model, other)]
    return most[0] / most[1]


def judge_all(record):
    """Judge every statement: all conditions hold, supported; some, partly; none, not supported; none can be judged, not testable."""
    values, simulated = numbers(record), record["provenance"] != "measured"
    return {
        "provenance": record["provenance"],
        "statements": [judge(each, values, simulated) for each in STATEMENTS],
    }


def judge(statement, values, simulated=False):
    """Judge one statement by the numbers of a record."""
    conditions = []
    for says, name, rule, bound in statement["conditions"]:
        value = values[name]
        conditions.append({"says": says, "value": value, "rule": rule, "bound": bound})
        conditions[-1]["holds"] = None if value is None else bool(RULES[rule](value, bound))
    outcomes = [each["holds"] for each in conditions if each["holds"] is not None]
    if simulated or not outcomes:
        verdict = "not testable"
    else:
        verdict = (
            "supported"
            if len(outcomes) == len(conditions) and all(outcomes)
            else "partly"
            if any(outcomes)
            else "not supported"
        )
    return {
        "id": statement["id"],
        "quote": statement["quote"],
        "verdict": verdict,
        "conditions": conditions,
    }
