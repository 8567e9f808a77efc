"""Comparisons of tensors, in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..training.seeding import borrowed_generator
from ._core import fail, require

__all__ = [
    "TOLERANCE",
    "require_close",
    "require_finite",
    "require_gradients",
    "seeded",
]

#: How far two computations of one thing may differ, relative to numbers above one.
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-9}

_CPU = torch.device("cpu")


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Run a block with PyTorch's global generator seeded, then restore it."""
    with borrowed_generator(seed, _CPU):
        yield


def require_close(
    found: Tensor, expected: Tensor, what: str, remedy: str, tolerance: float = 0.0
) -> None:
    """Fail unless two tensors are equal but for rounding.

    `what` begins the sentence about the difference; a `tolerance` of 0 takes that of
    the type.
    """
    require(
        found.shape == expected.shape,
        f"{what}: shapes {tuple(found.shape)} and {tuple(expected.shape)} differ.",
        remedy,
    )
    if not found.numel():
        return
    scale = max(1.0, float(expected.detach().abs().max()))
    allowed = (tolerance or TOLERANCE.get(expected.dtype, 1e-2)) * scale
    gap = (found.detach().double() - expected.detach().double()).abs().max()
    if not gap <= allowed:  # NaN too
        fail(f"{what}: by {float(gap):.3g}, where {allowed:.0e} is allowed.", remedy)


def require_finite(tensor: Tensor, what: str, remedy: str) -> None:
    """Fail if a tensor holds NaN or infinity."""
    bad = int((~torch.isfinite(tensor)).sum())
    require(
        not bad,
        f"{what} holds NaN or infinity in {bad} of {tensor.numel()} places.",
        remedy,
    )


def require_gradients(module: Any, inputs: Tensor, optional: bool = False) -> None:
    """Fail unless the input and every parameter have received a finite gradient.

    With `optional`, parameters may have received none.
    """
    remedy = (
        "Look for detach(), torch.no_grad(), .data, an empty sum or a division by zero "
        "in forward."
    )
    require(inputs.grad is not None, "no gradient reaches the input.", remedy)
    if inputs.grad is not None:
        require_finite(inputs.grad, "the gradient of the input", remedy)
    if not isinstance(module, nn.Module):
        return
    for name, parameter in module.named_parameters():
        if not parameter.requires_grad:
            continue
        if parameter.grad is None:
            require(
                optional,
                f"no gradient reaches parameter {name!r}.",
                "Use it in forward, or remove it.",
            )
            continue
        require_finite(parameter.grad, f"the gradient of parameter {name!r}", remedy)
