"""The loop that trains nets in step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ...exceptions import TrainingDivergedError
from ..backward import run_backward
from ..net import LeanNet, diverged_error
from .batches import StackedBatch
from .forward import StackedNets
from .member import Member
from .stack import Retired, Stack

__all__ = ["Lockstep"]


class Lockstep:
    """Train nets of one :class:`~.structure.Structure` with one loss.

    Parameters
    ----------
    members : sequence of Member
        The nets.

    Attributes
    ----------
    errors : list of TrainingDivergedError or None
        One for each net; a net that diverged has the last weights that worked.

    Notes
    -----
    When :meth:`run` has ended, :meth:`outputs` and :meth:`write_to` give the results.
    A net that stops early, or diverges, leaves the stack at the end of that epoch.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self.pattern = members[0].pattern
        self.criterion: Callable[[Tensor, Tensor], Tensor] = self.pattern.criterion_
        self.forward = StackedNets(self.pattern.module_)
        self.stack: Stack | None = Stack.of(members)
        self.retired: list[Retired] = []
        self.errors: list[TrainingDivergedError | None] = [None] * len(members)
        self.rows: list[list[dict[str, Any]]] = [[] for _ in members]
        self.validated: list[list[Tensor]] = [[] for _ in members]
        self._steps = 0

    def run(self) -> None:
        """Train all nets for all of their epochs."""
        for epoch in range(1, self.pattern.max_epochs + 1):
            if self.stack is not None:
                self._run_epoch(epoch)
        if self.stack is not None:
            self._retire(self.stack, range(len(self.stack)))
        self._places = {
            number: (part, row)
            for part in self.retired
            for row, number in enumerate(part.numbers)
        }

    def outputs(self, which: Sequence[int], x: Tensor) -> Tensor:
        """Compute outputs of trained nets for the same rows.

        Parameters
        ----------
        which : sequence of int
            Numbers of the nets.
        x : Tensor of shape (n, ...)
            Rows, on the device of the nets.

        Returns
        -------
        Tensor of shape (len(which), n, n_outputs)
            Raw outputs, on the CPU.
        """
        found: dict[int, Tensor] = {}
        with torch.no_grad():
            for part in self.retired:
                rows = {k: row for row, k in enumerate(part.numbers) if k in set(which)}
                if rows:
                    index = torch.tensor(list(rows.values()), device=x.device)
                    values = part.weights.values(index)
                    raw = self.forward(values, x.expand(len(rows), *x.shape))
                    found |= dict(zip(rows, raw.cpu(), strict=True))
        return torch.stack([found[k] for k in which])

    def write_to(
        self, k: int, net: LeanNet, score: Callable[[Tensor], float] | None = None
    ) -> None:
        """Make a net what it would be had it been trained alone.

        Parameters
        ----------
        k : int
            Number of the net.
        net : LeanNet
            Initialised as the pattern of the net was. Its weights, optimiser, generator
            and history are written to.
        score : callable or None, default=None
            Turns outputs for rows that were set aside into a score for the history.
        """
        part, row = self._places[k]
        part.write_to(row, net)
        net.interrupted_ = False
        best = {"train_loss": math.inf, "valid_loss": math.inf}
        for number, noted in enumerate(self.rows[k]):
            full = {"batches": [], **noted}
            if score is not None and number < len(self.validated[k]):
                full["valid_score"] = score(self.validated[k][number])
            for name in best.keys() & noted.keys():
                full[f"{name}_best"] = noted[name] < best[name]
                best[name] = min(best[name], noted[name])
            net.history.append(full)

    # -- an epoch -------------------------------------------------------------------

    def _run_epoch(self, epoch: int) -> None:
        stack = self.stack
        assert stack is not None
        begun = time.perf_counter()
        log: list[tuple[Tensor, StackedBatch]] = []
        stack.optimizer.stepper.begin()
        try:
            for batch in stack.batches:
                if stack.optimizer.follows_progress:
                    stack.optimizer.set_progress(self._share(stack))
                losses = self._gradients(stack, batch)
                if not log:
                    _keep_what_works(stack, losses, batch.weight)
                stack.optimizer.step()
                self._steps += 1
                log.append((losses, batch))
        finally:
            stack.optimizer.stepper.end()
        ended = set(self._record(stack, epoch, log))
        if stack.validation is not None:
            ended |= set(self._validate(stack))
        seconds = (time.perf_counter() - begun) / len(stack)
        for k in stack.numbers:
            if self.rows[k]:
                self.rows[k][-1].setdefault("dur", seconds)
        if ended:
            self._retire(stack, sorted(ended))

    def _share(self, stack: Stack) -> float:
        """Return the share of training that is done."""
        epochs = self._steps / len(stack.batches)
        return min(epochs / self.pattern.max_epochs, 1.0)

    def _gradients(self, stack: Stack, batch: StackedBatch) -> Tensor:
        """Compute the gradients of all nets; return detached losses of shape (K, B)."""
        for leaf in stack.weights.leaves.values():
            leaf.grad = None
        raw = self.forward(stack.weights.values(), batch.x)
        losses = self.criterion(raw.flatten(0, 1), batch.y.flatten(0, 1))
        run_backward(losses, batch.share.flatten().to(losses.dtype))
        return losses.detach().view(batch.share.shape)

    def _record(
        self, stack: Stack, epoch: int, log: list[tuple[Tensor, StackedBatch]]
    ) -> list[int]:
        """Note the mean loss of each net; return places of those that diverged."""
        sums = torch.stack(
            [(torch.where(b.weight > 0, x, 0) * b.weight).sum(1) for x, b in log]
        )
        total = sum(b.weight.sum(1) for _, b in log)
        means = (sums.sum(0) / total).tolist()
        failed = []
        for row, (k, mean) in enumerate(zip(stack.numbers, means, strict=True)):
            if math.isfinite(mean):
                rate = stack.optimizer.rate_of(row)
                noted = {"epoch": epoch, "lr": rate, "train_loss": mean}
                self.rows[k].append(noted)
            else:
                bad = (~torch.isfinite(sums[:, row])).nonzero()
                step = int(bad[0]) + 1 if len(bad) else len(log)
                self.errors[k] = diverged_error(epoch, step)
                failed.append(row)
        return failed

    def _validate(self, stack: Stack) -> list[int]:
        """Note losses on rows set aside; return places of nets that stop."""
        assert stack.validation is not None
        losses, outputs = stack.validation.losses(self.forward, stack.weights)
        _, stopped = stack.validation.judge(losses, stack.weights)
        sizes = [len(rule.data) for rule in stack.validation.rules]
        for k, n, loss, raw in zip(stack.numbers, sizes, losses, outputs, strict=True):
            if self.errors[k] is None:
                self.rows[k][-1]["valid_loss"] = loss
                self.validated[k].append(raw[:n])
        return stopped

    # -- the end of training --------------------------------------------------------

    def _retire(self, stack: Stack, rows: Sequence[int]) -> None:
        """Give nets their final weights and take them off the stack."""
        finite = stack.weights.are_finite().tolist()
        for row in rows:
            k = stack.numbers[row]
            if self.errors[k] is None and not finite[row]:
                error = diverged_error(len(self.rows[k]), len(stack.batches))
                self.errors[k] = error
            if self.errors[k] is not None:
                stack.weights.working.restore(row)
            elif stack.validation is not None and stack.validation.best[row] < math.inf:
                assert stack.weights.best is not None
                stack.weights.best.restore(row)
        self.stack, retired = stack.retire(rows)
        self.retired.append(retired)


def _keep_what_works(stack: Stack, losses: Tensor, weight: Tensor) -> None:
    """Remember weights whose first losses of an epoch are finite."""
    counted = torch.where(weight > 0, losses, 0)
    stack.weights.working.keep(torch.isfinite(counted).all(dim=1))
