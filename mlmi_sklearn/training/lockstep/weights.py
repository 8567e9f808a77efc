"""Weights of many nets in one tensor each, and the optimiser that changes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ..net import LeanNet
from ..stepping import Stepper

__all__ = ["StackedOptimizer", "StackedWeights"]


class StackedWeights:
    """Parameters of K nets, stacked.

    Parameters
    ----------
    weights : sequence of mapping of str to Tensor
        Parameters of each net by name, of equal shapes.

    Attributes
    ----------
    leaves : dict of str to Tensor of shape (K, ...)
        Leaves of the graph of gradients. Matrices lie there as (K, in, out), since
        their gradients come that way and would have to be copied otherwise.
    """

    def __init__(self, weights: Sequence[Mapping[str, Tensor]]) -> None:
        self.leaves: dict[str, Tensor] = {
            name: torch.stack([_laid_out(w[name].detach()) for w in weights])
            for name in weights[0]
        }
        for leaf in self.leaves.values():
            leaf.requires_grad_()
        self._live = [v.detach() for v in self.leaves.values()]
        self._kept = [v.clone() for v in self._live]

    def values(self, which: Tensor | None = None) -> dict[str, Tensor]:
        """Return the weights as the modules have them, of shape (K, ...) each.

        Parameters
        ----------
        which : Tensor of int64 or None, default=None
            Numbers of the nets, of which copies are then returned; None for all.
        """
        leaves = self.leaves
        if which is not None:
            leaves = {k: v.detach().index_select(0, which) for k, v in leaves.items()}
        return {
            name: leaf.transpose(1, 2) if leaf.ndim == 3 else leaf
            for name, leaf in leaves.items()
        }

    def keep(self, which: Tensor) -> None:
        """Remember the present weights of some nets.

        Parameters
        ----------
        which : Tensor of bool of shape (K,)
            The nets whose weights have just shown that they work.
        """
        # An accelerator is not asked: it would have to be waited for.
        if which.is_cpu and bool(which.all()):
            torch._foreach_copy_(self._kept, self._live)
            return
        for kept, live in zip(self._kept, self._live, strict=True):
            rows = which.view(-1, *[1] * (live.ndim - 1))
            torch.where(rows, live, kept, out=kept)

    def restore(self, k: int) -> None:
        """Put back what was remembered for one net."""
        for kept, live in zip(self._kept, self._live, strict=True):
            live[k] = kept[k]

    def are_finite(self) -> Tensor:
        """Return, as bools of shape (K,), whose weights are all finite."""
        found = [torch.isfinite(v).flatten(1).all(dim=1) for v in self._live]
        return torch.stack(found).all(dim=0)

    def write(self, k: int, module: nn.Module) -> None:
        """Write the weights of one net into its own module."""
        with torch.no_grad():
            for name, parameter in module.named_parameters():
                parameter.copy_(_laid_out(self.leaves[name][k]))


class StackedOptimizer:
    """One optimiser for the weights of all nets, with the rates of each.

    Parameters
    ----------
    nets : sequence of LeanNet
        Neighbours with equal options share a call of the optimiser.
    weights : StackedWeights
        Of these nets.
    """

    def __init__(self, nets: Sequence[LeanNet], weights: StackedWeights) -> None:
        self.weights = list(weights.leaves.values())
        self.runs = _runs([_options(net) for net in nets])
        self.schedules: list[Callable[[float], float] | None] = [
            nets[start].schedule for start, _, _ in self.runs
        ]
        groups = [
            {**options["group"], "params": self._slices(start, stop)}
            for start, stop, options in self.runs
        ]
        self.rates = [float(group["lr"]) for group in groups]
        self.optimizer: Optimizer = type(nets[0].optimizer_)(groups)
        self.stepper = Stepper(self.optimizer)

    def _slices(self, start: int, stop: int) -> list[Tensor]:
        # Their own leaves: gradients are handed over as slices, too.
        return [w.detach()[start:stop].requires_grad_() for w in self.weights]

    @property
    def follows_progress(self) -> bool:
        """Whether a rate changes in training."""
        return any(schedule is not None for schedule in self.schedules)

    def set_progress(self, share: float) -> None:
        """Set all rates for the share of training that is done."""
        groups = self.optimizer.param_groups
        for group, rate, schedule in zip(
            groups, self.rates, self.schedules, strict=True
        ):
            group["lr"] = rate if schedule is None else rate * schedule(share)

    def step(self) -> None:
        """Change the weights by the gradients in their ``grad``."""
        for group, (start, stop, _) in zip(
            self.optimizer.param_groups, self.runs, strict=True
        ):
            for owner, stack in zip(group["params"], self.weights, strict=True):
                assert stack.grad is not None
                owner.grad = stack.grad[start:stop]
        self.stepper.step()

    def _run_of(self, k: int) -> int:
        """Return the number of the call that steps one net."""
        return next(i for i, (_, stop, _) in enumerate(self.runs) if k < stop)

    def rate_of(self, k: int) -> float:
        """Return the present rate of one net."""
        return float(self.optimizer.param_groups[self._run_of(k)]["lr"])

    def write_state(self, k: int, net: LeanNet) -> None:
        """Give the optimiser of one net the state that it would have had alone."""
        number = self._run_of(k)
        row = k - self.runs[number][0]
        stacked = self.optimizer.param_groups[number]
        own = net.optimizer_.param_groups[0]
        own["lr"] = stacked["lr"]
        for parameter, owner in zip(own["params"], stacked["params"], strict=True):
            net.optimizer_.state[parameter] = {
                key: _part(value, owner, row)
                for key, value in self.optimizer.state[owner].items()
            }


def _options(net: LeanNet) -> dict[str, Any]:
    """Return what nets must share to be stepped by one call."""
    [group] = net.optimizer_.param_groups
    options = {key: value for key, value in group.items() if key != "params"}
    return {"group": options, "schedule": net.schedule}


def _runs(options: list[dict[str, Any]]) -> list[tuple[int, int, dict[str, Any]]]:
    """Cut a sequence into stretches of equal elements."""
    starts = [0] + [k for k in range(1, len(options)) if options[k] != options[k - 1]]
    stops = [*starts[1:], len(options)]
    return [
        (start, stop, options[start]) for start, stop in zip(starts, stops, strict=True)
    ]


def _part(value: Any, owner: Tensor, row: int) -> Any:
    """Return the part of a state that belongs to one net."""
    if not isinstance(value, Tensor):
        return value
    if value.shape == owner.shape:
        return _laid_out(value[row]).clone(memory_format=torch.contiguous_format)
    return value.clone()


def _laid_out(value: Tensor) -> Tensor:
    """Turn a weight matrix (out, in) to (in, out), or back."""
    return value.T if value.ndim == 2 else value
