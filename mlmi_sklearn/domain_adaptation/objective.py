r"""What the target domain adds to the loss of labelled rows.

With features z of a backbone f, scores of a head y and a critic d, domain-adversarial
training (Ganin et al., JMLR 17, 2016) looks for the saddle point of

.. math::

    E(\theta_f, \theta_y, \theta_d) = \frac1n \sum_i \ell_y^i
    - \lambda \Big( \frac1n \sum_{i} \ell_d^i + \frac1{n'} \sum_{j} \ell_d^j \Big),

where i counts source rows and j target rows. A reversal of gradients between z and d
turns it into one descent,

.. math::

    \theta_f \leftarrow \theta_f - \mu (\nabla_f L_y - \lambda \nabla_f L_d), \quad
    \theta_y \leftarrow \theta_y - \mu \nabla_y L_y, \quad
    \theta_d \leftarrow \theta_d - \mu \nabla_d L_d.

With ``discriminator_rate="lambda"`` the last step is :math:`\mu \lambda \nabla_d L_d`,
as in the algorithm for shallow nets there. A divergence without a critic is minimised
with the factor :math:`\lambda` instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ..nn.functional import prediction_entropy
from ..nn.gradient_reversal import reverse_gradient

__all__ = [
    "LAMBDA_SCHEDULES",
    "DomainObjective",
    "MinimaxEntropy",
    "Sides",
    "ganin_schedule",
]

Schedule = Callable[[float, float], float]


def ganin_schedule(progress: float, gamma: float = 10.0) -> float:
    """Return 2 / (1 + exp(-gamma p)) - 1, which rises from 0 towards 1.

    Parameters
    ----------
    progress : float
        Share p of training done, from 0 to 1.
    gamma : float, default=10.0
        Steepness.

    Returns
    -------
    float
        In [0, 1].

    References
    ----------
    Ganin et al., JMLR 17, 2016, section 5.2.2.

    Examples
    --------
    >>> round(ganin_schedule(0.1), 3)
    0.462
    """
    return math.tanh(gamma * progress / 2)


def _constant(progress: float, gamma: float) -> float:
    return 1.0


LAMBDA_SCHEDULES: dict[str, Schedule] = {
    "ganin": ganin_schedule,
    "constant": _constant,
}
"""Factor on ``lambda_`` against the share of training done and ``gamma``."""


@dataclass
class Sides:
    """Features and scores of the two sides of one batch.

    Parameters
    ----------
    zs, zt : Tensor of shape (n, D) and (m, D)
        Features.
    raw_s : Tensor of shape (n, K)
        Scores.
    raw_t : Tensor of shape (m, K) or None
        Scores; None where nobody looks at them.
    keywords : dict
        What else the divergence takes: weights, probabilities, domains.
    target_weight : Tensor of shape (m,) or None
        Weights of target rows.
    """

    zs: Tensor
    zt: Tensor
    raw_s: Tensor
    raw_t: Tensor | None
    keywords: dict[str, Any]
    target_weight: Tensor | None = None


@dataclass(frozen=True)
class DomainObjective:
    """Terms that rows of the target add, and their factors.

    Parameters
    ----------
    lambda_ : float
        Of the divergence, after the schedule has ended.
    schedule : str or callable
        Name in :data:`LAMBDA_SCHEDULES`, or share of training done -> factor.
    gamma : float
        Steepness of the schedule of Ganin et al.
    discriminator_rate : {"full", "lambda"}
        Whether the critic learns at the rate of the rest, or ``lambda`` times it.
    entropy : float
        Of the entropy of predictions on the target, which all parameters lower.
    """

    lambda_: float = 0.3
    schedule: str | Callable[[float], float] = "ganin"
    gamma: float = 10.0
    discriminator_rate: str = "full"
    entropy: float = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether rows of the target add nothing."""
        return self.lambda_ == 0 and self.entropy == 0

    @property
    def looks_at_scores(self) -> bool:
        """Whether :meth:`terms` reads the scores of target rows."""
        return self.entropy > 0 or self.lambda_ == 0

    def factor(self, progress: float) -> float:
        """Return lambda at a share of training done, from 0 to 1."""
        if isinstance(self.schedule, str):
            return self.lambda_ * LAMBDA_SCHEDULES[self.schedule](progress, self.gamma)
        return self.lambda_ * float(self.schedule(progress))

    def terms(self, module: Any, sides: Sides, progress: float) -> tuple[Tensor, ...]:
        """Return the divergence of a batch, and what is added to its loss.

        Parameters
        ----------
        module : DomainPredictor
            The model.
        sides : Sides
            Both sides of the batch.
        progress : float
            Share of training done.

        Returns
        -------
        divergence, total : Tensor of shape ()
            The second has the gradients.
        """
        if self.lambda_ == 0:
            total = self._entropy(sides)
            return total.detach() * 0, total
        value, total = self._alignment(module.divergence, sides, self.factor(progress))
        if self.entropy > 0:
            total = total + self._entropy(sides)
        return value.detach(), total

    def _alignment(
        self, divergence: Any, sides: Sides, factor: float
    ) -> tuple[Tensor, Tensor]:
        if not divergence.adversarial:
            value = divergence(sides.zs, sides.zt, **sides.keywords)
            return value, factor * value
        own_rate = self.discriminator_rate == "full"
        reverse = factor if own_rate else 1.0
        zs, zt = (reverse_gradient(z, reverse) for z in (sides.zs, sides.zt))
        value = divergence(zs, zt, **sides.keywords)
        return value, value if own_rate else factor * value

    def _entropy(self, sides: Sides) -> Tensor:
        assert sides.raw_t is not None  # or looks_at_scores is wrong
        return self.entropy * mean_entropy(sides.raw_t, sides.target_weight)


@dataclass(frozen=True)
class MinimaxEntropy(DomainObjective):
    """Entropy on the target that the head raises and the backbone lowers.

    Saito et al., *Semi-supervised domain adaptation via minimax entropy*, ICCV 2019,
    equation 5: prototypes move towards the target, then features towards prototypes.
    ``lambda_`` is the weight of the entropy here.
    """

    @property
    def looks_at_scores(self) -> bool:
        """Whether :meth:`terms` reads the scores of target rows: it makes its own."""
        return False

    def terms(self, module: Any, sides: Sides, progress: float) -> tuple[Tensor, ...]:
        """Return the mean entropy on the target, and what is added to the loss."""
        raw = module.head(reverse_gradient(sides.zt, 1.0))
        entropy = mean_entropy(raw, sides.target_weight)
        return entropy.detach(), -self.factor(progress) * entropy


def mean_entropy(raw: Tensor, weight: Tensor | None) -> Tensor:
    """Return the weighted mean of the entropy of predicted classes, in nats.

    Parameters
    ----------
    raw : Tensor of shape (n, K)
        Scores; one column for two classes.
    weight : Tensor of shape (n,) or None
        Weights of rows.

    Returns
    -------
    Tensor of shape ()
        At most log of the number of classes.
    """
    entropy = prediction_entropy(raw, "softmax")
    if weight is None:
        return entropy.mean()
    return (entropy * weight).sum() / weight.sum()
