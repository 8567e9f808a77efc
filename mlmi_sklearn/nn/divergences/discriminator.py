"""What discriminators of domains share: one pass, its loss and its accuracy."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .critics import full_precision

__all__ = ["Discriminator", "Judgement"]


class Judgement(NamedTuple):
    """What a discriminator says about rows of both samples, source first.

    Parameters
    ----------
    logits : Tensor of shape (n + m,) or (n + m, K)
        Logits of being of the target, or of the K domains.
    labels : Tensor of shape (n + m,)
        0 for source and 1 for target rows.
    shares : Tensor of shape (n + m,)
        Weights, with sum one over each sample.
    codes : Tensor of shape (n + m,) or None
        Domain of each row, int64, where there are more than two.
    """

    logits: Tensor
    labels: Tensor
    shares: Tensor
    codes: Tensor | None = None


class Discriminator(nn.Module):
    """Base of the divergences whose critic classifies domains.

    Attributes
    ----------
    adversarial : bool
        True.
    """

    adversarial = True

    @full_precision
    def domain_accuracy(self, zs: Tensor, zt: Tensor, **keywords: Any) -> Tensor:
        """Return how well source and target are told apart.

        Parameters
        ----------
        zs, zt : Tensor of shape (n, D) and (m, D)
            Features of source and target.
        **keywords
            As for the call.

        Returns
        -------
        Tensor of shape ()
            Balanced accuracy, 0 to 1; about 0.5 for domains that look alike.
        """
        with torch.no_grad():
            return self._accuracy(self._judge(zs, zt, **keywords))

    @full_precision
    def loss_and_accuracy(
        self, zs: Tensor, zt: Tensor, **keywords: Any
    ) -> tuple[Tensor, Tensor]:
        """Return the loss and the balanced accuracy from one pass.

        Parameters
        ----------
        zs, zt : Tensor of shape (n, D) and (m, D)
            Features of source and target.
        **keywords
            As for the call.

        Returns
        -------
        loss : Tensor of shape ()
            What the discriminator minimises.
        accuracy : Tensor of shape ()
            Without gradient.
        """
        judgement = self._judge(zs, zt, **keywords)
        loss = self._loss(judgement)
        with torch.no_grad():
            return loss, self._accuracy(judgement)

    @abstractmethod
    def _judge(self, zs: Tensor, zt: Tensor, **keywords: Any) -> Judgement:
        """Score all rows."""

    def _loss(self, judgement: Judgement) -> Tensor:
        """Return the mean loss over the source plus that over the target."""
        logits, labels, shares, codes = judgement
        if codes is not None:
            return F.cross_entropy(logits, codes, reduction="none").dot(shares)
        return F.binary_cross_entropy_with_logits(
            logits, labels, shares, reduction="sum"
        )

    def _accuracy(self, judgement: Judgement) -> Tensor:
        logits, labels, shares, codes = judgement
        if codes is None:
            found = logits > 0
        else:
            # Sources come first, so no target has a code below the batch's least.
            last = int(logits.shape[1])
            first = codes.where(labels > 0, last).amin()
            is_target = torch.arange(last, device=logits.device) >= first
            found = (logits.softmax(1) * is_target).sum(1) > 0.5
        right = found == (labels > 0)
        return 0.5 * shares.dot(right.to(shares.dtype))
