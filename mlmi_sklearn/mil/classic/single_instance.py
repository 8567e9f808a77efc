"""Single-instance learning: every instance is taught the label of its bag."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.utils._param_validation import Interval, StrOptions

from ...containers import Bags
from .assumptions import POOLINGS, BagRule
from .bag_scores import COMMON_CONSTRAINTS, BagScoreClassifier
from .inner import fit_inner, fit_scaler, inner_scores, scaled
from .labelled import LabelledBags

__all__ = ["SingleInstanceClassifier"]

Array = NDArray[Any]


class SingleInstanceClassifier(BagScoreClassifier):
    r"""Classify bags by pooling what any classifier says about their instances.

    The classifier is fitted on all instances, each with the label of its bag, and the
    scores of instances are pooled over the bag. Most labels of instances in positive
    bags are then wrong, and the maximum over a bag of many is high by chance, so zero
    does not part negative bags from positive ones. The threshold is therefore chosen
    from training bags that the classifier has not seen (``threshold="cv"``).

    Parameters
    ----------
    estimator : estimator, default=None
        Any classifier with ``decision_function`` or ``predict_proba``. None means
        ``LogisticRegression(max_iter=1000)``. Parameters are reached as
        ``estimator__*``.
    pooling : str or callable, default="max"
        The assumption about positive bags. ``"max"``: at least one positive instance
        (the standard assumption). ``"mean"``: all instances have a say (the collective
        assumption). ``"noisy-or"``: instances are positive independently, with
        log-odds equal to their scores, and the score of the bag is the log-odds of
        any being. ``"log-sum-exp"``: the logarithm of the mean of exponentials,
        between mean and maximum. ``"count"``: from `min_positive` to `max_positive`
        positive instances (the threshold and count assumptions). A callable maps the
        scores of one bag, of shape (n_instances, n_columns), to (n_columns,).
    min_positive : int, default=1
        For ``pooling="count"``: fewest positive instances of a positive bag. A bag
        with fewer instances is positive if all of them are.
    max_positive : int, default=None
        For ``pooling="count"``: most positive instances of a positive bag. None sets
        no limit.
    threshold : "cv" or float, default="cv"
        Where positive begins. ``"cv"`` takes the cut with the highest sum of weighted
        accuracy and balanced accuracy on bags scored out of fold; for classes of equal
        weight, as with ``class_weight="balanced"``, the two are the same. Accuracy
        alone would call all bags negative where few are positive. A number
        is a fixed threshold on pooled scores; 0.0 is what the classifier itself uses.
    cv : int, cross-validation generator or iterable, default=5
        Folds for ``threshold="cv"``. A number means stratified folds, fewer if a class
        has fewer bags (or groups); copies of a bag stay together. If a class has one
        bag only, the threshold is chosen on the training scores.
    scale : bool, default=True
        Whether features are brought to one scale first, as part of the fit: zero mean
        and unit variance. A feature that is zero in half of the instances or more is
        not centred, so that CSR stays sparse, and is divided by its largest absolute
        value. Dense and CSR instances of equal numbers fare alike.
    balance_bags : bool, default=False
        Whether the instances of a bag share its weight, so that large bags do not
        count more than small ones.
    instance_labels : {"ignore", "use"}, default="ignore"
        Whether ``y_instances`` of :class:`Bags` are trained on: 0 and 1 replace the
        label of the bag, -1 is unknown. Two classes only. Ignored, they are the truth
        that metrics compare with.
    class_weight : "balanced", dict or None, default=None
        Weights of classes, in the classifier and in the choice of the threshold.
    n_jobs : int, default=None
        Processes for the folds.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes.
    estimator_ : estimator
        The classifier fitted on all (scaled) instances.
    scaler_ : transformer or None
        What scales the features, by its ``center_`` and ``scale_``.
    threshold_ : float or ndarray of shape (n_classes,)
        Threshold on pooled scores of `estimator_`; for more than two classes one for
        each class against the rest.
    n_features_in_ : int
        Features of an instance.
    feature_names_in_ : ndarray of str
        Only when ``X`` was a table with column names.

    See Also
    --------
    MISVC : Looks for the instances that make bags positive, instead of taking all.
    MILClassifier : A deep net that is trained on pooled scores.

    Notes
    -----
    Decision values are ``slope * (pooled score - threshold)``; the slope is fitted to
    the same out-of-fold scores, so that ``predict_proba`` is calibrated. More than two
    classes are told apart by the largest of these values, each class with a threshold
    and slope of its own against the rest.

    A bag of weight 2 is the same as two copies, to the last bit, whatever the solver:
    copies are merged before the fit. This needs a classifier that takes weights.

    References
    ----------
    Foulds and Frank, *A review of multi-instance learning assumptions*, The Knowledge
    Engineering Review 25(1), 2010.

    Ray and Craven, *Supervised versus multiple instance learning: an empirical
    comparison*, ICML 2005.

    Examples
    --------
    >>> from sklearn.svm import SVC
    >>> from mlmi_sklearn import SingleInstanceClassifier
    >>> from mlmi_sklearn.datasets import make_digit_bags
    >>> bags, y = make_digit_bags(n_bags=60, random_state=0)
    >>> model = SingleInstanceClassifier(SVC()).fit(bags, y)
    >>> model.score(bags, y) > 0.8
    True
    >>> scores = model.instance_scores(bags)
    >>> bool(scores[0].max() == model.decision_function(bags)[0])
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **COMMON_CONSTRAINTS,
        "pooling": [StrOptions({*POOLINGS, "count"}), callable],
        "min_positive": [Interval(Integral, 1, None, closed="left")],
        "max_positive": [Interval(Integral, 1, None, closed="left"), None],
        "balance_bags": ["boolean"],
    }

    def __init__(
        self,
        estimator: Any = None,
        pooling: str | Callable[[Array], Array] = "max",
        *,
        min_positive: int = 1,
        max_positive: int | None = None,
        threshold: Any = "cv",
        cv: Any = 5,
        scale: bool = True,
        balance_bags: bool = False,
        instance_labels: str = "ignore",
        class_weight: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.pooling = pooling
        self.min_positive = min_positive
        self.max_positive = max_positive
        self.threshold = threshold
        self.cv = cv
        self.scale = scale
        self.balance_bags = balance_bags
        self.instance_labels = instance_labels
        self.class_weight = class_weight
        self.n_jobs = n_jobs

    def _validate_params(self) -> None:
        super()._validate_params()
        counts = (self.min_positive, self.max_positive)
        if self.pooling != "count" and counts != (1, None):
            raise ValueError(
                f"min_positive={counts[0]} and max_positive={counts[1]} need "
                f"pooling='count', got pooling={self.pooling!r}."
            )
        if counts[1] is not None and counts[1] < counts[0]:
            raise ValueError(
                f"max_positive={counts[1]} is below min_positive={counts[0]}."
            )

    def _rule(self) -> BagRule:
        return BagRule(self.pooling, self.min_positive, self.max_positive)

    def _default_estimator(self) -> Any:
        return LogisticRegression(max_iter=1000)

    def _fit_scorer(self, data: LabelledBags, n_classes: int) -> Any:
        labels = np.repeat(data.codes, data.bags.lengths)
        known = data.bags.y_instances
        if known is not None:
            labels = np.where(known < 0, labels, known)
        values = data.bags.values
        weight = data.weight_of_instances(share=self.balance_bags)
        scaler = fit_scaler(values, weight) if self.scale else None
        model = fit_inner(self._inner(), scaled(scaler, values), labels, weight)
        return scaler, model

    def _raw_scores(self, scorer: Any, values: Any) -> Array:
        scaler, model = scorer
        return inner_scores(model, scaled(scaler, values))

    def _publish(self, scorer: Any, bags: Bags, codes: Array) -> None:
        self.scaler_, self.estimator_ = scorer
