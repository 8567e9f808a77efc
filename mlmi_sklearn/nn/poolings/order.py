"""Poolings by rank: the largest few, a quantile, and how many are positive.

Instances that tie at a rank share its weight and its gradient evenly, so neither
depends on the order of the instances.
"""

from __future__ import annotations

from numbers import Integral
from typing import Any

import torch
from torch import Tensor, nn

from .._checks import check_interval, check_positive_int
from ..segments import Segments

__all__ = ["CountPooling", "QuantilePooling", "ThresholdPooling", "TopKPooling"]

# Logit of an instance that a bag is short of: as good as surely negative.
_MISSING = -10.0


class TopKPooling(nn.Module):
    """Average the `k` largest values of the bag, column by column.

    Parameters
    ----------
    in_features : int
        Width of the values.
    k : int or float, default=3
        How many: a number of instances, at least 1, or a share of the bag as a float
        in (0, 1], rounded up. A smaller bag is averaged whole.

    Attributes
    ----------
    out_features : int
        Width of the result, equal to `in_features`.
    weighted_mean : bool
        False: columns may have their largest values in different instances.

    Notes
    -----
    The weight of an instance is ``1 / k`` for each column in which it is among the
    largest, averaged over columns; it carries no gradient.

    Examples
    --------
    >>> values = torch.tensor([[1.0], [3.0], [5.0], [2.0]])
    >>> pooled, weights = TopKPooling(1, k=2)(values, Segments([3, 1]))
    >>> pooled.flatten(), weights
    (tensor([4., 2.]), tensor([0.0000, 0.5000, 0.5000, 1.0000]))
    """

    weighted_mean = False

    def __init__(self, in_features: int, k: float = 3) -> None:
        super().__init__()
        self.out_features = check_positive_int(in_features, "in_features")
        self.k = _check_k(k)

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
            Means of the largest values.
        weights : Tensor of shape (N,)
            Shares of the instances in them.
        """
        wanted = _how_many(self.k, segments.on_host)
        least = segments.broadcast(_kth_largest(values, wanted, segments))
        kept = wanted.to(values.device, non_blocking=True)
        plain = values.detach()
        above = (plain > least).to(values.dtype)
        room = kept.to(values.dtype).unsqueeze(1) - segments.sum(above)
        share = above + _ties(plain == least, segments, room)
        share = share / segments.broadcast(kept.to(values.dtype)).unsqueeze(1)
        return segments.sum(share * values), share.mean(1)


class QuantilePooling(nn.Module):
    """Take a quantile of the bag, column by column.

    Parameters
    ----------
    in_features : int
        Width of the values.
    q : float, default=0.9
        Which one, 0 (the least value) to 1 (the largest); between two values it is
        interpolated linearly, as :func:`numpy.quantile` does.

    Attributes
    ----------
    out_features : int
        Width of the result, equal to `in_features`.
    weighted_mean : bool
        False: columns may have their quantiles in different instances.

    Notes
    -----
    The weight of an instance is its factor in the interpolation, averaged over
    columns; it carries no gradient.

    Examples
    --------
    >>> values = torch.tensor([[1.0], [5.0], [2.0], [7.0]])
    >>> pooled, weights = QuantilePooling(1, q=0.75)(values, Segments([3, 1]))
    >>> pooled.flatten(), weights
    (tensor([3.5000, 7.0000]), tensor([0.0000, 0.5000, 0.5000, 1.0000]))
    """

    weighted_mean = False

    def __init__(self, in_features: int, q: float = 0.9) -> None:
        super().__init__()
        self.out_features = check_positive_int(in_features, "in_features")
        self.q = check_interval(q, "q", 0, 1)

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
            Quantiles.
        weights : Tensor of shape (N,)
            Shares of the instances in them.
        """
        sizes = segments.on_host
        place = (sizes - 1).double() * self.q
        below = place.floor()
        kept = sizes - below.long()
        top = segments.topk(values.detach(), kept).values
        place, below, last = (
            part.to(values.device, non_blocking=True)
            for part in (place, below, kept.cumsum(0) - 1)
        )
        low, high = top[last], top[(last - 1).clamp(min=0)]
        upper = (place - below).to(values.dtype).unsqueeze(1)
        # At the top of the bag there is nothing above, and nothing is asked of it.
        high = low.where(upper == 0, high)
        plain, ones = values.detach(), torch.ones_like(upper)
        share = _ties(plain == segments.broadcast(low), segments, ones - upper)
        share = share + _ties(plain == segments.broadcast(high), segments, upper)
        return segments.sum(share * values), share.mean(1)


