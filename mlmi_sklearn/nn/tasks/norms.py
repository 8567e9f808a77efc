"""Batch normalisation of tasks: statistics of one task at a time, gaps left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .._checks import check_choice

__all__ = [
    "NORM_POLICIES",
    "TaskNorm",
    "task_batch",
    "use_plain_norms",
    "use_task_norms",
]

NORM_POLICIES = ("transductive", "frozen", "per-step", "group")
"""What batch normalisation does in a task; see :func:`use_task_norms`."""

_MOST_GROUPS = 8


class TaskNorm(nn.Module):
    """Batch normalisation made of primitives, by the statistics of the present task.

    Parameters
    ----------
    like : BatchNorm
        Layer whose parameters, statistics and settings are taken over.
    policy : {"transductive", "frozen", "per-step"}
        As in :func:`use_task_norms`.
    n_steps : int, default=1
        Inner steps, for ``"per-step"``: one more scale and shift than that, the last
        for everything after.

    Attributes
    ----------
    row_weight : Tensor of shape (B,) or None
        0 for rows that only fill up a batch; set for each batch.
    step : int
        Inner steps done; set for each batch.
    measure : bool
        Whether the next batch gives the fixed statistics of ``"frozen"``.

    References
    ----------
    Antoniou, Edwards and Storkey, *How to train your MAML*, ICLR 2019, section 4, for
    scales and shifts of their own in every step.

    Examples
    --------
    >>> norm = TaskNorm(nn.BatchNorm1d(1), "transductive")
    >>> with task_batch([norm], torch.tensor([1.0, 1.0, 0.0]), 0):
    ...     y = norm(torch.tensor([[0.0], [2.0], [50.0]]))
    >>> y[:2].flatten().detach().round(decimals=3)
    tensor([-1.,  1.])
    """

    row_weight: Tensor | None = None
    step: int = 0
    measure: bool = False
    running_mean: Any
    running_var: Any

    def __init__(
        self, like: nn.modules.batchnorm._BatchNorm, policy: str, n_steps: int = 1
    ) -> None:
        super().__init__()
        self.policy = policy
        self.eps = like.eps
        self.make = type(like)
        scale, shift = like.weight, like.bias
        if policy == "per-step" and like.affine:
            copies = (n_steps + 1, *[1] * scale.ndim)
            scale = nn.Parameter(scale.detach().repeat(copies))
            shift = nn.Parameter(shift.detach().repeat(copies))
        self.weight, self.bias = scale, shift
        self.register_buffer("running_mean", like.running_mean)
        self.register_buffer("running_var", like.running_var)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise a batch of one task.

        Parameters
        ----------
        x : Tensor of shape (B, C, ...)
            The batch.

        Returns
        -------
        Tensor of shape (B, C, ...)
            Mean 0 and variance 1 a channel, then scaled and shifted.
        """
        if self.measure and self.running_var is not None and len(x) > 1:
            return self._measured(x)
        shape = (1, -1, *[1] * (x.ndim - 2))
        if self.is_frozen:
            centred = x - self.running_mean.reshape(shape)
            variance = self.running_var.reshape(shape)
        else:
            centred, variance = self._statistics(x)
        out = centred * torch.rsqrt(variance + self.eps)
        if self.weight is None:
            return out
        weight, bias = self.now(self.weight), self.now(self.bias)
        return out * weight.reshape(shape) + bias.reshape(shape)

    @property
    def is_frozen(self) -> bool:
        """Whether statistics are given, and not those of the batch."""
        return self.policy == "frozen" and self.running_var is not None

    def _measured(self, x: Tensor) -> Tensor:
        """Take over the statistics of a batch, and normalise it."""
        weight, bias = (
            None if value is None else self.now(value)
            for value in (self.weight, self.bias)
        )
        known = self.running_mean, self.running_var

        def normalise(training: bool) -> Tensor:
            return functional.batch_norm(
                x, *known, weight, bias, training, momentum=1.0, eps=self.eps
            )

        out = normalise(training=True)
        return normalise(training=False) if self.is_frozen else out

    def _statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the centred batch and its variance, over rows that count."""
        axes = (0, *range(2, x.ndim))
        if self.row_weight is None:
            # Not var_mean, whose kernel for these axes takes three times as long.
            centred = x - x.mean(axes, keepdim=True)
            return centred, (centred * centred).mean(axes, keepdim=True)
        weight = self.row_weight.reshape(-1, *[1] * (x.ndim - 1)).to(x.dtype)
        cells = x[0, 0].numel()
        total = weight.sum().clamp_min(1) * cells  # a task may lack a query
        mean = (weight * x).sum(axes, keepdim=True) / total
        centred = x - mean
        return centred, (weight * centred * centred).sum(axes, keepdim=True) / total

    def now(self, values: Tensor, axis: int = 0) -> Tensor:
        """Return the scale or shift of the present step.

        Parameters
        ----------
        values : Tensor of shape (..., n_steps + 1, C) or (..., C)
            Of all steps, with ``"per-step"``.
        axis : int, default=0
            Where the steps are.

        Returns
        -------
        Tensor of shape (..., C)
            Those of that step.
        """
        if self.policy != "per-step":
            return values
        return values.select(axis, min(self.step, values.shape[axis] - 1))


@contextmanager
def task_batch(
    norms: Sequence[TaskNorm], weight: Tensor | None, step: int
) -> Iterator[None]:
    """Tell normalisations which rows count and how many steps are done.

    Parameters
    ----------
    norms : sequence of TaskNorm
        Layers of the module that is about to see a batch.
    weight : Tensor of shape (B,) or None
        0 for rows that only fill up the batch; None if there are none.
    step : int
        Inner steps done.
    """
    for norm in norms:
        norm.row_weight, norm.step = weight, step
    try:
        yield
    finally:
        for norm in norms:
            norm.row_weight = None


def use_task_norms(module: nn.Module, policy: str, n_steps: int = 1) -> nn.Module:
    """Replace every batch normalisation by one that suits tasks, in place.

    Parameters
    ----------
    module : nn.Module
        The net.
    policy : {"transductive", "frozen", "per-step", "group"}
        ``"transductive"``: statistics of the rows at hand, also in prediction, as Finn
        et al. did: rows of a query see each other. ``"frozen"``: given statistics,
        which make predictions of rows independent. ``"per-step"``: as transductive,
        with a learned scale and shift for each inner step, which the steps do not
        change (MAML++). ``"group"``: group normalisation instead.
    n_steps : int, default=1
        Inner steps, for ``"per-step"``.

    Returns
    -------
    nn.Module
        The net; another one only where it is a batch normalisation itself.

    Raises
    ------
    ValueError
        If the policy is unknown.

    Examples
    --------
    >>> net = use_task_norms(nn.Sequential(nn.BatchNorm1d(4)), "group")
    >>> net[0].num_groups, net[0].num_channels
    (2, 4)
    """
    check_choice(policy, "norm", NORM_POLICIES)
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        return _replacement(module, policy, n_steps)
    for name, child in module.named_children():
        setattr(module, name, use_task_norms(child, policy, n_steps))
    return module


def _replacement(
    norm: nn.modules.batchnorm._BatchNorm, policy: str, n_steps: int
) -> nn.Module:
    if policy != "group":
        return TaskNorm(norm, policy, n_steps)
    channels = norm.num_features
    groups = next(g for g in range(_MOST_GROUPS, 0, -1) if channels % g == 0)
    # A group of one channel would take away all that it says.
    groups = groups // 2 if groups == channels > 1 else groups
    groups = groups if channels % max(groups, 1) == 0 else 1
    return nn.GroupNorm(max(groups, 1), channels, norm.eps, norm.affine)


def use_plain_norms(module: nn.Module) -> nn.Module:
    """Undo :func:`use_task_norms`, in place, with the weights as they are now.

    Parameters
    ----------
    module : nn.Module
        The net.

    Returns
    -------
    nn.Module
        The net; another one only where it is a normalisation itself.
    """
    if isinstance(module, TaskNorm):
        return _plain(module)
    for name, child in module.named_children():
        setattr(module, name, use_plain_norms(child))
    return module


def _plain(norm: TaskNorm) -> nn.Module:
    first = {k: v[0] if norm.policy == "per-step" else v for k, v in _affine(norm)}
    width = next((len(v) for v in first.values()), None)
    if width is None:
        width = len(norm.running_mean)
    plain = norm.make(
        width,
        eps=norm.eps,
        affine=bool(first),
        track_running_stats=norm.running_mean is not None,
    )
    state = {**first, **dict(norm.named_buffers())}
    like = next(iter(state.values()), None)
    plain = plain if like is None else plain.to(like)
    plain.load_state_dict(state, strict=False)
    return plain


def _affine(norm: TaskNorm) -> list[tuple[str, Tensor]]:
    return [(k, v.detach()) for k, v in norm.named_parameters()]
