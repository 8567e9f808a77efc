"""Checks of generators."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..components.component import describe_error
from ._core import fail, require
from ._modules import MODULE_CHECKS
from ._subjects import ModuleSubject
from ._tensors import TOLERANCE, require_close, require_finite, seeded

__all__ = ["GENERATOR_CHECKS", "GeneratorSubject"]

# Shapes of a sample for each value of the tag "output"; the first is the standard one.
_SHAPES: dict[str, tuple[tuple[int, ...], ...]] = {
    "vector": ((6,), (1,)),
    "image": ((1, 8, 12), (2, 9, 5)),
    "volume": ((1, 6, 5, 8),),
}
_LATENT, _VECTOR, _MAPS = 4, 3, 2


@dataclass(frozen=True)
class Case:
    """What a generator is built for.

    Parameters
    ----------
    shape : tuple of int
        Shape of a sample.
    vector, maps : int
        Sizes of the conditions.
    """

    shape: tuple[int, ...]
    vector: int
    maps: int

    @property
    def label(self) -> str:
        """Arguments of the factory, in words."""
        return (
            f"output_shape={self.shape}, vector_size={self.vector}, "
            f"map_channels={self.maps}"
        )

    def conditions(
        self, rows: int, dtype: torch.dtype = torch.float32, seed: int = 2
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return random conditions, None for those of size zero."""
        with seeded(seed):
            vector = torch.randn(rows, self.vector, dtype=torch.float64)
            maps = torch.randn(rows, self.maps, *self.shape[1:], dtype=torch.float64)
        return (
            vector.to(dtype) if self.vector else None,
            maps.to(dtype) if self.maps else None,
        )


