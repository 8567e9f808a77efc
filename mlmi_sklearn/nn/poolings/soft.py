r"""Smooth joins of scores: noisy-or, log-sum-exp and the generalised mean.

They read a column of values as logits :math:`s` of probabilities
:math:`p = \sigma(s)` where they need probabilities, and return logits again. All are
computed on the logarithms of what they are defined by, so that neither scores of
10,000 nor bags of 100,000 instances overflow, round to infinity or lose the gradient.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .._checks import check_interval, check_positive_int
from ..segments import Segments

__all__ = ["GeneralisedMeanPooling", "LogSumExpPooling", "NoisyOrPooling"]

# Below exp(_TINY) a number's own size is lost beside 1, in double precision as well.
_TINY = -40.0
# From here on, log(1 + exp(-x)) is exp(-x) (1 - exp(-x) / 2) to double precision.
_FAR = 15.0


class NoisyOrPooling(nn.Module):
    r"""Ask whether at least one instance is positive, if instances are independent.

    .. math:: p = 1 - \prod_{j=1}^m (1 - \sigma(s_j))

    Like the maximum, it never falls when an instance is added or rises; unlike it, all
    instances get a gradient. Many faint instances add up, so a large bag needs lower
    scores than a small one to be negative.

    Parameters
    ----------
    in_features : int
        Width of the values, each a logit.

    Attributes
    ----------
    out_features : int
        Width of the result, equal to `in_features`. The result is the logit of p.
    weighted_mean : bool
        False.

    Notes
    -----
    The weight of an instance is its share in :math:`-\log(1 - p)`, to which each adds
    :math:`\log(1 + e^{s_j})`; it is averaged over columns and carries no gradient.

    References
    ----------
    Maron and Lozano-Perez, *A framework for multiple-instance learning*, NIPS 1998,
    section 3. Zhang, Platt and Viola, *Multiple instance boosting for object
    detection*, NIPS 2005, section 3.1.

    Examples
    --------
    >>> values = torch.tensor([[0.0], [0.0], [-3.0]])
    >>> pooled, weights = NoisyOrPooling(1)(values, Segments([2, 1]))
    >>> pooled.sigmoid()
    tensor([[0.7500],
            [0.0474]])
    >>> weights
    tensor([0.5000, 0.5000, 1.0000])
    """

    weighted_mean = False

    def __init__(self, in_features: int) -> None:
        super().__init__()
        self.out_features = check_positive_int(in_features, "in_features")

    def forward(self, values: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
        """Pool the values of each bag.

        Parameters
        ----------
        values : Tensor of shape (N, D)
            Logits of instances, bag after bag.
        segments : Segments
            Where the bags are.

        Returns
        -------
        pooled : Tensor of shape (B, D)
            Logits of bags; that of a bag of one is its instance's.
        weights : Tensor of shape (N,)
            Shares in the evidence.
        """
        wide = _single(values)
        evidence = _log_softplus(wide)
        log_total = segments.logsumexp(evidence)
        # The logit is log(exp(L) - 1) with L the sum of log(1 + exp(s)). L is best
        # known by its logarithm where it is small and by itself where it is large.
        small = log_total.clamp(_TINY, 0.0).exp()
        low = log_total + (small.expm1() / small).log()
        total = segments.sum(-F.logsigmoid(-wide)).clamp(min=0.5)
        high = total + (-(-total).expm1()).log()
        logits = low.where(log_total < 0, high)
        weights = _shares(evidence, log_total, segments)
        return _keep_singles(logits, values, segments), weights.to(values.dtype)


class LogSumExpPooling(nn.Module):
    r"""Take a smooth maximum of scores.

    .. math:: \frac{1}{r} \log \frac{1}{m} \sum_{j=1}^m \exp(r\, s_j)

    It grows from the mean (:math:`r \to 0`) to the maximum (:math:`r \to \infty`).
    Being a mean, it falls when a low instance is added.

    Parameters
    ----------
    in_features : int
        Width of the values.
    r : float, default=1.0
        Sharpness, above 0; where training begins if it is learned.
    learnable : bool, default=False
        Whether :math:`r` is learned, as the exponential of a parameter.

    Attributes
    ----------
    out_features : int
        Width of the result, equal to `in_features`.
    weighted_mean : bool
        False.

    Notes
    -----
    The weight of an instance is its share in the sum of exponentials, averaged over
    columns; it carries no gradient.

    References
    ----------
    Ramon and De Raedt, *Multi instance neural networks*, ICML workshop 2000, equation
    6. Pinheiro and Collobert, *From image-level to pixel-level labeling with
    convolutional networks*, CVPR 2015, equation 4.

    Examples
    --------
    >>> values = torch.tensor([[0.0], [4.0], [1.0]])
    >>> pooled, weights = LogSumExpPooling(1, r=2.0)(values, Segments([2, 1]))
    >>> pooled.flatten()
    tensor([3.6536, 1.0000])
    """

    weighted_mean = False

    def __init__(
        self, in_features: int, r: float = 1.0, learnable: bool = False
    ) -> None:
        super().__init__()
        self.out_features = check_positive_int(in_features, "in_features")
        self.sharpness = _Sharpness(r, learnable)

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
            Smooth maxima.
        weights : Tensor of shape (N,)
            Shares in the sum of exponentials.
        """
        r = self.sharpness()
        scaled = _single(values) * r
        total = segments.logsumexp(scaled)
        pooled = (total - _log_sizes(scaled, segments)) / r
        weights = _shares(scaled, total, segments)
        return _keep_singles(pooled, values, segments), weights.to(values.dtype)


