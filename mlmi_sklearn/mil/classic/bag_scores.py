"""Template of classifiers that score instances and pool the scores over bags."""

from __future__ import annotations

from abc import abstractmethod
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Tags, get_tags
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import column_or_1d

from ...base import class_weights
from ...base.inputs import read_targets, read_weight
from ...base.naming import check_classes
from ...base.state import rollback
from ...components.doclink import DocumentationLink
from ...containers import Bags
from ...exceptions import BagError
from ...persistence.flat import PlainState
from ..inputs import holds_bags
from ._template import read_vectors
from .inner import accepts_weight
from .labelled import Fold, LabelledBags, digests, folds
from .outputs import BagOutputs, distance
from .thresholds import best_cut, calibration_slope, half_balanced

__all__ = ["COMMON_CONSTRAINTS", "BagScoreClassifier"]

Array = NDArray[Any]

COMMON_CONSTRAINTS: dict[str, list[Any]] = {
    "estimator": [HasMethods(["fit", "predict"]), None],
    "threshold": [StrOptions({"cv"}), Interval(Real, None, None, closed="neither")],
    "cv": ["cv_object"],
    "scale": ["boolean"],
    "instance_labels": [StrOptions({"ignore", "use"})],
    "class_weight": [StrOptions({"balanced"}), dict, None],
    "n_jobs": [Integral, None],
}


