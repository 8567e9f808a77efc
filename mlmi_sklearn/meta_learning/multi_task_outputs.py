"""What an estimator of either kind does with targets, tasks and raw outputs."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit, logit, softmax
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import Tags
from sklearn.utils.multiclass import unique_labels
from sklearn.utils.validation import _num_samples, check_is_fitted
from torch import nn

from ..base import ClassifierOutputs, RegressorOutputs, TorchEstimator, build_backbone
from ..base.classification import has_probabilities, probabilities
from ..base.host import on_host
from ..base.inputs import as_tensor
from ..base.naming import naming
from ..base.netbuild import row_scorer
from ..base.parts import Recipe, resolve_part
from ..base.targets import Encoded, require_task
from ..exceptions import TaskError
from ..training.data import Rows, TensorRows, TrainingData
from .multi_task_net import MultiTaskModule, TaskTensorRows
from .tasks import TaskRows, encode_tasks, require_task_column, take_task_column

__all__ = ["MultiTaskModel", "combine_heads", "has_quantiles", "is_classifier_with"]

Array = NDArray[Any]

# Below the smallest and above the largest probability that a score can stand for.
_SURE = (1e-300, 1 - 1e-16)
_PLAIN = ["identity"]


class _Passed(NamedTuple):
    """What stands for X: rows without ids of tasks, their ids, and X as it was."""

    X: Any
    ids: Any
    original: Any


def combine_heads(raw: Array, link: str) -> Array:
    """Average the outputs of several heads.

    Parameters
    ----------
    raw : ndarray of shape (n, n_tasks, k)
        Raw scores of each head.
    link : {"softmax", "sigmoid", "labels", "identity"}
        How scores become probabilities; ``"identity"`` for numbers and margins, which
        are averaged as they are.

    Returns
    -------
    ndarray of shape (n, k)
        Raw scores whose probabilities are the mean of those of the heads.

    Examples
    --------
    >>> raw = np.array([[[2.0], [-2.0]]])
    >>> combine_heads(raw, "softmax").round(6) + 0
    array([[0.]])
    """
    if link == "identity":
        return np.asarray(raw.mean(axis=1))
    raw = raw.astype(np.float64)
    if link == "labels" or raw.shape[2] == 1:
        return np.asarray(logit(np.clip(expit(raw).mean(axis=1), *_SURE)))
    if link == "softmax":
        return np.log(np.maximum(softmax(raw, axis=2).mean(axis=1), _SURE[0]))
    each = [probabilities(raw[:, task], link) for task in range(raw.shape[1])]
    return np.asarray(logit(np.clip(np.mean(each, axis=0), *_SURE)))


def is_classifier_with(name: str) -> Any:
    """Return a check for :func:`~sklearn.utils.metaestimators.available_if`.

    Parameters
    ----------
    name : {"decision_function", "predict_proba", "predict_log_proba"}
        Method that only a classifier has, the last two only with probabilities.

    Returns
    -------
    callable
        Raises an AttributeError where the method makes no sense.
    """

    def check(estimator: Any) -> bool:
        if not estimator._is_classifier:
            raise AttributeError(
                f"{type(estimator).__name__} has {name} only with kind="
                f"'classification', not kind={estimator.kind!r}."
            )
        if name == "decision_function":
            return True
        return has_probabilities(_WithLoss(estimator))

    return check


def has_quantiles(estimator: Any) -> bool:
    """Tell whether an estimator predicts quantiles.

    Parameters
    ----------
    estimator : MultiTaskEstimator
        Fitted or not.

    Returns
    -------
    bool
        True; raises an AttributeError otherwise.
    """
    loss = resolve_part("loss", estimator._choice("loss")).build()
    if not hasattr(loss, "q"):
        raise AttributeError(
            f"predict_quantiles needs loss='quantile', not loss={estimator.loss!r}."
        )
    return True


class _WithLoss:
    """An estimator's link, or before a fit the loss that "auto" stands for."""

    def __init__(self, estimator: Any) -> None:
        self.loss = estimator._choice("loss")
        self.link_ = getattr(estimator, "link_", None)


