"""Checks of losses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from ._core import fail_with, require
from ._subjects import Subject, kinds_among
from ._tensors import TOLERANCE, require_close, require_finite, seeded

__all__ = ["LOSS_CHECKS", "LossSubject"]

_LINKS = ("softmax", "sigmoid", "identity")
_TASKS = ("classification", "regression")


class LossSubject(Subject):
    """A loss, and batches of scores and targets that suit its task."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """What it is for: its tag, or else what its link suggests."""
        said = self.part.tags.get("task")
        if said is None:
            link = getattr(self.build(), "link", None)
            return ("regression",) if link == "identity" else ("classification",)
        kinds = [said] if isinstance(said, str) else list(said)
        return tuple(kinds_among(kinds, "task", _TASKS))

    def function(self) -> Callable[[Tensor, Tensor], Any]:
        """Build the loss, to be called so that an error says what it was given."""
        loss = self.build()

        def call(raw: Tensor, target: Tensor) -> Any:
            try:
                return loss(raw, target)
            except Exception as error:
                fail_with(error, _given(raw, target), _shape_of(raw, target))

        return call

    @property
    def columns(self) -> int:
        """Number of scores for each target of a regression."""
        return int(getattr(self.build(), "outputs_per_target", 1))

    def batches(self, n: int = 6) -> Iterator[tuple[str, Tensor, Tensor]]:
        """Yield name, scores and targets of every kind it has to understand."""
        rows = torch.arange(n)
        columns = self.columns
        for task in self.tasks:
            if task == "classification":
                yield "two classes", _scores(n, 1), rows % 2
                yield "three classes", _scores(n, 3), rows % 3
                continue
            yield "one target", _scores(n, columns), _scores(n, 1, seed=2)[:, 0]
            yield "two targets", _scores(n, 2 * columns), _scores(n, 2, seed=2)

    def labels(self, n: int = 6) -> tuple[Tensor, Tensor]:
        """Return scores and memberships of a multi-label problem."""
        rows = torch.arange(n)
        member = torch.stack([rows % 2, rows // 2 % 2, rows // 3 % 2], dim=1)
        return _scores(n, 3), member.double()


def check_link(subject: LossSubject) -> None:
    """Its attribute link says how scores become predictions."""
    loss = subject.build()
    require(callable(loss), f"it is a {type(loss).__name__}.", "Make it callable.")
    link = getattr(loss, "link", None)
    require(
        link in _LINKS,
        f"its attribute link is {link!r}.",
        f"Set link to one of {_LINKS}.",
    )
    if "regression" in subject.tasks:
        require(
            link == "identity",
            f"it is a regression loss with link {link!r}.",
            "Predictions of regressors are the scores themselves: link = 'identity'.",
        )


def check_link_is_the_right_one(subject: LossSubject) -> None:
    """A softmax loss ignores a constant added to scores, a sigmoid loss does not."""
    loss = subject.build()
    link = getattr(loss, "link", None)
    if "classification" not in subject.tasks or link not in ("softmax", "sigmoid"):
        return
    raw, target = _scores(6, 3), torch.arange(6) % 3
    moved = (loss(raw + 1.5, target) - loss(raw, target)).abs().max()
    if link == "softmax":
        problem = "its link is 'softmax', but adding 1.5 to all scores changes the loss"
        remedy = "Probabilities stay the same then. Is it link = 'sigmoid'?"
        require(moved < 1e-6, f"{problem} by {float(moved):.3g}.", remedy)
    else:
        problem = "its link is 'sigmoid', but adding 1.5 to all scores changes nothing."
        require(moved > 1e-6, problem, "Is it link = 'softmax'?")


def check_is_unreduced(subject: LossSubject) -> None:
    """Scores (B, K) and targets give losses (B,), of the type of the scores."""
    loss = subject.function()
    for dtype in TOLERANCE:
        for what, raw, target in subject.batches():
            raw = raw.to(dtype)
            target = target.to(dtype) if target.is_floating_point() else target
            for n in (1, 6):
                value = loss(raw[:n], target[:n])
                _require_losses(value, n, what)
                require(
                    value.dtype == dtype,
                    f"for {what}, scores of {dtype} gave losses of {value.dtype}.",
                    "Convert the target with target.to(raw.dtype).",
                )


def check_multi_label(subject: LossSubject) -> None:
    """Memberships (B, K) give losses (B,), or a clear ValueError or TypeError."""
    if "classification" not in subject.tasks:
        return
    loss, (raw, target) = subject.build(), subject.labels()
    try:
        value = loss(raw, target)
    except (ValueError, TypeError):
        return
    _require_losses(value, len(raw), "several labels")
    require_finite(value, "the loss for several labels", "Handle targets of 0 and 1.")
    order = torch.arange(len(raw)).flip(0)
    what = "for several labels, losses do not follow the order of the examples"
    require_close(loss(raw[order], target[order]), value[order], what, "")


def check_rows_are_independent(subject: LossSubject) -> None:
    """The loss of an example does not depend on the others, nor on their order."""
    loss = subject.function()
    order = torch.tensor([4, 2, 0, 5, 1, 3])
    for what, raw, target in subject.batches():
        value = loss(raw, target)
        _require_losses(value, len(raw), what)
        remedy = "Reduce over columns only, with dim=1."
        text = f"for {what}, losses do not follow the order of the examples"
        require_close(loss(raw[order], target[order]), value[order], text, remedy)
        text = f"for {what}, the loss of an example depends on the others"
        alone = [loss(raw[i : i + 1], target[i : i + 1]) for i in range(len(raw))]
        require_close(torch.cat(alone), value, text, remedy)


def check_extreme_scores(subject: LossSubject) -> None:
    """Scores of ten thousand, right or wrong, give finite losses and gradients."""
    loss = subject.function()
    for what, raw, target in subject.batches():
        for factor in (0.0, 1e4, -1e4):
            for dtype in TOLERANCE:
                scores = (raw.sign() * factor).to(dtype).requires_grad_()
                truth = target.to(dtype) if target.is_floating_point() else target
                value = loss(scores, truth)
                where = f"for {what} and scores of {factor:g}"
                remedy = "Use log_softmax, logsigmoid or softplus instead of log."
                require_finite(value, f"the loss {where}", remedy)
                value.sum().backward()
                require(
                    scores.grad is not None, "it has no gradient.", "Remove detach()."
                )
                if scores.grad is not None:
                    require_finite(scores.grad, f"the gradient {where}", remedy)


def check_direction(subject: LossSubject) -> None:
    """Scores that agree with the target lose less, and gradients point there."""
    loss = subject.function()
    if "classification" in subject.tasks:
        _check_two_classes(loss)
        _check_three_classes(loss)
    if "regression" in subject.tasks:
        _check_distances(loss, subject.columns)


def check_arguments_are_left_alone(subject: LossSubject) -> None:
    """Neither scores nor targets are written to."""
    loss = subject.function()
    for _, raw, target in subject.batches():
        before = raw.clone(), target.clone()
        with torch.no_grad():
            loss(raw, target)
        same = torch.equal(raw, before[0]) and torch.equal(target, before[1])
        require(same, "it changed its arguments.", "Avoid in-place operations.")


def _check_two_classes(loss: Any) -> None:
    raw = torch.tensor([[2.0], [-2.0]], dtype=torch.float64)
    ones, zeros = torch.tensor([1, 1]), torch.tensor([0, 0])
    remedy = "With one column, the column is the logit of class 1."
    positive, negative = loss(raw, ones), loss(raw, zeros)
    require(
        positive[0] < positive[1], "with one column, class 1 wants low scores.", remedy
    )
    require(
        negative[1] < negative[0], "with one column, class 0 wants high scores.", remedy
    )
    middle = torch.zeros(2, 1, dtype=torch.float64, requires_grad=True)
    slope = _slope(loss, middle, torch.tensor([1, 0]))[:, 0]
    require(
        slope[0] < 0 < slope[1],
        f"at score 0 the slopes for classes 1 and 0 are {slope.tolist()}.",
        "They should be negative and positive: " + remedy,
    )


def _check_three_classes(loss: Any) -> None:
    eye = 2 * torch.eye(3, dtype=torch.float64)
    codes = torch.arange(3)
    right, wrong = loss(eye, codes), loss(eye[[1, 2, 0]], codes)
    remedy = "Column k is the score of class k."
    require(
        bool((right < wrong).all()), "wrong classes lose less than right ones.", remedy
    )
    raw = torch.zeros(3, 3, dtype=torch.float64, requires_grad=True)
    slope = _slope(loss, raw, codes).diagonal()
    require(
        bool((slope < 0).all()),
        f"slopes of the true classes at equal scores are {slope.tolist()}.",
        "They should be negative. " + remedy,
    )


def _check_distances(loss: Any, columns: int) -> None:
    target = torch.zeros(4, dtype=torch.float64)
    at = torch.tensor([-3.0, -1.0, 1.0, 3.0], dtype=torch.float64)
    raw = at[:, None].repeat(1, columns).requires_grad_()
    value, slope = loss(raw, target), _slope(loss, raw, target).sum(1)
    closer = bool(value[1] < value[0]) and bool(value[2] < value[3])
    require(closer, "predictions further off lose less.", "Check the sign.")
    require(
        bool((slope[:2] < 0).all()) and bool((slope[2:] > 0).all()),
        f"slopes left and right of the target are {slope.tolist()}.",
        "They should be negative, then positive.",
    )


def _slope(loss: Any, raw: Tensor, target: Tensor) -> Tensor:
    (slope,) = torch.autograd.grad(loss(raw, target).sum(), raw)
    return slope


def _given(raw: Tensor, target: Tensor) -> str:
    """Say what a loss was given."""
    what = "numbers" if target.is_floating_point() else "codes of classes"
    return f"scores of shape {tuple(raw.shape)} and {what} of {tuple(target.shape)}"


def _shape_of(raw: Tensor, target: Tensor) -> str:
    """Say what scores of such a shape mean."""
    if target.is_floating_point():
        return "A single target comes as (B,): target.reshape(raw.shape)."
    if raw.shape[1] == 1:
        return "With one column, the column is the logit of class 1."
    return "Column k is the score of class k."


def _scores(n: int, columns: int, seed: int = 1) -> Tensor:
    with seeded(seed):
        return torch.randn(n, columns, dtype=torch.float64)


def _require_losses(value: Any, n: int, what: str) -> None:
    shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
    require(
        shape == (n,),
        f"for {what}, {n} examples gave {shape}, not ({n},).",
        "Do not reduce over examples (reduction='none'); average over columns. Weights "
        "of samples are applied afterwards.",
    )


LOSS_CHECKS = [
    check_link,
    check_link_is_the_right_one,
    check_is_unreduced,
    check_multi_label,
    check_rows_are_independent,
    check_extreme_scores,
    check_direction,
    check_arguments_are_left_alone,
]
