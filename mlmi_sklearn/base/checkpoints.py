"""Trainings that survive their process: a file renewed every few epochs.

The folder that a user names holds one file for each fit under way, whose name is a
digest of all that the fit depends on: class, parameters, data, seeds. So any number of
fits of a search may share a folder, and a file is never taken for that of another fit.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import joblib
from skorch.callbacks import Callback
from torch import nn

from ..containers import Stream
from ..exceptions import PersistenceError, TrainingDivergedError
from ..training.distributed import current_ranks
from ..training.net import LeanNet
from ..training.resuming import StateError, training_state
from .plan import Plan
from .state import weights_of

__all__ = ["checkpointed"]

# What a fit comes to does not depend on these.
_IDLE = ("callbacks", "checkpoint", "checkpoint_every", "random_state")


@contextmanager
def checkpointed(
    estimator: Any, net: LeanNet, plan: Plan, data: Any
) -> Iterator[dict[str, Any]]:
    """Train in this block so that a crash loses little.

    Parameters
    ----------
    estimator : TorchEstimator
        Its ``checkpoint`` and ``checkpoint_every`` are followed.
    net : LeanNet
        With its callbacks, ready for training.
    plan : Plan
        Of the fit.
    data : object
        All that the net is trained on.

    Yields
    ------
    dict
        Arguments of ``net.partial_fit``.
    """
    folder = estimator._checkpoint_folder()
    if folder is None:
        yield {}
        return
    _require_repeatable(estimator)
    folder = _made(Path(os.fspath(folder)))
    name = type(estimator).__name__
    path = folder / f"{name}-{_digest(estimator, net, plan, data)}.mlmi"
    net.saved_ = _read(path)
    done = 0 if net.saved_ is None else len(net.saved_["history"])
    writer = _Writer(path, estimator.checkpoint_every)
    net.callbacks_.append(("checkpoint", writer))
    try:
        yield {"epochs": net.max_epochs - done}
    except TrainingDivergedError:
        _clear(path)
        raise
    if not net.interrupted_:
        _clear(path)


def _clear(path: Path) -> None:
    """Delete a checkpoint, and what deaths in the middle of writing one have left."""
    for file in (path, *path.parent.glob(f".{path.name}.*.tmp")):
        with suppress(OSError):
            file.unlink(missing_ok=True)


class _Writer(Callback):
    """Write the state of the training after every few epochs.

    Parameters
    ----------
    path : Path
        Where to.
    every : int
        Epochs from one to the next.
    """

    def __init__(self, path: Path, every: int) -> None:
        self.path = path
        self.every = every

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Write, if it is time; a disk that is full does not end the training."""
        n = len(net.history)
        if n % self.every or n >= net.max_epochs:  # the last one is followed by the end
            return
        try:
            _save(training_state(net), self.path)
        except StateError as error:
            raise TypeError(
                f"checkpoint: the training cannot be written down, since {error}. "
                "Leave that callback out, or pass checkpoint=None."
            ) from error
        except OSError as error:
            warnings.warn(
                f"checkpoint: epoch {len(net.history)} could not be written to "
                f"{str(self.path)!r} ({error}); training goes on, and an earlier "
                "checkpoint is still there.",
                RuntimeWarning,
                stacklevel=2,
            )


def _save(state: Any, path: Path) -> None:
    from ..persistence.api import save_state  # which knows the estimators

    save_state(state, path, "a training")


def _read(path: Path) -> Any:
    """Return the state in a file; None if there is none, or none that is whole."""
    from ..persistence.api import load_state

    try:
        return load_state(path)
    except FileNotFoundError:
        return None
    except PersistenceError as error:
        warnings.warn(
            f"checkpoint: {error} Training begins anew.", RuntimeWarning, stacklevel=2
        )
        return None


def _require_repeatable(estimator: Any) -> None:
    if estimator.random_state is None:
        raise ValueError(
            "checkpoint: a training can be taken up again only if its random numbers "
            "are the same, but random_state=None. Pass an int as random_state."
        )
    if current_ranks() is not None:
        raise ValueError(
            "checkpoint: processes that share a fit cannot write one yet. Pass "
            "checkpoint=None."
        )


def _made(folder: Path) -> Path:
    """Return the folder, which is made if need be and can be written to."""
    trial = folder / f".trial-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial.touch()
    except OSError as error:
        raise ValueError(
            f"checkpoint={str(folder)!r} is no folder that can be written to "
            f"({error}). Pass the path of a folder, or None."
        ) from error
    finally:
        with suppress(OSError):
            trial.unlink(missing_ok=True)
    return folder


def _digest(estimator: Any, net: LeanNet, plan: Plan, data: Any) -> str:
    """Return a digest of all that the result depends on."""
    params = {
        name: _hash(value)
        for name, value in estimator.get_params(deep=False).items()
        if name not in _IDLE
    }
    seeds = (plan.init_seed, plan.order_seed, plan.noise_seed, plan.split_seed)
    # Those of an earlier fit, after a warm start.
    start = weights_of(net.module_)
    kinds = [type(callback).__qualname__ for _, callback in net.callbacks_]
    where = str(plan.device), plan.dtype_name
    whole = (params, kinds, seeds, where, start, _hash(data))
    return str(joblib.hash(whole))


def _hash(value: Any) -> str:
    if isinstance(value, tuple):
        return str(joblib.hash([_hash(part) for part in value]))
    if isinstance(value, nn.Module):  # pickles of tensors differ from copy to copy
        value = (type(value).__qualname__, repr(value), weights_of(value))
    if isinstance(value, Stream):  # too large to be read for this
        value = (type(value).__name__, value.sample_shape, str(value.dtype))
    try:
        return str(joblib.hash(value))
    except Exception:  # whatever pickling it raises
        kind = type(value)
        name = getattr(value, "__qualname__", kind.__qualname__)
        return f"{kind.__module__}.{name}"
