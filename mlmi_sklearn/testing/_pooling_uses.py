"""Checks of poolings that ask for more than features: where the instances are."""

from __future__ import annotations

from typing import Any

import torch

from ..nn.poolings.contract import USES
from ..nn.segments import Segments
from ._core import require
from ._subjects import PoolingSubject
from ._tensors import require_finite

__all__ = ["POOLING_USES_CHECKS"]


def check_uses(subject: PoolingSubject) -> None:
    """`uses` names what there is, on the factory as on the module."""
    module, made = subject.module(), subject.part.load()
    found: Any = getattr(module, "uses", frozenset())
    require(
        isinstance(found, frozenset) and found <= USES,
        f"its attribute uses is {found!r}.",
        f"Make it a frozenset of what it needs, out of: {', '.join(sorted(USES))}.",
    )
    said: Any = getattr(made, "uses", frozenset())
    require(
        said == found,
        f"the module uses {set(found)}, its factory says {set(said)}.",
        "Set uses on the class, or on the function that makes the module, too: it is "
        "asked before there is a module.",
    )


def check_places_matter(subject: PoolingSubject) -> None:
    """A pooling that uses coords gives other results for other places."""
    module, values = subject.module(), subject.inputs()
    if not _uses_coords(module):
        return
    bags = Segments(list(subject.lengths))
    coords = subject.beside(module, values)["coords"]
    before = coords.clone()
    first = module(values, bags, coords=coords)[0]
    second = module(values, bags, coords=coords.roll(5, 0))[0]
    require(
        not torch.allclose(first, second),
        "the results are the same when the instances change places.",
        "Use coords, or remove it from uses.",
    )
    same = torch.equal(coords, before)
    require(same, "it changed coords.", "Avoid in-place operations on them.")


def check_any_places(subject: PoolingSubject) -> None:
    """Places may coincide, lie on a line, far away, or have one or three axes."""
    module, values = subject.module(), subject.inputs()
    if not _uses_coords(module):
        return
    n, bags = len(values), Segments(list(subject.lengths))
    for what, coords in (
        ("all in one place", torch.zeros(n, 2)),
        ("on a line", torch.arange(n).float()[:, None] * torch.tensor([1.0, 0.0])),
        ("a million pixels away", torch.arange(2.0 * n).reshape(n, 2) + 1e6),
        ("with one axis", torch.arange(n).float()[:, None]),
        ("with three axes", torch.arange(3.0 * n).reshape(n, 3)),
    ):
        for tensor in module(values, bags, coords=coords):
            remedy = "Look for a division by a distance of zero."
            require_finite(tensor, f"the result for instances {what}", remedy)


def _uses_coords(module: Any) -> bool:
    return "coords" in getattr(module, "uses", ())


POOLING_USES_CHECKS = [check_uses, check_places_matter, check_any_places]
