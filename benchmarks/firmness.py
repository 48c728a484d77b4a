"""How firm is a verdict? The same claim judged in other ways that are as good.

A verdict depends on choices: which seeds or folds, how many of them must agree, where the bound
lies, by mean or by median, by encoder or by best code, on which form of the VAE. Each claim is
judged again with one choice changed at a time, and the verdicts that stay are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from statistics import fmean, median
from typing import NamedTuple

from benchmarks import claims

#: By how much bounds are moved, as a share of themselves.
MOVED = 0.2

#: Below this share of the judgements that agree a verdict is called fragile.
FRAGILE = 0.8

#: Kinds of error, and the same by another measure.
BEST_CODE = {"gamut_mse": "gamut_mse_refined", "heldout_mse": "heldout_mse_refined"}
MEDIAN = {"mse": "mse_median", "heldout_mse": "heldout_mse_median"}

#: The two forms of the LSTM beta-VAE on the scan.
FORMS = {"lstm_vae": "lstm_vae_plain", "lstm_vae_plain": "lstm_vae"}


class Choice(NamedTuple):
    """Another way to judge.

    Attributes
    ----------
    about : str
        What is chosen otherwise, as a word for a reader.
    condition : callable
        Takes a condition, and returns the one to judge in its place.
    values : callable
        Takes the values of a condition, a list for each seed, and returns those to judge.
    needed : callable
        Takes the number of seeds, and returns for how many of them a condition must hold.
    """

    about: str
    condition: Callable[[dict], dict] = lambda condition: condition
    values: Callable[[list], list] = lambda values: values
    needed: Callable[[int], int] = claims.n_needed


class Firmness(NamedTuple):
    """How many judgements agree with a verdict.

    Attributes
    ----------
    n_same, n : int
        Judgements with the same verdict, and all.
    hinges : tuple of str
        What those that differ choose otherwise.
    """

    n_same: int
    n: int
    hinges: tuple[str, ...]

    @property
    def word(self) -> str:
        """``firm``, ``mostly firm`` or ``fragile``; a dash where there is nothing to judge."""
        if not self.n:
            return "–"
        if self.n_same == self.n:
            return "firm"
        return "mostly firm" if self.n_same >= FRAGILE * self.n else "fragile"

    def __str__(self):
        if not self.n:
            return "–"
        hinges = f"; hinges on {', '.join(self.hinges)}" if self.hinges else ""
        return f"{self.word}: {self.n_same} of {self.n}{hinges}"


def of_claim(claim: dict, metrics: Mapping[str, dict]) -> Firmness:
    """Judge a claim in every other way, and return how many judgements agree.

    Parameters
    ----------
    claim : dict
    metrics : mapping of str to dict
        The ``metrics`` of metrics.json.
    """
    conditions = claims.decisive(claim["conditions"])
    verdict = _verdict(conditions, metrics, Choice(""))
    if verdict == "not testable":
        return Firmness(0, 0, ())
    n_same, n, hinges = 0, 0, []
    for choice in _choices(conditions, metrics):
        n += 1
        if _verdict(conditions, metrics, choice) == verdict:
            n_same += 1
        elif choice.about not in hinges:
            hinges.append(choice.about)
    return Firmness(n_same, n, tuple(hinges))


def _verdict(conditions, metrics, choice):
    """Return the verdict on conditions that are judged by a choice."""
    judged = [
        {"holds": _holds(condition, metrics, choice), "is_published": False}
        for condition in conditions
    ]
    return claims.verdict_of(judged)


def _holds(condition, metrics, choice):
    """Return whether a condition holds by a choice; None if its numbers are missing."""
    changed = choice.condition(condition)
    values = choice.values(claims.values(changed, metrics))
    if not values:
        return None
    outcomes = [claims.is_met(changed, *of_seed) for of_seed in values]
    return sum(outcomes) >= choice.needed(len(outcomes))


def _choices(conditions, metrics) -> Iterator[Choice]:
    """Yield the choices that make a difference to what is judged of some condition."""
    n_seeds = max(len(claims.values(condition, metrics)) for condition in conditions)
    if n_seeds > 1:
        yield from _of_seeds(n_seeds)
    if any(condition["rule"] != "equals" for condition in conditions):
        yield Choice("the bound", condition=lambda condition: _moved(condition, 1 + MOVED))
        yield Choice("the bound", condition=lambda condition: _moved(condition, 1 - MOVED))
    others = (
        ("best code", lambda condition: _renamed(condition, metrics, kinds=BEST_CODE)),
        ("median over the spectra", lambda condition: _renamed(condition, metrics, kinds=MEDIAN)),
        ("the form of the VAE", lambda condition: _renamed(condition, metrics, models=FORMS)),
    )
    for about, change in others:
        if any(change(condition) != condition for condition in conditions):
            yield Choice(about, condition=change)


def _of_seeds(n_seeds):
    """Yield choices of seeds, and of how many must agree."""
    for seed in range(n_seeds):
        yield Choice("the seed or fold", values=lambda values, seed=seed: _only(values, seed))
        yield Choice("the seed or fold", values=lambda values, seed=seed: _without(values, seed))
    yield Choice("how many seeds must agree", needed=lambda n: n)
    yield Choice("how many seeds must agree", needed=lambda n: n // 2 + 1)
    yield Choice("mean over the seeds", values=lambda values: _averaged(values, fmean))
    yield Choice("median over the seeds", values=lambda values: _averaged(values, median))


def _only(values, seed):
    """Return the values of one seed; where there are fewer seeds, all of them."""
    return values[seed : seed + 1] or values


def _without(values, seed):
    """Return the values of the other seeds; where there are none, all of them."""
    return values[:seed] + values[seed + 1 :] or values


def _averaged(values, average):
    return [[average(column) for column in zip(*values)]] if values else []


def _moved(condition, factor):
    """Return a condition whose bound is moved by a factor."""
    field = {"within": "relative", "less than": "factor", "more than": "factor"}.get(
        condition["rule"], "value"
    )
    if condition["rule"] == "equals":
        return condition
    return condition | {field: condition[field] * factor}


def _renamed(condition, metrics, kinds=None, models=None):
    """Return a condition on other kinds or models, where these were measured on the scan or toy."""
    changed = dict(condition)
    for field in ("metric", "than"):
        if field in condition and not condition[field].startswith("derived."):
            dataset, model, kind = condition[field].split(".")
            other = model if dataset.startswith("toy") else (models or {}).get(model, model)
            name = f"{dataset}.{other}.{(kinds or {}).get(kind, kind)}"
            if name not in metrics:
                return condition
            changed[field] = name
    return changed
