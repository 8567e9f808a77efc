"""Checks of what a pooling may offer beyond its contract.

A pooling may see instances in the context of their bag (``instances``), score bags and
instances itself (``owns_head``, ``score``), bring a loss of its own
(``auxiliary_loss``) and change as training goes on (``set_progress``). Each check
passes where the pooling does not offer what it is about.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..components import find_component
from ..nn.segments import Segments
from ._core import require
from ._subjects import PoolingSubject
from ._tensors import require_close, require_finite, seeded

__all__ = ["POOLING_PROTOCOL_CHECKS"]


def check_instances_in_context(subject: PoolingSubject) -> None:
    """`instances` gives (N, out_features), and for a bag of one what is pooled."""
    module, values = subject.module(), subject.inputs()
    if not hasattr(module, "instances"):
        return
    bags = Segments(list(subject.lengths))
    rows = subject.call(module.instances, values, bags)
    _require_shape(rows, (len(values), module.out_features), "instances")
    start = 0
    for length in subject.lengths:
        part = slice(start, start + length)
        alone = subject.call(module.instances, values[part], Segments([length]))
        what = "instances of a bag depend on the other bags of the batch"
        require_close(alone, rows[part], what, "Look within segments only.", 1e-5)
        start += length
    ones = Segments([1] * len(values))
    require_close(
        subject.call(module.instances, values, ones),
        subject.call(module, values, ones)[0],
        "instances of bags of one differ from what is pooled",
        "A bag of one and its instance are the same thing: give both one score.",
    )


def check_own_head(subject: PoolingSubject) -> None:
    """With owns_head, `score` gives (B, K), (N, K) and the weights of forward."""
    if not getattr(subject.module(), "owns_head", False):
        return
    for n_outputs in (1, 3):
        module = subject.build(subject.width, n_outputs=n_outputs).eval()
        values, bags = subject.inputs(), Segments(list(subject.lengths))
        found = subject.call(module.score, values, bags)
        require(
            isinstance(found, tuple) and len(found) == 3,
            f"score returned a {type(found).__name__}.",
            "Return (scores of bags, scores of instances, weights).",
        )
        raw, instances, weights = found
        _require_shape(raw, (len(bags), n_outputs), "scores of bags")
        _require_shape(instances, (len(values), n_outputs), "scores of instances")
        what = "weights of score differ from those of forward"
        expected = subject.call(module, values, bags)[1]
        require_close(weights, expected, what, "Compute them once.")
        _require_score_of_one_bag(subject, module, values, bags, raw)


def check_own_head_trains(subject: PoolingSubject) -> None:
    """With owns_head, scores and the own loss give every parameter a gradient."""
    if not getattr(subject.module(), "owns_head", False):
        return
    module = subject.build(subject.width, n_outputs=3).train()
    values, bags = subject.inputs().requires_grad_(), Segments(list(subject.lengths))
    with seeded(0):
        raw, instances, _ = subject.call(module.score, values, bags)
        loss = raw.square().sum() + instances.square().sum()
        if hasattr(module, "auxiliary_loss"):
            loss = loss + _auxiliary(subject, module, values, bags, 3).sum()
        loss.backward()
    for name, parameter in module.named_parameters():
        if not parameter.requires_grad:
            continue
        where = f"parameter {name!r}"
        require(
            parameter.grad is not None,
            f"no gradient reaches {where}, from scores or the own loss.",
            "Use it, or remove it.",
        )
        if parameter.grad is not None:
            require_finite(parameter.grad, f"the gradient of {where}", "Look for NaN.")


def check_auxiliary_loss(subject: PoolingSubject) -> None:
    """`auxiliary_loss` is one finite number a bag, for bags of one too."""
    probe = subject.module()
    if not hasattr(probe, "auxiliary_loss"):
        return
    for n_outputs in (1, 3):
        if getattr(probe, "owns_head", False):
            module = subject.build(subject.width, n_outputs=n_outputs).train()
        else:
            module = subject.module().train()
        for lengths in (subject.lengths, (1,), (1, 1, 1), (2, 2)):
            values = subject.values(sum(lengths)).requires_grad_()
            with seeded(0):
                bags = Segments(list(lengths))
                loss = _auxiliary(subject, module, values, bags, n_outputs)
            _require_shape(loss, (len(lengths),), "auxiliary_loss")
            remedy = "Clip k to the size of the bag; avoid the mean of nothing."
            require_finite(loss, "auxiliary_loss", remedy)
            if loss.requires_grad:
                loss.sum().backward()
            if values.grad is not None:
                require_finite(values.grad, "the gradient of auxiliary_loss", remedy)


def check_progress(subject: PoolingSubject) -> None:
    """`set_progress` takes shares of training, and leaves evaluation as it is."""
    module, values = subject.module(), subject.inputs()
    if not hasattr(module, "set_progress"):
        return
    expected = subject.run(module, values)["pooled"]
    for share in (0.0, 0.37, 1.0):
        module.set_progress(share)
        pooled = subject.run(module.train(), values)["pooled"]
        remedy = "Keep the schedule finite at its ends."
        require_finite(pooled, f"pooled in training at progress {share}", remedy)
        require_close(
            subject.run(module.eval(), values)["pooled"],
            expected,
            f"pooled in evaluation mode depends on the progress, {share},",
            "Use the schedule only if self.training.",
        )


def _auxiliary(
    subject: PoolingSubject,
    module: Any,
    values: Tensor,
    bags: Segments,
    n_outputs: int,
) -> Tensor:
    criterion = find_component("loss", "cross-entropy").build()
    classes = max(2, n_outputs)
    target = torch.arange(len(bags), device=values.device) % classes
    return subject.call(module.auxiliary_loss, values, bags, target, criterion)


def _require_score_of_one_bag(
    subject: PoolingSubject,
    module: Any,
    values: Tensor,
    bags: Segments,
    raw: Tensor,
) -> None:
    start = 0
    for row, length in enumerate(bags.lengths.tolist()):
        part = values[start : start + length]
        what = "the score of a bag depends on the other bags of the batch"
        alone = subject.call(module.score, part, Segments([length]))[0]
        require_close(alone[0], raw[row], what, "Look within segments only.")
        start += length


def _require_shape(tensor: Any, shape: tuple[int, ...], what: str) -> None:
    found = tuple(tensor.shape) if isinstance(tensor, Tensor) else type(tensor).__name__
    require(found == shape, f"{what}: {found}, where {shape} is due.", "Reshape it.")


POOLING_PROTOCOL_CHECKS = [
    check_instances_in_context,
    check_own_head,
    check_own_head_trains,
    check_auxiliary_loss,
    check_progress,
]
