"""One optimiser for the weights of many nets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from ..net import LeanNet
from ..stepping import Stepper
from ..uncompiled import without_compiler
from .weights import StackedWeights, laid_out

__all__ = ["StackedOptimizer"]


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
        with without_compiler():
            self.optimizer: Optimizer = type(nets[0].optimizer_)(groups)
        self.stepper = Stepper(self.optimizer)

    def part(
        self, rows: Tensor, nets: Sequence[LeanNet], weights: StackedWeights
    ) -> StackedOptimizer:
        """Return an optimiser of some of the nets, which goes on where this one is.

        Parameters
        ----------
        rows : Tensor of int64 of shape (k,)
            Their numbers, in rising order.
        nets : sequence of LeanNet
            Their patterns.
        weights : StackedWeights
            Their weights.
        """
        made = StackedOptimizer(nets, weights)
        for (start, _, _), group in zip(
            made.runs, made.optimizer.param_groups, strict=True
        ):
            group["lr"] = self.rate_of(int(rows[start]))
        for place in range(len(self.weights)):
            made._take_state(place, self._state_of(place), rows)
        return made

    def _state_of(self, place: int) -> dict[str, Any]:
        """Return the state of one stack of weights, of all runs together."""
        owners = [group["params"][place] for group in self.optimizer.param_groups]
        states = [self.optimizer.state.get(owner, {}) for owner in owners]
        return {
            key: torch.cat([state[key] for state in states])
            if _is_of_each(value, owners[0])
            else value
            for key, value in states[0].items()
        }

    def _take_state(self, place: int, state: dict[str, Any], rows: Tensor) -> None:
        for (start, stop, _), group in zip(
            self.runs, self.optimizer.param_groups, strict=True
        ):
            owner = group["params"][place]
            self.optimizer.state[owner] = {
                key: _chosen(value, rows[start:stop], owner)
                for key, value in state.items()
            }

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
    if _is_of_each(value, owner):
        return laid_out(value[row]).clone(memory_format=torch.contiguous_format)
    return value.clone()


def _is_of_each(value: Any, owner: Tensor) -> bool:
    """Tell whether a state has a number for each weight, and not one for all."""
    return isinstance(value, Tensor) and value.shape == owner.shape


def _chosen(value: Any, rows: Tensor, owner: Tensor) -> Any:
    """Return the part of a state that belongs to some of the nets."""
    if not isinstance(value, Tensor):
        return value
    if value.ndim == owner.ndim:
        return value.index_select(0, rows)
    return value.clone()
