"""Building a net from what a file says, without believing how large it is to be."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ..exceptions import PersistenceError

__all__ = ["limited_allocations"]

# Elements and operations that are always allowed: a few buffers, a pass on one sample.
_ELEMENTS = 2**24
_OPERATIONS = 10_000


class _Budget(TorchDispatchMode):
    """Look at the size of every new tensor before it is made."""

    def __init__(self, elements: int, operations: int) -> None:
        super().__init__()
        self.elements, self.operations = elements, operations

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        self.operations -= 1
        self.elements -= _new_elements(func, args, kwargs)
        if self.elements < 0 or self.operations < 0:
            raise PersistenceError(
                "the net that the file describes is far larger than the weights that "
                "it holds."
            )
        return func(*args, **kwargs)


def _new_elements(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """Return how many elements a call of an operator makes out of nothing."""
    named = zip((a.name for a in func._schema.arguments), args, strict=False)
    given = {**dict(named), **kwargs}
    if isinstance(given.get("size"), list | tuple):
        return math.prod(int(n) for n in given["size"])
    if "end" in given and func._overloadpacket is torch.ops.aten.arange:
        start, step = given.get("start", 0), given.get("step", 1)
        return max(0, math.ceil((given["end"] - start) / step))
    if func._overloadpacket is torch.ops.aten.eye:
        return int(given["n"]) * int(given.get("m", given["n"]))
    counts = [given[k] for k in ("steps", "n") if isinstance(given.get(k), int)]
    return math.prod(counts) if counts else 0


@contextmanager
def limited_allocations(weights: Iterable[Any]) -> Iterator[None]:
    """Let nets be built that are not much larger than given weights.

    Parameters
    ----------
    weights : iterable of ndarray
        The weights that the net is to have.

    Raises
    ------
    PersistenceError
        Within the block, before the memory for a larger one is taken.
    """
    sizes = [int(array.size) for array in weights]
    # Weights, their initial values, and the same of an optimiser, in several steps.
    budget = _Budget(_ELEMENTS + 20 * sum(sizes), _OPERATIONS + 1000 * len(sizes))
    with budget:
        yield
