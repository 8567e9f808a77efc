"""Optimisers in a process that never loads PyTorch's compiler.

An optimiser imports ``torch._dynamo`` when it is made and when it steps, only to tell
it that this is not to be compiled. In a fresh process this takes longer than many a
fit: a second or more, in every worker of a cluster again. Who has loaded the compiler
already, or compiles, notices nothing of what is here.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim import optimizer as _hooks

__all__ = ["step_uncompiled", "without_compiler"]

# Where PyTorch keeps what it calls in place of a function that is not to be compiled.
_REPLACEMENT = "__dynamo_disable"


@contextmanager
def without_compiler() -> Iterator[None]:
    """Make optimisers without loading the compiler.

    Within, ``add_param_group`` calls itself as it was written, without the mark that
    hides it from a compiler that is not there.

    Examples
    --------
    >>> with without_compiler():
    ...     optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(2))])
    """
    method = getattr(Optimizer.add_param_group, "__wrapped__", None)
    if method is None or _is_loaded() or hasattr(method, _REPLACEMENT):
        yield
        return
    setattr(method, _REPLACEMENT, method)
    try:
        yield
    finally:
        # Another thread may have loaded the compiler meanwhile, which put its own.
        if getattr(method, _REPLACEMENT, None) is method:
            delattr(method, _REPLACEMENT)


def step_uncompiled(optimizer: Optimizer) -> None:
    """Take a step through the optimiser itself, hooks of all kinds included.

    Parameters
    ----------
    optimizer : Optimizer
        Adam, AdamW and SGD do without the compiler where nothing watches their steps;
        with any other the compiler is loaded.
    """
    if _is_loaded() or not _is_unwatched(optimizer):
        optimizer.step()
        return
    with torch.no_grad():
        inspect.unwrap(type(optimizer).step)(optimizer)


def _is_loaded() -> bool:
    return "torch._dynamo" in sys.modules


def _is_unwatched(optimizer: Optimizer) -> bool:
    """Tell whether a step does nothing but update the weights."""
    return (
        type(optimizer) in (Adam, AdamW, SGD)
        and "step" not in vars(optimizer)  # schedulers of PyTorch count the calls
        and not optimizer.defaults.get("differentiable")
        and not optimizer._optimizer_step_pre_hooks
        and not optimizer._optimizer_step_post_hooks
        and not _hooks._global_optimizer_pre_hooks
        and not _hooks._global_optimizer_post_hooks
    )
