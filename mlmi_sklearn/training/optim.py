"""Optimisers and learning-rate schedules by name."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import optim

from ..components import did_you_mean

__all__ = [
    "OPTIMIZERS",
    "SCHEDULES",
    "optimizer_options",
    "resolve_optimizer",
    "resolve_schedule",
]

Schedule = Callable[[float], float]

OPTIMIZERS: dict[str, type[optim.Optimizer]] = {
    cls.__name__.lower(): cls
    for cls in vars(optim).values()
    if inspect.isclass(cls)
    and issubclass(cls, optim.Optimizer)
    # These need a closure, sparse gradients or 2-D weights only.
    and cls.__name__ not in {"Optimizer", "LBFGS", "SparseAdam", "Muon"}
}


def _constant(progress: float) -> float:
    return 1.0


def _linear(progress: float) -> float:
    return 1.0 - progress


def _cosine(progress: float) -> float:
    return 0.5 * (1.0 + math.cos(math.pi * progress))


def _warmup_cosine(progress: float) -> float:
    if progress < 0.05:
        return (progress + 0.005) / 0.055
    return _cosine((progress - 0.05) / 0.95)


def _ganin(progress: float) -> float:
    return (1.0 + 10.0 * progress) ** -0.75


def _exponential(progress: float) -> float:
    return 0.01**progress


SCHEDULES: dict[str, Schedule] = {
    "constant": _constant,
    "linear": _linear,
    "cosine": _cosine,
    "warmup-cosine": _warmup_cosine,
    "ganin": _ganin,
    "exponential": _exponential,
}
"""Factor on ``lr`` against the share of training done, from 0 to 1.

``"ganin"`` is (1 + 10 p) ** -0.75 of Ganin et al. (2016), section 5.2.2;
``"exponential"`` ends at a hundredth of ``lr``; ``"warmup-cosine"`` rises over the
first twentieth."""


def resolve_optimizer(optimizer: object) -> Callable[..., optim.Optimizer]:
    """Find an optimiser by name, or pass a class or factory through.

    Parameters
    ----------
    optimizer : str or callable
        Lower-case name of a class of :mod:`torch.optim` (``"adamw"``, ``"sgd"``), or
        a callable ``(params, lr=..., weight_decay=...) -> Optimizer``.

    Returns
    -------
    callable
        The class or factory.

    Raises
    ------
    ValueError
        If the name is unknown.

    Examples
    --------
    >>> resolve_optimizer("adamw").__name__
    'AdamW'
    """
    if isinstance(optimizer, str):
        return _lookup("optimizer", optimizer.lower(), OPTIMIZERS)
    if callable(optimizer):
        return optimizer
    raise TypeError(
        f"optimizer must be a name or a callable, got {type(optimizer).__name__}."
    )


def optimizer_options(
    factory: Callable[..., object],
    weight_decay: float,
    parameters: Iterable[torch.Tensor],
    momentum: float | None = None,
) -> dict[str, Any]:
    """Keyword arguments that ``factory`` understands.

    The fused form does one kernel call a step instead of one for each tensor, which
    for small nets halves the time of a step; it is chosen where it is supported.
    """
    accepted = _accepted(factory)
    options: dict[str, Any] = {}
    if "weight_decay" in accepted:
        options["weight_decay"] = weight_decay
    if momentum is not None and "momentum" in accepted:
        options["momentum"] = momentum
    fused_ok = all(
        p.is_floating_point() and p.device.type in ("cpu", "cuda") for p in parameters
    )
    if "fused" in accepted and fused_ok:
        options["fused"] = True
    return options


def resolve_schedule(schedule: object) -> Schedule | None:
    """Find a schedule by name; None means a constant rate.

    Parameters
    ----------
    schedule : str or callable
        A name in :data:`SCHEDULES`, or a callable from the share of training done
        (0 to 1) to a factor on ``lr``.

    Returns
    -------
    callable or None
        The schedule.

    Examples
    --------
    >>> resolve_schedule("cosine")(0.5)
    0.5
    """
    if schedule == "constant":
        return None
    if isinstance(schedule, str):
        return _lookup("lr_schedule", schedule, SCHEDULES)
    if callable(schedule):
        return schedule
    raise TypeError(
        f"lr_schedule must be a name or a callable, got {type(schedule).__name__}."
    )


def _accepted(factory: Callable[..., object]) -> set[str]:
    parameters = inspect.signature(factory).parameters
    # A functools.partial that fixes a keyword has had its say.
    fixed = getattr(factory, "keywords", {})
    return {name for name in parameters if name not in fixed}


def _lookup(argument: str, name: str, table: dict[str, Any]) -> Any:
    if name in table:
        return table[name]
    hint = did_you_mean(name, table)
    raise ValueError(
        f"{argument}={name!r} is not known.{hint} Known names: {sorted(table)}."
    )
