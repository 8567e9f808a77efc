"""Means under weights that are learned."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .._checks import check_positive_int
from ..functional import tanh
from ..segments import Segments

__all__ = ["AttentionPooling", "GatedAttentionPooling"]


class AttentionPooling(nn.Module):
    r"""Average over the bag with weights that are learned.

    An instance with features :math:`h_k` weighs

    .. math:: a_k = \operatorname{softmax}_k\{ w^\top \tanh(V h_k) \},

    the softmax running over its bag.

    Parameters
    ----------
    in_features : int
        Width of the values.
    hidden : int, default=64
        Rows of :math:`V`.
    heads : int, default=1
        Attention patterns, each with its own :math:`w`. Their weights are averaged, so
        the width of the result does not depend on them.

    Attributes
    ----------
    out_features : int
        Width of the result, equal to `in_features`.
    weighted_mean : bool
        True.

    Notes
    -----
    As in the authors' code, and unlike equation 8, :math:`V` has an intercept; one
    after :math:`w` would cancel in the softmax.

    References
    ----------
    Ilse, Tomczak and Welling, *Attention-based deep multiple instance learning*, ICML
    2018, equations 7 and 8.

    Examples
    --------
    >>> pool = AttentionPooling(in_features=8, hidden=16)
    >>> pooled, weights = pool(torch.randn(5, 8), Segments([3, 2]))
    >>> pooled.shape, weights.shape
    (torch.Size([2, 8]), torch.Size([5]))
    """

    weighted_mean = True

    def __init__(self, in_features: int, hidden: int = 64, heads: int = 1) -> None:
        super().__init__()
        self.out_features = check_positive_int(in_features, "in_features")
        hidden = check_positive_int(hidden, "hidden")
        heads = check_positive_int(heads, "heads")
        self.project = nn.Linear(in_features, hidden)
        self.score = nn.Linear(hidden, heads, bias=False)

    def hidden_units(self, values: Tensor) -> Tensor:
        r"""Return what the scores are linear in.

        Parameters
        ----------
        values : Tensor of shape (N, D)
            Instances.

        Returns
        -------
        Tensor of shape (N, hidden)
            :math:`\tanh(V h)`.
        """
        return tanh(self.project(values))

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
            Weighted means.
        weights : Tensor of shape (N,)
            Attention, averaged over the heads.
        """
        weights = self.attend(values, segments)
        return segments.weighted_sum(values, weights), weights

    def attend(self, values: Tensor, segments: Segments) -> Tensor:
        """Compute the weights alone.

        Parameters
        ----------
        values : Tensor of shape (N, D)
            Instances, bag after bag.
        segments : Segments
            Where the bags are.

        Returns
        -------
        Tensor of shape (N,)
            Attention, averaged over the heads.
        """
        scores = self.score(self.hidden_units(values))
        if scores.shape[1] == 1:
            return segments.softmax(scores.squeeze(1))
        return segments.softmax(scores).mean(1)


class GatedAttentionPooling(AttentionPooling):
    r"""Average over the bag with learned weights whose units can be switched off.

    .. math::

        a_k = \operatorname{softmax}_k\{ w^\top
        (\tanh(V h_k) \odot \operatorname{sigm}(U h_k)) \}

    The gate makes up for :math:`\tanh` being nearly linear around zero.

    Parameters
    ----------
    in_features : int
        Width of the values.
    hidden : int, default=64
        Rows of :math:`V` and of :math:`U`.
    heads : int, default=1
        Attention patterns; their weights are averaged.

    Attributes
    ----------
    out_features : int
        Width of the result, equal to `in_features`.
    weighted_mean : bool
        True.

    References
    ----------
    Ilse, Tomczak and Welling, *Attention-based deep multiple instance learning*, ICML
    2018, equations 7 and 9.

    Examples
    --------
    >>> pool = GatedAttentionPooling(in_features=8, hidden=16, heads=2)
    >>> pooled, weights = pool(torch.randn(5, 8), Segments([3, 2]))
    >>> pooled.shape, weights.shape
    (torch.Size([2, 8]), torch.Size([5]))
    """

    def __init__(self, in_features: int, hidden: int = 64, heads: int = 1) -> None:
        super().__init__(in_features, hidden, heads)
        self.gate = nn.Linear(in_features, hidden)

    def hidden_units(self, values: Tensor) -> Tensor:
        r"""Return what the scores are linear in.

        Parameters
        ----------
        values : Tensor of shape (N, D)
            Instances.

        Returns
        -------
        Tensor of shape (N, hidden)
            :math:`\tanh(V h) \odot \operatorname{sigm}(U h)`.
        """
        return super().hidden_units(values) * torch.sigmoid(self.gate(values))
