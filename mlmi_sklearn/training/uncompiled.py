"""Optimisers in a process that never loads PyTorch's compiler.

Some methods of ``torch.optim.Optimizer`` import ``torch._dynamo`` when they are first
called, only to tell it that they are not to be compiled. In a fresh process this takes
longer than many a fit: a second or more, in every worker of a cluster again. Who has
loaded the compiler already, or compiles, notices nothing of what is here.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim import optimizer as _hooks

__all__ = ["step_uncompiled", "without_compiler"]

# Where PyTorch keeps what it calls in place of a function that is not to be compiled.
_REPLACEMENT = "__dynamo_disable"


@contextmanager
def without_compiler() -> Iterator[None]:
    """Make optimisers, or read their state, without loading the compiler.

    Within, and until the compiler is loaded, the marked methods call what they mark.

    Examples
    --------
    >>> with without_compiler():
    ...     optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(2))])
    """
    free = [] if _is_loaded() else [m for m in _marked() if not _is_replaced(m)]
    for method in free:
        setattr(method, _REPLACEMENT, method)
    try:
        yield
    finally:
        for method in free:
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


def _marked() -> list[Callable[..., Any]]:
    """Return the methods that PyTorch hides from its compiler, as they were written."""
    names = ("add_param_group", "state_dict", "load_state_dict", "zero_grad")
    methods = (getattr(Optimizer, name) for name in names)
    return [m.__wrapped__ for m in methods if hasattr(m, "__wrapped__")]


def _is_replaced(method: Callable[..., Any]) -> bool:
    return hasattr(method, _REPLACEMENT)


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
