"""Parts that only models of bags have."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ..base.parts import Part
from ..nn.segments import Segments

__all__ = ["build_pooling"]

_CONTRACT = (
    "A pooling is made by a registered name or a callable (in_features, **params) and "
    "maps (values of shape (n_instances, in_features), segments) to (pooled, weights); "
    "it has the attributes out_features and weighted_mean."
)


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
    if not isinstance(part.source, str):
        _try_out(pooling, in_features)
    return pooling


def _try_out(pooling: nn.Module, in_features: int) -> None:
    """Pool two small bags and check the shapes that come out."""
    like = next(pooling.parameters(), torch.empty(0))
    values = torch.zeros(3, in_features, dtype=like.dtype, device=like.device)
    lengths = torch.tensor([2, 1], device=like.device)
    name = type(pooling).__name__
    training = pooling.training
    pooling.eval()
    try:
        with torch.no_grad():
            output: Any = pooling(values, Segments(lengths))
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
