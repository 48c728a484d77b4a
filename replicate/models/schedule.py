"""The beta schedule, and the choice of the model by its number of active channels (paper Section 2).

Three phases: warm-up with beta = lambda = 0; a ramp on which beta grows by one constant step, the first of which makes beta KL a
stated share of the loss; and, in our profiles only, a settling with beta low and the inactive channels switched off. With beta fixed there
is only a settling, at that beta and with every channel in use.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from replicate.errors import ReplicationError

ACTIVE_KL = 0.1
"""A channel is active when its mean Kullback-Leibler divergence from the prior exceeds this many nats."""


@dataclass(frozen=True)
class BetaSchedule:
    """How long each phase lasts, and how beta and lambda grow.

    Parameters
    ----------
    warmup_epochs : int, 1 or more
        Epochs with beta = lambda = 0.
    step_epochs : int
        Epochs at each beta of the ramp.
    max_steps : int
        Steps after which the ramp gives up looking for the target.
    kl_share : float
        beta KL as a fraction of MSE + beta KL at the first step, which sets the step (paper: 60 %).
    l1_scale : float
        lambda = l1_scale * 10**beta.
    settle_epochs : int
        Epochs of settling, with a learning rate that falls to zero as a cosine. The paper has none.
    settle_beta : float
        beta while settling.
    fixed_beta : float, optional
        The only beta that there is: no warm-up, no ramp, and nothing is switched off. Not in the paper.

    Raises
    ------
    ReplicationError
        If beta is fixed and there is no epoch to train in.
    """

    warmup_epochs: int = 20
    step_epochs: int = 1
    max_steps: int = 100
    kl_share: float = 0.6
    l1_scale: float = 1e-5
    settle_epochs: int = 100
    settle_beta: float = 2e-4
    fixed_beta: float | None = None

    def __post_init__(self):
        if self.fixed_beta is not None and self.settle_epochs < 1:
            raise ReplicationError(
                f"settle_epochs={self.settle_epochs}: with fixed_beta the settling is all of the training; give it 1 or more."
            )

    def beta_step(self, mse, kl):
        """Return the step of beta that makes beta KL `kl_share` of the loss, from the MSE and KL at the end of the warm-up."""
        return self.kl_share / (1 - self.kl_share) * mse / kl

    def l1_weight(self, beta):
        """Return lambda for a beta; zero while beta is zero, and never more than a float can hold."""
        return self.l1_scale * 10 ** min(beta, 308) if beta > 0 else 0.0

    def settle_rate(self, epoch):
        """Return the factor on the learning rate in settling epoch `epoch`, from 1 towards 0."""
        return 0.5 * (1 + np.cos(np.pi * epoch / self.settle_epochs))

    @property
    def max_epochs(self):
        """The longest that a training can take, in epochs."""
        before = (
            0
            if self.fixed_beta is not None
            else self.warmup_epochs + self.step_epochs * self.max_steps
        )
        return before + self.settle_epochs


def active(channel_kl):
    """Tell which channels have a KL (nats, any shape) above `ACTIVE_KL`."""
    return np.asarray(channel_kl) > ACTIVE_KL


def is_nearer(count, best, target):
    """Tell whether `count` active channels are nearer the target than `best`; of two equally near, the fewer.

    A model without any tells nothing of its spectra: it is never nearer than one that has some, unless none is the target.
    """

    def rank(n):
        return n == 0 < target, abs(n - target), n

    return best is None or rank(count) < rank(best)
