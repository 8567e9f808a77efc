"""What a meta-learner becomes after seeing a few samples of a task."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import column_or_1d

from ..base.inputs import read_targets
from ..base.naming import check_classes
from ..exceptions import TaskError
from .adapted_base import AdaptedEstimator

__all__ = ["AdaptedClassifier", "AdaptedRegressor"]

Array = NDArray[Any]


class AdaptedClassifier(ClassifierMixin, AdaptedEstimator):
    """A meta-learner adapted to the classes of one task.

    :meth:`MAMLEstimator.adapt` makes it. It is an ordinary classifier: ``fit`` adapts
    the prior to a support, anew each time, so that cross-validation, searches over
    ``inner_steps``, voting and calibration work on a new task.

    Parameters
    ----------
    prior : FrozenEstimator or MAMLEstimator
        A fitted meta-learner; frozen, it survives ``clone``.
    inner_steps : int, default=None
        Steps from the prior; None for those of the meta-learner. A step that ends in a
        loss on the support above that of the prior is taken back, and the step size
        halved; beyond the steps of training, so is one that raises it at all.
    inner_lr : float, default=None
        Their size; None for what the meta-learner uses or has learned.
    freeze : str or list of str, default=()
        Patterns of parameters that stay as they are, such as ``"backbone.*"``.
    norm : {"transductive", "frozen"}, default=None
        Statistics of batch normalisation; None for those of the meta-learner.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes of the task.
    support_loss_ : float
        Loss on the support after the last step.
    n_features_in_ : int
        Size of the first dimension of a sample.

    Notes
    -----
    With ``"transductive"`` statistics the rows of one call of ``predict`` see each
    other, as in the experiments of Finn et al.; a lone row is joined by the support.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from mlmi_sklearn import AdaptedClassifier, MAMLClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> old, new = y < 7, y >= 7
    >>> meta = MAMLClassifier(n_way=3, max_epochs=3, random_state=0)
    >>> model = meta.fit(X[old], y[old]).adapt(X[new][:30], y[new][:30])
    >>> isinstance(model, AdaptedClassifier)
    True
    >>> model.classes_.tolist(), model.score(X[new], y[new]) > 0.6
    ([7, 8, 9], True)
    """

    _kind: ClassVar[str] = "classification"

    def _codes(self, y: Any, n: int) -> tuple[Array, int]:
        y = read_targets(self, y, numeric=False)
        check_classes(y)
        y = column_or_1d(y, warn=True)
        _require_lengths(n, len(y))
        meta = self._meta()
        found = np.unique(y)
        kind = meta._recipe.options["episodes"]
        if not kind.local and np.isin(found, meta.classes_).all():
            self.classes_ = meta.classes_
        else:
            self.classes_ = found
        limit = meta._most_classes()
        if limit is not None and len(self.classes_) > limit:
            raise TaskError(
                f"y has {len(found)} classes, but head='learned' has scores for {limit}"
                " only. Pass fewer classes, or train with a larger n_way or with "
                "head='proto', 'zero' or 'shared'."
            )
        codes = np.searchsorted(self.classes_, y).astype(np.int64)
        return codes, len(self.classes_)

    def decision_function(self, X: Any) -> Array:
        """Compute scores.

        Parameters
        ----------
        X : array-like
            Samples, as in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Two classes have one score, above zero for ``classes_[1]``.
        """
        raw = self._raw(X)
        return raw[:, 1] - raw[:, 0] if raw.shape[1] == 2 else raw

    def predict(self, X: Any) -> Array:
        """Predict classes.

        Parameters
        ----------
        X : array-like
            Samples, as in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples,)
            Elements of ``classes_``.
        """
        raw = self._raw(X)
        return self.classes_[raw.argmax(axis=1)]

    @available_if(lambda self: self._link() != "identity")
    def predict_proba(self, X: Any) -> Array:
        """Predict probabilities.

        Parameters
        ----------
        X : array-like
            Samples, as in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Rows sum to one.
        """
        raw = self._raw(X).astype(np.float64)
        if self._link() == "softmax":
            return softmax(raw, axis=1)
        p = expit(raw)
        return p / p.sum(axis=1, keepdims=True)

    def _link(self) -> str:
        return str(self._meta().link_)


class AdaptedRegressor(RegressorMixin, AdaptedEstimator):
    """A meta-learner adapted to one regression task.

    Parameters
    ----------
    prior : FrozenEstimator or MAMLEstimator
        A fitted meta-learner; frozen, it survives ``clone``.
    inner_steps : int, default=None
        Steps from the prior; None for those of the meta-learner. A step that ends in a
        loss on the support above that of the prior is taken back, and the step size
        halved; beyond the steps of training, so is one that raises it at all.
    inner_lr : float, default=None
        Their size; None for what the meta-learner uses or has learned.
    freeze : str or list of str, default=()
        Patterns of parameters that stay as they are, such as ``"backbone.*"``.
    norm : {"transductive", "frozen"}, default=None
        Statistics of batch normalisation; None for those of the meta-learner.

    Attributes
    ----------
    support_loss_ : float
        Loss on the support after the last step, in standardised units.
    n_features_in_ : int
        Size of the first dimension of a sample.

    Examples
    --------
    >>> from mlmi_sklearn import AdaptedRegressor, MAMLRegressor
    >>> from mlmi_sklearn.datasets import make_sinusoid_tasks
    >>> X, y, groups = make_sinusoid_tasks(60, random_state=0)
    >>> meta = MAMLRegressor(max_epochs=20, random_state=0).fit(X, y, groups)
    >>> new, z, _ = make_sinusoid_tasks(1, random_state=1)
    >>> model = meta.adapt(new[:10], z[:10])
    >>> isinstance(model, AdaptedRegressor), model.predict(new[10:]).shape
    (True, (10,))
    """

    _kind: ClassVar[str] = "regression"

    def _codes(self, y: Any, n: int) -> tuple[Array, int]:
        y = read_targets(self, y, numeric=True).astype(np.float64)
        _require_lengths(n, len(y))
        meta = self._meta()
        if y.ndim != meta._y_ndim:
            raise ValueError(
                f"y has {y.ndim} dimensions, but the prior was trained on targets with "
                f"{meta._y_ndim}."
            )
        z = meta._standardise(y, None, _units(meta)).y
        return z, meta._recipe.n_outputs

    def predict(self, X: Any) -> Array:
        """Predict targets in their original unit.

        Parameters
        ----------
        X : array-like
            Samples, as in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions, of the shape of ``y``.
        """
        raw = self._raw(X)
        meta = self._meta()
        z = meta._central(raw)
        z = z[:, 0] if meta._y_ndim == 1 else z
        return z * meta.y_scale_ + meta.y_mean_


def _units(meta: Any) -> dict[str, Any]:
    return {"y_mean_": meta.y_mean_, "y_scale_": meta.y_scale_}


def _require_lengths(n: int, n_targets: int) -> None:
    if n != n_targets:
        raise ValueError(
            f"X and y have inconsistent numbers of samples: {n} and {n_targets}."
        )