class GeneralisedMeanPooling(nn.Module):
    r"""Average powers of probabilities, with a power that is learned.

    .. math:: p = \Big( \frac{1}{m} \sum_{j=1}^m \sigma(s_j)^r \Big)^{1/r}

    Values and result are logits, so that any number is a legal value, as a score and
    as a feature. The result lies between the least and the largest value: at
    :math:`r \to 0` it is the geometric mean of probabilities, at 1 their mean, and at
    :math:`r \to \infty` the maximum.

    Parameters
    ----------
    in_features : int
        Width of the values.
    r : float, default=10.0
        Power, above 0; where training begins if it is learned.
    learnable : bool, default=True
        Whether :math:`r` is learned, as the exponential of a parameter.

    Attributes
    ----------
    out_features : int
        Width of the result, equal to `in_features`.
    weighted_mean : bool
        False.

    Notes
    -----
    The weight of an instance is its share in the sum of powers, averaged over columns;
    it carries no gradient.

    References
    ----------
    Zhang, Platt and Viola, *Multiple instance boosting for object detection*, NIPS
    2005, use it as a soft maximum of probabilities. Radenovic, Tolias and Chum,
    *Fine-tuning CNN image retrieval with no human annotation*, IEEE TPAMI 41, 2019,
    learn the power.

    Examples
    --------
    >>> values = torch.tensor([[0.2], [0.6], [0.9]]).logit()
    >>> pool = GeneralisedMeanPooling(1, r=1.0, learnable=False)
    >>> pooled, weights = pool(values, Segments([2, 1]))
    >>> pooled.sigmoid().flatten(), weights
    (tensor([0.4000, 0.9000]), tensor([0.2500, 0.7500, 1.0000]))
    """

    weighted_mean = False

    def __init__(
        self, in_features: int, r: float = 10.0, learnable: bool = True
    ) -> None:
        super().__init__()
        self.out_features = check_positive_int(in_features, "in_features")
        self.power = _Sharpness(r, learnable)

    def forward(self, values: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
        """Pool the values of each bag.

        Parameters
        ----------
        values : Tensor of shape (N, D)
            Logits, bag after bag.
        segments : Segments
            Where the bags are.

        Returns
        -------
        pooled : Tensor of shape (B, D)
            Logits of bags; that of a bag of one is its instance's.
        weights : Tensor of shape (N,)
            Shares in the sum of powers.
        """
        r = self.power()
        wide = _single(values)
        sizes = _log_sizes(wide, segments)
        powers = F.logsigmoid(wide) * r
        total = segments.logsumexp(powers)
        log_p = (total - sizes) / r
        # What the mean of powers lacks to 1, by its logarithm: near p = 1 the mean
        # itself has no digits left to tell.
        lack = segments.logsumexp(_log_one_minus_power(wide, r)) - sizes
        logits = log_p - _log_one_minus(log_p, lack, r)
        weights = _shares(powers, total, segments)
        return _keep_singles(logits, values, segments), weights.to(values.dtype)


class _Sharpness(nn.Module):
    """A positive number, fixed or learned through its logarithm."""

    def __init__(self, r: float, learnable: bool) -> None:
        super().__init__()
        log_r = torch.tensor(math.log(check_interval(r, "r", closed="neither")))
        if learnable:
            self.log_r = nn.Parameter(log_r)
        else:
            self.register_buffer("log_r", log_r)

    def forward(self) -> Tensor:
        """Return the number as a tensor of no dimensions."""
        return self.log_r.exp()


def _single(values: Tensor) -> Tensor:
    """Widen half precision: logarithms of sums need the digits."""
    return values.float() if values.dtype.itemsize < 4 else values


def _log_sizes(values: Tensor, segments: Segments) -> Tensor:
    """Return the logarithm of the size of each bag, as a column."""
    return segments.lengths.to(values.dtype).log().unsqueeze(1)


def _log_softplus(s: Tensor) -> Tensor:
    """Return log(log(1 + exp(s))), which is about `s` where `s` is low."""
    far = s < -_FAR
    # Not clamp: since torch 2.14 it passes no gradient at its bound.
    low, high = torch.where(far, s, -_FAR), s.masked_fill(far, -_FAR)
    return (low - low.exp() / 2).where(far, (-F.logsigmoid(-high)).log())


def _log_one_minus_power(s: Tensor, r: Tensor) -> Tensor:
    """Return log(1 - sigmoid(s)^r)."""
    # With x = -r log(sigmoid(s)) = r softplus(-s), this is log(1 - exp(-x)).
    log_x = r.log() + _log_softplus(-s)
    tiny = log_x < _TINY
    x = log_x.masked_fill(tiny, _TINY).exp()
    return log_x.where(tiny, (-(-x).expm1()).log())


def _log_one_minus(log_p: Tensor, lack: Tensor, r: Tensor) -> Tensor:
    """Return log(1 - p) from log(p) and from lack = log(1 - p^r), as one is exact."""
    low = (-log_p.clamp(max=-1e-6).expm1()).log()
    # 1 - p = 1 - (1 - d)^(1/r) with d = exp(lack), about d / r where d is small.
    d = lack.clamp(_TINY, -0.5).exp()
    ratio = -((-d).log1p() / r).expm1() / d
    return (lack + ratio.log()).where(lack < -math.log(2), low)


def _keep_singles(pooled: Tensor, values: Tensor, segments: Segments) -> Tensor:
    """Put the only value of a bag of one in the place of its rounded copy."""
    if segments.is_even and segments.longest > 1:
        return pooled.to(values.dtype)
    first = values.index_select(0, segments.offsets[:-1])
    single = (segments.lengths == 1).unsqueeze(1)
    return first.where(single, pooled.to(values.dtype))


@torch.no_grad()
def _shares(logs: Tensor, total: Tensor, segments: Segments) -> Tensor:
    """Return each instance's share in sums of exponentials, averaged over columns."""
    if segments.is_plain:
        return logs.new_ones(logs.shape[0])
    return (logs - segments.broadcast(total)).exp().mean(1)
