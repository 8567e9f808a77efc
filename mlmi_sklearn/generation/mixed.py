"""Players that compute in half precision where that is asked for."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from ..training.device import autocast

__all__ = ["InPrecision", "Players", "in_precision"]


class InPrecision:
    """Run a module under autocast; what it returns is in full precision.

    Losses, penalties and running means of players are differences of close numbers,
    for which half precision does not do.

    Parameters
    ----------
    module : nn.Module
        A generator or a discriminator. Its other attributes are passed on.
    device : torch.device
        Where it is.
    dtype : torch.dtype
        Type of the products.

    Examples
    --------
    >>> layer = nn.Linear(2, 1)
    >>> half = InPrecision(layer, torch.device("cpu"), torch.bfloat16)
    >>> half(torch.ones(3, 2)).dtype, half.out_features
    (torch.float32, 1)
    """

    def __init__(
        self, module: nn.Module, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.module, self.device, self.dtype = module, device, dtype

    def __call__(self, *args: Any) -> Any:
        """Call the module."""
        return self._run(self.module, *args)

    def judge(self, *args: Any) -> Any:
        """Call ``judge`` of a discriminator."""
        judge: Any = self.module.judge
        return self._run(judge, *args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.module, name)

    def _run(self, function: Any, *args: Any) -> Any:
        with autocast(self.device, self.dtype):
            found = function(*args)
        return tree_map_only(Tensor, _widened, found)


class Players(NamedTuple):
    """What the steps of a training call: modules, or what stands for them.

    Parameters
    ----------
    maker : callable or dict of callable
        Generators.
    judge : callable or dict of callable
        Discriminators.
    """

    maker: Any
    judge: Any


def in_precision(module: Any, device: Any, dtype: torch.dtype | None) -> Any:
    """Return a module that computes in ``dtype``; itself where that is None.

    Parameters
    ----------
    module : nn.Module or nn.ModuleDict
        A player, or several by name, each of which is wrapped.
    device : torch.device or str
        Where it is.
    dtype : torch.dtype or None
        As of :func:`~mlmi_sklearn.training.resolve_precision`.

    Returns
    -------
    nn.Module, InPrecision or dict
        To be called in place of the module.

    Examples
    --------
    >>> layer = nn.Linear(2, 1)
    >>> in_precision(layer, "cpu", None) is layer
    True
    """
    if dtype is None:
        return module
    if isinstance(module, nn.ModuleDict):
        return {k: in_precision(m, device, dtype) for k, m in module.items()}
    return InPrecision(module, torch.device(device), dtype)


def _widened(t: Tensor) -> Tensor:
    return t.float() if t.is_floating_point() and t.dtype.itemsize < 4 else t