class MultiTaskModel(ClassifierOutputs, RegressorOutputs, TorchEstimator):
    """Classifier or regressor, as ``kind`` says, with one head a task."""

    _encodings: ClassVar[dict[str, Any]] = {
        "classification": ClassifierOutputs,
        "regression": RegressorOutputs,
    }
    kind: str
    task: Any
    class_weight: Any
    tasks_: Array
    n_tasks_: int

    @property
    def _is_classifier(self) -> bool:
        return self.kind == "classification"

    @property
    def _outputs_of_kind(self) -> Any:
        # An unknown kind is an error of fit, not of every look at the estimator.
        return self._encodings.get(self.kind, ClassifierOutputs)

    def __sklearn_tags__(self) -> Tags:
        if not self._is_classifier:
            return RegressorOutputs.__sklearn_tags__(self)  # past the classifier's
        tags = super().__sklearn_tags__()
        tags.regressor_tags = None
        return tags

    # -- tasks ----------------------------------------------------------------------

    def _pass(self, X: Any, groups: Any) -> Any:
        """Take ids of tasks from the side, or else from their column."""
        if isinstance(X, _Passed):
            return X
        rest, column = take_task_column(X, self.task)
        return _Passed(rest, column if groups is None else groups, X)

    def _name_tasks(self, passed: _Passed, resume: bool) -> tuple[_Passed, Array]:
        """Replace ids by codes of tasks, and name these; without ids there is one."""
        ids = passed.ids
        if ids is None:
            require_task_column(passed.original, self.task, None)
        if resume:
            return passed._replace(ids=self._codes_of(passed)), self.tasks_
        if ids is None:
            return passed, np.empty(0, dtype=object)
        with naming("X"):
            n = _num_samples(passed.X)
        names, codes = encode_tasks(ids, n)
        return passed._replace(ids=codes), names

    def _codes_of(self, passed: _Passed) -> Array | None:
        """Return codes of ids by the tasks of the fit."""
        if passed.ids is None:
            return None
        names, codes = encode_tasks(passed.ids, _num_samples(passed.X))
        table = {name: code for code, name in enumerate(self.tasks_.tolist())}
        unknown = [name for name in names.tolist() if name not in table]
        if unknown and not len(self.tasks_):
            raise TaskError(
                f"groups were passed, but {type(self).__name__} was fitted without. "
                "Leave them out, or pass groups to fit, too."
            )
        if unknown:
            raise TaskError(
                f"groups names tasks {unknown[:5]} that {type(self).__name__} was not "
                f"fitted on; it knows {self.tasks_.tolist()[:10]}. Use adapt(X, y) for "
                "a new task, or leave its ids out for the mean of all heads."
            )
        return np.asarray([table[name] for name in names.tolist()])[codes]

    def _fit_one_epoch(
        self, X: Any, y: Any, groups: Any, sample_weight: Any, classes: Any
    ) -> Self:
        known = self._announced(classes)
        return self._fit_tasks(
            X, y, groups, sample_weight, resume=True, epochs=1, classes=known
        )

    def _announced(self, classes: Any) -> Array | None:
        """Return the classes that a first ``partial_fit`` may announce."""
        if not self._is_classifier:
            return None
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' needs all data at once; pass a dict of "
                "weights, or sample_weight, to partial_fit."
            )
        if classes is None:
            return None
        announced = unique_labels(classes)
        known = getattr(self, "classes_", announced)
        if not np.array_equal(announced, known):
            raise ValueError(
                f"classes={announced.tolist()} is not the same as in the first call of "
                f"partial_fit: {known.tolist()}."
            )
        return np.asarray(announced)

    def _encoder(self, names: Array, resume: bool, classes: Array | None) -> Any:
        encode = self._encode_again if resume else self._encode
        if classes is not None:
            encode = partial(self._encode_known, classes)
        return partial(self._encode_with_tasks, encode, names)

    def _encode_with_tasks(
        self, encode: Any, names: Array, y: Array, weight: Array | None
    ) -> Encoded:
        encoded: Encoded = encode(y, weight)
        encoded.attributes |= {"tasks_": names, "n_tasks_": max(len(names), 1)}
        return encoded

    def _fit_tasks(
        self,
        X: Any,
        y: Any,
        groups: Any,
        sample_weight: Any,
        *,
        resume: bool,
        epochs: int | None = None,
        classes: Array | None = None,
    ) -> Self:
        self._validate_params()
        resume = resume and hasattr(self, "net_")
        passed, names = self._name_tasks(self._pass(X, groups), resume)
        encode = self._encoder(names, resume, classes)
        found: Self = self._fit(
            passed, y, sample_weight, resume=resume, epochs=epochs, encode=encode
        )
        return found

    def _column_of(self, X: Any) -> Any:
        """Return the column of the task, None where X is without it already."""
        shape = np.shape(X)
        plain = len(shape) != 2 or shape[1] == self.n_features_in_
        return None if plain else self.task

    # -- stages of the template -----------------------------------------------------

    def _read_inputs(self, X: Any, *, reset: bool) -> Any:
        passed = self._pass(X, None)
        values = super()._read_inputs(passed.X, reset=reset)
        return TaskRows(values, passed.ids)

    def _rows(self, inputs: Any, dtype: torch.dtype) -> Rows:
        values = as_tensor(inputs.values, dtype)
        if inputs.codes is None:
            return TensorRows(values)
        return TaskTensorRows(values, as_tensor(np.asarray(inputs.codes)))

    def _training_rows(self, inputs: Any, encoded: Encoded, dtype: torch.dtype) -> Rows:
        if inputs.codes is None:
            inputs = TaskRows(inputs.values, np.zeros(len(inputs), dtype=np.int64))
        return self._rows(inputs, dtype)

    def _options(self, encoded: Encoded) -> dict[str, Any]:
        return {"n_tasks": encoded.attributes["n_tasks_"]}

    def _assemble(self, recipe: Recipe) -> nn.Module:
        backbone = build_backbone(recipe.parts["backbone"], recipe.input_shape)
        return MultiTaskModule(backbone, recipe.n_outputs, recipe.options["n_tasks"])

    def _open_bridge(self, net: Any, attributes: Any, data: tuple[Any, Any]) -> Any:
        passed, y = data
        return super()._open_bridge(net, attributes, (passed.original, y))

    def _raw(self, X: Any) -> Array:
        """Return raw scores (n, n_outputs) by the head of each row, or by all."""
        passed = self._pass(X, None)
        raw = super()._raw(passed._replace(ids=self._codes_of(passed)))
        if passed.ids is not None or self.n_tasks_ == 1:
            return raw
        heads = raw.reshape(len(raw), self.n_tasks_, -1)
        return combine_heads(heads, self.link_)

    # -- by kind --------------------------------------------------------------------

    def _read_targets(self, y: Any) -> Array:
        return self._outputs_of_kind._read_targets(self, y)

    def _encode(self, y: Array, weight: Array | None) -> Encoded:
        return self._outputs_of_kind._encode(self, y, weight)

    def _encode_again(self, y: Array, weight: Array | None) -> Encoded:
        return self._outputs_of_kind._encode_again(self, y, weight)

    def _link_of(self, criterion: Any, encoded: Encoded) -> str:
        require_task(self._choice("loss"), self.kind)
        link = getattr(criterion, "link", None)
        allowed = ["softmax", "sigmoid", "identity"] if self._is_classifier else _PLAIN
        if link not in allowed:
            raise ValueError(
                f"loss={self.loss!r} has link={link!r}; a loss for kind={self.kind!r} "
                f"has one of {allowed}."
            )
        many = self._is_classifier and encoded.y.ndim == 2 and link != "identity"
        return "labels" if many else str(link)

    def _choice(self, component: str) -> Any:
        chosen = super()._choice(component)
        if component == "loss" and isinstance(chosen, str) and chosen == "auto":
            return "cross-entropy" if self._is_classifier else "mse"
        return chosen

    def _predict(self, X: Any, groups: Any) -> Array:
        check_is_fitted(self)
        return self._outputs_of_kind.predict(self, self._pass(X, groups))

    def _epoch_scorer(self, data: TrainingData) -> Any:
        return row_scorer(self._outputs_of_kind, data)

    def _score(self, X: Any, y: Any, sample_weight: Any, groups: Any) -> float:
        y, sample_weight, groups = map(on_host, (y, sample_weight, groups))
        measure: Any = accuracy_score if self._is_classifier else r2_score
        predicted = self._predict(X, groups)
        return float(measure(y, predicted, sample_weight=sample_weight))
