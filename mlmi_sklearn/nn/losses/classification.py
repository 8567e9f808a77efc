"""Losses for class codes and for memberships."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .._checks import check_interval
from ._targets import (
    is_codes,
    mean_over_labels,
    memberships,
    negative_log_likelihood,
)

__all__ = ["BCE", "CrossEntropy", "Focal", "GeneralisedCrossEntropy", "Hinge"]


class CrossEntropy(nn.Module):
    """Minus the log probability of the true class.

    Parameters
    ----------
    label_smoothing : float, default=0.0
        Share of the target, in [0, 1], that is spread evenly over the classes.

    Attributes
    ----------
    link : str
        "softmax".

    References
    ----------
    Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, *Rethinking the Inception architecture
    for computer vision*, CVPR 2016, section 7 (label smoothing).

    Examples
    --------
    >>> raw = torch.tensor([[0., 0.], [1., -1.]])
    >>> CrossEntropy()(raw, torch.tensor([1, 0]))
    tensor([0.6931, 0.1269])
    >>> CrossEntropy()(torch.tensor([[0.]]), torch.tensor([1]))
    tensor([0.6931])
    """

    link = "softmax"

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.label_smoothing = check_interval(label_smoothing, "label_smoothing", 0, 1)

    def forward(self, raw: Tensor, target: Tensor) -> Tensor:
        """Return the loss of each example.

        Parameters
        ----------
        raw : Tensor of shape (B, K)
            Scores.
        target : Tensor of shape (B,) or (B, K)
            Class codes or memberships.

        Returns
        -------
        Tensor of shape (B,)
            Losses, not negative.
        """
        losses = negative_log_likelihood(raw, target, self.label_smoothing)
        return mean_over_labels(losses)


class BCE(nn.Module):
    """Binary cross-entropy of every column, averaged over the columns.

    Class codes of several classes are read one versus the rest: unlike in
    :class:`CrossEntropy`, the classes do not compete.

    Parameters
    ----------
    label_smoothing : float, default=0.0
        How far, in [0, 1], targets are moved from 0 and 1 towards one half.

    Attributes
    ----------
    link : str
        "sigmoid".

    Examples
    --------
    >>> raw = torch.tensor([[0., 0., 0.]])
    >>> BCE()(raw, torch.tensor([2]))
    tensor([0.6931])
    >>> BCE()(raw, torch.tensor([[1., 0., 1.]]))
    tensor([0.6931])
    """

    link = "sigmoid"

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.label_smoothing = check_interval(label_smoothing, "label_smoothing", 0, 1)

    def forward(self, raw: Tensor, target: Tensor) -> Tensor:
        """Return the loss of each example.

        Parameters
        ----------
        raw : Tensor of shape (B, K)
            Logits.
        target : Tensor of shape (B,) or (B, K)
            Class codes or memberships.

        Returns
        -------
        Tensor of shape (B,)
            Losses, not negative.
        """
        if is_codes(raw, target) and raw.shape[1] > 1:
            target = memberships(raw, target)
        losses = negative_log_likelihood(raw, target, self.label_smoothing)
        return mean_over_labels(losses)


class Focal(nn.Module):
    r"""Cross-entropy that turns away from what is learned already.

    With :math:`p` the probability of the true class, the loss is
    :math:`-\alpha (1 - p)^\gamma \log p`.

    Parameters
    ----------
    gamma : float, default=2.0
        Focus, not negative; 0 gives cross-entropy.
    alpha : float, sequence of float or None, default=None
        Weight of the classes: a number in [0, 1] is the weight of class 1 in a binary
        problem (and of the presence of a label), the other class weighing one minus it;
        a sequence holds one non-negative weight for each of several classes.

    Attributes
    ----------
    link : str
        "softmax".

    References
    ----------
    Lin, Goyal, Girshick, He and Dollár, *Focal loss for dense object detection*, ICCV
    2017, equations 4 and 5.

    Examples
    --------
    >>> raw = torch.tensor([[0., 0.], [1., -1.]])
    >>> Focal(gamma=2.0)(raw, torch.tensor([0, 0]))
    tensor([0.1733, 0.0018])
    """

    link = "softmax"

    def __init__(
        self, gamma: float = 2.0, alpha: float | Iterable[float] | None = None
    ) -> None:
        super().__init__()
        self.gamma = check_interval(gamma, "gamma")
        self.alpha = _class_weights(alpha)

    def forward(self, raw: Tensor, target: Tensor) -> Tensor:
        """Return the loss of each example.

        Parameters
        ----------
        raw : Tensor of shape (B, K)
            Scores.
        target : Tensor of shape (B,) or (B, K)
            Class codes or memberships.

        Returns
        -------
        Tensor of shape (B,)
            Losses, not negative.
        """
        losses = negative_log_likelihood(raw, target)
        # Away from zero, where a power below one has no finite slope.
        missing = -torch.expm1(-losses)
        missing = missing.clamp_min(torch.finfo(raw.dtype).tiny)
        losses = missing.pow(self.gamma) * losses
        if self.alpha is not None:
            losses = losses * self._weights(raw, target, self.alpha)
        return mean_over_labels(losses)

    def _weights(self, raw: Tensor, target: Tensor, alpha: tuple[float, ...]) -> Tensor:
        """Return the weight of the true class in the shape of the target."""
        binary = raw.shape[1] == 1 or target.ndim == 2
        needed = 2 if binary else raw.shape[1]
        if len(alpha) != needed:
            raise ValueError(
                f"alpha has {len(alpha)} weights, but the problem has {needed} "
                "classes; pass a sequence of one weight a class."
            )
        if binary:
            absent, present = alpha
            return absent + (present - absent) * target.to(raw.dtype)
        return raw.new_tensor(alpha)[target.long()]


class GeneralisedCrossEntropy(nn.Module):
    r"""Cross-entropy that gives up on labels it cannot explain.

    With :math:`p` the probability of the true class, the loss is
    :math:`(1 - p^q) / q`: cross-entropy for :math:`q \to 0`, and for :math:`q = 1` the
    mean absolute error, which tolerates noisy labels but learns slowly.

    Parameters
    ----------
    q : float, default=0.7
        In (0, 1].

    Attributes
    ----------
    link : str
        "softmax".

    References
    ----------
    Zhang and Sabuncu, *Generalized cross entropy loss for training deep neural networks
    with noisy labels*, NeurIPS 2018, equation 6.

    Examples
    --------
    >>> GeneralisedCrossEntropy(q=1.0)(torch.zeros(1, 4), torch.tensor([3]))
    tensor([0.7500])
    """

    link = "softmax"

    def __init__(self, q: float = 0.7) -> None:
        super().__init__()
        self.q = check_interval(q, "q", 0, 1, closed="right")

    def forward(self, raw: Tensor, target: Tensor) -> Tensor:
        """Return the loss of each example.

        Parameters
        ----------
        raw : Tensor of shape (B, K)
            Scores.
        target : Tensor of shape (B,) or (B, K)
            Class codes or memberships.

        Returns
        -------
        Tensor of shape (B,)
            Losses in [0, 1 / q].
        """
        losses = negative_log_likelihood(raw, target)
        return mean_over_labels(-torch.expm1(-self.q * losses) / self.q)


class Hinge(nn.Module):
    """Hinge loss: how much the true class lacks to lead by the margin.

    Several classes are compared after Crammer and Singer, the true class with the best
    of the others.

    Parameters
    ----------
    margin : float, default=1.0
        Lead from which on nothing is lost, greater than 0.
    squared : bool, default=False
        Square what is lacking, which makes the loss smooth.

    Attributes
    ----------
    link : str
        "identity": the scores are no probabilities.

    References
    ----------
    Crammer and Singer, *On the algorithmic implementation of multiclass kernel-based
    vector machines*, JMLR 2 (2001), equation 2.

    Examples
    --------
    >>> raw = torch.tensor([[2., 0., 1.5], [0., 3., 0.]])
    >>> Hinge()(raw, torch.tensor([0, 1]))
    tensor([0.5000, 0.0000])
    >>> Hinge()(torch.tensor([[0.25]]), torch.tensor([0]))
    tensor([1.2500])
    """

    link = "identity"

    def __init__(self, margin: float = 1.0, squared: bool = False) -> None:
        super().__init__()
        self.margin = check_interval(margin, "margin", closed="neither")
        self.squared = bool(squared)

    def forward(self, raw: Tensor, target: Tensor) -> Tensor:
        """Return the loss of each example.

        Parameters
        ----------
        raw : Tensor of shape (B, K)
            Scores.
        target : Tensor of shape (B,) or (B, K)
            Class codes or memberships.

        Returns
        -------
        Tensor of shape (B,)
            Losses, not negative.
        """
        if is_codes(raw, target):
            if raw.shape[1] > 1:
                return self._lack(_lead(raw, target.long().unsqueeze(1)))
            raw = raw.squeeze(1)
        member = target.to(raw.dtype)
        losses = torch.lerp(self._lack(-raw), self._lack(raw), member)
        return mean_over_labels(losses)

    def _lack(self, lead: Tensor) -> Tensor:
        """Return what is missing from a lead to the margin."""
        lack = F.relu(self.margin - lead)
        return lack.square() if self.squared else lack


def _lead(raw: Tensor, codes: Tensor) -> Tensor:
    """Return how far the true class (B, 1) is ahead of the best other one, (B,)."""
    others = raw.scatter(1, codes, -torch.inf).amax(1)
    return raw.gather(1, codes).squeeze(1) - others


def _class_weights(
    alpha: float | Iterable[float] | None,
) -> tuple[float, ...] | None:
    """Read alpha of the focal loss as one weight a class."""
    if alpha is None:
        return None
    if isinstance(alpha, Iterable):
        return tuple(check_interval(a, "every entry of alpha") for a in alpha)
    positive = check_interval(alpha, "alpha", 0, 1)
    return 1.0 - positive, positive
