"""What cases use to show that contenders compute the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["largest_difference", "same", "start_of"]


def start_of(fitted: Any) -> tuple[nn.Module, torch.Generator]:
    """Return the module an estimator started from, and the generator of its batches.

    Parameters
    ----------
    fitted : estimator
        Fitted with an integer ``random_state``.

    Returns
    -------
    (Module, Generator)
        Both as they were before the first step: a raw loop that begins with them and
        takes a ``randperm`` an epoch sees the same batches.
    """
    from sklearn.base import clone

    from mlmi_sklearn.base.netbuild import build_module
    from mlmi_sklearn.base.plan import make_plan

    dtype = next(fitted.net_.module_.parameters()).dtype
    plan = make_plan(clone(fitted), dtype)
    module = build_module(fitted, fitted._recipe, plan.init_seed)
    return module, torch.Generator().manual_seed(plan.order_seed)


def largest_difference(one: Iterable[Tensor], other: Iterable[Tensor]) -> float:
    """Return the largest absolute difference of tensors in pairs."""
    pairs = zip(one, other, strict=True)
    return max(float((a - b).abs().max()) for a, b in pairs)


def same(one: nn.Module, other: nn.Module, tolerance: float = 1e-4) -> str:
    """Return how far apart the weights of two nets are, or raise if too far."""
    apart = largest_difference(
        (p.detach() for p in one.parameters()),
        (p.detach() for p in other.parameters()),
    )
    if not apart <= tolerance:
        raise AssertionError(f"weights differ by {apart:.1e}, more than {tolerance}")
    if not apart:
        return "weights of ours and the limit are equal"
    return f"weights of ours and the limit differ by {apart:.0e} at most"
