"""How much memory a row takes on its way through a net."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

__all__ = ["widest"]


class _Sizes(TorchFunctionMode):
    """Note the size of all that is computed; other threads do not see it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[int] = []

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor):
            self.found.append(out.numel())
        return out


def widest(module: nn.Module, shape: tuple[int, ...]) -> int:
    """Return how many numbers the largest result within a net has for one row.

    Parameters
    ----------
    module : nn.Module
        The net, in evaluation mode.
    shape : tuple of int
        Of one row.

    Returns
    -------
    int
        0 for a net that cannot compute on rows of zeros of that shape: what is wrong
        with it, whoever runs it will say.

    Examples
    --------
    >>> widest(nn.Sequential(nn.Linear(2, 50), nn.ReLU(), nn.Linear(50, 3)), (2,))
    50
    """
    try:
        one, two = (_sizes(module, shape, rows) for rows in (1, 2))
    except Exception:
        return 0
    # Results that do not grow with the rows are of weights alone.
    return max((b - a for a, b in zip(one, two, strict=False)), default=0)


@torch.no_grad()
def _sizes(module: nn.Module, shape: tuple[int, ...], rows: int) -> list[int]:
    like = next(module.parameters(), torch.zeros(()))
    with _Sizes() as sizes:
        module(torch.zeros(rows, *shape, dtype=like.dtype, device=like.device))
    return sizes.found
