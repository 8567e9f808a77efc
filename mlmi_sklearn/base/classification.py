"""Classes on the way in, scores and probabilities on the way out.

A classifier has one output column for two classes (a single logit), one a class
beyond that, and one a label for multi-label targets. The loss says how raw outputs
become probabilities through its ``link``.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from scipy.special import expit
from sklearn.metrics import accuracy_score
from sklearn.utils import Tags
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import (
    type_of_target,
    unique_labels,
)
from sklearn.utils.validation import check_is_fitted, column_or_1d

from .host import ScoredClassifier
from .inputs import read_targets
from .naming import check_classes
from .parts import resolve_part
from .pieces import in_pieces
from .targets import Array, Encoded, require_task

__all__ = [
    "ClassifierOutputs",
    "class_weights",
    "has_probabilities",
    "probabilities",
]


def probabilities(raw: Array, link: str) -> Array:
    """Turn raw outputs into class or label probabilities.

    Parameters
    ----------
    raw : ndarray of shape (n, k)
        Raw scores; ``k = 1`` means two classes with one logit.
    link : {"softmax", "sigmoid", "labels"}
        ``"sigmoid"`` with several columns is one-versus-rest, normalised to sum to
        one; ``"labels"`` keeps the columns independent.

    Returns
    -------
    ndarray of shape (n, n_classes)
        float64; rows sum to one unless ``link="labels"``.

    Examples
    --------
    >>> probabilities(np.array([[0.0]]), "softmax")
    array([[0.5, 0.5]])
    """
    raw = raw.astype(np.float64)
    if link == "labels":
        return expit(raw)
    if raw.shape[1] == 1:
        return np.hstack([expit(-raw), expit(raw)])
    if link == "softmax":
        return _softmax(raw)
    p = expit(raw)
    # All scores can underflow together; then softmax gives their limit.
    total = p.sum(axis=1, keepdims=True)
    return np.where(total > 0, p / np.where(total > 0, total, 1), _softmax(raw))


def _softmax(raw: Array) -> Array:
    """Compute down the columns: rows are short, and loops over them are slow."""
    columns = torch.from_numpy(raw).t().contiguous()
    return columns.softmax(0).t().contiguous().numpy()


def has_probabilities(estimator: Any) -> bool:
    """Margin losses such as the hinge have no probabilities."""
    link = getattr(estimator, "link_", None)
    if link is None:
        link = resolve_part("loss", estimator.loss).build().link
    if link == "identity":
        raise AttributeError(
            f"predict_proba is not available for loss={estimator.loss!r}, whose scores "
            "are margins. Use decision_function, or loss='cross-entropy'."
        )
    return True


class ClassifierOutputs(ScoredClassifier):
    """What every classifier does with its targets and raw outputs.

    Classes become codes for training, and raw outputs become probabilities by the link
    of the loss. Two classes have one logit, more have one each, and an indicator
    matrix (multi-label) has one logit a column.

    Examples
    --------
    >>> from mlmi_sklearn import NetClassifier
    >>> from mlmi_sklearn.base import ClassifierOutputs
    >>> model = NetClassifier(max_epochs=1).fit([[0.0], [1.0]], ["no", "yes"])
    >>> isinstance(model, ClassifierOutputs), model.classes_.tolist()
    (True, ['no', 'yes'])
    >>> model.decision_function([[0.0]]).shape
    (1,)
    """

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    # -- targets in -----------------------------------------------------------------

    def _read_targets(self, y: Any) -> Array:
        y = read_targets(self, y, numeric=False)
        check_classes(y)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if type_of_target(y) == "multiclass-multioutput":
            raise ValueError(
                "y has several columns of more than two values each. Pass one column "
                "of classes, or an indicator matrix of 0 and 1 (multi-label)."
            )
        return y

    def _encode(self, y: Array, weight: Array | None) -> Encoded:
        if y.ndim == 2:
            return self._encode_labels(y, weight)
        classes, codes = np.unique(y, return_inverse=True)
        return self._encode_classes(classes, codes, weight)

    def _encode_again(self, y: Array, weight: Array | None) -> Encoded:
        """Encode targets for a model that already knows its classes."""
        if self._multi_label != (y.ndim == 2):
            raise ValueError(
                "y changed between one column and several since the first fit. Set "
                "warm_start=False to begin anew."
            )
        return self._encode_known(self.classes_, y, weight)

    def _encode_known(self, classes: Array, y: Array, weight: Array | None) -> Encoded:
        """Encode targets by given classes, in sorted order."""
        if y.ndim == 2:
            return self._encode_labels(y, weight)
        unknown = np.setdiff1d(y, classes)
        if len(unknown):
            raise ValueError(
                f"y contains classes {unknown.tolist()}, but the model knows only "
                f"classes {classes.tolist()}. Pass every class in the first call of "
                "partial_fit (classes=), or fit anew with warm_start=False."
            )
        return self._encode_classes(classes, np.searchsorted(classes, y), weight)

    def _partial_fit(self, X: Any, y: Any, classes: Any, sample_weight: Any) -> Any:
        """Train for one epoch; the first call may announce all classes."""
        encode = None
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' needs all data at once; pass a dict of "
                "weights, or sample_weight, to partial_fit."
            )
        if classes is not None:
            classes = unique_labels(classes)
            known = getattr(self, "classes_", classes)
            if not np.array_equal(classes, known):
                raise ValueError(
                    f"classes={classes.tolist()} is not the same as in the first call "
                    f"of partial_fit: {known.tolist()}."
                )
            encode = partial(self._encode_known, classes)
        return self._fit(X, y, sample_weight, resume=True, epochs=1, encode=encode)

    def _encode_classes(
        self, classes: Array, codes: Array, weight: Array | None
    ) -> Encoded:
        if len(classes) < 2:
            raise ValueError(
                f"y has one class only, {classes.tolist()}; a classifier needs at "
                "least two (rows of sample_weight zero do not count)."
            )
        if self.class_weight is not None:
            by_class = class_weights(self.class_weight, classes, codes, weight)
            weight = by_class if weight is None else weight * by_class
        n_outputs = 1 if len(classes) == 2 else len(classes)
        attributes = {"classes_": classes, "_multi_label": False}
        return Encoded(codes.astype(np.int64), n_outputs, weight, codes, attributes)

    def _encode_labels(self, y: Array, weight: Array | None) -> Encoded:
        if self.class_weight is not None:
            raise ValueError(
                "class_weight is not defined for multi-label y; pass sample_weight."
            )
        labels = np.asarray(y)
        attributes = {"classes_": np.arange(y.shape[1]), "_multi_label": True}
        return Encoded(labels.astype(float), y.shape[1], weight, None, attributes)

    def _link_of(self, criterion: Any, encoded: Encoded) -> str:
        require_task(self.loss, "classification")
        link = getattr(criterion, "link", None)
        if link not in ("softmax", "sigmoid", "identity"):
            raise ValueError(
                f"loss={self.loss!r} has link={link!r}; a loss must have an attribute "
                "link, one of 'softmax', 'sigmoid', 'identity'."
            )
        if encoded.y.ndim == 2:
            return "labels" if link != "identity" else "identity"
        return link

    # -- predictions out ------------------------------------------------------------

    def decision_function(self, X: Any) -> Array:
        """Compute raw scores.

        Parameters
        ----------
        X : array-like
            Samples, as in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples,), (n_samples, n_classes) or (n_samples, n_labels)
            Two classes have one score, above zero for ``classes_[1]``.
        """
        check_is_fitted(self)
        raw = self._raw(X)
        return raw[:, 0] if raw.shape[1] == 1 and not self._multi_label else raw

    def predict(self, X: Any) -> Array:
        """Predict classes, or label indicators for a multi-label target.

        Parameters
        ----------
        X : array-like
            Samples, as in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            Elements of ``classes_``, or 0 and 1.
        """
        n_classes = len(getattr(self, "classes_", ()))  # none is told of below
        return in_pieces(
            lambda part: self._decide(self.decision_function(part)), X, n_classes
        )

    @available_if(has_probabilities)
    def predict_proba(self, X: Any) -> Array:
        """Predict probabilities.

        Parameters
        ----------
        X : array-like
            Samples, as in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``. Rows sum to one, except for multi-label
            targets, where each column is the probability of one label.
        """
        check_is_fitted(self)
        return self._to_probabilities(self._raw(X))

    @available_if(has_probabilities)
    def predict_log_proba(self, X: Any) -> Array:
        """Predict the logarithm of probabilities.

        Parameters
        ----------
        X : array-like
            Samples, as in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Natural logarithm of :meth:`predict_proba`.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def _to_probabilities(self, raw: Array) -> Array:
        """Turn raw scores into probabilities of classes or labels."""
        return probabilities(raw, self.link_)

    def _decide(self, decision: Array) -> Array:
        """Turn scores into classes or indicators."""
        if self._multi_label:
            return (decision > 0).astype(int)
        if decision.ndim == 1:
            return self.classes_[(decision > 0).astype(int)]
        return self.classes_[decision.argmax(axis=1)]

    @staticmethod
    def _score_raw(raw: Array, y: Array, weight: Array | None, criterion: Any) -> float:
        """Return the accuracy of raw outputs against encoded targets, where known."""
        known = y >= 0 if y.ndim == 1 else ~np.isnan(y).any(axis=1)
        if not known.all():
            raw, y = raw[known], y[known]
            weight = None if weight is None else weight[known]
        if not len(y):
            return np.nan
        if y.ndim == 2:
            return accuracy_score(y > 0.5, raw > 0, sample_weight=weight)
        codes = raw[:, 0] > 0 if raw.shape[1] == 1 else raw.argmax(axis=1)
        return accuracy_score(y, codes, sample_weight=weight)


