"""Stop when samples no longer get better, and keep the best generator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from skorch.callbacks import Callback

from ..training.net import StopTraining
from ..training.snapshot import Snapshot

__all__ = ["MetricCheckpoint"]


class MetricCheckpoint(Callback):
    """Judge the samples of a generator now and then.

    The losses of the players say nothing about the quality of samples: each is
    relative to an opponent that changes, too.

    Parameters
    ----------
    score : callable
        Called with the net; higher is better.
    every : int
        Rows of the history between two looks.
    patience : int
        Looks without an improvement before training stops.
    tol : float
        Improvement that counts.
    restore : bool
        Whether to go back to the best weights at the end.

    Attributes
    ----------
    best_step_ : int
        Step of the generator after which samples were best; 0 before the first look.
    """

    def __init__(
        self,
        score: Callable[[Any], float],
        every: int,
        patience: int,
        tol: float,
        restore: bool,
    ) -> None:
        self.score = score
        self.every = every
        self.patience = patience
        self.tol = tol
        self.restore = restore

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Begin anew."""
        self.best_score_ = -np.inf
        self.best_step_ = 0
        self.waited_ = 0
        self.weights_ = Snapshot(net.module_)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Look at samples if it is time."""
        epoch = len(net.history)
        if epoch % self.every and epoch < net.max_epochs:
            return
        found = float(self.score(net))
        net.history.record("valid_score", found)
        better = found > self.best_score_ + self.tol
        self.waited_ = 0 if better else self.waited_ + 1
        if found > self.best_score_:
            self.best_score_, self.best_step_ = found, net.steps_done_
            self.weights_.take()
        if self.waited_ >= self.patience:
            raise StopTraining

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Go back to the best weights, also after Ctrl-C."""
        if self.restore and self.best_step_:
            self.weights_.restore()
            # What was kept had its average prepared for the look.
            net.average_is_ready_ = True
            net.module_.eval()
