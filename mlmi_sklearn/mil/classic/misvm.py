"""Support vector machines, or any margin classifiers, on bags."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC
from sklearn.utils._param_validation import Interval, StrOptions

from ...containers import Bags
from .alternation import BinaryBags, Outcome, alternate_labels, alternate_witnesses
from .assumptions import BagRule
from .bag_scores import COMMON_CONSTRAINTS, BagScoreClassifier
from .inner import fit_inner, fit_scaler, inner_scores, scaled
from .labelled import LabelledBags

__all__ = ["MISVC"]

Array = NDArray[Any]


class MISVC(BagScoreClassifier):
    r"""Alternate between a margin classifier and what it implies (mi-SVM, MI-SVM).

    In a negative bag all instances are negative; in a positive one it is not known
    which are positive. With ``mode="mi"`` each instance of a positive bag has a label
    that is imputed: positive at first, then what the classifier says, but at least
    one of the bag stays positive. With ``mode="MI"`` one instance, the witness, stands
    for the positive bag: its mean at first, then the instance of highest score. Both
    repeat until nothing changes. The score of a bag is the maximum over its instances,

    .. math:: s_i = \max_j f(x_{ij}),

    and is compared with a threshold chosen from bags out of fold.

    Parameters
    ----------
    mode : {"mi", "MI"}, default="MI"
        Labels of instances, or witnesses of bags. The second settles sooner and, with
        a Gaussian kernel on MUSK1, Elephant and Fox, ranked bags better.
    estimator : estimator, default=None
        Any classifier with ``decision_function`` or ``predict_proba``. None means
        ``SVC(tol=1e-5, random_state=0)``, which has a Gaussian kernel.
        Parameters are reached as ``estimator__*``.
    min_positive : int, default=1
        For ``mode="mi"``: fewest positive instances of a positive bag, in training and
        prediction; all, in a smaller bag.
    max_positive : int, default=None
        For ``mode="mi"``: most positive instances of a positive bag. None sets no
        limit.
    max_iter : int, default=50
        Most fits in one alternation.
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
    instance_labels : {"ignore", "use"}, default="ignore"
        Whether ``y_instances`` of :class:`Bags` are trained on: 0 and 1 are kept
        throughout, -1 is unknown. Two classes only. Ignored, they are the truth that
        metrics compare with.
    class_weight : "balanced", dict or None, default=None
        Weights of classes, in the classifier and in the choice of the threshold.
    n_jobs : int, default=None
        Processes for the folds.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes.
    estimators_ : list of estimator
        The fitted classifier; for more than two classes one for each against the rest.
    scaler_ : transformer or None
        What scales the features, by its ``center_`` and ``scale_``.
    labels_ : ndarray of bool of shape (n_instances,) or (n_instances, n_classes)
        With ``mode="mi"``: which training instances are taken for positive in the end.
    witnesses_ : ndarray of int of shape (n_bags,) or (n_bags, n_classes)
        With ``mode="MI"``: position of the witness in its bag, -1 for negative bags.
    threshold_ : float or ndarray of shape (n_classes,)
        Threshold on pooled scores; for more than two classes one for each.
    n_iter_ : int
        Fits made, in the longest alternation if there are several.
    n_features_in_ : int
        Features of an instance.
    feature_names_in_ : ndarray of str
        Only when ``X`` was a table with column names.

    See Also
    --------
    SingleInstanceClassifier : The first step of ``mode="mi"``, with other poolings.

    Notes
    -----
    The alternation is a heuristic that finds a local optimum. It can come back to an
    earlier imputation without resting there; it then ends, since it would only repeat
    itself. If `max_iter` ends it, a :class:`~sklearn.exceptions.ConvergenceWarning`
    says so.

    Decision values are ``slope * (pooled score - threshold)``; the slope is fitted to
    the same out-of-fold scores, so that ``predict_proba`` is calibrated. A bag of
    weight 2 is the same as two copies, to the last bit: copies are merged before the
    fit.

    References
    ----------
    Andrews, Tsochantaridis and Hofmann, *Support vector machines for
    multiple-instance learning*, NIPS 2002.

    Examples
    --------
    >>> from mlmi_sklearn import MISVC
    >>> from mlmi_sklearn.datasets import make_digit_bags
    >>> bags, y = make_digit_bags(n_bags=60, random_state=0)
    >>> model = MISVC().fit(bags, y)
    >>> model.score(bags, y) > 0.9
    True
    >>> model.witnesses_.shape
    (60,)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **COMMON_CONSTRAINTS,
        "mode": [StrOptions({"mi", "MI"})],
        "min_positive": [Interval(Integral, 1, None, closed="left")],
        "max_positive": [Interval(Integral, 1, None, closed="left"), None],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        mode: str = "MI",
        estimator: Any = None,
        *,
        min_positive: int = 1,
        max_positive: int | None = None,
        max_iter: int = 50,
        threshold: Any = "cv",
        cv: Any = 5,
        scale: bool = True,
        instance_labels: str = "ignore",
        class_weight: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.mode = mode
        self.estimator = estimator
        self.min_positive = min_positive
        self.max_positive = max_positive
        self.max_iter = max_iter
        self.threshold = threshold
        self.cv = cv
        self.scale = scale
        self.instance_labels = instance_labels
        self.class_weight = class_weight
        self.n_jobs = n_jobs

    def _validate_params(self) -> None:
        super()._validate_params()
        counts = (self.min_positive, self.max_positive)
        if self.mode == "MI" and counts != (1, None):
            raise ValueError(
                f"min_positive={counts[0]} and max_positive={counts[1]} need "
                "mode='mi'; with mode='MI' a positive bag has one witness."
            )
        if counts[1] is not None and counts[1] < counts[0]:
            raise ValueError(
                f"max_positive={counts[1]} is below min_positive={counts[0]}."
            )

    def _rule(self) -> BagRule:
        if (self.min_positive, self.max_positive) == (1, None):
            return BagRule("max")
        return BagRule("count", self.min_positive, self.max_positive)

    def _default_estimator(self) -> Any:
        # Without probabilities nothing is random, but a fit would still draw a seed,
        # from the global generator if there is no other. With the usual tolerance, CSR
        # and dense instances end with scores that differ in the fourth digit.
        return SVC(tol=1e-5, random_state=0)

    def _fit_scorer(self, data: LabelledBags, n_classes: int) -> Any:
        values = data.bags.values
        weight = data.weight_of_instances(share=False)
        scaler = fit_scaler(values, weight) if self.scale else None
        values = scaled(scaler, values)
        outcomes = [
            self._alternate(data, values, data.codes == code)
            for code in ([1] if n_classes == 2 else range(n_classes))
        ]
        return scaler, outcomes

    def _alternate(self, data: LabelledBags, values: Any, positive: Array) -> Outcome:
        """Solve one problem of two classes."""
        bags = data.bags
        problem = BinaryBags(
            values, bags.lengths, positive, data.weight, bags.y_instances
        )
        if self.mode == "MI":
            return alternate_witnesses(problem, self._fit_inner, _score, self.max_iter)
        return alternate_labels(
            problem,
            self._fit_inner,
            _score,
            self.max_iter,
            self.min_positive,
            self.max_positive,
        )

    def _fit_inner(self, values: Any, labels: Array, weight: Array) -> Any:
        return fit_inner(self._inner(), values, labels.astype(np.int64), weight)

    def _raw_scores(self, scorer: Any, values: Any) -> Array:
        scaler, outcomes = scorer
        values = scaled(scaler, values)
        return np.column_stack([_score(outcome.model, values) for outcome in outcomes])

    def _publish(self, scorer: Any, bags: Bags, codes: Array) -> None:
        self.scaler_, outcomes = scorer
        self.estimators_ = [outcome.model for outcome in outcomes]
        self.n_iter_ = max(outcome.n_iter for outcome in outcomes)
        if not all(outcome.settled for outcome in outcomes):
            warnings.warn(
                f"MISVC stopped after max_iter={self.max_iter} fits, before the "
                "instances of positive bags had settled. Increase max_iter.",
                ConvergenceWarning,
                stacklevel=4,
            )
        belief = self._belief(self._raw_scores(scorer, bags.values), bags, codes)
        names = ("labels_", "witnesses_")
        name, other = names if self.mode == "mi" else names[::-1]
        setattr(self, name, belief)
        if hasattr(self, other):  # of an earlier fit
            delattr(self, other)

    def _belief(self, scores: Array, bags: Bags, codes: Array) -> Array:
        """Return what the classifiers take for positive in the training bags."""
        known = bags.y_instances if self.instance_labels == "use" else None
        columns = []
        for k, column in enumerate(scores.T):
            positive = codes == (1 if scores.shape[1] == 1 else k)
            problem = BinaryBags(
                bags.values, bags.lengths, positive, np.ones(len(codes)), known
            )
            if self.mode == "mi":
                columns.append(
                    problem.impute(column, self.min_positive, self.max_positive)
                )
            else:
                starts = np.cumsum(bags.lengths) - bags.lengths
                where = np.full(len(codes), -1)
                where[positive] = problem.witnesses(column) - starts[positive]
                columns.append(where)
        return columns[0] if len(columns) == 1 else np.column_stack(columns)


def _score(model: Any, values: Any) -> Array:
    return inner_scores(model, values)[:, 0]
