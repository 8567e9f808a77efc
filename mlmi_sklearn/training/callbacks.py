"""What happens between epochs: early stopping, the progress bar, scikit-learn's hooks.

All are ordinary skorch callbacks, and none listens to batches, so none slows the
lean loop of :class:`~.net.LeanNet`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from skorch.callbacks import Callback
from tqdm.auto import tqdm

from .distributed import is_main_process
from .net import StopTraining
from .snapshot import Snapshot

__all__ = ["BestWeights", "EpochScore", "ProgressBar", "SklearnBridge"]


class EpochScore(Callback):
    """Record a score after each epoch.

    Parameters
    ----------
    name : str
        Column of the history.
    scorer : callable
        Called with the net; returns a number, higher is better.
    """

    def __init__(self, name: str, scorer: Callable[[Any], float]) -> None:
        self.name = name
        self.scorer = scorer

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Evaluate and record."""
        score = float(self.scorer(net))
        if net.ranks_ is not None:  # what stops one must stop all
            score = net.ranks_.same(score)
        net.history.record(self.name, score)


class BestWeights(Callback):
    """Stop when the validation loss has not improved; keep the best weights.

    Parameters
    ----------
    patience : int
        Epochs without improvement before training stops.
    tol : float
        Improvement that counts.
    """

    def __init__(self, patience: int, tol: float) -> None:
        self.patience = patience
        self.tol = tol

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Start counting."""
        self.best_loss_ = np.inf
        self.waited_ = 0
        self.best_epoch_ = 0
        self.weights_ = Snapshot(net.module_)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Keep the weights if they are the best so far, or wait, or stop."""
        row = net.history[-1]
        loss = row["valid_loss"]
        self.waited_ = 0 if loss < self.best_loss_ - self.tol else self.waited_ + 1
        if loss < self.best_loss_:
            self.best_loss_, self.best_epoch_ = loss, row["epoch"]
            self.weights_.take()
        if self.waited_ >= self.patience:
            raise StopTraining

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Go back to the best weights, also after Ctrl-C."""
        if self.best_epoch_:
            self.weights_.restore()


class ProgressBar(Callback):
    """One bar for the whole training, with loss and score.

    Parameters
    ----------
    title : str
        Text before the bar, the name of the estimator.
    """

    def __init__(self, title: str) -> None:
        self.title = title

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Open the bar."""
        options = {
            "desc": self.title,
            "unit": "epoch",
            "disable": not is_main_process(),
        }
        self.bar_ = tqdm(total=net.max_epochs, **options)

    def training_state(self) -> int:
        """Return how far it is."""
        return int(self.bar_.n)

    def load_training_state(self, state: int) -> None:
        """Show what was done before."""
        self.bar_.update(state)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Advance by one epoch."""
        row = net.history[-1]
        shown = {
            label: f"{row[key]:.3g}" for label, key in _SHOWN.items() if key in row
        }
        self.bar_.set_postfix(shown, refresh=False)
        self.bar_.update()

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Close the bar."""
        self.bar_.close()


_SHOWN = {
    "loss": "train_loss",
    "score": "train_score",
    "val_loss": "valid_loss",
    "val_score": "valid_score",
}


class SklearnBridge(Callback):
    """Tell scikit-learn's callbacks about epochs, as tasks of the fit.

    This is what nests the progress bar of a net inside those of a Pipeline and a
    GridSearchCV, and lets ``ScoringMonitor`` follow a score epoch by epoch.

    Parameters
    ----------
    estimator : BaseEstimator
        The estimator being fitted.
    context : sklearn.callback.CallbackContext
        Its root context.
    X, y : object
        The training data, handed to callbacks that ask for it.
    snapshot : callable
        Returns the attributes that make a fitted copy of the estimator as it is now;
        called only if a callback asks for such a copy.
    """

    def __init__(
        self,
        estimator: Any,
        context: Any,
        X: Any,
        y: Any,
        snapshot: Callable[[], dict[str, Any]],
    ) -> None:
        self.estimator = estimator
        self.context = context
        self.X = X
        self.y = y
        self.snapshot = snapshot
        context.call_on_fit_task_begin(estimator=estimator, X=X, y=y)

    def training_state(self) -> None:
        """Return nothing: what it holds is made anew."""

    def load_training_state(self, state: None) -> None:
        """Take nothing."""

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Open a sub-task."""
        self.task_ = self.context.subcontext(task_name="epoch")
        self.task_.call_on_fit_task_begin(estimator=self.estimator, X=self.X, y=self.y)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Close the sub-task; a callback may ask to stop."""
        stop = self.task_.call_on_fit_task_end(
            estimator=self.estimator,
            X=self.X,
            y=self.y,
            reconstruction_attributes=self.snapshot,
        )
        if stop:
            raise StopTraining

    def close(self) -> None:
        """Report the end of the whole fit."""
        self.context.call_on_fit_task_end(
            estimator=self.estimator,
            X=self.X,
            y=self.y,
            reconstruction_attributes=self.snapshot,
        )
