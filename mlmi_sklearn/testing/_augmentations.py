"""Checks of augmentations."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ._core import require
from ._subjects import SHAPES, Subject
from ._tensors import TOLERANCE, require_finite, seeded

__all__ = ["AUGMENTATION_CHECKS", "AugmentationSubject"]


class AugmentationSubject(Subject):
    """An augmentation, and a batch of the kind that its tag `input` names."""

    def batch(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return four samples."""
        takes = str(self.part.tags.get("input", "image"))
        with seeded(1):
            return torch.rand(4, *SHAPES.get(takes, (1, 16, 16))).to(dtype)

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
    for dtype in TOLERANCE:
        batch = subject.batch(dtype)
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


AUGMENTATION_CHECKS = [
    check_batch_is_kept,
    check_generator_is_the_only_source,
    check_batch_is_left_alone,
]
