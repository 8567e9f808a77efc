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
from .batches import StackedBatch, StackedBatches
from .forward import StackedNets
from .member import Member
from .weights import StackedOptimizer, StackedWeights

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
    """

    def __init__(self, members: Sequence[Member]) -> None:
        patterns = [member.pattern for member in members]
        self.pattern = patterns[0]
        self.batches = StackedBatches(members)
        self.weights = StackedWeights([member.weights for member in members])
        self.optimizer = StackedOptimizer(patterns, self.weights)
        self.criterion: Callable[[Tensor, Tensor], Tensor] = self.pattern.criterion_
        self.forward = StackedNets(self.pattern.module_)
        self.errors: list[TrainingDivergedError | None] = [None] * len(members)
        self.rows: list[list[dict[str, Any]]] = [[] for _ in members]
        self._steps = 0

    def __len__(self) -> int:
        return len(self.errors)

    def run(self) -> None:
        """Train all nets for all of their epochs."""
        for epoch in range(1, self.pattern.max_epochs + 1):
            if all(self.errors):
                break
            self._run_epoch(epoch)
        finite = self.weights.are_finite().tolist()
        for k in range(len(self)):
            if not finite[k]:
                self._give_up(k, len(self.rows[k]), len(self.batches))
            if self.errors[k] is not None:
                self.weights.restore(k)
        self.orders = self.batches.orders
        del self.batches  # the data and copies of them

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
        numbers = torch.tensor(which, device=x.device)
        with torch.no_grad():
            weights = self.weights.values(numbers)
            return self.forward(weights, x.expand(len(which), *x.shape)).cpu()

    def write_to(self, k: int, net: LeanNet) -> None:
        """Make a net what it would be had it been trained alone.

        Parameters
        ----------
        k : int
            Number of the net.
        net : LeanNet
            Initialised as the pattern of the net was. Its weights, optimiser, generator
            and history are written to.
        """
        self.weights.write(k, net.module_)
        self.optimizer.write_state(k, net)
        assert net.generator is not None
        net.generator.set_state(self.orders.generator_of(k).get_state())
        net.interrupted_ = False
        best = math.inf
        for row in self.rows[k]:
            best_now = row["train_loss"] < best
            best = min(best, row["train_loss"])
            net.history.append({"batches": [], **row, "train_loss_best": best_now})

    def _run_epoch(self, epoch: int) -> None:
        begun = time.perf_counter()
        log: list[tuple[Tensor, StackedBatch]] = []
        self.optimizer.stepper.begin()
        try:
            for batch in self.batches:
                if self.optimizer.follows_progress:
                    self.optimizer.set_progress(self._share())
                losses = self._gradients(batch)
                if not log:
                    self._keep_what_works(losses, batch.weight)
                self.optimizer.step()
                self._steps += 1
                log.append((losses, batch))
        finally:
            self.optimizer.stepper.end()
        self._record(epoch, log, (time.perf_counter() - begun) / len(self))

    def _share(self) -> float:
        """Return the share of training that is done."""
        epochs = self._steps / len(self.batches)
        return min(epochs / self.pattern.max_epochs, 1.0)

    def _gradients(self, batch: StackedBatch) -> Tensor:
        """Compute the gradients of all nets; return detached losses of shape (K, B)."""
        for leaf in self.weights.leaves.values():
            leaf.grad = None
        raw = self.forward(self.weights.values(), batch.x)
        losses = self.criterion(raw.flatten(0, 1), batch.y.flatten(0, 1))
        run_backward(losses, batch.share.flatten().to(losses.dtype))
        return losses.detach().view(batch.share.shape)

    def _keep_what_works(self, losses: Tensor, weight: Tensor) -> None:
        """Remember weights whose first losses of an epoch are finite."""
        counted = torch.where(weight > 0, losses, 0)
        self.weights.keep(torch.isfinite(counted).all(dim=1))

    def _record(
        self, epoch: int, log: list[tuple[Tensor, StackedBatch]], seconds: float
    ) -> None:
        """Note the mean loss of each net; give up those whose loss is not finite."""
        sums = torch.stack(
            [(torch.where(b.weight > 0, x, 0) * b.weight).sum(1) for x, b in log]
        )
        total = sum(b.weight.sum(1) for _, b in log)
        means = (sums.sum(0) / total).tolist()
        for k, mean in enumerate(means):
            if self.errors[k] is not None:
                continue
            if math.isfinite(mean):
                rate = self.optimizer.rate_of(k)
                row = {"epoch": epoch, "lr": rate, "train_loss": mean, "dur": seconds}
                self.rows[k].append(row)
            else:
                bad = (~torch.isfinite(sums[:, k])).nonzero()
                self._give_up(k, epoch, int(bad[0]) + 1 if len(bad) else len(log))

    def _give_up(self, k: int, epoch: int, step: int) -> None:
        if self.errors[k] is None:
            self.errors[k] = diverged_error(epoch, step)
        # Zero weights cannot spoil anything: gradients of nets do not mix.
        self.weights.restore(k)
