"""Errors and warnings that users of mlmi_sklearn may catch.

Errors about bad input also derive from :class:`ValueError`, so code written for
scikit-learn keeps working without importing anything from here.
"""

from __future__ import annotations

__all__ = [
    "BagError",
    "ComponentConflictError",
    "ComponentNotFoundError",
    "DomainWarning",
    "FitInterruptedWarning",
    "PluginError",
    "PluginWarning",
    "TaskError",
    "TaskWarning",
    "TrainingDivergedError",
]


class TrainingDivergedError(RuntimeError):
    """Raised when the training loss becomes NaN or infinite.

    An estimator that was not fitted before keeps the last finite weights and can
    predict; one that was fitted before keeps its earlier model untouched.

    Parameters
    ----------
    message : str
        What happened and what to try.
    epoch : int, default=0
        Epoch, counted from 1, in which the loss stopped being finite.
    step : int, default=0
        Batch of that epoch, counted from 1.
    """

    def __init__(self, message: str, epoch: int = 0, step: int = 0) -> None:
        super().__init__(message)
        self.epoch = epoch
        self.step = step

    def __reduce__(self) -> tuple[type, tuple[str, int, int]]:
        # Without this, an error raised in a joblib worker cannot come back.
        return type(self), (str(self), self.epoch, self.step)


class PluginError(RuntimeError):
    """Raised when a plugin or one of its components cannot be used."""


class ComponentNotFoundError(PluginError, ValueError):
    """Raised when no component of that kind and name is registered."""


class ComponentConflictError(PluginError, ValueError):
    """Raised when a name is taken, or is claimed by several distributions."""


class BagError(ValueError):
    """Raised when the input cannot be read as bags of instances."""


class TaskError(ValueError):
    """Raised when the input cannot be read as a set of learning tasks."""


class DomainWarning(UserWarning):
    """Issued when domain adaptation is in doubt."""


class TaskWarning(UserWarning):
    """Issued when meta-learning has no tasks to learn from."""


class PluginWarning(UserWarning):
    """Issued once for each plugin that could not be loaded."""


class FitInterruptedWarning(UserWarning):
    """Issued when Ctrl-C ended a fit early and the model so far was kept."""
