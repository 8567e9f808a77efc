"""Nets that are in training, and those whose training has ended."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..net import LeanNet
from .batches import Generators, StackedBatches
from .member import Member
from .optimizer import StackedOptimizer
from .validation import Validation
from .weights import StackedWeights

__all__ = ["Retired", "Stack"]


class Stack:
    """Some nets with all that trains them.

    Parameters
    ----------
    members : sequence of Member
        The nets.
    numbers : sequence of int
        Their numbers among all nets.
    generators : Generators
        Sources of the orders of rows.
    weights : StackedWeights
        Their weights.
    optimizer : StackedOptimizer
        What changes the weights.
    validation : Validation or None
        What tells whether a net has trained long enough.
    """

    def __init__(
        self,
        members: Sequence[Member],
        numbers: Sequence[int],
        generators: Generators,
        weights: StackedWeights,
        optimizer: StackedOptimizer,
        validation: Validation | None,
    ) -> None:
        self.members = list(members)
        self.numbers = list(numbers)
        self.generators = generators
        self.weights = weights
        self.optimizer = optimizer
        self.validation = validation
        self.batches = StackedBatches(members, generators)

    def __len__(self) -> int:
        return len(self.numbers)

    @classmethod
    def of(cls, members: Sequence[Member]) -> Stack:
        """Return a stack of new nets."""
        weights = StackedWeights.of([member.weights for member in members])
        optimizer = StackedOptimizer([m.pattern for m in members], weights)
        rules = [m.stopping for m in members if m.stopping is not None]
        validation = None
        if rules:
            weights.remember_best()
            validation = Validation(rules, members[0].pattern)
        numbers = range(len(members))
        generators = Generators(members)
        return cls(members, numbers, generators, weights, optimizer, validation)

    def retire(self, rows: Sequence[int]) -> tuple[Stack | None, Retired]:
        """Part nets whose training has ended from the others.

        Parameters
        ----------
        rows : sequence of int
            Places of the former in this stack.

        Returns
        -------
        left : Stack or None
            The latter; None if there are none.
        retired : Retired
            The former.
        """
        ended = set(rows)
        others = [row for row in range(len(self)) if row not in ended]
        left = None
        if others:
            weights, optimizer = self._part(others)
            checks = None if self.validation is None else self.validation.part(others)
            left = Stack(
                [self.members[row] for row in others],
                [self.numbers[row] for row in others],
                self.generators,
                weights,
                optimizer,
                checks,
            )
        chosen = sorted(ended)
        parts = self._part(chosen) if others else (self.weights, self.optimizer)
        states = [self.generators.state_of(self.members[row]) for row in chosen]
        return left, Retired([self.numbers[row] for row in chosen], *parts, states)

    def _part(self, rows: list[int]) -> tuple[StackedWeights, StackedOptimizer]:
        some = next(iter(self.weights.leaves.values()))
        index = torch.tensor(rows, device=some.device)
        weights = self.weights.part(index)
        patterns = [self.members[row].pattern for row in rows]
        return weights, self.optimizer.part(index, patterns, weights)


class Retired:
    """Some nets at the end of their training.

    Parameters
    ----------
    numbers : list of int
        Their numbers among all nets.
    weights : StackedWeights
        Their weights.
    optimizer : StackedOptimizer
        With the state of their optimisers.
    states : list of Tensor
        Of their generators.
    """

    def __init__(
        self,
        numbers: list[int],
        weights: StackedWeights,
        optimizer: StackedOptimizer,
        states: list[Tensor],
    ) -> None:
        self.numbers = numbers
        self.weights = weights
        self.optimizer = optimizer
        self.states = states

    def write_to(self, row: int, net: LeanNet) -> None:
        """Write weights and states of the net in a row of the stack."""
        self.weights.write(row, net.module_)
        self.optimizer.write_state(row, net)
        assert net.generator is not None
        net.generator.set_state(self.states[row])
