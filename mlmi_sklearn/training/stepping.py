"""One optimiser step after the other, without asking the same questions each time.

``torch.optim.AdamW.step`` sorts its tensors by device and type, looks up the state of
each and opens a profiler record, every time. For a net with few weights that takes
three times as long as the arithmetic. Within an epoch none of the answers changes, so
:class:`Stepper` asks once and then calls the fused kernel that the optimiser itself
would call, with the same arguments: weights come out equal to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer

from .uncompiled import step_uncompiled

__all__ = ["Stepper"]

_KERNELS: dict[type[Optimizer], str] = {
    Adam: "_fused_adam_",
    AdamW: "_fused_adamw_",
    SGD: "_fused_sgd_",
}


class Stepper:
    """Take the steps of one epoch with an optimiser.

    Parameters
    ----------
    optimizer : Optimizer
        Fused ``Adam``, ``AdamW`` and ``SGD`` on one device are called directly; all
        others through their own ``step``.

    Notes
    -----
    Outside of :meth:`begin` and :meth:`end` every step goes through the optimiser.
    Between :meth:`begin` and :meth:`end`, the step counts in the state of the
    optimiser lag behind. A parameter without a gradient sends the whole step to the
    optimiser.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self._groups: list[_AdamGroup | _SGDGroup] = []
        self._waiting = False
        every = [p for group in _groups(optimizer) for p in group["params"]]
        self._laid_out = [p for p in every if not p.is_contiguous()]

    def begin(self) -> None:
        """Read the state of the optimiser, or wait for its first step to make it."""
        _lay_out_state(self.optimizer)
        self._waiting = not self.optimizer.state
        if _is_plain(self.optimizer):
            kind = _SGDGroup if type(self.optimizer) is SGD else _AdamGroup
            self._groups = [kind(self.optimizer, g) for g in _groups(self.optimizer)]
            if not all(group.is_uniform for group in self._groups):
                self._groups = []

    def end(self) -> None:
        """Write the number of steps back to the state of the optimiser."""
        for group in self._groups:
            group.write_back()
        self._groups = []
        self._waiting = False

    def step(self) -> None:
        """Update the weights from their gradients."""
        for p in self._laid_out:  # autograd sees to it, but not who sets them by hand
            if p.grad is not None:
                p.grad = _like(p, p.grad)
        if not self._groups:
            step_uncompiled(self.optimizer)
            if self._waiting:
                self.begin()
            return
        gradients = [[p.grad for p in group.owners] for group in self._groups]
        if any(g is None for of_group in gradients for g in of_group):
            self.end()
            step_uncompiled(self.optimizer)
            self.begin()
            return
        for group, of_group in zip(self._groups, gradients, strict=True):
            group.step(of_group)


class _Group:
    """Tensors of one parameter group, in the order the kernel wants them."""

    def __init__(self, optimizer: Optimizer, group: dict[str, Any]) -> None:
        self.options = group
        self.owners: list[Tensor] = group["params"]
        # Aliases outside of autograd, which need no context to be written to.
        self.parameters = [p.detach() for p in self.owners]
        self.kernel: Callable[..., None] = getattr(torch, _KERNELS[type(optimizer)])

    @property
    def is_uniform(self) -> bool:
        """Whether one kernel call serves all tensors."""
        return len({(p.device, p.dtype) for p in self.parameters}) == 1


class _SGDGroup(_Group):
    """A group with the running means of its gradients, if there is momentum."""

    def __init__(self, optimizer: Optimizer, group: dict[str, Any]) -> None:
        super().__init__(optimizer, group)
        self.buffers: list[Tensor] = []
        if group["momentum"]:
            self.buffers = [optimizer.state[p]["momentum_buffer"] for p in self.owners]

    def step(self, gradients: list[Any]) -> None:
        """Call the kernel."""
        options = self.options
        self.kernel(
            self.parameters,
            gradients,
            self.buffers,
            weight_decay=options["weight_decay"],
            momentum=options["momentum"],
            lr=options["lr"],
            dampening=options["dampening"],
            nesterov=options["nesterov"],
            maximize=options["maximize"],
            is_first_step=False,
            grad_scale=None,
            found_inf=None,
        )

    def write_back(self) -> None:
        """Do nothing: the optimiser's own tensors were written to."""


class _AdamGroup(_Group):
    """A group with both moments of its gradients and the number of its steps."""

    def __init__(self, optimizer: Optimizer, group: dict[str, Any]) -> None:
        super().__init__(optimizer, group)
        states = [optimizer.state[p] for p in self.owners]
        self.means = [state["exp_avg"] for state in states]
        self.squares = [state["exp_avg_sq"] for state in states]
        self.own_counts: list[Tensor] = [state["step"] for state in states]
        count = self.own_counts[0].clone()
        self.counts = [count] * len(states)

    @property
    def is_uniform(self) -> bool:
        """Whether one count of steps serves all tensors, and one kernel call."""
        # Read together: on an accelerator each reading waits for the device.
        counts = torch.stack(self.own_counts).unique()
        return super().is_uniform and len(counts) == 1

    def step(self, gradients: list[Any]) -> None:
        """Call the kernel."""
        options = self.options
        beta1, beta2 = options["betas"]
        self.counts[0].add_(1)
        self.kernel(
            self.parameters,
            gradients,
            self.means,
            self.squares,
            [],
            self.counts,
            amsgrad=False,
            lr=options["lr"],
            beta1=beta1,
            beta2=beta2,
            weight_decay=options["weight_decay"],
            eps=options["eps"],
            maximize=options["maximize"],
            grad_scale=None,
            found_inf=None,
        )

    def write_back(self) -> None:
        """Give every tensor its own count again."""
        for count in self.own_counts:
            count.copy_(self.counts[0])


def _lay_out_state(optimizer: Optimizer) -> None:
    """Give the state of each weight its layout: the kernels read memory as it lies."""
    for parameter, state in optimizer.state.items():
        for key, value in state.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                state[key] = _like(parameter, value)


def _like(parameter: Tensor, value: Tensor) -> Tensor:
    """Return a value in the layout of a parameter, copied only if it has another."""
    if value.stride() == parameter.stride():
        return value
    return torch.empty_like(parameter.detach()).copy_(value)


def _groups(optimizer: Optimizer) -> list[dict[str, Any]]:
    return [group for group in optimizer.param_groups if group["params"]]


def _is_plain(optimizer: Optimizer) -> bool:
    """Tell whether a direct call of the kernel does what ``step`` would do."""
    if not hasattr(torch, _KERNELS.get(type(optimizer), "no such kernel")):
        return False
    if optimizer._optimizer_step_pre_hooks or optimizer._optimizer_step_post_hooks:
        return False
    return all(
        group.get("fused")
        and not group.get("amsgrad")
        and not group.get("capturable")
        and not isinstance(group["lr"], Tensor)
        and _has_state(optimizer, group)
        for group in _groups(optimizer)
    )


def _has_state(optimizer: Optimizer, group: dict[str, Any]) -> bool:
    """Tell whether a first step has made what the kernel reads and writes."""
    if type(optimizer) is SGD:
        # Without momentum there is nothing to be made.
        key = "momentum_buffer" if group["momentum"] else None
    else:
        key = "step"
    states = (optimizer.state.get(p, {}) for p in group["params"])
    return key is None or all(state.get(key) is not None for state in states)
