"""Parts that only models of several domains have."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ..base.parts import Part
from ..components import find_component

__all__ = ["build_divergence"]

_CONTRACT = (
    "A divergence is made by a registered name or a callable (in_features, **params) "
    "and maps (zs of shape (n, in_features), zt of shape (m, in_features)) to a "
    "scalar; its attribute adversarial says whether it owns a critic."
)


def build_divergence(
    part: Part,
    in_features: int,
    *,
    hidden: Sequence[int] | None = None,
    n_classes: int | None = None,
    n_domains: int = 2,
) -> nn.Module:
    """Build a divergence and make sure that it is one.

    Parameters
    ----------
    part : Part
        The divergence.
    in_features : int
        Width of the features.
    hidden : sequence of int or None, default=None
        Hidden units of its critic, where it has one whose size is not set already.
    n_classes : int or None, default=None
        Number of classes, for divergences that look at predictions; None if there are
        none.
    n_domains : int, default=2
        Number of domains, for divergences that tell several apart.

    Returns
    -------
    nn.Module
        Maps two samples of features to a scalar.

    Raises
    ------
    ValueError, TypeError
        If what was built is no divergence, or not for this task.
    """
    offered = {
        "hidden": None if hidden is None else tuple(hidden),
        "n_classes": n_classes,
        "n_domains": n_domains if n_domains > 2 else None,
    }
    known = _parameters(part)
    extra = {
        name: value
        for name, value in offered.items()
        if name in known and value is not None and part.params.get(name) is None
    }
    divergence: Any = replace(part, params={**part.params, **extra}).build(in_features)
    name = type(divergence).__name__
    if not isinstance(divergence, nn.Module):
        raise TypeError(f"divergence built a {name}, not an nn.Module. {_CONTRACT}")
    if not isinstance(getattr(divergence, "adversarial", None), bool):
        raise TypeError(f"divergence={name} has no attribute adversarial. {_CONTRACT}")
    if n_classes is None and "probabilities" in getattr(divergence, "uses", ()):
        raise ValueError(
            f"divergence={part.source!r} compares predicted classes, which a regressor "
            "does not have. Use one of 'dann', 'mmd', 'coral' and 'wasserstein'."
        )
    if not isinstance(part.source, str):
        _try_out(divergence, in_features)
    return divergence


def _parameters(part: Part) -> set[str]:
    """Return names of the parameters that the factory takes."""
    if isinstance(part.source, str):
        return set(find_component(part.kind, part.source).parameters())
    if isinstance(part.source, nn.Module):
        return set()
    try:
        return set(inspect.signature(part.source).parameters)
    except (TypeError, ValueError):
        return set()


def _try_out(divergence: nn.Module, in_features: int) -> None:
    """Compare two small samples and check the shape that comes out."""
    like = next(divergence.parameters(), torch.empty(0))
    zs = torch.zeros(3, in_features, dtype=like.dtype, device=like.device)
    name = type(divergence).__name__
    try:
        with torch.no_grad():
            value = divergence(zs, zs[:2])
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"divergence={name} cannot compare features of width {in_features}: "
            f"{error}. {_CONTRACT}"
        ) from error
    if not isinstance(value, Tensor) or value.ndim != 0:
        found = tuple(getattr(value, "shape", ())) or type(value).__name__
        raise ValueError(f"divergence={name} must return a scalar, got {found}.")