class GeneratorSubject(ModuleSubject):
    """A generator; the tags `output` and `maps` say what it is built for."""

    @property
    def params(self) -> dict[str, Any]:
        """Keyword arguments of the factory, apart from the sizes."""
        sizes = ("latent_dim", "output_shape", "vector_size", "map_channels")
        return {k: v for k, v in self.part.example.items() if k not in sizes}

    @property
    def latent_dim(self) -> int:
        """Columns of z that are not noise."""
        return int(self.part.example.get("latent_dim", _LATENT))

    def cases(self) -> Iterator[Case]:
        """Yield every output and condition that the tags promise."""
        for shape in self._shapes():
            for vector in (0, _VECTOR):
                for maps in self._maps(shape):
                    yield Case(shape, vector, maps)

    @property
    def case(self) -> Case:
        """The standard case, with all conditions it takes."""
        shape = self._shapes()[0]
        return Case(shape, _VECTOR, self._maps(shape)[-1])

    def _shapes(self) -> list[tuple[int, ...]]:
        given = self.part.example.get("output_shape")
        if given is not None:
            return [tuple(given)]
        tag = self.part.tags.get("output", "vector")
        kinds = [tag] if isinstance(tag, str) else list(tag)
        unknown = [kind for kind in kinds if kind not in _SHAPES]
        require(
            not unknown and kinds,
            f"its tag output is {tag!r}.",
            f"Say one or several of {list(_SHAPES)}.",
        )
        return [shape for kind in kinds for shape in _SHAPES[kind]]

    def _maps(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        tag = self.part.tags.get("maps", "optional" if len(shape) > 1 else "none")
        sizes = {"none": (0,), "optional": (0, _MAPS), "required": (_MAPS,)}
        require(tag in sizes, f"its tag maps is {tag!r}.", f"Say one of {list(sizes)}.")
        return sizes[tag]

    def make(self, seed: int) -> Any:
        """Build the generator for the standard case."""
        return self.make_for(self.case, seed)

    def make_for(self, case: Case, seed: int = 0) -> Any:
        """Build the generator as estimators do."""
        sizes = self.latent_dim, case.shape, case.vector, case.maps
        module = self.build(*sizes, seed=seed)
        noise = getattr(module, "noise_features", 0)
        good = isinstance(noise, int) and not isinstance(noise, bool) and noise >= 0
        require(
            good,
            f"its attribute noise_features is {noise!r}.",
            "Say how many further columns of z it wants, an int, or leave it out.",
        )
        return module

    def z(
        self, module: Any, rows: int = 5, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """Return random numbers for a generator."""
        width = self.latent_dim + int(getattr(module, "noise_features", 0))
        with seeded(1):
            return torch.randn(rows, width, dtype=torch.float64).to(dtype)

    def inputs(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return random numbers for the standard case."""
        return self.z(self.make(0), dtype=dtype)

    def keywords(self, inputs: Tensor) -> tuple[Any, ...]:
        """Return random numbers and conditions of the standard case."""
        return inputs, *self.case.conditions(len(inputs), inputs.dtype)

    def named(self, output: Any) -> dict[str, Tensor]:
        """Make sure that there is one tensor."""
        require(
            isinstance(output, Tensor),
            f"forward returned a {type(output).__name__}.",
            "Return one tensor of shape (B, *output_shape).",
        )
        return {"output": output}

    def run(self, module: Any, inputs: Tensor) -> dict[str, Tensor]:
        """Call the generator with the standard conditions."""
        return self.named(module(*self.keywords(inputs)))


def check_output_shapes(subject: GeneratorSubject) -> None:
    """Every output and condition that the tags promise is made, for any B."""
    for case in subject.cases():
        module = subject.make_for(case).eval()
        for n in (1, 2, 5):
            out = subject.named(module(subject.z(module, n), *case.conditions(n)))
            found = tuple(out["output"].shape)
            require(
                found == (n, *case.shape),
                f"{n} rows of z became {found} for {case.label}.",
                f"Return {(n, *case.shape)}.",
            )
            require_finite(out["output"], "the output", "Look for a division by zero.")


def check_rows_are_independent(subject: GeneratorSubject) -> None:
    """In evaluation mode a row depends on its own z and condition alone."""
    for dtype, tolerance in TOLERANCE.items():
        module, inputs = subject.module(dtype=dtype), subject.inputs(dtype)
        z, vector, maps = subject.keywords(inputs)
        with seeded(0), torch.no_grad():
            for _ in range(3):  # running statistics that are not those at the start
                module.train()(z, vector, maps)
            module.eval()
            together = module(z, vector, maps)
            alone = [module(*_row((z, vector, maps), i)) for i in range(len(z))]
            same = module(z, *_repeated((vector, maps), len(z)))
        remedy = (
            "Take statistics of the batch only if self.training, as BatchNorm does."
        )
        what = "a row depends on the others of its batch"
        require_close(torch.cat(alone), together, what, remedy, tolerance)
        what = "a row is another one where all have the same condition"
        require_close(same[:1], together[:1], what, remedy, tolerance)


def check_conditions_count(subject: GeneratorSubject) -> None:
    """The output depends on z, on noise, and on each condition."""
    for case in subject.cases():
        module = subject.make_for(case).train()
        z, conditions = subject.z(module), case.conditions(5)
        named = dict(zip(("z", "vector", "maps"), (z, *conditions), strict=True))
        given = {k: v.requires_grad_() for k, v in named.items() if v is not None}
        with seeded(0):
            output = module(*named.values())
            (output * torch.randn(output.shape)).sum().backward()
        for name, tensor in given.items():
            slope = tensor.grad
            remedy = f"Use {name} in forward; look for detach() and .data."
            used = slope is not None and bool(_by_channel(slope).all())
            require(
                used or not tensor.numel(),
                f"some columns or channels of {name} have no influence for "
                f"{case.label}.",
                remedy,
            )
            if slope is not None:
                require_finite(slope, f"the gradient of {name}", remedy)


def check_chance_is_in_z(subject: GeneratorSubject) -> None:
    """In evaluation mode it draws no random numbers of its own."""
    module, inputs = subject.module(), subject.inputs()
    with seeded(1):
        before = torch.get_rng_state()
        subject.run(module, inputs)
        touched = not torch.equal(before, torch.get_rng_state())
    require(
        not touched,
        "it draws from PyTorch's global generator in evaluation mode.",
        "Ask for further columns of z by noise_features, and use those.",
    )


def check_small_batches(subject: GeneratorSubject) -> None:
    """It trains on batches of two and on constant conditions without NaN."""
    module, inputs = subject.module().train(), subject.inputs()[:2]
    z, vector, maps = subject.keywords(inputs)
    with seeded(0):
        output = module(z, *_repeated((vector, maps), 2))
        output.sum().backward()
    remedy = "Look for a normalisation that divides by a variance of zero."
    require_finite(output, "the output in training mode", remedy)
    for name, parameter in module.named_parameters():
        if parameter.grad is not None:
            require_finite(parameter.grad, f"the gradient of {name!r}", remedy)


def check_wrong_shapes(subject: GeneratorSubject) -> None:
    """A tensor that is missing or has another shape is a ValueError that names it."""
    case = subject.case
    module = subject.module()
    z = subject.z(module)
    vector, maps = case.conditions(5)
    tries: list[tuple[str, tuple[Any, ...]]] = [
        ("z", (torch.cat([z, z[:, :1]], 1), vector, maps)),
        ("z", (z[0], vector, maps)),
        ("vector", (z, None, maps)),
        ("vector", (z, torch.randn(5, case.vector + 1), maps)),
        ("vector", (z, torch.randn(4, case.vector), maps)),
    ]
    if maps is not None:
        tries += [
            ("maps", (z, vector, None)),
            ("maps", (z, vector, maps[:, :1])),
            ("maps", (z, vector, maps[..., :-1])),
        ]
    for name, arguments in tries:
        _require_error(module, name, arguments)


def _require_error(module: Any, name: str, arguments: tuple[Any, ...]) -> None:
    """Fail unless a call ends in a ValueError that names the argument."""
    shown = next(
        a for n, a in zip(("z", "vector", "maps"), arguments, strict=True) if n == name
    )
    what = "None" if shown is None else f"shape {tuple(shown.shape)}"
    remedy = (
        f"Compare its shape and raise ValueError('{name} must have shape ...'), or "
        "derive from mlmi_sklearn.nn.generators.Generator, which does."
    )
    try:
        module(*arguments)
    except ValueError as error:
        require(
            name in str(error),
            f"the error for {name} of {what} does not name it: {error}",
            remedy,
        )
    except Exception as error:
        fail(f"{name} of {what} ends in {describe_error(error)}.", remedy)
    else:
        fail(f"{name} of {what} is taken without an error.", remedy)


def _by_channel(slope: Tensor) -> Tensor:
    """Return how much each column or channel counts over all rows and places."""
    return slope.abs().sum([axis for axis in range(slope.ndim) if axis != 1])


def _row(tensors: tuple[Any, ...], i: int) -> tuple[Any, ...]:
    """Return one row of each tensor that is there."""
    return tuple(None if t is None else t[i : i + 1] for t in tensors)


def _repeated(tensors: tuple[Any, ...], rows: int) -> tuple[Any, ...]:
    """Return the first row of each tensor that is there, again and again."""
    return tuple(
        None if t is None else t[:1].expand(rows, *t.shape[1:]) for t in tensors
    )


GENERATOR_CHECKS = [
    check_output_shapes,
    *MODULE_CHECKS,
    check_rows_are_independent,
    check_conditions_count,
    check_chance_is_in_z,
    check_small_batches,
    check_wrong_shapes,
]
