r"""Losses of MONAI for the classes of a sample.

MONAI's losses compare maps. Here the classes of one sample take the place of the pixels
of one map: with probabilities :math:`p` and memberships :math:`t`, both (B, K),

.. math:: \mathrm{Dice}_i = 1 - \frac{2 \sum_k p_{ik} t_{ik} + s}
                                 {\sum_k p_{ik} + \sum_k t_{ik} + s}.

With one class for each sample this is one minus the probability of the true class,
which a wrong label moves little. With several labels (``activation="sigmoid"``) it is
one minus the Dice score of the predicted and the true set of labels.
"""

from __future__ import annotations

import torch
from monai.losses import DiceLoss, FocalLoss, TverskyLoss
from torch import Tensor
from torch.nn import functional

__all__ = ["Dice", "DiceCE", "Focal", "Tversky"]

_ACTIVATIONS = ("softmax", "sigmoid")


class _Loss:
    """Base: from scores and targets to what MONAI's losses take."""

    def __init__(self, activation: str) -> None:
        if activation not in _ACTIVATIONS:
            raise ValueError(
                f"activation={activation!r} must be 'softmax', for one class of "
                "several, or 'sigmoid', for several labels at once."
            )
        self.activation = activation

    @property
    def link(self) -> str:
        """How scores become probabilities."""
        return self.activation

    def _read(self, raw: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores (B, K) and memberships (B, K) of their type."""
        if target.ndim == 2:
            if self.activation == "softmax":
                raise ValueError(
                    "a target of several labels needs activation='sigmoid' (in an "
                    "estimator: loss__activation='sigmoid')."
                )
            return raw, target.to(raw.dtype)
        if raw.shape[1] == 1 and self.activation == "softmax":
            # One score for two classes is the second's, against zero.
            raw = torch.cat([torch.zeros_like(raw), raw], dim=1)
        if raw.shape[1] == 1:
            return raw, target[:, None].to(raw.dtype)
        return raw, functional.one_hot(target.long(), raw.shape[1]).to(raw.dtype)

    def _probabilities(self, raw: Tensor) -> Tensor:
        """Return the probabilities of scores."""
        return raw.softmax(dim=1) if self.activation == "softmax" else raw.sigmoid()


class Dice(_Loss):
    """One minus the overlap of predicted and true classes of a sample.

    Parameters
    ----------
    activation : {"softmax", "sigmoid"}, default="softmax"
        "sigmoid" for several labels at once.
    squared_pred : bool, default=False
        Whether the denominator holds squares.
    jaccard : bool, default=False
        Whether to compute the Jaccard index (intersection over union) instead.
    smooth : float, default=1e-5
        Number added above and below the fraction line.

    References
    ----------
    Milletari et al., *V-Net*, 3DV 2016.

    Examples
    --------
    >>> import torch
    >>> from mlmi_sklearn_monai.losses import Dice
    >>> raw = torch.tensor([[9.0, 0.0, 0.0], [0.0, 9.0, 0.0]])
    >>> Dice()(raw, torch.tensor([0, 2])).round(decimals=2).tolist()
    [0.0, 1.0]
    """

    def __init__(
        self,
        activation: str = "softmax",
        squared_pred: bool = False,
        jaccard: bool = False,
        smooth: float = 1e-5,
    ) -> None:
        super().__init__(activation)
        self._loss = DiceLoss(
            squared_pred=squared_pred,
            jaccard=jaccard,
            smooth_nr=smooth,
            smooth_dr=smooth,
            reduction="none",
            soft_label=False,
        )

    def __call__(self, raw: Tensor, target: Tensor) -> Tensor:
        """Return the loss of each sample, (B,)."""
        scores, member = self._read(raw, target)
        return _overlap(self._loss, self._probabilities(scores), member)


class DiceCE(Dice):
    """Dice loss plus cross-entropy, whose gradient is large where Dice's vanishes.

    Parameters
    ----------
    activation, squared_pred, jaccard, smooth
        As in :class:`Dice`.
    lambda_dice, lambda_ce : float, default=1.0
        Weights of the two.

    Examples
    --------
    >>> import torch
    >>> from mlmi_sklearn_monai.losses import DiceCE
    >>> DiceCE()(torch.zeros(1, 2), torch.tensor([1])).round(decimals=2).tolist()
    [1.19]
    """

    def __init__(
        self,
        activation: str = "softmax",
        squared_pred: bool = False,
        jaccard: bool = False,
        smooth: float = 1e-5,
        lambda_dice: float = 1.0,
        lambda_ce: float = 1.0,
    ) -> None:
        super().__init__(activation, squared_pred, jaccard, smooth)
        self.lambda_dice = lambda_dice
        self.lambda_ce = lambda_ce

    def __call__(self, raw: Tensor, target: Tensor) -> Tensor:
        """Return the loss of each sample, (B,)."""
        scores, member = self._read(raw, target)
        if self.activation == "softmax":
            entropy = -(member * scores.log_softmax(dim=1)).sum(dim=1)
        else:
            entropy = functional.binary_cross_entropy_with_logits(
                scores, member, reduction="none"
            ).mean(dim=1)
        overlap = _overlap(self._loss, self._probabilities(scores), member)
        return self.lambda_dice * overlap + self.lambda_ce * entropy


class Tversky(_Loss):
    """Dice loss that weighs false alarms and misses differently.

    Parameters
    ----------
    activation : {"softmax", "sigmoid"}, default="softmax"
        "sigmoid" for several labels at once. With one class of several, false alarms
        and misses are the same mass, so that the weights matter little.
    alpha, beta : float, default=0.5
        Weights of false alarms and of misses; both 0.5 is the Dice loss.
    smooth : float, default=1e-5
        Number added above and below the fraction line.

    References
    ----------
    Salehi et al., *Tversky loss function for image segmentation using 3D fully
    convolutional deep networks*, MLMI 2017.

    Examples
    --------
    >>> import torch
    >>> from mlmi_sklearn_monai.losses import Tversky
    >>> raw, missed = torch.tensor([[9.0, -9.0]]), torch.tensor([[1, 1]])
    >>> for beta in (0.2, 0.8):
    ...     loss = Tversky("sigmoid", alpha=1 - beta, beta=beta)
    ...     print(round(float(loss(raw, missed)), 2))
    0.17
    0.44
    """

    def __init__(
        self,
        activation: str = "softmax",
        alpha: float = 0.5,
        beta: float = 0.5,
        smooth: float = 1e-5,
    ) -> None:
        super().__init__(activation)
        self._loss = TverskyLoss(
            alpha=alpha, beta=beta, smooth_nr=smooth, smooth_dr=smooth, reduction="none"
        )

    def __call__(self, raw: Tensor, target: Tensor) -> Tensor:
        """Return the loss of each sample, (B,)."""
        scores, member = self._read(raw, target)
        return _overlap(self._loss, self._probabilities(scores), member)


class Focal(_Loss):
    """Cross-entropy with less weight on samples that are easy.

    Parameters
    ----------
    activation : {"softmax", "sigmoid"}, default="softmax"
        "sigmoid" for several labels at once.
    gamma : float, default=2.0
        How fast the weight falls with the probability of the truth.
    alpha : float, default=None
        Weight in [0, 1], as in MONAI: of members (one minus it of others) with
        "sigmoid", of all classes but the first with "softmax".

    References
    ----------
    Lin et al., *Focal loss for dense object detection*, ICCV 2017.

    Examples
    --------
    >>> import torch
    >>> from mlmi_sklearn_monai.losses import Focal
    >>> Focal()(torch.zeros(1, 2), torch.tensor([1])).round(decimals=3).tolist()
    [0.173]
    """

    def __init__(
        self,
        activation: str = "softmax",
        gamma: float = 2.0,
        alpha: float | None = None,
    ) -> None:
        super().__init__(activation)
        self._loss = FocalLoss(
            gamma=gamma,
            alpha=alpha,
            use_softmax=activation == "softmax",
            reduction="none",
        )

    def __call__(self, raw: Tensor, target: Tensor) -> Tensor:
        """Return the loss of each sample, (B,)."""
        scores, member = self._read(raw, target)
        # MONAI computes it in float32 whatever comes in.
        value: Tensor = self._loss(scores, member).to(raw.dtype)
        return value.sum(dim=1) if self.activation == "softmax" else value.mean(dim=1)


def _overlap(
    loss: DiceLoss | TverskyLoss, probabilities: Tensor, member: Tensor
) -> Tensor:
    """Let the classes of a sample take the place of the pixels of a map."""
    value: Tensor = loss(probabilities.unsqueeze(1), member.unsqueeze(1))
    return value.reshape(len(probabilities))
