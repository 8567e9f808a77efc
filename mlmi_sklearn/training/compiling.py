"""How a module is compiled."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

__all__ = ["compile_options"]

# With more weights a step computes for longer than the calls of its kernels take.
_SMALL = 2**22


def compile_options(
    module: nn.Module, device: torch.device, keeps_outputs: bool
) -> dict[str, Any]:
    """Choose options of ``torch.compile`` for a module.

    On CUDA a small net spends its time on the calls of kernels. CUDA graphs replay a
    whole pass with one call, from and into the same memory: an output is gone when the
    next pass begins, so whoever keeps outputs cannot have them. Shapes are left to
    PyTorch: the first is compiled as it is, and the second, mostly that of the last
    batch, for all further ones, so that nothing is compiled again after that.

    Parameters
    ----------
    module : nn.Module
        The module.
    device : torch.device
        Where it will run.
    keeps_outputs : bool
        Whether outputs of one pass are used after the next has begun, or shapes differ
        from batch to batch, as those of bags do.

    Returns
    -------
    dict
        Keyword arguments of :func:`torch.compile`.

    Examples
    --------
    >>> net = nn.Linear(2, 1)
    >>> compile_options(net, torch.device("cuda"), keeps_outputs=False)
    {'mode': 'reduce-overhead'}
    >>> compile_options(net, torch.device("cpu"), keeps_outputs=False)
    {}
    """
    n_weights = sum(p.numel() for p in module.parameters())
    pays = device.type == "cuda" and n_weights <= _SMALL
    return {"mode": "reduce-overhead"} if pays and not keeps_outputs else {}
