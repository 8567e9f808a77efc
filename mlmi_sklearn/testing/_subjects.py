"""Components under examination: how they are built and fed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..components import Component
from ..nn.segments import Segments
from ._core import fail_with, require
from ._tensors import seeded

__all__ = [
    "SHAPES",
    "BackboneSubject",
    "ModuleSubject",
    "PoolingSubject",
    "Subject",
    "kinds_among",
    "label_of",
]

#: Shape of a sample for each value of the tag "input".
SHAPES: dict[str, tuple[int, ...]] = {
    "vector": (20,),
    "image": (1, 16, 16),
    "volume": (1, 8, 8, 8),
    "sequence": (6, 10),
}


def kinds_among(found: list[Any], tag: str, known: Iterable[str]) -> list[str]:
    """Return the values of a tag, or fail for one that nobody knows."""
    good = bool(found) and all(kind in known for kind in found)
    said = found[0] if len(found) == 1 else found
    require(good, f"its tag {tag} is {said!r}.", f"Say one or several of {[*known]}.")
    return found


def label_of(part: Component) -> str:
    """Name a component with its distribution, as messages do."""
    return f"{part.label} of {part.dist!r}"


@dataclass(frozen=True)
class Subject:
    """A component and what it is built with: its registered `example`."""

    part: Component

    @property
    def params(self) -> dict[str, Any]:
        """Keyword arguments of the factory."""
        return dict(self.part.example)

    def build(self, *sizes: Any, seed: int = 0, **changes: Any) -> Any:
        """Build the component under a seed."""
        with seeded(seed):
            return self.part.build(*sizes, **{**self.params, **changes})


class ModuleSubject(Subject):
    """A component that is a module, with inputs and named outputs."""

    def module(self, seed: int = 0, dtype: torch.dtype = torch.float32) -> Any:
        """Build the module in evaluation mode."""
        module = self.make(seed)
        require(
            isinstance(module, nn.Module),
            f"its factory returned a {type(module).__name__}.",
            "Return a torch.nn.Module.",
        )
        return module.eval().to(dtype)

    @abstractmethod
    def make(self, seed: int) -> Any:
        """Call the factory."""

    @abstractmethod
    def inputs(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return one batch."""

    @abstractmethod
    def run(self, module: Any, inputs: Tensor) -> dict[str, Tensor]:
        """Call the module and name its outputs."""

    def keywords(self, inputs: Tensor) -> tuple[Any, ...]:
        """Return the positional arguments that stand for a batch."""
        return (inputs,)

    def beside(self, module: Any, inputs: Tensor) -> dict[str, Tensor]:
        """Return the keyword arguments that go with a batch."""
        return {}

    @abstractmethod
    def named(self, output: Any) -> dict[str, Tensor]:
        """Name what the module returned."""


class BackboneSubject(ModuleSubject):
    """A backbone; the shape of a sample is that of the example, or of its tag."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        given = self.part.example.get("input_shape")
        if given is not None:
            return tuple(given)
        takes = self.part.tags.get("input", "vector")
        kinds = [takes] if isinstance(takes, str) else list(takes)
        return SHAPES[kinds_among(kinds, "input", SHAPES)[0]]

    @property
    def params(self) -> dict[str, Any]:
        """Keyword arguments of the factory, apart from the shape."""
        return {k: v for k, v in self.part.example.items() if k != "input_shape"}

    def make(self, seed: int) -> Any:
        """Build the backbone for the shape."""
        return self.build(self.shape, seed=seed)

    def inputs(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return five samples."""
        with seeded(1):
            return torch.randn(5, *self.shape, dtype=torch.float64).to(dtype)

    def named(self, output: Any) -> dict[str, Tensor]:
        """Make sure that there is one tensor."""
        require(
            isinstance(output, Tensor),
            f"forward returned a {type(output).__name__}.",
            "Return one tensor of shape (B, out_features).",
        )
        return {"output": output}

    def run(self, module: Any, inputs: Tensor) -> dict[str, Tensor]:
        """Call the backbone."""
        try:
            return self.named(module(inputs))
        except Exception as error:
            fail_with(
                error,
                f"built for samples of shape {self.shape}, a batch of shape "
                f"{tuple(inputs.shape)}",
                "Build it for any input_shape, or name one that it takes: "
                "register(..., example={'input_shape': ...}).",
            )


class PoolingSubject(ModuleSubject):
    """A pooling; bags of many sizes go in."""

    lengths = (3, 1, 17, 2, 50, 1, 8)

    @property
    def width(self) -> int:
        """Width of the values."""
        return int(self.part.example.get("in_features", 8))

    @property
    def params(self) -> dict[str, Any]:
        """Keyword arguments of the factory, apart from the width."""
        return {k: v for k, v in self.part.example.items() if k != "in_features"}

    def make(self, seed: int) -> Any:
        """Build the pooling for the width."""
        return self.build(self.width, seed=seed)

    def inputs(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return the instances of all bags, no two values alike."""
        return self.values(sum(self.lengths), dtype=dtype)

    def values(
        self,
        n: int,
        width: int | None = None,
        seed: int = 1,
        dtype: torch.dtype = torch.float32,
    ) -> Tensor:
        """Return n random instances."""
        with seeded(seed):
            shape = (n, self.width if width is None else width)
            return 2 * torch.randn(shape, dtype=torch.float64).to(dtype)

    def beside(self, module: Any, inputs: Tensor) -> dict[str, Tensor]:
        """Return what the pooling `uses` of instances, by keyword.

        It is a function of the values, so that it follows them in any order and batch.
        Places are rounded, so that some instances share one and distances tie.
        """
        if "coords" not in getattr(module, "uses", ()):
            return {}
        return {"coords": (2 * inputs.detach()[:, [0, -1]]).round()}

    def keywords(self, inputs: Tensor) -> tuple[Any, ...]:
        """Return the instances and where the bags are."""
        return inputs, Segments(list(self.lengths))

    def named(self, output: Any) -> dict[str, Tensor]:
        """Make sure that there are two tensors."""
        pair = isinstance(output, tuple) and len(output) == 2
        require(
            pair and all(isinstance(part, Tensor) for part in output),
            f"forward returned {_describe(output)}.",
            "Return a tuple of two tensors, (pooled (B, out_features), weights (N,)).",
        )
        return dict(zip(("pooled", "weights"), output, strict=True))

    def run(self, module: Any, inputs: Tensor) -> dict[str, Tensor]:
        """Pool the standard bags."""
        return self.pool(module, inputs, list(self.lengths))

    def pool(self, module: Any, values: Tensor, lengths: Any) -> dict[str, Tensor]:
        """Pool any bags."""
        return self.named(self.call(module, values, Segments(lengths)))

    def call(
        self, function: Any, values: Tensor, bags: Segments, *arguments: Any
    ) -> Any:
        """Call the module, or a method of it, with all that it uses."""
        beside = self.beside(getattr(function, "__self__", function), values)
        return function(values, bags, *arguments, **beside)


def _describe(output: Any) -> str:
    if isinstance(output, tuple | list):
        inner = ", ".join(type(part).__name__ for part in output)
        return f"a {type(output).__name__} of ({inner})"
    return f"a {type(output).__name__}"
