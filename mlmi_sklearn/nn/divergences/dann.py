"""A discriminator that tells the domains apart."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .._checks import check_at_least
from .contract import Sides
from .critics import Critic, TwoSamples

__all__ = ["DANNDivergence"]


class DANNDivergence(nn.Module):
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
    equations 9 and 10.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> divergence = DANNDivergence(8, hidden=(16,))
    >>> zs, zt = torch.randn(50, 8), torch.randn(30, 8)
    >>> divergence(zs, zt).shape, divergence.domain_accuracy(zs, zt).shape
    (torch.Size([]), torch.Size([]))
    """

    adversarial = True
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
        logits = self.critic(torch.cat([zs, zt]))
        return self._loss(logits, zs, zt, weights, domains)

    def domain_accuracy(
        self,
        zs: Tensor,
        zt: Tensor,
        *,
        weights: Sides | None = None,
        domains: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """Return how well source and target are told apart.

        Parameters
        ----------
        zs, zt, weights, domains
            As for the loss.

        Returns
        -------
        Tensor of shape ()
            Balanced accuracy, 0 to 1; about 0.5 for domains that look alike.
        """
        with torch.no_grad():
            logits = self.critic(torch.cat([zs, zt]))
            return self._accuracy(logits, zs, zt, weights, domains)

    def loss_and_accuracy(
        self,
        zs: Tensor,
        zt: Tensor,
        *,
        weights: Sides | None = None,
        domains: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the loss and the balanced accuracy from one pass.

        Parameters
        ----------
        zs, zt, weights, domains
            As for the loss.

        Returns
        -------
        loss, accuracy : Tensor of shape ()
            The accuracy has no gradient.
        """
        logits = self.critic(torch.cat([zs, zt]))
        return (
            self._loss(logits, zs, zt, weights, domains),
            self._accuracy(logits.detach(), zs, zt, weights, domains),
        )

    def _loss(
        self,
        logits: Tensor,
        zs: Tensor,
        zt: Tensor,
        weights: Sides | None,
        domains: tuple[Tensor, Tensor] | None,
    ) -> Tensor:
        shares = self._rows.shares(zs, zt, weights)
        if self.n_domains > 2:
            codes = self._codes(zs, zt, domains)
            return F.cross_entropy(logits, codes, reduction="none").dot(shares)
        labels = self._rows.labels(zs, zt)
        return F.binary_cross_entropy_with_logits(
            logits.squeeze(1), labels, shares, reduction="sum"
        )

    def _accuracy(
        self,
        logits: Tensor,
        zs: Tensor,
        zt: Tensor,
        weights: Sides | None,
        domains: tuple[Tensor, Tensor] | None,
    ) -> Tensor:
        if self.n_domains > 2:
            # Sources come first, so no target has a code below the batch's least.
            first = self._codes(zs, zt, domains)[len(zs) :].amin()
            is_target = torch.arange(self.n_domains, device=logits.device) >= first
            found = (logits.softmax(1) * is_target).sum(1) > 0.5
        else:
            found = logits.squeeze(1) > 0
        right = found == self._rows.labels(zs, zt).bool()
        return 0.5 * self._rows.shares(zs, zt, weights).dot(right.to(zs.dtype))

    def _codes(
        self, zs: Tensor, zt: Tensor, domains: tuple[Tensor, Tensor] | None
    ) -> Tensor:
        """Return the domain of each row, int64 (n + m,)."""
        if domains is not None:
            return torch.cat(domains)
        return self._rows.labels(zs, zt).long() * (self.n_domains - 1)
