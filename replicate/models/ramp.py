"""The ramp: the search for the beta at which just so many channels are active (Section 2).

Beta grows by a constant step until few enough channels are left. The paper takes the model whose
number is nearest to the target (`NearestRamp`). Ours ends with exactly the target (`ExactRamp`):
where a step leaves too few, the training goes back to the model before that step and beta is
bisected; where the number does not fall any more, beta grows by a factor; and if no beta gives the
number, the channels of greatest KL are taken.

Nothing here knows of networks: a ramp is told the KL of every channel and answers with a
`Decision`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from replicate.models.schedule import ACTIVE_KL, active

#: A channel whose KL is within this share of the limit may count as active or not: the target is
#: reached if it lies between the numbers of channels that surely and that possibly are active.
MARGIN = 0.2

#: Steps without a channel fewer, once some are gone, after which beta grows by a factor.
STALL = 10

#: Factor by which beta then grows.
GROWTH = 1.15

#: Where that growth ends: lambda = 1e-5 * 10**beta is 1 there, and the penalty drowns the error.
MAX_BETA = 5.0

#: How many steps more than the constant ones the ramp may take. Spectra without an error give a
#: step of 0, which never grows.
MAX_GROWTHS = 60

#: How often the last step of beta is halved at the most.
MAX_BISECTIONS = 12

#: What follows a decision: train on, go back to the model that is kept and train on from there, or
#: end with the model that is kept.
TRAIN, GO_BACK, SELECT = "train", "go back", "select"


class Decision(NamedTuple):
    """What to do after the last epoch at a beta: whether to keep the model, and what follows."""

    keep: bool
    then: str


@dataclass
class NearestRamp:
    """The paper's rule: constant steps, and of all models the one nearest to the target.

    Attributes
    ----------
    target : int
        Active channels to reach.
    step : float
        The constant step of beta.
    max_steps : int
        Steps after which the ramp gives up.
    beta : float
        The present beta.
    n_steps : int
        Steps taken so far.
    best : int or None
        Active channels of the model that is kept.
    how : str
        How the number is reached: always ``ramp``.
    """

    target: int
    step: float
    max_steps: int
    beta: float = 0.0
    n_steps: int = 0
    best: int | None = None
    how: str = "ramp"

    def start(self) -> None:
        """Set the first beta."""
        self.beta, self.n_steps = self.step, 1

    def channels(self, channel_kl: np.ndarray) -> np.ndarray:
        """Return which channels of the selected model stay in use, bool: the active ones."""
        return active(channel_kl)

    def decide(self, channel_kl: np.ndarray) -> Decision:
        """Return what to do with a model whose channels have this KL, and go to the next beta."""
        count = int(active(channel_kl).sum())
        keep = is_nearer(count, self.best, self.target)
        if keep:
            self.best = count
        if count <= self.target or self.n_steps >= self.max_steps:
            return Decision(keep, SELECT)
        self.beta += self.step
        self.n_steps += 1
        return Decision(keep, TRAIN)


@dataclass
class ExactRamp:
    """Our rule: end with exactly the target.

    The model that is kept is the last one with more channels than asked for, and in the end the
    selected one. Attributes are those of `NearestRamp`, and:

    Attributes
    ----------
    low, high : float, float or None
        The greatest beta that left too many channels, and the least one that left too few.
    count : int or None
        Channels that surely were active at the last beta.
    n_stalled : int
        Steps since this number last fell.
    how : str
        How the number is reached: ``ramp``, ``growth``, ``bisection`` or ``rank``.
    """

    target: int
    step: float
    max_steps: int
    beta: float = 0.0
    n_steps: int = 0
    low: float = 0.0
    high: float | None = None
    count: int | None = None
    n_stalled: int = 0
    how: str = "ramp"

    def start(self) -> None:
        """Set the first beta."""
        self.beta, self.n_steps = self.step, 1

    def channels(self, channel_kl: np.ndarray) -> np.ndarray:
        """Return which channels of the selected model stay in use, bool: those of greatest KL."""
        order = np.argsort(-np.asarray(channel_kl), kind="stable")
        chosen = np.zeros(len(order), dtype=bool)
        chosen[order[: self.target]] = True
        return chosen

    def decide(self, channel_kl: np.ndarray) -> Decision:
        """Return what to do with a model whose channels have this KL, and go to the next beta."""
        surely, possibly = range_of_counts(channel_kl)
        if surely > self.target:
            return self._go_up(surely, len(channel_kl))
        if possibly < self.target:
            return self._go_down()
        return Decision(True, SELECT)

    def _go_up(self, count, n_channels):
        """Keep a model that has too many channels, and raise beta."""
        self.low = self.beta
        if self.high is not None:
            return self._bisect(keep=True, then=TRAIN)
        has_fallen = self.count is None or count < self.count or count == n_channels
        self.n_stalled = 0 if has_fallen else self.n_stalled + 1
        self.count = count
        if self.n_stalled < STALL and self.n_steps < self.max_steps:
            self.beta += self.step
        elif self.beta * GROWTH <= MAX_BETA and self.n_steps < self.max_steps + MAX_GROWTHS:
            self.how = "growth"
            self.beta *= GROWTH
        else:
            return self._rank(keep=True)
        self.n_steps += 1
        return Decision(True, TRAIN)

    def _go_down(self):
        """Leave a model that has too few channels, and lower beta."""
        self.high = self.beta
        return self._bisect(keep=False, then=GO_BACK)

    def _bisect(self, keep, then):
        if self.how != "bisection":
            self.how, self.n_steps = "bisection", 0
        if self.n_steps >= MAX_BISECTIONS:
            return self._rank(keep)
        self.beta = (self.low + self.high) / 2
        self.n_steps += 1
        return Decision(keep, then)

    def _rank(self, keep):
        self.how = "rank"
        return Decision(keep, SELECT)


#: The rules by the name that a schedule gives them.
RULES = {"exact": ExactRamp, "nearest": NearestRamp}


def range_of_counts(channel_kl: np.ndarray) -> tuple[int, int]:
    """Return how many channels surely are active, and how many possibly are."""
    share = np.asarray(channel_kl) / ACTIVE_KL
    return int(np.sum(share > 1 + MARGIN)), int(np.sum(share > 1 - MARGIN))


def is_nearer(count: int, best: int | None, target: int) -> bool:
    """Return whether a model is nearer to the target than the best model before it.

    Of two numbers that are equally near, the smaller one counts as nearer. A model without any
    active channel says nothing about its spectra: it is never nearer than one that has some, unless
    the target is none.

    Parameters
    ----------
    count, best : int
        Number of active channels of the model, and of the best model so far; None for the latter
        where there is none.
    target : int
        Number of active channels to reach.
    """
    if best is None:
        return True
    return _distance(count, target) < _distance(best, target)


def _distance(count, target):
    """Return the key by which numbers of active channels are ranked, the best one lowest."""
    says_nothing = count == 0 and target > 0
    return says_nothing, abs(count - target), count
