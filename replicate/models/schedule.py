"""The beta schedule, and the choice of the model by its number of active channels (Section 2).

There are three phases. The warm-up has beta = lambda = 0. On the ramp, beta grows by a constant
step, the first of which makes beta KL a stated share of the loss. In the settling, which only our
profiles have, beta is low and the inactive channels are switched off. If beta is fixed, there is
only a settling, at that beta and with every channel in use.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from replicate.errors import ReplicationError

#: A channel is active when its mean Kullback-Leibler divergence from the prior is above so many
#: nats.
ACTIVE_KL = 0.1

#: The exponent of lambda ends here, so that ten to its power is a floating-point number.
LARGEST_EXPONENT = 308


@dataclass(frozen=True)
class BetaSchedule:
    """How long each phase lasts, and how beta and lambda grow.

    Parameters
    ----------
    warmup_epochs : int
        Epochs with beta = lambda = 0; 1 or more.
    step_epochs : int
        Epochs at each beta of the ramp.
    max_steps : int
        Steps of beta after which the ramp gives up looking for the target.
    kl_share : float
        beta KL as a fraction of MSE + beta KL at the first step, which sets the step (paper: 60 %).
    l1_scale : float
        The scale of lambda = l1_scale * 10**beta.
    settle_epochs : int
        Epochs of settling, with a learning rate that falls to zero as a cosine. The paper has none.
    settle_beta : float
        beta while settling.
    rule : {"exact", "nearest"}
        How the ramp ends, as `replicate.models.ramp` says; the paper's rule is ``nearest``.
    fixed_beta : float, optional
        The only beta: there is no warm-up and no ramp, and nothing is switched off. Not in the
        paper.

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
    rule: str = "exact"
    fixed_beta: float | None = None

    def __post_init__(self):
        if self.fixed_beta is not None and self.settle_epochs < 1:
            raise ReplicationError(
                f"settle_epochs={self.settle_epochs}: with fixed_beta the settling is all of the "
                "training; give it 1 or more."
            )

    def beta_step(self, mse: float, kl: float) -> float:
        """Return the step of beta that makes beta KL the `kl_share` of the loss.

        Parameters
        ----------
        mse, kl : float
            MSE and KL (nats) at the end of the warm-up.
        """
        return self.kl_share / (1 - self.kl_share) * mse / kl

    def l1_weight(self, beta: float) -> float:
        """Return lambda for a beta.

        It is zero while beta is zero, and never beyond what a float can hold.
        """
        if beta > 0:
            return self.l1_scale * 10 ** min(beta, LARGEST_EXPONENT)
        return 0.0

    def settle_rate(self, epoch: int) -> float:
        """Return the factor on the learning rate in an epoch of the settling, from 1 towards 0."""
        return 0.5 * (1 + np.cos(np.pi * epoch / self.settle_epochs))

    @property
    def max_epochs(self) -> int:
        """The longest that a training takes, in epochs, unless beta must be bisected or grow."""
        if self.fixed_beta is not None:
            return self.settle_epochs
        return self.warmup_epochs + self.step_epochs * self.max_steps + self.settle_epochs


def active(channel_kl: ArrayLike) -> np.ndarray:
    """Return which channels have a KL (nats, of any shape) above `ACTIVE_KL`."""
    return np.asarray(channel_kl) > ACTIVE_KL
