"""The statements of an abstract on causal learning, judged by the record.

The abstract is that of Kalinin et al., Causal Learning from Structural and Spectral Electron
Microscopy Data. The bounds are those that earlier looks at the same film had suggested: guards, not
independent tests. Conditions on checks speak of data made for them, whose truth is known.
"""

from __future__ import annotations

import numpy as np

#: The verdicts that a statement may get.
VERDICTS = ("supported", "partly", "not supported", "not testable")

#: The rules by which a number is held against a bound.
RULES = {
    "at least": lambda value, bound: value >= bound,
    "at most": lambda value, bound: value <= bound,
}

#: The statements, each with its quotation from the abstract and the conditions it is judged by. A
#: condition is what it says, the name of the number in `numbers`, the rule, and the bound.
STATEMENTS = (
    {
        "id": "confounding",
        "quote": "the vast majority of machine learning methods is their correlative nature, "
        "leading to extreme susceptibility to confounding factors",
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
                "on the scan, pairs of descriptors change sign within band and row, "
                "at 5 % over all looks",
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
        "quote": "in classical statistical methods the methodology to address phenomena such as "
        "Simpson paradox are established",
        "conditions": (
            (
                "with the confounder seen the effect is -0.5 within 0.1",
                "simpson_error",
                "at most",
                0.1,
            ),
            (
                "on fresh twins the sign is right once the band score, read from the loops, "
                "is held",
                "twin_simpson",
                "at most",
                0.0,
            ),
        ),
    },
    {
        "id": "deep",
        "quote": "the complex and often non-transparent nature of modern DL tools renders them "
        "extremely prone to misinterpretation",
        "conditions": (
            (
                "a latent of the LSTM beta-VAE follows the scan row rather than the domains",
                "vae_row_latents",
                "at least",
                1,
            ),
            (
                "what the row adds to that latent, over the most it adds to a latent of PCA",
                "vae_over_pca",
                "at least",
                1.1,
            ),
        ),
    },
    {
        "id": "bayesian",
        "quote": "Bayesian methods that allow to take into consideration the prior knowledge the "
        "system and evaluate the changes in understanding of the behaviors given new "
        "experimental data",
        "conditions": (
            (
                "one step is told from two in loops whose truth is known, noise 0.025",
                "evidence_accuracy",
                "at least",
                0.95,
            ),
            ("one step is told from two on fresh twins as well", "twin_evidence", "at least", 0.95),
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
            (
                "loops that harden most: evidence for three states under every prior tried, nats",
                "hardening_priors",
                "at least",
                0.0,
            ),
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
        "quote": "explores the parsimony of physical laws and aims to extract these from the set "
        "of real-world observations",
        "conditions": (
            (
                "the toy's processes are told from all other triples, nats",
                "toy_lead",
                "at least",
                50.0,
            ),
            ("each position's law has two terms", "toy_terms", "at most", 2),
            ("the coefficients of these laws are right to 0.01", "toy_error", "at most", 0.01),
            ("rising, least hardening: no valley in the rate", "classic_valley", "at most", 0.02),
            (
                "rising, most hardening: a valley, at the lower end of its interval",
                "hardening_valley_low",
                "at least",
                0.02,
            ),
            ("the rate laws fit: R2", "rate_r2", "at least", 0.8),
            ("the rate laws are short: terms", "rate_terms", "at most", 3),
        ),
    },
    {
        "id": "networks",
        "quote": "the Bayesian networks can be used to explore the causative relationships in the "
        "multimodal data sets",
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
        "quote": "ML methods work well when the confounding factors are effectively frozen via "
        "the narrowness of experimental conditions or experimental system",
        "conditions": (),
    },
)


def numbers(record: dict[str, object]) -> dict[str, float | None]:
    """Take the numbers that statements are judged by out of a record.

    Parameters
    ----------
    record : dict
        As `record.compute` returns it, or read from ``causal.json``.

    Returns
    -------
    dict of str to float or None
        None for what was not run.
    """
    checks = record["checks"]
    evidence = record["evidence"]
    nested = evidence["nested"]["groups"]
    graphs = record["graphs"]
    latents = record["confounding"]["latents"]
    toy = record["laws"]["toy"][0]
    rising = [rising for _, rising in record["laws"]["scan"]]
    least_hardening = rising[0]
    most_hardening = rising[-1]
    return {
        "simpson_naive": checks["simpson"]["naive"],
        "simpson_hidden_right": checks["simpson"]["hidden_right"],
        "simpson_error": abs(checks["simpson"]["seen"] - checks["simpson"]["truth"]),
        "twin_simpson": max(each["within_band_score"] for each in checks["twin_simpson"]),
        "reversals": sum(each["survives"] for each in graphs["reversals"]["found"]),
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
        "classic_valley": least_hardening["valley"],
        "hardening_valley_low": most_hardening["interval"][0],
        "rate_r2": min(least_hardening["r2"], most_hardening["r2"]),
        "rate_terms": max(
            np.count_nonzero(law["coefficients"]) for law in (least_hardening, most_hardening)
        ),
        "lingam_uniform": checks["graphs"][0]["lingam"],
        "twin_graph": float(np.mean([each["distance"] for each in checks["twin_graph"]["1"]])),
        "placebo": sum(graphs["placebo"].values()),
        "parents_of_row": graphs["parents_of_row"],
    }


def row_latents(latents: dict[str, list[dict]], model: str) -> int | None:
    """Return how many latents of a model follow the scan row.

    Parameters
    ----------
    latents : dict of str to list of dict
        By model, as `confounding.follow` returns them.
    model : str

    Returns
    -------
    int or None
        None if the model was not run.
    """
    if model not in latents:
        return None
    return sum(latent["follows"] == "row" for latent in latents[model])


def row_over(latents: dict[str, list[dict]], model: str, other: str) -> float | None:
    """Compare how much the scan row adds to the latents of two models.

    Parameters
    ----------
    latents : dict of str to list of dict
        By model, as `confounding.follow` returns them.
    model, other : str

    Returns
    -------
    float or None
        What the row adds to that latent of a model to which it adds most, over the same of the
        other model; None if one was not run.
    """
    if not {model, other} <= latents.keys():
        return None
    most = max(latent["row_beyond_domain"] for latent in latents[model])
    most_of_other = max(latent["row_beyond_domain"] for latent in latents[other])
    return most / most_of_other


def judge_all(record: dict[str, object]) -> dict[str, object]:
    """Judge every statement by a record.

    Parameters
    ----------
    record : dict
        As `record.compute` returns it, or read from ``causal.json``.

    Returns
    -------
    dict
        ``provenance`` of the scan; ``statements``, a list of what `judge` returns.
    """
    values = numbers(record)
    simulated = record["provenance"] != "measured"
    return {
        "provenance": record["provenance"],
        "statements": [judge(statement, values, simulated) for statement in STATEMENTS],
    }


def judge(
    statement: dict[str, object], values: dict[str, float | None], simulated: bool = False
) -> dict[str, object]:
    """Judge one statement by the numbers of a record.

    Parameters
    ----------
    statement : dict
        One of `STATEMENTS`.
    values : dict of str to float or None
        As `numbers` returns them.
    simulated : bool
        Whether the scan is simulated. Then no statement can be tested.

    Returns
    -------
    dict
        ``id`` and ``quote`` of the statement; ``verdict``, one of `VERDICTS`; ``conditions``, a
        list of what each ``says``, its ``value``, ``rule`` and ``bound``, and whether it ``holds``,
        None for a number that was not run.
    """
    conditions = []
    for says, name, rule, bound in statement["conditions"]:
        value = values[name]
        holds = None if value is None else bool(RULES[rule](value, bound))
        conditions.append(
            {"says": says, "value": value, "rule": rule, "bound": bound, "holds": holds}
        )
    holds = [condition["holds"] for condition in conditions]
    return {
        "id": statement["id"],
        "quote": statement["quote"],
        "verdict": "not testable" if simulated else _verdict(holds),
        "conditions": conditions,
    }


def _verdict(holds):
    """Return the verdict of a statement from whether each of its conditions holds.

    All hold: supported; some: partly; none: not supported. Where none can be judged, the statement
    is not testable; where only some can, it is at best partly supported.
    """
    judged = [each for each in holds if each is not None]
    if not judged:
        return "not testable"
    if all(holds):
        return "supported"
    if any(judged):
        return "partly"
    return "not supported"
