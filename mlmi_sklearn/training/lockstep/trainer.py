"""The loop that trains nets in step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ...exceptions import TrainingDivergedError
from ...nn.tasks import StackedForward
from ...nn.tasks.chains import linear
from ..backward import run_backward
from ..data import TrainingData
from ..net import LeanNet, diverged_error
from .batches import StackedBatch, StackedBatches
from .weights import StackedOptimizer, StackedWeights

__all__ = ["Lockstep"]


class Lockstep:
    """Train nets of one :class:`~.structure.Structure` with one loss.

    Parameters
    ----------
    nets : sequence of LeanNet
        Initialised. Their modules, optimisers and histories are written when training
        has ended.
    sets : sequence of TrainingData
        What each is trained on, on the device of the nets.

    Attributes
    ----------
    errors : list of TrainingDivergedError or None
        One for each net; a net that diverged has the last weights that worked.
    """

    def __init__(self, nets: Sequence[LeanNet], sets: Sequence[TrainingData]) -> None:
        self.nets = list(nets)
        self.batches = StackedBatches(nets, sets)
        self.weights = StackedWeights([net.module_ for net in nets])
        self.optimizer = StackedOptimizer(nets, self.weights)
        self.criterion: Callable[[Tensor, Tensor], Tensor] = nets[0].criterion_
        self.backbone = StackedForward(nets[0].module_.backbone.train())
        self.errors: list[TrainingDivergedError | None] = [None] * len(nets)
        self.rows: list[list[dict[str, Any]]] = [[] for _ in nets]
        self._steps = 0

    def run(self) -> None:
        """Train all nets for all of their epochs."""
        for epoch in range(1, self.nets[0].max_epochs + 1):
            if all(self.errors):
                break
            self._run_epoch(epoch)
        finite = self.weights.are_finite().tolist()
        for k, net in enumerate(self.nets):
            if not finite[k]:
                self._give_up(k, len(self.rows[k]), len(self.batches))
            self._hand_over(k, net)

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
        self._record(epoch, log, (time.perf_counter() - begun) / len(self.nets))

    def _share(self) -> float:
        """Return the share of training that is done."""
        epochs = self._steps / len(self.batches)
        return min(epochs / self.nets[0].max_epochs, 1.0)

    def _gradients(self, batch: StackedBatch) -> Tensor:
        """Compute the gradients of all nets; return detached losses of shape (K, B)."""
        for leaf in self.weights.leaves.values():
            leaf.grad = None
        values = self.weights.values()
        inner = {
            name.removeprefix("backbone."): value
            for name, value in values.items()
            if name.startswith("backbone.")
        }
        raw = linear(values, "head.", self.backbone(inner, batch.x))
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

    def _hand_over(self, k: int, net: LeanNet) -> None:
        """Leave a net as training alone would."""
        if self.errors[k] is not None:
            self.weights.restore(k)
        self.weights.write(k, net.module_)
        self.optimizer.write_state(k, net)
        net.interrupted_ = False
        best = math.inf
        for row in self.rows[k]:
            best_now = row["train_loss"] < best
            best = min(best, row["train_loss"])
            net.history.append({"batches": [], **row, "train_loss_best": best_now})