def class_weights(
    class_weight: Any, classes: Array, codes: Array, weight: Array | None = None
) -> Array:
    """Return the weight of its class for each sample.

    Parameters
    ----------
    class_weight : "balanced", dict or None
        A dict maps labels to weights, one for labels it leaves out. "balanced" gives
        all classes the same total weight.
    classes : ndarray of shape (n_classes,)
        The labels.
    codes : ndarray of int of shape (n_samples,)
        Positions in `classes`; each occurs.
    weight : ndarray of shape (n_samples,), default=None
        Weights that samples have already, which "balanced" takes into account.

    Returns
    -------
    ndarray of shape (n_samples,)
        Factors for the weights of samples.

    Raises
    ------
    ValueError
        If the dict names a label that is not in `classes`.

    Examples
    --------
    >>> labels, codes = np.array(["no", "yes"]), np.array([0, 0, 0, 1])
    >>> class_weights({"yes": 3}, labels, codes)
    array([1., 1., 1., 3.])
    >>> class_weights("balanced", labels, codes).round(3)
    array([0.667, 0.667, 0.667, 2.   ])
    """
    table = class_weight
    if isinstance(class_weight, dict):
        index = {label: code for code, label in enumerate(classes.tolist())}
        unknown = [label for label in class_weight if label not in index]
        if unknown:
            raise ValueError(
                f"class_weight names classes {unknown} that are not in y. Classes are "
                f"{classes.tolist()}."
            )
        table = {index[label]: w for label, w in class_weight.items()}
    by_code = compute_class_weight(
        table, classes=np.arange(len(classes)), y=codes, sample_weight=weight
    )
    return by_code[codes]
