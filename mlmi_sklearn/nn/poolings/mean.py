"""All instances count alike."""

from __future__ import annotations

from torch import Tensor, nn

from .._checks import check_positive_int
from ..segments import Segments

__all__ = ["MeanPooling"]


class MeanPooling(nn.Module):
    """Average over the bag.

    Parameters
    ----------
    in_features : int
        Width of the values.

    Attributes
    ----------
    out_features : int
        Width of the result, equal to `in_features`.
    weighted_mean : bool
        True: every instance of a bag of ``m`` weighs ``1 / m``.

    Examples
    --------
    >>> import torch
    >>> values = torch.tensor([[1.], [3.], [5.]])
    >>> pooled, weights = MeanPooling(1)(values, Segments([2, 1]))
    >>> pooled.flatten(), weights
    (tensor([2., 5.]), tensor([0.5000, 0.5000, 1.0000]))
    """

    weighted_mean = True

    def __init__(self, in_features: int) -> None:
        super().__init__()
        self.out_features = check_positive_int(in_features, "in_features")

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
            Means.
        weights : Tensor of shape (N,)
            One over the size of the bag.
        """
        share = segments.lengths.to(values.dtype).reciprocal()
        return segments.mean(values), segments.broadcast(share)
