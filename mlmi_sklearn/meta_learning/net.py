"""The net that trains on episodes."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..nn.tasks import Episode, TaskPass
from ..training.backward import run_backward
from ..training.batches import TensorBatches
from ..training.clipping import clip_gradients
from ..training.data import Batch, Targets
from ..training.device import autocast
from ..training.losslog import LossLog
from ..training.net import LeanNet
from .episodes import EpisodeBatch, EpisodeBatches, EpisodeData

__all__ = ["EpisodeNet", "spread"]

# Weights of all tasks of a chunk: few enough for the cache of a processor, where more
# tasks at a time only cost memory (three of a conv4, for which more would take over
# three times the memory of a loop); many for an accelerator, which wants to be filled.
_WEIGHTS_ON_HOST = 3 * 2**17
_WEIGHTS_ON_DEVICE = 2**25

_SPOILT = (
    "The gradient of {bad} of {n} tasks in a step was not finite; such tasks are left "
    "out. Use a smaller inner_lr or fewer inner_steps, or scale the inputs."
)


class EpisodeNet(LeanNet):
    """A :class:`LeanNet` whose rows are tasks.

    Parameters
    ----------
    *args, **kwargs
        As in :class:`LeanNet`.
    chunk : int or "auto", default="auto"
        Tasks computed at once.
    max_grad_norm : float, optional
        Largest norm of the gradient of the outer loop, per task.
    """

    shares_batches = True
    measures_batches = False  # normalisation sees one task at a time
    changes = (*LeanNet.changes, "rng_", "warned_")
    rng_: np.random.Generator | None = None

    def __init__(
        self,
        *args: Any,
        chunk: Any = "auto",
        max_grad_norm: float | None = None,
        **kwargs: Any,
    ) -> None:
        self.chunk = chunk
        self.max_grad_norm = max_grad_norm
        super().__init__(*args, **kwargs)

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Draw episodes; those of a validation are the same in every epoch."""
        if not isinstance(dataset, EpisodeData):
            return super().get_iterator(dataset, training)
        seed = (self.generator or torch.default_generator).initial_seed()
        if not training:
            return EpisodeBatches(dataset, np.random.default_rng([seed, 1]))
        if self.rng_ is None:
            self.rng_ = np.random.default_rng([seed, self.epochs_before])
        return EpisodeBatches(dataset, self.rng_, self.ranks_)

    def fit_loop(
        self, X: Any, y: Any = None, epochs: int | None = None, **kwargs: Any
    ) -> EpisodeNet:
        """Train; the order of episodes begins anew."""
        self.rng_, self.warned_ = None, False
        super().fit_loop(X, y, epochs, **kwargs)
        return self

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, **kwargs: Any
    ) -> None:
        """Give fixed statistics of normalisations a look at the present weights."""
        measure = getattr(self.module_, "set_statistics", None)
        if training and measure is not None and isinstance(iterator, EpisodeBatches):
            measure(spread(iterator.data.rows.values))
        super().run_single_epoch(iterator, training, prefix, step_fn, **kwargs)

    def batch_loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the loss (T,) on the query of each task, and its accuracy.

        Parameters
        ----------
        batch : tuple
            An :class:`EpisodeBatch`, and nothing.

        Returns
        -------
        losses, losses : Tensor of shape (T,)
            Without gradient; skorch wants an output as well.
        """
        inputs, _ = batch
        if not isinstance(inputs, EpisodeBatch):
            return super().batch_loss(batch)
        parts = inputs.chunks(self._chunk_size())
        with torch.enable_grad():
            losses = torch.cat([self._pass(part).losses.detach() for part in parts])
        return losses, losses

    def _gradients(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Sum the gradients of all tasks, as algorithm 1 does."""
        inputs, _ = batch
        if not isinstance(inputs, EpisodeBatch):
            return super()._gradients(batch)
        if self.follows_progress_:
            self._tell_progress()
        losses = self._summed(list(inputs.chunks(self._chunk_size())))
        if self._is_spoilt():
            losses = self._without_spoilt(inputs)
        n = len(losses)
        if self.ranks_ is not None:
            amount = losses.new_tensor(float(n))
            n = int(self.ranks_.sum_gradients(self.parameters_, amount))
        if not n:
            losses = torch.full((1,), torch.nan)  # ends the fit as diverged
        if self.max_grad_norm is not None:
            clip_gradients(self.parameters_, self.max_grad_norm * n)
        return losses, losses

    def _summed(self, parts: list[Episode]) -> Tensor:
        for parameter in self.parameters_:
            parameter.grad = None
        found = []
        for part in parts:
            result = self._pass(part)
            objective = result.objective.sum()
            scaled = self.scaler_.scale(objective) if self.scaler_ else objective
            if scaled.requires_grad:
                run_backward(scaled, None)
            found.append(result.losses.detach())
        return torch.cat(found) if found else self.parameters_[0].new_empty(0)

    def _pass(self, part: Episode) -> TaskPass:
        if self.amp_dtype is None:
            return self.module_.episode(part, self.criterion_)
        with autocast(torch.device(self.device), self.amp_dtype):
            return self.module_.episode(part, self.criterion_)

    def _is_spoilt(self) -> bool:
        """Whether a gradient is not finite; an accelerator is not asked each time."""
        if torch.device(self.device).type != "cpu" or self.scaler_ is not None:
            return False
        found = [p.grad for p in self.parameters_ if p.grad is not None]
        if not found:
            return False
        return not bool(torch.stack(torch._foreach_norm(found)).sum().isfinite())

    def _without_spoilt(self, inputs: EpisodeBatch) -> Tensor:
        """Compute the gradient of those tasks alone that have a finite one."""
        good: list[Episode] = []
        for part in inputs.chunks(1):
            self._summed([part])
            if not self._is_spoilt():
                good.append(part)
        if good and not self.warned_:
            bad = len(inputs) - len(good)
            self.warned_ = True
            message = _SPOILT.format(bad=bad, n=len(inputs))
            warnings.warn(message, RuntimeWarning, stacklevel=2)
        return self._summed(good)

    def _chunk_size(self) -> int:
        if self.chunk != "auto":
            return int(self.chunk)
        n_weights = sum(p.numel() for p in self.module_.parameters())
        on_host = torch.device(self.device).type == "cpu"
        limit = _WEIGHTS_ON_HOST if on_host else _WEIGHTS_ON_DEVICE
        return max(1, limit // max(n_weights, 1))

    def _validate(self, iterator: Any) -> LossLog:
        if not isinstance(iterator, TensorBatches):
            iterator = ((x, Targets(None)) for x, _ in iterator)
        return super()._validate(iterator)


def spread(rows: Any) -> Any:
    """Return enough rows to measure statistics on, from all over an array."""
    size = max(1, int(np.prod(rows.shape[1:])))
    most = max(2, min(_STATISTICS_ROWS, _STATISTICS_ELEMENTS // size))
    return rows[:: -(-len(rows) // most)]


_STATISTICS_ROWS = 256
_STATISTICS_ELEMENTS = 2**22
