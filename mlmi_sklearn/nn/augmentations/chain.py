"""Several augmentations, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ...components import Component, find_component
from ..trials import try_out

__all__ = ["Augmentation", "Chain", "as_augmentation"]

#: What an augmentation is called with, and gives.
Augmentation = Callable[[Tensor, torch.Generator], Tensor]


class Chain:
    """Augmentations one after the other.

    Parameters
    ----------
    steps : sequence of str or callable
        Names of registered augmentations, or callables ``(batch, generator) -> batch``.

    Raises
    ------
    TypeError
        If a step is neither.
    ComponentNotFoundError
        If there is no augmentation of that name.

    Examples
    --------
    >>> change = Chain(["translation", "cutout"])
    >>> change
    Chain([Translation(ratio=0.125, fill='zeros'), Cutout(ratio=0.5)])
    >>> change(torch.ones(2, 1, 8, 8), torch.Generator()).shape
    torch.Size([2, 1, 8, 8])
    """

    def __init__(self, steps: Sequence[Any]) -> None:
        self.steps: list[Augmentation] = [_step(step) for step in steps]

    def __call__(self, batch: Tensor, generator: torch.Generator) -> Tensor:
        """Return the batch after all steps."""
        for step in self.steps:
            batch = step(batch, generator)
        return batch

    def __repr__(self) -> str:
        return f"Chain({self.steps!r})"


def as_augmentation(value: Any) -> Augmentation | None:
    """Read what a user calls an augmentation.

    Parameters
    ----------
    value : None, str, callable, spec, or sequence of these
        Nothing, a registered name, what can be called, a spec, or several to be applied
        in turn.

    Returns
    -------
    callable or None
        ``(batch, generator) -> batch``; None for None and for an empty sequence.

    Raises
    ------
    TypeError
        If it is none of these.
    ComponentNotFoundError
        If there is no augmentation of that name.

    Examples
    --------
    >>> as_augmentation("flip")
    Flip(axes=(-1,), probability=0.5)
    >>> as_augmentation(["flip", "noise"])
    Chain([Flip(axes=(-1,), probability=0.5), Noise(sd=0.1)])
    >>> as_augmentation(None) is None
    True
    """
    if value is None:
        return None
    if isinstance(value, list | tuple):
        return Chain(value) if value else None
    return _step(value)


def _step(value: Any) -> Augmentation:
    if isinstance(value, str):
        return _tried(find_component("augmentation", value))
    # A spec belongs to an upper layer, so it is known by what it can do.
    if hasattr(value, "component") and hasattr(value, "get_params"):
        return _tried(value.component(), **value.get_params())
    if callable(value):
        return value
    raise TypeError(
        f"an augmentation is a registered name or a callable (batch, generator) -> "
        f"batch, got {type(value).__name__}: {value!r}."
    )


def _tried(part: Component, **params: Any) -> Augmentation:
    """Build an augmentation; one of a plugin is tried out before it is used."""
    return try_out(part, part.build(**params), (part.tags.get("input", "image"),))
