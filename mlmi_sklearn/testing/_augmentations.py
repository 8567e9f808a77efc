"""Checks of augmentations."""

from __future__ import annotations

from itertools import product
from typing import Any

import torch
from torch import Tensor

from ._core import fail, require
from ._subjects import SHAPES, Subject, kinds_among
from ._tensors import TOLERANCE, require_close, require_finite, seeded

__all__ = ["AUGMENTATION_CHECKS", "AugmentationSubject"]


# Neither square nor of even sides, and of several channels.
_UNEVEN = {"image": (3, 12, 17), "volume": (2, 5, 8, 7)}

_SEEDS = range(8)


class AugmentationSubject(Subject):
    """An augmentation, and batches of the kinds that its tag `input` names."""

    @property
    def takes(self) -> tuple[str, ...]:
        """What it is for: its tag, images without one."""
        said = self.part.tags.get("input", "image")
        kinds = [said] if isinstance(said, str) else list(said)
        return tuple(kinds_among(kinds, "input", SHAPES))

    def batch(self, dtype: torch.dtype = torch.float32, kind: str = "") -> Tensor:
        """Return four samples, of the first kind unless another is named."""
        with seeded(1):
            shape = SHAPES[kind or self.takes[0]]
            return torch.rand(4, *shape).to(dtype)

    def call(self, change: Any, batch: Tensor, seed: int = 0) -> Tensor:
        """Augment a batch with a generator of its own."""
        found = change(batch, torch.Generator().manual_seed(seed))
        require(
            isinstance(found, Tensor),
            f"it returned a {type(found).__name__}.",
            "Return the changed batch, a tensor.",
        )
        return found


def check_batch_is_kept(subject: AugmentationSubject) -> None:
    """Shape, type and device of the batch stay the same, and values finite."""
    change = subject.build()
    require(callable(change), f"it is a {type(change).__name__}.", "Make it callable.")
    for kind, dtype in product(subject.takes, TOLERANCE):
        batch = subject.batch(dtype, kind)
        for n in (1, 4):
            found = subject.call(change, batch[:n])
            same = (found.shape, found.dtype) == (batch[:n].shape, dtype)
            require(
                same and found.device == batch.device,
                f"{tuple(batch[:n].shape)} of {dtype} became {tuple(found.shape)} of "
                f"{found.dtype}.",
                "Keep shape, type and device.",
            )
            require_finite(found, "the changed batch", "Look for a division by zero.")


def check_generator_is_the_only_source(subject: AugmentationSubject) -> None:
    """It draws from the given generator only."""
    change, batch = subject.build(), subject.batch()
    results = []
    for seed in (1, 2):
        with seeded(seed):
            before = torch.get_rng_state()
            results.append(subject.call(change, batch))
            touched = not torch.equal(before, torch.get_rng_state())
        remedy = "Pass generator=generator to torch.rand and its like."
        require(not touched, "it draws from PyTorch's global generator.", remedy)
    require(
        torch.equal(*results),
        "two calls with generators of one seed differ.",
        "Draw from the given generator, not from numpy's or Python's.",
    )


def check_batch_is_left_alone(subject: AugmentationSubject) -> None:
    """The batch is not written to."""
    change, batch = subject.build(), subject.batch()
    before = batch.clone()
    subject.call(change, batch)
    remedy = "Avoid in-place operations, or work on a clone."
    require(torch.equal(batch, before), "it changed the batch it was given.", remedy)


def check_it_changes_something(subject: AugmentationSubject) -> None:
    """Generators of different seeds give different batches."""
    change, batch = subject.build(), subject.batch()
    found = [subject.call(change, batch, seed) for seed in _SEEDS]
    require(
        any(not torch.equal(one, found[0]) for one in found[1:]),
        f"{len(found)} generators gave the same batch.",
        "Draw from the generator; let the defaults, or the example, change something.",
    )


def check_samples_keep_to_themselves(subject: AugmentationSubject) -> None:
    """What becomes of a sample does not depend on the others of its batch."""
    change, batch = subject.build(), subject.batch()
    other = batch.clone()
    other[0] = 1 - 3 * other[0]
    for seed in _SEEDS:
        alone, beside = (subject.call(change, x, seed)[1:] for x in (batch, other))
        remedy = (
            "Take means and the like over each sample, not over the batch, and do not "
            "mix samples: their labels would no longer be true."
        )
        what = "a sample changes when another one of its batch does"
        require_close(beside, alone, what, remedy)


def check_batch_in_any_layout(subject: AugmentationSubject) -> None:
    """Batches that are not contiguous, or not square, are changed as others are."""
    change, batch = subject.build(), subject.batch()
    strided = batch.transpose(0, -1).contiguous().transpose(0, -1)
    found, expected = (subject.call(change, x) for x in (strided, batch))
    what = "a batch that is not contiguous gives another result"
    require_close(found, expected, what, "Use reshape or flatten instead of view.")
    for kind in set(subject.takes) & set(_UNEVEN):
        with seeded(1):
            uneven = torch.rand(4, *_UNEVEN[kind])
        found = subject.call(change, uneven)
        require(
            found.shape == uneven.shape,
            f"{tuple(uneven.shape)} became {tuple(found.shape)}.",
            "Give each axis its own size.",
        )


def check_gradients_pass_through(subject: AugmentationSubject) -> None:
    """It can be differentiated, twice, as a generator and a penalty need."""
    change, batch = subject.build(), subject.batch(torch.float64).requires_grad_()
    remedy = (
        "Use PyTorch's own operations throughout: no detach(), numpy, rounding or "
        "torch.no_grad()."
    )
    found = subject.call(change, batch)
    require(found.requires_grad, "no gradient reaches the batch.", remedy)
    # Any function of the result, in place of a discriminator.
    with seeded(2):
        weights = torch.randn_like(found).requires_grad_()
    score = (weights * (found + found.square())).sum()
    (slope,) = torch.autograd.grad(score, batch, create_graph=True)
    require_finite(slope, "the gradient of the batch", remedy)
    require(slope.abs().sum() > 0, "the gradient of the batch is zero.", remedy)
    square = slope.square().sum()
    (second,) = torch.autograd.grad(square, weights, allow_unused=True)
    if second is None:
        fail("its gradient cannot be differentiated.", remedy)
    require_finite(second, "the second derivative", remedy)


AUGMENTATION_CHECKS = [
    check_batch_is_kept,
    check_generator_is_the_only_source,
    check_batch_is_left_alone,
    check_it_changes_something,
    check_samples_keep_to_themselves,
    check_batch_in_any_layout,
    check_gradients_pass_through,
]
