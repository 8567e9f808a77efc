"""Losses for real targets."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .._checks import check_interval

__all__ = ["MSE", "Huber", "Quantile", "SmoothL1"]


class _Elementwise(nn.Module):
    """A loss of each column, averaged over the columns."""

    link = "identity"

    def forward(self, raw: Tensor, target: Tensor) -> Tensor:
        """Return the loss of each example.

        Parameters
        ----------
        raw : Tensor of shape (B, K)
            Predictions.
        target : Tensor of shape (B, K), or (B,) for one column
            What they should be.

        Returns
        -------
        Tensor of shape (B,)
            Losses, not negative.
        """
        losses = self._losses(raw, _columns(raw, target, raw.shape[1]))
        return losses.squeeze(1) if losses.shape[1] == 1 else losses.mean(1)

    def _losses(self, raw: Tensor, target: Tensor) -> Tensor:
        """Return the loss of each entry."""
        return F.mse_loss(raw, target, reduction="none")


class MSE(_Elementwise):
    """Squared error.

    Attributes
    ----------
    link : str
        "identity".

    Examples
    --------
    >>> MSE()(torch.tensor([[1.], [2.]]), torch.tensor([3., 2.]))
    tensor([4., 0.])
    """

    def __init__(self) -> None:
        super().__init__()


class Huber(_Elementwise):
    """Half the squared error near zero, and linear beyond `delta`.

    Parameters
    ----------
    delta : float, default=1.0
        Error from which on the loss is linear, greater than 0.

    Attributes
    ----------
    link : str
        "identity".

    References
    ----------
    Huber, *Robust estimation of a location parameter*, Annals of Mathematical
    Statistics 35 (1964).

    Examples
    --------
    >>> Huber(delta=1.0)(torch.tensor([[0.5], [3.]]), torch.zeros(2))
    tensor([0.1250, 2.5000])
    """

    def __init__(self, delta: float = 1.0) -> None:
        super().__init__()
        self.delta = check_interval(delta, "delta", closed="neither")

    def _losses(self, raw: Tensor, target: Tensor) -> Tensor:
        """Return the loss of each entry."""
        return F.huber_loss(raw, target, reduction="none", delta=self.delta)


class SmoothL1(_Elementwise):
    """Absolute error, rounded off within `beta` of zero.

    Parameters
    ----------
    beta : float, default=1.0
        Error from which on the loss is linear, not negative; 0 gives the absolute
        error. It is the Huber loss with ``delta=beta``, divided by `beta`.

    Attributes
    ----------
    link : str
        "identity".

    References
    ----------
    Girshick, *Fast R-CNN*, ICCV 2015, equation 3.

    Examples
    --------
    >>> SmoothL1(beta=0.5)(torch.tensor([[0.5], [3.]]), torch.zeros(2))
    tensor([0.2500, 2.7500])
    """

    def __init__(self, beta: float = 1.0) -> None:
        super().__init__()
        self.beta = check_interval(beta, "beta")

    def _losses(self, raw: Tensor, target: Tensor) -> Tensor:
        """Return the loss of each entry."""
        return F.smooth_l1_loss(raw, target, reduction="none", beta=self.beta)


class Quantile(nn.Module):
    """Pinball loss, least when the prediction is the quantile `q` of the target.

    Parameters
    ----------
    q : float or sequence of float, default=0.5
        Level, or levels, in (0, 1). With several, every target needs one column a
        level: ``raw[:, t * len(q) + j]`` is level ``q[j]`` of target ``t``.

    Attributes
    ----------
    link : str
        "identity".
    outputs_per_target : int
        Columns of raw scores that each target needs.

    Raises
    ------
    ValueError
        If there is no level, or one is not inside (0, 1).

    References
    ----------
    Koenker and Bassett, *Regression quantiles*, Econometrica 46 (1978).

    Examples
    --------
    >>> Quantile(q=0.9)(torch.tensor([[0.], [0.]]), torch.tensor([1., -1.]))
    tensor([0.9000, 0.1000])
    >>> Quantile(q=(0.1, 0.9))(torch.tensor([[-1., 1.]]), torch.tensor([3.]))
    tensor([1.1000])
    """

    link = "identity"

    def __init__(self, q: float | Iterable[float] = 0.5) -> None:
        super().__init__()
        several = q if isinstance(q, Iterable) else (q,)
        self.q = tuple(check_interval(a, "q", 0, 1, "neither") for a in several)
        if not self.q:
            raise ValueError("q must name at least one level, got none.")
        self.outputs_per_target = len(self.q)

    def forward(self, raw: Tensor, target: Tensor) -> Tensor:
        """Return the loss of each example.

        Parameters
        ----------
        raw : Tensor of shape (B, K * len(q))
            Predicted quantiles.
        target : Tensor of shape (B, K), or (B,) for one target
            What was observed.

        Returns
        -------
        Tensor of shape (B,)
            Losses, not negative, averaged over targets and levels.
        """
        n_targets = raw.shape[1] // self.outputs_per_target
        observed = _columns(raw, target, n_targets).unsqueeze(2)
        gap = observed - raw.reshape(-1, n_targets, self.outputs_per_target)
        levels = raw.new_tensor(self.q)
        return torch.maximum(levels * gap, (levels - 1) * gap).flatten(1).mean(1)


def _columns(raw: Tensor, target: Tensor, n_columns: int) -> Tensor:
    """Return the target as (B, n_columns) in the type of `raw`."""
    if target.ndim == 1:
        # Never leave (B,) against (B, 1) to broadcasting: that makes (B, B).
        target = target.unsqueeze(1)
    if target.shape != (raw.shape[0], n_columns):
        raise ValueError(
            f"raw of shape {tuple(raw.shape)} asks for a target of shape "
            f"{(raw.shape[0], n_columns)}, got {tuple(target.shape)}."
        )
    return target.to(raw.dtype)
