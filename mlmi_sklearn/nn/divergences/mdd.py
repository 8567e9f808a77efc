"""An adversarial classifier that disagrees on the target only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .._checks import check_interval, check_positive_int
from .cdan import check_probabilities
from .contract import Sides
from .critics import Critic, TwoSamples, full_precision
from .discriminator import Discriminator, Judgement

__all__ = ["MDDDivergence"]


class MDDDivergence(Discriminator):
    r"""Margin disparity discrepancy: how differently a second classifier can do.

    A critic with one score a class learns to agree with the predicted class :math:`h`
    on the source and to disagree on the target. With :math:`\sigma_h` the softmax
    probability that it gives to that class, its loss is

    .. math::

        -\gamma \frac1n \sum_i \log \sigma_h(z^s_i)
        - \frac1m \sum_j \log (1 - \sigma_h(z^t_j)).

    Parameters
    ----------
    in_features : int
        Width of the features.
    hidden : sequence of int, int or None, default=None
        Units of the hidden layers of the critic; None for ``(100,)``.
    margin : float, default=4.0
        :math:`\gamma`, the exponential of the margin; greater than 0.
    n_classes : int or None, default=None
        Number C of classes, which are the largest entries of ``probabilities``. None or
        1: there is a single class, and the critic is a discriminator of domains, whose
        source rows weigh :math:`\gamma`.

    Attributes
    ----------
    adversarial : bool
        True.
    uses : frozenset of str
        "weights" and "probabilities".

    Raises
    ------
    ValueError
        If a parameter is out of its range, or probabilities are not of C classes.

    Notes
    -----
    Domains that cannot be told apart have :math:`\sigma_h = \gamma / (1 + \gamma)`,
    which is where the accuracy decides between source and target. Without
    probabilities in the call, all rows are of the first class.

    References
    ----------
    Zhang, Liu, Long and Jordan, *Bridging theory and algorithm for domain adaptation*,
    ICML 2019, section 4.

    Examples
    --------
    >>> divergence = MDDDivergence(8, n_classes=3)
    >>> zs, zt = torch.randn(5, 8), torch.randn(4, 8)
    >>> ps, pt = torch.rand(5, 3).softmax(1), torch.rand(4, 3).softmax(1)
    >>> divergence(zs, zt, probabilities=(ps, pt)).shape
    torch.Size([])
    """

    uses = frozenset({"weights", "probabilities"})

    def __init__(
        self,
        in_features: int,
        hidden: Sequence[int] | int | None = None,
        margin: float = 4.0,
        n_classes: int | None = None,
    ) -> None:
        super().__init__()
        self.margin = check_interval(margin, "margin", closed="neither")
        n = 1 if n_classes is None else check_positive_int(n_classes, "n_classes")
        self.n_classes = n_classes
        self.critic = Critic(in_features, (100,) if hidden is None else hidden, n)
        self._rows = TwoSamples()

    @full_precision
    def forward(
        self,
        zs: Tensor,
        zt: Tensor,
        *,
        weights: Sides | None = None,
        probabilities: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """Return the loss of the critic.

        Parameters
        ----------
        zs, zt : Tensor of shape (n, D) and (m, D)
            Features of source and target.
        weights : pair of Tensor or None, default=None
            Weights of the rows, (n,) and (m,).
        probabilities : pair of Tensor or None, default=None
            Probabilities of classes, (n, C) and (m, C).

        Returns
        -------
        Tensor of shape ()
            Loss, not negative.
        """
        judgement = self._judge(zs, zt, weights=weights, probabilities=probabilities)
        return self._loss(judgement)

    def _loss(self, judgement: Judgement) -> Tensor:
        labels, shares = judgement.labels, judgement.shares
        factor = self.margin - (self.margin - 1) * labels
        return super()._loss(judgement._replace(shares=shares * factor))

    def _accuracy(self, judgement: Judgement) -> Tensor:
        # Equal densities of both domains are at this logit and not at 0.
        logits = judgement.logits + math.log(self.margin)
        return super()._accuracy(judgement._replace(logits=logits))

    def _judge(
        self,
        zs: Tensor,
        zt: Tensor,
        *,
        weights: Sides | None = None,
        probabilities: tuple[Tensor, Tensor] | None = None,
        **_: Any,
    ) -> Judgement:
        if probabilities is not None:
            check_probabilities(probabilities, self.n_classes, "MDDDivergence")
        scores = self.critic(torch.cat([zs, zt]))
        if scores.shape[1] == 1:
            odds = scores.squeeze(1)
        elif probabilities is None:
            odds = scores[:, 0] - scores[:, 1:].logsumexp(1)
        else:
            predicted = torch.cat([p.argmax(1) for p in probabilities])
            odds = _log_odds(scores, predicted)
        labels = self._rows.labels(zs, zt)
        return Judgement(-odds, labels, self._rows.shares(zs, zt, weights))


def _log_odds(scores: Tensor, classes: Tensor) -> Tensor:
    """Return log(p / (1 - p)) of the probability p of one class a row."""
    column = classes.unsqueeze(1)
    others = scores.scatter(1, column, -torch.inf).logsumexp(1)
    return scores.gather(1, column).squeeze(1) - others
