"""Any classifier or regressor, trained on real and synthetic rows."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_array

from ..base.inputs import require_no_dates
from ..base.naming import check_classes, naming
from .augmented_base import Augmented, inner_has
from .augmented_rows import balancing_rows, proportional_rows

__all__ = ["AugmentedClassifier", "AugmentedRegressor"]

Array = NDArray[Any]


class AugmentedClassifier(Augmented, ClassifierMixin, BaseEstimator):
    r"""Train any classifier on real rows and synthetic ones beside them.

    ``fit`` trains a copy of a sampler on the training rows, draws ``ratio`` times as
    many synthetic rows, with the classes in their proportions or so that they come into
    balance, and trains a copy of a classifier on all. Synthetic rows exist only in
    ``fit``: in cross-validation, test rows are real and never seen by the sampler.

    Do not expect much. Synthetic rows hold nothing that the training rows do not; on
    tables, parity with the bare classifier is usual, and where classes are rare, with
    ``class_weight="balanced"``, which costs nothing. Compare: ``ratio=0`` is the bare
    classifier, so ``GridSearchCV(..., {"ratio": [0, 0.5, 1]})`` answers the question.

    Parameters
    ----------
    estimator : estimator, default=None
        Any classifier, or a pipeline that ends in one. None means
        ``LogisticRegression(max_iter=1000)``. Parameters are reached as
        ``estimator__*``.
    sampler : estimator, default=None
        What draws synthetic rows. None means ``CGANSampler()``. Parameters are reached
        as ``sampler__*``. Any that has ``fit(X, y)`` and ``sample(n, y=...)``; or
        ``fit(X)`` and ``sample(n)``, such as
        :class:`~sklearn.mixture.GaussianMixture`, of which each class gets one; or
        ``fit_resample(X, y)``, such as SMOTE of imbalanced-learn, whose
        ``sampling_strategy`` is set.
    ratio : float, default=1.0
        Synthetic rows for each real one, at least 0. With ``balance``, the share of
        what each class lacks to the size of the largest one, at most 1.
    balance : bool, default=False
        Whether to draw only rows of the smaller classes.
    synthetic_weight : float, default=1.0
        Weight of a synthetic row, in units of that of a real one, above 0. Unless it is
        1, the classifier must take ``sample_weight``.
    random_state : int, RandomState instance or None, default=None
        Seed of every ``random_state`` of the sampler that is None, and of the choice
        of rows.

    Attributes
    ----------
    estimator_ : estimator
        The fitted classifier.
    sampler_ : estimator, dict or None
        The fitted sampler; one for each class if it takes no targets; None if there
        are no synthetic rows.
    n_synthetic_ : int
        Number of synthetic rows.
    classes_ : ndarray of shape (n_classes,)
        The classes.
    n_features_in_ : int
        Features; channels of images.
    feature_names_in_ : ndarray of str
        Only when ``X`` was a table with column names.

    See Also
    --------
    AugmentedRegressor : The same for quantities.
    CGANSampler : Its ``fit_resample`` serves pipelines of imbalanced-learn.

    Notes
    -----
    A row of weight 0 is not shown to the sampler; other weights do not change what it
    learns. A synthetic row has the weight of the real row whose class it has, times
    ``synthetic_weight``.

    References
    ----------
    Frid-Adar et al., *GAN-based synthetic medical image augmentation for increased CNN
    performance in liver lesion classification*, Neurocomputing 321, 2018.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.svm import SVC
    >>> from mlmi_sklearn import AugmentedClassifier, CGANSampler
    >>> X, y = load_iris(return_X_y=True)
    >>> sampler = CGANSampler(max_iter=100)
    >>> model = AugmentedClassifier(SVC(), sampler, ratio=0.5, random_state=0).fit(X, y)
    >>> model.n_synthetic_, model.estimator_.shape_fit_
    (75, (225, 4))
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **Augmented._parameter_constraints,
        "sampler": [
            HasMethods(["fit", "sample"]),
            HasMethods(["fit_resample"]),
            None,
        ],
        "balance": ["boolean"],
    }
    _classes: ClassVar[bool] = True

    def __init__(
        self,
        estimator: Any = None,
        sampler: Any = None,
        ratio: float = 1.0,
        *,
        balance: bool = False,
        synthetic_weight: float = 1.0,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.sampler = sampler
        self.ratio = ratio
        self.balance = balance
        self.synthetic_weight = synthetic_weight
        self.random_state = random_state

    @property
    def classes_(self) -> Any:
        """Classes, as the classifier knows them."""
        return self.estimator_.classes_

    def _inner(self) -> Any:
        if self.estimator is not None:
            return self.estimator
        return LogisticRegression(max_iter=1000)

    def _check_targets(self, y: Array) -> Array:
        check_classes(y)
        return y

    def _rows(self, y: Array, source: np.random.Generator) -> Array:
        if not self.balance:
            return proportional_rows(y, round(self.ratio * len(y)), source)
        if self.ratio > 1:
            raise ValueError(
                f"ratio={self.ratio} must be at most 1 with balance=True, where it is "
                "the share of what a class lacks to the size of the largest one."
            )
        if y.ndim > 1:
            raise ValueError(
                f"balance=True needs one class for each row, but y has shape {y.shape}."
            )
        return balancing_rows(y, self.ratio, source)

    @available_if(inner_has("predict_proba"))
    def predict_proba(self, X: Any) -> Any:
        """Predict probabilities, where the classifier does.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, ...)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        return self._ask("predict_proba", X)

    @available_if(inner_has("predict_log_proba"))
    def predict_log_proba(self, X: Any) -> Any:
        """Predict logarithms of probabilities, where the classifier does.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, ...)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        return self._ask("predict_log_proba", X)

    @available_if(inner_has("decision_function"))
    def decision_function(self, X: Any) -> Any:
        """Compute decision values, where the classifier does.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, ...)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            As the classifier has them.
        """
        return self._ask("decision_function", X)


