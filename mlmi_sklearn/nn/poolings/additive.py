"""Sums of contributions that can be read off instance by instance."""

from __future__ import annotations

from torch import Tensor, nn

from .._checks import check_positive_int
from ..segments import Segments
from .attention import GatedAttentionPooling

__all__ = ["AdditivePooling"]


class AdditivePooling(nn.Module):
    r"""Add up what each instance contributes, after attention and not before.

    .. math:: z = \sum_{j=1}^m \big( \psi(a_j h_j) - \psi(0) \big)

    with gated attention a and a net :math:`\psi` of one hidden layer. An affine head
    on z is a sum over instances again, so the score of the bag falls into exact
    contributions of its instances, negative ones among them.

    Parameters
    ----------
    in_features : int
        Width of the values.
    hidden : int, default=64
        Units in the attention and in :math:`\psi`.

    Attributes
    ----------
    out_features : int
        Width of the result, equal to `in_features`.
    weighted_mean : bool
        False.

    Notes
    -----
    Subtracting :math:`\psi(0)`, which the paper does not, makes instances without
    attention contribute nothing; a bag of 100,000 would otherwise score its own size.
    The weights are the attention.

    References
    ----------
    Javed, Juyal, Padigela, Taylor-Weiner, Yu and Prakash, *Additive MIL: intrinsically
    interpretable multiple instance learning for pathology*, NeurIPS 2022, equation 4.

    Examples
    --------
    >>> import torch
    >>> pool, bags = AdditivePooling(8), Segments([3, 2])
    >>> values = torch.randn(5, 8)
    >>> pooled, weights = pool(values, bags)
    >>> torch.equal(bags.sum(pool.instances(values, bags)), pooled)
    True
    """

    weighted_mean = False

    def __init__(self, in_features: int, hidden: int = 64) -> None:
        super().__init__()
        self.out_features = check_positive_int(in_features, "in_features")
        hidden = check_positive_int(hidden, "hidden")
        self.attention = GatedAttentionPooling(in_features, hidden)
        self.inner = nn.Linear(in_features, hidden)
        self.outer = nn.Linear(hidden, in_features, bias=False)
        self.activation = nn.GELU()

    def forward(self, values: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
        """Pool the values of each bag.

        Parameters
        ----------
        values : Tensor of shape (N, D)
            Instances, bag after bag.
        segments : Segments
            Where the bags are.

        Returns
        -------
        pooled : Tensor of shape (B, D)
            Sums of contributions.
        weights : Tensor of shape (N,)
            Attention.
        """
        _, pooled, weights = self.pool_with_instances(values, segments)
        return pooled, weights

    def instances(self, values: Tensor, segments: Segments) -> Tensor:
        """Return the contributions.

        Parameters
        ----------
        values : Tensor of shape (N, D)
            Instances, bag after bag.
        segments : Segments
            Where the bags are.

        Returns
        -------
        Tensor of shape (N, D)
            Their sum over a bag is its pooled vector.
        """
        return self._contributions(values, self.attention.attend(values, segments))

    def pool_with_instances(
        self, values: Tensor, segments: Segments
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return contributions, their sums, and attention, computed once.

        Parameters
        ----------
        values : Tensor of shape (N, D)
            Instances, bag after bag.
        segments : Segments
            Where the bags are.

        Returns
        -------
        instances : Tensor of shape (N, D)
            As :meth:`instances`.
        pooled : Tensor of shape (B, D)
            As the first result of :meth:`forward`.
        weights : Tensor of shape (N,)
            As the second.
        """
        weights = self.attention.attend(values, segments)
        parts = self._contributions(values, weights)
        return parts, segments.sum(parts), weights

    def _contributions(self, values: Tensor, weights: Tensor) -> Tensor:
        units = self.activation(self.inner(values * weights.unsqueeze(1)))
        # The outer layer has no intercept: it would cancel.
        return self.outer(units - self.activation(self.inner.bias))
