"""A discriminator that tells the domains apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .._checks import check_at_least
from .contract import Sides
from .critics import Critic, TwoSamples, full_precision
from .discriminator import Discriminator, Judgement

__all__ = ["DANNDivergence"]


class DANNDivergence(Discriminator):
    r"""Loss of a discriminator, as in domain-adversarial training.

    With :math:`D(z)` the probability that a row is of the target,

    .. math::

        -\frac1n \sum_i \log (1 - D(z^s_i)) - \frac1m \sum_j \log D(z^t_j).

    It is :math:`2 \log 2` where the domains cannot be told apart, and zero where they
    always can. Of more than two domains, each is a class of its own in a softmax; the
    sum of the two means stays.

    Parameters
    ----------
    in_features : int
        Width of the features.
    hidden : sequence of int, int or None, default=None
        Units of the hidden layers of the discriminator; None for ``(100,)``, ``()`` for
        a logistic regression.
    n_domains : int or None, default=None
        Domains in all; None for 2. With more than two, pass ``domains``: without it all
        source rows are of domain 0 and all target rows of the last.

    Attributes
    ----------
    adversarial : bool
        True.
    uses : frozenset of str
        "weights" and "domains".

    Raises
    ------
    ValueError
        If a size is not a positive integer, or there are fewer than two domains.

    Notes
    -----
    Nets as small as that of the paper's toy problem do better with a linear
    discriminator: a strong one is never fooled, and its gradient says little.

    References
    ----------
    Ganin et al., *Domain-adversarial training of neural networks*, JMLR 17 (2016),
    equation 9.

    Examples
    --------
    >>> divergence = DANNDivergence(8, hidden=(16,))
    >>> zs, zt = torch.randn(50, 8), torch.randn(30, 8)
    >>> divergence(zs, zt).shape, divergence.domain_accuracy(zs, zt).shape
    (torch.Size([]), torch.Size([]))
    """

    uses = frozenset({"weights", "domains"})

    def __init__(
        self,
        in_features: int,
        hidden: Sequence[int] | int | None = None,
        n_domains: int | None = None,
    ) -> None:
        super().__init__()
        n_domains = 2 if n_domains is None else n_domains
        self.n_domains = check_at_least(n_domains, "n_domains", 2)
        layers = (100,) if hidden is None else hidden
        outputs = 1 if self.n_domains == 2 else self.n_domains
        self.critic = Critic(in_features, layers, outputs)
        self._rows = TwoSamples()

    @full_precision
    def forward(
        self,
        zs: Tensor,
        zt: Tensor,
        *,
        weights: Sides | None = None,
        domains: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """Return the loss of the discriminator.

        Parameters
        ----------
        zs, zt : Tensor of shape (n, D) and (m, D)
            Features of source and target.
        weights : pair of Tensor or None, default=None
            Weights of the rows, (n,) and (m,).
        domains : pair of Tensor or None, default=None
            Codes of the rows, int64; read if there are more than two domains.

        Returns
        -------
        Tensor of shape ()
            Loss, not negative.
        """
        return self._loss(self._judge(zs, zt, weights=weights, domains=domains))

    def _judge(
        self,
        zs: Tensor,
        zt: Tensor,
        *,
        weights: Sides | None = None,
        domains: tuple[Tensor, Tensor] | None = None,
        **_: Any,
    ) -> Judgement:
        logits = self.critic(torch.cat([zs, zt]))
        labels = self._rows.labels(zs, zt)
        shares = self._rows.shares(zs, zt, weights)
        if self.n_domains == 2:
            return Judgement(logits.squeeze(1), labels, shares)
        if domains is None:
            codes = labels.long() * (self.n_domains - 1)
        else:
            codes = torch.cat(domains)
        return Judgement(logits, labels, shares, codes)
