r"""Steps within tasks: from common weights to those of each task.

With the loss :math:`L_i` on the support of task i, step sizes :math:`\alpha` and
:math:`\theta_i^0 = \theta`,

.. math:: \theta_i^{k+1} = \theta_i^k - \alpha \nabla L_i(\theta_i^k),

for all tasks of a chunk at once. Gradients are taken of the sum of the losses of the
tasks; as no task sees the weights of another, they come apart by themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from .episode import Support
from .heads import TaskHead, class_means, score
from .methods import MetaMethod
from .norms import TaskNorm
from .stacked import StackedForward

__all__ = ["InnerLoop", "task_losses"]

Weights = dict[str, Tensor]
Criterion = Callable[[Tensor, Tensor], Tensor]


def task_losses(
    criterion: Criterion, raw: Tensor, y: Tensor, rows: Tensor | None
) -> Tensor:
    """Return the mean loss (T,) of each task.

    Parameters
    ----------
    criterion : callable
        Maps raw (B, K) and targets to one loss a row.
    raw : Tensor of shape (T, N, K)
        Scores.
    y : Tensor of shape (T, N) or (T, N, M)
        Targets.
    rows : Tensor of shape (T, N) or None
        Weights of rows.
    """
    losses = criterion(raw.flatten(0, 1), y.flatten(0, 1)).reshape(raw.shape[:2])
    if rows is None:
        return losses.mean(1)
    return (losses * rows).sum(1) / rows.sum(1).clamp_min(1)


@dataclass
class InnerLoop:
    """Adapt a model to tasks.

    Parameters
    ----------
    forward : StackedForward
        Of the backbone.
    head : TaskHead
        Start of the head.
    criterion : callable
        Maps raw (B, K) and targets to one loss a row.
    method : MetaMethod
        What changes, and whether second derivatives are kept.
    rates : callable
        ``(name, step)`` -> step size: a number or a tensor.
    max_norm : float or None, default=10.0
        Gradients of a task are shortened to this norm; None for none.
    frozen : callable or None, default=None
        Name of a parameter -> whether it stays as it is in spite of the method.
    trained_steps : int, default=0
        Steps that the rates were made for: more is expected of them than of others.
    functional : bool, default=False
        Take gradients by ``torch.func``, which a compiler can look into, though it is
        slower without one.

    Examples
    --------
    One step from weight 1 along the gradient of (w x - 3)^2 at x = 1, which is -4:

    >>> import torch
    >>> from mlmi_sklearn.nn.backbones import Linear
    >>> from mlmi_sklearn.nn.tasks import InnerLoop, MetaMethod, MetaModel, Support
    >>> model = MetaModel(Linear((1,)), 1, MetaMethod(), head="zero", rate=0.25)
    >>> loop = model.inner_loop(lambda raw, y: (raw - y).square().mean(1))
    >>> isinstance(loop, InnerLoop)
    True
    >>> task = Support(torch.ones(1, 1, 1), torch.full((1, 1, 1), 3.0))
    >>> loop.losses(loop.adapt(task, 1, steps=1), task, 1).item()
    0.0
    """

    forward: StackedForward
    head: TaskHead
    criterion: Criterion
    method: MetaMethod
    rates: Callable[[str, int], Any]
    max_norm: float | None = 10.0
    frozen: Callable[[str], bool] | None = None
    trained_steps: int = 0
    functional: bool = False
    _per_step: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self._per_step = _per_step_names(self.forward.module)

    def start(self, support: Support, n_outputs: int) -> Weights:
        """Return the stacked weights before the first step.

        Parameters
        ----------
        support : Support
            Rows to learn from.
        n_outputs : int
            Scores of every task.

        Returns
        -------
        dict of str to Tensor of shape (T, ...)
            The common weights, repeated, and the head of each task.
        """
        n_tasks = len(support.x)
        means = None
        if self.head.kind == "proto":
            # Of stacked weights of their own: to the steps, the head is no function
            # of the backbone, though it is one to the outer loop.
            z = self.embed(self._stacked(n_tasks), support, 0)
            means = class_means(z, support.y, support.rows, n_outputs)
        head = self.head.start(n_tasks, n_outputs, means)
        named = {f"head.{name}": value for name, value in head.items()}
        return self._stacked(n_tasks) | named

    def _stacked(self, n_tasks: int) -> Weights:
        """Return the weights of the backbone, once for each task."""
        return {
            f"backbone.{name}": value.expand(n_tasks, *value.shape)
            for name, value in self.forward.module.named_parameters()
        }

    def embed(self, weights: Weights, tasks: Support, step: int) -> Tensor:
        """Compute features.

        Parameters
        ----------
        weights : dict of str to Tensor of shape (T, ...)
            Those of every task.
        tasks : Support
            Rows.
        step : int
            Steps taken before.

        Returns
        -------
        Tensor of shape (T, N, D)
            Features of every row.
        """
        body = {
            name.removeprefix("backbone."): value
            for name, value in weights.items()
            if name.startswith("backbone.")
        }
        return self.forward(body, tasks.x, tasks.rows, step)

    def losses(self, weights: Weights, tasks: Support, step: int) -> Tensor:
        """Compute the mean loss of each task.

        Parameters
        ----------
        weights : dict of str to Tensor of shape (T, ...)
            Those of every task.
        tasks : Support
            Rows.
        step : int
            Steps taken before.

        Returns
        -------
        Tensor of shape (T,)
            Rows that only fill up do not count.
        """
        return self.scored(weights, tasks, step)[0]

    def scored(
        self, weights: Weights, tasks: Support, step: int
    ) -> tuple[Tensor, Tensor]:
        """Compute losses and the scores that they come from.

        Parameters
        ----------
        weights : dict of str to Tensor of shape (T, ...)
            Those of every task.
        tasks : Support
            Rows.
        step : int
            Steps taken before.

        Returns
        -------
        losses : Tensor of shape (T,)
            Mean loss of each task.
        raw : Tensor of shape (T, N, K)
            Scores.
        """
        raw = score(weights, self.embed(weights, tasks, step))
        return task_losses(self.criterion, raw, tasks.y, tasks.rows), raw

    def adapt(self, support: Support, n_outputs: int, steps: int) -> Weights:
        """Take all steps; the result keeps the graph that the method needs.

        Parameters
        ----------
        support : Support
            Rows to learn from.
        n_outputs : int
            Scores of every task.
        steps : int
            How many.

        Returns
        -------
        dict of str to Tensor of shape (T, ...)
            The weights of each task.
        """
        weights = self.start(support, n_outputs)
        for step in range(steps):
            slopes = self._slopes(weights, support, step)
            weights = self._stepped(weights, slopes, step, None)
        return weights

    def _slopes(self, weights: Weights, support: Support, step: int) -> Weights:
        """Return the gradients of the losses by what the steps change."""
        if not self.functional:
            losses = self.losses(weights, support, step)
            return self._slopes_of(losses, weights, keep=self.method.second_order)

        def total(leaves: Weights) -> Tensor:
            return self.losses({**weights, **leaves}, support, step).sum()

        leaves = {name: weights[name] for name in weights if self._changes(name)}
        found = torch.func.grad(total)(leaves)
        if self.method.second_order:
            return found
        return {name: gradient.detach() for name, gradient in found.items()}

    def _slopes_of(self, losses: Tensor, weights: Weights, *, keep: bool) -> Weights:
        names = [name for name in weights if self._changes(name)]
        if not names:
            return {}
        leaves = [weights[name] for name in names]
        found = torch.autograd.grad(
            losses.sum(), leaves, create_graph=keep, allow_unused=True
        )
        return {n: g for n, g in zip(names, found, strict=True) if g is not None}

    def adapt_safely(
        self, support: Support, n_outputs: int, steps: int
    ) -> tuple[Weights, Tensor]:
        """Take the steps without a graph between them, and take back harmful ones.

        A step after which the loss on the support is not finite, or above that at the
        start, is undone, and the task goes on with half the step size. So is a step
        beyond those that were trained which raises the loss at all: step sizes that
        were learned for a few steps may lead anywhere in more.

        Parameters
        ----------
        support : Support
            Rows to learn from.
        n_outputs : int
            Scores of every task.
        steps : int
            Steps to take.

        Returns
        -------
        weights : dict of str to Tensor of shape (T, ...)
            Without gradient.
        losses : Tensor of shape (T,)
            On the support, at the end.
        """
        weights = {
            name: value.detach().requires_grad_()
            for name, value in self.start(support, n_outputs).items()
        }
        first = losses = self.losses(weights, support, 0)
        factor = torch.ones_like(first.detach())
        for step in range(steps):
            slopes = self._slopes_of(losses, weights, keep=False)
            tried = self._stepped(weights, slopes, step, factor)
            tried = {k: v.detach().requires_grad_() for k, v in tried.items()}
            after = self.losses(tried, support, step + 1)
            limit = first if step < self.trained_steps else losses
            good = after.detach() <= limit.detach()  # False for NaN as well
            factor = torch.where(good, factor, factor / 2)
            if not bool(good.all()):
                tried = {
                    name: _where(good, value, weights[name]).detach().requires_grad_()
                    for name, value in tried.items()
                }
                after = self.losses(tried, support, step + 1)
            weights, losses = tried, after
        return {k: v.detach() for k, v in weights.items()}, losses.detach()

    def _stepped(
        self, weights: Weights, slopes: Weights, step: int, factor: Tensor | None
    ) -> Weights:
        """Take one step against the gradients."""
        scale = self._scale(list(slopes.values()), factor)
        stepped = dict(weights)
        for name, gradient in slopes.items():
            if scale is not None:
                gradient = gradient * _to_shape(scale, gradient)
            rate = _of_rows(self.rates(name, step), gradient)
            stepped[name] = weights[name] - rate * gradient
        return stepped

    def _changes(self, name: str) -> bool:
        if self.frozen is not None and self.frozen(name):
            return False
        return self.method.changes(name) and name not in self._per_step

    def _scale(self, gradients: list[Tensor], factor: Tensor | None) -> Tensor | None:
        """Return the factor (T,) that shortens the gradient of each task."""
        if self.max_norm is None or not gradients:
            return factor
        squares = [g.square().flatten(1).sum(1) for g in gradients]
        norms = torch.stack(squares).sum(0).detach().sqrt()
        # On an accelerator, asking would take longer than multiplying.
        on_host = norms.device.type == "cpu" and not torch.compiler.is_compiling()
        if factor is None and on_host and bool((norms <= self.max_norm).all()):
            return None
        shorter = (self.max_norm / norms).clamp(max=1.0)
        # An infinite or undefined gradient is no step at all.
        shorter = torch.where(torch.isfinite(norms), shorter, 0.0)
        return shorter if factor is None else shorter * factor


def _per_step_names(module: nn.Module) -> frozenset[str]:
    return frozenset(
        ".".join(["backbone", *filter(None, [name]), own])
        for name, part in module.named_modules()
        if isinstance(part, TaskNorm) and part.policy == "per-step"
        for own, _ in part.named_parameters(recurse=False)
    )


def _of_rows(rate: Any, gradient: Tensor) -> Any:
    """Leave out the step sizes of scores that a task does not have."""
    shape = gradient.shape[1:]
    if not isinstance(rate, Tensor) or rate.ndim != len(shape) or rate.ndim == 0:
        return rate
    return rate[: shape[0]]


def _to_shape(per_task: Tensor, like: Tensor) -> Tensor:
    return per_task.reshape(-1, *[1] * (like.ndim - 1))


def _where(keep: Tensor, new: Tensor, old: Tensor) -> Tensor:
    return torch.where(_to_shape(keep, new), new, old)
