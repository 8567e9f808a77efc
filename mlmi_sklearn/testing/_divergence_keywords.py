"""Checks of what divergences offer beyond the comparison of two samples."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..nn.divergences.contract import USES
from ._core import require
from ._divergence_subject import DivergenceSubject
from ._tensors import TOLERANCE, require_close, require_finite, seeded

__all__ = ["DIVERGENCE_KEYWORD_CHECKS"]

_CLASSES, _DOMAINS = 3, 4
_SIZES = {"probabilities": {"n_classes": _CLASSES}, "domains": {"n_domains": _DOMAINS}}


def check_uses(subject: DivergenceSubject) -> None:
    """What its attribute uses names can be passed, all together or not at all."""
    uses = _uses(subject)
    unknown = sorted(uses - USES)
    require(not unknown, f"its uses names {unknown}.", f"Choose from {sorted(USES)}.")
    for dtype in TOLERANCE:
        module = _build(subject, dtype)
        for n, m in ((8, 5), (1, 4), (4, 1), (1, 1)):
            zs, zt = subject.sample(n, 1).to(dtype), subject.sample(m, 2).to(dtype)
            given = {k: v for k, v in _keywords(n, m, dtype).items() if k in uses}
            for keywords in (given, {}):
                value = subject.between(module, zs, zt, **keywords)
                what = f"its value for {n} and {m} rows and {sorted(keywords)}"
                require_finite(value, what, "Look for 0 / 0.")
                wrong = f"{what} has type {value.dtype} for features of {dtype}."
                require(value.dtype == dtype, wrong, "Keep the type of zs.")


def check_weights(subject: DivergenceSubject) -> None:
    """A weight of two is the row given twice, and of zero is no row."""
    if "weights" not in _uses(subject):
        return
    module = subject.module(torch.float64)
    zs, zt = subject.sample(6, 1).double(), subject.sample(5, 2, 1.0).double()
    ws, wt = torch.tensor([2, 1, 0, 3, 1, 1]), torch.tensor([1, 0, 2, 2, 1])
    more_s, more_t = zs.repeat_interleave(ws, 0), zt.repeat_interleave(wt, 0)
    ws, wt = ws.double(), wt.double()
    for words, weights, repeated in (
        ("of both samples", (ws, wt), (more_s, more_t)),
        ("of the source alone", (ws, None), (more_s, zt)),
        ("of the target alone", (None, wt), (zs, more_t)),
        ("that are a tenth", (0.1 * ws, 0.1 * wt), (more_s, more_t)),
    ):
        require_close(
            subject.between(module, zs, zt, weights=weights),
            subject.between(module, *repeated),
            f"weights {words} differ from rows that are repeated",
            "Divide sums of weighted rows by the sum of the weights of their sample.",
            1e-5,
        )


def check_probabilities(subject: DivergenceSubject) -> None:
    """Probabilities of classes make a difference, sure ones do no harm."""
    if "probabilities" not in _uses(subject):
        return
    module = _build(subject)
    zs, zt = subject.sample(8, 1).requires_grad_(), subject.sample(6, 2, 1.0)
    eye = torch.eye(_CLASSES)
    first = eye[torch.arange(8) % _CLASSES], eye[torch.arange(6) % _CLASSES]
    second = first[0].roll(1, 1), first[1].roll(2, 1)
    values = [subject.between(module, zs, zt, probabilities=p) for p in (first, second)]
    for value in values:
        (slope,) = torch.autograd.grad(value, zs)
        remedy = "Look for log(0): probabilities may be exactly 0 and 1."
        require_finite(value, "its value for sure classes", remedy)
        require_finite(slope, "the gradient for sure classes", remedy)
    require(
        float((values[0] - values[1]).detach().abs()) > 0,
        "it is the same whatever the probabilities are.",
        "Use them, or leave them out of uses.",
    )


def check_domains(subject: DivergenceSubject) -> None:
    """Codes of several domains make a difference, one that is absent does no harm."""
    if "domains" not in _uses(subject):
        return
    module = _build(subject)
    zs, zt = subject.sample(8, 1), subject.sample(6, 2, 1.0)
    targets = torch.full((6,), _DOMAINS - 1)
    several = torch.arange(8) % (_DOMAINS - 1)
    values = []
    for codes in (several, torch.zeros(8, dtype=torch.int64)):
        value = subject.between(module, zs, zt, domains=(codes, targets))
        require_finite(value, "its value for several domains", "Look for 0 / 0.")
        values.append(float(value.detach()))
    require(
        values[0] != values[1],
        "it is the same whatever the domains of the rows are.",
        "Use them, or leave them out of uses.",
    )


def check_features_feel_it(subject: DivergenceSubject) -> None:
    """Its gradient moves the features of both samples."""
    module = subject.module().train()
    zs = subject.sample(16, 1).requires_grad_()
    zt = (2 * subject.sample(12, 2) + 1).requires_grad_()
    value = subject.between(module, zs, zt)
    for slope in torch.autograd.grad(value, (zs, zt), allow_unused=True):
        require(
            slope is not None and float(slope.abs().max()) > 0,
            "its gradient with respect to features is zero.",
            "A critic that ends in a softmax over one column always says 1, say.",
        )


def check_critic_learns(subject: DivergenceSubject) -> None:
    """A critic that is trained lowers its loss, and tells distant samples apart."""
    module = subject.module().train()
    if not getattr(module, "adversarial", False):
        return
    zs, zt = subject.sample(32, 1, -1.0), subject.sample(24, 2, 1.0)
    start = float(subject.between(module, zs, zt).detach())
    optimizer = torch.optim.Adam(module.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        subject.between(module, zs, zt).backward()
        optimizer.step()
    end = float(subject.between(module, zs, zt).detach())
    require(
        end < start,
        f"60 steps of its critic took its loss from {start:.3g} to {end:.3g}.",
        "Return the loss that the critic minimises; the caller reverses the gradient "
        "for the features.",
    )
    if hasattr(module, "domain_accuracy"):
        found = _accuracy(module, zs, zt)
        require(
            found > 0.8,
            f"its accuracy is {found:.3g} after training on distant samples.",
            "Return the balanced accuracy of telling source from target.",
        )


def check_domain_accuracy(subject: DivergenceSubject) -> None:
    """Its accuracy, if it has one, is a number from 0 to 1 without a gradient."""
    if not hasattr(subject.module(), "domain_accuracy"):
        return
    uses = _uses(subject)
    module = _build(subject)
    for n, m in ((8, 5), (1, 1)):
        zs, zt = subject.sample(n, 1).requires_grad_(), subject.sample(m, 2, 1.0)
        given = {k: v for k, v in _keywords(n, m).items() if k in uses}
        for keywords in (given, {}):
            accuracy = _accuracy(module, zs, zt, **keywords)
            require(0 <= accuracy <= 1, f"it is {accuracy:.3g}.", "Return a share.")
            if not hasattr(module, "loss_and_accuracy"):
                continue
            with seeded(7):
                loss, same = module.loss_and_accuracy(zs, zt, **keywords)
            value = subject.between(module, zs, zt, **keywords)
            require_close(
                torch.stack([loss, same]),
                torch.stack([value, value.new_tensor(accuracy)]),
                "loss_and_accuracy differs from the loss and domain_accuracy",
                "Compute them alike.",
            )


def _accuracy(module: Any, zs: Tensor, zt: Tensor, **keywords: Any) -> float:
    found = module.domain_accuracy(zs, zt, **keywords)
    require(
        isinstance(found, Tensor) and found.ndim == 0 and not found.requires_grad,
        "domain_accuracy is no scalar tensor without gradient.",
        "Compute it under torch.no_grad().",
    )
    return float(found)


def _uses(subject: DivergenceSubject) -> frozenset[str]:
    found: Any = getattr(subject.module(), "uses", frozenset())
    require(
        isinstance(found, frozenset | set),
        f"its attribute uses is {found!r}.",
        'Make it a frozenset such as frozenset({"weights"}).',
    )
    return frozenset(found)


def _build(subject: DivergenceSubject, dtype: torch.dtype = torch.float32) -> Any:
    """Build the divergence for several classes and domains, if it uses them."""
    sizes = {k: v for use in _uses(subject) for k, v in _SIZES.get(use, {}).items()}
    return subject.module(dtype, **sizes)


def _keywords(n: int, m: int, dtype: torch.dtype = torch.float32) -> dict[str, Any]:
    """Return one of everything."""
    with seeded(3):
        weights = torch.rand(n, dtype=dtype) + 0.1, torch.rand(m, dtype=dtype) + 0.1
        scores = torch.randn(n + m, _CLASSES, dtype=dtype)
    ps, pt = scores.softmax(1).split([n, m])
    ds, dt = torch.arange(n) % 2, 2 + torch.arange(m) % 2
    return {"weights": weights, "probabilities": (ps, pt), "domains": (ds, dt)}


DIVERGENCE_KEYWORD_CHECKS = [
    check_uses,
    check_weights,
    check_probabilities,
    check_domains,
    check_features_feel_it,
    check_critic_learns,
    check_domain_accuracy,
]
