"""Parts that only models of bags have."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..base.parts import Part
from ..components import find_component
from ..nn.poolings.contract import USES
from ..nn.segments import Segments

__all__ = ["build_pooling", "fields_used", "name_of"]

_CONTRACT = (
    "A pooling is made by a registered name or a callable (in_features, **params) and "
    "maps (values of shape (n_instances, in_features), segments) to (pooled, weights); "
    "it has the attributes out_features and weighted_mean."
)


def fields_used(part: Part) -> frozenset[str]:
    """Tell what a pooling is told of instances beside their features.

    Parameters
    ----------
    part : Part
        The pooling, not built yet.

    Returns
    -------
    frozenset of str
        The attribute ``uses`` of its factory.

    Raises
    ------
    ValueError
        If it wants what there is not.

    Examples
    --------
    >>> fields_used(Part("pooling", "mean"))
    frozenset()
    """
    made = _unwrapped(part.source)
    if isinstance(made, str):
        made = find_component("pooling", made).load()
    uses = frozenset(getattr(made, "uses", ()))
    if not uses <= USES:
        raise ValueError(
            f"pooling={name_of(part)!r} names {sorted(uses - USES)} in its attribute "
            f"uses, where only {', '.join(sorted(USES))} can stand."
        )
    return uses


def name_of(part: Part) -> str:
    """Name a pooling as messages do.

    Parameters
    ----------
    part : Part
        The pooling.

    Returns
    -------
    str
        Registered name, or name of the class or function.

    Examples
    --------
    >>> name_of(Part("pooling", "mlmi-sklearn:mean"))
    'mean'
    """
    made = _unwrapped(part.source)
    if isinstance(made, str):
        return find_component("pooling", made).name
    return str(getattr(made, "__name__", type(made).__name__))


def _unwrapped(made: Any) -> Any:
    while isinstance(made, partial):
        made = made.func
    return made


def build_pooling(
    part: Part, in_features: int, n_outputs: int | None = None
) -> nn.Module:
    """Build a pooling and make sure that it is one.

    Parameters
    ----------
    part : Part
        The pooling.
    in_features : int
        Width of what is pooled.
    n_outputs : int, optional
        Scores of a bag, for a pooling that owns its head.

    Returns
    -------
    nn.Module
        Maps (values (N, in_features), Segments) to (pooled (B, out_features),
        weights (N,)).

    Raises
    ------
    ValueError, TypeError
        If what was built is no pooling, or not for this width.
    """
    if n_outputs is not None:
        part = replace(part, params={**part.params, "n_outputs": n_outputs})
    pooling = part.build(in_features)
    name = type(pooling).__name__
    if not isinstance(pooling, nn.Module):
        raise TypeError(f"pooling built a {name}, not an nn.Module. {_CONTRACT}")
    missing = [a for a in ("out_features", "weighted_mean") if not hasattr(pooling, a)]
    if missing:
        raise TypeError(
            f"pooling={name} has no attribute {' and no '.join(missing)}. {_CONTRACT}"
        )
    if frozenset(getattr(pooling, "uses", ())) != fields_used(part):
        raise TypeError(
            f"pooling={name} has another attribute uses than what builds it. Set it on "
            "the class, or on the function that makes the module, too."
        )
    if not isinstance(part.source, str):
        _try_out(pooling, in_features)
    return pooling


def _try_out(pooling: nn.Module, in_features: int) -> None:
    """Pool two small bags and check the shapes that come out."""
    like = next(pooling.parameters(), torch.empty(0))
    values = torch.zeros(3, in_features, dtype=like.dtype, device=like.device)
    lengths = torch.tensor([2, 1], device=like.device)
    beside = {key: values.new_zeros(3, 2) for key in getattr(pooling, "uses", ())}
    name = type(pooling).__name__
    training = pooling.training
    pooling.eval()
    try:
        with torch.no_grad():
            output: Any = pooling(values, Segments(lengths), **beside)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"pooling={name} cannot pool values of shape {tuple(values.shape)}: "
            f"{error}. {_CONTRACT}"
        ) from error
    finally:
        pooling.train(training)
    expected = [(2, pooling.out_features), (3,)]
    found = [tuple(t.shape) for t in output if isinstance(t, Tensor)]
    if not isinstance(output, tuple) or found != expected:
        raise ValueError(
            f"pooling={name} must return (pooled, weights) of shapes {expected} for "
            f"two bags of two and one instances, got {found}. {_CONTRACT}"
        )