class AugmentedRegressor(Augmented, RegressorMixin, BaseEstimator):
    r"""Train any regressor on real rows and synthetic ones beside them.

    As :class:`AugmentedClassifier`, for quantities: synthetic rows are drawn for
    targets of real ones. Parity with the bare regressor, ``ratio=0``, is usual.

    Parameters
    ----------
    estimator : estimator, default=None
        Any regressor, or a pipeline that ends in one. None means ``Ridge()``.
        Parameters are reached as ``estimator__*``.
    sampler : estimator, default=None
        What draws synthetic rows. None means ``CGANSampler()``. Any that has
        ``fit(X, y)`` and ``sample(n, y=...)``; or ``fit(X)`` and ``sample(n)``, such as
        :class:`~sklearn.neighbors.KernelDensity`, which learns X and y side by side.
    ratio : float, default=1.0
        Synthetic rows for each real one, at least 0.
    synthetic_weight : float, default=1.0
        Weight of a synthetic row, in units of that of a real one, above 0. Unless it is
        1, the regressor must take ``sample_weight``.
    random_state : int, RandomState instance or None, default=None
        Seed of every ``random_state`` of the sampler that is None, and of the choice
        of rows.

    Attributes
    ----------
    estimator_ : estimator
        The fitted regressor.
    sampler_ : estimator or None
        The fitted sampler; None if there are no synthetic rows.
    n_synthetic_ : int
        Number of synthetic rows.
    n_features_in_ : int
        Features; channels of images.
    feature_names_in_ : ndarray of str
        Only when ``X`` was a table with column names.

    See Also
    --------
    AugmentedClassifier : The same for classes.

    Notes
    -----
    A row of weight 0 is not shown to the sampler; other weights do not change what it
    learns. A synthetic row has the weight of the real row whose target it has, times
    ``synthetic_weight``.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.neighbors import KernelDensity
    >>> from mlmi_sklearn import AugmentedRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = AugmentedRegressor(sampler=KernelDensity(), random_state=0).fit(X, y)
    >>> model.n_synthetic_
    442
    """

    _classes: ClassVar[bool] = False

    def __init__(
        self,
        estimator: Any = None,
        sampler: Any = None,
        ratio: float = 1.0,
        *,
        synthetic_weight: float = 1.0,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.sampler = sampler
        self.ratio = ratio
        self.synthetic_weight = synthetic_weight
        self.random_state = random_state

    def _inner(self) -> Any:
        return Ridge() if self.estimator is None else self.estimator

    def _check_targets(self, y: Array) -> Array:
        kinds = [np.float64, np.float32]
        require_no_dates(y, "y")
        with naming("y"):
            found: Array = check_array(y, ensure_2d=False, dtype=kinds, input_name="y")
        return found

    def _rows(self, y: Array, source: np.random.Generator) -> Array:
        return proportional_rows(y, round(self.ratio * len(y)), source)
