"""Checks of backbones."""

from __future__ import annotations

import torch
from torch import Tensor

from ..nn.tasks import StackedForward, use_task_norms
from ._core import require
from ._modules import MODULE_CHECKS, require_width
from ._subjects import BackboneSubject
from ._tensors import TOLERANCE, require_close, require_finite, seeded

__all__ = ["BACKBONE_CHECKS"]


def check_shapes(subject: BackboneSubject) -> None:
    """A batch (B, *input_shape) becomes (B, out_features), for any B."""
    module = subject.module()
    width = require_width(module)
    inputs = subject.inputs()
    for n in (1, 2, 5):
        found = tuple(subject.run(module, inputs[:n])["output"].shape)
        require(
            found == (n, width),
            f"{n} samples of shape {subject.shape} became {found}, and out_features is "
            f"{width}.",
            f"Return ({n}, {width}), or correct out_features; flatten what is left of "
            "height and width.",
        )


def check_companions_do_not_matter(subject: BackboneSubject) -> None:
    """In evaluation mode a sample's features do not depend on the other samples."""
    for dtype, tolerance in TOLERANCE.items():
        module, inputs = subject.module(dtype=dtype), subject.inputs(dtype)
        together = subject.run(module, inputs)["output"]
        alone = [subject.run(module, row[None])["output"] for row in inputs]
        loud = torch.cat([inputs[:1], 1e3 * inputs])
        remedy = (
            "Take statistics of the batch only if self.training, as BatchNorm does."
        )
        what = "features depend on the other samples of the batch"
        require_close(torch.cat(alone), together, what, remedy, tolerance)
        moved = subject.run(module, loud)["output"][:1]
        require_close(moved, together[:1], what, remedy, tolerance)


def check_order_of_rows(subject: BackboneSubject) -> None:
    """Samples in another order give their features in that order."""
    module, inputs = subject.module(), subject.inputs()
    order = torch.tensor([3, 0, 4, 1, 2])
    require_close(
        subject.run(module, inputs[order])["output"],
        subject.run(module, inputs)["output"][order],
        "features do not follow the order of the samples",
        "The first axis is the batch; check reshape, permute and transpose.",
    )


def check_training_mode(subject: BackboneSubject) -> None:
    """It trains on batches of two and of constant input without NaN."""
    for inputs in (subject.inputs()[:2], torch.zeros(3, *subject.shape)):
        with seeded(0):
            output = subject.run(subject.module().train(), inputs)["output"]
        remedy = "Look for a normalisation that divides by a variance of zero."
        require_finite(output, "the output in training mode", remedy)


def check_second_derivatives(subject: BackboneSubject) -> None:
    """Many tasks at once have the meta-gradient that each of them has alone."""
    together, engine = _meta_gradients(subject, "auto")
    if engine == "loop":
        return  # what vmap does not take is computed task by task anyway
    alone, _ = _meta_gradients(subject, "loop")
    for name, gradient in together.items():
        require_close(
            gradient,
            alone[name],
            f"the second-order gradient of {name!r} for two tasks at once differs from "
            "that of one after the other",
            "A fused kernel may have a wrong second derivative; write the layer out in "
            "plain operations, or make it raise under torch.func.vmap.",
            1e-9,
        )


def _meta_gradients(
    subject: BackboneSubject, engine: str
) -> tuple[dict[str, Tensor], str]:
    """Return gradients through one inner step of MAML, and how they were computed."""
    module = use_task_norms(subject.module(dtype=torch.float64), "transductive")
    forward = StackedForward(module, engine)
    start = {k: p for k, p in module.named_parameters() if p.requires_grad}
    if not start:
        return {}, "loop"
    fixed = {k: p for k, p in module.named_parameters() if not p.requires_grad}
    stacked = {k: p.expand(2, *p.shape) for k, p in {**start, **fixed}.items()}
    x = subject.inputs(torch.float64)[:4].unflatten(0, (2, 2))
    inner = _waves(forward(stacked, x))
    slopes = torch.autograd.grad(
        inner, [stacked[k] for k in start], create_graph=True, allow_unused=True
    )
    moved = {
        k: stacked[k] if g is None else stacked[k] - 0.1 * g
        for k, g in zip(start, slopes, strict=True)
    }
    outer = _waves(forward({**stacked, **moved}, x.flip(1)))
    found = torch.autograd.grad(outer, list(start.values()), allow_unused=True)
    pairs = zip(start, found, strict=True)
    return {k: g for k, g in pairs if g is not None}, forward.engine


def _waves(z: Tensor) -> Tensor:
    """Return a curved function of features, no two of which count alike."""
    wave = torch.arange(z.numel(), dtype=z.dtype).cos().reshape(z.shape)
    return (z * wave).sum() + (z - wave).square().mean()


BACKBONE_CHECKS = [
    check_shapes,
    *MODULE_CHECKS,
    check_companions_do_not_matter,
    check_order_of_rows,
    check_training_mode,
    check_second_derivatives,
]
