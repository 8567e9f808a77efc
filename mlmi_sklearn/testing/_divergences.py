"""Checks of divergences, adversarial losses and augmentations."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ._core import fail, fail_with, require
from ._divergence_keywords import DIVERGENCE_KEYWORD_CHECKS
from ._divergence_subject import DivergenceSubject, describe
from ._subjects import Subject
from ._tensors import (
    TOLERANCE,
    require_close,
    require_finite,
    require_gradients,
    seeded,
)

__all__ = ["ADVERSARIAL_CHECKS", "DIVERGENCE_CHECKS", "DivergenceSubject"]


def check_attribute(subject: DivergenceSubject) -> None:
    """Its attribute adversarial says whether it owns a critic."""
    module = subject.module()
    found = getattr(module, "adversarial", None)
    require(
        isinstance(found, bool),
        f"its attribute adversarial is {found!r}.",
        "Set adversarial = True if it has a critic that is trained against the "
        "features, else False.",
    )
    has = any(p.requires_grad for p in module.parameters())
    require(has or not found, "adversarial is True, but it has no parameters.")


def check_scalar(subject: DivergenceSubject) -> None:
    """Samples of any sizes give a finite scalar of their type."""
    for dtype in TOLERANCE:
        module = subject.module(dtype)
        for n, m in ((8, 8), (16, 5), (5, 16), (1, 3), (1, 1)):
            zs, zt = subject.sample(n, 1).to(dtype), subject.sample(m, 2).to(dtype)
            value = subject.between(module, zs, zt)
            require_finite(value, f"its value for {n} and {m} rows", "Look for 0 / 0.")
            wrong = f"features of {dtype} gave {value.dtype}."
            require(value.dtype == dtype, wrong, "Keep the type of zs.")


def check_zero_for_equal_samples(subject: DivergenceSubject) -> None:
    """Without a critic, it is about 0 for equal samples and grows with a shift."""
    module = subject.module()
    if getattr(module, "adversarial", False):
        return
    zs = subject.sample(64, 1)
    equal = float(subject.between(module, zs, zs.clone()).detach())
    near = float(subject.between(module, zs, subject.sample(64, 2)).detach())
    # Twice the spread for one, since covariances do not see a shift of the mean.
    other = 3 * subject.sample(64, 2) + 3
    far = float(subject.between(module, zs, other).detach())
    require(
        abs(equal) <= 0.05 * max(abs(far), 1e-6),
        f"it is {equal:.3g} for equal samples and {far:.3g} for distant ones.",
        "Subtract what it is for equal samples; watch out for biased estimates.",
    )
    require(
        far > near,
        f"it is {near:.3g} for two samples of one distribution and {far:.3g} for "
        "samples of two.",
        "It should be larger for samples of two distributions.",
    )


def check_order_of_rows_of_samples(subject: DivergenceSubject) -> None:
    """The order of rows does not matter, and rows are not paired."""
    module = subject.module()
    zs, zt = subject.sample(9, 1), subject.sample(9, 2, 1.0)
    order = torch.arange(9).flip(0)
    require_close(
        subject.between(module, zs, zt[order]),
        subject.between(module, zs, zt),
        "it depends on the order of the rows",
        "Compare the samples as sets, not row by row.",
        1e-4,
    )


def check_gradients_of_both(subject: DivergenceSubject) -> None:
    """Finite gradients reach both samples and every parameter."""
    module = subject.module().train()
    zs = subject.sample(9, 1).requires_grad_()
    zt = subject.sample(7, 2, 1.0).requires_grad_()
    subject.between(module, zs, zt).backward()
    for tensor in (zs, zt):
        require_gradients(module, tensor)


def check_samples_are_left_alone(subject: DivergenceSubject) -> None:
    """The samples are not written to."""
    zs, zt = subject.sample(9, 1), subject.sample(7, 2)
    before = zs.clone(), zt.clone()
    with torch.no_grad():
        subject.between(subject.module(), zs, zt)
    same = torch.equal(zs, before[0]) and torch.equal(zt, before[1])
    require(same, "it changed the samples.", "Avoid in-place operations.")


def check_scalars(subject: Subject) -> None:
    """discriminator(real, fake) and generator(fake) are finite scalars."""
    loss = subject.build()
    for size in (0.0, 1.0, 1e4):
        real, fake = _logits(size), -_logits(size)
        for name, scores in (("discriminator", (real, fake)), ("generator", (fake,))):
            value = _value(loss, name, *scores)
            remedy = "Use logsigmoid or softplus instead of log."
            require_finite(value, f"{name} for scores of {size:g}", remedy)


def check_opponents(subject: Subject) -> None:
    """The discriminator wants real above fake, the generator fake above that."""
    loss = subject.build()
    real = torch.full((6, 1), 0.2, requires_grad=True)
    fake = torch.full((6, 1), 0.3, requires_grad=True)
    up, down = _slopes(loss, "discriminator", real, fake)
    require(
        up < 0 < down,
        f"slopes of the discriminator's loss are {up:.3g} for real and {down:.3g} for "
        "fake scores.",
        "They should be negative and positive: both losses are minimised.",
    )
    (slope,) = _slopes(loss, "generator", fake)
    require(
        slope < 0,
        f"the slope of the generator's loss is {slope:.3g}.",
        "It should be negative: the generator wants high scores for fakes.",
    )


def _value(loss: Any, method: str, *scores: Tensor) -> Tensor:
    """Call one of the two methods, and make sure that it returns a scalar."""
    function = getattr(loss, method, None)
    names = "real, fake" if len(scores) == 2 else "fake"
    if not callable(function):
        fail(f"it has no method {method!r}.", f"Define {method}(self, {names}).")
    try:
        value: Any = function(*scores)
    except Exception as error:
        fail_with(error, f"{method}({names})", f"It is called as {method}({names}).")
    require(
        isinstance(value, Tensor) and value.ndim == 0,
        f"{method} returned {describe(value)}.",
        "Return the mean over the batch, a scalar tensor.",
    )
    return value


def _slopes(loss: Any, method: str, *scores: Tensor) -> list[float]:
    """Return by how much a loss grows with each kind of scores."""
    value = _value(loss, method, *scores)
    remedy = "Compute it of the scores, without detach() or torch.no_grad()."
    require(value.requires_grad, f"{method} has no gradient.", remedy)
    found = torch.autograd.grad(value, scores, allow_unused=True)
    return [0.0 if slope is None else float(slope.sum()) for slope in found]


def _logits(size: float) -> Tensor:
    with seeded(1):
        return size * torch.randn(6, 1).sign()


DIVERGENCE_CHECKS = [
    check_attribute,
    check_scalar,
    check_zero_for_equal_samples,
    check_order_of_rows_of_samples,
    check_gradients_of_both,
    check_samples_are_left_alone,
    *DIVERGENCE_KEYWORD_CHECKS,
]

ADVERSARIAL_CHECKS = [check_scalars, check_opponents]
