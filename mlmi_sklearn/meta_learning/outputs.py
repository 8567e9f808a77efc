"""What a meta-learner predicts, and how it learns a new task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ..base.host import on_host
from ..base.stages import Stages
from .scoring import score_by_task
from .tasks import require_one_way

__all__ = ["EpisodeOutputs"]

Array = NDArray[Any]


def _final_has(name: str) -> Any:
    """Return a check that the model behind ``predict`` has a method."""

    def check(estimator: Any) -> bool:
        if not estimator._is_classifier:
            raise AttributeError(f"{type(estimator).__name__} has no {name}.")
        model = getattr(estimator, "model_", None)
        return model is None or hasattr(model, name)

    return check


class EpisodeOutputs(Stages):
    """Mixin: ``predict`` by the model of all rows, ``adapt`` for a new task."""

    _is_classifier: bool
    task: Any
    adapt_estimator: Any
    model_: Any
    _split_tasks: Callable[[Any], tuple[Any, Any]]

    def predict(self, X: Any) -> Array:
        """Predict as an ordinary model of all the rows seen in ``fit``.

        For a new task, predict with what :meth:`adapt` returns.

        Parameters
        ----------
        X : array-like
            Samples, as in ``fit``; a column of tasks is left out if it is there.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Elements of ``classes_``, or numbers.
        """
        return self._final("predict", X)

    @available_if(_final_has("predict_proba"))
    def predict_proba(self, X: Any) -> Array:
        """Predict probabilities of ``classes_``, as :meth:`predict` does.

        Parameters
        ----------
        X : array-like
            Samples, as in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Rows sum to one.
        """
        return self._final("predict_proba", X)

    @available_if(_final_has("decision_function"))
    def decision_function(self, X: Any) -> Array:
        """Compute scores, as :meth:`predict` does.

        Parameters
        ----------
        X : array-like
            Samples, as in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Two classes have one score, above zero for ``classes_[1]``.
        """
        return self._final("decision_function", X)

    def _final(self, method: str, X: Any) -> Array:
        check_is_fitted(self)
        rows = self._read_inputs(X, reset=False)
        return getattr(self.model_, method)(rows.values)

    # -- tasks ------------------------------------------------------------------------

    def adapt(self, X: Any, y: Any, **overrides: Any) -> Any:
        """Learn a new task from its support.

        Parameters
        ----------
        X : array-like
            A few samples of the task, as in ``fit``.
        y : array-like
            Their targets; classes may be any, and any number.
        **overrides
            Parameters of the adapted estimator.

        Returns
        -------
        estimator
            A fitted estimator of its own; nothing in this one is changed.
        """
        check_is_fitted(self)
        estimator = self.adapt_estimator
        return estimator.set_params(**overrides).fit(X, y)

    def score(
        self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None
    ) -> float:
        """Score by tasks where rows name them, or as an ordinary model.

        Parameters
        ----------
        X, y : array-like
            Rows and their targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows that are judged.
        groups : array-like of shape (n_samples,), default=None
            The task of each row. Each task is split, always in the same way, into a
            support of ``n_shot`` rows (of each class) to adapt to and the rest, whose
            score counts.

        Returns
        -------
        float
            Mean over tasks of accuracy or R2; without tasks, that of :meth:`predict`.

        Raises
        ------
        TaskError
            If a task has too few rows to be judged by, or tasks are named twice.
        """
        check_is_fitted(self)
        y, sample_weight, groups = map(on_host, (y, sample_weight, groups))
        rows, ids = self._split_tasks(X)
        require_one_way(groups, ids, self.task)
        ids = groups if ids is None else ids
        if ids is None:
            measure = accuracy_score if self._is_classifier else r2_score
            return float(measure(y, self.predict(X), sample_weight=sample_weight))
        return score_by_task(self, rows, y, ids, sample_weight)
