"""The largest instance decides."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .._checks import check_interval, check_positive_int
from ..segments import Segments

__all__ = ["MaxPooling"]


# Instances that the smooth maximum adds up before it begins to average them.
_COUNTED = 16


class MaxPooling(nn.Module):
    r"""Take the maximum over the bag, column by column.

    With one column it is the assumption of multiple-instance learning itself: a bag
    scores as high as its highest instance, exactly.

    The maximum sends a gradient to one instance of a bag only, and a net that begins
    with the wrong ones seldom recovers. Where training tells how far it is
    (:meth:`set_progress`), it therefore begins with the smooth maximum

    .. math:: \frac{1}{t} \log \frac{\min(m, 16)}{m} \sum_{j=1}^m \exp(t\, s_j),

    which rises with every score and sharpens from t = 1 to t = 10. It is a sum rather
    than a mean, so that a bag of undecided instances counts as positive: negative bags
    teach first, and what is left for positive bags to explain is little. The sum ends
    at 16, or large bags would need long to unlearn it. Evaluation always takes the
    maximum.

    Parameters
    ----------
    in_features : int
        Width of the values.
    anneal : float, default=0.8
        Share of training, 0 to 1, in which the smooth maximum is used.

    Attributes
    ----------
    out_features : int
        Width of the result, equal to `in_features`.
    weighted_mean : bool
        False: several columns may find their maxima in different instances.

    Notes
    -----
    The weight of an instance is the share of columns in which it attains the maximum;
    instances that tie share a column evenly. Weights carry no gradient.

    Examples
    --------
    >>> pool = MaxPooling(2)
    >>> values = torch.tensor([[1., 9.], [3., 4.], [2., 0.], [5., 6.]])
    >>> pooled, weights = pool(values, Segments([3, 1]))
    >>> pooled
    tensor([[3., 9.],
            [5., 6.]])
    >>> weights
    tensor([0.5000, 0.5000, 0.0000, 1.0000])
    """

    weighted_mean = False

    def __init__(self, in_features: int, anneal: float = 0.8) -> None:
        super().__init__()
        self.out_features = check_positive_int(in_features, "in_features")
        self.anneal = check_interval(anneal, "anneal", 0, 1, "both")
        self.progress = 1.0

    def set_progress(self, share: float) -> None:
        """Say how much of the training is done.

        Parameters
        ----------
        share : float
            From 0 to 1.
        """
        self.progress = share

    def _smooth(self, values: Tensor, segments: Segments) -> Tensor:
        """Return the smooth maximum at the sharpness of the present progress."""
        sharpness = 10.0 ** (self.progress / self.anneal)
        excess = (segments.lengths.to(values.dtype) / _COUNTED).log().clamp(min=0)
        total = segments.logsumexp(values * sharpness) - excess.unsqueeze(1)
        return total / sharpness

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
            Maxima.
        weights : Tensor of shape (N,)
            Share of each instance in the exact maxima.
        """
        pooled, held = self.pool_without_weights(values, segments), values.detach()
        exact = segments.max(held) if self._is_smooth(segments) else pooled.detach()
        return pooled, _shares(held, exact, segments)

    def pool_without_weights(self, values: Tensor, segments: Segments) -> Tensor:
        """Return the maxima alone, for whom the weights would be wasted.

        Parameters
        ----------
        values : Tensor of shape (N, D)
            Instances, bag after bag.
        segments : Segments
            Where the bags are.

        Returns
        -------
        Tensor of shape (B, D)
            The first result of :meth:`forward`.
        """
        if self._is_smooth(segments):
            return self._smooth(values, segments)
        return segments.max(values)

    def _is_smooth(self, segments: Segments) -> bool:
        """Whether the smooth maximum takes the place of the exact one."""
        early = self.training and self.progress < self.anneal
        return early and not segments.is_plain


@torch.no_grad()
def _shares(values: Tensor, pooled: Tensor, segments: Segments) -> Tensor:
    """Return the share of columns in which each instance attains the maximum."""
    if segments.is_plain:
        return values.new_ones(values.shape[0])
    if values.shape[1] == 1:  # Vectors are cheaper than one-column matrices.
        values, pooled = values.squeeze(1), pooled.squeeze(1)
    hit = values == segments.broadcast(pooled)
    shares = hit.to(values.dtype)
    # As many hits as maxima: no ties, and nothing to divide. Asking costs an
    # accelerator more than the division.
    counts = hit.is_cpu and not torch.compiler.is_compiling()
    if not counts or int(torch.count_nonzero(hit)) != pooled.numel():
        shares *= segments.broadcast(segments.sum(shares).reciprocal())
    return shares if shares.ndim == 1 else shares.mean(1)