class ThresholdPooling(nn.Module):
    """Ask whether at least `k` instances are positive: take the k-th largest score.

    That score is above 0 if and only if `k` scores are: the threshold assumption of
    Weidmann, Frank and Pfahringer, of which ``k=1`` is the standard assumption.

    Parameters
    ----------
    in_features : int
        Width of the values, each a score that is positive for positive instances.
    k : int, default=2
        How many, at least 1.

    Attributes
    ----------
    out_features : int
        Width of the result, equal to `in_features`.
    weighted_mean : bool
        False.

    Notes
    -----
    A bag of fewer than `k` instances cannot be positive. It is filled up with
    instances that score -10, so its score is -10 or its least score if that is lower.
    The weight of an instance is its share, averaged over columns, in the one score
    that decides; where a missing instance decides, all weigh alike. Weights carry no
    gradient.

    References
    ----------
    Weidmann, Frank and Pfahringer, *A two-level learning method for generalized
    multi-instance problems*, ECML 2003, section 2.

    Examples
    --------
    >>> values = torch.tensor([[1.0], [3.0], [-5.0], [2.0]])
    >>> pooled, weights = ThresholdPooling(1, k=2)(values, Segments([3, 1]))
    >>> pooled.flatten(), weights
    (tensor([  1., -10.]), tensor([1., 0., 0., 1.]))
    """

    weighted_mean = False

    def __init__(self, in_features: int, k: int = 2) -> None:
        super().__init__()
        self.out_features = check_positive_int(in_features, "in_features")
        self.k = check_positive_int(k, "k")

    def forward(self, values: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
        """Pool the scores of each bag.

        Parameters
        ----------
        values : Tensor of shape (N, D)
            Scores of instances, bag after bag.
        segments : Segments
            Where the bags are.

        Returns
        -------
        pooled : Tensor of shape (B, D)
            The k-th largest scores, to the last bit.
        weights : Tensor of shape (N,)
            Which instances decided.
        """
        score, share = _filled_kth_largest(values, self.k, segments)
        return score, _normalised(share.mean(1), segments)


class CountPooling(nn.Module):
    r"""Ask whether the number of positive instances is in a range.

    With :math:`s_{(i)}` the i-th largest score, the result is

    .. math:: \min(s_{(low)}, -s_{(high + 1)}),

    which is above 0 if and only if at least `low` scores are above 0 and the one after
    `high` is below 0: the count assumption of Weidmann, Frank and Pfahringer.

    Parameters
    ----------
    in_features : int
        Width of the values, each a score that is positive for positive instances.
    low : int, default=1
        Fewest positive instances; 0 for no lower limit.
    high : int or None, default=None
        Most positive instances, at least `low`; None for no upper limit.

    Attributes
    ----------
    out_features : int
        Width of the result, equal to `in_features`.
    weighted_mean : bool
        False.

    Notes
    -----
    A bag of fewer than `low` instances is filled up as :class:`ThresholdPooling` does.
    A bag of at most `high` instances is within the upper limit whatever they are;
    with no lower limit either, it scores 10. Weights are as there.

    References
    ----------
    Weidmann, Frank and Pfahringer, *A two-level learning method for generalized
    multi-instance problems*, ECML 2003, section 2.

    Examples
    --------
    >>> values = torch.tensor([[1.0], [3.0], [-5.0], [2.0], [4.0]])
    >>> pool = CountPooling(1, low=1, high=1)
    >>> pool(values, Segments([3, 2]))[0].flatten()
    tensor([-1., -2.])
    >>> pool(values[1:], Segments([2, 2]))[0].flatten()
    tensor([ 3., -2.])
    """

    weighted_mean = False

    def __init__(self, in_features: int, low: int = 1, high: int | None = None) -> None:
        super().__init__()
        self.out_features = check_positive_int(in_features, "in_features")
        self.low, self.high = _check_range(low, high)

    def forward(self, values: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
        """Pool the scores of each bag.

        Parameters
        ----------
        values : Tensor of shape (N, D)
            Scores of instances, bag after bag.
        segments : Segments
            Where the bags are.

        Returns
        -------
        pooled : Tensor of shape (B, D)
            Above 0 where the number of positive scores is in the range.
        weights : Tensor of shape (N,)
            Which instances decided.
        """
        if self.low:
            score, share = _filled_kth_largest(values, self.low, segments)
        else:
            full = (segments.n_segments, values.shape[1])
            score, share = values.new_full(full, -_MISSING), torch.zeros_like(values)
        if self.high is None:
            return score, _normalised(share.mean(1), segments)
        next_one, its_share = _filled_kth_largest(values, self.high + 1, segments)
        limited = (segments.lengths > self.high).unsqueeze(1)
        lower = ~limited
        if self.low:
            lower = lower | (score <= -next_one)
        lower = lower.expand_as(score)
        share = share.where(segments.broadcast(lower), its_share)
        return score.where(lower, -next_one), _normalised(share.mean(1), segments)


def _check_k(k: Any) -> float:
    """Return a number of instances as int, or a share of the bag as float."""
    whole = isinstance(k, Integral) and not isinstance(k, bool)
    if (whole and k >= 1) or (isinstance(k, float) and 0 < k <= 1):
        return int(k) if whole else float(k)
    raise ValueError(
        "k must be an integer of at least 1 (a number of instances) or a float in "
        f"(0, 1] (a share of the bag), got {k!r}."
    )


def _check_range(low: Any, high: Any) -> tuple[int, int | None]:
    """Return the limits of a count."""
    low = (
        0 if low == 0 and not isinstance(low, bool) else check_positive_int(low, "low")
    )
    if high is None and low == 0:
        raise ValueError("low=0 and high=None do not limit anything; set one of them.")
    if high is None:
        return low, None
    whole = isinstance(high, Integral) and not isinstance(high, bool)
    if not whole or high < low:
        raise ValueError(
            f"high must be None or an integer of at least low={low}, got {high!r}."
        )
    return low, int(high)


def _how_many(k: float, lengths: Tensor) -> Tensor:
    """Return for each bag how many instances `k` stands for."""
    if isinstance(k, int):
        return lengths.clamp(max=k)
    # Without the small step, 0.1 of 30 would be four.
    return (lengths.double() * k - 1e-9).ceil().long().clamp(min=1)


def _kth_largest(values: Tensor, kept: Tensor, segments: Segments) -> Tensor:
    """Return the kept-th largest value of each bag and column, without gradient."""
    top = segments.topk(values.detach(), kept)
    return top.values[top.segments.lengths.cumsum(0) - 1]


def _ties(hit: Tensor, segments: Segments, amount: Tensor) -> Tensor:
    """Split an amount of each bag (B, D) evenly among the instances hit (N, D)."""
    hits = hit.to(amount.dtype)
    return hits * segments.broadcast(amount / segments.sum(hits))


def _filled_kth_largest(
    values: Tensor, k: int, segments: Segments
) -> tuple[Tensor, Tensor]:
    """Return the k-th largest of each bag, filled up if smaller, and who it is."""
    kept = segments.on_host.clamp(max=k)
    least = _kth_largest(values, kept, segments)
    there = (segments.lengths >= k).unsqueeze(1) | (least <= _MISSING)
    hit = values.detach() == segments.broadcast(least)
    share = _ties(hit, segments, there.to(values.dtype))
    # The value itself to the last bit, with the gradient of the sum over ties.
    slope = segments.sum(share * values)
    score = least.where(there, least.new_full((), _MISSING))
    return score + (slope - slope.detach()), share


def _normalised(weights: Tensor, segments: Segments) -> Tensor:
    """Return weights with sum 1 over each bag; equal ones where none is positive."""
    total = segments.sum(weights)
    missing = total <= 0
    weights = weights + segments.broadcast(missing.to(weights.dtype))
    return weights / segments.broadcast(total + missing * segments.lengths)
