"""A divergence under examination."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ._core import fail_with, require
from ._subjects import Subject
from ._tensors import seeded

__all__ = ["DivergenceSubject", "describe"]


class DivergenceSubject(Subject):
    """A divergence, and samples of two domains."""

    @property
    def width(self) -> int:
        """Width of the features."""
        return int(self.part.example.get("in_features", 8))

    @property
    def params(self) -> dict[str, Any]:
        """Keyword arguments of the factory, apart from the width."""
        return {k: v for k, v in self.part.example.items() if k != "in_features"}

    def module(self, dtype: torch.dtype = torch.float32, **sizes: int) -> Any:
        """Build the divergence in evaluation mode."""
        module = self.build(self.width, **sizes)
        require(
            isinstance(module, nn.Module),
            f"its factory returned a {type(module).__name__}.",
            "Return a torch.nn.Module.",
        )
        return module.eval().to(dtype)

    def sample(self, n: int, seed: int, shift: float = 0.0) -> Tensor:
        """Return n rows of features around `shift`."""
        with seeded(seed):
            return torch.randn(n, self.width, dtype=torch.float64).float() + shift

    def between(self, module: Any, zs: Tensor, zt: Tensor, **keywords: Any) -> Tensor:
        """Call the divergence, with the same random numbers every time."""
        try:
            with seeded(7):
                value = module(zs, zt, **keywords)
        except Exception as error:
            given = f" with {', '.join(keywords)}" if keywords else ""
            fail_with(
                error,
                f"{len(zs)} and {len(zt)} rows{given}",
                "The samples may have different numbers of rows, and a single one.",
            )
        require(
            isinstance(value, Tensor) and value.ndim == 0,
            f"it returned {describe(value)} for {len(zs)} and {len(zt)} rows.",
            "Return a scalar tensor.",
        )
        return value


def describe(value: Any) -> str:
    """Name the type of a value, or the shape of a tensor."""
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    return f"a {type(value).__name__}"
