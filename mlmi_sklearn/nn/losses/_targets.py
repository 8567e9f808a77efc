"""What the classification losses share: reading targets, and the likelihood."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

__all__ = ["is_codes", "mean_over_labels", "memberships", "negative_log_likelihood"]


def is_codes(raw: Tensor, target: Tensor) -> bool:
    """Tell class codes from memberships, and refuse what is neither."""
    if raw.ndim != 2:
        raise ValueError(
            f"raw scores must have shape (B, K), got {tuple(raw.shape)}; for one score "
            "an example use raw.unsqueeze(1)."
        )
    if target.shape == raw.shape:
        return False
    if target.shape != raw.shape[:1]:
        raise ValueError(
            f"the target must be class codes of shape ({raw.shape[0]},) or memberships "
            f"of shape {tuple(raw.shape)}, got shape {tuple(target.shape)}."
        )
    if target.is_floating_point() and raw.shape[1] > 1:
        raise ValueError(
            f"a one-dimensional target for {raw.shape[1]} columns must hold integer "
            f"class codes, got {target.dtype}."
        )
    return True


def memberships(raw: Tensor, target: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Return a target in the shape and type of `raw`, codes one versus the rest."""
    if raw.ndim == 2 and target.ndim == 1:
        target = F.one_hot(target.long(), raw.shape[1])
    member = target.to(raw.dtype)
    if label_smoothing:
        member = member * (1 - label_smoothing) + label_smoothing / 2
    return member


def negative_log_likelihood(
    raw: Tensor, target: Tensor, label_smoothing: float = 0.0
) -> Tensor:
    """Return minus the log likelihood: (B,) for codes, (B, K) for memberships."""
    if is_codes(raw, target):
        if raw.shape[1] > 1:
            return F.cross_entropy(
                raw, target.long(), reduction="none", label_smoothing=label_smoothing
            )
        raw = raw.squeeze(1)
    member = memberships(raw, target, label_smoothing)
    return F.binary_cross_entropy_with_logits(raw, member, reduction="none")


def mean_over_labels(losses: Tensor) -> Tensor:
    """Average the losses (B, K) of the labels of each example; leave (B,) alone."""
    return losses if losses.ndim == 1 else losses.mean(1)
