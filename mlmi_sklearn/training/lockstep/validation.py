"""Early stopping of nets that are trained together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..batches import batch_bounds
from ..net import LeanNet
from .forward import StackedNets
from .member import EarlyStopping
from .rows import StackedRows
from .weights import StackedWeights

__all__ = ["Validation"]

# Rows of a net that are computed at once, or as many as in training.
_AT_ONCE = 256


class Validation:
    """Watch the losses of K nets on rows that were set aside.

    Parameters
    ----------
    rules : sequence of EarlyStopping
        One for each net.
    pattern : LeanNet
        Tells loss and size of batches.
    """

    def __init__(self, rules: Sequence[EarlyStopping], pattern: LeanNet) -> None:
        self.rules = list(rules)
        self.pattern = pattern
        self.rows = StackedRows([rule.data for rule in rules])
        self.x, self.y, self.weight = self.rows.gather(self.rows.in_order)
        self.best = [math.inf] * len(rules)
        self.waited = [0] * len(rules)

    def part(self, rows: Sequence[int]) -> Validation:
        """Return the same for some of the nets."""
        made = Validation([self.rules[row] for row in rows], self.pattern)
        made.best = [self.best[row] for row in rows]
        made.waited = [self.waited[row] for row in rows]
        return made

    def losses(
        self, forward: StackedNets, weights: StackedWeights
    ) -> tuple[list[float], Tensor]:
        """Return mean losses, and outputs (K, n, n_outputs) on the CPU."""
        criterion: Any = self.pattern.criterion_
        values = weights.values()
        outputs, losses = [], []
        size = max(self.pattern.batch_size, _AT_ONCE)
        with torch.no_grad():
            for start, stop in batch_bounds(self.rows.longest, size):
                raw = forward(values, self.x[:, start:stop])
                y = self.y[:, start:stop].flatten(0, 1)
                losses.append(criterion(raw.flatten(0, 1), y).view(raw.shape[:2]))
                outputs.append(raw)
            of_rows = torch.where(self.weight > 0, torch.cat(losses, 1), 0)
            means = (of_rows * self.weight).sum(1) / self.weight.sum(1)
        return means.tolist(), torch.cat(outputs, 1).cpu()

    def judge(
        self, losses: Sequence[float], weights: StackedWeights
    ) -> tuple[list[int], list[int]]:
        """Remember weights that are the best so far.

        Parameters
        ----------
        losses : sequence of float
            Of this epoch.
        weights : StackedWeights
            After this epoch.

        Returns
        -------
        improved, stopped : list of int
            Places of nets with their best loss, and of those that have waited for one
            long enough.
        """
        improved, stopped = [], []
        for row, (rule, loss) in enumerate(zip(self.rules, losses, strict=True)):
            enough = loss < self.best[row] - rule.tol
            self.waited[row] = 0 if enough else self.waited[row] + 1
            if loss < self.best[row]:
                self.best[row] = loss
                improved.append(row)
            if self.waited[row] >= rule.patience:
                stopped.append(row)
        if improved:
            assert weights.best is not None
            which = torch.zeros(len(self.rules), dtype=torch.bool)
            which[improved] = True
            weights.best.keep(which.to(self.x.device))
        return improved, stopped
