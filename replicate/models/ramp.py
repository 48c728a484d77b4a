"""The ramp: the search for the beta at which just so many channels are active (Section 2).

Beta grows by a constant step until few enough channels are left. The paper takes the model whose
number is nearest to the target (`NearestRamp`). Ours ends with exactly the target (`ExactRamp`):
where a step leaves too few, the training goes back to the model before that step and beta is
bisected; where the ramp stalls above the target, beta grows by a factor; and if no beta gives the
number, the channels of greatest KL are taken.

Nothing here knows of networks: a ramp is told the KL of every channel and answers with a
`Decision`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from replicate.models.schedule import ACTIVE_KL, active

#: A channel whose KL is within this share of the limit is neither active nor inactive for sure.
MARGIN = 0.2

#: Epochs more at one beta while the number is right but a channel is within the margin.
MAX_WAITS = 5

#: Factor by which beta grows once the constant steps are used up.
GROWTH = 1.15

#: Where that growth ends: lambda = 1e-5 * 10**beta grows with beta, and would drown the error.
MAX_BETA = 2.0

#: How often beta grows at the most. Spectra without an error give a step of 0, which never grows.
MAX_GROWTHS = 60

#: How often the last step of beta is halved at the most.
MAX_BISECTIONS = 12

#: What follows a decision: train on, go back to the model that is kept and train on from there,
#: end with the model that is kept, or end with its channels of greatest KL.
TRAIN, GO_BACK, SELECT, RANK = "train", "go back", "select", "rank"


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

    The model that is kept is always the last one with more channels than asked for. Attributes
    are those of `NearestRamp`, and:

    Attributes
    ----------
    low, high : float, float or None
        The greatest beta that left too many channels, and the least one that left too few.
    n_waits : int
        Epochs spent at this beta because a channel was within the margin.
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
    n_waits: int = 0
    how: str = "ramp"

    def start(self) -> None:
        """Set the first beta."""
        self.beta, self.n_steps = self.step, 1

    def decide(self, channel_kl: np.ndarray) -> Decision:
        """Return what to do with a model whose channels have this KL, and go to the next beta."""
        count = int(active(channel_kl).sum())
        if count == self.target:
            return self._hold(channel_kl)
        self.n_waits = 0
        if count > self.target:
            return self._go_up()
        return self._go_down()

    def _hold(self, channel_kl):
        """Select the model, unless a channel may yet fall on the other side of the limit."""
        if is_clear(channel_kl) or self.n_waits >= MAX_WAITS:
            return Decision(True, SELECT)
        self.n_waits += 1
        return Decision(False, TRAIN)

    def _go_up(self):
        """Keep a model that has too many channels, and raise beta."""
        self.low = self.beta
        if self.high is not None:
            return self._bisect(keep=True, then=TRAIN)
        if self.n_steps < self.max_steps:
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
        if self.high is None:
            self.n_steps = 0
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
        return Decision(keep, RANK)


#: The rules by the name that a schedule gives them.
RULES = {"exact": ExactRamp, "nearest": NearestRamp}


def is_clear(channel_kl: np.ndarray) -> bool:
    """Return whether no channel has a KL within the margin of the limit."""
    off = np.abs(np.asarray(channel_kl) / ACTIVE_KL - 1)
    return bool((off > MARGIN).all())


def greatest(channel_kl: np.ndarray, count: int) -> np.ndarray:
    """Return which channels have the greatest KL, bool of the shape of `channel_kl`."""
    order = np.argsort(-np.asarray(channel_kl), kind="stable")
    chosen = np.zeros(len(order), dtype=bool)
    chosen[order[:count]] = True
    return chosen


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
