"""What estimators that train on episodes share."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import Tags
from torch import nn

from ..base import Recipe, TorchEstimator
from ..base.inputs import as_tensor, read_array, require_shape
from ..base.plan import Plan, split_rows
from ..base.targets import Encoded
from ..base.warn import warn_user
from ..exceptions import TaskError, TaskWarning
from ..model_selection.episodes import EpisodeSampler
from ..nn.models import InputScale
from ..training.data import Rows, Targets, TensorRows, TrainingData
from ..training.net import LeanNet
from .constraints import EPISODE_CONSTRAINTS
from .episodes import EpisodeData, Pace
from .net import EpisodeNet
from .outputs import EpisodeOutputs
from .targets import EpisodeTargets
from .tasks import (
    TaskRows,
    as_table,
    encode_tasks,
    require_one_way,
    require_task_column,
    take_task_column,
)

__all__ = ["EpisodicEstimator"]

Array = NDArray[Any]

# Steps of the outer loop that "auto" epochs amount to, where tasks are named.
_STEPS = 1000

# Epochs where tasks are drawn from classes.
_CLASS_EPOCHS = 10

_UNUSABLE = (
    "No task can be learned from: a task needs two rows of a class, one to learn from "
    "and one to be judged by, and rows of two classes where classes are numbered anew "
    "in each. There are n_samples = {n} rows. Pass more rows of each class of y, or "
    "name fewer tasks by groups."
)

# Factor by which the loss has risen when training has run away.
_RISE = 10

_RISEN = (
    "Training of {} ran away: the loss on the queries rose from {:.3g} to {:.3g}. Use "
    "a smaller lr, max_grad_norm or inner_lr, and scale the inputs (long tails: "
    "sklearn.preprocessing.PowerTransformer)."
)

# Episodes of a set without tasks, where meta-learning has little to work on.
_POOL_EPISODES = 200


class _Passed(NamedTuple):
    """What ``fit`` was given as X, and the tasks of the rows."""

    X: Any
    groups: Any


class EpisodicEstimator(EpisodeOutputs, EpisodeTargets, TorchEstimator):
    """Base of meta-learners: episodes in, a model that adapts out.

    A subclass builds a module with ``episode(episode, criterion)`` and says how a new
    task is learnt (:meth:`adapt`) and what stands behind ``predict``
    (:meth:`_final_attributes`).
    """

    __metadata_request__fit: ClassVar[dict[str, Any]] = {"groups": True}
    __metadata_request__partial_fit: ClassVar[dict[str, Any]] = {"groups": True}
    __metadata_request__score: ClassVar[dict[str, Any]] = {"groups": True}

    _parameter_constraints: ClassVar[dict[str, Any]] = EPISODE_CONSTRAINTS
    _net_class: ClassVar[type[LeanNet]] = EpisodeNet
    model_: Any

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    # -- fit ------------------------------------------------------------------------

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Learn from many tasks.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, [channels,] ...)
            Rows of all tasks: vectors, images or volumes.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        groups : array-like of shape (n_samples,), default=None
            The task of each row: a patient, a scanner, a site. Without, and without
            ``task``, episodes are drawn from the classes, or from all rows.

        Returns
        -------
        estimator
            The fitted estimator.

        Raises
        ------
        TaskError
            If tasks are wanted but not named, or named in two ways.
        ValueError
            If the data or a parameter is unusable; the message names it.
        TrainingDivergedError
            If the loss became NaN or infinite.
        """
        self._validate_params()
        passed = self._passed(X, groups)
        named = passed.groups is not None
        resume = self.warm_start and hasattr(self, "net_")
        encode = self._encode_more if resume else self._encode_episodes
        return self._fit(
            passed, y, None, resume=self.warm_start, encode=partial(encode, named)
        )

    def partial_fit(
        self, X: Any, y: Any, groups: Any = None, classes: Any = None
    ) -> Self:
        """Train for one more epoch of episodes from the given rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, [channels,] ...)
            As in :meth:`fit`. Rows may be of tasks and, where classes are numbered
            anew in every episode, of classes that were not there before.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            As in :meth:`fit`.
        groups : array-like of shape (n_samples,), default=None
            As in :meth:`fit`.
        classes : array-like of shape (n_classes,), default=None
            All classes that will ever occur, for classifiers whose scores mean the
            same classes in every task. Needed in the first call only, and only if its
            ``y`` does not hold them all.

        Returns
        -------
        estimator
            The estimator itself.
        """
        self._validate_params()
        passed = self._passed(X, groups)
        first = not hasattr(self, "net_")
        encode = self._encode_episodes if first else self._encode_more
        named, all_classes = passed.groups is not None, self._announced(classes)
        encode = partial(encode, named, classes=all_classes)
        return self._fit(passed, y, None, resume=True, epochs=1, encode=encode)

    def _passed(self, X: Any, groups: Any) -> _Passed:
        """Bring the two ways of naming tasks together."""
        X, ids = take_task_column(X, self.task)
        require_task_column(X, self.task, ids)
        require_one_way(groups, ids, self.task)
        return _Passed(X, ids if groups is None else groups)

    # -- stages of the template -------------------------------------------------------

    def _read_inputs(self, X: Any, *, reset: bool) -> Any:
        passed = X if isinstance(X, _Passed) else _Passed(self._without_task(X), None)
        if not reset:
            require_shape(self, passed.X, self._recipe.input_shape)
        values = read_array(self, passed.X, reset=reset)
        if not reset:
            require_shape(self, values, self._recipe.input_shape)
        if passed.groups is None:
            return TaskRows(values, None)
        return TaskRows(values, encode_tasks(passed.groups, len(values))[1])

    def _without_task(self, X: Any) -> Any:
        """Drop the column of tasks where X has it."""
        return self._split_tasks(X)[0]

    def _split_tasks(self, X: Any) -> tuple[Any, Any | None]:
        """Return X without the column of tasks, and that column where X has it."""
        if self.task is None:
            return X, None
        X = as_table(X)
        shape: tuple[int, ...] = getattr(X, "shape", ())
        by_name = isinstance(self.task, str) and hasattr(X, "columns")
        if not by_name and len(shape) == 2 and shape[1] == self.n_features_in_:
            return X, None
        return take_task_column(X, self.task)

    def _input_dtype(self, inputs: Any) -> torch.dtype:
        return super()._input_dtype(inputs.values)

    def _rows(self, inputs: Any, dtype: torch.dtype) -> Rows:
        return super()._rows(inputs.values, dtype)

    def _rows_per_batch(self, inputs: Any) -> int:
        return int(self.meta_batch_size)

    def _epochs(self) -> int:
        if self.max_epochs != "auto":
            return int(self.max_epochs)
        return self._auto_epochs

    def _start_net(
        self, inputs: Any, recipe: Recipe, plan: Plan, resume: bool, epochs: int | None
    ) -> LeanNet:
        n_tasks = 1 if inputs.codes is None else len(np.unique(inputs.codes))
        kind = recipe.options["episodes"]
        steps = -(-n_tasks // int(self.meta_batch_size))
        auto = {"groups": -(-_STEPS // steps), "classes": _CLASS_EPOCHS, "pool": 1}
        self._auto_epochs = auto[kind.mode]
        return super()._start_net(inputs, recipe, plan, resume, epochs)

    def _options(self, encoded: Encoded) -> dict[str, Any]:
        return {"episodes": encoded.attributes["_episodes"], **self._model_options()}

    def _model_options(self) -> dict[str, Any]:
        """Return parameters that the module is built with."""
        return {}

    def _net_options(self) -> dict[str, Any]:
        return {"chunk": self.task_chunk_size, "max_grad_norm": self.max_grad_norm}

    def _calibrate(self, module: nn.Module, inputs: Any, encoded: Encoded) -> None:
        """Let inputs have mean 0 and deviation 1, each feature or all pixels."""
        scale: Any = module.scale
        values = np.asarray(inputs.values, dtype=np.float64)
        axes = 0 if values.ndim == 2 else None
        mean, sd = values.mean(axes), values.std(axes)
        factor = 1 / np.where(sd > 10 * np.finfo(np.float64).eps * abs(mean), sd, 1.0)
        scale.factor.copy_(torch.as_tensor(factor))
        scale.offset.copy_(torch.as_tensor(-mean * factor).reshape(scale.offset.shape))

    def _make_scale(self, input_shape: tuple[int, ...]) -> InputScale:
        if len(input_shape) == 1:
            return InputScale(input_shape, input_shape)
        return InputScale((1,) * len(input_shape))

    def _training_data(
        self, net: LeanNet, inputs: Any, encoded: Encoded, plan: Plan
    ) -> tuple[TrainingData, TrainingData | None]:
        """Turn rows into tensors to draw episodes from; set some tasks aside."""
        whole = np.arange(len(inputs))
        if not self.early_stopping:
            return self._episodes_of(net, inputs, encoded, plan, whole), None
        fraction, units = self._held_out(inputs, encoded)
        strata = encoded.y if self._is_classifier else None
        parts = split_rows(len(inputs), fraction, plan.split_seed, strata, units)
        train, valid = (
            self._episodes_of(net, inputs, encoded, plan, part) for part in parts
        )
        return train, valid

    def _held_out(
        self, inputs: TaskRows, encoded: Encoded
    ) -> tuple[float, Array | None]:
        """Return the share of units to set aside, and the units; None for rows."""
        fraction = float(self.validation_fraction)
        mode = encoded.attributes["_episodes"].mode
        if mode != "classes":
            return fraction, inputs.codes if mode == "groups" else None
        n = len(np.unique(encoded.y))
        if n < 4:
            return fraction, None
        # One class alone is no task.
        n_valid = min(max(int(np.ceil(fraction * n)), 2), n - 2)
        return (n_valid - 0.5) / n, encoded.y

    def _episodes_of(
        self, net: LeanNet, inputs: Any, encoded: Encoded, plan: Plan, rows: Array
    ) -> EpisodeData:
        """Return episodes of some rows."""
        kind = encoded.attributes["_episodes"]
        chosen, y = inputs[rows], encoded.y[rows]
        groups = chosen.codes if kind.mode == "groups" else None
        if groups is not None:
            groups = np.unique(groups, return_inverse=True)[1]
        sampler = EpisodeSampler(
            y if self._is_classifier else None,
            groups,
            n_way=encoded.n_outputs if kind.local else None,
            n_shot=self.n_shot,
            n_query=self.n_query,
            n_rows=len(rows),
        )
        usable = sampler.usable(2 if kind.local else 1)
        if not usable.any():
            raise TaskError(_UNUSABLE.format(n=len(rows)))
        x = as_tensor(chosen.values, plan.dtype).to(plan.device)
        with torch.no_grad():
            x = net.module_.scale(x)
        targets = as_tensor(y)
        if targets.is_floating_point():
            targets = targets.to(plan.dtype)
        pace = Pace(int(self.meta_batch_size), self._episodes_per_epoch(kind.mode))
        whole = getattr(net.module_, "n_outputs", encoded.n_outputs)
        n_outputs = encoded.n_outputs if kind.local else whole
        return EpisodeData(
            TensorRows(x),
            Targets(targets.to(plan.device)),
            sampler,
            pace,
            n_outputs,
            kind.local,
            np.flatnonzero(usable),
        )

    def _episodes_per_epoch(self, mode: str) -> int | None:
        if mode == "groups":
            return None
        if mode == "pool" and self.episodes == "auto":
            return min(int(self.episodes_per_epoch), _POOL_EPISODES)
        return int(self.episodes_per_epoch)

    def _train(
        self,
        net: LeanNet,
        inputs: Any,
        encoded: Encoded,
        plan: Plan,
        attributes: dict[str, Any],
        data: tuple[Any, Any],
    ) -> None:
        super()._train(net, inputs, encoded, plan, attributes, data)
        self._warn_of_a_rising_loss([row.get("train_loss") for row in net.history])
        net.module_.eval()
        codes, mode = inputs.codes, encoded.attributes["_episodes"].mode
        grouped = mode == "groups" and codes is not None
        attributes["n_tasks_"] = len(np.unique(codes)) if grouped else 1
        attributes |= self._final_attributes(net, inputs, encoded, plan)

    def _warn_of_a_rising_loss(self, losses: list[float | None]) -> None:
        """Warn if training ended worse than it began, which is finite all the same."""
        known = [loss for loss in losses if loss is not None]
        if len(known) > 1 and known[-1] > _RISE * known[0]:
            message = _RISEN.format(type(self).__name__, known[0], known[-1])
            warn_user(message, TaskWarning)

    def _original_targets(self, encoded: Encoded) -> Array:
        """Return targets as they were before they were encoded."""
        found = encoded.attributes
        if self._is_classifier:
            return found["classes_"][encoded.y]
        z = encoded.y[:, 0] if found["_y_ndim"] == 1 else encoded.y
        return z * found["y_scale_"] + found["y_mean_"]

    @abstractmethod
    def _final_attributes(
        self, net: LeanNet, inputs: TaskRows, encoded: Encoded, plan: Plan
    ) -> dict[str, Any]:
        """Return what stands behind ``predict``, the attribute ``model_`` above all."""

    def _epoch_scorer(self, data: Any) -> None:
        """Let epochs be judged by their loss: a meta-learner has no score by rows."""

    def _open_bridge(
        self, net: LeanNet, attributes: dict[str, Any], data: tuple[Any, Any]
    ) -> Any:
        """Let scikit-learn's callbacks see rows as they were passed."""
        X, y = data
        return super()._open_bridge(net, attributes, (getattr(X, "X", X), y))