class BagScoreClassifier(DocumentationLink, PlainState, BagOutputs, BaseEstimator):
    """Score instances, pool the scores, compare with a threshold chosen out of fold.

    Subclasses have ``_rule()``, the assumption on bags; ``_default_estimator()``;
    ``_fit_scorer(data, n_classes)``, which returns whatever was learned; and
    ``_raw_scores(scorer, values)`` of shape (n_instances, 1 or n_classes).
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = COMMON_CONSTRAINTS

    # -- what subclasses do -----------------------------------------------------------

    @abstractmethod
    def _default_estimator(self) -> Any: ...

    @abstractmethod
    def _fit_scorer(self, data: LabelledBags, n_classes: int) -> Any: ...

    def _publish(self, scorer: Any, bags: Bags, codes: Array) -> None:
        """Set further fitted attributes; `codes` are -1 for bags of weight zero."""

    # -- fit --------------------------------------------------------------------------

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit on labelled bags.

        Parameters
        ----------
        X : Bags, list of arrays of shape (n_instances, n_features), 3-D or 2-D array
            Bags; see :func:`~mlmi_sklearn.check_bags`. Rows of a 2-D array or CSR
            matrix are bags of one instance. Groups of :class:`Bags`, such as patients,
            are kept together in the folds that choose the threshold.
        y : array-like of shape (n_bags,)
            Classes of bags.
        sample_weight : array-like of shape (n_bags,), default=None
            Non-negative weights of bags; zero is the same as leaving the bag out.

        Returns
        -------
        estimator
            The fitted estimator.

        Raises
        ------
        BagError
            If X cannot be read as bags of vectors.
        ValueError
            If the data or a parameter is unusable; the message names it.
        TypeError
            If the inner classifier cannot do what is asked: take weights, give scores.
        """
        self._validate_params()
        with rollback(self):
            self._saw_bags = holds_bags(X)
            bags = read_vectors(self, X, reset=True)
            y = self._read_labels(y, bags)
            weight = read_weight(sample_weight, len(y))
            kept = np.arange(len(y)) if weight is None else np.flatnonzero(weight)
            weight = np.ones(len(y)) if weight is None else weight[kept]
            classes, codes = self._encode(y[kept])
            if self.class_weight is not None:
                factor = class_weights(self.class_weight, classes, codes, weight)
                weight = weight * factor
            data = self._labelled(bags[kept], codes, weight, len(classes))
            scorer = self._fit_scorer(self._training(data), len(classes))
            splits = None
            if self.threshold == "cv":
                splits = folds(self.cv, data, y, kept)
            cut, slope = self._place_threshold(data, scorer, splits, len(classes))
            every = np.full(len(y), -1)
            every[kept] = codes
            self._publish(scorer, bags, every)
            self.classes_, self._scorer = classes, scorer
            self._cut, self._slope = cut, slope
            self.threshold_ = float(cut[0]) if len(cut) == 1 else cut
        return self

    def _read_labels(self, y: Any, bags: Bags) -> Array:
        y = read_targets(self, y, numeric=False)
        check_classes(y)
        y = column_or_1d(y, warn=True)
        if len(y) != len(bags):
            raise ValueError(
                f"X and y have inconsistent numbers of samples: X has {len(bags)} "
                f"bags, but y has {len(y)}. Pass one label for each bag; the rows of a "
                "2-D array are bags of one instance."
            )
        return y

    def _encode(self, y: Array) -> tuple[Array, Array]:
        classes, codes = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                f"y has one class only, {classes.tolist()}; a classifier needs at "
                "least two (bags of sample_weight zero do not count)."
            )
        return classes, codes

    def _labelled(
        self, bags: Bags, codes: Array, weight: Array, n_classes: int
    ) -> LabelledBags:
        """Gather what is known about the bags that count."""
        fields: dict[str, Any] = {}
        if self.instance_labels == "use":
            if bags.y_instances is None:
                raise BagError(
                    "instance_labels='use' needs labels of instances: pass Bags with "
                    "y_instances=, where -1 stands for unknown ones."
                )
            fields["y_instances"] = _known_labels(bags.y_instances, n_classes)
        # Gathered once: each access to the instances of permuted bags would copy them.
        own = Bags(bags.values, bags.lengths, groups=bags.groups, **fields)
        if not (weight > 0).all():
            raise ValueError(
                f"class_weight={self.class_weight!r} leaves bags with a weight of "
                f"{weight.min()}; weights of classes must be positive."
            )
        return LabelledBags(own, codes, weight, digests(own))

    def _training(self, data: LabelledBags) -> LabelledBags:
        """Return what a scorer is fitted on."""
        return data.distinct() if accepts_weight(self._inner()) else data

    def _inner(self) -> Any:
        return self._default_estimator() if self.estimator is None else self.estimator

    # -- thresholds -------------------------------------------------------------------

    def _place_threshold(
        self,
        data: LabelledBags,
        scorer: Any,
        splits: list[Fold] | None,
        n_classes: int,
    ) -> tuple[Array, Array]:
        """Return threshold and slope of each column of scores."""
        n_columns = 1 if n_classes == 2 else n_classes
        if self.threshold != "cv":
            return np.full(n_columns, float(self.threshold)), np.ones(n_columns)
        if splits is None:
            shown, parts = data, [self._bounds(scorer, data.bags)]
        else:
            jobs = (delayed(self._unseen)(data, *split, n_classes) for split in splits)
            parts = Parallel(n_jobs=self.n_jobs)(jobs)
            shown = data.take(np.concatenate([test for _, test in splits]))
        low, high = (np.concatenate(part) for part in zip(*parts, strict=True))
        return _calibrate(low, high, shown.codes, shown.weight)

    def _unseen(
        self, data: LabelledBags, train: Array, test: Array, n_classes: int
    ) -> tuple[Array, Array]:
        """Train on one part of the bags and score the other."""
        scorer = self._fit_scorer(self._training(data.take(train)), n_classes)
        return self._bounds(scorer, data.bags[test])

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_scorer")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = get_tags(self._inner()).input_tags.sparse
        return tags


def _known_labels(labels: Array, n_classes: int) -> Array:
    if n_classes > 2:
        raise ValueError(
            f"instance_labels='use' needs two classes of bags, but y has "
            f"{n_classes}: labels of instances say only whether one is positive."
        )
    wrong = np.setdiff1d(labels, [-1, 0, 1])
    if len(wrong):
        raise ValueError(
            f"y_instances holds {wrong[:5].tolist()}; instance_labels='use' needs 0 "
            "(negative), 1 (positive) and -1 (unknown)."
        )
    return labels.astype(np.int64)


def _calibrate(
    low: Array, high: Array, codes: Array, weight: Array
) -> tuple[Array, Array]:
    """Choose threshold and slope of each column, each class against the rest."""
    n_columns = high.shape[1]
    cut, slope = np.empty(n_columns), np.empty(n_columns)
    for k in range(n_columns):
        positive = codes == (1 if n_columns == 1 else k)
        cut[k] = best_cut(
            low[:, k], high[:, k], positive, half_balanced(positive, weight)
        )
        at_one = distance(low[:, k], high[:, k], cut[k], 1.0)
        slope[k] = calibration_slope(at_one, positive, weight)
    return cut, slope
